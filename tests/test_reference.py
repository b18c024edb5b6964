"""The float64 reference against finite differences, numbers worked out by hand, and torch's own modules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Sparseness, Training
from nnlang.runtime.reference import Parameters, Targets, error, forward, gradients, regularization_error
from nnlang.runtime.reference_errors import double, unit_errors
from nnlang.runtime.reference_training import (
    Progress,
    optimizer_step,
    running_statistic,
    step_size,
    train_step,
    weight_norm,
)
from tests import networks
from tests.networks import build, hidden, output, source
from tests.oracle_cases import Case, Data, draw, loss_cases, structure_cases

LOSSES, STRUCTURES = tuple(loss_cases()), tuple(structure_cases())


def _plain(network: Network) -> Network:
    """The network without what acts on deltas alone, so that the gradient is that of the error."""
    layers = tuple(replace(one, delta_norm=0.0, sparseness=None) for one in network.layers)
    return replace(network, layers=layers, loss=replace(network.loss, boost_one=1.0, boost_zero=1.0))


def _shifted(parameters: Parameters, direction: Parameters, by: float) -> Parameters:
    def moved(array: Any, along: Any) -> torch.Tensor:
        return double(array) + by * double(along)

    return Parameters(
        {i: moved(w, direction.weights[i]) for i, w in parameters.weights.items()},
        {i: moved(b, direction.biases[i]) for i, b in parameters.biases.items()},
        {
            i: {k: moved(v, direction.batch_norm[i][k]) if k in ("scale", "bias") else v for k, v in own.items()}
            for i, own in parameters.batch_norm.items()
        },
    )


BUILT = tuple(draw(f"built-{one.__name__}", one(n_in=5, h=4, n_out=5)) for one in (networks.skip, networks.batch_norm))


@pytest.mark.parametrize("case", [*LOSSES, *STRUCTURES, *BUILT], ids=lambda case: case.name)
def test_the_gradient_is_the_slope_of_the_mean_error(case: Case) -> None:
    case = replace(case, network=_plain(case.network))
    along = case.gradients().parameters
    steps = 1e-6

    def mean_error(by: float) -> float:
        moved = _shifted(case.parameters, along, by)
        outputs = forward(case.network, moved, case.inputs, training=True, masks=case.masks)
        return float(error(case.network, outputs, case.targets)) / len(next(iter(outputs.values())))

    users = {i: len(case.network.users(case.network.weights[i])) for i in along.weights}
    squares = sum(float(users[i] * double(g).square().sum()) for i, g in along.weights.items())
    squares += sum(float(double(g).square().sum()) for g in along.biases.values())
    squares += sum(float(double(g).square().sum()) for own in along.batch_norm.values() for g in own.values())
    slope = (mean_error(steps) - mean_error(-steps)) / (2 * steps)
    assert slope == pytest.approx(squares, rel=1e-6, abs=1e-12)


LN = {a: math.log(a) for a in (0.2, 0.4, 0.6, 0.8)}
DENSE = Targets(np.array([[1.0, 0.0]]))
SOFT = Targets(np.array([[0.25, 0.75]]))
SIGNS = Targets(np.array([[1.0, -1.0]]))
FIRST = np.array([[True, False]])
BOOLEAN = Targets(np.array([[1.0, 0.0]]), "boolean", FIRST)
BOTH = Targets(np.array([[1.0, 1.0]]), "boolean", np.array([[True, True]]))
ANALOG = Targets(np.array([[3.0, 0.0]]), "analog", FIRST)
HEAVY = Targets(np.array([[3.0, 0.0]]), "analog", FIRST, weight=np.array([2.0]))
HEAVY_BOTH = replace(BOTH, weight=np.array([2.0]))
PARTIAL = replace(ANALOG, ignore_zero=True)
MARGINS = {"one_target": 0.9, "zero_target": 0.1, "one_scale": 5.0, "zero_scale": 3.0}
MET = {"one_target": 0.7, "zero_target": 0.5, "one_scale": 5.0, "zero_scale": 3.0}
F = ErrorFunction

# With a = (0.8, 0.4): error function, SoftMax, its parameters, targets, the errors of both units, their slopes by a.
ROWS: list[tuple[ErrorFunction, bool, dict[str, float], Targets, tuple[float, float], tuple[float, float]]] = [
    (F.L1, False, {}, DENSE, (0.2, 0.4), (-1, 1)),
    (F.L1, False, {}, ANALOG, (2.2, 0.4), (-1, 1)),
    (F.L1, False, {}, HEAVY, (4.4, 0.8), (-2, 2)),
    (F.L2, False, {}, DENSE, (0.02, 0.08), (-0.2, 0.4)),
    (F.L2, False, {}, BOOLEAN, (0.02, 0.08), (-0.2, 0.4)),
    (F.L2, False, {}, ANALOG, (2.42, 0.08), (-2.2, 0.4)),
    (F.L2, False, {}, PARTIAL, (2.42, 0), (-2.2, 0)),
    (F.L2, True, {}, BOOLEAN, (0.02, 0.08), (-0.2, 0.4)),
    (F.L2_HINGE, False, {}, DENSE, (0.02, 0.08), (-0.2, 0.4)),
    (F.L2_HINGE, False, {}, SOFT, (0, 0.06125), (0, -0.35)),
    (F.L2_HINGE, False, {}, SIGNS, (0.02, 0), (-0.2, 0)),
    (F.L2_HINGE, False, {}, HEAVY, (4.84, 0.16), (-4.4, 0.8)),
    (F.HINGE, False, {}, SIGNS, (0.2, 1.4), (-1, 1)),
    (F.HINGE, False, {}, Targets(np.array([[2.0, -1.0]])), (0, 1.4), (0, 1)),
    (F.CROSS_ENTROPY, False, {}, DENSE, (-LN[0.8], -LN[0.6]), (-1.25, 1 / 0.6)),
    (F.CROSS_ENTROPY, False, {}, BOOLEAN, (-LN[0.8], -LN[0.6]), (-1.25, 1 / 0.6)),
    (F.CROSS_ENTROPY, False, {}, ANALOG, (-LN[0.8], -LN[0.6]), (-1.25, 1 / 0.6)),
    (F.CROSS_ENTROPY, False, {}, HEAVY, (-2 * LN[0.8], -2 * LN[0.6]), (-2.5, 2 / 0.6)),
    (F.CROSS_ENTROPY, False, {}, PARTIAL, (-LN[0.8], 0), (-1.25, 0)),
    (F.CROSS_ENTROPY, True, {}, SOFT, (-0.25 * LN[0.8], -0.75 * LN[0.4]), (-0.3125, -1.875)),
    (F.CROSS_ENTROPY, True, {}, BOOLEAN, (-LN[0.8], 0), (-1.25, 0)),
    (F.CROSS_ENTROPY, True, {}, BOTH, (-0.5 * LN[0.8], -0.5 * LN[0.4]), (-0.625, -1.25)),
    (F.CROSS_ENTROPY, True, {}, HEAVY_BOTH, (-2 * LN[0.8], -2 * LN[0.4]), (-2.5, -5)),
    (F.CROSS_ENTROPY, True, {}, HEAVY, (-6 * LN[0.8], 0), (-7.5, 0)),
    (F.SMCE, False, MARGINS, DENSE, (-5 * LN[0.8], -3 * LN[0.6]), (-6.25, 5)),
    (F.SMCE, False, MARGINS, ANALOG, (-5 * LN[0.8], -3 * LN[0.6]), (-6.25, 5)),
    (F.SMCE, False, MARGINS, HEAVY, (-10 * LN[0.8], -6 * LN[0.6]), (-12.5, 10)),
    (F.SMCE, False, MET, BOOLEAN, (0, 0), (0, 0)),
    (F.SMCE, True, MARGINS, BOTH, (-2.5 * LN[0.8], -2.5 * LN[0.4]), (-3.125, -6.25)),
    (F.SMCE, True, MET, BOTH, (0, -2.5 * LN[0.4]), (0, -6.25)),
    (F.SMCE, True, MARGINS, HEAVY, (-30 * LN[0.8], 0), (-37.5, 0)),
    (F.DSMCE, False, MARGINS, ANALOG, (-15 * LN[0.8], -3 * LN[0.6]), (-18.75, 5)),
    (F.DSMCE, False, MARGINS, HEAVY, (-30 * LN[0.8], -6 * LN[0.6]), (-37.5, 10)),
    (F.DSMCE, False, MARGINS, PARTIAL, (-15 * LN[0.8], 0), (-18.75, 0)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0].name}-{row[1]}-{row[3].kind}")
def test_each_row_of_the_error_tables_by_hand(row: Any) -> None:
    function, softmax, numbers, targets, errors, slopes = row
    a = torch.tensor([[0.8, 0.4]], dtype=torch.float64, requires_grad=True)
    found = unit_errors(Loss(function, **numbers), softmax, a, targets)
    (slope,) = torch.autograd.grad(found.sum(), a)
    np.testing.assert_allclose(found.detach(), [errors], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope, [slopes], rtol=1e-12, atol=1e-15)


def test_the_clamp_of_logarithms_bounds_the_error_and_leaves_the_delta() -> None:
    case = draw("saturated", _one_layer(Activation.SIGMOID), {"Out": Data("boolean")}, rows=1)
    far = replace(case, parameters=Parameters({0: np.zeros((3, 2))}, {0: np.array([-30.0, -30.0])}))
    wanted = Targets(np.ones((1, 2)), "boolean", np.ones((1, 2), bool))
    found = gradients(far.network, far.parameters, far.inputs, {1: wanted})
    assert float(found.error) == pytest.approx(-2 * math.log(1e-12))
    np.testing.assert_allclose(found.deltas[1], [[-1.0, -1.0]], atol=1e-12)


def _one_layer(activation: Activation, loss: Loss | None = None, **settings: Any) -> Network:
    rows = [source("In", 3), output("Out", 2, "In", activation=activation, **settings)]
    return build("one layer", rows, loss=loss or Loss())


def test_delta_boost_scales_the_losss_own_delta() -> None:
    plain = draw("boost", _one_layer(Activation.TANH, Loss(F.L2)), {"Out": Data("analog")})
    network = replace(plain.network, loss=Loss(F.L2, boost_one=3.0, boost_zero=0.25))
    boosted = replace(plain, network=network).gradients()
    factor = np.where(np.asarray(plain.targets[1].present), 3.0, 0.25)
    np.testing.assert_allclose(boosted.deltas[1], plain.gradients().deltas[1].numpy() * factor)
    assert float(boosted.error) == float(plain.gradients().error)


@pytest.mark.parametrize("function", [F.SMCE, F.DSMCE])
def test_delta_boost_leaves_marginal_cross_entropies_and_dense_targets_alone(function: ErrorFunction) -> None:
    for form, loss in (("analog", Loss(function)), ("dense", Loss(F.L2))):
        case = draw("no-boost", _one_layer(Activation.SIGMOID, loss), {"Out": Data(form)})  # type: ignore[arg-type]
        boosted = replace(case.network, loss=replace(loss, boost_one=3.0, boost_zero=2.0))
        assert torch.equal(case.gradients().deltas[1], replace(case, network=boosted).gradients().deltas[1])


def test_delta_norm_shortens_long_rows_only() -> None:
    free = draw("norm", _one_layer(Activation.LINEAR, Loss(F.L2)))
    lengths = free.gradients().deltas[1].norm(dim=1)
    limit = float(lengths.median())
    layers = (free.network.layers[0], replace(free.network.layers[1], delta_norm=limit))
    clipped = replace(free, network=replace(free.network, layers=layers)).gradients()
    np.testing.assert_allclose(clipped.deltas[1].norm(dim=1), lengths.clamp(max=limit))
    weights = free.inputs[0].T @ clipped.deltas[1].numpy() / len(lengths)
    np.testing.assert_allclose(clipped.parameters.weights[0], weights)


def test_the_sparseness_penalty_adds_its_term_before_the_activations_slope() -> None:
    case = next(c for c in STRUCTURES if c.name == "penalties-and-norms")
    bare = [replace(one, sparseness=None, delta_norm=0.0) for one in case.network.layers]
    with_penalty = [replace(one, sparseness=Sparseness(0.2, 0.7)) if one.index == 1 else one for one in bare]
    found = replace(case, network=replace(case.network, layers=tuple(with_penalty))).gradients()
    without = replace(case, network=replace(case.network, layers=tuple(bare))).gradients()
    a = torch.sigmoid(found.inner[1])  # before dropout
    term = 0.7 * (-0.2 / a.mean(dim=0) + 0.8 / (1 - a.mean(dim=0)))
    np.testing.assert_allclose(found.deltas[1] - without.deltas[1], term * a * (1 - a))
    assert float(found.error) == float(without.error)


def test_an_output_that_feeds_others_adds_their_delta_unboosted() -> None:
    case = next(c for c in STRUCTURES if c.name == "two-outputs")
    own = gradients(case.network, case.parameters, case.inputs, {1: case.targets[1]})
    theirs = gradients(case.network, case.parameters, case.inputs, {3: case.targets[3]})
    np.testing.assert_allclose(case.gradients().deltas[1], own.deltas[1] + theirs.deltas[1])


def test_shared_matrices_take_the_mean_of_their_users() -> None:
    case = next(c for c in STRUCTURES if c.name == "shared")
    found = case.gradients()
    y, d = found.outputs, found.deltas
    rows = len(y[0])
    first = (y[0].T @ d[1] + d[5].T @ y[4]) / (2 * rows)
    second = (y[1].T @ d[2] + y[2].T @ d[3] + d[4].T @ y[3]) / (3 * rows)
    np.testing.assert_allclose(found.parameters.weights[0], first)
    np.testing.assert_allclose(found.parameters.weights[1], second)
    np.testing.assert_allclose(found.parameters.biases[3], d[4].mean(dim=0))


def test_dropout_by_hand() -> None:
    kept = np.array([[True, False]])
    z = 0.5 * math.log(3)  # tanh(z) = 0.5, and the sigmoid of 2z is 0.75
    low = -1.050701 * 1.6732632
    a = 1 / math.sqrt(0.75 + low**2 * 0.25 * 0.75)
    expected = {
        Activation.TANH: (z, [0.5 / 0.75, 0.0]),
        Activation.SIGMOID: (2 * z, [0.75, 0.5]),
        Activation.SELU: (z, [a * 1.050701 * z - a * 0.25 * low, a * low - a * 0.25 * low]),
    }
    for activation, (bias, values) in expected.items():
        network = _one_layer(activation, dropout=0.25, elu_alpha=1.6732632)
        parameters = Parameters({0: np.zeros((3, 2))}, {0: np.array([bias, bias])})
        outputs = forward(network, parameters, {0: np.ones((1, 3))}, training=True, masks={1: kept})
        np.testing.assert_allclose(outputs[1], [values], rtol=1e-12)
        free = forward(network, parameters, {0: np.ones((1, 3))}, training=False)[1]
        assert float(free[0, 0]) == float(free[0, 1])


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    random = np.random.default_rng(5)
    settings: dict[str, Any] = {"activation": Activation.SELU, "elu_alpha": 1.6732632, "dropout": 0.3}
    network = build("alpha dropout", [source("In", 400), hidden("Hidden", 400, "In", **settings)])
    parameters = Parameters({0: np.eye(400)}, {0: np.zeros(400)})
    x, keep = random.standard_normal((500, 400)), random.random((500, 400)) >= 0.3
    y = forward(network, parameters, {0: x}, training=True, masks={1: keep})[1]
    assert abs(float(y.mean())) < 0.02
    assert abs(float(y.var()) - 1) < 0.02


def test_batch_normalization_is_torchs() -> None:
    case = next(c for c in STRUCTURES if c.name == "batch-normalization")
    own = {k: double(v) for k, v in case.parameters.batch_norm[1].items()}
    x = double(case.inputs[0]) @ double(case.parameters.weights[0]) + double(case.parameters.biases[0])
    mean, variance = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    expected = functional.batch_norm(x, mean, variance, own["scale"], own["bias"], True, 1.0)
    found = case.gradients()
    np.testing.assert_allclose(found.inner[1], expected)
    np.testing.assert_allclose(found.statistics[1][0], mean)
    np.testing.assert_allclose(found.statistics[1][1], variance)
    still = forward(case.network, case.parameters, case.inputs, training=False)[1]
    wanted = functional.batch_norm(x, own["mean"], own["variance"], own["scale"], own["bias"], False)
    np.testing.assert_allclose(still, wanted.clamp(min=0))


def test_running_statistics_are_averages() -> None:
    seen, values = np.array([7.0]), [1.0, 2.0, 6.0]
    for calls, value in enumerate(values):
        seen = running_statistic(seen, np.array([value]), calls)
    assert float(seen[0]) == pytest.approx(3.0)


def test_multinomial_cross_entropy_is_torchs() -> None:
    case = draw("classes", _one_layer(Activation.SOFTMAX))
    classes = torch.tensor([0, 1, 1, 0, 1, 0])
    weight = double(case.parameters.weights[0]).clone().requires_grad_()
    bias = double(case.parameters.biases[0])
    expected = functional.cross_entropy(double(case.inputs[0]) @ weight + bias, classes)
    (slope,) = torch.autograd.grad(expected, weight)
    hot = functional.one_hot(classes, 2).numpy()
    for targets in (Targets(hot), Targets(hot, "boolean", hot > 0)):
        found = gradients(case.network, case.parameters, case.inputs, {1: targets})
        assert float(found.error) / 6 == pytest.approx(expected.item())
        np.testing.assert_allclose(found.parameters.weights[0], slope)


SETTINGS = {"alpha": 0.1, "lambda_": 0.2, "lambda1": 0.1}
STEPS: list[tuple[Optimizer, float, float, list[float], dict[str, float]]] = [
    (Optimizer.SGD, 0.5, 0.99, [0.92, 0.8416], {}),
    (Optimizer.MOMENTUM, 0.5, 0.99, [0.92, 0.8016], {"velocity": -0.1184}),
    (Optimizer.NESTEROV, 0.5, 0.99, [0.88, 0.7436], {"velocity": -0.1176}),
    (Optimizer.ADAGRAD, 0.5, 0.99, [0.9, 0.8301900], {"squares": 1.2484}),
    (Optimizer.RMSPROP, 0.5, 0.99, [0.8585786], {"squares": 0.32}),
    (Optimizer.ADADELTA, 0.5, 0.99, [0.9999552786], {"squares": 0.32, "updates": 1e-9}),
    (Optimizer.ADAM, 0.9, 0.99, [0.9, 0.8000683], {"mean": 0.15, "squares": 0.01242}),
]


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row[0].name)
def test_each_optimizer_by_hand(row: Any) -> None:
    """From w = 1 with gradient 0.5 each time: the first step's g is 0.5 + 0.2 + 0.1 = 0.8."""
    optimizer, mu, mu1, values, last = row
    w: Any = np.array([1.0])
    state: Mapping[str, Any] = {}
    for t, value in enumerate(values, 1):
        w, state = optimizer_step(optimizer, w, state, np.array([0.5]), mu=mu, mu1=mu1, t=t, **SETTINGS)
        assert float(w[0]) == pytest.approx(value, abs=1e-7)
    assert {name: float(v[0]) for name, v in state.items()} == pytest.approx(last, rel=1e-6)


