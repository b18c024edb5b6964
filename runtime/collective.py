"""Collectives of the ranks that share a network: sums, maxima and gathers, with the bytes that each rank sends counted.

Exact sums follow one balanced tree in the order of the ranks: every rank gets a part of the elements from all (all to
all), adds them up, and gives the sums to all (all-gather). A library's all-reduce adds in an order of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from nnlang.codegen import grid
from nnlang.codes import ranks as codes
from nnlang.diagnostics import stop

PIECE = 1 << 22  # elements that an exact sum works on in one go: more memory than for two such pieces is never needed
_SIGNS = ("closed by peer", "onnect", "imed out", "imeout", "reset by peer", "Broken pipe", "ocket", "NCCL", "aborted")


class Ranks(Protocol):
    """Ranks that compute together: what each of them calls, all in the same order and with the same shapes."""

    @property
    def rank(self) -> int:
        """This process's number among them, from 0."""

    @property
    def size(self) -> int:
        """How many they are."""

    @property
    def sent(self) -> int:
        """Bytes that this rank has sent in the calls below."""

    def sum(self, x: Tensor) -> Tensor:
        """Adds up x (contiguous) over the ranks, in place: the same bits on every rank."""

    def max(self, x: Tensor) -> Tensor:
        """The largest of each element of x (contiguous) over the ranks, in place; NaN where one is."""

    def start_sum(self, x: Tensor) -> Callable[[], object]:
        """Begins a sum; x is to be left alone until the function that comes back was called, and holds the sum then."""

    def gather(self, x: Tensor, out: Tensor) -> Tensor:
        """Puts every rank's x [rows, units of its part] side by side in out [rows, all units], parts as grid.parts."""


