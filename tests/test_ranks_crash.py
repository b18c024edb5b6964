"""A rank that is killed ends all of them soon, with one message; resumed, the run ends with the bits of one device."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nnlang.runtime import dataset
from tests.tiny import bits

ROOT = Path(__file__).resolve().parent.parent
UNITS, EXAMPLES = 800, 96
EPOCHS = 24
SOON = 30.0  # seconds within which all ranks have ended after one was killed
DEFINITION = """{ "Version": 0.8, "Name": "killed", "Kind": "AutoEncoder", "ErrorFunction": "CrossEntropy",
  "Layers": [
    { "Name": "Input", "Kind": "Input", "DataSet": "gl", "N": "auto", "Sparse": true },
    { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 16, "Activation": "Sigmoid", "pDropout": 0.2 },
    { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl", "N": "auto",
      "Activation": "Sigmoid", "Sparse": true } ] }
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for ranks in /proc")
@pytest.mark.parametrize(("count", "kills"), [(2, 1), pytest.param(4, 10, marks=pytest.mark.full)])
def test_a_killed_rank_ends_all_and_a_resumed_run_has_the_same_bits(tmp_path: Path, count: int, kills: int) -> None:
    draws, chance = np.random.default_rng(1), random.Random(kills)
    index = np.concatenate([draws.choice(UNITS, 12, replace=False) for _ in range(EXAMPLES)])
    dataset.write(tmp_path / "gl.nc", [dataset.sparse_set("gl", np.arange(EXAMPLES + 1) * 12, index, width=UNITS)])
    (tmp_path / "c.json").write_text(DEFINITION)
    began = time.monotonic()
    finished(started(tmp_path, 1, "straight.nc"))
    span = time.monotonic() - began
    done, path = 0, tmp_path / "killed.nc"
    while done < kills:
        running = started(tmp_path, count, path.name, "--resume")
        ranks = ranks_of(running.pid, count)
        time.sleep(chance.uniform(0.2, 0.9) * span)
        if running.poll() is not None:  # it was faster than the straight run
            finished(running)
            path.unlink()
            continue
        done += kill_one(running, ranks, chance)
        if path.exists():
            path.unlink()
    finished(started(tmp_path, count, path.name, "--resume"))
    assert {k: v.tobytes() for k, v in bits(path).items()} == {
        k: v.tobytes() for k, v in bits(tmp_path / "straight.nc").items()
    }


def finished(running: subprocess.Popen[str]) -> None:
    """Waits for a training that nobody disturbs."""
    told = running.communicate(timeout=300)
    assert running.returncode == 0, told


def kill_one(running: subprocess.Popen[str], ranks: list[int], chance: random.Random) -> bool:
    """Kills a rank, sees how the others end; False where the run had ended just before."""
    killed = chance.choice(ranks)
    if running.poll() is not None:
        finished(running)
        return False
    began = time.monotonic()
    os.kill(killed, signal.SIGKILL)
    told = running.communicate(timeout=SOON)[1]
    if running.returncode == 0:
        return False
    assert running.returncode == 5, told
    assert time.monotonic() - began < SOON
    assert told.count("error[NN80") == 1 and "Traceback" not in told, told
    assert not [rank for rank in ranks if Path(f"/proc/{rank}").exists()], "a rank is left running"
    return True


def started(folder: Path, count: int, model: str, *more: str) -> subprocess.Popen[str]:
    """A training on so many devices."""
    words = ["train", "-c", "c.json", "-i", "gl.nc", "-o", "gl.nc", "-n", model, "-b", "32", "-e", str(EPOCHS)]
    words += ["--devices", str(count), "--deterministic", "--checkpoint-interval", "4", "--device", "cpu", *more]
    command = [sys.executable, "-m", "nnlang", *words]
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ranks_of(parent: int, count: int) -> list[int]:
    """The ranks that a process has started, once all are there."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = [int(n) for n in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        if len(found) == count:
            return found
        time.sleep(0.02)
    raise AssertionError("the ranks were not started")
