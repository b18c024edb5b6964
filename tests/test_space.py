"""The space of a sweep: combinations against brute force, draws, conditions, constraints, what Optuna sees, digests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.diagnostics import Stop
from nnlang.sweeps import space as space_module
from nnlang.sweeps.constraints import SIGNS, Constraint
from nnlang.sweeps.covering import covering, samples
from nnlang.sweeps.space import (
    Axis,
    Choice,
    Integer,
    LogUniform,
    Space,
    Uniform,
    When,
    canonical,
    contains,
    drawn,
    size,
)

VALUES = st.one_of(
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
    st.sampled_from(["a", "b", "Adam"]),
    st.sampled_from([{"Step": "TfIdf"}, [1, 2], 0.5, 2.0]),
)
CHOICES = st.lists(VALUES, min_size=1, max_size=4, unique_by=canonical).map(lambda v: Choice(tuple(v)))
INTEGERS = st.tuples(st.integers(-2, 2), st.integers(0, 3)).map(lambda t: Integer(t[0], t[0] + t[1]))
RANGES = st.sampled_from([Uniform(0.0, 1.0), Uniform(-2.0, 3.0), LogUniform(1e-4, 1e-1), LogUniform(1.0, 30.0)])


@st.composite
def spaces(draw: st.DrawFn, continuous: bool = False) -> Space:
    """Up to four axes, some with conditions on those before, and up to two constraints."""
    kinds = st.one_of(CHOICES, INTEGERS, RANGES) if continuous else st.one_of(CHOICES, INTEGERS)
    axes: list[Axis] = []
    for number in range(draw(st.integers(1, 4))):
        when: tuple[When, ...] = ()
        if axes and draw(st.booleans()):
            other = draw(st.sampled_from(axes))
            values = samples(other)
            when = (When(other.name, tuple(draw(st.lists(st.sampled_from(values), min_size=1, max_size=2)))),)
        axes.append(Axis(f"a{number}", (f"a{number}",), (), draw(kinds), when))
    names = [axis.name for axis in axes]
    constraints = []
    for _ in range(draw(st.integers(0, 2))):
        left, right = draw(st.sampled_from(names)), draw(st.sampled_from([*names, None]))
        constraints.append(Constraint(left, draw(st.sampled_from(list(SIGNS))), right, draw(st.integers(-1, 2))))
    return Space(tuple(axes), tuple(constraints))


def brute(space: Space) -> Iterator[dict[str, Any]]:
    """Every point by all products of values, inactive axes left out, the first of equal ones kept."""
    values = [samples(axis) if isinstance(axis.kind, Choice) else range(axis.kind.low, axis.kind.high + 1)  # type: ignore[arg-type]
              for axis in space.axes]  # fmt: skip
    seen = set()
    for point in itertools.product(*values):
        params: dict[str, Any] = {}
        for axis, value in zip(space.axes, point, strict=True):
            conditions = ((w.axis, [json.dumps(v, sort_keys=True) for v in w.values]) for w in axis.when)
            if all(name in params and json.dumps(params[name], sort_keys=True) in known for name, known in conditions):
                params[axis.name] = value
        text = json.dumps(params, sort_keys=True)
        if text not in seen and all(c.holds(params) for c in space.constraints):
            seen.add(text)
            yield params


@given(spaces())
@settings(max_examples=150, deadline=None)
def test_combinations_are_those_of_brute_force(space: Space) -> None:
    found = list(space.combinations())
    assert found == list(brute(space))
    assert all(
        space.holds(params) and list(params) == [a.name for a in space.axes if a.name in params] for params in found
    )
    plain = Space(tuple(Axis(a.name, a.paths, (), a.kind) for a in space.axes))
    assert plain.count() == len(list(plain.combinations())) == len(list(brute(plain)))


@given(spaces(continuous=True), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_draws_are_in_the_space_and_follow_from_the_seed(space: Space, seed: int) -> None:
    try:
        found = space.draw(Random(seed))
    except Stop:
        assert space.constraints
        return
    assert space.holds(found)
    assert found == space.draw(Random(seed))
    assert json.loads(json.dumps(found)) == found


@given(spaces(continuous=True), st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
@settings(max_examples=150, deadline=None)
def test_points_of_the_unit_cube(space: Space, point: list[float]) -> None:
    found = space.from_unit(point[: len(space.axes)])
    assert found is None or space.holds(found)
    assert found == space.from_unit(point[: len(space.axes)])


@given(spaces(continuous=True), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_coverings_hold_every_value(space: Space, seed: int) -> None:
    left = {axis.name: {canonical(v) for v in samples(axis)} for axis in space.axes}
    for params, axis, value in covering(space, seed):
        if params is None:
            left[axis.name].discard(canonical(value))
            continue
        assert space.holds(params)
        for name, found in params.items():
            left[name].discard(canonical(found))
    assert not any(left.values())


def test_what_cannot_be_is_not_drawn_forever() -> None:
    space = Space((Axis("a", (), (), Integer(1, 3)),), (Constraint("a", ">", None, 3),))
    with pytest.raises(Stop, match="NN245"):
        space.draw(Random(1))
    assert list(space.combinations()) == []


@pytest.mark.parametrize("other", [0, 1])
def test_a_grid_whose_constraints_refuse_everything_ends(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_module, "REFUSALS", 3_000)
    axes = tuple(Axis(name, (), (), Integer(1, 1_000_000)) for name in "abc")
    never = (Constraint("b", "<", "abc"[other * 2], 5), Constraint("b", ">", "abc"[other * 2], 6))
    with pytest.raises(Stop, match="refused 3,000 values in a row"):
        next(Space(axes, never).combinations())


def test_a_constraint_is_asked_as_soon_as_its_axes_have_values() -> None:
    axes = tuple(Axis(name, (), (), Integer(1, 1_000)) for name in "abcdef")
    found = list(Space(axes, tuple(Constraint(name, ">=", None, 999) for name in "abcdef")).combinations())
    assert len(found) == 2**6


def test_thousands_of_axes() -> None:
    space = Space(tuple(Axis(f"a{n}", (), (), Choice((1, 2))) for n in range(3_000)))
    first, second = itertools.islice(space.combinations(), 2)
    assert {name for name in first if first[name] != second[name]} == {"a2999"}


def test_ranges_as_wide_as_floats() -> None:
    kind = LogUniform(1e-300, 3e38)
    assert [drawn(kind, at) for at in (0.0, 0.5)] == [1e-300, pytest.approx(1.73205e-131)]


def test_the_last_axis_is_the_fastest_and_absent_axes_do_not_multiply() -> None:
    space = Space(
        (
            Axis("optimizer", (), (), Choice(("SGD", "Adam"))),
            Axis("mu1", (), (), Choice((0.9, 0.99)), (When("optimizer", ("Adam",)),)),
            Axis("n", (), (), Integer(1, 2)),
        )
    )
    assert list(space.combinations()) == [
        {"optimizer": "SGD", "n": 1},
        {"optimizer": "SGD", "n": 2},
        {"optimizer": "Adam", "mu1": 0.9, "n": 1},
        {"optimizer": "Adam", "mu1": 0.9, "n": 2},
        {"optimizer": "Adam", "mu1": 0.99, "n": 1},
        {"optimizer": "Adam", "mu1": 0.99, "n": 2},
    ]
    assert space.count() == 8


def test_combinations_stream() -> None:
    space = Space(tuple(Axis(f"a{n}", (), (), Integer(1, 1_000)) for n in range(6)))
    assert space.count() == 10**18
    assert next(itertools.islice(space.combinations(), 1_500, None))["a5"] == 501


@pytest.mark.parametrize(
    ("kind", "at", "value"),
    [
        (Choice(("a", "b")), 0.4999, "a"),
        (Choice(("a", "b")), 0.5, "b"),
        (Integer(2, 4), 0.999999, 4),
        (Uniform(0.1, 0.7), 0.0, 0.1),
        (Uniform(0.0, 1.0), 0.123456789, 0.123457),
        (LogUniform(1e-4, 1e-2), 0.5, 0.001),
        (LogUniform(1.0000001, 1.0000002), 0.5, 1.0000001),
    ],
)
def test_values_at_places(kind: Any, at: float, value: Any) -> None:
    assert drawn(kind, at) == value
    assert contains(kind, value)


def test_sizes() -> None:
    assert (size(Choice((1, 2))), size(Integer(0, 4)), size(Uniform(0, 1)), size(LogUniform(1, 2))) == (
        2,
        5,
        None,
        None,
    )
    assert Space((Axis("a", (), (), Uniform(0, 1)),)).count() is None
    assert not contains(Integer(0, 4), True) and not contains(Integer(0, 4), 1.5) and not contains(Choice((1,)), True)


class Trial:
    """As Optuna's: takes the last of choices and the low end of ranges, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.asked[name] = choices
        return choices[-1]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked[name] = (low, high, log)
        return low

    def suggest_int(self, name: str, low: int, high: int) -> int:
        self.asked[name] = (low, high)
        return low


