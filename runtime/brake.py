"""The divergence brake (dsstne.md 5.3): after an error twice the moving average, small steps for a while."""

from __future__ import annotations

from dataclasses import dataclass

WARM_UP = 100  # batches of a run before the brake may act
BRAKED = 24  # steps at a tenth after it has
FACTOR = 0.1


@dataclass
class Brake:
    """The moving average of the batches' mean errors, how many there were, how many small steps are left.

    The error of a batch is known when its update is done, so the brake acts on the next steps (design.md 4).
    """

    average: float = 0.0
    batches: int = 0
    left: int = 0

    def factor(self) -> float:
        """What the step size is multiplied by now."""
        return FACTOR if self.left > 0 else 1.0

    @property
    def has_acted(self) -> bool:
        """Whether the last batch was what it began to act on."""
        return self.left == BRAKED

    def take(self, error: float) -> bool:
        """Takes the mean error of a batch that ran; says whether the brake begins to act."""
        self.left = max(0, self.left - 1)
        self.average = 0.9 * self.average + 0.1 * error
        self.batches += 1
        if self.batches <= WARM_UP or error <= 2 * self.average:
            return False
        self.left = BRAKED
        return True
