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
EVERY = [f"{case}:{victim}" for case in ("random", "grid", "qmc", "asha") for victim in ("coordinator", "server")]
FULL = [pytest.param((words,), 20, marks=pytest.mark.full, id=words) for words in EVERY]
SAMPLED = pytest.param(("asha:coordinator", "random:server"), 3, id="sampled")


def crashed(folder: Path, cases: tuple[str, ...], kills: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.sweep_crashes", str(folder), str(kills), *cases]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("cases", "kills"), [SAMPLED, *FULL])
def test_after_kills_every_trial_is_there_once(tmp_path: Path, cases: tuple[str, ...], kills: int) -> None:
    found = crashed(tmp_path, cases, kills)
    assert len(found) == len(cases)
    for told in found:
        assert told["kills"] >= kills and told["same"] == told["sweeps"] and told["left"] == 0, told
        assert told["cut"] or kills < 10, f"no kill hit a trial: {told}"
