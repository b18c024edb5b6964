"""Models for tests: random numbers in a network of `networks.py`, and a file as DSSTNE writes it."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from nnlang.diagnostics import DATA, Code, Stop, render
from nnlang.network import Network, Optimizer, Training
from nnlang.runtime.checkpoint import discard
from nnlang.runtime.model import Model, load, save
from tests.networks import one_hidden

AWKWARD_LABELS = ("a", "", "Amélie", "two\nlines", "\udcff", "x" * 300)
WORDS = ("scale", "bias", "mean", "variance")


def random_model(network: Network, seed: int = 0, **rest: Any) -> Model:
    """A model with every field filled; equal seeds give equal models."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32)

    weights = {w.index: draw(*network.shape(w)) for w in network.weights if w.owner is None}
    biases = {w.index: draw(network.shape(w)[1]) for w in network.weights}
    normalised = [layer for layer in network.layers if layer.batch_normalization]
    filled = {
        "batch_norm": {layer.index: {word: abs(draw(layer.units)) for word in WORDS} for layer in normalised},
        "labels": {"input": AWKWARD_LABELS, "none": ()},
        "definition": '{ "Name": "é", /* a comment */ }\n',
        "training": Training(Optimizer.ADAM, epochs=3, alpha=0.1, shuffle=None),
        "progress": {"epoch": 2, "batch": 5, "sums": [0.1, 1e-300, float("inf")], "brake": {"factor": 1 / 3}},
        "state": {"weight0.velocity": draw(3, 4), "step": np.array(7, np.int64), "empty": np.zeros((0, 3))},
        "versions": {"nnlang": "0.1.0", "torch": "2.13.0"},
        "preparation": {"columns": ["user", "item"]},
    }
    return Model(network, weights, biases, **{**filled, **rest})


def same(one: Model, other: Model) -> bool:
    """Whether two models are equal to the bit, types and shapes included."""
    return bool(flat(one) == flat(other))


