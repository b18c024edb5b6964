"""Ranked lists of several rankers judged on the same users, a batch at a time: values of each user, means, intervals.

No matrix users x items is ever whole in memory; what stays is one number a user, ranker and metric.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nnlang.codes import usage as codes
from nnlang.diagnostics import Diagnostic
from nnlang.measures import MEASURES, Metric
from nnlang.runtime import intervals
from nnlang.runtime.baselines import Ranker, item_counts, popularity
from nnlang.runtime.exposure import Exposure, collapse
from nnlang.runtime.intervals import Comparison, Interval, Resampling, interval_of, resampled_means, two_sided
from nnlang.runtime.metrics import PER_USER, Floats, Found, Ints, Rows, Scores, curves, found_in, mean_of, novelty

USUAL = ("precision", "recall", "ndcg", "coverage")  # the measures where nobody says which
_CELLS = 1 << 20  # users x places that are compared together

Progress = Callable[[int, int], None]  # lists judged, lists in all


@dataclass(frozen=True)
class Judged:
    """One ranker: by the metrics' names its means, their intervals, and each user's value (float64 [users]).

    Coverage belongs to all lists together: it has a mean, but neither values nor an interval. `curves` hold values at
    1..k; `seconds` is the time that ranking took, fitting not counted. `kind` is "model" or the baseline's name.
    """

    name: str
    kind: str
    means: Mapping[str, float]
    intervals: Mapping[str, Interval]
    values: Mapping[str, Floats]
    curves: Scores
    exposure: Exposure
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """How rankers find held-out entries; all leave out what a user is known to have.

    `users` have a held-out entry; `features` could be recommended; k is the longest list. `comparisons` are with the
    first ranker; `about` says what was judged (protocol, seeds, counts, SHA-256 of the texts).
    """

    rankers: tuple[Judged, ...]
    metrics: tuple[str, ...]
    users: int
    features: int
    k: int
    comparisons: tuple[Comparison, ...] = ()
    resampling: Resampling | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Diagnostic, ...] = ()

    @property
    def model(self) -> Scores:
        """The curves of the first ranker."""
        return self.rankers[0].curves

    @property
    def popularity(self) -> Scores:
        """The curves of recommending what is popular."""
        return self.ranker("popularity").curves

    def ranker(self, name: str) -> Judged:
        """The ranker of this name, or the first of this kind; KeyError where there is none."""
        for one in (*(r for r in self.rankers if r.name == name), *(r for r in self.rankers if r.kind == name)):
            return one
        raise KeyError(name)

    def record(self) -> dict[str, Any]:
        """Everything but the users' values, for JSON; numbers that are not finite are None."""
        plain: dict[str, Any] = {
            "event": "evaluation", "users": self.users, "features": self.features, "k": self.k,
            "metrics": list(self.metrics), "about": dict(self.about), "model": _plain(self.model),
        }  # fmt: skip
        if any(one.kind == "popularity" for one in self.rankers):
            plain["popularity"] = _plain(self.popularity)
        if self.resampling is not None:
            plain["intervals"] = vars(self.resampling)
        plain["rankers"] = [_ranker(one) for one in self.rankers]
        plain["comparisons"] = [_comparison(one) for one in self.comparisons]
        plain["warnings"] = [f"{d.code.code}: {d.message}" for d in self.notices if d.code.severity == "warning"]
        return plain


def _plain(scores: Scores) -> dict[str, Any]:
    lists = {name: getattr(scores, name).tolist() for name in ("precision", "recall", "ndcg")}
    return lists | {"coverage": scores.coverage, "users": scores.users}


def _ranker(one: Judged) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "kind": one.kind, "seconds": round(one.seconds, 3)}
    found["likeness"] = one.exposure.likeness
    found["metrics"] = {
        name: {"mean": _number(mean)} | (_bounds(one.intervals[name]) if name in one.intervals else {})
        for name, mean in one.means.items()
    }
    return found


def _comparison(one: Comparison) -> dict[str, Any]:
    named = {"name": one.name, "first": one.first, "metric": one.metric, "difference": _number(one.difference)}
    counts = {name: getattr(one, name) for name in ("above", "p", "wins", "ties", "losses")}
    return named | _bounds(one.interval) | counts


def _bounds(interval: Interval) -> dict[str, float | None]:
    return {"low": _number(interval.low), "high": _number(interval.high)}


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def usual_metrics(k: int) -> tuple[Metric, ...]:
    """The metrics of a list of k where nobody says which."""
    return tuple(Metric(MEASURES[name], k) for name in USUAL)


