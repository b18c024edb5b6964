"""Which rank of how many a process is: what the environment says that `nnlang --devices` or torchrun gave it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop, stop

STORE = "NNLANG_RANKS"  # the folder that ranks which we started ourselves find one another in
QUICK = 25.0  # seconds that a step waits for a rank that is silent: all have ended within 30
ALIVE = "NNLANG_RANKS_ALIVE"  # the reading end of a pipe that the starting process holds open


@dataclass(frozen=True)
class World:
    """A process's place among the ranks: of all (`rank` of `size`), of its machine, and how they were started.

    folder: where ranks that nnlang started itself meet; empty where another program started them. restarts: how often
    torchrun has started all ranks anew after one had failed.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0
    folder: str = ""

    @property
    def is_first(self) -> bool:
        """Whether this rank speaks, judges and writes for all."""
        return self.rank == 0


SINGLE = World()


def world(environment: Mapping[str, str] = os.environ) -> World:
    """This process's place; alone where RANK and WORLD_SIZE name no other. Raises Stop (NN804, 2) for nonsense."""
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return World()
    size = _number(environment, "WORLD_SIZE", 1, 1 << 20)
    rank = _number(environment, "RANK", 0, size - 1)
    if size == 1:
        return World(restarts=_number(environment, "TORCHELASTIC_RESTART_COUNT", 0, 1 << 31, 0))
    folder = environment.get(STORE, "")
    if not folder and not {"MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
        raise _refused("MASTER_ADDR", environment, "must say, with MASTER_PORT, where the ranks meet")
    local_size = _number(environment, "LOCAL_WORLD_SIZE", 1, size, 1)
    local_rank = _number(environment, "LOCAL_RANK", 0, local_size - 1, 0)
    restarts = _number(environment, "TORCHELASTIC_RESTART_COUNT", 0, 1 << 31, 0)
    return World(rank, size, local_rank, local_size, restarts, folder)


def in_ranks() -> bool:
    """Whether this process is one of several ranks."""
    return world().size > 1


def _number(environment: Mapping[str, str], name: str, least: int, most: int, default: int | None = None) -> int:
    """An integer of the environment within bounds; raises Stop where it is none."""
    text = environment.get(name, "" if default is None else str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise _refused(name, environment, f"must be an integer from {least} to {most}")
    return int(text)


def _refused(name: str, environment: Mapping[str, str], reason: str) -> Stop:
    value = f"is `{environment[name]}`" if name in environment else "is not set"
    return stop(codes.BAD_WORLD, name=name, value=value, reason=reason)
