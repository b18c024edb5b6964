"""The parameters of trial n: a function of the sweep, its seed and n; for samplers that learn, of the results so far.

Nothing is remembered between asks but results: every ask has a sampler of its own, seeded by (sweep seed, n), so that a
sweep that was taken up again asks what it would have asked (Optuna does not restore the state of its samplers).
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import stop
from nnlang.measures import Metric
from nnlang.search.history import Entry, History
from nnlang.search.study import Params, State
from nnlang.sweeps.space import Space, canonical

ATTEMPTS = 100  # draws for one trial, where constraints refuse some
STARTUP = 10  # random trials before a sampler has something to learn from
LEARNING = frozenset(("TPE", "CMAES", "GP"))  # methods whose trials hang on the results before


def digest(seed: int, number: int, attempt: int = 0) -> int:
    """The seed of one draw of one trial: 63 bits that follow from the sweep's seed and the trial's number."""
    found = hashlib.sha256(f"nnlang sweep {seed} trial {number} attempt {attempt}".encode()).digest()
    return int.from_bytes(found[:8], "big") >> 1


Find = Callable[[int], Params | None]


class Sampler(Protocol):
    """Answers the parameters of trials, in the order of their numbers from 1; None after the last of a grid."""

    def ask(self, number: int) -> Params | None:
        """The parameters of a trial; raises `Stop` (NN788) where the constraints let none through."""

    def tell(self, entry: Entry) -> None:
        """Learn what became of a trial; called once a trial, when it is done."""


class Fixed:
    """A sampler that learns nothing: a function of the number."""

    def __init__(self, find: Find) -> None:
        self._find = find

    def ask(self, number: int) -> Params | None:
        """The parameters of a trial."""
        return self._find(number)

    def tell(self, entry: Entry) -> None:
        """Nothing to learn."""


def sampler(method: str, space: Space, seed: int, metric: Metric, history: History | None = None) -> Sampler:
    """The sampler of a method, with what the history tells of trials so far."""
    if method not in LEARNING:
        return Fixed(_FIXED[method](space, seed, history or History()))
    made = Learning(method, space, seed, metric)
    made.replay(history or History())
    return made


def _grid(space: Space, seed: int, history: History) -> Find:
    """The combinations in their order, without those that were asked before (of fewer axes, where it was extended)."""
    taken = {canonical(entry.params) for number, entry in history.entries.items() if number}
    stream = (params for params in space.combinations() if canonical(params) not in taken)
    return lambda number: next(stream, None)


def _random(space: Space, seed: int, history: History) -> Find:
    def ask(number: int) -> Params:
        return space.draw(random.Random(digest(seed, number)))

    return ask


def _qmc(space: Space, seed: int, history: History) -> Find:
    """A scrambled Sobol sequence, a coordinate an axis; in place of a point that constraints refuse, a random draw."""
    from scipy.stats import qmc

    draw = _random(space, seed, history)

    def ask(number: int) -> Params | None:
        sequence = qmc.Sobol(max(1, len(space.axes)), scramble=True, seed=digest(seed, 0) & 0xFFFFFFFF)
        if number > 1:
            sequence.fast_forward(number - 1)
        found = space.from_unit([float(x) for x in sequence.random(1)[0]])
        return draw(number) if found is None else found

    return ask


_FIXED = {"Grid": _grid, "Random": _random, "QMC": _qmc}


def _allowed(draws: Iterator[Params], space: Space, number: int) -> Params:
    for found in draws:
        if space.allows(found):
            return found
    raise stop(codes.TOO_TIGHT, attempts=ATTEMPTS, number=number)


class Learning:
    """A sampler of Optuna's: its study lives in memory and is rebuilt from our history."""

    def __init__(self, method: str, space: Space, seed: int, metric: Metric) -> None:
        import optuna

        self._method, self._space, self._seed, self._metric = method, space, seed, metric
        self._optuna = optuna
        with quiet():
            self._study = optuna.create_study(direction=optuna.study.StudyDirection[direction(metric)])
        self._trials: dict[int, Any] = {}

    def ask(self, number: int) -> Params:
        """The parameters of a trial."""
        return _allowed(self._draws(number), self._space, number)

    def _draws(self, number: int) -> Iterator[Params]:
        for attempt in range(ATTEMPTS):
            if number in self._trials:
                self._study.tell(self._trials[number], state=self._optuna.trial.TrialState.FAIL)
            with quiet():
                self._study.sampler = self._sampler(digest(self._seed, number, attempt) & 0x7FFFFFFF)
                self._trials[number] = self._study.ask()
                found = self._space.suggest(self._trials[number])
            yield found

    def tell(self, entry: Entry) -> None:
        """Learn from a trial that is done: its value; of a pruned one the best value where it ended."""
        trial = self._trials.get(entry.number)
        if trial is None:
            return
        states = self._optuna.trial.TrialState
        best = entry.best(self._metric)
        usable = best is not None and best[1] == best[1]
        with quiet():
            if usable and entry.state is State.PRUNED:
                trial.report(best[1], max(1, entry.epochs))  # type: ignore[index]
                self._study.tell(trial, state=states.PRUNED)
            elif usable and entry.state is State.FINISHED:
                self._study.tell(trial, best[1])  # type: ignore[index]
            else:
                self._study.tell(trial, state=states.FAIL)

    def replay(self, history: History) -> None:
        """Ask and tell as it happened, so that everything the sampler keeps in its study stands there again."""
        for what, number in history.order:
            if number == 0:
                continue
            if what == "asked":
                self._take(history.entries[number])
            elif what == "done":
                self.tell(history.entries[number])

    def _take(self, entry: Entry) -> None:
        """The trial as it was asked: CMA-ES keeps its state in its answers, the others only read points.

        Where the point cannot be had any more (other axes, another Optuna), nothing is learnt from the trial.
        """
        states, known = self._optuna.trial.TrialState, self._space.holds(entry.params)
        if self._method == "CMAES":
            known = known and self.ask(entry.number) == entry.params
        elif known:
            with quiet():
                self._study.sampler = self._optuna.samplers.RandomSampler(seed=0)
                self._study.enqueue_trial(self._space.coded(entry.params))
                self._trials[entry.number] = self._study.ask()
                known = self._space.suggest(self._trials[entry.number]) == entry.params
        if not known and entry.number in self._trials:
            self._study.tell(self._trials.pop(entry.number), state=states.FAIL)

    def _sampler(self, seed: int) -> Any:
        made = self._optuna.samplers
        match self._method:
            case "TPE":
                return made.TPESampler(
                    seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True, constant_liar=True
                )
            case "CMAES":
                return made.CmaEsSampler(seed=seed, n_startup_trials=STARTUP, warn_independent_sampling=False)
        return made.GPSampler(seed=seed, n_startup_trials=STARTUP, warn_independent_sampling=False)


def direction(metric: Metric) -> str:
    """Optuna's word for which way is better."""
    return "MAXIMIZE" if metric.measure.more_is_better else "MINIMIZE"


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's words on what it calls experimental and its log lines are not for our users."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