def judge(
    rankers: Sequence[Ranker],
    known: Rows,
    held: Rows,
    metrics: Sequence[Metric],
    *,
    items: int,
    train: Rows,
    kinds: Sequence[str] = (),
    batch: int = 1024,
    resampling: Resampling | None = intervals.USUAL,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Rankers judged on the users of `known` and `held` (row by row the same ones) that have a held-out entry.

    Items are numbers below `items`; `held` may name others, which can only be missed. `train` counts how usual an item
    is, for novelty and for the lists of popularity that collapse is judged by. kinds: "model" or the baseline's name,
    by ranker. Memory: batch x items for the ranker's scores, and a number a user and metric.
    """
    judged = np.flatnonzero(held.lengths)
    if len(judged) < held.count:
        raise ValueError("users without a held-out entry: take them out of both, and of what rankers know of users")
    known, held = known.distinct(), held.distinct()
    counts, users = item_counts(train, items), train.count
    total = len(rankers) * held.count
    found = []
    for place, ranker in enumerate(rankers):
        task = _Task(known, held, tuple(metrics), items, counts, users, batch)
        done = place * held.count
        kind = kinds[place] if kinds else "model"
        found.append(task.judged(ranker, kind, lambda rows, done=done: progress(done + rows, total)))  # type: ignore[misc]
    popular = next((one.exposure for one in found if one.kind == "popularity"), None)
    if popular is None:
        task = _Task(known, held, tuple(metrics), items, counts, users, batch)
        popular = task.judged(popularity(train, items), "popularity", lambda rows: None).exposure
    result = Evaluation(
        tuple(found), tuple(map(str, metrics)), held.count, items, task.k, notices=_collapsed(found, popular)
    )
    return result if resampling is None else with_intervals(result, resampling)


def _collapsed(found: Sequence[Judged], popular: Exposure) -> tuple[Diagnostic, ...]:
    reasons = ((one.name, collapse(one.exposure, popular)) for one in found if one.kind == "model")
    return tuple(Diagnostic(codes.COLLAPSE, None, {"name": name, "reason": why}) for name, why in reasons if why)


@dataclass(frozen=True)
class _Task:
    """What one ranker is asked, and by what its lists are measured; `counts` and `users` are of the training."""

    known: Rows
    held: Rows
    metrics: tuple[Metric, ...]
    items: int
    counts: Ints
    users: int
    batch: int

    @property
    def k(self) -> int:
        return max(metric.k or 0 for metric in self.metrics)

    def judged(self, ranker: Ranker, kind: str, progress: Callable[[int], None]) -> Judged:
        """The ranker's lists, measured as they come."""
        began, tally = time.perf_counter(), _Tally(self)
        for lists in ranker.ranked(self.known, self.k, self.batch):
            for piece in _pieces(lists):
                tally.take(piece)
            progress(tally.taken)
        return tally.judged(ranker.name, kind, time.perf_counter() - began)


class _Tally:
    """What the lists of one ranker have come to so far."""

    def __init__(self, task: _Task) -> None:
        self._task, self.taken = task, 0
        by_user = [str(metric) for metric in task.metrics if metric.measure.name != "coverage"]
        self._values = {name: np.full(task.held.count, np.nan) for name in by_user}
        self._sums = np.zeros((3, task.k))
        depths = {metric.k or 0 for metric in task.metrics if metric.measure.name == "coverage"}
        self._shown = {k: np.zeros(task.items, np.int64) for k in sorted(depths | {task.k})}

    def take(self, lists: Ints) -> None:
        """Measure the lists of the next users."""
        task, last = self._task, self.taken + len(lists)
        found = found_in(lists, task.held.take(np.arange(self.taken, last)))[1]
        for metric in task.metrics:
            if str(metric) in self._values:
                self._values[str(metric)][self.taken : last] = self._measured(metric, found, lists)
        self._sums += curves(found)
        for k, count in self._shown.items():
            count += np.bincount(lists[:, :k].ravel() + 1, minlength=task.items + 1)[1:]
        self.taken = last

    def _measured(self, metric: Metric, found: Found, lists: Ints) -> Floats:
        if metric.measure.name == "novelty":
            return novelty(lists, self._task.counts, self._task.users, metric.k or 0)
        return PER_USER[metric.measure.name](found, metric.k or 0)

    def judged(self, name: str, kind: str, seconds: float) -> Judged:
        """All lists together."""
        users = self._task.held.count
        shown = {k: Exposure(count, users, k) for k, count in self._shown.items()}
        means = {}
        for metric in self._task.metrics:
            values = self._values.get(str(metric))
            means[str(metric)] = shown[metric.k or 0].coverage if values is None else mean_of(values)
        precision, recall, ndcg = self._sums / max(1, users)
        longest = shown[self._task.k]
        scores = Scores(precision, recall, ndcg, longest.coverage, users)
        return Judged(name, kind, means, {}, self._values, scores, longest, seconds)


def _pieces(lists: Ints) -> Sequence[Ints]:
    """The lists in parts whose measures stay in the cache."""
    rows = max(1, _CELLS // max(1, lists.shape[1]))
    return [lists[first : first + rows] for first in range(0, len(lists), rows)]


def with_intervals(result: Evaluation, plan: Resampling) -> Evaluation:
    """The evaluation with intervals of all means over users, and every ranker compared with the first, in pairs."""
    names = [name for name in result.metrics if name in result.rankers[0].values]
    if not names:
        return replace(result, resampling=plan)
    first, others = result.rankers[0], result.rankers[1:]
    columns = [one.values[name] for one in result.rankers for name in names]
    columns += [one.values[name] - first.values[name] for one in others for name in names]
    means = iter(resampled_means(np.column_stack(columns), plan).T)
    rankers = tuple(
        replace(one, intervals={name: interval_of(next(means), plan.level) for name in names}) for one in result.rankers
    )
    comparisons = tuple(_compared(one, first, name, next(means), plan.level) for one in others for name in names)
    return replace(result, rankers=rankers, comparisons=comparisons, resampling=plan)


def _compared(one: Judged, first: Judged, name: str, differences: Floats, level: float) -> Comparison:
    by_user = one.values[name] - first.values[name]
    return Comparison(
        one.name, first.name, name, mean_of(by_user), interval_of(differences, level),
        float((differences > 0).mean()), two_sided(differences),
        int((by_user > 0).sum()), int((by_user == 0).sum()), int((by_user < 0).sum()),
    )  # fmt: skip
