"""Data parallelism for slow links: averaging, and steps without waiting; ranks are threads of this process."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nnlang.codes import ranks as codes
from nnlang.compiler import LEARNED
from nnlang.diagnostics import Stop
from nnlang.network import Optimizer
from nnlang.placement import Placement
from nnlang.runtime.averaging import SMALL, Averaging, average
from nnlang.runtime.averaging import together as outcomes_of
from nnlang.runtime.brake import FACTOR, WARM_UP, Brake
from nnlang.runtime.devices import CPU, find
from nnlang.runtime.lbfgs import Lbfgs
from nnlang.runtime.mesh import ALONE_MESH
from nnlang.runtime.model import Model
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.shared import Asynchronous, share_states
from nnlang.runtime.steps import Outcome
from nnlang.runtime.ways import Dealt, Way, start
from tests import tiny
from tests.family import apart_by, meshes, noisy, plain, whole

# dealing out


@given(rows=st.integers(0, 300), ranks=st.integers(1, 40))
def test_rows_are_dealt_out_as_numpy_splits(rows: int, ranks: int) -> None:
    bounds = [start(rows, ranks, rank) for rank in range(ranks + 1)]
    assert [b - a for a, b in pairwise(bounds)] == [len(part) for part in np.array_split(np.arange(rows), ranks)]


@settings(max_examples=10, deadline=None)
@given(examples=st.integers(1, 40), size=st.integers(1, 12), ranks=st.integers(1, 5), is_shuffled=st.booleans())
def test_a_batch_holds_the_same_examples_whatever_the_ranks(
    examples: int, size: int, ranks: int, is_shuffled: bool
) -> None:
    sets = tiny.datasets(examples=examples)
    program = Program(tiny.network(sets), ["step"], size, tiny.settings())
    feed = feed_for(program, "step", sets)
    order = np.random.default_rng(3).permutation(examples) if is_shuffled else None
    expected = np.arange(examples) if order is None else order
    dealt = [Dealt(feed, size, rank, ranks) for rank in range(ranks)]
    for number in range(dealt[0].batches):
        parts = [d.part(order, number) for d in dealt]
        ids = np.concatenate([p.ids for p in parts if p is not None])  # type: ignore[union-attr]
        assert np.array_equal(ids, expected[number * size : (number + 1) * size])
        assert sum(p.rows for p in parts if p is not None) == dealt[0].rows(number)
        assert all(p.rows <= d.most for p, d in zip(parts, dealt, strict=True) if p is not None)


# averaging


def test_averaging_every_batch_with_plain_descent_is_the_step_of_the_whole_batch() -> None:
    problem = plain()
    expected = tiny.arrays(whole(problem).store(Model(problem.network, {}, {})))
    for ranks in (1, 2, 4):
        for trained in problem.run(Averaging(1), ranks):
            assert apart_by(trained.states, expected) < 1e-6


@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_all_ranks_hold_the_same_model_after_every_group(optimizer: Optimizer) -> None:
    problem = noisy(optimizer=optimizer, alpha=0.005, epochs=2)
    for every in (1, 2):
        ranks = problem.run(Averaging(every), 3 + every)
        assert all(tiny.equal(trained.states, ranks[0].states) for trained in ranks)
        assert all(trained.outcomes == ranks[0].outcomes for trained in ranks)
        assert [o.rows for o in ranks[0].outcomes] == [8, 8, 3] * problem.training.epochs
        assert all(np.isfinite(a).all() for a in ranks[0].states.values())


def test_a_rank_that_is_alone_averages_with_nobody() -> None:
    problem = noisy()
    expected = tiny.arrays(whole(problem).store(Model(problem.network, {}, {})))
    assert tiny.equal(problem.run(Averaging(2))[0].states, expected)


def test_ranks_drift_apart_between_averages() -> None:
    """Otherwise the tests above would not say much."""
    rare, often = (noisy().run(Averaging(every), 2)[0].states for every in (3, 1))
    assert apart_by(rare, often) > 1e-4


def test_the_mean_is_of_everything_that_training_changes() -> None:
    large, small = torch.arange(SMALL + 3.0), torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    def work(mesh: Any) -> tuple[Tensor, Tensor, Tensor]:
        states = large * (mesh.rank + 1), small * (mesh.rank + 1), torch.zeros(0)
        average(states, mesh.data)
        return states

    for states in meshes(4, work):
        assert torch.allclose(states[0], large * 2.5)
        assert torch.equal(states[1], small * 2.5)


def test_the_bytes_of_an_average_are_those_of_its_sums() -> None:
    problem = plain()
    program = problem.run(Averaging(4))[0].program
    elements = sum(t.numel() for t in program.states.values())
    for ranks, every, averages in ((2, 1, 12), (4, 1, 12), (4, 4, 3), (2, 3, 6)):
        each = 2 * (ranks - 1) * -(-elements // ranks) * 4
        assert {t.sent for t in problem.run(Averaging(every), ranks)} == {each * averages}


def test_groups_end_with_averages_and_with_epochs() -> None:
    assert plain().run(Averaging(3), 2)[0].stops == [3, 4] * 3


def test_all_ranks_brake_alike() -> None:
    """One rank's part of the second batch is bad enough to bring the brake on, for all."""

    def work(mesh: Any) -> tuple[list[Outcome], Brake]:
        brake = Brake(average=1.0, batches=WARM_UP)
        return outcomes_of(mesh, brake, [4, 4], [2.0, 100.0 if mesh.rank == 1 else 2.0]), brake

    (first, brake), *others = meshes(3, work)
    assert all(other == (first, brake) for other in others)
    assert [(o.error, o.rows, o.brake.has_acted) for o in first] == [(6.0, 4, False), (104.0, 4, True)]
    assert brake.factor() == FACTOR


