"""L-BFGS over all examples: its minimum, its gradient, the same bits on any number of ranks, going on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop
from nnlang.network import Network, Optimizer, Training
from nnlang.placement import Placement
from nnlang.runtime.averaging import Averaging
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import CPU
from nnlang.runtime.executor import At
from nnlang.runtime.lbfgs import HISTORY, Lbfgs, MeanError
from nnlang.runtime.mesh import ALONE_MESH
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.program import feed_for
from tests import tiny
from tests.family import Problem, apart_by, meshes, noisy, plain
from tests.networks import bind, build, output, shared_transposed, source


def full(epochs: int = 12, **rest: Any) -> Problem:
    problem = plain(epochs=epochs, **{"lambda_": 1e-2, **rest})
    return problem


def test_lbfgs_is_the_same_to_the_bit_on_any_number_of_ranks() -> None:
    problem = full(8, batch=3)
    ranks = {n: problem.run(Lbfgs(), n) for n in (1, 2, 4, 8)}
    for n in (2, 4, 8):
        assert all(tiny.equal(trained.states, ranks[1][0].states) for trained in ranks[n])
        assert ranks[n][0].outcomes == ranks[1][0].outcomes
    assert apart_by(problem.run(Lbfgs(), 3)[0].states, ranks[1][0].states) < 1e-3


def test_lbfgs_comes_to_the_minimum_that_a_slow_descent_comes_to() -> None:
    """Of a convex error: one layer, cross entropy, L2."""
    sets = tiny.datasets(examples=32)
    rows = [source("Input", 12, sparse=True), output("Output", 12, "Input")]
    network = bind(build("convex", rows), *(d.facts for d in sets.values()))
    convex = Problem(network, sets, Training(lambda_=0.05, epochs=30, batch=8))
    found = convex.run(Lbfgs())[0].model
    descent = replace(convex.training, optimizer=Optimizer.SGD, alpha=0.5, batch=32, epochs=300)
    slow = Problem(network, sets, descent).run(Averaging(1))[0].model
    error, gradient = objective(convex, found)
    assert error <= objective(convex, slow)[0] + 1e-6
    assert error == pytest.approx(objective(convex, slow)[0], rel=1e-3)
    assert gradient < 1e-3


def objective(problem: Problem, model: Model) -> tuple[float, float]:
    """What L-BFGS minimises at a model's weights, and the largest number of its gradient."""
    program = Lbfgs().program(problem.network, problem.training, 8, CPU, Placement(), ALONE_MESH)
    program.load(model)
    error = MeanError(program, feed_for(program, "gradient", problem.sets), problem.training, ALONE_MESH)  # type: ignore[arg-type]
    return error(), max(float(state.grad.abs().max()) for state in error._states if state.grad is not None)


@pytest.mark.parametrize("make", [shared_transposed])
def test_the_gradient_is_that_of_the_error_with_the_penalty(make: Callable[..., Network]) -> None:
    """Against centred differences, with a matrix that two edges use."""
    sets = tiny.datasets(examples=20, units=20)
    network = bind(make(), *(d.facts for d in sets.values()))
    problem = Problem(network, sets, Training(lambda_=0.1, batch=7))
    program = Lbfgs().program(network, problem.training, 7, CPU, Placement(), ALONE_MESH)
    program.initialise(3)
    error = MeanError(program, feed_for(program, "gradient", sets), problem.training, ALONE_MESH)  # type: ignore[arg-type]
    error()
    random = np.random.default_rng(1)
    for state in error._states:
        assert state.grad is not None
        direction = torch.from_numpy(random.standard_normal(tuple(state.shape)).astype(np.float32))
        slope, start_ = float((state.grad * direction).sum()), state.clone()
        state.copy_(start_ + 1e-2 * direction)
        above = error()
        state.copy_(start_ - 1e-2 * direction)
        below = error()
        state.copy_(start_)
        error()
        assert (above - below) / 2e-2 == pytest.approx(slope, rel=2e-3, abs=2e-3)


def test_lbfgs_goes_on_from_a_checkpoint_to_the_bit(tmp_path: Path) -> None:
    problem = full(HISTORY + 6)
    straight = problem.run(Lbfgs())[0]
    for cut in (1, 2, HISTORY + 3):
        first = problem.run(Lbfgs(), epochs=range(cut))[0]
        save(first.model, tmp_path / "m.nc")
        second = problem.run(Lbfgs(), 2, begin=load(tmp_path / "m.nc"), epochs=range(cut, HISTORY + 6))[0]
        assert tiny.equal(second.states, straight.states)
        assert first.outcomes + second.outcomes == straight.outcomes


def test_lbfgs_evaluates_about_once_an_iteration() -> None:
    problem = full(20)
    program = Lbfgs().program(problem.network, problem.training, 8, CPU, Placement(), ALONE_MESH)
    program.initialise(1)
    steps = Lbfgs().steps(program, feed_for(program, "gradient", problem.sets), Brake(), ALONE_MESH, bool, print)
    for epoch in range(20):
        steps.launch(next(iter(steps.parts(None, 0))), At(1, epoch, epoch))
    assert steps._error.evaluations <= 30


def test_lbfgs_says_when_it_has_converged() -> None:
    problem = full(60, lambda_=1.0)
    trained = problem.run(Lbfgs())[0]
    assert [d.code for d in trained.notes] == [codes.LBFGS_CONVERGED]
    assert trained.outcomes[-1].error == trained.outcomes[-2].error


def test_lbfgs_tells_what_it_leaves_out() -> None:
    problem = noisy(lambda1=0.0, epochs=2)
    (note,) = problem.run(Lbfgs())[0].notes
    assert "denoising, dropout, sparseness penalty, moving statistics of batch normalisation" in str(note.message)


def test_lbfgs_refuses_an_l1_penalty() -> None:
    with pytest.raises(Stop, match="L1 penalty"):
        noisy(lambda1=1e-4).run(Lbfgs())


def test_lbfgs_counts_its_memory_first(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter((1 << 40, 1 << 10))
    monkeypatch.setattr("nnlang.runtime.memory.free", lambda device: next(left))
    with pytest.raises(Stop, match="not enough memory"):
        full().run(Lbfgs())


def test_ranks_that_drift_apart_are_found() -> None:
    problem = full(3)

    def work(mesh: Any) -> None:
        program = Lbfgs().program(problem.network, problem.training, 8, CPU, Placement(), mesh)
        program.initialise(1 + mesh.rank)
        Lbfgs().steps(program, feed_for(program, "gradient", problem.sets), Brake(), mesh, bool, print)._error()

    with pytest.raises(Stop) as stopped:
        meshes(2, work)
    assert stopped.value.diagnostics[0].code is codes.RANKS_DRIFT


def test_an_error_that_is_no_number_is_an_outcome() -> None:
    problem = full(2)
    broken = problem.run(Lbfgs(), epochs=range(1))[0].model
    broken.weights[0][0, 0] = np.nan
    assert math.isnan(problem.run(Lbfgs(), begin=broken)[0].outcomes[0].error)
