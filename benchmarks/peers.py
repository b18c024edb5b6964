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
from torch.nn import functional

BATCH, HIDDEN, DENOISING, SPARSE_P, SPARSE_BETA = 256, 128, 0.2, 0.5, 2.0
ALPHA, MU, LAMBDA = 0.025, 0.5, 0.0001
WARM_UP = 6  # batches that are run and not counted


class Autoencoder(torch.nn.Module):
    """27,278 -> 128 sigmoid -> 27,278 logits, its input by an embedding bag or dense."""

    def __init__(self, items: int, dense: bool) -> None:
        super().__init__()
        self.dense = dense
        self.first = torch.nn.EmbeddingBag(items, HIDDEN, mode="sum", include_last_offset=True)
        self.bias = torch.nn.Parameter(torch.zeros(HIDDEN))
        self.second = torch.nn.Linear(HIDDEN, items)
        bound = (6 / (items + HIDDEN)) ** 0.5
        torch.nn.init.uniform_(self.first.weight, -bound, bound)
        torch.nn.init.uniform_(self.second.weight, -bound, bound)

    def forward(
        self, index: torch.Tensor, offsets: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and hidden activations; denoising drops stored entries and scales the others."""
        keep = (torch.rand(len(index)) >= DENOISING).float().div_(1 - DENOISING)
        if self.dense:
            rows = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
            x = torch.zeros_like(target).index_put_((rows, index), keep)
            z = x @ self.first.weight
        else:
            z = self.first(index, offsets, per_sample_weights=keep)
        hidden = torch.sigmoid(z + self.bias)
        return self.second(hidden), hidden


def peer(items: int, dense: bool, fused: bool) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """One training step of a peer: error computed every step, sparseness penalty, Nesterov."""
    torch.manual_seed(1)
    model = Autoencoder(items, dense)
    kind = {"fused": True} if fused else {"foreach": True}
    decay = [model.first.weight, model.second.weight]
    groups = [{"params": decay, "weight_decay": LAMBDA}, {"params": [model.bias, model.second.bias]}]
    optimizer = torch.optim.SGD(groups, lr=ALPHA, momentum=MU, nesterov=True, **kind)

    def step(index: torch.Tensor, offsets: torch.Tensor) -> float:
        m = len(offsets) - 1
        rows = torch.repeat_interleave(torch.arange(m), offsets.diff())
        target = torch.zeros(m, items)
        target[rows, index] = 1.0
        logits, hidden = model(index, offsets, target)
        error = functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        rho = hidden.mean(0).clamp(1e-6, 0.999999)
        penalty = -SPARSE_P * rho.log() - (1 - SPARSE_P) * (1 - rho).log()
        loss = error / m + SPARSE_BETA * penalty.sum()
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


DEFINITION = {
    "Version": 0.7,
    "Kind": "FeedForward",
    "SparsenessPenalty": {"p": SPARSE_P, "beta": SPARSE_BETA},
    "ShuffleIndices": False,
    "Denoising": {"p": DENOISING},
    "ScaledMarginalCrossEntropy": {"oneTarget": 1.0, "zeroTarget": 0.0, "oneScale": 1.0, "zeroScale": 1.0},
    "Layers": [
        {"Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": True},
        {"Name": "Hidden", "Kind": "Hidden", "N": HIDDEN, "Activation": "Sigmoid", "Sparse": True},
        {
            "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto",
            "Activation": "Sigmoid", "Sparse": True,
        },
    ],
    "ErrorFunction": "ScaledMarginalCrossEntropy",
}  # fmt: skip


def run_nnlang(data: dict[str, np.ndarray], items: int) -> tuple[list[float], float]:
    """The same through nnlang's own training loop: data feed, step, error, brake."""
    from nnlang.definition import check
    from nnlang.network import Optimizer, Training
    from nnlang.runtime.dataset import sparse_set
    from nnlang.runtime.train import Event, train
    from nnlang.source import Source

    sets = {n: sparse_set(n, data["offsets"], data["index"], width=items) for n in ("gl_input", "gl_output")}
    facts = {name: s.facts for name, s in sets.items()}
    checked = check(Source("bench", json.dumps(DEFINITION)), facts, need_shapes=True)
    checked.report.check()
    assert checked.network is not None
    times, errors = [time.perf_counter()], [0.0]

    def watch(event: Event) -> None:
        if event.kind == "batch":
            times.append(time.perf_counter())
            errors.append(event.error)

    settings = Training(Optimizer.NESTEROV, 1, BATCH, ALPHA, LAMBDA, 0.0, MU)
    with tempfile.TemporaryDirectory() as folder:
        train(checked.network, sets, settings, output=Path(folder) / "model.nc", observer=watch)
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
