"""Initial weights: made on the CPU from the counter-based generator, a function of (seed, weight, element) alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Init, Scheme
from nnlang.runtime.philox import philox, unit_interval

Floats = NDArray[np.float32]
BLOCK = 1 << 20  # elements drawn at once
INITIAL = 3  # the purpose in the fourth counter word, after denoising 1 and dropout 2


def initial(init: Init, seed: int, weight: int, inputs: int, outputs: int) -> Floats:
    """The initial matrix [inputs, outputs] of a weight (dsstne.md 6.1, mended as docs/numerics.md says)."""
    return _SCHEMES[init.scheme](init.scale, seed, weight, inputs, outputs)


def _uniform(seed: int, weight: int, inputs: int, outputs: int) -> Floats:
    """Uniform numbers in [0, 1)."""
    count = inputs * outputs
    found = np.empty(-(-count // 4) * 4, np.float32)
    for first in range(0, len(found) // 4, BLOCK // 4):
        counters = np.arange(first, min(first + BLOCK // 4, len(found) // 4), dtype=np.uint64)
        words = philox(seed, counters, np.uint64(0) * counters, weight, INITIAL)
        lanes = np.stack([unit_interval(w) for w in words], axis=-1)
        found[first * 4 : first * 4 + lanes.size] = lanes.reshape(-1)
    return found[:count].reshape(inputs, outputs)


def _symmetric(bound: Callable[[float, int, int], float]) -> Callable[[float, int, int, int, int], Floats]:
    def draw(scale: float, seed: int, weight: int, inputs: int, outputs: int) -> Floats:
        limit = np.float32(bound(scale, inputs, outputs))
        return (_uniform(seed, weight, inputs, outputs) * 2 - 1) * limit

    return draw


def _normal(deviation: Callable[[float, int], float]) -> Callable[[float, int, int, int, int], Floats]:
    """Box-Muller from pairs of uniform numbers, in float64."""

    def draw(scale: float, seed: int, weight: int, inputs: int, outputs: int) -> Floats:
        count = inputs * outputs
        pairs = _uniform(seed, weight, -(-count // 2) * 2, 1).reshape(-1, 2).astype(np.float64)
        radius, angle = np.sqrt(-2 * np.log1p(-pairs[:, 0])), 2 * math.pi * pairs[:, 1]
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)[:count]
        return (both * deviation(scale, inputs)).astype(np.float32).reshape(inputs, outputs)

    return draw


def _unit_ball(scale: float, seed: int, weight: int, inputs: int, outputs: int) -> Floats:
    return (1 - _uniform(seed, weight, inputs, outputs)) * np.float32(scale)


def _constant(scale: float, seed: int, weight: int, inputs: int, outputs: int) -> Floats:
    return np.full((inputs, outputs), scale, np.float32)


_SCHEMES: Mapping[Scheme, Callable[[float, int, int, int, int], Floats]] = {
    Scheme.XAVIER: _symmetric(lambda scale, n, o: scale * math.sqrt(6 / (n + o))),
    Scheme.CAFFE_XAVIER: _symmetric(lambda scale, n, o: scale * math.sqrt(3 / o)),
    Scheme.UNIFORM: _symmetric(lambda scale, n, o: scale),
    Scheme.GAUSSIAN: _normal(lambda scale, n: scale),
    Scheme.SELU: _normal(lambda scale, n: 1 / math.sqrt(n)),
    Scheme.UNIT_BALL: _unit_ball,
    Scheme.CONSTANT: _constant,
}