def test_three_steps_of_adam_are_torchs() -> None:
    case = next(c for c in LOSSES if c.name == "cross_entropy-softmax-boolean")
    settings = Training(Optimizer.ADAM, alpha=0.05, lambda_=0.01, mu=0.9, mu1=0.99)
    progress = Progress(case.parameters)
    for _ in range(3):
        progress, _found = train_step(case.network, settings, progress, case.inputs, case.targets)

    w = [double(a).clone().requires_grad_() for a in case.parameters.weights.values()]
    b = [double(a).clone().requires_grad_() for a in case.parameters.biases.values()]
    groups = [{"params": w, "weight_decay": 0.01}, {"params": b, "weight_decay": 0.0}]
    optimizer = torch.optim.Adam(groups, lr=0.05, betas=(0.9, 0.99), eps=1e-8)
    present = double(np.asarray(case.targets[2].present, np.float64))
    share = present / present.sum(dim=1, keepdim=True).clamp(min=1)
    for _ in range(3):
        optimizer.zero_grad()
        logits = torch.tanh(double(case.inputs[0]) @ w[0] + b[0]) @ w[1] + b[1]
        functional.cross_entropy(logits, share).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for i in range(2):
        np.testing.assert_allclose(progress.parameters.weights[i], w[i].detach(), rtol=1e-9)
        np.testing.assert_allclose(progress.parameters.biases[i], b[i].detach(), rtol=1e-9)


