"""Coordinators and servers killed at random times: after it every trial is there once, the tables are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps import ROOT, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "fork"), reason="orphans are Linux's")
FULL = [
    pytest.param(case, victim, 20, marks=pytest.mark.full)
    for case in ("random", "grid", "qmc", "asha")
    for victim in ("coordinator", "server")
]


def crashed(folder: Path, case: str, victim: str, kills: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.sweep_crashes", str(folder), case, victim, str(kills), str(kills)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(("case", "victim", "kills"), [("asha", "coordinator", 3), ("random", "server", 3), *FULL])
def test_after_kills_every_trial_is_there_once(tmp_path: Path, case: str, victim: str, kills: int) -> None:
    told = crashed(tmp_path, case, victim, kills)
    assert told["kills"] >= kills and told["same"] == told["sweeps"] and told["left"] == 0, told
    assert told["cut"] or kills < 10, f"no kill hit a trial: {told}"
