"""Which trials are worth going on with: where they wait, and who goes on from there.

A trial is trained up to a rung and waits; its best value so far is compared. Usually, as results come in, Optuna's
pruner decides on each by those before it. Where rungs are complete (`--synchronous`), the best share of a rung goes on:
a function of the rung's values alone, whoever came first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnlang.measures import Metric
from nnlang.search.history import Entry, History
from nnlang.search.sampling import direction, quiet
from nnlang.search.study import State
from nnlang.sweeps.sweepfile import Pruning

STARTUP = 4  # finished trials before the median says anything


def rungs(pruning: Pruning, epochs: int) -> tuple[int, ...]:
    """The epochs after which a trial of so many epochs waits, ascending, the last epoch not among them."""
    match pruning.method:
        case "ASHA" | "Hyperband":
            found, at = [], max(1, pruning.first)
            while at < epochs:
                found.append(at)
                at *= max(2, pruning.factor)
            return tuple(found)
        case "Median" | "Percentile":
            step = max(1, pruning.interval)
            return tuple(range(max(1, pruning.warmup or step), epochs, step))
    return ()


def next_rung(pruning: Pruning, epochs: int, done: int) -> int | None:
    """The rung that a trial with `done` epochs goes to; None where it goes to the end."""
    return next((rung for rung in rungs(pruning, epochs) if rung > done), None)


class Pruner:
    """Decides on each trial as it comes to a rung, by Optuna's pruner; trial n is Optuna's n - 1."""

    def __init__(self, pruning: Pruning, epochs: int, metric: Metric, name: str) -> None:
        import optuna

        self._states = optuna.trial.TrialState
        way = optuna.study.StudyDirection[direction(metric)]
        with quiet():
            self._study = optuna.create_study(
                study_name=name, direction=way, pruner=_pruner(optuna.pruners, pruning, epochs)
            )
        self._trials: list[Any] = []
        self._metric = metric

    def goes_on(self, number: int, epoch: int, value: float) -> bool:
        """Whether a trial goes on from a rung where it has this value."""
        with quiet():
            trial = self._trial(number)
            trial.report(value, epoch)
            return not trial.should_prune() and not math.isnan(value)

    def tell(self, entry: Entry) -> None:
        """Take what became of a trial that is done."""
        with quiet():
            trial, best = self._trial(entry.number), entry.best(self._metric)
            if entry.state is State.FINISHED and best is not None and not math.isnan(best[1]):
                self._study.tell(trial, best[1])
            else:
                self._study.tell(trial, state=self._states.PRUNED if _valued(trial) else self._states.FAIL)

    def replay(self, history: History) -> None:
        """Take all that happened, in its order."""
        decisions = iter(history.decisions)
        for what, number in history.order:
            if number and what == "decided":
                self.goes_on(*next(decisions))
            elif number and what == "done":
                self.tell(history.entries[number])

    def _trial(self, number: int) -> Any:
        while len(self._trials) < number:
            self._trials.append(self._study.ask())
        return self._trials[number - 1]


def _valued(trial: Any) -> bool:
    return bool(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _pruner(made: Any, pruning: Pruning, epochs: int) -> Any:
    at = {"n_startup_trials": STARTUP, "n_warmup_steps": 0, "interval_steps": 1}
    table: Mapping[str, Callable[[], Any]] = {
        "ASHA": lambda: made.SuccessiveHalvingPruner(max(1, pruning.first), max(2, pruning.factor)),
        "Hyperband": lambda: made.HyperbandPruner(max(1, pruning.first), epochs, max(2, pruning.factor)),
        "Median": lambda: made.MedianPruner(**at),
        "Percentile": lambda: made.PercentilePruner(pruning.percent, **at),
        "None": made.NopPruner,
    }
    return table[pruning.method]()


def best_of_rung(pruning: Pruning, metric: Metric, rung: int, values: Sequence[tuple[int, float]]) -> frozenset[int]:
    """The trials that go on from a complete rung, of (trial, value); equal values go by the trial's number.

    ASHA and Hyperband keep one in `factor`, the median half, the percentile its share; at least one goes on. Hyperband
    sorts trials into brackets by number; bracket b is not judged at its first b rungs.
    """
    groups: dict[int, list[tuple[int, float]]] = {}
    for number, value in values:
        groups.setdefault(_bracket(pruning, rung, number), []).append((number, value))
    kept: set[int] = set()
    for bracket, members in groups.items():
        sound = [m for m in members if not math.isnan(m[1])]
        sign = -1.0 if metric.measure.more_is_better else 1.0
        ranked = sorted(sound, key=lambda m: (sign * m[1], m[0]))
        judged = bracket <= _height(pruning, rung)
        kept.update(m[0] for m in (ranked[: max(1, _share(pruning, len(ranked)))] if judged else ranked))
    return frozenset(kept)


def _share(pruning: Pruning, count: int) -> int:
    match pruning.method:
        case "ASHA" | "Hyperband":
            return count // max(2, pruning.factor)
        case "Percentile":
            return math.ceil(count * pruning.percent / 100)
    return math.ceil(count / 2)


def _height(pruning: Pruning, rung: int) -> int:
    """Which rung it is, from 0."""
    return len(rungs(pruning, rung)) if pruning.method == "Hyperband" else 0


def _bracket(pruning: Pruning, rung: int, number: int) -> int:
    return number % 3 if pruning.method == "Hyperband" else 0
