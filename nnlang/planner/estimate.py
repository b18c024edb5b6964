"""What training takes under one placement, computed from the plan of the rank that has most: bytes, seconds, traffic.

A launch takes the longer of its flops and its bytes at the machine's rates, and what a launch costs. What it exchanges
takes a latency a collective and its bytes at the link's speed; the sum of a walk's input delta passes while the weights
of its last chunk are updated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from nnlang.codegen.cost import ELEMENT, elements
from nnlang.codegen.grid import parts
from nnlang.codegen.machines import Link, Machine
from nnlang.codegen.pipeline import Options
from nnlang.codegen.plan import Launch, Plan, Traffic
from nnlang.codegen.wire import sum_of
from nnlang.compiler import LEARNED, planned
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.ops import Walk
from nnlang.placement import Placement

_PRODUCTS = 3  # of a walk


@dataclass(frozen=True)
class Memory:
    """Bytes that one device holds: what is learned, the optimiser's state, what a step stores, a batch of data."""

    weights: int
    state: int
    buffers: int
    batch: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.state + self.buffers + self.batch


@dataclass(frozen=True)
class Estimate:
    """Training under a placement: the rank that has most, its plan and memory, seconds of a step.

    exchange: seconds of collectives, of which `hidden` pass under other work. states: what this rank has of each.
    """

    placement: Placement
    rank: int
    plan: Plan
    states: tuple[StateInfo, ...]
    memory: Memory
    compute: float
    exchange: float
    hidden: float

    @property
    def seconds(self) -> float:
        """Seconds of a step."""
        return self.compute + self.exchange - self.hidden

    def fits(self, memory: float) -> bool:
        """Whether a device of so many bytes holds it; 0 holds anything."""
        return not memory or self.memory.total <= memory


Estimator = Callable[[Placement], Estimate]


def estimator(network: Network, training: Training, machine: Machine, options: Options) -> Estimator:
    """The function from a placement to its estimate; placements are looked at once."""

    @cache
    def estimate(placement: Placement) -> Estimate:
        rank = fullest(network, placement)
        low, plan = planned(network, training, options, placement, rank)
        compute, exchange, hidden = _times(plan, placement, machine, options.precision)
        return Estimate(placement, rank, plan, tuple(low.states), _memory(low.states, plan), compute, exchange, hidden)

    return estimate


def fullest(network: Network, placement: Placement) -> int:
    """The first rank that has as many units of split layers as any."""
    split = [parts(network.layers[i].units, placement.model) or () for i in sorted(placement.split)]
    held = [sum(dealt[r][1] - dealt[r][0] for dealt in split) for r in range(placement.model)]
    return held.index(max(held))


def _memory(states: list[StateInfo], plan: Plan) -> Memory:
    weights = ELEMENT * sum(math.prod(s.shape) for s in states if (s.owner, s.part) in LEARNED)
    buffers = ELEMENT * sum(plan.slots) + plan.scratch
    return Memory(weights, plan.state_bytes - weights, buffers, plan.feed_bytes)


def _times(plan: Plan, placement: Placement, machine: Machine, precision: str) -> tuple[float, float, float]:
    """Seconds of computing, of exchanging, and of exchanging that passes under computing."""
    rate, bandwidth = machine.rates(precision, placement.ranks)
    link = machine.sums(placement.exact)
    took = [max(x.cost.flops / rate, x.cost.bytes / bandwidth) + machine.launch for x in plan.launches]
    sent = [_seconds(x.traffic, link) for x in plan.launches]
    hidden = [_hidden(x, plan.batch, seconds, link) for x, seconds in zip(plan.launches, took, strict=True)]
    return sum(took), sum(sent), sum(hidden)


def _seconds(traffic: Traffic, link: Link) -> float:
    return traffic.collectives * link.latency + traffic.bytes / link.speed


def _hidden(launch: Launch, batch: int, took: float, link: Link) -> float:
    """Seconds of a walk's exchange that pass while the weights of its last chunk are updated.

    Of a chunk's products (logits, input delta, weight gradient) the last one comes after the input delta.
    """
    match launch.op:
        case Walk(w=w, type=type) if w.type.axes[1].is_split and type.storage == "dense":
            axis = w.type.axes[1]
            chunks = math.ceil((axis.size or 0) / launch.chunk)
            return min(_seconds(sum_of(elements(type, batch), axis.ranks), link), took / chunks / _PRODUCTS)
    return 0.0