def flat(value: Any) -> Any:
    """The value with arrays as types, shapes and bytes, so that == means what it says."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {k: flat(v) for k, v in value.items()}
    return {k: flat(v) for k, v in vars(value).items()} if isinstance(value, Model) else value


def failure(path: Path) -> Stop | None:
    """What `load` has against a file; None if it loads."""
    try:
        load(path)
    except Stop as stop:
        return stop
    return None


def told(found: Stop | None, code: Code, words: str, exit_code: int = DATA) -> None:
    """Assert that a failure is this one finding, with these words, a remedy and the exit code."""
    assert found is not None
    assert [d.code for d in found.diagnostics] == [code]
    assert found.exit_code == exit_code
    text = render(found.diagnostics)
    assert words in text
    assert "= help:" in text
    assert "{" not in text


def kill_writers(path: Path, count: int) -> None:
    """Kill `count` processes that save one of two models of 1.5 MB again and again; tell what each leaves.

    Prints a JSON object: good (files that load as one of the two), cut (kills that hit a save in progress).
    """
    models = [random_model(one_hidden(1400, 128, 1400), seed) for seed in (1, 2)]
    known = [flat(model) for model in models]
    save(models[0], path)
    rng, good, cut = random.Random(3), 0, 0
    for _ in range(count):
        child = os.fork()
        if child == 0:
            while True:
                for model in models:
                    save(model, path)
        time.sleep(rng.uniform(0.01, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        good += flat(load(path)) in known
        cut += len(list(path.parent.glob(".*.tmp"))) > 0
        discard(path)
    print(json.dumps({"good": good, "cut": cut}))


def fill_disk(path: Path, limit: int) -> None:
    """Save where no file may be longer than `limit` bytes, as on a full disk; prints what the user is told."""
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # Python ignores SIGXFSZ: the write fails with EFBIG
    try:
        save(random_model(one_hidden(1400, 128, 1400)), path)
    except Stop as stop:
        print(json.dumps({"exit": stop.exit_code, "text": render(stop.diagnostics)}))


def write_dsstne(path: Path, **changes: Any) -> None:
    """A file as DSSTNE writes it, by NetCDF's own library: Input 128 -> Hidden 8 leaky ReLU -> Output 128, no group.

    `changes` replace attributes by name; None leaves one out.
    """
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        for name, value in {**_dsstne_attributes(), **changes}.items():
            if value is not None:
                file.setncattr(name, value)
        rng = np.random.default_rng(0)
        for i, (n_in, n_out) in enumerate(((128, 8), (8, 128))):
            for word, size in (("bias", n_out), ("weight", n_in * n_out)):
                dimension = file.createDimension(f"weight{i}_{word}Dim", size)
                name = f"weight{i}_{'bias' if word == 'bias' else 'weights'}"
                file.createVariable(name, "f4", (dimension.name,))[:] = rng.standard_normal(size).astype("f4")


def _dsstne_attributes() -> dict[str, Any]:
    u, f, i = np.uint32, np.float32, np.int32
    named: dict[str, Any] = {"version": f(0.9), "name": "movies", "kind": u(0), "errorFunction": u(3)}
    named |= {"maxout_k": i(2), "LRN_k": f(2), "LRN_n": i(5), "LRN_alpha": f(1e-4), "LRN_beta": f(0.75)}
    named |= {"bSparsenessPenalty": u(1), "sparsenessPenalty_p": f(0.5), "sparsenessPenalty_beta": f(2)}
    named |= {"bDenoising": u(1), "denoising_p": f(0.2), "deltaBoost_one": f(1), "deltaBoost_zero": f(1)}
    named |= {"SMCE_oneScale": f(1), "SMCE_zeroScale": f(1), "SMCE_oneTarget": f(0.9), "SMCE_zeroTarget": f(0.1)}
    named |= {"ShuffleIndices": u(0), "layers": u(3), "weights": u(2)}
    rows = (("Input", 0, 128, 0, 3, "gl_input"), ("Hidden", 1, 8, 11, 1, ""), ("Output", 2, 128, 0, 1, "gl_output"))
    for n, (name, kind, units, activation, bits, dataset) in enumerate(rows):
        layer: dict[str, Any] = {"name": name, "kind": u(kind), "type": u(0), "dataSet": dataset, "Nx": u(units)}
        layer |= {k: u(1) for k in ("Ny", "Nz", "Nw", "dimensions", "kernelX", "kernelY", "kernelZ")}
        layer |= {"kernelDimensions": u(0), **{f"kernelStride{a}": u(1) for a in "XYZ"}}
        layer |= {f"kernelPadding{a}": u(0) for a in "XYZ"} | {"pDropout": f(0), "weightInit": u(0)}
        layer |= {"weightInitScale": f(1), "biasInit": f(0), "weightNorm": f(0), "deltaNorm": f(0)}
        layer |= {"activation": u(activation), "sparsenessPenalty_p": f(0), "sparsenessPenalty_beta": f(0)}
        layer |= {"RELUSlope": f(1.0), "ELUAlpha": f(1), "SELULambda": f(1.050701), "attributes": u(bits)}
        layer |= {"sources": u(n > 0), "skips": u(0)} | ({"source0": rows[n - 1][0]} if n else {})
        named |= {f"layer{n}_{k}": v for k, v in layer.items()}
    for n, (source, target) in enumerate((("Input", "Hidden"), ("Hidden", "Output"))):
        weight: dict[str, Any] = {"inputLayer": source, "outputLayer": target, "bShared": u(0)}
        # One GPU's share: the sizes of the layers count, not these (dsstne.md 9.5).
        weight |= {k: np.uint64(4) for k in ("width", "height", "length", "depth", "breadth")}
        named |= {f"weight{n}_{k}": v for k, v in weight.items()}
    return named


if __name__ == "__main__":
    {"kill": kill_writers, "fill": fill_disk}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
