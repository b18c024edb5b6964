"""A killed training goes on and ends with the bits of one that nobody disturbed; signals end one well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import nnlang
from nnlang.diagnostics import INTERRUPTED
from nnlang.runtime import dataset
from nnlang.runtime.checkpoint import found, newest
from nnlang.runtime.model import load
from tests.tiny import bits, datasets, equal

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = """{
    "Name": "killed", "ShuffleIndices": true, "Denoising": { "p": 0.2 },
    "ErrorFunction": "ScaledMarginalCrossEntropy",
    "Layers": [
        { "Name": "In", "DataSet": "input", "N": "auto", "Sparse": true },
        { "Name": "Hidden", "N": 6, "pDropout": 0.2 },
        { "Name": "Out", "DataSet": "output", "N": "auto" }
    ]
}"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and signals are those of POSIX")


def crashed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.crashes", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.full)])
def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path, kills: int) -> None:
    told = crashed(tmp_path, kills, seed=kills)
    assert told["kills"] == kills and told["same"] == told["runs"] and told["damaged"] == 0, told
    assert told["resumed"] > kills // 4, f"most kills came before the first checkpoint: {told}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_ends_the_batch_writes_a_checkpoint_and_exits_130(tmp_path: Path, number: signal.Signals) -> None:
    config, data, model, straight = (tmp_path / n for n in ("config.json", "data.nc", "gl.nc", "straight.nc"))
    config.write_text(DEFINITION, encoding="utf-8")
    dataset.write(data, list(datasets().values()))
    options = ["-c", str(config), "-i", str(data), "-o", str(data), "-n", str(model), "-b", "4", "-e", "1000000"]
    command = [sys.executable, "-m", "nnlang", "train", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        log = Path(f"{model}.metrics.jsonl")
        until = time.monotonic() + 60
        while not (log.exists() and log.read_text()) and running.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(number)
        sent = time.monotonic()
        _, told = running.communicate(timeout=60)
        assert running.returncode == INTERRUPTED, told
        assert time.monotonic() - sent < 10
    assert "NN733" in told and "--resume" in told and "Traceback" not in told
    assert not model.exists() and len(found(model)) == 1
    interrupted = newest(model)
    assert interrupted is not None
    epochs = int(interrupted.model.progress["epoch"]) + 2
    nnlang.train(config, [data], [data], model, batch=4, epochs=epochs, resume=True)
    nnlang.train(config, [data], [data], straight, batch=4, epochs=epochs)
    assert equal(bits(model), bits(straight))
    assert load(model).progress["epoch"] == epochs
