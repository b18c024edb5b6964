"""Ranks that are threads of this process: N programs run side by side, so that a case costs no start-up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlang.codegen import grid
from nnlang.placement import Placement
from nnlang.runtime.collective import ALONE, tree_sum
from nnlang.runtime.mesh import Mesh

T = TypeVar("T")


class Meeting:
    """Where threads meet to exchange tensors. turn: what they hold while they compute, where one at a time may."""

    def __init__(self, size: int, turn: threading.Lock | None = None) -> None:
        self.barrier = threading.Barrier(size, timeout=60)
        self._turn = turn
        self.held: list[Tensor] = [torch.empty(0)] * size
        self.said: list[Any] = [None] * size

    def wait(self) -> None:
        """Waits for the others, who compute meanwhile."""
        if self._turn is None:
            self.barrier.wait()
            return
        self._turn.release()
        try:
            self.barrier.wait()
        finally:
            self._turn.acquire()


class Thread:
    """One rank; bytes are counted as processes send them."""

    def __init__(self, meeting: Meeting, rank: int, size: int) -> None:
        self.rank, self.size, self.sent = rank, size, 0
        self._meeting = meeting

    def _exchange(self, x: Tensor) -> list[Tensor]:
        self._meeting.held[self.rank] = x.clone()
        self._meeting.wait()
        found = [t.clone() for t in self._meeting.held]
        self._meeting.wait()
        return found

    def sum(self, x: Tensor) -> Tensor:
        self.sent += 2 * (self.size - 1) * -(-x.numel() // self.size) * x.element_size()
        assert x.is_contiguous()
        return x.copy_(tree_sum(torch.stack(self._exchange(x))))

    def max(self, x: Tensor) -> Tensor:
        self.sent += (self.size - 1) * x.numel() * x.element_size()
        return x.copy_(torch.stack(self._exchange(x)).amax(0))

    def start_sum(self, x: Tensor) -> Callable[[], object]:
        return lambda: self.sum(x)

    def gather(self, x: Tensor, out: Tensor) -> Tensor:
        parts = grid.parts(out.shape[1], self.size)
        assert parts is not None
        longest = max(last - first for first, last in parts)
        self.sent += (self.size - 1) * len(x) * longest * x.element_size()
        return torch.cat(self._exchange(x), 1, out=out)


class ThreadMesh(Mesh):
    """The ranks of a placement as threads of this process."""

    @classmethod
    def of(cls, placement: Placement, rank: int, meetings: Meetings) -> ThreadMesh:
        """One rank's."""
        d, m = placement.data_rank(rank), placement.model_rank(rank)
        model = Thread(meetings.rows[d], m, placement.model) if placement.model > 1 else ALONE
        data = Thread(meetings.columns[m], d, placement.data) if placement.data > 1 else ALONE
        made = cls(rank, placement.ranks, placement, model, data)
        object.__setattr__(made, "all", meetings.all)
        return made

    def everyone(self, value: Any) -> list[Any]:
        meeting: Meeting = self.__dict__["all"]
        meeting.said[self.rank] = value
        meeting.wait()
        found = list(meeting.said)
        meeting.wait()
        return found

    def share(self, value: Any = None) -> Any:
        return self.everyone(value)[0]

    def collect(self, x: Tensor, dim: int, parts: Sequence[tuple[int, int]]) -> NDArray[Any] | None:
        found = self.everyone(x)[: len(parts)]
        return torch.cat(found, dim).numpy() if self.is_first else None


class Meetings:
    """All that the ranks of a placement meet at."""

    def __init__(self, placement: Placement, turn: threading.Lock | None = None) -> None:
        self.all = Meeting(placement.ranks, turn)
        self.rows = [Meeting(placement.model, turn) for _ in range(placement.data)]
        self.columns = [Meeting(placement.data, turn) for _ in range(placement.model)]

    def abort(self) -> None:
        for meeting in (self.all, *self.rows, *self.columns):
            meeting.barrier.abort()


def meshed(placement: Placement, work: Callable[[Mesh], T], *, in_turn: bool = False) -> list[T]:
    """What the ranks of a placement give, by rank; the first failure is raised.

    in_turn: one rank computes at a time, until it waits for others: Triton's interpreter knows one thread alone.
    """
    turn = threading.Lock()
    meetings = Meetings(placement, turn if in_turn else None)

    def one(rank: int) -> T:
        mesh = ThreadMesh.of(placement, rank, meetings)
        if not in_turn:
            return work(mesh)
        with turn:
            return work(mesh)

    return _run(placement.ranks, one, meetings.abort)


def together(size: int, work: Callable[[int, Thread], T]) -> list[T]:
    """What the ranks give, by rank; the first failure is raised."""
    meeting = Meeting(size)
    return _run(size, lambda rank: work(rank, Thread(meeting, rank, size)), meeting.barrier.abort)


def _run(size: int, work: Callable[[int], T], abort: Callable[[], None]) -> list[T]:
    def run(rank: int) -> T:
        try:
            return work(rank)
        except BaseException:
            abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
        failures = [e for f in futures if (e := f.exception()) is not None]
    for error in sorted(failures, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error
    return [f.result() for f in futures]
