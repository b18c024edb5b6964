"""The gradient check of a job's Validate (dsstne.md 12.2): the compiled gradient against differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from nnlang.compiler import without_updates
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.program import Program, feed_for

STEP = 1e-4  # of a centred difference in float64: its own error is near 1e-8
TOLERANCE = 1e-4  # relative to the larger of the two and to 1
MOST = 200  # parameters of one state that are tested; which ones follows from the seed


@dataclass(frozen=True)
class Check:
    """One state: how many of its parameters were tested, the worst one with both values, whether all agree."""

    name: str
    tested: int
    worst: int
    gradient: float
    difference: float
    passed: bool


def gradient_check(
    network: Network, datasets: Mapping[str, DataSet], seed: int = 12345, batch: int = 64, device: Device = CPU
) -> list[Check]:
    """Compares gradients with centred differences of the error on the first examples, in validation mode.

    The error is that of the CPU, in float64; the gradients are the device's. DeltaBoost, DeltaNorm and the sparseness
    penalty change deltas and not the error; they are off here.
    """
    plain = without_updates(network)
    rows = min(batch, *(d.facts.examples for d in datasets.values()))
    evaluated = Program(plain, ["evaluate"], rows, Training(), torch.float64)
    evaluated.initialise(seed)
    examples = next(evaluated.parts(feed_for(evaluated, "evaluate", datasets)))
    random = np.random.default_rng(seed)

    def error() -> float:
        return float(evaluated.run("evaluate", examples)[0].sum()) / rows

    return [
        _check(plain, info, evaluated.states[info], gradient, error, random)
        for info, gradient in _gradients(plain, datasets, seed, rows, device).items()
    ]


def _gradients(
    network: Network, datasets: Mapping[str, DataSet], seed: int, rows: int, device: Device
) -> dict[StateInfo, torch.Tensor]:
    """The gradient of every state over the first examples, flat, in the layout of the state."""
    dtype = torch.float64 if device.kind == "cpu" else torch.float32
    exact = replace(device, options=replace(device.options, precision="fp32"))  # formulas are checked, no rounding
    program = Program(network, ["gradient"], rows, Training(), dtype, exact)
    program.initialise(seed)
    with program.watched():
        values = program.run("gradient", next(program.parts(feed_for(program, "gradient", datasets))))
    found = {}
    for name, gradient in list(zip(program.results("gradient"), values, strict=True))[1:]:
        info = program.compiled.lowered["gradient"].states[int(name.split()[1])]
        users = len(network.users(network.weights[info.index])) if info.owner == "weight" else 1
        found[info] = (gradient.t() if info.transposed else gradient).cpu().double().reshape(-1) * users
    return found


def _check(
    network: Network,
    info: StateInfo,
    state: torch.Tensor,
    gradient: torch.Tensor,
    error: Callable[[], float],
    random: np.random.Generator,
) -> Check:
    flat = state.view(-1)
    chosen = random.permutation(flat.numel())[:MOST]
    worst, gap = 0, -1.0
    found: dict[int, float] = {}
    for i in map(int, chosen):
        old = float(flat[i])
        flat[i] = old + STEP
        above = error()
        flat[i] = old - STEP
        below = error()
        flat[i] = old
        found[i] = (above - below) / (2 * STEP)
        distance = abs(found[i] - float(gradient[i])) / max(1.0, abs(found[i]), abs(float(gradient[i])))
        if distance > gap:
            worst, gap = i, distance
    return Check(_name(network, info), len(chosen), worst, float(gradient[worst]), found[worst], gap <= TOLERANCE)


def _name(network: Network, info: StateInfo) -> str:
    if info.owner == "bn":
        return f"batch norm {info.part} of {network.layers[info.index].name}"
    weight = network.weights[info.index]
    return f"{info.owner} {network.layers[weight.source].name} -> {network.layers[weight.target].name}"
