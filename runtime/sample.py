"""A sample with planted tastes: users who love one group of items, like a second, and sometimes follow the crowd.

Made for the demo and for tests: the groups are known, so that everybody sees whether recommendations are right.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.files import atomic_text

TASTES = (
    "jazz", "opera", "techno", "folk", "western", "horror", "comedy", "romance",
    "cooking", "travel", "chess", "garden", "history", "space", "crime", "poetry",
)  # fmt: skip
_LOVED, _LIKED, _OTHER = 30.0, 6.0, 1.0  # how much likelier an item of the user's groups is
_SKEW, _HEAD = 0.9, 8.0  # popularity falls with (rank + head) ** -skew inside a group
_FEWEST = 10  # entries of a user


@dataclass(frozen=True)
class Sample:
    """Users and the items they took: entries of user u are offsets[u] : offsets[u + 1] of `index`, ascending.

    `taste` and `second` are the groups of each user, `group` that of each item: numbers into `groups`.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    groups: tuple[str, ...]
    offsets: NDArray[np.int64]
    index: NDArray[np.int32]
    taste: NDArray[np.int64]
    second: NDArray[np.int64]
    group: NDArray[np.int64]

    def lines(self) -> Iterator[str]:
        """DSSTNE's text form, a line a user (dsstne.md 8.6)."""
        for number, user in enumerate(self.users):
            taken = self.index[self.offsets[number] : self.offsets[number + 1]].tolist()
            yield user + "\t" + ":".join(self.items[i] for i in taken) + "\n"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the text form, whole or not at all."""
        atomic_text(path, self.lines())


def taste_groups(
    users: int = 2000, items: int = 3000, entries: int = 100_000, groups: int = 12, seed: int = 12134
) -> Sample:
    """A sample of about `entries` entries that follows from the seed alone.

    Items are dealt to the groups in turn and named after them (`jazz-017`), in the order of popularity in the group.
    """
    random = np.random.Generator(np.random.Philox(seed))
    groups = max(2, min(groups, len(TASTES), items))
    group = np.arange(items) % groups
    rank = np.arange(items) // groups
    popularity = (rank + _HEAD) ** -_SKEW * random.lognormal(0.0, 0.3, items)
    taste = random.integers(groups, size=users)
    second = (taste + random.integers(1, groups, size=users)) % groups
    counts = _counts(random, users, items, entries)
    affinity = np.full((users, groups), _OTHER)
    affinity[np.arange(users), second] = _LIKED
    affinity[np.arange(users), taste] = _LOVED
    taken = [_draw(random, popularity * affinity[u, group], int(counts[u])) for u in range(users)]
    return Sample(
        tuple(f"u{u + 1:04d}" for u in range(users)),
        tuple(f"{TASTES[g]}-{r + 1:03d}" for g, r in zip(group.tolist(), rank.tolist(), strict=True)),
        TASTES[:groups],
        np.concatenate(([0], np.cumsum(counts))),
        np.concatenate(taken).astype(np.int32),
        taste,
        second,
        group,
    )


def _counts(random: np.random.Generator, users: int, items: int, entries: int) -> NDArray[np.int64]:
    """How many items each user takes: most few, some many, `entries` in all but for rounding."""
    share = random.lognormal(0.0, 0.5, users)
    counts = np.round(share * (entries / share.sum())).astype(np.int64)
    clipped: NDArray[np.int64] = np.clip(counts, min(_FEWEST, items // 2), max(1, items // 4))
    return clipped


def _draw(random: np.random.Generator, weight: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """`count` different items with chances by weight (the largest of log weight + Gumbel noise), ascending."""
    noise = np.log(weight) - np.log(-np.log1p(-random.random(len(weight))))
    return np.sort(np.argpartition(noise, -count)[-count:])
