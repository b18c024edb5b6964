"""The ranks of a run as one whole: how they find one another, what they agree on, and whom each of them adds up with.

Two process groups: messages that steer a run wait as long as the first rank saves or judges; those of a step give up
after 25 seconds, so that a rank that is silent ends the run.
"""

from __future__ import annotations

import atexit
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store

from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop, stop
from nnlang.placement import ALONE as ALONE_PLACEMENT
from nnlang.placement import Placement
from nnlang.runtime import collective
from nnlang.runtime.collective import Group, Ranks, gather_into, heard
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.files import atomic_text
from nnlang.runtime.meeting import meet
from nnlang.runtime.world import QUICK, SINGLE, World, world

PATIENT = timedelta(days=1)  # for the first rank to save or to judge
_MESSAGE = 512  # bytes of a message that goes in one piece
_BLOCK = 1 << 24  # bytes of a block of rows on its way to the first rank


@dataclass(frozen=True)
class Mesh:
    """The ranks of a run: this one's number, the group that shares its rows, the group that shares its units.

    model: the ranks that share the units of split layers; data: those that hold the same units and have other rows.
    Until `lay` has laid a placement both are alone.
    """

    rank: int = 0
    size: int = 1
    placement: Placement = ALONE_PLACEMENT
    model: Ranks = collective.ALONE
    data: Ranks = collective.ALONE
    world: World = SINGLE
    store: Store | None = None
    backend: str = "gloo"
    quick: float = QUICK

    @property
    def is_first(self) -> bool:
        """Whether this rank speaks, judges and writes for all."""
        return self.rank == 0

    @property
    def sent(self) -> int:
        """Bytes that this rank has sent in the collectives of steps."""
        return self.model.sent + self.data.sent

    def lay(self, placement: Placement) -> Mesh:
        """The same ranks with the groups of a placement of as many; to be called by all of them."""
        assert placement.ranks == self.size, "a placement is made for the ranks that there are"
        across, along = self.size // placement.model, placement.model
        rows = [[d * along + m for m in range(along)] for d in range(across)]
        columns = [[d * along + m for d in range(across)] for m in range(along)]
        model, data = self._grouped(rows, placement), self._grouped(columns, placement)
        return replace(self, placement=placement, model=model, data=data)

    def _grouped(self, groups: Sequence[Sequence[int]], placement: Placement) -> Ranks:
        """This rank's among groups that all ranks make together."""
        mine: Ranks = collective.ALONE
        for members in groups:
            if len(members) > 1:
                with heard():
                    group = dist.new_group(list(members), timedelta(seconds=self.quick), self.backend)
                if self.rank in members:
                    assert group is not None
                    mine = Group(group, placement.exact)
        return mine

    def share(self, value: Any = None) -> Any:
        """The first rank's value (anything that JSON can say) on every rank; what the others give does not count."""
        if self.size == 1:
            return value
        message = torch.zeros(_MESSAGE, dtype=torch.uint8)
        text = json.dumps(value).encode() if self.is_first else b""
        if self.is_first:
            head = len(text).to_bytes(8, "little") + text[: _MESSAGE - 8]
            message[: len(head)] = torch.frombuffer(bytearray(head), dtype=torch.uint8)
        with heard():
            dist.broadcast(message, 0)
            taken = bytes(message.numpy())
            length = int.from_bytes(taken[:8], "little")
            if length <= _MESSAGE - 8:
                return json.loads(taken[8 : 8 + length])
            whole = torch.empty(length, dtype=torch.uint8)
            if self.is_first:
                whole.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            dist.broadcast(whole, 0)
        return json.loads(bytes(whole.numpy()))

    def everyone(self, value: Any) -> list[Any]:
        """Every rank's value (anything that JSON can say), in the order of the ranks, on every rank."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        lengths = torch.empty(self.size, dtype=torch.int64)
        with heard():
            gather_into(lengths, torch.tensor([len(text)]))
            most = int(lengths.max())
            mine, got = torch.zeros(most, dtype=torch.uint8), torch.empty(self.size * most, dtype=torch.uint8)
            mine[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
            gather_into(got, mine)
        pieces = zip(got.view(self.size, most), lengths.tolist(), strict=True)
        return [json.loads(bytes(piece[:length].numpy())) for piece, length in pieces]

    def barrier(self) -> None:
        """Returns when all ranks have come here, however long that takes."""
        if self.size > 1:
            self.everyone(None)

    def collect(self, x: Tensor, dim: int, parts: Sequence[tuple[int, int]]) -> NDArray[Any] | None:
        """The whole of a tensor that the first model group holds in parts along dimension 0 or 1, on the first rank.

        parts: where each rank's part begins and ends. None on the other ranks; to be called by all. Blocks of 16 MB
        are on their way at a time.
        """
        if self.rank >= len(parts):
            return None
        mine = x.detach()
        if not self.is_first:
            with heard():
                for block in _blocks(mine):
                    dist.send(block.contiguous().cpu(), 0)
            return None
        shape = list(x.shape)
        shape[dim] = parts[-1][1]
        whole = torch.empty(shape, dtype=x.dtype)
        whole.narrow(dim, *_span(parts[0])).copy_(mine)
        for rank, part in enumerate(parts[1:], 1):
            with heard():
                for block in _blocks(whole.narrow(dim, *_span(part))):
                    got = torch.empty(block.shape, dtype=x.dtype)
                    dist.recv(got, rank)
                    block.copy_(got)
        return np.asarray(whole.numpy())

    def agree(self, facts: Mapping[str, str]) -> None:
        """Raises Stop (NN802, 2), on every rank alike, where a fact is not the same on all of them."""
        told = self.everyone(dict(facts))
        for rank, theirs in enumerate(told):
            for what in {**told[0], **theirs}:
                first, other = told[0].get(what, "none"), theirs.get(what, "none")
                if first != other:
                    raise stop(codes.DISAGREE, what=what, first=_short(first), other=_short(other), rank=rank)

    def says(self, stopped: Stop) -> bool:
        """Whether this rank is to tell why it ends; that another is lost only where nobody has told more.

        Where `nnlang.runtime.launch` watches, it knows why a rank has gone, and chooses among what the others write.
        """
        if self.store is None:
            return True
        lost = next((str(d.facts["reason"]) for d in stopped.diagnostics if d.code is codes.LOST), "")
        if self.world.folder:
            if lost:
                atomic_text(Path(self.world.folder, f"lost-{self.rank}"), [lost])
            return not lost
        with suppress(RuntimeError):  # the place where all meet has gone with the first rank's machine
            if lost and self.store.check(["told"]):
                return False
            key = "lost" if lost else hashlib.sha256(str(stopped).encode()).hexdigest()
            if not lost:
                self.store.set("told", "1")
            return bool(self.store.add(key, 1) == 1)
        return True

    def close(self) -> None:
        """Leaves the others; nothing can be shared afterwards."""
        if self.size > 1 and dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()


ALONE_MESH = Mesh()


def join(device: Device = CPU, quick: float = QUICK) -> Mesh:
    """The mesh of all ranks that RANK and WORLD_SIZE speak of, when all have come; alone where there are no others.

    quick: seconds that a step waits for another rank. `world.restarts` is how often these ranks have been started anew,
    the same on all of them. Raises Stop where the environment makes no sense (NN804, 2), where not all come (NN803, 5).
    """
    here = world()
    if here.size == 1:
        return Mesh(world=here)
    store, attempts = meet(here)
    with heard():
        dist.init_process_group("gloo", store=store, rank=here.rank, world_size=here.size, timeout=PATIENT)
    backend = "nccl" if device.kind == "cuda" else "gloo"
    mesh = Mesh(here.rank, here.size, world=here, store=PrefixStore("said", store), backend=backend, quick=quick)
    atexit.register(mesh.close)
    restarts = max(mesh.everyone(max(here.restarts, attempts - 1)))
    return replace(mesh, world=replace(here, restarts=restarts))


def _blocks(x: Tensor) -> Sequence[Tensor]:
    """Blocks of rows of at most 16 MB, or of one row."""
    row = max(1, x[:1].numel() * x.element_size())
    return torch.split(x, max(1, _BLOCK // row))


def _span(part: tuple[int, int]) -> tuple[int, int]:
    """Where a part begins, and its length."""
    return part[0], part[1] - part[0]


def _short(text: str) -> str:
    return f"`{text}`" if len(text) <= 32 else f"`{text[:29]}...`"
