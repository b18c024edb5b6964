"""The space of a sweep: its axes, which of them are there under which conditions, and ways to take points from it.

A point is `Params`: the values of the active axes by their names, plain JSON, in the order of the axes. An axis with
conditions is active only where earlier axes have one of the values that these name; constraints leave points out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from random import Random
from typing import Any, Protocol

from nnlang.codes import sweeps as codes
from nnlang.diagnostics import stop
from nnlang.sweeps.constraints import Constraint

Json = Any
Params = dict[str, Json]
TRIES = 1_000  # draws until the constraints hold
REFUSALS = 5_000_000  # values of a grid that the constraints refuse, one after another: ten seconds


@dataclass(frozen=True)
class Choice:
    """One of a few values, of any form."""

    values: tuple[Json, ...]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each value by its canonical text."""
        return {canonical(value): place for place, value in enumerate(self.values)}


@dataclass(frozen=True)
class Uniform:
    """A number from low to high."""

    low: float
    high: float


@dataclass(frozen=True)
class LogUniform:
    """A number from low to high, both above 0, all magnitudes alike."""

    low: float
    high: float


@dataclass(frozen=True)
class Integer:
    """An integer from low to high, both included."""

    low: int
    high: int


Kind = Choice | Uniform | LogUniform | Integer


class Suggesting(Protocol):
    """What of Optuna's trial is used."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """An integer from low to high."""


@dataclass(frozen=True)
class When:
    """A condition: the axis of this name is active and has one of these values."""

    axis: str
    values: tuple[Json, ...]

    @cached_property
    def known(self) -> frozenset[str]:
        """The values in their canonical texts."""
        return frozenset(map(canonical, self.values))

    def holds(self, params: Mapping[str, Json]) -> bool:
        """Whether a point, as far as it goes, fulfils it."""
        return self.axis in params and canonical(params[self.axis]) in self.known


@dataclass(frozen=True)
class Axis:
    """One axis: what it is called, the paths that it sets, how (`texts` with {} for the value), its values, when."""

    name: str
    paths: tuple[str, ...]
    texts: tuple[str, ...]
    kind: Kind
    when: tuple[When, ...] = ()

    def active(self, params: Mapping[str, Json]) -> bool:
        """Whether it is there, given the values of the axes before it."""
        return all(condition.holds(params) for condition in self.when)

    def record(self) -> Json:
        """Everything that it says, as JSON."""
        name, *values = type(self.kind).__name__, *(getattr(self.kind, field.name) for field in fields(self.kind))
        when = [[w.axis, list(w.values)] for w in self.when]
        return [self.name, list(self.paths), list(self.texts), name, values, when]


@dataclass(frozen=True)
class Space:
    """Axes in order, and constraints."""

    axes: tuple[Axis, ...]
    constraints: tuple[Constraint, ...] = ()

    def count(self) -> int | None:
        """How many points the grid has before conditions and constraints; None where an axis is continuous."""
        sizes = [size(axis.kind) for axis in self.axes]
        return None if None in sizes else math.prod(s for s in sizes if s is not None)

    def combinations(self) -> Iterator[Params]:
        """Every point of the grid once, the last axis fastest; a stream. The axes must be enumerable.

        Raises `Stop` where the constraints refuse values for so long that nobody would wait for the next point.
        """
        values = [_values(axis.kind) for axis in self.axes]
        params: Params = {}
        open_: list[tuple[int, Iterator[Json]]] = []  # active axes, each with the values that are still to come
        place: int | None = 0
        refused = [0]
        while place is not None:
            if place == len(self.axes):
                yield dict(params)
                refused[0] = 0
            elif self.axes[place].active(params):
                open_.append((place, iter(values[place])))
            else:
                place += 1
                continue
            place = self._next(open_, params, refused)

    def _next(self, open_: list[tuple[int, Iterator[Json]]], params: Params, refused: list[int]) -> int | None:
        """Gives the last open axis its next value that constraints allow; the place behind it, None at the end."""
        while open_:
            place, left = open_[-1]
            name = self.axes[place].name
            params.pop(name, None)
            for value in left:
                params[name] = value
                if all(constraint.holds(params) for constraint in self._due[place]):
                    return place + 1
                refused[0] += 1
                if refused[0] > REFUSALS:
                    raise stop(codes.NOTHING_LEFT, reason=f"the constraints refused {REFUSALS:,} values in a row")
            params.pop(name, None)
            open_.pop()
        return None

    @cached_property
    def _due(self) -> tuple[tuple[Constraint, ...], ...]:
        """The constraints of each axis that can be asked once it has a value: those whose other axis is before it."""
        places = {axis.name: place for place, axis in enumerate(self.axes)}
        due: list[list[Constraint]] = [[] for _ in self.axes]
        for constraint in self.constraints:
            due[max(places[name] for name in (constraint.axis, constraint.other) if name is not None)].append(
                constraint
            )
        return tuple(map(tuple, due))

    def draw(self, random: Random) -> Params:
        """A point that follows from the state of `random`; raises `Stop` where no draw fulfils the constraints."""
        for _ in range(TRIES):
            params = self.build(lambda axis, _: drawn(axis.kind, random.random()))
            if self.allows(params):
                return params
        raise stop(codes.NOTHING_LEFT, reason=f"in {TRIES:,} draws no combination fulfilled the constraints")

    def from_unit(self, point: Sequence[float]) -> Params | None:
        """The point at a place of the unit cube, one coordinate in [0, 1) an axis; None where a constraint fails."""
        places = {axis.name: at for axis, at in zip(self.axes, point, strict=True)}
        params = self.build(lambda axis, _: drawn(axis.kind, places[axis.name]))
        return params if self.allows(params) else None

    def suggest(self, trial: Suggesting) -> Params:
        """The point that a trial of Optuna suggests; ask `allows` whether the constraints hold."""
        return self.build(lambda axis, _: self._suggested(axis, trial))

    def _suggested(self, axis: Axis, trial: Suggesting) -> Json:
        match axis.kind:
            case Choice(values):
                offered = self.codes(axis) or ()
                return values[offered.index(trial.suggest_categorical(axis.name, offered))]
            case Integer(low, high):
                return trial.suggest_int(axis.name, low, high)
            case kind:
                return trial.suggest_float(axis.name, kind.low, kind.high, log=isinstance(kind, LogUniform))

    def build(self, pick: Picker) -> Params:
        """The point whose active axes take what `pick(axis, values so far)` says; constraints are not asked."""
        params: Params = {}
        for axis in self.axes:
            if axis.active(params):
                params[axis.name] = pick(axis, params)
        return params

    def allows(self, params: Mapping[str, Json]) -> bool:
        """Whether a point fulfils the constraints; one of an axis that is not there is fulfilled."""
        return all(constraint.holds(params) for constraint in self.constraints)

    def holds(self, params: Mapping[str, Json]) -> bool:
        """Whether a point is one of the space: its axes are the active ones, in order, their values allowed."""
        found: Params = {}
        for axis in self.axes:
            if axis.active(found):
                if axis.name not in params or not contains(axis.kind, params[axis.name]):
                    return False
                found[axis.name] = params[axis.name]
        return list(found) == list(params) and self.allows(params)

    def codes(self, axis: Axis) -> tuple[Json, ...] | None:
        """The choices of an axis as Optuna gets them: scalars as they are, others by number; None for a range."""
        if not isinstance(axis.kind, Choice):
            return None
        values = axis.kind.values
        plain = all(value is None or isinstance(value, str | int | float) for value in values)
        return values if plain and len(set(values)) == len(values) else tuple(range(len(values)))

    def coded(self, params: Mapping[str, Json]) -> Params:
        """A point as Optuna holds it."""
        return {axis.name: self._code(axis, params[axis.name]) for axis in self.axes if axis.name in params}

    def _code(self, axis: Axis, value: Json) -> Json:
        if not isinstance(axis.kind, Choice):
            return value
        return (self.codes(axis) or ())[axis.kind.places[canonical(value)]]

    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of everything that the axes and constraints say."""
        text = canonical([[a.record() for a in self.axes], [c.record() for c in self.constraints]])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Picker(Protocol):
    """Chooses the value of an axis, given the values of those before it."""

    def __call__(self, axis: Axis, params: Params, /) -> Json:
        """A value of the axis."""


