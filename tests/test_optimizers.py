"""Every optimiser against numpy, in float64 and float32, fused and not; norms, running statistics, decay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings

from nnlang.compiler import structure
from nnlang.lower import lower
from nnlang.network import Activation, Network, Optimizer, Training
from nnlang.ops import Walk, topological
from nnlang.passes import optimise
from nnlang.runtime.reference_training import optimizer_step, running_statistic, weight_norm
from tests.drawn import alive, cases, filled, thinned, trainings, undenoised
from tests.networks import build, hidden, output, source
from tests.oracle_cases import Case, Data, draw
from tests.steps import NAMES, stepped

REGULARISERS = {"none": (0.0, 0.0), "L2": (0.01, 0.0), "L1": (0.0, 0.003), "both": (0.01, 0.003)}
DATA = {"In": Data("analog"), "Out": Data("boolean")}


def network(*, fused: bool) -> Network:
    """Sparse input -> Tanh -> Sigmoid -> output; a DeltaNorm far above every delta keeps the second form unfused."""
    rest = {} if fused else {"delta_norm": 1e6}
    rows = [
        source("In", 7),
        hidden("Hidden", 5, "In", activation=Activation.TANH),
        hidden("Second", 6, "Hidden"),
        output("Out", 4, "Second", **rest),
    ]
    return build("optimizers", rows)


FUSED, UNFUSED = (thinned(draw("optimizers", network(fused=f), DATA)) for f in (True, False))


def settings_of(optimizer: Optimizer, l2: float, l1: float) -> Training:
    return Training(optimizer=optimizer, alpha=0.05, lambda_=l2, lambda1=l1, mu=0.9, mu1=0.99)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_the_cases_are_what_they_say(fused: bool) -> None:
    low = lower((FUSED if fused else UNFUSED).network, "step", structure(Training()))
    walks = [op for op in topological(optimise(low.roots, low.pool).roots) if isinstance(op, Walk)]
    assert len(walks) == fused


@pytest.mark.parametrize("regularisers", REGULARISERS)
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("optimizer", Optimizer, ids=lambda o: o.name.lower())
def test_steps_are_those_of_numpy(optimizer: Optimizer, fused: bool, regularisers: str) -> None:
    training = settings_of(optimizer, *REGULARISERS[regularisers])
    for steps in (1, 3):
        found = stepped(FUSED if fused else UNFUSED, training, steps)
        gaps = found.gaps()
        parts = {info.part for info in gaps}
        assert parts == {"", *NAMES[optimizer]} and len(gaps) == 6 * len(parts)
        assert max(gaps.values()) <= 1e-9, gaps
        for error, expected in found.errors:
            assert error == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("optimizer", Optimizer, ids=lambda o: o.name.lower())
def test_float32_steps_are_those_of_numpy(optimizer: Optimizer, fused: bool) -> None:
    """Adam divides by the root of what is near 0 at the start: it is judged by its moments."""
    training = settings_of(optimizer, *REGULARISERS["both"])
    for steps in (1, 3):
        gaps = stepped(FUSED if fused else UNFUSED, training, steps, torch.float32).gaps()
        judged = {i: gap for i, gap in gaps.items() if optimizer is not Optimizer.ADAM or i.part or steps == 1}
        assert max(judged.values()) <= 1e-5, judged


@given(case=cases(), training=trainings())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_steps_of_random_networks_are_the_reference_s(case: Case, training: Training) -> None:
    assume(alive(case))
    found = stepped(undenoised(case), training, 2)
    assert max(found.gaps().values()) <= 1e-7, found.gaps()
    for error, expected in found.errors:
        assert error == pytest.approx(expected, rel=1e-9)


@pytest.mark.full
@given(case=cases(), training=trainings())
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_steps_of_many_random_networks_are_the_reference_s(case: Case, training: Training) -> None:
    assume(alive(case))
    assert max(stepped(undenoised(case), training, 2).gaps().values()) <= 1e-6


def test_weights_are_kept_within_weight_norm() -> None:
    rows = [source("In", 7), hidden("Hidden", 5, "In", weight_norm=0.5), output("Out", 4, "Hidden", weight_norm=0.8)]
    found = stepped(thinned(draw("weight norm", build("x", rows), DATA)), settings_of(Optimizer.SGD, 0.0, 0.0), 3)
    assert max(found.gaps().values()) <= 1e-9
    for info, tensor in found.program.states.items():
        if info.owner == "weight":
            lengths = (tensor.t() if info.transposed else tensor).square().sum(0).sqrt()
            assert float(lengths.max()) <= (0.5 if info.index == 0 else 0.8) * (1 + 1e-12)


def test_weight_norm_leaves_short_columns_and_survives_zeros() -> None:
    w = np.array([[3.0, 0.1, 0.0], [4.0, 0.2, 0.0]])
    assert np.allclose(weight_norm(w, 1.0), [[0.6, 0.1, 0.0], [0.8, 0.2, 0.0]])


@pytest.mark.parametrize("optimizer", [Optimizer.SGD, Optimizer.ADAM], ids=lambda o: o.name.lower())
def test_batch_normalisation_averages_its_batches(optimizer: Optimizer) -> None:
    rows = [
        source("In", 7),
        hidden("Hidden", 5, "In", batch_normalization=True),
        output("Out", 4, "Hidden"),
    ]
    found = stepped(draw("running", build("x", rows), DATA), settings_of(optimizer, 0.0, 0.0), 4)
    assert max(found.gaps().values()) <= 1e-9
    running = {info.part for info in found.program.states if info.owner == "bn"}
    assert {"scale", "bias", "mean", "variance"} <= running


def test_a_running_statistic_is_the_mean_of_what_it_saw() -> None:
    value = np.float64(99.0)  # what was there before the first batch does not count
    for calls, batch in enumerate((1.0, 2.0, 6.0)):
        value = running_statistic(value, batch, calls)
    assert float(value) == pytest.approx(3.0)


def test_the_rate_decays_by_finished_steps() -> None:
    decayed = replace(FUSED, network=replace(FUSED.network, decay=0.5))
    training = settings_of(Optimizer.NESTEROV, 0.01, 0.0)
    assert max(stepped(decayed, training, 3).gaps().values()) <= 1e-9
    assert max(stepped(FUSED, training, 3).gaps().values()) <= 1e-9
    one, other = (stepped(c, training, 3).program.states for c in (decayed, FUSED))
    assert any(not torch.equal(one[info], other[info]) for info in one)


def test_the_numpy_rules_say_what_the_formulas_say() -> None:
    """Hand-computed: w = 1, mean gradient .5, L2 .1, alpha .1, second step of Nesterov."""
    kind = {"alpha": 0.1, "lambda_": 0.1, "lambda1": 0.0, "mu": 0.5, "mu1": 0.999}
    w, state = optimizer_step(Optimizer.NESTEROV, 1.0, {}, 0.5, t=1, **kind)
    assert float(state["velocity"]) == pytest.approx(-0.06) and float(w) == pytest.approx(1 - 0.06 * 1.5)
    w, state = optimizer_step(Optimizer.NESTEROV, w, state, 0.5, t=2, **kind)
    velocity = -0.03 - 0.1 * (0.5 + 0.1 * 0.91)
    assert float(w) == pytest.approx(0.91 + velocity + 0.5 * (velocity + 0.06))


def test_dead_layers_do_no_harm() -> None:
    rows = [source("In", 7), hidden("Hidden", 5, "In"), hidden("Dead", 5, "In"), output("Out", 4, "Hidden")]
    case = filled(build("x", rows), DATA)
    assert max(stepped(case, settings_of(Optimizer.SGD, 0.0, 0.0), 2).gaps().values()) <= 1e-9
