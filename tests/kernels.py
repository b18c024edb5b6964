"""Programs on interpreted kernels: what the tests of the Triton target share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nnlang.lower import StateInfo
from nnlang.network import Training
from nnlang.runtime import devices
from nnlang.runtime.devices import Device
from nnlang.runtime.program import Program, feed_for
from tests.oracle_cases import Case
from tests.programs import SEED, datasets, distance, logical, put

STEP = {"alpha": 0.5, "bn_weight": 1.0, "correction": 0.5, "correction1": 0.001}


def device(tiles: Mapping[str, object] | None = None) -> Device:
    """The interpreter, with the default tiles or others."""
    found = devices.find("interpret")
    return found if tiles is None else replace(found, options=replace(found.options, tiles=tiles))


def ran(case: Case, entry: str, training: Training, on: Device, batch: int = 0) -> tuple[Program, list[Tensor]]:
    """The program of a case after one call of an entry point on all its rows, and what the call gave (those rows')."""
    rows = next(iter(case.inputs.values())).shape[0]
    program = Program(case.network, [entry], max(batch, rows), training, device=on)
    put(program, case.parameters)
    part = next(iter(program.parts(feed_for(program, entry, datasets(case)))))
    given = {**STEP, "bessel": rows / max(1, rows - 1)}
    found = program.run(entry, part, given, seed=SEED, epoch=3, steps=7)
    by_row = [name == "error" or name.startswith("output") for name in program.results(entry)]
    return program, [x[:rows].clone() if cut else x.clone() for x, cut in zip(found, by_row, strict=True)]


def states(program: Program) -> dict[StateInfo, np.ndarray]:
    """Every state in double precision, [in, out]."""
    return {info: logical(program, info) for info in program.states}


def furthest(case: Case, entry: str, training: Training, on: Device, batch: int = 0) -> float:
    """The largest distance of a result or a state from those of the CPU target, by norm."""
    program, found = ran(case, entry, training, on, batch)
    expected, values = ran(case, entry, training, devices.CPU)
    worst = max((distance(a.double().numpy(), b.double().numpy()) for a, b in zip(found, values, strict=True)))
    there, here = states(expected), states(program)
    return max(worst, *(distance(here[info], there[info]) for info in there))


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two lists of tensors agree to the bit."""
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