def size(kind: Kind) -> int | None:
    """How many values there are; None for a continuous range."""
    match kind:
        case Choice(values):
            return len(values)
        case Integer(low, high):
            return high - low + 1
    return None


def _values(kind: Kind) -> Sequence[Json]:
    """The values of an enumerable axis, in order."""
    match kind:
        case Choice(values):
            return values
        case Integer(low, high):
            return range(low, high + 1)
    raise AssertionError("a continuous axis has no grid")


def contains(kind: Kind, value: Json) -> bool:
    """Whether a value is one of an axis."""
    match kind:
        case Choice():
            return canonical(value) in kind.places
        case Integer(low, high):
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    return isinstance(value, int | float) and not isinstance(value, bool) and kind.low <= value <= kind.high


def drawn(kind: Kind, at: float) -> Json:
    """The value at a place in [0, 1) of an axis; numbers of a range with six digits, as people write them."""
    match kind:
        case Choice(values):
            return values[min(int(at * len(values)), len(values) - 1)]
        case Integer(low, high):
            return min(low + int(at * (high - low + 1)), high)
        case Uniform(low, high):
            value = low + at * (high - low)
        case LogUniform(low, high):
            value = low ** (1 - at) * high**at  # their quotient may be beyond the largest number
    return min(max(float(f"{value:.6g}"), low), high)


def canonical(value: Json) -> str:
    """One text for equal JSON values: keys in order, whole numbers as integers."""
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"))


def _whole(value: Json) -> Json:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list() | tuple():
            return [_whole(item) for item in value]
        case dict():
            return {name: _whole(item) for name, item in value.items()}
    return value
