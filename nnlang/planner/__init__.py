"""Which layers are split over several devices, and why: candidates, their computed cost, the choice, its text.

No device is needed: every candidate is lowered, sharded, optimised and planned, and timed by a machine's figures.
"""

from __future__ import annotations

from nnlang.planner.choice import Choice, choose, choose_for
from nnlang.planner.wish import Wish, parse

__all__ = ["Choice", "Wish", "choose", "choose_for", "parse"]