def test_a_batch_with_fewer_rows_than_ranks_is_refused() -> None:
    for way in (Averaging(1), Asynchronous()):
        with pytest.raises(Stop) as stopped:
            plain(batch=3).run(way, 4)
        assert stopped.value.diagnostics[0].code is codes.BATCH_TOO_SMALL


# without waiting


def test_ranks_without_waiting_train_one_model() -> None:
    problem = plain(epochs=20)
    ranks = problem.run(Asynchronous(), 4)
    assert all(tiny.equal(trained.states, ranks[0].states) for trained in ranks)
    assert all(trained.outcomes == ranks[0].outcomes for trained in ranks)
    errors = [o.error / o.rows for o in ranks[0].outcomes]
    expected = [o.error / o.rows for o in problem.run(Averaging(1))[0].outcomes]
    assert np.mean(errors[-4:]) < 0.95 * np.mean(errors[:4])
    assert np.mean(errors[-4:]) < 1.1 * np.mean(expected[-4:])
    assert [d.code for t in ranks for d in t.notes] == [codes.NOT_REPRODUCIBLE] * 4


@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_every_optimizer_works_without_waiting(optimizer: Optimizer) -> None:
    for trained in noisy(optimizer=optimizer, alpha=0.005).run(Asynchronous(), 3):
        assert all(np.isfinite(a).all() for a in trained.states.values())


def test_somebody_in_a_hurry_brings_all_ranks_to_one_batch() -> None:
    asked: list[None] = []

    def hurry() -> bool:
        asked.append(None)
        return len(asked) % 5 == 0

    for _ in range(8):  # where others have run ahead to an epoch's end, nothing is cut short
        ranks = plain(epochs=4, batch=4).run(Asynchronous(), 3, hurry)
        assert len({tuple(t.stops) for t in ranks}) == 1
        if len(ranks[0].stops) > 4:
            break
    assert len(ranks[0].stops) > 4
    assert all(t.outcomes == ranks[0].outcomes for t in ranks)
    assert len(ranks[0].outcomes) == 4 * 8


def test_updates_of_all_ranks_are_seen() -> None:
    """With one epoch of one batch each, the step of both halves is in the weights."""
    problem = plain(epochs=1, batch=32, alpha=1e-3)
    ranks, one = problem.run(Asynchronous(), 2), problem.run(Averaging(1))[0].states
    began = Program(problem.network, ["step"], 32, problem.training)
    began.initialise(problem.training.seed)
    before = tiny.arrays(began.store(Model(problem.network, {}, {})))
    for name, value in ranks[0].states.items():
        moved, single = value - before[name], one[name] - before[name]
        assert np.allclose(moved, 2 * single, rtol=0.05, atol=1e-7)  # two halves' means, one after the other


def test_weights_are_shared_and_what_steps_are_divided_by_is_not() -> None:
    """A sum of squares that another rank could put back to what it was would make steps huge."""
    problem = noisy(optimizer=Optimizer.ADAGRAD)

    def work(mesh: Any) -> dict[tuple[str, str], float]:
        program = Asynchronous().program(problem.network, problem.training, 8, CPU, Placement(), mesh)
        share_states(program, mesh)
        if mesh.is_first:
            for state in program.states.values():
                state.fill_(7.0)
        mesh.barrier()
        return {(info.owner, info.part): float(state.view(-1)[0]) for info, state in program.states.items()}

    _, second = meshes(2, work)
    assert {key for key, value in second.items() if value == 7.0} == LEARNED
    assert {("weight", "v"), ("bias", "v"), ("bn", "mean"), ("bn", "variance")} < second.keys()


def test_without_waiting_is_refused_on_other_devices() -> None:
    device = replace(CPU, kind="interpret")
    with pytest.raises(Stop) as stopped:
        Asynchronous().program(plain().network, plain().training, 8, device, Placement(), ALONE_MESH)
    assert stopped.value.diagnostics[0].code is codes.NOT_ASYNCHRONOUS


def test_without_waiting_is_refused_on_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(("here", "there"))
    lock = threading.Lock()

    def node() -> str:
        with lock:
            return next(names)

    monkeypatch.setattr("platform.node", node)
    with pytest.raises(Stop, match="here, there"):
        plain().run(Asynchronous(), 2)


def test_no_room_for_shared_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(Stop) as stopped:
        plain().run(Asynchronous(), 2)
    assert stopped.value.diagnostics[0].code is codes.NO_SHARED_MEMORY


def test_shared_memory_leaves_no_file_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nnlang.runtime.shared.FOLDERS", (str(tmp_path),))
    plain(epochs=1).run(Asynchronous(), 2)
    assert not list(tmp_path.iterdir())


# devices


@pytest.mark.parametrize("way", [Averaging(2), pytest.param(Lbfgs(), marks=pytest.mark.full)])
def test_devices_other_than_the_processor_train_so_too(way: Way) -> None:
    problem = plain(epochs=1)
    expected = problem.run(way)[0].states
    found = problem.run(way, device=find("interpret"))[0].states
    assert apart_by(found, expected) < 1e-4
