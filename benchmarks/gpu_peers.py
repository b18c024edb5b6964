"""The PyTorch contenders of `benchmarks/gpu.py`: eager, and compiled with the whole step in one CUDA graph.

They get every help: batches rest on the device, rows of entries are known, no step waits for the host; compiled ones
have forward, backward and optimiser compiled and replay one graph a step. Graphs need batches of one size, so theirs
are padded to the largest one, the padding in a bag of its own that nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from autoencoder import Autoencoder, Shape
from gpu_machine import Machine
from torch import Tensor
from workloads import Data

from nnlang.network import Kind, Network, Optimizer, Training

Step = Callable[[int], object]  # trains one batch, by number


@dataclass(frozen=True)
class Batches:
    """Batches of one size on the device, padded: index and row [batches, entries], offsets [batches, rows + 2]."""

    rows: int
    index: Tensor
    row: Tensor
    offsets: Tensor
    entries: tuple[int, ...]  # of each batch without its padding

    @property
    def bytes(self) -> int:
        """What they hold on the device."""
        return sum(t.numel() * t.element_size() for t in (self.index, self.row, self.offsets))


def batches(data: Data, rows: int, network: Network, count: int, device: torch.device) -> Batches:
    """The first `count` whole batches of a data set."""
    bounds, items = data["offsets"], network.outputs[0].units
    first = [int(bounds[b * rows]) for b in range(count + 1)]
    entries = tuple(int(n) for n in np.diff(first))
    index = np.tile(np.arange(max(entries)) % items, (count, 1))
    row = np.full((count, max(entries)), rows)
    offsets = np.full((count, rows + 2), max(entries))
    for b in range(count):
        mine = bounds[b * rows : (b + 1) * rows + 1] - first[b]
        index[b, : entries[b]] = data["index"][first[b] : first[b + 1]]
        row[b, : entries[b]] = np.repeat(np.arange(rows), np.diff(mine))
        offsets[b, : rows + 1] = mine
    return Batches(rows, *(torch.from_numpy(x).to(device) for x in (index, row, offsets)), entries)


def shape(network: Network) -> Shape:
    """The peers' form of a network of ours."""
    hidden = [layer for layer in network.layers if layer.kind is Kind.HIDDEN]
    penalty = hidden[0].sparseness
    return Shape(
        network.outputs[0].units,
        tuple(layer.units for layer in hidden),
        network.denoising,
        hidden[0].dropout,
        None if penalty is None else (penalty.p, penalty.beta),
    )


def optimizer(model: Autoencoder, settings: Training, eager: bool) -> torch.optim.Optimizer:
    """The optimiser that PyTorch has for these settings, in its fastest form."""
    groups, alpha, mu = model.groups(settings.lambda_), settings.alpha, settings.mu
    if settings.optimizer is Optimizer.NESTEROV:
        kind = {"fused": True} if eager else {"foreach": True}
        return torch.optim.SGD(groups, lr=alpha, momentum=mu, nesterov=True, **kind)
    on_device = model.bias.device.type != "cpu"
    return torch.optim.RMSprop(groups, lr=alpha, alpha=mu, foreach=True, capturable=on_device and not eager)


@dataclass(frozen=True)
class Peer:
    """How one peer runs: on dense rows or an embedding bag, eager or compiled in one of two ways, in tf32 or bf16."""

    dense: bool
    way: str  # "eager", "graph" (one CUDA graph of the compiled step) or "reduce-overhead"
    half: bool = False

    def prepare(self, network: Network, settings: Training, given: Batches, machine: Machine) -> Step:
        """The step of this peer, compiled and captured where it is to be."""
        torch.manual_seed(1)
        torch.set_float32_matmul_precision("high")
        model = Autoencoder(shape(network), self.dense).to(machine.device)
        forward: Callable[..., tuple[Tensor, Tensor]] = model
        chosen = optimizer(model, settings, self.way == "eager")
        update = chosen.step
        if self.way != "eager":
            torch._dynamo.config.recompile_limit = 64  # each peer compiles the same lines, with another model
            torch._dynamo.config.fail_on_recompile_limit_hit = True
            backend = {"backend": "eager"} if machine.dry else {}  # a dry run has no compiler to measure
            mode = {"mode": self.way} if self.way == "reduce-overhead" and not machine.dry else {}
            forward = torch.compile(model, dynamic=False, **backend, **mode)
            update = torch.compile(chosen.step, **backend) if self.way == "graph" else update

        def train(index: Tensor, offsets: Tensor, row: Tensor) -> Tensor:
            chosen.zero_grad(set_to_none=True)
            autocast = torch.autocast(machine.device.type, torch.bfloat16, cache_enabled=False)
            with autocast if self.half else nullcontext():
                error, loss = forward(index, offsets, row, given.rows)
            loss.backward()
            update()
            return error.detach()

        ways = {"eager": exact, "graph": captured, "reduce-overhead": padded}
        return ways[self.way](train, given, machine)


Train = Callable[[Tensor, Tensor, Tensor], Tensor]


def exact(train: Train, given: Batches, machine: Machine) -> Step:
    """Each batch at its own size."""

    def step(b: int) -> object:
        n = given.entries[b]
        return train(given.index[b, :n], given.offsets[b, : given.rows + 1], given.row[b, :n])

    return step


def padded(train: Train, given: Batches, machine: Machine) -> Step:
    """Each batch at the size of the largest."""

    def step(b: int) -> object:
        torch.compiler.cudagraph_mark_step_begin()
        return train(given.index[b], given.offsets[b], given.row[b])

    return step


def captured(train: Train, given: Batches, machine: Machine) -> Step:
    """Each batch copied to where one graph of the whole step reads it."""
    places = tuple(t[0].clone() for t in (given.index, given.offsets, given.row))
    replay = machine.graph(lambda: train(*places))

    def step(b: int) -> object:
        for place, source in zip(places, (given.index, given.offsets, given.row), strict=True):
            place.copy_(source[b])
        return replay()

    return step


PEERS = {
    "torch eager, dense": Peer(dense=True, way="eager"),
    "torch eager, EmbeddingBag": Peer(dense=False, way="eager"),
    "torch.compile + CUDA graph, dense": Peer(dense=True, way="graph"),
    "torch.compile + CUDA graph, EmbeddingBag": Peer(dense=False, way="graph"),
    "torch.compile + CUDA graph, EmbeddingBag, bf16": Peer(dense=False, way="graph", half=True),
    "torch.compile reduce-overhead, EmbeddingBag": Peer(dense=False, way="reduce-overhead"),
}
