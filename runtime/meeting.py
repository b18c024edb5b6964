"""How ranks meet: a place that all know, where ranks of an earlier attempt may have left what they said."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop, stop
from nnlang.runtime.world import World

JOINING = 300.0  # seconds for all to come
_LOOK = 0.02  # seconds from one look to the next


def meet(here: World) -> tuple[Store, int]:
    """A store that these ranks alone share, when all have come, and how many attempts the place has seen, with this.

    torchrun keeps the place when it starts all ranks anew. So the first rank gives out a name that nobody has used, and
    gives it to each of the others for a word that is new as well: no rank follows what an earlier one has said.
    Raises Stop (NN803, 5) where not all come in time.
    """
    try:
        store = _own_store(here) if here.folder else _named_store()
    except RuntimeError as error:
        raise _missing(here, 1) from error
    if here.is_first:
        attempts, name = store.add("attempts", 1), secrets.token_hex(8)
        _welcome(here, store, name)
    else:
        attempts, name = 1, _welcomed(here, store)
    return PrefixStore(name, store), attempts


def _welcome(here: World, store: Store, name: str) -> None:
    """Gives the name to every rank that asks, until all have it."""
    answered: dict[int, bytes] = {}
    left = set(range(1, here.size))

    def all_came() -> bool:
        for rank in sorted(left):
            if store.check([f"{name}-{rank}"]):
                left.discard(rank)
            elif store.check([f"asks-{rank}"]) and (word := store.get(f"asks-{rank}")) != answered.get(rank):
                store.set(f"answer-{rank}", word.decode() + name)
                answered[rank] = word
        return not left

    if not _in_time(all_came):
        raise _missing(here, here.size - len(left))
    store.set(f"{name}-all", "1")


def _welcomed(here: World, store: Store) -> str:
    """The name that the first rank gives for a new word, when all have it."""
    word = secrets.token_hex(8)
    store.set(f"asks-{here.rank}", word)
    answer = f"answer-{here.rank}"
    if not _in_time(lambda: store.check([answer]) and store.get(answer).startswith(word.encode())):
        raise _missing(here, 1)
    name = store.get(answer).decode().removeprefix(word)
    store.set(f"{name}-{here.rank}", "1")
    if not _in_time(lambda: store.check([f"{name}-all"])):
        raise _missing(here, 1 + sum(store.check([f"{name}-{rank}"]) for rank in range(1, here.size)))
    return name


def _in_time(is_so: Callable[[], bool]) -> bool:
    """Whether something becomes so before it is time to give up."""
    end = time.monotonic() + JOINING
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    return True


def _own_store(here: World) -> Store:
    """The store in the folder of ranks that were started together on one machine: no port that others may take."""
    store: Store = dist.FileStore(os.path.join(here.folder, "store"), here.size)  # type: ignore[attr-defined]
    return store


def _named_store() -> Store:
    """The store at MASTER_ADDR and MASTER_PORT."""
    store: Store = next(iter(rendezvous("env://", timeout=timedelta(seconds=JOINING))))[0]
    return store


def _missing(here: World, came: int) -> Stop:
    meeting = here.folder or ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    return stop(codes.NOT_ALL_CAME, came=came, ranks=here.size, seconds=round(JOINING), meeting=meeting)