class Alone:
    """Ranks of one: nothing is sent, everything is there already."""

    rank, size, sent = 0, 1, 0

    def sum(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def max(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def start_sum(self, x: Tensor) -> Callable[[], object]:
        """A function that has nothing to do."""
        return _nothing

    def gather(self, x: Tensor, out: Tensor) -> Tensor:
        """A copy of x."""
        return out.copy_(x)


def _nothing() -> None:
    pass


ALONE: Ranks = Alone()


class Group:
    """Ranks as processes, over a process group of torch.distributed (gloo or NCCL).

    exact: sums follow the tree of the module's head. Buffers are kept for the next call of the same size: none is ever
    given back, so that a captured graph may go on using it. Raises Stop (NN801, 5) where a rank is not heard any more.
    """

    def __init__(self, group: dist.ProcessGroup, exact: bool) -> None:
        self.rank, self.size, self.sent = dist.get_rank(group), dist.get_world_size(group), 0
        self._group, self._exact = group, exact
        self._piece = PIECE // self.size * self.size
        self._free: defaultdict[tuple[torch.dtype, torch.device, int], list[Tensor]] = defaultdict(list)

    def sum(self, x: Tensor) -> Tensor:
        """Adds up x (contiguous) over the ranks, in place."""
        self.start_sum(x)()
        return x

    def start_sum(self, x: Tensor) -> Callable[[], object]:
        """Begins a sum over the ranks; the first piece of an exact one (16 MB) is under way on return."""
        if not x.numel():
            return _nothing
        flat = x.view(-1)
        if self._exact:
            first, *others = torch.split(flat, self._piece)
            begun = self._deal(first)

            def finish() -> None:
                begun()
                for piece in others:
                    self._deal(piece)()

            return finish
        self._count(2 * -(-x.numel() // self.size), x)
        with heard():
            work = dist.all_reduce(flat, group=self._group, async_op=True)
        return lambda: _wait(work)

    def _deal(self, piece: Tensor) -> Callable[[], object]:
        """Sends every rank its part of a piece; the function returned adds up, and gathers the sums."""
        count = piece.numel()
        part = -(-count // self.size)
        padded = part * self.size
        sent = piece
        if padded != count:
            sent = self._buffer(piece, padded)
            sent[:count].copy_(piece)
            sent[count:].zero_()
        got = self._buffer(piece, padded)
        self._count(part, piece)
        with heard():
            work = dist.all_to_all_single(got, sent, group=self._group, async_op=True)

        def finish() -> None:
            _wait(work)
            self._all_gather(tree_sum(got.view(self.size, part)), sent)
            if sent is not piece:
                piece.copy_(sent[:count])
                self._give_back(sent)
            self._give_back(got)

        return finish

    def max(self, x: Tensor) -> Tensor:
        """The largest of each element over the ranks, in place."""
        if not x.numel():
            return x
        got, flat = self._buffer(x, x.numel() * self.size), x.view(-1)
        self._all_gather(flat, got)
        torch.amax(got.view(self.size, -1), 0, out=flat)
        self._give_back(got)
        return x

    def gather(self, x: Tensor, out: Tensor) -> Tensor:
        """Puts every rank's units side by side; parts of fewer units than the largest are padded on the way."""
        rows, parts = len(x), grid.parts(out.shape[1], self.size)
        assert parts is not None, "units are split in whole leaves"
        if not rows:
            return out
        most = max(last - first for first, last in parts)
        sent = x
        if x.shape[1] != most or not x.is_contiguous():
            sent = self._buffer(x, rows * most)
            sent.view(rows, most)[:, : x.shape[1]].copy_(x)
            sent.view(rows, most)[:, x.shape[1] :].zero_()
        got = self._buffer(x, rows * most * self.size)
        self._all_gather(sent.view(-1), got)
        for (first, last), theirs in zip(parts, got.view(self.size, rows, most), strict=True):
            out[:, first:last].copy_(theirs[:, : last - first])
        if sent is not x:
            self._give_back(sent)
        self._give_back(got)
        return out

    def send(self, x: Tensor, rank: int) -> None:
        """Sends x (contiguous) to one rank, which is to call `receive`."""
        with heard():
            dist.send(x, group=self._group, group_dst=rank)

    def receive(self, x: Tensor, rank: int) -> None:
        """Waits for what one rank sends, and puts it into x (contiguous)."""
        with heard():
            dist.recv(x, group=self._group, group_src=rank)

    def _all_gather(self, mine: Tensor, out: Tensor) -> None:
        self._count(mine.numel(), mine)
        with heard():
            gather_into(out, mine, self._group)

    def _count(self, elements: int, like: Tensor) -> None:
        """Notes that so many elements went to each of the other ranks."""
        self.sent += (self.size - 1) * elements * like.element_size()

    def _buffer(self, like: Tensor, count: int) -> Tensor:
        free = self._free[like.dtype, like.device, count]
        return free.pop() if free else torch.empty(count, dtype=like.dtype, device=like.device)

    def _give_back(self, buffer: Tensor) -> None:
        self._free[buffer.dtype, buffer.device, buffer.numel()].append(buffer)


def tree_sum(parts: Tensor) -> Tensor:
    """The sum of parts [ranks, elements] by a balanced tree in their order, as kernels.Tree adds leaves; in place."""
    stride = 1
    while stride < len(parts):
        for i in range(0, len(parts) - stride, 2 * stride):
            parts[i].add_(parts[i + stride])
        stride *= 2
    return parts[0]


def gather_into(out: Tensor, mine: Tensor, group: dist.ProcessGroup | None = None) -> None:
    """All-gather of flat tensors of one size, under the name that this torch has for it."""
    call = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    call(out, mine, group=group)


def _wait(work: dist.Work | None) -> None:
    assert work is not None
    with heard():
        work.wait()


@contextmanager
def heard() -> Iterator[None]:
    """Turns what torch says where another rank has gone, or is silent for too long, into a Stop (NN801, 5)."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError) or not any(sign in text for sign in _SIGNS):
            raise
        raise stop(codes.LOST, reason=_reason(text)) from error


def _reason(text: str) -> str:
    """What torch says first, without the place in its own sources."""
    line = text.strip().splitlines()[0]
    line = line.partition("] ")[2] if line.startswith("[") and "] " in line else line
    return line.partition(". ")[0].rstrip(".")
