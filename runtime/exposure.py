"""How often each item is recommended, and what follows: coverage, how alike the lists of two users are, collapse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnlang.runtime.metrics import Ints

_LEAST_USERS = 50  # with fewer the likeness of two lists is chance
_DEPTH = 10  # lists longer than a tenth of the items are alike whatever ranks them
_ALIKE = 0.9  # of what the same order for all reaches
_NARROW, _PART = 0.01, 0.2


@dataclass(frozen=True)
class Exposure:
    """How often each of the items was listed, int64 [items], in lists of k for so many users."""

    counts: Ints
    users: int
    k: int

    @property
    def coverage(self) -> float:
        """The share of all items that appear in any list."""
        return int(np.count_nonzero(self.counts)) / max(1, len(self.counts))

    @property
    def likeness(self) -> float:
        """The share of a list that another user's list has too, on average over all pairs of users."""
        pairs = self.users * (self.users - 1) * self.k
        counts = self.counts.astype(np.float64)
        return float((counts * (counts - 1)).sum()) / pairs if pairs else 0.0


def collapse(lists: Exposure, popular: Exposure) -> str:
    """Why lists have collapsed, beside those of popularity for the same users; "" where they have not.

    Two signs (docs/evaluation.md): two users' lists are as alike as if all had one order and only lost what each has
    already; or all lists together cover under 1% of the items and under a fifth of what popularity covers.
    """
    share, other = f"{lists.coverage:.2%}", f"{popular.coverage:.2%}"
    if lists.users >= _LEAST_USERS and lists.k * _DEPTH <= len(lists.counts):
        if lists.likeness >= _ALIKE * popular.likeness > 0:
            return (
                f"two users share {lists.likeness:.0%} of their {lists.k} items on average, "
                f"with one order for everybody {popular.likeness:.0%}; they cover {share} of the items"
            )
        if lists.coverage < min(_NARROW, _PART * popular.coverage):
            return f"they cover {share} of the items, those of popularity {other}"
    return ""
