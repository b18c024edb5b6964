"""A few points of a space in which every value of every axis stands: what is looked at for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from nnlang.sweeps.space import Axis, Choice, Integer, Params, Space, canonical, drawn

Json = Any
MOST_OF_RANGE = 16  # values of an integer axis
MOST_OF_CHOICE = 200
_TRIES = 50  # for one value, where constraints refuse


def samples(axis: Axis) -> list[Json]:
    """The values of an axis that are looked at: of a choice all, of a range both ends and some between."""
    match axis.kind:
        case Choice(values):
            return list(values[:MOST_OF_CHOICE])
        case Integer(low, high):
            steps = min(high - low, MOST_OF_RANGE - 1)
            return [low + round(n * (high - low) / steps) for n in range(steps + 1)] if steps else [low]
        case kind:
            return [kind.low, drawn(kind, 0.5), kind.high]


def covering(space: Space, seed: int) -> Iterator[tuple[Params | None, Axis, Json]]:
    """Points that hold every sampled value of every axis at least once, each with the value that it was made for.

    The point is None for a value that no tried point fulfils the constraints with. A function of space and seed.
    """
    random = Random(seed)
    left = {axis.name: {canonical(v): v for v in samples(axis)} for axis in space.axes}
    for axis in space.axes:
        for text, value in list(left[axis.name].items()):
            if text not in left[axis.name]:
                continue  # a point for another value held it
            params = _with(space, axis, value, left, random)
            left[axis.name].pop(text)
            for name, found in (params or {}).items():
                left[name].pop(canonical(found), None)
            yield params, axis, value


def _with(
    space: Space, axis: Axis, value: Json, left: Mapping[str, Mapping[str, Json]], random: Random
) -> Params | None:
    """A point with this value of this axis, made of values that are left to see where it can be."""
    needed = _needed(space, axis)

    def anything(other: Axis, params: Params) -> Json:
        every = list(needed[other.name].values()) if needed.get(other.name) else samples(other)
        return value if other.name == axis.name else every[random.randrange(len(every))]

    def unseen(other: Axis, params: Params) -> Json:
        allowed = needed.get(other.name, left[other.name])
        waiting = (v for text, v in left[other.name].items() if text in allowed)
        return value if other.name == axis.name else next(waiting, anything(other, params))

    for pick in (unseen, *(anything,) * _TRIES):
        params = space.build(pick)
        if axis.name in params and space.allows(params):
            return params
    return None


def _needed(space: Space, axis: Axis) -> dict[str, dict[str, Json]]:
    """The values that the conditions of an axis, and of those that they name, ask for."""
    by_name = {other.name: other for other in space.axes}
    found: dict[str, dict[str, Json]] = {}
    todo = list(axis.when)
    while todo:
        condition = todo.pop()
        asked = {canonical(v): v for v in condition.values}
        before = found.get(condition.axis, asked)
        found[condition.axis] = {text: v for text, v in asked.items() if text in before}
        todo += by_name[condition.axis].when
    return found
