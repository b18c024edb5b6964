"""Filter files: what must not be recommended to whom, or only with a changed score (dsstne.md 10.3)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch

from nnlang.lower import FILTER
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.metrics import Rows
from nnlang.runtime.signals import Signals, read_signals
from nnlang.runtime.vocabulary import Vocabulary

_TIME = 1e6  # no weight is so large, every time in seconds since 1970 is (from its 12th day on)


class FilterMode(Enum):
    """What a listed feature's score becomes: nothing (`remove`), or score times value (`scale`, DSSTNE's way)."""

    REMOVE = "remove"
    SCALE = "scale"


@dataclass(frozen=True)
class Filter:
    """The rows of a filter file for the samples of one prediction, in their order."""

    rows: Rows
    mode: FilterMode

    @property
    def largest(self) -> float:
        """The largest value by which a score would be multiplied, 0.0 without any."""
        return float(np.abs(self.rows.values).max(initial=0.0)) if self.rows.values is not None else 0.0

    @property
    def has_times(self) -> bool:
        """Whether values look like times instead of weights: then multiplying by them is surely not meant."""
        return self.mode is FilterMode.SCALE and self.largest > _TIME

    def data_set(self, units: int) -> DataSet:
        """The rows as a data set of so many units: Boolean where what is listed is removed, else analog."""
        return sparse_set(FILTER, self.rows.start, self.rows.index, self.rows.values, width=units)

    def apply(self, scores: torch.Tensor, first: int) -> None:
        """Change the scores [rows, features] of samples first, first + 1, ... in place; -inf means removed."""
        here = self.rows.take(np.arange(first, first + len(scores)))
        at = tuple(torch.from_numpy(numbers).to(scores.device) for numbers in (here.owners, here.index))
        if here.values is None:
            scores[at] = float("-inf")
            return
        factor = torch.from_numpy(here.values).to(scores.device)
        scores[at] = (scores[at] * factor).masked_fill(factor == 0, float("-inf"))


def read_filter(
    path: str | os.PathLike[str], features: Vocabulary, samples: Vocabulary, mode: FilterMode
) -> tuple[Filter, Signals]:
    """The filter of a text file or folder, and what was met on reading it.

    Removal looks at no value; scaling by 0, or by none written, removes. A second line of a sample replaces the first,
    unknown samples and features are passed over.
    """
    scale = mode is FilterMode.SCALE
    found = read_signals(path, features, samples=samples, values=scale)
    return Filter(found.rows.distinct() if scale else found.rows, mode), found  # removing twice is removing once
