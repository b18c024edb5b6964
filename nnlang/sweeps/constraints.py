"""Constraints between axes: two operands and a sign, and whether any values can fulfil them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Any

SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ORDERING = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Constraint:
    """`axis sign operand`: the operand is another axis, or where `other` is None the value."""

    axis: str
    sign: str
    other: str | None
    value: Json = None

    def holds(self, params: Mapping[str, Json]) -> bool:
        """Whether a point fulfils it; one with an axis that is not there, or that is null in an ordering, does."""
        if self.axis not in params or (self.other is not None and self.other not in params):
            return True
        left = params[self.axis]
        return compare(left, self.sign, self.value if self.other is None else params[self.other])

    def record(self) -> Json:
        """Everything that it says, as JSON."""
        return [self.axis, self.sign, self.other, self.value]


def compare(left: Json, sign: str, right: Json) -> bool:
    """Whether two values stand in a relation; an ordering with anything but numbers does hold."""
    if sign in ORDERING and not (number(left) and number(right)):
        return True
    if sign not in ORDERING and isinstance(left, bool) != isinstance(right, bool):
        return sign == "!="  # true is no 1
    return SIGNS[sign](left, right)


def number(value: Json) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
