"""The CPU target against the float64 reference: errors, gradients, updates, on every loss and every structure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlang.network import Optimizer, Training
from nnlang.runtime.reference import forward, gradients
from tests.oracle_cases import Case, loss_cases, structure_cases
from tests.programs import SEED, distance, logical, masks, program_of

PLAIN = Training(optimizer=Optimizer.SGD, alpha=1.0, lambda_=0.0, lambda1=0.0)
CASES = [*loss_cases(), *structure_cases()]
STEP = {"alpha": 1.0, "bn_weight": 1.0, "bessel": 1.2}


def reference(case: Case) -> object:
    rows = next(iter(case.inputs.values())).shape[0]
    return gradients(case.network, case.parameters, case.inputs, case.targets, masks=masks(case.network, rows))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_step_takes_the_gradient_of_the_reference(case: Case, dtype: torch.dtype) -> None:
    bound = 1e-10 if dtype == torch.float64 else 1e-5
    program, batch = program_of(case, "step", PLAIN, dtype)
    before = {info: logical(program, info) for info in program.states}
    rows = batch.rows
    (errors,) = program.run("step", batch, {**STEP, "bessel": rows / (rows - 1)}, seed=SEED)
    expected = reference(case)
    assert float(errors.double().sum()) == pytest.approx(float(expected.error), rel=bound * 10)
    for info, old in before.items():
        if info.owner == "bn" and info.part in ("mean", "variance"):
            continue
        found = old - logical(program, info)
        if info.owner == "bn":
            wanted = expected.parameters.batch_norm[info.index][info.part]
        else:
            table = {"weight": expected.parameters.weights, "bias": expected.parameters.biases}
            wanted = table[info.owner][info.index]
        limited = any(layer.weight_norm > 0 for layer in case.network.layers)
        if not limited:
            scale = max(float(np.linalg.norm(wanted)), 1e-3 * float(np.linalg.norm(old)))
            error = float(np.linalg.norm(found - np.asarray(wanted))) / max(scale, 1e-12)
            assert error <= bound * (1 if dtype == torch.float64 else 30), info


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_predict_is_the_forward_pass_of_the_reference(case: Case) -> None:
    program, batch = program_of(case, "predict", PLAIN)
    expected = forward(case.network, case.parameters, case.inputs, training=False)
    for layer in case.network.outputs:
        assert distance(program.predict(batch)[layer.name].numpy(), expected[layer.index].numpy()) <= 1e-10
