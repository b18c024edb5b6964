"""How good ranked lists are: precision, recall, NDCG at 1..k and coverage, on plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """Which recommendations were relevant: bool [users, k] for `ranked` [users, k], where -1 marks an empty place."""
    users, k = ranked.shape
    width = int(max(ranked.max(initial=-1), relevant.index.max(initial=-1))) + 2
    known = np.unique(relevant.owners * width + relevant.index)
    asked = np.arange(users, dtype=np.int64)[:, None] * width + ranked
    if not len(known):
        return np.zeros((users, k), dtype=bool)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: NDArray[np.bool_] = (known[place] == asked) & (ranked >= 0)
    return found


def score(ranked: Ints, relevant: Rows, features: int, *, truncate: bool = True) -> Scores:
    """Precision, recall and NDCG at 1..k of ranked lists [users, k], averaged over users with a relevant feature.

    A gain counts 1 / log2(rank + 1). The ideal is the best list of k items, or of all relevant ones with
    `truncate=False` as DSSTNE's job files count it (dsstne.md 10.4). Precision divides by k even for shorter lists.
    """
    relevant = relevant.distinct()
    judged = relevant.lengths > 0
    k = ranked.shape[1]
    found = hits(ranked, relevant)[judged]
    sizes = relevant.lengths[judged].astype(np.float64)
    coverage = len(np.unique(ranked[ranked >= 0])) / max(1, features)
    if not len(found):
        nothing = np.zeros(k)
        return Scores(nothing, nothing, nothing, coverage, 0)
    at = np.arange(1, k + 1)
    cumulated = np.cumsum(found, axis=1)
    gains = np.cumsum(found / np.log2(at + 1), axis=1)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(1, int(sizes.max()) + 1) + 1))])
    ideal_at = np.minimum(at[None, :], sizes[:, None]) if truncate else np.broadcast_to(sizes[:, None], gains.shape)
    return Scores(
        precision=(cumulated / at).mean(axis=0),
        recall=(cumulated / sizes[:, None]).mean(axis=0),
        ndcg=(gains / best[ideal_at.astype(np.int64)]).mean(axis=0),
        coverage=coverage,
        users=len(found),
    )


def popularity(train: Rows, seen: Rows, features: int, k: int) -> Ints:
    """The baseline that everyone must beat: the k most frequent features of `train` that each user has not seen.

    Returns int64 [users of seen, k]; ties go to the lower number, -1 where nothing is left.
    """
    counts = np.bincount(train.index, minlength=features)[:features]
    order = np.lexsort((np.arange(features), -counts))
    ranked = np.full((seen.count, k), -1, dtype=np.int64)
    for user in range(seen.count):
        mine = seen.index[seen.start[user] : seen.start[user + 1]]
        candidates = order[: k + len(mine)]
        left = candidates[~np.isin(candidates, mine)][:k]
        ranked[user, : len(left)] = left
    return ranked


def holdout(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Each user's entries split in two: (kept, held out), a function of the seed alone.

    The share held out is rounded, at least one entry where a user has two, and never all; users with one entry keep it.
    """
    sizes = rows.lengths
    held = np.where(sizes >= 2, np.clip(np.rint(sizes * fraction), 1, np.maximum(sizes - 1, 1)), 0).astype(np.int64)
    keys = np.random.default_rng(seed).random(len(rows.index))
    order = np.lexsort((keys, rows.owners))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(rows.start[:-1], sizes)
    out = rank < np.repeat(held, sizes)
    return rows.keep(~out), rows.keep(out)
