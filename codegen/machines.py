"""What devices and the links between them can do, as a table: rates, memory, latencies, each with its source.

These figures make computed times; nothing here is asked of a device that is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Link:
    """What a rank sends others through: bytes per second in one direction, seconds until a small message is there."""

    speed: float
    latency: float


@dataclass(frozen=True)
class Machine:
    """One device: flops per second by precision, bytes per second and bytes of its memory, seconds a launch costs.

    tree is the link as sums in a fixed order see it: all-to-all, a sum here, an all-gather. shared: its ranks are
    processes on one machine's cores, whose rates and memory they divide among them.
    """

    name: str
    flops: Mapping[str, float]
    bandwidth: float
    memory: float  # 0 where it is not known
    launch: float
    link: Link
    tree: Link
    shared: bool = False

    def rates(self, precision: str, ranks: int) -> tuple[float, float]:
        """Flops and bytes per second of one rank among some."""
        share = ranks if self.shared else 1
        return self.flops[precision] / share, self.bandwidth / share

    def sums(self, exact: bool) -> Link:
        """The link as collectives see it; exact: sums follow one tree."""
        return self.tree if exact else self.link


# What an H200 was measured to reach of its data sheet: 4.3 of 4.8 TB/s in a copy, 790 of 989 TF in bf16; the links' 360
# of 450 GB/s are published measurements. Devices that nobody measured here are taken to reach as much of theirs.
_COPIED, _MULTIPLIED, _SENT = 4.3 / 4.8, 790 / 989, 360 / 450
_NODE = 2e-6  # a further kernel in a CUDA graph
_FIRST = 10e-6  # 8 to 12 us: an all-reduce of a small message inside a node


def _gpu(name: str, sheet: tuple[float, float, float], bandwidth: float, memory: float, link: float) -> Machine:
    """A GPU by its data sheet: TF in fp32, tf32 and bf16 without sparsity, TB/s, GB, GB/s of its links one way."""
    fp32, tf32, bf16 = (1e12 * rate * _MULTIPLIED for rate in sheet)
    flops = {"fp32": fp32, "tf32": tf32, "tf32x3": tf32 / 3, "bf16": bf16}
    links = Link(1e9 * link * _SENT, _FIRST), Link(1e9 * link * _SENT, 2 * _FIRST)
    return Machine(name, flops, 1e12 * bandwidth * _COPIED, 1e9 * memory, _NODE, *links)


A100 = _gpu("a100", (19.5, 156, 312), 2.039, 80, 300)
H200 = _gpu("h200", (67, 494.5, 989), 4.8, 141, 450)
B200 = _gpu("b200", (80, 1125, 2250), 8.0, 180, 900)
MI300X = _gpu("mi300x", (163.4, 653.7, 1307.4), 5.3, 192, 448)
# Two cores of an EPYC: products 200 GF, a copy 60 GB/s. gloo between two processes there: 64 kB in 0.7 ms, 1 MB in 2.1
# ms, 16 MB in 18 ms; through the tree 0.8, 2.2 to 5.6 and 40 ms. A call of torch and what it allocates: some 20 us.
CPU = Machine("cpu", {"fp32": 200e9}, 60e9, 0, 20e-6, Link(1e9, 0.8e-3), Link(0.45e9, 1e-3), shared=True)

MACHINES: Mapping[str, Machine] = {
    "cpu": CPU,
    "interpret": CPU,
    "cuda:80": A100,
    "cuda:90": H200,
    "cuda:100": B200,
    "hip:gfx942": MI300X,
}  # by the target that is compiled for

_SPEED = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) *([KMGT]?)(B|bit)/s", re.IGNORECASE | re.ASCII)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) *(ns|us|ms|s)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class MalformedLinkError(ValueError):
    """A text that describes no link, with the reason."""


def with_link(machine: Machine, text: str) -> Machine:
    """The machine with another link: `25GB/s,30us`, a speed, a latency or both. Raises MalformedLinkError.

    Ranks that have a link between them are no processes of one machine: each has its rates for itself.
    """
    speed = latency = None
    for part in (p.strip() for p in text.split(",")):
        if (found := _SPEED.fullmatch(part)) and speed is None:
            speed = float(found[1]) * _UNITS[found[2].lower()] / (8 if found[3].lower() == "bit" else 1)
        elif (found := _DELAY.fullmatch(part)) and latency is None:
            latency = float(found[1]) * _SECONDS[found[2].lower()]
        else:
            raise MalformedLinkError(f"`{part}` is neither a speed nor a latency, or is the second one")
    if speed == 0:
        raise MalformedLinkError("nothing comes through a link of speed 0")

    def mended(link: Link, messages: int) -> Link:
        return Link(speed or link.speed, link.latency if latency is None else messages * latency)

    return replace(machine, link=mended(machine.link, 1), tree=mended(machine.tree, 2), shared=False)
