"""What a model must beat: what is popular, what is popular in the user's group, what is like what the user has.

A ranker turns what is known of users into lists of items that are not known of them. Items are numbers from 0 to
`items`; training rows name each item once a user. Ties go to the lower number, -1 stands where nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.runtime.gram import gram_blocks
from nnlang.runtime.metrics import Ints, Rows
from nnlang.runtime.recs import top

NEIGHBOURS, SHRINK = 100, 10.0
_SCORES = 4 << 20  # scores of users x items that stand in memory at a time: 32 MB
_ORDERS = 256 << 20  # bytes of orders of groups that are kept


class Ranker(Protocol):
    """Anything that ranks items for users."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """Lists of users 0, 1, ... of `known`, int64 [users, k] a part: the best first, nothing of `known`."""
        ...


def batches(rows: Rows, batch: int) -> Iterator[Rows]:
    """The rows in parts of `batch` users."""
    for first in range(0, rows.count, batch):
        yield rows.take(np.arange(first, min(first + batch, rows.count)))


def item_counts(train: Rows, items: int) -> Ints:
    """How many users have each item, int64 [items]."""
    return np.bincount(train.index, minlength=items)[:items]


def popular_first(counts: Ints, *further: Ints) -> Ints:
    """The items by count, largest first; ties by the further counts, then the lower number."""
    keys = (np.arange(len(counts)), *(-more for more in reversed(further)), -counts)
    return np.lexsort(keys).astype(np.int64)


def first_unseen(order: Ints, known: Rows, k: int) -> Ints:
    """The first k items of one order for all that each user does not have, int64 [users, k]."""
    items = len(order)
    place = np.empty(items, np.int64)
    place[order] = np.arange(items)
    seen = known.keep(known.index < items).distinct()
    key = np.sort(seen.owners * np.int64(items) + place[seen.index])
    unseen_before = key % max(1, items) - (np.arange(len(key)) - np.repeat(seen.start[:-1], seen.lengths))
    near = unseen_before < k
    skipped = np.zeros((known.count, k), np.int64)  # how many seen ones stand before the j-th unseen one
    np.add.at(skipped, (seen.owners[near], unseen_before[near]), 1)
    at = np.cumsum(skipped, axis=1) + np.arange(k)
    return np.where(at < items, order[np.minimum(at, max(0, items - 1))] if items else -1, -1)


@dataclass(frozen=True)
class Popularity:
    """The same list for everybody, without what each has: the baseline that everyone must beat."""

    order: Ints
    name: str = "popularity"

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`."""
        return (first_unseen(self.order, part, k) for part in batches(known, batch))


def popularity(train: Rows, items: int) -> Popularity:
    """Items by how many training users have them."""
    return Popularity(popular_first(item_counts(train, items)))


@dataclass(frozen=True)
class GroupPopularity:
    """What is popular among the training users of one's own group; overall popularity for users without a group.

    `counts` are those of all; `of_train` and `of_users` give each user's group, -1 for none. Items that are equally
    frequent in a group stand by their frequency overall.
    """

    train: Rows
    counts: Ints
    of_train: Ints
    of_users: Ints
    name: str = "group popularity"
    _kept: dict[int, Ints] = field(default_factory=dict, repr=False, compare=False)

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`; user u of `known` is in group `of_users[u]`."""
        first = 0
        for part in batches(known, batch):
            groups = self.of_users[first : first + part.count]
            lists = np.full((part.count, k), -1, np.int64)
            for group in np.unique(groups).tolist():
                members = np.flatnonzero(groups == group)
                lists[members] = first_unseen(self._order(group), part.take(members), k)
            first += part.count
            yield lists

    def _order(self, group: int) -> Ints:
        if group not in self._kept:
            if (len(self._kept) + 1) * self.counts.nbytes > _ORDERS:
                self._kept.clear()
            here = self.train.take(np.flatnonzero(self.of_train == group)) if group >= 0 else self.train
            self._kept[group] = popular_first(item_counts(here, len(self.counts)), self.counts)
        return self._kept[group]


@dataclass(frozen=True)
class ItemKnn:
    """Items like those that a user has: an item's score is the sum of its similarities to them.

    Each item has its most similar neighbours; `likeness` turns that round: row i lists the items that have i among
    theirs, with the similarity.
    """

    likeness: Rows
    items: int
    name: str = "item-kNN"

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`."""
        return best_of(known, k, min(batch, max(1, _SCORES // max(1, self.items))), self.items, self._scores)

    def _scores(self, known: Rows) -> torch.Tensor:
        """Sums of similarities, a user at a time: what one user touches stays in the cache."""
        start, index, values = self.likeness.start.tolist(), self.likeness.index, self.likeness.values
        assert values is not None
        scores, bounds = np.zeros((known.count, self.items)), known.start.tolist()
        for user, row in enumerate(scores):
            parts = [slice(start[i], start[i + 1]) for i in known.index[bounds[user] : bounds[user + 1]].tolist()]
            if parts:
                near, likeness = (np.concatenate([array[part] for part in parts]) for array in (index, values))
                row[:] = np.bincount(near, likeness, self.items)
        return torch.from_numpy(scores)


def item_knn(train: Rows, items: int, neighbours: int = NEIGHBOURS, shrink: float = SHRINK) -> ItemKnn:
    """Item-kNN by cosine, users in common / (sqrt(users of one x users of the other) + shrink).

    Memory: a block of 32 MB of the items x items matrix at a time, and items x neighbours.
    """
    norms = np.sqrt(item_counts(train, items).astype(np.float64))
    targets, sources, values = [], [], []
    for first, counts in gram_blocks(train, items):
        rows = np.arange(len(counts))
        near = counts / np.maximum(norms[first : first + len(counts), None] * norms + shrink, 1e-300)
        near[rows, first + rows] = 0.0
        best = top(torch.from_numpy(near), neighbours)
        target, place = np.nonzero((best.feature >= 0) & (best.score > 0))
        targets.append(first + target)
        sources.append(best.feature[target, place])
        values.append(best.score[target, place].astype(np.float32))
    return ItemKnn(_turned(np.concatenate(targets), np.concatenate(sources), np.concatenate(values), items), items)


def _turned(targets: Ints, sources: Ints, values: NDArray[np.float32], items: int) -> Rows:
    order = np.lexsort((targets, sources))
    start = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=items))]).astype(np.int64)
    return Rows(start, targets[order], values[order])


class _Scores(Protocol):
    def __call__(self, known: Rows) -> torch.Tensor:
        """Scores [users, items] of some users, which may be changed."""
        ...


def best_of(known: Rows, k: int, batch: int, items: int, scores_of: _Scores) -> Iterator[Ints]:
    """The best k by score for users in parts, without what they have: int64 [users, k], -1 where nothing is left."""
    inside = Rows(known.start, known.index).keep(known.index < items)
    for part in batches(inside, batch):
        scores = scores_of(part)
        scores[torch.from_numpy(part.owners), torch.from_numpy(part.index)] = float("-inf")
        yield padded(top(scores, k).feature, k)


def padded(lists: Ints, k: int) -> Ints:
    """The lists with k places, empty ones at the end."""
    return np.pad(lists, ((0, 0), (0, k - lists.shape[1])), constant_values=-1) if lists.shape[1] < k else lists
