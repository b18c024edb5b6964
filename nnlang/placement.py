"""How a network is laid over ranks: whose units are split, and how many groups share out the rows of a batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """A mesh of `data` x `model` ranks, the model ranks of a group adjacent, and the layers that are split over them.

    exact: sums in leaves and trees that do not depend on the number of ranks, for the same bits on 1, 2, 4 and 8.
    """

    model: int = 1  # ranks that share the units of the split layers
    data: int = 1  # groups of such ranks, each with its own rows of every batch
    split: frozenset[int] = frozenset()  # numbers of the layers whose units are split over the model ranks
    exact: bool = False

    @property
    def ranks(self) -> int:
        """Ranks in all."""
        return self.model * self.data

    def model_rank(self, rank: int) -> int:
        """A rank's place among those that share its rows."""
        return rank % self.model

    def data_rank(self, rank: int) -> int:
        """The number of a rank's group."""
        return rank // self.model


ALONE = Placement()
