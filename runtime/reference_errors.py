"""The error functions of the float64 reference: targets in, error per unit out, derivatives left to autograd.

Source: dsstne.md 3.2 and 3.3 with the mends that docs/numerics.md lists. Nothing here is shared with the targets'
expressions, so that a wrong row cannot agree with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nnlang.network import ErrorFunction, Loss

Array = np.ndarray[Any, Any] | Tensor

LEAST_LOGARITHM_ARGUMENT = 1e-12  # dsstne.md 0.2
UNBOOSTED = (ErrorFunction.SMCE, ErrorFunction.DSMCE)  # their own scales do what DeltaBoost does


@dataclass(frozen=True)
class Targets:
    """What one output layer should say for m examples, as dense arrays whatever the data set's form.

    `values` [m, n] holds t, 0 where nothing is stored. `kind` says what the set is: "dense" (one-hot rows included),
    "boolean" or "analog" (both sparse); a sparse one needs `present`, bool [m, n]. `weight` [m] is the example weight
    of a weighted set. With `ignore_zero` absent units add nothing to the error.
    """

    values: Array
    kind: Literal["dense", "boolean", "analog"] = "dense"
    present: Array | None = None
    weight: Array | None = None
    ignore_zero: bool = False


def double(array: Array) -> Tensor:
    """The array as a float64 tensor; a tensor of that type passes through with its graph."""
    return torch.as_tensor(array, dtype=torch.float64)


def boost(loss: Loss, targets: Targets) -> Tensor | None:
    """What DeltaBoost multiplies the delta of each unit by, [m, n], or None where it does not act (dsstne.md 3.3)."""
    if targets.kind == "dense" or loss.function in UNBOOSTED or loss.boost_one == loss.boost_zero == 1.0:
        return None
    present = _present(targets).to(torch.float64)
    return loss.boost_one * present + loss.boost_zero * (1 - present)


def unit_errors(loss: Loss, softmax: bool, a: Tensor, targets: Targets) -> Tensor:
    """The error of each unit of each example, [m, n] float64, for activations `a` [m, n]; they sum to the error."""
    case = _Case(a, loss, targets)
    errors = (SOFTMAX if softmax else PLAIN)[loss.function](case)
    return errors * case.present if targets.ignore_zero else errors


class _Case:
    """One output layer's activations beside every reading of its targets that a row of the tables needs."""

    def __init__(self, a: Tensor, loss: Loss, targets: Targets) -> None:
        self.a, self.loss = a, loss
        self.present = _present(targets)
        boolean = targets.kind == "boolean"
        self.t = self.present.to(torch.float64) if boolean else double(targets.values)
        self.classes = self.t if targets.kind == "dense" else self.present.to(torch.float64)
        weight = None if targets.weight is None else double(targets.weight)[:, None]
        self.w = torch.ones(a.shape[0], 1, dtype=torch.float64) if weight is None else weight
        stored = self.present.to(torch.float64).sum(dim=1, keepdim=True).clamp(min=1)
        one = self.w if weight is not None or not boolean else 1.0 / stored
        self.share = one * self.t  # what a SoftMax unit should hold: its part of the row, w t, or w v


def _present(targets: Targets) -> Tensor:
    if targets.kind == "dense":
        return torch.ones(tuple(targets.values.shape), dtype=torch.bool)
    assert targets.present is not None, "sparse targets need the mask of their stored entries"
    return torch.as_tensor(targets.present, dtype=torch.bool)


def _log(x: Tensor) -> Tensor:
    """ln x with the value clamped at 1e-12 and the slope left alone: the clamp guards the number, not the training."""
    exact = x.clamp(min=1e-300).log()
    return exact + (x.clamp(min=LEAST_LOGARITHM_ARGUMENT).log() - exact).detach()


def _l1(c: _Case) -> Tensor:
    return c.w * functional.l1_loss(c.a, c.t, reduction="none")


def _l2(c: _Case) -> Tensor:
    return 0.5 * c.w * functional.mse_loss(c.a, c.t, reduction="none")


def _l2_hinge(c: _Case) -> Tensor:
    short = c.a - c.t.abs()
    return 0.5 * c.w * torch.where(c.t > 0, short.clamp(max=0), short.clamp(min=0)).square()


def _hinge(c: _Case) -> Tensor:
    return c.w * functional.relu(1 - c.t * c.a)


def _cross_entropy(c: _Case) -> Tensor:
    return -c.w * (c.classes * _log(c.a) + (1 - c.classes) * _log(1 - c.a))


def _multinomial(c: _Case) -> Tensor:
    return -c.share * _log(c.a)


def _marginal(c: _Case) -> Tensor:
    return c.w * (_below(c) + _above(c))


def _data_scaled_marginal(c: _Case) -> Tensor:
    return c.w * (_below(c) * c.t + _above(c))


def _marginal_multinomial(c: _Case) -> Tensor:
    return torch.where(c.a < c.loss.one_target, c.loss.one_scale * _multinomial(c), 0.0)


def _below(c: _Case) -> Tensor:
    """The part of units whose class is present and that say so too weakly."""
    return torch.where((c.classes > 0) & (c.a < c.loss.one_target), -c.loss.one_scale * _log(c.a), 0.0)


def _above(c: _Case) -> Tensor:
    """The part of units whose class is absent and that say otherwise too strongly."""
    return torch.where((c.classes <= 0) & (c.a > c.loss.zero_target), -c.loss.zero_scale * _log(1 - c.a), 0.0)


Row = Callable[[_Case], Tensor]

PLAIN: dict[ErrorFunction, Row] = {
    ErrorFunction.L1: _l1,
    ErrorFunction.L2: _l2,
    ErrorFunction.L2_HINGE: _l2_hinge,
    ErrorFunction.HINGE: _hinge,
    ErrorFunction.CROSS_ENTROPY: _cross_entropy,
    ErrorFunction.SMCE: _marginal,
    ErrorFunction.DSMCE: _data_scaled_marginal,
}
SOFTMAX: dict[ErrorFunction, Row] = PLAIN | {
    ErrorFunction.CROSS_ENTROPY: _multinomial,
    ErrorFunction.SMCE: _marginal_multinomial,
}
