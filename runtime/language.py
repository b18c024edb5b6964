"""Small device functions that emitted kernels share: sums in a fixed order, random numbers, functions of one number.

They are exact enough at both ends of their range without a vendor's library, so that the interpreter runs them too.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tree(x, LOG: tl.constexpr):
    """The sum of x [2^LOG, ...] over its first axis by one balanced tree of neighbours (design.md 4)."""
    for _ in tl.static_range(LOG):
        pairs = tl.reshape(x, [x.shape[0] // 2, 2, x.shape[1], x.shape[2]])
        even, odd = tl.split(tl.permute(pairs, [0, 2, 3, 1]))
        x = even + odd
    return tl.reshape(x, [x.shape[1], x.shape[2]])


@triton.jit
def grain_sums(x, GRAINS: tl.constexpr):
    """The sums of x [rows, GRAINS * 64] over grains of 64 columns, each by one balanced tree of neighbours."""
    x = tl.reshape(x, [x.shape[0], GRAINS, 64])
    for _ in tl.static_range(6):
        even, odd = tl.split(tl.reshape(x, [x.shape[0], GRAINS, x.shape[2] // 2, 2]))
        x = even + odd
    return tl.reshape(x, [x.shape[0], GRAINS])


@triton.jit
def uniform(word):
    """A number in [0, 1) from 32 random bits: the upper 24, exact in float32."""
    return (word >> 8).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def maximum(x, y):
    """The larger one; NaN if either is."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x, y):
    """The smaller one; NaN if either is."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def greater(x, y):
    """1 where x > y, else 0."""
    return tl.where(x > y, 1.0, 0.0)


@triton.jit
def less(x, y):
    """1 where x < y, else 0."""
    return tl.where(x < y, 1.0, 0.0)


@triton.jit
def sign(x):
    """-1, 0 or 1."""
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0))


@triton.jit
def expm1(x):
    """exp(x) - 1, by its series near 0, where the difference has no digits left."""
    near = x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720 + x * (1 / 5040)))))))
    return tl.where(tl.abs(x) < 0.35, near, tl.exp(x) - 1)


@triton.jit
def log1p(x):
    """log(1 + x), near 0 by the series of artanh(x / (2 + x))."""
    s = x / (2 + x)
    t = s * s
    near = 2 * s * (1 + t * (1 / 3 + t * (1 / 5 + t * (1 / 7 + t * (1 / 9)))))
    return tl.where(tl.abs(x) < 0.35, near, tl.log(1 + x))


@triton.jit
def tanh(x):
    """tanh by expm1 of a number that cannot overflow."""
    t = expm1(-2 * tl.abs(x))
    return tl.where(x < 0, t, -t) / (t + 2)


@triton.jit
def softplus(x):
    """log(1 + exp(x))."""
    return maximum(x, 0.0) + log1p(tl.exp(-tl.abs(x)))


@triton.jit
def bag_sum(parts_ptr, bags_ptr, bag, begin, here, cols, N: tl.constexpr):
    """The pieces of bags [BM] of parts [pieces, N] added up in order [BM, BN]; `begin` is the first piece of parts."""
    start = tl.load(bags_ptr + bag, mask=here, other=0)
    end = tl.load(bags_ptr + bag + 1, mask=here, other=0)
    sums = tl.zeros([bag.shape[0], cols.shape[0]], tl.float32)
    for piece in range(0, tl.max(end - start, 0)):
        at = start + piece
        row = (at - begin).to(tl.int64)[:, None]
        mask = (here & (at < end))[:, None] & (cols < N)[None, :]
        sums += tl.load(parts_ptr + row * N + cols[None, :], mask=mask, other=0.0)
    return sums


@triton.jit
def bag_sum_2(parts_ptr, bags_ptr, bag, begin, here, cols, N: tl.constexpr):
    """Two neighbouring bags."""
    left = bag_sum(parts_ptr, bags_ptr, bag, begin, here, cols, N)
    return left + bag_sum(parts_ptr, bags_ptr, bag + 1, begin, here, cols, N)


@triton.jit
def bag_sum_4(parts_ptr, bags_ptr, bag, begin, here, cols, N: tl.constexpr):
    """Four neighbouring bags, in pairs."""
    left = bag_sum_2(parts_ptr, bags_ptr, bag, begin, here, cols, N)
    return left + bag_sum_2(parts_ptr, bags_ptr, bag + 2, begin, here, cols, N)


@triton.jit
def bag_sum_8(parts_ptr, bags_ptr, bag, begin, here, cols, N: tl.constexpr):
    """Eight neighbouring bags, in pairs of pairs."""
    left = bag_sum_4(parts_ptr, bags_ptr, bag, begin, here, cols, N)
    return left + bag_sum_4(parts_ptr, bags_ptr, bag + 4, begin, here, cols, N)


# Keys of int64 stand for a score and its unit: the score's bits in an order of whole numbers above, the units below,
# the first one highest. NOTHING, below every key, is that of -inf.
NOTHING = tl.constexpr(-2139095041 * 2**32)


@triton.jit
def key_of(score, unit):
    """The key of scores and units: higher scores first, of equal ones the lower unit; NaN above all."""
    bits = (score + 0.0).to(tl.int32, bitcast=True)  # -0.0 + 0.0 is 0.0
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    order = tl.where(is_nan, 0x7FFFFFFF, bits ^ ((bits >> 31) & 0x7FFFFFFF))
    return (order.to(tl.int64) << 32) | (0x7FFFFFFF - unit)


@triton.jit
def score_of(key):
    """The score of a key."""
    order = (key >> 32).to(tl.int32)
    return (order ^ ((order >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def unit_of(key):
    """The unit of a key as the bits of a float32, which can stand beside scores."""
    return (0x7FFFFFFF - (key & 0x7FFFFFFF).to(tl.int32)).to(tl.float32, bitcast=True)


@triton.jit
def exchange(x, STRIDE: tl.constexpr, RUN: tl.constexpr):
    """x with the elements at a distance of STRIDE put in order: runs of RUN fall and rise in turn."""
    pairs = tl.reshape(x, [x.shape[0] // (2 * STRIDE), 2, STRIDE])
    other = tl.sum(pairs, axis=1)[:, None, :] - pairs  # it may overflow, and is exact all the same
    rises = tl.arange(0, x.shape[0] // (2 * STRIDE)) * (2 * STRIDE) // RUN % 2
    low = (rises[:, None] + tl.arange(0, 2)[None, :]) % 2 == 1  # the right one where a run falls, else the left one
    return tl.reshape(tl.where((pairs < other) != low[:, :, None], other, pairs), [x.shape[0]])


@triton.jit
def highest(keys_ptr, count, LIST: tl.constexpr, BEST: tl.constexpr):
    """The 2^BEST highest of a list of `count` keys (2^LIST at most) that this program has written, falling."""
    tl.debug_barrier()
    at = tl.arange(0, 1 << LIST)
    x = tl.load(keys_ptr + at, mask=at < count, other=NOTHING)
    tl.debug_barrier()  # from here on the list may be written again
    for run in tl.static_range(1, BEST + 1):
        for step in tl.static_range(run):
            x = exchange(x, 1 << (run - 1 - step), 1 << run)
    for _ in tl.static_range(LIST - BEST):
        pairs = tl.reshape(x, [x.shape[0] >> (BEST + 1), 2, 1 << BEST])  # of a run that falls and one that rises
        higher = tl.max(pairs, axis=1)
        x = tl.reshape(higher, [higher.shape[0] << BEST])
        for step in tl.static_range(BEST):
            x = exchange(x, 1 << (BEST - 1 - step), 1 << BEST)
    return x
