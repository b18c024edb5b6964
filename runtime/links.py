"""The links between ranks, measured: each pair's latency and speed, and sums over all of them, with results checked."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from nnlang.codes import ranks as codes
from nnlang.diagnostics import Diagnostic, Stop
from nnlang.placement import Placement
from nnlang.runtime.collective import Group
from nnlang.runtime.devices import Device
from nnlang.runtime.mesh import Mesh

SIZES = (4, 64 << 10, 1 << 20, 16 << 20)  # bytes of the sums
_MESSAGE = 4 << 20  # bytes of the message whose time gives a link's speed
_SHORT, _LONG = 50, 3  # times that a short, a long message is sent


@dataclass(frozen=True)
class Link:
    """One pair of ranks: seconds that a short message takes one way, and bytes a second of a long one."""

    first: int
    second: int
    latency: float
    rate: float
    is_right: bool  # whether what came back was what had been sent


@dataclass(frozen=True)
class Sum:
    """A sum over all ranks of so many bytes: seconds by the library's all-reduce and by the exact tree."""

    size: int
    library: float
    exact: float
    is_right: bool


def hosts(mesh: Mesh, device: Device) -> list[dict[str, str]]:
    """Every rank's machine, device and threads, in the order of the ranks."""
    name = f"{device.name}:{device.torch.index}" if device.on_gpu else device.name
    here = {"host": platform.node() or "?", "device": name, "threads": str(torch.get_num_threads())}
    return [dict(host) for host in mesh.everyone(here)]


def links(mesh: Mesh, device: Device, hosts: Sequence[Mapping[str, str]]) -> Iterator[Link]:
    """Every pair of ranks, one after another, on every rank; raises Stop (NN807, 5) where one fails."""
    ranks = mesh.lay(Placement(model=mesh.size)).model
    assert isinstance(ranks, Group)
    for first in range(mesh.size):
        for second in range(first + 1, mesh.size):
            try:
                yield _measured(ranks, device, first, second)
            except Stop as stopped:
                if stopped.diagnostics[0].code is not codes.LOST:
                    raise
                raise _failed(hosts, first, second, stopped.diagnostics[0].facts["reason"]) from stopped


def _failed(hosts: Sequence[Mapping[str, str]], first: int, second: int, reason: object) -> Stop:
    facts: dict[str, object] = {"first": first, "second": second, "reason": reason}
    facts |= {"first_host": hosts[first]["host"], "second_host": hosts[second]["host"]}
    return Stop(Diagnostic(codes.LINK_FAILED, None, facts))


def _measured(ranks: Group, device: Device, first: int, second: int) -> Link:
    """One pair, as its first rank sees it: messages go there and back, while the others wait for what it found."""
    told = torch.zeros(4, dtype=torch.float64, device=device.torch)
    if ranks.rank in (first, second):
        found = [_round_trip(ranks, device, (first, second), *plan) for plan in ((4, _SHORT), (_MESSAGE, _LONG))]
        if ranks.rank == first:
            told[:] = torch.tensor([number for pair in found for number in pair], dtype=torch.float64)
    latency, right, seconds, also_right = ranks.sum(told).tolist()  # beside zeros: the first one's numbers
    return Link(first, second, latency / 2, 2 * _MESSAGE / seconds, right + also_right == 2)


def _round_trip(ranks: Group, device: Device, pair: tuple[int, int], size: int, times: int) -> tuple[float, bool]:
    """Seconds until a message is back at the pair's first rank, and whether it came back as it went."""
    sent = _pattern(size, device)
    got = torch.empty_like(sent)
    first, second = pair

    def ask() -> None:
        ranks.send(sent, second)
        ranks.receive(got, second)

    def answer() -> None:
        ranks.receive(got, first)
        ranks.send(got, first)

    seconds = _seconds(ask if ranks.rank == first else answer, times, device)
    return seconds, torch.equal(sent, got)


def sums(mesh: Mesh, device: Device) -> Iterator[Sum]:
    """Sums of growing size over all ranks, on every rank; times are those of the slowest."""
    groups = [mesh.lay(Placement(model=mesh.size, exact=exact)).model for exact in (False, True)]
    total = mesh.size * (mesh.size + 1) // 2
    for size in SIZES:
        seconds, right = [], True
        for ranks in groups:
            x = _pattern(size, device)
            wanted, mine = x * total, x * (mesh.rank + 1)
            right &= torch.equal(ranks.sum(mine.clone()), wanted)
            seconds.append(_seconds(partial(ranks.sum, mine.zero_()), _LONG, device))
        told = mesh.everyone([*seconds, float(right)])
        yield Sum(size, max(t[0] for t in told), max(t[1] for t in told), all(t[2] == 1.0 for t in told))


def _pattern(size: int, device: Device) -> Tensor:
    """So many bytes of whole numbers, whose sums over ranks are exact in float32."""
    return (torch.arange(size // 4, device=device.torch) % 251 + 1).float()


def _seconds(act: Callable[[], object], times: int, device: Device) -> float:
    """The median time of an act, after one that does not count."""
    found = []
    for _ in range(times + 1):
        began = time.perf_counter()
        act()
        if device.on_gpu:
            torch.cuda.synchronize(device.torch)
        found.append(time.perf_counter() - began)
    return median(found[1:])
