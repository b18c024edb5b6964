"""The coordinator against machines that answer in any order and coordinators that die at any event: same tables."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from nnlang.diagnostics import DISK, Diagnostic, Stop
from nnlang.search import running
from nnlang.search.begin import begin, take_up
from nnlang.search.coordinator import Coordinator, Policy, View
from nnlang.search.events import NAME, Log
from nnlang.search.history import History
from nnlang.search.segment import NO_ROOM, Reply, Segment
from nnlang.search.study import State, load
from nnlang.search.trial import folder_of
from nnlang.search.workplace import Limits, Workplace
from nnlang.sweeps.sweepfile import Sweep, load_sweep
from tests.sweeps import EPOCHS, final, written

ASHA = {"Method": "ASHA", "First": 1, "Factor": 2}


class Killed(Exception):  # noqa: N818 - it says what it does
    """The coordinator is gone, as after SIGKILL."""


class Machines:
    """Machines that train nothing: values follow from the trial's folder, answers come in an order of chance."""

    def __init__(self, places: int, seed: int, losses: float = 0.0) -> None:
        self.places, self._chance, self._losses = places, random.Random(seed), losses
        self._running: list[Segment] = []

    def submit(self, asked: Segment) -> None:
        assert len(self._running) < self.places
        assert asked.number not in [other.number for other in self._running]
        self._running.append(asked)

    def wait(self, timeout: float) -> list[Reply]:
        if not self._running:
            return []
        asked = self._running.pop(self._chance.randrange(len(self._running)))
        if self._chance.random() < self._losses:
            return [Reply(asked.number, "lost", error="its server ended with SIGKILL")]
        epochs = asked.pause or EPOCHS
        values = tuple((epoch, worth(asked, epoch)) for epoch in range(1, epochs + 1))
        return [Reply(asked.number, "paused" if asked.pause else "finished", epochs, values, 0.1)]

    def stop(self) -> None:
        self._running.clear()

    def close(self) -> None:
        self._running.clear()


def worth(asked: Segment, epoch: int) -> float:
    """A value that follows from definition and epoch alone."""
    text = (Path(asked.folder) / "definition.json").read_text(encoding="utf-8")
    peak = random.Random(text).random()
    return peak * (1 - math.exp(-epoch / 2))


class FailingLog(Log):
    """A log whose writer dies after so many events."""

    left = 10**9

    def append(self, event: str, /, **facts: Any) -> dict[str, Any]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return super().append(event, **facts)


def go(
    sweep: Sweep,
    folder: Path,
    machines: Machines,
    policy: Policy,
    events: int = 10**9,
    *,
    extend: bool = False,
    interrupted: bool = False,
    notice: Callable[[Diagnostic], None] = lambda notice: None,
) -> None:
    """One life of a coordinator, at most so many events long."""
    folder.mkdir(exist_ok=True)
    place = Workplace(sweep, folder, f"nnlang sweep run files/sweep.json -o {folder} --resume", Limits())
    log = FailingLog(folder / NAME)
    try:
        if log.items:
            history = take_up(log, sweep, place, policy.synchronous, extend)
        else:
            history = begin(log, sweep, place, ["sweep"], policy.synchronous)
        log.left = events
        Coordinator(sweep, log, history, place, machines, policy, View(notice=notice)).run(lambda: interrupted)
    finally:
        log.close()


def finished(sweep: Sweep, folder: Path, seed: int, places: int, synchronous: bool, lives: list[int]) -> Any:
    """The final table of a sweep whose coordinators live as long as `lives` say, then one to the end."""
    policy = Policy(None, 10**6, synchronous)
    for turn, events in enumerate(lives):
        try:
            go(sweep, folder, Machines(places, seed + turn, 0.1), policy, events)
        except Killed:
            continue
        break
    go(sweep, folder, Machines(places, seed, 0.1), policy)
    return final(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    written(folder)
    return folder


CASES = {
    "random": ({}, False),
    "grid": ({"Method": "Grid", "Trials": None, "Axes": {"Layers.Hidden.N": [4, 8], "Denoising.p": [0.1, 0.3]}}, False),
    "qmc": ({"Method": "QMC"}, False),
    "asha": ({"Pruning": ASHA, "Trials": 9}, True),
    "hyperband": ({"Pruning": {"Method": "Hyperband", "First": 1, "Factor": 2}, "Trials": 9}, True),
    "median": ({"Pruning": {"Method": "Median", "Warmup": 1}, "Trials": 7}, True),
    "tpe": ({"Method": "TPE", "Trials": 18, "Pruning": ASHA}, True),
    "cmaes": ({"Method": "CMAES", "Trials": 18}, True),
}  # fmt: skip


LIVES = some.lists(some.integers(0, 25), max_size=4)


def check(home: Path, folder: Path, name: str, seed: int, places: int, lives: list[int]) -> None:
    """A sweep whose coordinators die is that of one who lives, on one machine."""
    changes, synchronous = CASES[name]
    sweep = load_sweep(written(home, **changes))
    straight = finished(sweep, folder / "straight", 1, 1, synchronous, [])
    assert finished(sweep, folder / "killed", seed, places, synchronous, lives) == straight
    assert [row[0] for row in straight] == list(range(len(straight)))
    assert {row[1] for row in straight} <= {"finished", "pruned"} and straight[0][1] == "finished"


@pytest.mark.parametrize("name", ["grid", "asha", "tpe"])
def test_tables_are_the_same_whoever_dies_and_whatever_comes_first(home: Path, tmp_path: Path, name: str) -> None:
    check(home, tmp_path, name, seed=5, places=3, lives=[2, 9, 23])


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=some.integers(0, 10**6), places=some.integers(1, 5), lives=LIVES)
def test_tables_are_the_same_for_any_fate(
    home: Path, tmp_path_factory: pytest.TempPathFactory, name: str, seed: int, places: int, lives: list[int]
) -> None:
    check(home, tmp_path_factory.mktemp(name), name, seed, places, lives)


