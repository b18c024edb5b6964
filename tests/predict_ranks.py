"""Predictions by several ranks, for tests: models and texts, the cases, and `python -m tests.predict_ranks FOLDER`.

The process that is no rank starts four; each of them works through cases.json in the folder. A case `killed` ends its
last rank in the middle.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnlang.cli import ranks
from nnlang.definition import check
from nnlang.network import DataFacts, Network
from nnlang.runtime import launch, merge
from nnlang.runtime.devices import CPU
from nnlang.runtime.filters import FilterMode
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.model import Model
from nnlang.runtime.predict import Request, predict
from nnlang.runtime.recs import Precision
from nnlang.source import Source

RANKS, USERS = 4, 90
COMMAND = (sys.executable, "-m", "tests.predict_ranks")
DEFINITION = """{ "Version": 0.8, "Name": "wide", "Kind": "FeedForward", "ErrorFunction": "CrossEntropy", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": HIDDEN, "Activation": "Tanh" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto",
    "Activation": "ACTIVATION", "Sparse": true } ] }"""


def wide(width: int = 2040, hidden: int = 600, activation: str = "Sigmoid") -> Network:
    """A network whose ends can be split over ranks: from 512 units on, over eight of them from 2,048 or so on."""
    names = ("gl_input", "gl_output")
    facts = {name: DataFacts(name, 10, width, sparse=True, boolean=True, entries=200) for name in names}
    text = DEFINITION.replace("ACTIVATION", activation).replace("HIDDEN", str(hidden))
    found = check(Source("wide.json", text), facts, need_shapes=True).network
    assert found is not None
    return found


def random_model(network: Network, *, scale: float = 0.05) -> Model:
    """Random weights; the last 40 units have no label and would win if they might."""
    random = np.random.default_rng(3)
    weights = {w.index: scale * random.normal(size=network.shape(w)).astype(np.float32) for w in network.weights}
    biases = {w.index: scale * random.normal(size=network.shape(w)[1]).astype(np.float32) for w in network.weights}
    labels = tuple(f"i{i}" for i in range(network.layers[0].units - 40))
    biases[1][len(labels) :] = 9
    return Model(network, weights, biases, labels={"gl_input": labels, "gl_output": labels})


def write_texts(folder: Path, width: int) -> None:
    """Signals, some of them unknown or none; and a filter with factors."""
    random = np.random.default_rng(4)
    rows = [random.choice(width - 40, random.integers(0, 30), replace=False).tolist() for _ in range(USERS)]
    rows[3], rows[USERS - 1] = [], [0]
    signals = [f"u{u}\t" + ":".join(f"i{i}" for i in row) + "\n" for u, row in enumerate(rows)]
    signals[7] = "u7\tnobody knows this:i5\n"
    (folder / "signals").write_text("".join(signals))
    scales = (f"u{u}\t" + ":".join(f"i{i},{i % 3}" for i in row) + "\n" for u, row in enumerate(rows) if u % 2 and row)
    (folder / "scales").write_text("".join(scales))


def request(folder: Path, name: str, **options: Any) -> Request:
    """The request of a case, whose result has the case's name."""
    if "filter" in options:
        options["filter"] = folder / options["filter"]
    if "filter_mode" in options:
        options["filter_mode"] = FilterMode(options["filter_mode"])
    return replace(
        Request(folder / "signals", folder / name, k=10, batch=20, precision=Precision(0, 9)), **options
    )  # fmt: skip


def _dies_in_its_second_batch() -> None:
    send, count = merge.send, 0

    def dying(mesh: Mesh, x: torch.Tensor, rank: int) -> None:
        nonlocal count
        count += 1
        if count == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        send(mesh, x, rank)

    merge.send = dying


def work(folder: Path) -> None:
    """What a rank does with the cases of a folder."""
    torch.set_num_threads(1)
    launch.attend()
    with ranks.together(CPU) as mesh:
        for name, options in json.loads((folder / "cases.json").read_text()).items():
            if name == "killed" and mesh.rank == RANKS - 1:
                _dies_in_its_second_batch()
            model = options.pop("model", "model.nc")
            result = predict(folder / model, request(folder, name, **options), mesh=mesh)
            if mesh.is_first:
                (folder / f"{name}.told").write_text(json.dumps([result.samples, result.written, result.unknown]))


if __name__ == "__main__":
    work(Path(sys.argv[1]))