def test_what_optuna_is_asked() -> None:
    space = Space(
        (
            Axis("tree", (), (), Choice((None, {"Step": "Log"}))),
            Axis("word", (), (), Choice(("a", "b"))),
            Axis("alike", (), (), Choice((1, True, "1"))),
            Axis("x", (), (), LogUniform(0.1, 1.0)),
            Axis("y", (), (), Uniform(0.0, 1.0)),
            Axis("n", (), (), Integer(3, 9), (When("word", ("b",)),)),
            Axis("m", (), (), Integer(3, 9), (When("word", ("a",)),)),
        )
    )
    trial = Trial()
    params = space.suggest(trial)
    assert params == {"tree": {"Step": "Log"}, "word": "b", "alike": "1", "x": 0.1, "y": 0.0, "n": 3}
    assert trial.asked == {
        "tree": (0, 1),
        "word": ("a", "b"),
        "alike": (0, 1, 2),
        "x": (0.1, 1.0, True),
        "y": (0.0, 1.0, False),
        "n": (3, 9),
    }
    assert space.coded(params) == {"tree": 1, "word": "b", "alike": 2, "x": 0.1, "y": 0.0, "n": 3}


def test_optuna_takes_them() -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = Space(
        (
            Axis("tree", (), (), Choice((None, {"Step": "Log"}))),
            Axis("x", (), (), LogUniform(0.1, 1.0), (When("tree", ({"Step": "Log"},)),)),
            Axis("n", (), (), Integer(0, 3)),
        )
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        trial = study.ask()
        params = space.suggest(trial)
        assert space.holds(params)
        assert space.coded(params) == trial.params
        study.tell(trial, 1.0)


def test_a_condition_on_an_axis_that_is_not_there_does_not_hold() -> None:
    space = Space(
        (
            Axis("a", (), (), Choice((1, 2))),
            Axis("b", (), (), Choice((1,)), (When("a", (2,)),)),
            Axis("c", (), (), Choice((1, 2)), (When("b", (1,)),)),
        )
    )
    assert [list(p) for p in space.combinations()] == [["a"], ["a", "b", "c"], ["a", "b", "c"]]


def test_digests() -> None:
    space = Space(
        (Axis("a", ("A",), (), Choice((1, 2)), ()), Axis("b", ("B",), ("b{}",), Integer(1, 2), (When("a", (1,)),)))
    )
    other = [
        Space(space.axes[::-1]),
        Space(space.axes, (Constraint("a", ">", "b"),)),
        Space(space.axes, (Constraint("a", ">", None, 1),)),
        Space((space.axes[0],)),
        Space((Axis("a", ("A",), (), Choice((1, 3)), ()), space.axes[1])),
        Space((Axis("a", ("A2",), (), Choice((1, 2)), ()), space.axes[1])),
        Space((space.axes[0], Axis("b", ("B",), ("c{}",), Integer(1, 2), (When("a", (1,)),)))),
        Space((space.axes[0], Axis("b", ("B",), ("b{}",), Integer(1, 2), (When("a", (2,)),)))),
        Space((space.axes[0], Axis("b", ("B",), ("b{}",), Integer(1, 2)))),
        Space((space.axes[0], Axis("b", ("B",), ("b{}",), Uniform(1, 2), (When("a", (1,)),)))),
    ]
    assert len({space.digest(), *(s.digest() for s in other)}) == len(other) + 1
    assert space.digest() == Space(space.axes).digest()
    assert canonical({"b": 1.0, "a": [2, None]}) == '{"a":[2,null],"b":1}'
