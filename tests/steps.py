"""Steps of a program beside steps of the float64 reference: how far apart every state is afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nnlang.lower import StateInfo
from nnlang.network import Optimizer, Training
from nnlang.runtime import scalars
from nnlang.runtime.program import Program
from nnlang.runtime.reference_training import Progress, step_size, train_step
from tests.oracle_cases import Case
from tests.programs import SEED, logical, masks, program_of

# What the reference calls the states that a program names v and s.
NAMES: dict[Optimizer, dict[str, str]] = {
    Optimizer.SGD: {},
    Optimizer.MOMENTUM: {"v": "velocity"},
    Optimizer.NESTEROV: {"v": "velocity"},
    Optimizer.ADAGRAD: {"v": "squares"},
    Optimizer.RMSPROP: {"v": "squares"},
    Optimizer.ADADELTA: {"v": "updates", "s": "squares"},
    Optimizer.ADAM: {"v": "mean", "s": "squares"},
}


@dataclass(frozen=True)
class Stepped:
    """A program after some steps on a case's one batch, where the reference led, and both errors of each step."""

    program: Program
    expected: Progress
    errors: list[tuple[float, float]]

    def gaps(self) -> dict[StateInfo, float]:
        """The relative distance of every state, in terms of the wanted state's length."""
        found = {}
        for info in self.program.states:
            wanted = _wanted(self.expected, self.program, info)
            gap = float(np.linalg.norm(logical(self.program, info) - wanted))
            found[info] = gap / max(float(np.linalg.norm(wanted)), 1e-3)
        return found


def stepped(case: Case, training: Training, steps: int = 1, dtype: torch.dtype = torch.float64) -> Stepped:
    """Both sides after some steps."""
    program, batch = program_of(case, "step", training, dtype)
    progress, errors = Progress(case.parameters), []
    for i in range(steps):
        rate = step_size(training.alpha, case.network.decay, i)
        numbers = scalars.of_step(training, rate, batch.rows, i)
        (found,) = program.run("step", batch, numbers, seed=SEED, steps=i)
        sparse = {x.index for x in case.network.layers if (known := case.network.facts(x)) is not None and known.sparse}
        inputs = {x.index for x in case.network.inputs}  # sparse ones are denoised, not dropped
        keep = {k: v for k, v in masks(case.network, batch.rows, i).items() if k not in sparse & inputs}
        progress, slopes = train_step(case.network, training, progress, case.inputs, case.targets, masks=keep)
        errors.append((float(found.double().sum()), float(slopes.error)))
    return Stepped(program, progress, errors)


def _wanted(progress: Progress, program: Program, info: StateInfo) -> np.ndarray:
    owner, part = info.owner, info.part
    if owner == "bn" and part in ("scale", "bias", "mean", "variance"):
        return np.asarray(progress.parameters.batch_norm[info.index][part])
    if not part:
        table = {"weight": progress.parameters.weights, "bias": progress.parameters.biases}
        return np.asarray(table[owner][info.index])
    assert program.training is not None
    state = NAMES[program.training.optimizer][part[-1]]
    name = f"norm{info.index}.{part[:-1]}" if owner == "bn" else f"{owner}{info.index}"
    return np.asarray(progress.states[name][state])
