"""Preparation steps with the numbers fitted to training data, and their form in a model's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Preparation, Step
from nnlang.runtime.record import decode, encode
from nnlang.schema import INT_MAX

Numbers = Mapping[str, NDArray[Any]]

# The arrays of each step. One number a feature and one more for features beyond them; `kept` lists features.
ARRAYS: Mapping[Step, tuple[str, ...]] = {
    Step.TF_IDF: ("idf",),
    Step.Z_SCORE: ("mean", "deviation"),
    Step.MIN_MAX: ("least", "span"),
    Step.TOP_FREQUENCY: ("kept",),
    Step.TOP_INFORMATION: ("kept",),
    Step.K_CORE: ("kept",),
}


@dataclass(frozen=True)
class Fitted:
    """One step and what it learnt: float64 arrays by feature, int64 lists of features (`ARRAYS`)."""

    step: Preparation
    numbers: Numbers = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """The steps of one data set in their order; `analog`: whether the data set had values before the first of them."""

    analog: bool
    steps: tuple[Fitted, ...]


def record(prepared: Mapping[str, Prepared]) -> dict[str, Any]:
    """The JSON value of the fitted steps of data sets by name, exact; empty where there are none."""
    sets = {name: {"analog": one.analog, "steps": [_step(f) for f in one.steps]} for name, one in prepared.items()}
    return {"sets": sets} if sets else {}


def read(preparation: Mapping[str, Any], name: str) -> Prepared | None:
    """The fitted steps of a data set in a model's `preparation`; None where it has none, ValueError for nonsense."""
    found = _typed(dict, preparation.get("sets", {})).get(name)
    if found is None:
        return None
    steps = _typed(list, _typed(dict, found).get("steps"))
    return Prepared(_typed(bool, found.get("analog")), tuple(_fitted(_typed(dict, step)) for step in steps))


def check(preparation: Mapping[str, Any]) -> None:
    """ValueError where a model's `preparation` is not one that `record` made."""
    for name in _typed(dict, preparation.get("sets", {})):
        read(preparation, name)


def _step(fitted: Fitted) -> dict[str, Any]:
    names = ARRAYS.get(fitted.step.step, ())
    return {"step": encode(fitted.step), **{name: fitted.numbers[name].tolist() for name in names}}


def _fitted(found: dict[str, Any]) -> Fitted:
    step = decode(Preparation, found.get("step"))
    return Fitted(step, {name: _array(name, found.get(name)) for name in ARRAYS.get(step.step, ())})


def _array(name: str, found: Any) -> NDArray[Any]:
    numbers, listed = _typed(list, found), name == "kept"
    if not all(type(number) is int or (type(number) is float and not listed) for number in numbers):
        raise ValueError(f"{name} of a preparation step holds what is no number")
    array: NDArray[Any] = np.array(numbers, np.int64 if listed else np.float64)
    if not (_are_features(array) if listed else len(array) and bool(np.isfinite(array).all())):
        raise ValueError(f"{name} of a preparation step holds numbers that cannot be")
    return array


def _are_features(kept: NDArray[Any]) -> bool:
    """Whether the numbers are those of features, ascending."""
    return not len(kept) or bool(kept[0] >= 0 and kept[-1] <= INT_MAX and (np.diff(kept) > 0).all())


def _typed(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"the preparation has a {type(value).__name__} where a {kind.__name__} is needed")
    return value
