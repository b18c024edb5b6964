"""The networks of the benchmarks as a PyTorch user would write them; the peers on CPU and GPU train these."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """What an autoencoder of sigmoids is made of; `sparseness` is (p, beta) of the penalty on the hidden units."""

    items: int
    hidden: tuple[int, ...]
    denoising: float = 0.0
    dropout: float = 0.0
    sparseness: tuple[float, float] | None = None


class Autoencoder(torch.nn.Module):
    """items -> hidden layers of sigmoids -> logits of the items, its input by an embedding bag or dense."""

    def __init__(self, shape: Shape, dense: bool) -> None:
        super().__init__()
        self.shape, self.dense = shape, dense
        self.first = torch.nn.EmbeddingBag(shape.items, shape.hidden[0], mode="sum", include_last_offset=True)
        self.bias = torch.nn.Parameter(torch.zeros(shape.hidden[0]))
        sizes = (*shape.hidden, shape.items)
        self.rest = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        for layer, fan in ((self.first, shape.items + shape.hidden[0]), *((x, sum(x.weight.shape)) for x in self.rest)):
            torch.nn.init.uniform_(layer.weight, -((6 / fan) ** 0.5), (6 / fan) ** 0.5)

    def forward(self, index: Tensor, offsets: Tensor, row: Tensor, m: int) -> tuple[Tensor, Tensor]:
        """The error, summed over m rows and all items, and the loss to minimise; `row` tells the row of each entry.

        A bag beyond the m rows may hold padding: graphs need batches of one size.
        """
        bags, device = len(offsets) - 1, index.device
        one = torch.ones((), device=device)
        target = torch.zeros(bags, self.shape.items, device=device).index_put_((row, index), one)[:m]
        keep = self.kept(index)
        if self.dense:
            x = torch.zeros(bags, self.shape.items, device=device)
            z = x.index_put_((row, index), one if keep is None else keep)[:m] @ self.first.weight
        else:
            z = self.first(index, offsets, per_sample_weights=keep)[:m]
        hidden = [torch.sigmoid(z + self.bias)]
        for layer in self.rest[:-1]:
            hidden.append(torch.sigmoid(layer(self.dropped(hidden[-1]))))
        logits = self.rest[-1](self.dropped(hidden[-1]))
        error = functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        return error, error / m + self.penalty(hidden)

    def kept(self, index: Tensor) -> Tensor | None:
        """What denoising leaves of the entries: dropped at the rate, the others scaled up."""
        rate = self.shape.denoising
        return (torch.rand(len(index), device=index.device) >= rate).float().div_(1 - rate) if rate else None

    def dropped(self, x: Tensor) -> Tensor:
        """Hidden units after dropout."""
        return functional.dropout(x, self.shape.dropout) if self.shape.dropout else x

    def penalty(self, hidden: list[Tensor]) -> Tensor | float:
        """The sparseness penalty of the hidden layers."""
        if self.shape.sparseness is None:
            return 0.0
        p, beta = self.shape.sparseness
        means = [h.mean(0).clamp(1e-6, 0.999999) for h in hidden]
        return beta * sum((-p * rho.log() - (1 - p) * (1 - rho).log()).sum() for rho in means)

    def groups(self, weight_decay: float) -> list[dict[str, object]]:
        """The parameters for an optimiser: weights decay, biases do not."""
        weights = [self.first.weight, *(layer.weight for layer in self.rest)]
        biases = [self.bias, *(layer.bias for layer in self.rest)]
        return [{"params": weights, "weight_decay": weight_decay}, {"params": biases}]
