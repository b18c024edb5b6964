"""The peers of `make bench`: the article's network as a PyTorch user would write it, on the same batches.

Run as a script with the name of a contender; prints one JSON object: milliseconds a batch, peak memory, last error.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from autoencoder import Autoencoder, Shape
from workloads import BATCH, WORKLOADS, resolved

HIDDEN, DENOISING, SPARSE_P, SPARSE_BETA = 128, 0.2, 0.5, 2.0
ALPHA, MU, LAMBDA = 0.025, 0.5, 0.0001
WARM_UP = 6  # batches that are run and not counted


def peer(items: int, dense: bool, fused: bool) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """One training step of a peer: error computed every step, sparseness penalty, Nesterov."""
    torch.manual_seed(1)
    model = Autoencoder(Shape(items, (HIDDEN,), DENOISING, 0.0, (SPARSE_P, SPARSE_BETA)), dense)
    kind = {"fused": True} if fused else {"foreach": True}
    optimizer = torch.optim.SGD(model.groups(LAMBDA), lr=ALPHA, momentum=MU, nesterov=True, **kind)

    def step(index: torch.Tensor, offsets: torch.Tensor) -> float:
        m = len(offsets) - 1
        row = torch.repeat_interleave(torch.arange(m), offsets.diff())
        error, loss = model(index, offsets, row, m)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(error.detach()) / m

    return step


def run_peer(data: dict[str, np.ndarray], items: int, dense: bool, fused: bool) -> tuple[list[float], float]:
    """Milliseconds of each counted batch, and the last error."""
    index, offsets = torch.from_numpy(data["index"]).long(), torch.from_numpy(data["offsets"])
    step, times, error = peer(items, dense, fused), [], 0.0
    for start in range(0, len(offsets) - 1, BATCH):
        began = time.perf_counter()
        bounds = offsets[start : start + BATCH + 1]
        error = step(index[bounds[0] : bounds[-1]], bounds - bounds[0])
        times.append((time.perf_counter() - began) * 1e3)
    return times[WARM_UP:], error


def run_nnlang(data: dict[str, np.ndarray], items: int) -> tuple[list[float], float]:
    """The same through nnlang's own training loop: data feed, step, error, brake."""
    from nnlang.network import Optimizer, Training
    from nnlang.runtime.dataset import sparse_set
    from nnlang.runtime.train import Event, train

    sets = {n: sparse_set(n, data["offsets"], data["index"], width=items) for n in ("gl_input", "gl_output")}
    network = resolved(WORKLOADS["a"].definition, {name: s.facts for name, s in sets.items()})
    times, errors = [time.perf_counter()], [0.0]

    def watch(event: Event) -> None:
        if event.kind == "batch":
            times.append(time.perf_counter())
            errors.append(event.error)

    settings = Training(Optimizer.NESTEROV, 1, BATCH, ALPHA, LAMBDA, 0.0, MU)
    with tempfile.TemporaryDirectory() as folder:
        train(network, sets, settings, output=Path(folder) / "model.nc", observer=watch)
    return list(np.diff(times)[WARM_UP:] * 1e3), errors[-1]


CONTENDERS: dict[str, Callable[[dict[str, np.ndarray], int], tuple[list[float], float]]] = {
    "nnlang": run_nnlang,
    "bag foreach": lambda data, items: run_peer(data, items, False, False),
    "bag fused": lambda data, items: run_peer(data, items, False, True),
    "dense foreach": lambda data, items: run_peer(data, items, True, False),
    "dense fused": lambda data, items: run_peer(data, items, True, True),
}


def peak_memory() -> int:
    """Bytes this process held at most; getrusage would answer with the parent's, where that was larger."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Runs one contender in this process."""
    name, path, items = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with np.load(path, allow_pickle=False) as archive:
        data = {key: archive[key] for key in ("index", "offsets")}
    times, error = CONTENDERS[name](data, items)
    peak = peak_memory()
    print(json.dumps({"ms": float(np.median(times)), "min": min(times), "peak": peak, "error": error}))


if __name__ == "__main__":
    main()
