"""`python -m tests.exact_ranks FOLDER SIZE all|some`: networks with every error function, trained by SIZE ranks.

The first rank writes a line a case into FOLDER/SIZE.txt: its name, the layers that were split, the sha256 of weights
and optimiser states, the error of the last epoch.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nnlang.codegen.pipeline import Options
from nnlang.compiler import linked, planned, splittable
from nnlang.network import Activation, ErrorFunction, Kind, Loss, Network, Optimizer, Training
from nnlang.placement import Placement
from nnlang.runtime import launch
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.devices import CPU
from nnlang.runtime.mesh import ALONE_MESH, Mesh, join
from nnlang.runtime.model import Model
from nnlang.runtime.train import train
from nnlang.runtime.world import in_ranks
from tests import networks

COMMAND = (sys.executable, "-m", "tests.exact_ranks")
WIDE, DEEP = 1001, 838  # four leaves each, the last one shorter; no multiples of four
EXAMPLES, BATCH = 71, 32  # the last batch has 7 rows


def _tied() -> Network:
    """An autoencoder whose output has the matrix of its input."""
    rows = [
        networks.source("Input", WIDE),
        networks.hidden("Hidden", 24, "Input"),
        networks.output("Output", WIDE, "Hidden"),
    ]
    return networks.build("tied", rows, {("Hidden", "Output"): (("Input", "Hidden"), True)})


NETWORKS: Mapping[str, Callable[[], Network]] = {
    "one hidden": lambda: networks.one_hidden(WIDE, 24, WIDE),
    "three hidden": lambda: networks.three_hidden(WIDE, (DEEP, 16, 24), WIDE, sparseness=None),
    "two inputs": lambda: networks.two_inputs((WIDE, 60), 24, (WIDE, DEEP)),
    "skip": lambda: networks.change(networks.skip(WIDE, DEEP, WIDE), "Hidden2", activation=Activation.TANH),
    "shared transposed": _tied,
    "shared inside": lambda: networks.shared_transposed(WIDE, (DEEP, 16), WIDE),
}
OUTPUTS = {  # what an error function asks of the output and its data
    ErrorFunction.HINGE: (Activation.TANH, "dense"),
    ErrorFunction.DSMCE: (Activation.SIGMOID, "analog"),
    ErrorFunction.CROSS_ENTROPY: (Activation.SOFTMAX, "boolean"),
    ErrorFunction.L2: (Activation.LINEAR, "analog"),
    ErrorFunction.L1: (Activation.LINEAR, "boolean"),
    ErrorFunction.L2_HINGE: (Activation.SIGMOID, "boolean"),
    ErrorFunction.SMCE: (Activation.SIGMOID, "boolean"),
}


def cases(every: bool) -> Iterator[tuple[str, Network, dict[str, DataSet]]]:
    """Every network with every error function, and its data; or every error function once, with one network each."""
    for place, (name, make) in enumerate(NETWORKS.items()):
        for number, (function, (activation, form)) in enumerate(OUTPUTS.items()):
            if not every and number % len(NETWORKS) != place:
                continue
            network = replace(make(), loss=Loss(function, 1.0, 0.0, 3.0, 1.0))
            layers = (replace(x, activation=activation) if x.kind is Kind.OUTPUT else x for x in network.layers)
            network = replace(network, layers=tuple(layers))
            kinds = {x.dataset: form if x.kind is Kind.OUTPUT else "boolean" for x in network.layers if x.dataset}
            units = {x.dataset: x.units for x in network.layers if x.dataset}
            data = {n: _data(n, units[n], kind, seed) for seed, (n, kind) in enumerate(kinds.items())}
            yield f"{name}, {function.name}", networks.bind(network, *(d.facts for d in data.values())), data


def _data(name: str, units: int, form: str, seed: int) -> DataSet:
    draws = np.random.default_rng(seed)
    if form == "dense":
        return dense_set(name, np.sign(draws.normal(size=(EXAMPLES, units))).astype(np.float32))
    counts = draws.integers(0, 30, EXAMPLES)
    index = np.concatenate([draws.choice(units, n, replace=False) for n in counts])
    values = draws.random(len(index)).astype(np.float32) if form == "analog" else None
    return sparse_set(name, np.concatenate(([0], np.cumsum(counts))), index, values, width=units)


def placement(network: Network, ranks: int) -> Placement:
    """Everything split that exact sums allow."""
    split = splittable(network, ranks, exact=True)
    for group in linked(network):
        if not group <= split:
            split -= group
    return Placement(ranks, split=split, exact=True)


def planned_bytes(network: Network, settings: Training, mesh: Mesh) -> int:
    """What this rank is to send in the whole training."""
    rows = [min(BATCH, EXAMPLES - first) for first in range(0, EXAMPLES, BATCH)]
    plans = [planned(network, replace(settings, batch=n), Options(), mesh.placement, mesh.rank)[1] for n in rows]
    return settings.epochs * sum(plan.wire for plan in plans)


def digest(model: Model) -> str:
    """Of all weights and optimiser states."""
    arrays = {f"w{i}": a for i, a in model.weights.items()} | {f"b{i}": a for i, a in model.biases.items()}
    arrays |= dict(model.state)
    hashed = hashlib.sha256()
    for name in sorted(arrays):
        hashed.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return hashed.hexdigest()


def run(folder: Path, mesh: Mesh, every: bool) -> None:
    """Trains the cases for two epochs, and writes the digests."""
    lines = []
    settings = Training(optimizer=Optimizer.ADAM, epochs=2, batch=BATCH, alpha=0.01, seed=3)
    for number, (name, network, data) in enumerate(cases(every)):
        laid = mesh.lay(placement(network, mesh.size))
        output = folder / f"{mesh.size}_{number}.nc"
        result = train(network, data, settings, output=output, mesh=laid)
        assert laid.sent == planned_bytes(network, settings, laid), "more or less was sent than the plans say"
        if mesh.is_first:
            split = ",".join(str(i) for i in sorted(laid.placement.split)) or "-"
            lines.append(f"{name} [{split}] {digest(result.model)} {result.error!r}")
    if mesh.is_first:
        (folder / f"{mesh.size}.txt").write_text("\n".join(lines) + "\n")


def main() -> int:
    """What one process does: starts the ranks, or is one."""
    folder, size, every = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "all"
    if size > 1 and not in_ranks():
        ended = launch.start(size, sys.argv[1:], COMMAND)
        print(ended.text)
        return ended.code
    launch.attend()
    torch.set_num_threads(2 if size == 1 else 1)
    if size == 1:
        run(folder, ALONE_MESH.lay(Placement(exact=True)), every)
        return 0
    mesh = join(CPU)
    run(folder, mesh, every)
    mesh.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
