"""A killed training that is judged on the way ends with the bits and the curve of one that nobody disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are those of POSIX")
@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.full)])
def test_a_killed_training_ends_with_the_same_best_epoch_and_the_same_curve(tmp_path: Path, kills: int) -> None:
    command = [sys.executable, "-m", "tests.validated_crashes", str(tmp_path), str(kills), str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["kills"] == kills and told["same"] == told["runs"] and told["damaged"] == 0, told
    assert told["resumed"] > kills // 4, f"most kills came before the first checkpoint: {told}"
    measured = [line["epoch"] for line in told["curve"] if line["event"] == "validation"]
    assert measured == list(range(1, measured[-1] + 1)), "the straight run was not judged: the test shows nothing"
    assert "gl.nc" in told["names"] and "gl.nc.best.nc" not in told["names"]
    last = f"gl.nc.checkpoint.{measured[-1]}.0.nc"
    assert last in told["names"], "the straight run did not end after its best epoch: the test shows less than it could"
