"""Initial weights: made on the CPU from the counter-based generator, a function of (seed, weight, element) alone.

So a rank that holds some rows or columns of a matrix draws these alone, and gets the numbers that the whole has there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Init, Scheme
from nnlang.runtime.philox import philox, unit_interval

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Span = tuple[int, int]  # the first one, and the one behind the last
Draw = Callable[[int, int, Words, int], Floats]  # of (seed, weight) runs of so many elements [runs, count]

BLOCK = 1 << 20  # elements drawn at once
INITIAL = 3  # the purpose in the fourth counter word, after denoising 1 and dropout 2


def initial(
    init: Init,
    seed: int,
    weight: int,
    inputs: int,
    outputs: int,
    rows: Span | None = None,
    columns: Span | None = None,
) -> Floats:
    """The initial matrix [inputs, outputs] of a weight (dsstne.md 6.1, mended as docs/numerics.md says).

    rows, columns: those that are wanted, all by default; they hold the numbers that they have in the whole.
    """
    (top, bottom), (left, right) = rows or (0, inputs), columns or (0, outputs)
    found = np.empty((bottom - top, right - left), np.float32)
    draw = _SCHEMES[init.scheme](init.scale, inputs, outputs)
    for i, j, starts, count in _runs(*found.shape):
        first = (starts + np.uint64(top)) * np.uint64(outputs) + np.uint64(left + j)
        found[i : i + len(starts), j : j + count] = draw(seed, weight, first, count)
    return found


def _runs(rows: int, columns: int) -> Iterator[tuple[int, int, Words, int]]:
    """Blocks of a part: their first row and column, their rows, and how many columns they have."""
    for j in range(0, columns, BLOCK):
        count = min(BLOCK, columns - j)
        step = max(1, BLOCK // count)
        for i in range(0, rows, step):
            yield i, j, np.arange(i, min(rows, i + step), dtype=np.uint64), count


def _uniform(seed: int, weight: int, starts: Words, count: int) -> Floats:
    """Uniform numbers in [0, 1) of the elements from each start on [starts, count]; four share a counter."""
    shift = (starts % 4).astype(np.int64)
    groups = (count + int(shift.max(initial=0)) + 3) // 4
    counters: Words = np.add((starts // np.uint64(4))[:, None], np.arange(groups, dtype=np.uint64), dtype=np.uint64)
    words = philox(seed, counters, np.zeros(1, np.uint64), weight, INITIAL)
    lanes = np.stack([unit_interval(w) for w in words], axis=-1).reshape(len(starts), -1)
    return _shifted(lanes, shift, count)


def _shifted(found: Floats, shift: NDArray[np.int64], count: int) -> Floats:
    """Of each row the elements from its shift on."""
    if not shift.any():
        return found[:, :count]
    return np.take_along_axis(found, shift[:, None] + np.arange(count), axis=1)


def _symmetric(bound: Callable[[float, int, int], float]) -> Callable[[float, int, int], Draw]:
    def made(scale: float, inputs: int, outputs: int) -> Draw:
        limit = np.float32(bound(scale, inputs, outputs))

        def draw(seed: int, weight: int, starts: Words, count: int) -> Floats:
            return (_uniform(seed, weight, starts, count) * 2 - 1) * limit

        return draw

    return made


def _normal(deviation: Callable[[float, int], float]) -> Callable[[float, int, int], Draw]:
    """Box-Muller from pairs of uniform numbers, in float64."""

    def made(scale: float, inputs: int, outputs: int) -> Draw:
        def draw(seed: int, weight: int, starts: Words, count: int) -> Floats:
            shift = (starts % 2).astype(np.int64)
            wide = (count + int(shift.max(initial=0)) + 1) // 2 * 2
            pairs = _uniform(seed, weight, starts - starts % 2, wide).reshape(-1, 2).astype(np.float64)
            radius, angle = np.sqrt(-2 * np.log1p(-pairs[:, 0])), 2 * math.pi * pairs[:, 1]
            both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1) * deviation(scale, inputs)
            return _shifted(both.astype(np.float32).reshape(len(starts), wide), shift, count)

        return draw

    return made


def _unit_ball(scale: float, inputs: int, outputs: int) -> Draw:
    return lambda seed, weight, starts, count: (1 - _uniform(seed, weight, starts, count)) * np.float32(scale)


def _constant(scale: float, inputs: int, outputs: int) -> Draw:
    return lambda seed, weight, starts, count: np.full((len(starts), count), scale, np.float32)


_SCHEMES: Mapping[Scheme, Callable[[float, int, int], Draw]] = {
    Scheme.XAVIER: _symmetric(lambda scale, n, o: scale * math.sqrt(6 / (n + o))),
    Scheme.CAFFE_XAVIER: _symmetric(lambda scale, n, o: scale * math.sqrt(3 / o)),
    Scheme.UNIFORM: _symmetric(lambda scale, n, o: scale),
    Scheme.GAUSSIAN: _normal(lambda scale, n: scale),
    Scheme.SELU: _normal(lambda scale, n: 1 / math.sqrt(n)),
    Scheme.UNIT_BALL: _unit_ball,
    Scheme.CONSTANT: _constant,
}
