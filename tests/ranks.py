"""Ranks that are threads of this process: N programs of a placement run side by side, so that a case costs no start-up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from nnlang.codegen import grid
from nnlang.runtime.collective import tree_sum

T = TypeVar("T")


class Meeting:
    """Where threads meet to exchange tensors."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=60)
        self.held: list[Tensor] = [torch.empty(0)] * size


class Thread:
    """One rank; bytes are counted as processes send them."""

    def __init__(self, meeting: Meeting, rank: int, size: int) -> None:
        self.rank, self.size, self.sent = rank, size, 0
        self._meeting = meeting

    def _exchange(self, x: Tensor) -> list[Tensor]:
        self._meeting.held[self.rank] = x.clone()
        self._meeting.barrier.wait()
        found = [t.clone() for t in self._meeting.held]
        self._meeting.barrier.wait()
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


def together(size: int, work: Callable[[int, Thread], T]) -> list[T]:
    """What the ranks give, by rank; the first failure is raised."""
    meeting = Meeting(size)

    def run(rank: int) -> T:
        try:
            return work(rank, Thread(meeting, rank, size))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
        failures = [f.exception() for f in futures]
        real = [e for e in failures if e is not None and not isinstance(e, threading.BrokenBarrierError)]
        for error in [*real, *(e for e in failures if e is not None)]:
            raise error
    return [f.result() for f in futures]
