"""From an oracle case to a program on its data, and back: what the target tests share."""

from __future__ import annotations

import numpy as np
import torch

from nnlang.network import Kind, Network, Training
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.feed import Batch
from nnlang.runtime.philox import keep_units
from nnlang.runtime.program import NORM_START, Program, feed_for
from nnlang.runtime.reference import Parameters
from tests.oracle_cases import Case

SEED = 99


def datasets(case: Case) -> dict[str, DataSet]:
    """The data sets of a case, by name."""
    found = {}
    for layer in case.network.layers:
        facts = case.network.facts(layer)
        if facts is None:
            continue
        target = case.targets.get(layer.index)
        values = np.asarray(case.inputs[layer.index] if target is None else target.values)
        present = values != 0 if target is None or target.present is None else np.asarray(target.present, bool)
        weight = None if target is None or target.weight is None else np.asarray(target.weight, np.float32)
        if facts.sparse:
            offsets = np.concatenate(([0], np.cumsum(present.sum(1))))
            entries = None if facts.boolean else values[present].astype(np.float32)
            width = values.shape[1]
            found[facts.name] = sparse_set(
                facts.name,
                offsets,
                np.nonzero(present)[1],
                entries,
                width=width,
                weight=weight,
                ignore_zero=facts.ignore_zero,
            )
        else:
            found[facts.name] = dense_set(facts.name, values.astype(np.float32), weight=weight)
    return found


def program_of(case: Case, entry: str, training: Training, dtype: torch.dtype = torch.float64) -> tuple[Program, Batch]:
    """The program of a case with its parameters, and its one batch."""
    sets = datasets(case)
    rows = next(iter(case.inputs.values())).shape[0]
    program = Program(case.network, [entry], rows, training, dtype)
    put(program, case.parameters)
    return program, feed_for(program, entry, sets).consecutive(0, rows)


def put(program: Program, parameters: Parameters) -> None:
    """The parameters into the program's states."""
    for info, tensor in program.states.items():
        if info.part and info.part not in NORM_START:
            continue
        if info.owner == "bn":
            value = parameters.batch_norm[info.index][info.part]
        else:
            value = {"weight": parameters.weights, "bias": parameters.biases}[info.owner][info.index]
        source = torch.as_tensor(np.asarray(value), dtype=tensor.dtype)
        tensor.copy_(source.t() if info.transposed else source)


def logical(program: Program, info: object) -> np.ndarray:
    """A state in double precision, [in, out]."""
    tensor = program.states[info]  # type: ignore[index]
    return (tensor.t() if info.transposed else tensor).double().numpy().copy()  # type: ignore[attr-defined]


def masks(network: Network, rows: int, step: int = 0) -> dict[int, np.ndarray]:
    """What dropout keeps in a step: the program's own masks, for the reference."""
    found = {}
    for layer in network.layers:
        if layer.kind in (Kind.HIDDEN, Kind.OUTPUT) or layer.dropout > 0:
            draws = keep_units(SEED, layer.index, step, torch.arange(rows), layer.units)
            found[layer.index] = (draws >= np.float32(layer.dropout)).numpy()
    return found


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """||found - expected|| / ||expected||."""
    return float(np.linalg.norm(found - expected) / max(np.linalg.norm(expected), 1e-12))
