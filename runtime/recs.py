"""The best k of each row of scores, and the text in which recommendations are written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_EXACT_DIGITS = 8  # a float32 times 10**8 is exact in float64: 24 + 27 bits
_FEW_WORTH_SHARING = 4  # score texts are shared where each stands for at least so many scores


@dataclass(frozen=True)
class Top:
    """The best of each row, best first: `feature` int64 [rows, k], -1 in empty places; `score` float32 [rows, k]."""

    feature: Ints
    score: NDArray[np.float32]


class NotFinite(ValueError):  # noqa: N818 - it says what was found
    """A row of scores holds NaN or infinity; `row` is its place in the batch."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} is not finite")
        self.row = row


def top(scores: torch.Tensor, k: int) -> Top:
    """The k highest scores of each row, ties to the lower feature number; -inf marks what must not appear.

    `scores` is float32 [rows, features] on any device. Rows with fewer than k candidates, or k beyond the width, leave
    places empty. Raises NotFinite for a row that holds NaN or +inf.
    """
    rows, features = scores.shape
    k = min(k, features)
    if not rows or not k:
        return Top(np.full((rows, k), -1, dtype=np.int64), np.zeros((rows, k), dtype=np.float32))
    values, index = torch.topk(scores, min(k + 1, features), dim=1)
    _refuse_not_finite(values[:, 0])
    if features > k:
        tied = (values[:, k] == values[:, k - 1]).nonzero().flatten()
        values, index = values[:, :k], index[:, :k]
        if len(tied):
            index[tied] = _first_of_ties(scores[tied], values[tied, k - 1 :], k)
            values[tied] = scores[tied].gather(1, index[tied])
    index, order = index.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    index = index.gather(1, order).masked_fill(torch.isneginf(values), -1)
    return Top(index.cpu().numpy(), values.cpu().numpy())


def chosen(packed: torch.Tensor) -> Top:
    """The best as the program of a device gives them: float32 [rows, 2k], scores beside the bits of int32 features.

    Raises NotFinite for a row whose scores held NaN or +inf.
    """
    values, bits = packed.to("cpu", copy=True).chunk(2, dim=1)
    _refuse_not_finite(values[:, 0])
    index = bits.view(torch.int32).long().masked_fill(torch.isneginf(values), -1)
    return Top(index.numpy(), values.numpy())


def _refuse_not_finite(best: torch.Tensor) -> None:
    bad = (torch.isnan(best) | torch.isposinf(best)).nonzero().flatten()
    if len(bad):
        raise NotFinite(int(bad[0]))


def _first_of_ties(scores: torch.Tensor, least: torch.Tensor, k: int) -> torch.Tensor:
    """The k places of each row where its score is above `least` or, first come, equal to it; int64 [rows, k]."""
    exact = torch.float32 if scores.shape[1] <= 1 << 24 else torch.float64  # whole numbers beyond 2**24 need float64
    earlier = torch.arange(0, -scores.shape[1], -1, dtype=exact, device=scores.device).expand(scores.shape)
    rank = earlier.masked_fill(scores < least, float("-inf")).masked_fill(scores > least, float("inf"))
    return torch.topk(rank, k, dim=1).indices


@dataclass(frozen=True)
class Precision:
    """How scores are printed, as printf's `%<width>.<digits>f`; only these two numbers can be chosen."""

    width: int = 4
    digits: int = 3

    def __str__(self) -> str:
        return f"%{self.width}.{self.digits}f"


def parse_precision(text: str) -> Precision | None:
    """`4.3f` (DSSTNE's form, `%` allowed before it) or a bare number of digits; None for anything else."""
    form = re.fullmatch(r"%?(\d{1,2})\.(\d{1,2})f", text, re.ASCII)
    if form:
        return Precision(int(form[1]), int(form[2]))
    return Precision(0, int(text)) if re.fullmatch(r"\d{1,2}", text, re.ASCII) else None


def score_texts(scores: NDArray[np.float32], precision: Precision) -> NDArray[np.object_]:
    """Each score as printf would write it, an object array of the same shape.

    Equal texts are made once: rounding `score * 10**digits` in float64 is exact for float32 scores, so that it groups
    them as printf does, and a batch of sigmoid scores with three digits has at most 1,001 texts.
    """
    form = str(precision)
    flat = scores.ravel().astype(np.float64)
    if precision.digits <= _EXACT_DIGITS:
        rounded = np.rint(flat * 10.0**precision.digits).view(np.int64)  # the bits: -0.0 is a text of its own
        _, first, place = np.unique(rounded, return_index=True, return_inverse=True)
        if len(first) * _FEW_WORTH_SHARING <= len(flat):
            texts = np.array([form % value for value in flat[first].tolist()], dtype=object)
            return np.asarray(texts[place].reshape(scores.shape))
    made = np.empty(len(flat), dtype=object)
    made[:] = [form % value for value in flat.tolist()]
    return made.reshape(scores.shape)


Writer = Callable[[Sequence[str], Top], str]


def dsstne_writer(labels: Sequence[str], precision: Precision) -> Writer:
    """A writer of DSSTNE's form: `sample TAB feature,score:feature,score:` and a line end (dsstne.md 10.2)."""
    starts = np.empty(len(labels) + 1, dtype=object)
    starts[:-1] = [label + "," for label in labels]
    starts[-1] = ""

    def write(samples: Sequence[str], found: Top) -> str:
        rows, k = found.feature.shape
        cells = np.empty((rows, 3 * k + 2), dtype=object)
        cells[:, 0] = [sample + "\t" for sample in samples]
        cells[:, 1:-1:3] = starts[found.feature]
        cells[:, 2:-1:3] = score_texts(found.score, precision)
        cells[:, 3:-1:3] = ":"
        cells[:, -1] = "\n"
        empty = found.feature < 0
        if empty.any():
            cells[:, 1:-1] = np.where(np.repeat(empty, 3, axis=1), "", cells[:, 1:-1])
        return "".join(cells.ravel().tolist())

    return write


def json_writer(labels: Sequence[str], precision: Precision) -> Writer:
    """A writer of JSON lines: {"sample": ..., "recommendations": [{"feature": ..., "score": ...}, ...]}."""

    def write(samples: Sequence[str], found: Top) -> str:
        return "".join(
            json.dumps({"sample": sample, "recommendations": _pairs(found, row)}) + "\n"
            for row, sample in enumerate(samples)
        )

    def _pairs(found: Top, row: int) -> list[dict[str, object]]:
        listed = zip(found.feature[row].tolist(), found.score[row].tolist(), strict=True)
        return [{"feature": labels[f], "score": round(s, precision.digits)} for f, s in listed if f >= 0]

    return write


def units_text(samples: Sequence[str], values: NDArray[np.float32], precision: Precision) -> str:
    """Raw units of a layer: `sample TAB value TAB value ...`, one line a sample."""
    texts = score_texts(values, precision).tolist()
    return "".join(f"{sample}\t" + "\t".join(row) + "\n" for sample, row in zip(samples, texts, strict=True))