def test_a_whole_step_ends_with_norms_and_statistics() -> None:
    limited = next(c for c in STRUCTURES if c.name == "penalties-and-norms")
    start = Progress(limited.parameters)
    after, _ = train_step(limited.network, Training(), start, limited.inputs, limited.targets, masks=limited.masks)
    assert np.linalg.norm(np.asarray(after.parameters.weights[1]), axis=0).max() == pytest.approx(0.6)
    normal = next(c for c in STRUCTURES if c.name == "batch-normalization")
    start = Progress(normal.parameters)
    done, found = train_step(normal.network, Training(), start, normal.inputs, normal.targets, masks=normal.masks)
    np.testing.assert_allclose(done.parameters.batch_norm[1]["mean"], found.statistics[1][0])
    expected = double(normal.parameters.batch_norm[1]["scale"]) - 0.025 * double(
        found.parameters.batch_norm[1]["scale"]
    )
    np.testing.assert_allclose(done.parameters.batch_norm[1]["scale"], expected)
    assert done.steps == 1


def test_weight_norm_limits_incoming_vectors() -> None:
    np.testing.assert_allclose(weight_norm(np.array([[3.0, 0.3], [4.0, 0.4]]), 1.0), [[0.6, 0.3], [0.8, 0.4]])


def test_decay_starts_with_the_second_step() -> None:
    assert [step_size(0.1, 0.5, steps) for steps in (0, 1, 2)] == pytest.approx([0.1, 0.1 / 1.5, 0.05])
    assert step_size(0.1, 0.0, 9) == 0.1


def test_regularization_counts_each_matrix_once_and_no_bias() -> None:
    rows = [source("In", 1), hidden("A", 1, "In"), hidden("B", 1, "A")]
    network = build("tied", rows, {("A", "B"): (("In", "A"), False)})
    parameters = Parameters({0: np.array([[-2.0]])}, {0: np.array([9.0]), 1: np.array([9.0])})
    assert float(regularization_error(network, parameters, 0.5, 0.25)) == pytest.approx(0.5 * 0.5 * 4 + 0.25 * 2)
