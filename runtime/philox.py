"""Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011), the generator that Triton has built in.

A number is a function of its key and counter alone, so a mask does not depend on batches, threads, ranks or targets.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = 0x9E3779B9, 0xBB67AE85
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
Words = NDArray[np.uint64]


def philox(key: int, c0: Words, c1: Words, c2: int, c3: int) -> tuple[Words, Words, Words, Words]:
    """The four 32-bit words (in uint64 arrays) of each counter (c0, c1, c2, c3) under a 64-bit key."""
    c0, c1 = np.broadcast_arrays(c0, c1)
    a, b = c0.copy(), c1.copy()
    c, d = (np.full(a.shape, word & 0xFFFFFFFF, np.uint64) for word in (c2, c3))
    p, q = np.empty_like(a), np.empty_like(a)
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(10):  # in place: the arrays of 37,000 counters stay in the second-level cache
        np.multiply(a, M0, out=p)
        np.multiply(c, M1, out=q)
        _mix(q, b, np.uint64(k0), a)
        _mix(p, d, np.uint64(k1), c)
        np.bitwise_and(q, LOW, out=b)
        np.bitwise_and(p, LOW, out=d)
        k0, k1 = (k0 + W0) & 0xFFFFFFFF, (k1 + W1) & 0xFFFFFFFF
    return a, b, c, d


def _mix(product: Words, word: Words, key: np.uint64, out: Words) -> None:
    """out = upper half of the product ^ word ^ key."""
    np.right_shift(product, HALF, out=out)
    np.bitwise_xor(out, word, out=out)
    np.bitwise_xor(out, key, out=out)


def unit_interval(words: Words) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) from 32-bit words: their upper 24 bits, exact in float32."""
    return (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def uniform_entries(seed: int, layer: int, epoch: int, example: Tensor, feature: Tensor) -> Tensor:
    """One uniform number for each stored entry, keyed by (seed, layer, epoch, example, feature): float32 [entries]."""
    c0, c1 = feature.numpy().astype(np.uint64), example.numpy().astype(np.uint64)
    words = philox(seed, c0, c1, epoch, _stream(layer, 1))
    return torch.from_numpy(unit_interval(words[0]))


def keep_units(seed: int, layer: int, step: int, examples: Tensor, units: int, first: int = 0) -> Tensor:
    """Uniform numbers keyed by (seed, layer, step, example, unit), from unit `first` on: float32 [examples, units]."""
    groups = np.arange(first // 4, -(-(first + units) // 4), dtype=np.uint64)
    rows = examples.numpy().astype(np.uint64)
    words = philox(seed, groups[None, :], rows[:, None], step, _stream(layer, 2))
    lanes = np.stack([unit_interval(w) for w in words], axis=-1).reshape(len(rows), 4 * len(groups))
    return torch.from_numpy(np.ascontiguousarray(lanes[:, first % 4 : first % 4 + units]))


def _stream(layer: int, purpose: int) -> int:
    """The fourth counter word: numbers of different layers and purposes never meet."""
    return layer * 16 + purpose