def test_asynchronous_pruning_prunes_and_is_taken_up(home: Path, tmp_path: Path) -> None:
    sweep = load_sweep(written(home, Pruning=ASHA, Trials=12))
    rows = finished(sweep, tmp_path / "sweep", 3, 3, False, [11, 17])
    states = [row[1] for row in rows]
    assert len(rows) == 13 and states[0] == "finished" and {"finished", "pruned"} == set(states)
    best = load(tmp_path / "sweep").best
    assert best is not None and best.value == max(row[5] for row in rows)


@pytest.mark.parametrize("method", ["TPE", "CMAES"])
def test_a_learning_sampler_goes_on_where_it_was(home: Path, tmp_path: Path, method: str) -> None:
    sweep = load_sweep(written(home, Method=method, Pruning=ASHA if method == "TPE" else {}, Trials=16))
    straight = finished(sweep, tmp_path / "straight", 1, 1, False, [])
    assert final_params(finished(sweep, tmp_path / "killed", 1, 1, False, [30, 30])) == final_params(straight)
    assert len({json.dumps(row[2]) for row in straight}) == len(straight)


def final_params(rows: list[Any]) -> list[Any]:
    """Numbers and parameters of a final table."""
    return [(row[0], row[2]) for row in rows]


class Broken(Machines):
    """Machines on which trials of odd numbers fail."""

    def wait(self, timeout: float) -> list[Reply]:
        return [
            replace(r, outcome="out of memory", error="too big") if r.number % 2 else r for r in super().wait(timeout)
        ]


def test_failures_are_counted_told_and_stop_the_sweep(home: Path, tmp_path: Path) -> None:
    sweep = load_sweep(written(home, Trials=8))
    with pytest.raises(Stop) as found:
        go(sweep, tmp_path / "stopped", Broken(1, 1), Policy(1))
    assert found.value.diagnostics[0].code.code == "NN786" and found.value.exit_code == 1
    assert sum(t.state is State.MEMORY for t in load(tmp_path / "stopped").trials) == 2
    go(sweep, tmp_path / "stopped", Broken(1, 1), Policy(100))
    study = load(tmp_path / "stopped")
    assert [t.state is State.MEMORY for t in study.trials] == [bool(n % 2) for n in range(9)]


class Full(Machines):
    """Machines whose disk is full when trial 2 comes."""

    def wait(self, timeout: float) -> list[Reply]:
        return [Reply(r.number, NO_ROOM, error="no room") if r.number == 2 else r for r in super().wait(timeout)]


def test_a_full_disk_is_no_fault_of_a_trial(home: Path, tmp_path: Path) -> None:
    sweep = load_sweep(written(home, Trials=4))
    with pytest.raises(Stop, match="NN795") as found:
        go(sweep, tmp_path / "full", Full(2, 1), Policy())
    assert found.value.exit_code == DISK and load(tmp_path / "full").trials[2].state is State.WAITING
    go(sweep, tmp_path / "full", Machines(2, 1), Policy())
    go(sweep, tmp_path / "other", Machines(1, 1), Policy())
    assert final(tmp_path / "full") == final(tmp_path / "other")


class Losing(Machines):
    """Machines that lose every trial but the base and the first."""

    def wait(self, timeout: float) -> list[Reply]:
        return [Reply(r.number, "lost", error="gone") if r.number > 1 else r for r in super().wait(timeout)]


