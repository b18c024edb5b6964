"""How good ranked lists are, on plain arrays: measures of each user at any k, their means, curves over 1..k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnlang.measures import Metric
from nnlang.runtime.sorting import row_ranks

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Lists of feature numbers, one a user, end to end: those of user u are `index[start[u]:start[u + 1]]`.

    `values` stands beside `index` where the numbers mean something (analog signals, weighted filters), else None.
    """

    start: Ints
    index: Ints
    values: NDArray[np.float32] | None = None

    @property
    def count(self) -> int:
        """How many users."""
        return len(self.start) - 1

    @property
    def lengths(self) -> Ints:
        """How many entries each user has, int64 [users]."""
        return np.diff(self.start)

    @property
    def owners(self) -> Ints:
        """The user of each entry, int64 [entries]."""
        return np.repeat(np.arange(self.count, dtype=np.int64), self.lengths)

    def take(self, users: Ints) -> Rows:
        """The rows of these users, in this order."""
        lengths = self.lengths[users]
        start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(start[-1], dtype=np.int64) - np.repeat(start[:-1], lengths)
        where = np.repeat(self.start[users], lengths) + within
        return Rows(start, self.index[where], None if self.values is None else self.values[where])

    def keep(self, chosen: NDArray[np.bool_]) -> Rows:
        """The same users with only the chosen entries; `chosen` is bool [entries]."""
        kept = np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64)
        return Rows(kept[self.start], self.index[chosen], None if self.values is None else self.values[chosen])

    def distinct(self) -> Rows:
        """The same users with every feature once (the last mention counts), in ascending order."""
        order = np.lexsort((self.index, self.owners))
        owners, index = self.owners[order], self.index[order]
        last = np.ones(len(order), dtype=bool)
        last[:-1] = (owners[1:] != owners[:-1]) | (index[1:] != index[:-1])
        sizes = np.bincount(owners[last], minlength=self.count)
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Rows(start, index[last], None if self.values is None else self.values[order][last])


@dataclass(frozen=True)
class Scores:
    """Averages over the users that have something to find; entry j of an array is the value at j + 1.

    `coverage` is the share of all features that appear in any user's list; `users` is how many were judged.
    """

    precision: Floats
    recall: Floats
    ndcg: Floats
    coverage: float
    users: int


def hits(ranked: Ints, relevant: Rows) -> NDArray[np.bool_]:
    """Which recommendations were relevant: bool [users, k] for `ranked` [users, k], where -1 marks an empty place.

    A feature that a list names twice counts at its first place.
    """
    users, k = ranked.shape
    width = int(max(ranked.max(initial=-1), relevant.index.max(initial=-1))) + 2
    known = np.unique(relevant.owners * width + relevant.index)
    if not len(known):
        return np.zeros((users, k), dtype=bool)
    asked = np.arange(users, dtype=np.int64)[:, None] * width + ranked
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: NDArray[np.bool_] = (known[place] == asked) & (ranked >= 0)
    right = np.flatnonzero(found)
    _, first = np.unique(asked.ravel()[right], return_index=True)
    if len(first) < len(right):
        once = np.zeros(found.size, dtype=bool)
        once[right[first]] = True
        found = once.reshape(found.shape)
    return found


@dataclass(frozen=True)
class Found:
    """Where the lists of some users hit: `hits` bool [users, places]; `sizes` is how many features each has to find.

    Every user has at least one to find. Sums up to k places are 0 where lists are empty, and stay as they are beyond
    the last place.
    """

    hits: NDArray[np.bool_]
    sizes: Floats

    @property
    def places(self) -> Ints:
        """1, 2, ... as many as the lists have places."""
        return np.arange(1, self.hits.shape[1] + 1)

    @cached_property
    def counted(self) -> Floats:
        """Hits among the first j + 1, [users, places]."""
        return np.cumsum(self.hits, axis=1, dtype=np.float64)

    @cached_property
    def gains(self) -> Floats:
        """Sum of 1 / log2(place + 1) over those hits, [users, places]."""
        return np.cumsum(self.hits / np.log2(self.places + 1), axis=1)

    @cached_property
    def precisions(self) -> Floats:
        """Sum over those hits of the precision at their place, [users, places]."""
        return np.cumsum(np.where(self.hits, self.counted / self.places, 0.0), axis=1)

    @cached_property
    def best(self) -> Floats:
        """The largest gain that n relevant features can bring, by n from 0."""
        most = int(self.sizes.max(initial=0))
        return np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(1, most + 1) + 1))])

    @cached_property
    def first(self) -> Floats:
        """The place of the first hit, infinite where there is none, [users]."""
        if not self.hits.shape[1]:
            return np.full(len(self.hits), np.inf)
        return np.where(self.hits.any(axis=1), np.argmax(self.hits, axis=1) + 1.0, np.inf)

    def up_to(self, sums: Floats, k: int) -> Floats:
        """The sums over the first k places, [users]."""
        width = sums.shape[1]
        return sums[:, min(k, width) - 1] if width else np.zeros(len(sums))


