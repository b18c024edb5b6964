"""How sure means over users are: percentile bootstrap, and paired comparison of two rankers on the same users.

A resample draws as many users as there are, with replacement. Its mean is a product of how often each user was drawn
with the values, so that one set of draws serves all measures of all rankers, which is what makes comparisons paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 4 << 20  # counts that stand in memory at a time: 32 MB
_EXACT_BITS = 52  # whole numbers below 2**52 add up without rounding, in any order and on any number of threads


@dataclass(frozen=True)
class Resampling:
    """How many resamples are drawn, for which level, from which seed."""

    resamples: int = 1000
    level: float = 0.95
    seed: int = 1


USUAL = Resampling()


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a mean."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Ranker `name` against `first` on the same users: `difference` is the mean of (name - first), with its interval.

    `above` is the share of resamples whose difference is above 0, `p` the two-sided p-value of no difference (at least
    2 / (resamples + 1)); wins, ties and losses count users for whom `name` is better, equal and worse.
    """

    name: str
    first: str
    metric: str
    difference: float
    interval: Interval
    above: float
    p: float
    wins: int
    ties: int
    losses: int


def resampled_means(values: Floats, plan: Resampling) -> Floats:
    """Means of resamples, float64 [resamples, columns], of values [users, columns]; NaN marks users without a value.

    A function of values and plan alone: sums are exact, on a grid of at most 2**-30 of the largest value for up to four
    million users, so that neither threads nor the size of blocks show.
    """
    known = ~np.isnan(values)
    scaled, step = _on_grid(np.where(known, values, 0.0))
    whole = bool(known.all())
    means = np.empty((plan.resamples, values.shape[1]))
    first = 0
    for counts in _draws(len(values), plan):
        drawn = np.full((len(counts), 1), float(len(values))) if whole else counts @ known.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[first : first + len(counts)] = (counts @ scaled) * step / drawn
        first += len(counts)
    return means


def _on_grid(values: Floats) -> tuple[Floats, Floats]:
    """(whole numbers [users, columns], the step of each column) whose products are the values, nearly."""
    bits = _EXACT_BITS - max(1, len(values)).bit_length()
    largest = np.abs(values).max(axis=0, initial=0.0)
    step = np.ldexp(1.0, np.frexp(np.maximum(largest, np.finfo(np.float64).tiny))[1] - bits)
    return np.rint(values / step), step


def _draws(users: int, plan: Resampling) -> Iterator[Floats]:
    """How often each user is drawn, float64 [resamples of a block, users]."""
    random = np.random.default_rng(plan.seed)
    block = max(1, _BLOCK // max(1, users))
    for first in range(0, plan.resamples, block):
        counts = np.empty((min(block, plan.resamples - first), users))
        for row in counts:
            row[:] = np.bincount(random.integers(0, users, users), minlength=users)
        yield counts


def interval_of(means: Floats, level: float) -> Interval:
    """The percentile interval of the means of resamples [resamples]; NaN where a resample had no user with a value."""
    rest = (1 - level) / 2
    low, high = np.quantile(means, (rest, 1 - rest)) if not np.isnan(means).any() else (np.nan, np.nan)
    return Interval(float(low), float(high))


def two_sided(differences: Floats) -> float:
    """The share of resamples at or beyond 0 on the rarer side, twice: the p-value of no difference."""
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(differences) + 1))