def test_a_trial_that_is_always_lost_fails_in_the_end(home: Path, tmp_path: Path) -> None:
    sweep = load_sweep(written(home, Trials=3))
    go(sweep, tmp_path / "sweep", Losing(2, 1), Policy(None, max_retries=2))
    lost = [t for t in load(tmp_path / "sweep").trials if t.number > 1]
    assert [t.state for t in lost] == [State.FAILED] * 2 and "3 times" in lost[0].error


def test_a_sweep_without_any_trained_trial_has_failed(home: Path, tmp_path: Path) -> None:
    with pytest.raises(Stop, match="all of them") as found:
        go(load_sweep(written(home, Trials=1)), tmp_path / "sweep", Broken(2, 1), Policy())
    assert found.value.exit_code == 1 and load(tmp_path / "sweep").best is not None


def test_packages_are_looked_for_before_anything_is_begun(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch", "optuna"}
    monkeypatch.setattr(running, "find_spec", lambda name: name if name in there else None)
    running.check_packages(load_sweep(written(home, Pruning=ASHA)), synchronous=False)
    for method, missing in (("CMAES", "cmaes"), ("GP", "scipy"), ("QMC", "scipy")):
        with pytest.raises(ModuleNotFoundError, match=missing):
            running.check_packages(load_sweep(written(home, Method=method)), synchronous=False)
    there.remove("optuna")
    running.check_packages(load_sweep(written(home, Pruning=ASHA)), synchronous=True)
    with pytest.raises(ModuleNotFoundError, match="optuna"):
        running.check_packages(load_sweep(written(home, Pruning=ASHA)), synchronous=False)


def test_models_beyond_the_best_are_let_go(home: Path, tmp_path: Path) -> None:
    sweep = load_sweep(written(home, Trials=4))
    place = Workplace(sweep, tmp_path, "", Limits(keep=1))
    history = History()
    history.take({"event": "sweep", "name": "s", "total": 4, "axes": [], "method": "Random", "metric": "ndcg@5"})
    for number in range(4):
        place.prepare(number, {})
        (folder_of(tmp_path, number) / "model.nc").touch()
        (folder_of(tmp_path, number) / "model.nc.checkpoint.1.0.nc").touch()
        history.take({"event": "asked", "number": number, "params": {}, "seed": 1})
        history.take({"event": "finished", "number": number, "epochs": 1, "values": [[1, number % 3 / 10]]})
        place.tidy(history)
    kept = [number for number in range(4) if (folder_of(tmp_path, number) / "model.nc").exists()]
    assert kept == [0, 2]
    assert not list(tmp_path.glob("trials/*/*checkpoint*"))


def test_another_sweep_is_refused_and_other_axes_need_a_word(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    go(load_sweep(written(home, Trials=2)), folder, Machines(2, 1), Policy())
    for changes, words in (
        ({"Metric": "recall@5"}, "the metric"),
        ({"RandomSeed": 8}, "the seed"),
        ({"Split": {"Seed": 2}}, "the data or their split"),
        ({"TrainingParameters": {"Epochs": 3}}, "the base definition"),
        ({"Method": "QMC"}, "the method"),
    ):
        with pytest.raises(Stop, match="NN785") as found:
            go(load_sweep(written(home, **{"Trials": 2} | changes)), folder, Machines(2, 1), Policy())
        assert words in str(found.value)
    axes = {"Layers.Hidden.N": [4, 8, 16], "training.alpha": {"LogUniform": [0.001, 0.1]}}
    wider = load_sweep(written(home, Trials=4, Axes=axes))
    with pytest.raises(Stop, match="NN784") as found:
        go(wider, folder, Machines(2, 1), Policy())
    assert "`Layers.Hidden.Activation` is gone" in str(found.value) and "other values" in str(found.value)
    before = final(folder)
    go(wider, folder, Machines(2, 1), Policy(), extend=True)
    after = final(folder)
    assert after[: len(before)] == before and len(after) == 5
    assert "Layers.Hidden.Activation" not in after[-1][2]


def test_a_larger_total_needs_no_word(home: Path, tmp_path: Path) -> None:
    go(load_sweep(written(home, Trials=2)), tmp_path / "a", Machines(2, 1), Policy())
    go(load_sweep(written(home, Trials=5)), tmp_path / "a", Machines(2, 1), Policy())
    go(load_sweep(written(home, Trials=5)), tmp_path / "b", Machines(1, 9), Policy())
    assert final(tmp_path / "a") == final(tmp_path / "b") and load(tmp_path / "a").total == 5
    go(load_sweep(written(home, Trials=1)), tmp_path / "a", Machines(1, 1), Policy())
    assert final(tmp_path / "a") == final(tmp_path / "b") and load(tmp_path / "a").total == 5