PER_USER: dict[str, Callable[[Found, int], Floats]] = {
    "precision": lambda found, k: found.up_to(found.counted, k) / k,
    "recall": lambda found, k: found.up_to(found.counted, k) / found.sizes,
    "recall_min": lambda found, k: found.up_to(found.counted, k) / np.minimum(found.sizes, k),
    "ndcg": lambda found, k: (
        found.up_to(found.gains, k) / found.best[np.minimum(found.sizes, k).astype(np.int64)]  # the ideal list of k
    ),
    "map": lambda found, k: found.up_to(found.precisions, k) / np.minimum(found.sizes, k),
    "mrr": lambda found, k: np.where(found.first <= k, 1 / found.first, 0.0),
    "hit": lambda found, k: (found.first <= k).astype(np.float64),
}


def found_in(ranked: Ints, relevant: Rows) -> tuple[NDArray[np.bool_], Found]:
    """(which users have something to find, bool [users]; where the lists of these hit)."""
    relevant = relevant.distinct()
    judged = relevant.lengths > 0
    return judged, Found(hits(ranked, relevant)[judged], relevant.lengths[judged].astype(np.float64))


def per_user(ranked: Ints, relevant: Rows, metrics: Sequence[Metric]) -> dict[str, Floats]:
    """Each metric (a row of PER_USER at its k) of each user's list, by the metric's text: float64 [users].

    `ranked` is [users, places], best first, -1 in empty places; k may be beyond the places. Users with nothing to find
    have NaN: they are judged by nobody. Formulas: docs/evaluation.md.
    """
    judged, found = found_in(ranked, relevant)
    return {str(metric): _spread(PER_USER[metric.measure.name](found, metric.k or 0), judged) for metric in metrics}


def _spread(values: Floats, judged: NDArray[np.bool_]) -> Floats:
    spread = np.full(len(judged), np.nan)
    spread[judged] = values
    return spread


def mean_of(values: Floats) -> float:
    """The mean over the users that have a number; NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def score(ranked: Ints, relevant: Rows, features: int, *, truncate: bool = True) -> Scores:
    """Precision, recall and NDCG at 1..k of ranked lists [users, k], averaged over users with a relevant feature.

    A gain counts 1 / log2(rank + 1). The ideal is the best list of k items, or of all relevant ones with
    `truncate=False` as DSSTNE's job files count it (dsstne.md 10.4). Precision divides by k even for shorter lists.
    """
    _, found = found_in(ranked, relevant)
    coverage = len(np.unique(ranked[ranked >= 0])) / max(1, features)
    precision, recall, ndcg = curves(found, truncate=truncate) / max(1, len(found.hits))
    return Scores(precision, recall, ndcg, coverage, len(found.hits))


def curves(found: Found, *, truncate: bool = True) -> Floats:
    """Sums over users of precision, recall and NDCG at 1..k, float64 [3, places]; `truncate` as in `score`."""
    at, sizes = found.places[None, :], found.sizes[:, None]
    ideal_at = np.minimum(at, sizes) if truncate else np.broadcast_to(sizes, found.hits.shape)
    ndcg = found.gains / found.best[ideal_at.astype(np.int64)]
    return np.stack([(found.counted / at).sum(axis=0), (found.counted / sizes).sum(axis=0), ndcg.sum(axis=0)])


def novelty(ranked: Ints, counts: Ints, users: int, k: int) -> Floats:
    """Each list's mean of -log2 of the share of `users` training users who have the item, float64 [users of ranked].

    `counts` says how many have each item; an item that nobody has counts as one user's. Empty lists have NaN.
    """
    listed = ranked[:, :k]
    surprise = np.append(-np.log2(np.maximum(counts, 1) / max(1, users)), 0.0)  # the last is for empty places
    filled = (listed >= 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(surprise[listed].sum(axis=1) / filled)


def holdout(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Each user's entries split in two: (kept, held out), a function of the seed alone.

    The share held out is rounded, at least one entry where a user has two, and never all; users with one entry keep it.
    """
    sizes = rows.lengths
    held = np.where(sizes >= 2, np.clip(np.rint(sizes * fraction), 1, np.maximum(sizes - 1, 1)), 0).astype(np.int64)
    keys = np.random.default_rng(seed).random(len(rows.index))
    out = row_ranks(rows.start, keys) < np.repeat(held, sizes)
    return rows.keep(~out), rows.keep(out)
