"""EASE in closed form (Steck 2019, arXiv 1905.03375): the linear item-to-item model that deep ones are compared with.

With P = (X'X + lambda I)^-1 of the training indicators X [users, items] the weights are B = I - P diag(1 / diag P),
whose diagonal is 0; a user's scores are x B. Where there are fewer users than items the same scores come from the
users' Gram matrix, P = (I - X' K X) / lambda with K = (XX' + lambda I)^-1 (Woodbury), and no matrix items x items is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nnlang.codes import usage as codes
from nnlang.diagnostics import bytes_text, stop
from nnlang.measures import MEASURES, Metric
from nnlang.runtime.baselines import best_of
from nnlang.runtime.gram import gram_blocks, occurrences, transposed
from nnlang.runtime.hdf import available_memory
from nnlang.runtime.metrics import Ints, Rows, holdout, mean_of, per_user

LAMBDA = 500.0  # what Steck found for MovieLens 20M: for data too large to try several
LAMBDAS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)  # tried on smaller data
# Beyond so many on the smaller side the inverse is float32, at half the memory: 27,278 items take 4 GB. NDCG@100
# moved by 2e-6 at lambda 3 and not at all at lambda 300 (4,000 items of the MovieLens sample, 1,024 users).
DOUBLE_MOST = 12_000
TRIED_MOST = 4096  # users or items, the smaller: six inverses of this side take 10 s on two cores of an EPYC server
_LEAF = 128  # the side of blocks that LAPACK inverts; larger ones are made of products
_LOST_MOST = 0.05  # what rounding may change; 4,096 items in float32 lose 2e-6 at lambda 10, by users 2e-3
_TRIED_USERS = 5000
_SCORES = 32 << 20  # scores of users x items that stand in memory at a time: 256 MB in float64


@dataclass(frozen=True)
class ItemEase:
    """EASE by the items' Gram matrix: `weights` is B, [items, items]."""

    weights: torch.Tensor
    name: str = "EASE"

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`."""
        items = len(self.weights)
        return best_of(known, k, min(batch, max(1, _SCORES // max(1, items))), items, self.scores)

    def scores(self, known: Rows) -> torch.Tensor:
        """x B for each user, [users, items]."""
        index, start = torch.from_numpy(known.index), torch.from_numpy(known.start[:-1])
        return torch.nn.functional.embedding_bag(index, self.weights, start, mode="sum")


@dataclass(frozen=True)
class UserEase:
    """EASE by the users' Gram matrix: `inverse` is K [users, users], `diagonal` that of P, [items]."""

    by_item: Rows
    inverse: torch.Tensor
    diagonal: torch.Tensor
    lambda_: float
    name: str = "EASE"

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`."""
        items = len(self.diagonal)
        most = _SCORES // max(1, items, len(self.inverse))
        return best_of(known, k, min(batch, max(1, most)), items, self.scores)

    def scores(self, known: Rows) -> torch.Tensor:
        """x B = x - (x P) / diag P = x + (x X' K X - x) / (lambda diag P) for each user, [users, items]."""
        common = _sums(self.by_item, known, len(self.inverse), self.inverse.dtype)
        scores = _spread(self.by_item, common @ self.inverse).contiguous()
        scaled = self.lambda_ * self.diagonal
        scores.div_(scaled)
        owners, index = torch.from_numpy(known.owners), torch.from_numpy(known.index)
        scores[owners, index] += 1 - 1 / scaled[index]
        return scores


def _sums(by_item: Rows, known: Rows, users: int, kind: torch.dtype) -> torch.Tensor:
    """How many items each user of `known` has in common with each training user, [known users, users]."""
    common = torch.empty((known.count, users), dtype=kind)
    for user in range(known.count):
        own = known.index[known.start[user] : known.start[user + 1]]
        common[user] = torch.from_numpy(occurrences(by_item, own, users))
    return common


def _spread(by_item: Rows, values: torch.Tensor) -> torch.Tensor:
    """Sums of values [m, users] over the users of each item, [m, items]."""
    index, start = torch.from_numpy(by_item.index), torch.from_numpy(by_item.start[:-1])
    return torch.nn.functional.embedding_bag(index, values.t().contiguous(), start, mode="sum").t()


Ease = ItemEase | UserEase


def ease(train: Rows, items: int, lambda_: float, *, by: str = "") -> Ease:
    """EASE of training rows with the ridge `lambda_` > 0, by the Gram matrix of the smaller side or of the one named.

    by: "items" or "users". float64 up to 12,000 on that side, float32 beyond. Raises Stop where memory lacks (NN764) or
    rounding would decide (NN703).
    """
    return next(_eases(train, items, (lambda_,), by))


def tried(train: Rows, items: int, k: int, seed: int) -> float:
    """The lambda of LAMBDAS whose EASE finds most (NDCG@k) of a fifth of the training users' own entries, held out.

    A function of data and seed. Where no user has two entries there is nothing to choose by, and it is LAMBDA.
    """
    kept, held = holdout(train, 0.2, seed)
    judged = np.flatnonzero(held.lengths)[:_TRIED_USERS]
    if not len(judged):
        return LAMBDA
    known, wanted = kept.take(judged), held.take(judged)
    by_worth = {}
    for lambda_, ranker in zip(LAMBDAS, _eases(kept, items, LAMBDAS, ""), strict=True):
        lists = np.concatenate(list(ranker.ranked(known, k, _TRIED_USERS)))
        by_worth[lambda_] = mean_of(per_user(lists, wanted, [Metric(MEASURES["ndcg"], k)])[f"ndcg@{k}"])
    return max(by_worth, key=lambda lambda_: by_worth[lambda_])


def suited(train: Rows, items: int, k: int, seed: int) -> float:
    """The lambda to take when nobody says: tried on small data, LAMBDA where six inverses would take minutes."""
    return tried(train, items, k, seed) if min(items, train.count) <= TRIED_MOST else LAMBDA


def _eases(train: Rows, items: int, lambdas: Sequence[float], by: str) -> Iterator[Ease]:
    """EASE for each lambda, the Gram matrix counted once."""
    inside = Rows(train.start, train.index).keep(train.index < items).distinct()
    inside = inside.take(np.flatnonzero(inside.lengths))
    by = by or ("items" if items <= inside.count else "users")
    side = items if by == "items" else inside.count
    kind = torch.float64 if side <= DOUBLE_MOST else torch.float32
    _check_memory(side, len(lambdas))
    by_item = transposed(inside, items)
    gram = _gram(inside if by == "items" else by_item, side, kind)
    most = int(by_item.lengths.max(initial=0))
    for place, lambda_ in enumerate(lambdas, 1):
        # lambda P = I - X' K X is as small as lambda / (users of an item + lambda): so much do K's errors count there
        scale = 1.0 if by == "items" else 1 + most / lambda_
        inverse = _inverse(gram if place == len(lambdas) else gram.clone(), lambda_, scale)
        name = f"EASE (lambda {lambda_:g})"
        if by == "items":
            yield ItemEase(_weights(inverse), name)
        else:
            yield UserEase(by_item, inverse, _diagonal(by_item, inverse, lambda_), lambda_, name)


def needed_memory(side: int, several: bool = False) -> int:
    """Bytes that the inverse of a Gram matrix of this side takes at its peak: the matrix and a third of it.

    For several it is the matrix, the last inverse, and the next one.
    """
    return (10 if several else 4) * side * side * (8 if side <= DOUBLE_MOST else 4) // 3


def _check_memory(side: int, lambdas: int) -> None:
    needed, there = needed_memory(side, lambdas > 1), available_memory()
    if needed > there:
        raise stop(codes.BASELINE_MEMORY, needed=bytes_text(needed), free=bytes_text(there), side=f"{side:,}")


def _gram(rows: Rows, width: int, kind: torch.dtype) -> torch.Tensor:
    gram = torch.empty((width, width), dtype=kind)
    for first, counts in gram_blocks(rows, width):
        gram[first : first + len(counts)] = torch.from_numpy(counts)
    return gram


def _inverse(gram: torch.Tensor, lambda_: float, scale: float) -> torch.Tensor:
    """(gram + lambda I)^-1 in the memory of `gram`; raises Stop (NN703) where `scale` times its error is too much."""
    gram.diagonal().add_(lambda_)
    probe = torch.arange(len(gram), dtype=gram.dtype).cos()
    image = gram @ probe
    try:
        _invert(gram)
        lost = float((gram @ image - probe).norm() / probe.norm()) + torch.finfo(gram.dtype).eps
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # the stubs lack it
        lost = math.inf
    if not lost * scale <= _LOST_MOST and len(gram):
        reason = f"with it numbers of {gram.dtype} do not tell the inverse from rounding"
        help = f"take one nearer to {LAMBDA:g}, or auto"
        raise stop(
            codes.BAD_VALUE, option="--ease-lambda", value=f"{lambda_:g}", reason=reason, command="evaluate", help=help
        )
    return gram


def _invert(matrix: torch.Tensor) -> None:
    """Replace a symmetric positive definite matrix by its inverse; raises LinAlgError where it is none.

    By halves: [[A, B'], [B, C]] has below right S^-1 with S = C - B A^-1 B', beside it -S^-1 B A^-1. All but the
    smallest blocks is matrix products, which use every core: potri took five times as long for 8,000 on two cores.
    """
    if len(matrix) <= _LEAF:
        matrix.copy_(torch.cholesky_inverse(torch.linalg.cholesky(matrix)))
        return
    half = len(matrix) // 2
    above, beside, below = matrix[:half, :half], matrix[half:, :half], matrix[half:, half:]
    _invert(above)
    across = beside @ above
    below.addmm_(across, beside.t(), alpha=-1)
    _invert(below)
    torch.mm(below, across, out=beside).neg_()
    above.addmm_(across.t(), beside, alpha=-1)
    matrix[:half, half:] = beside.t()


def _weights(inverse: torch.Tensor) -> torch.Tensor:
    """B = I - P diag(1 / diag P) in the memory of P."""
    inverse.div_(-inverse.diagonal().clone())
    inverse.fill_diagonal_(0.0)
    return inverse


def _diagonal(by_item: Rows, inverse: torch.Tensor, lambda_: float) -> torch.Tensor:
    """The diagonal of P: (1 - sum of K over all pairs of users of the item) / lambda, float [items]."""
    found = torch.empty(by_item.count, dtype=inverse.dtype)
    block = max(1, (4 << 20) // max(1, len(inverse)))
    for first in range(0, by_item.count, block):
        part = by_item.take(np.arange(first, min(first + block, by_item.count)))
        index, owners = torch.from_numpy(part.index), torch.from_numpy(part.owners)
        sums = torch.nn.functional.embedding_bag(index, inverse, torch.from_numpy(part.start[:-1]), mode="sum")
        inner = torch.zeros(part.count, dtype=inverse.dtype).index_add_(0, owners, sums[owners, index])
        found[first : first + part.count] = (1 - inner) / lambda_
    return found
