"""When a run stops or writes a checkpoint on its way: the first rank's decision, which the others learn of.

They learn of it by small messages, about two a second: each one says after how many groups of batches the next comes.
A rank that is alone asks after every group.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from nnlang.runtime.mesh import Mesh

PERIOD = 0.5  # seconds between messages: so long an interrupted run goes on at most, while a message takes 0.1 ms
GROWTH = 4  # times as many groups as before at most: the first ones compile and warm caches, and take long


class Order(NamedTuple):
    """What is to be done now: end the run, write a checkpoint."""

    stop: bool = False
    save: bool = False


GO_ON = Order()


class Steering:
    """Gives the orders of a run: `interrupted` and `due` are what the first rank goes by."""

    def __init__(self, mesh: Mesh, interrupted: Callable[[], bool], due: Callable[[], bool]) -> None:
        self._mesh, self._interrupted, self._due = mesh, interrupted, due
        self._pace = self._left = 1  # groups from one message to the next, and until then
        self._since = time.monotonic()

    def hurry(self) -> bool:
        """Whether an order waits to be given, as far as this rank knows."""
        return self._mesh.is_first and (self._interrupted() or self._due())

    def after_group(self) -> Order:
        """The order after a group of batches; all ranks ask after each."""
        self._left -= 1
        return GO_ON if self._left > 0 else self.now()

    def at_end(self) -> Order:
        """The order at the end of an epoch, where all ranks ask at once."""
        return GO_ON if self._left == self._pace else self.now()  # it was asked for after the last group

    def now(self) -> Order:
        """The order that holds now; all ranks ask together."""
        if self._mesh.size == 1:
            self._left = self._pace
            return Order(self._interrupted(), self._due())
        seconds, self._since = time.monotonic() - self._since, time.monotonic()
        fitting = int(self._pace * PERIOD / max(seconds, 1e-6))
        mine = self._interrupted(), self._due(), max(1, min(fitting, GROWTH * self._pace))
        stop, save, self._pace = self._mesh.share(mine)
        self._left = self._pace
        return Order(stop, save)
