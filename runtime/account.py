"""The end of a training step on a device: its error, the divergence brake, the step size of the step that follows.

The brake's state stays on the device, so that it acts on the very next step of a group that is one launch.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def braked(rate_ptr, left, alpha_ptr, FACTOR: tl.constexpr):
    """Writes a step's alpha: its rate, a fraction of it while the brake acts."""
    rate = tl.load(rate_ptr)
    tl.store(alpha_ptr, tl.where(left > 0, rate * FACTOR, rate).to(tl.float32))


@triton.jit
def begin(rate_ptr, brake_ptr, alpha_ptr, FACTOR: tl.constexpr):
    """The alpha of the first step of a group; the brake [3] holds average, batches so far, small steps left."""
    braked(rate_ptr, tl.load(brake_ptr + 2), alpha_ptr, FACTOR)


@triton.jit
def account(
    errors_ptr, m, ints_ptr, brake_ptr, outcome_ptr, rate_ptr, alpha_ptr,
    WARM_UP: tl.constexpr, BRAKED: tl.constexpr, FACTOR: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Takes the error of a step as Brake.take does. Outcome [4]: error, then the brake; alpha: that of the next step.

    errors [m] float32, of which those of the batch's own rows count; all else is float64.
    """
    rows = tl.load(ints_ptr)
    sums = tl.zeros([BLOCK], tl.float64)
    for first in range(0, m, BLOCK):
        at = first + tl.arange(0, BLOCK)
        sums += tl.load(errors_ptr + at, mask=at < rows, other=0.0).to(tl.float64)
    total = tl.sum(sums, 0)
    error = total / rows.to(tl.float64)
    average = 0.9 * tl.load(brake_ptr) + 0.1 * error
    batches = tl.load(brake_ptr + 1) + 1
    left = tl.maximum(tl.load(brake_ptr + 2) - 1, 0.0)
    acts = (batches > WARM_UP) & (error > 2 * average)
    left = tl.where(acts, BRAKED, left)
    tl.store(brake_ptr, average)
    tl.store(brake_ptr + 1, batches)
    tl.store(brake_ptr + 2, left)
    tl.store(outcome_ptr, total)
    tl.store(outcome_ptr + 1, average)
    tl.store(outcome_ptr + 2, batches)
    tl.store(outcome_ptr + 3, left)
    braked(rate_ptr, left, alpha_ptr, FACTOR)
