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
    words = (
        c0.copy(),
        c1.copy(),
        np.full(c0.shape, c2 & 0xFFFFFFFF, np.uint64),
        np.full(c0.shape, c3 & 0xFFFFFFFF, np.uint64),
    )
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(10):
        words = _round(words, np.uint64(k0), np.uint64(k1))
        k0, k1 = (k0 + W0) & 0xFFFFFFFF, (k1 + W1) & 0xFFFFFFFF
    return words


def _round(words: tuple[Words, Words, Words, Words], k0: np.uint64, k1: np.uint64) -> tuple[Words, Words, Words, Words]:
    a, b, c, d = words
    p, q = a * M0, c * M1
    return (q >> HALF) ^ b ^ k0, q & LOW, (p >> HALF) ^ d ^ k1, p & LOW


def unit_interval(words: Words) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) from 32-bit words: their upper 24 bits, exact in float32."""
    return (words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def uniform_entries(seed: int, layer: int, epoch: int, example: Tensor, feature: Tensor) -> Tensor:
    """One uniform number for each stored entry, keyed by (seed, layer, epoch, example, feature): float32 [entries]."""
    c0, c1 = feature.numpy().astype(np.uint64), example.numpy().astype(np.uint64)
    words = philox(seed, c0, c1, epoch, _stream(layer, 1))
    return torch.from_numpy(unit_interval(words[0]))


def keep_units(seed: int, layer: int, step: int, examples: Tensor, units: int) -> Tensor:
    """Uniform numbers keyed by (seed, layer, step, example, unit), float32 [examples, units]."""
    groups = np.arange(-(-units // 4), dtype=np.uint64)
    rows = examples.numpy().astype(np.uint64)
    words = philox(seed, groups[None, :], rows[:, None], step, _stream(layer, 2))
    lanes = np.stack([unit_interval(w) for w in words], axis=-1).reshape(len(rows), -1)
    return torch.from_numpy(np.ascontiguousarray(lanes[:, :units]))


def _stream(layer: int, purpose: int) -> int:
    """The fourth counter word: numbers of different layers and purposes never meet."""
    return layer * 16 + purpose
