"""What to do after a sweep, or in its midst: go on with it, widen an axis, beware of values that compare badly."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnlang.search.study import Params, Study
from nnlang.sweeps.space import Axis, Choice, Integer, LogUniform, Space, Uniform

NEAR = 0.025  # of a range, from its end: where a value counts as being at the end
LEAST = 3  # values of an axis, so that being the largest or smallest of them says something
_ELSEWHERE = ("split.", "data.")  # what axes lead to that do not lead into the definition


def again(command: Sequence[str], folder: Path) -> str:
    """The command that goes on with a sweep, from the words that it was run with, as a shell reads it.

    It names the folder where the sweep is now: it may have been moved.
    """
    told: list[str] = []
    words = iter(command)
    for word in words:
        if word in ("-o", "--output"):
            next(words, None)
        elif word != "--resume" and not word.startswith(("-o", "--output=")):
            told.append(word)
    return shlex.join([*told, "-o", str(folder), "--resume"])


def ends(space: Space) -> dict[str, list[Any]]:
    """The lowest and the highest value of each axis of numbers in the definition, and how values lie between them.

    The third is "steps", "even" or "log". Axes of which nobody would say that they are too short are left out.
    """
    found = {axis.name: _ends(axis) for axis in space.axes}
    return {name: made for name, made in found.items() if made is not None}


def _ends(axis: Axis) -> list[Any] | None:
    if axis.texts or any(path.lower().startswith(_ELSEWHERE) for path in axis.paths):
        return None
    match axis.kind:
        case Choice(values):
            numbers = {v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}
            return [min(numbers), max(numbers), "steps"] if len(values) == len(numbers) >= LEAST else None
        case Integer(low, high):
            return [low, high, "steps"] if high - low + 1 >= LEAST else None
        case LogUniform(low, high):
            return [low, high, "log"]
        case Uniform(low, high):
            return [low, high, "even"]


def edges(params: Params, ends: Mapping[str, Sequence[Any]]) -> list[str]:
    """A line for each axis at whose end these parameters lie, though it might go on: 0 is an end by itself."""
    found = []
    for name, (low, high, form) in ends.items():
        value = params.get(name)
        if not isinstance(value, int | float) or low == high:
            continue
        place = math.log(value / low) / math.log(high / low) if form == "log" else (value - low) / (high - low)
        near = 0.0 if form == "steps" else NEAR
        if place >= 1 - near:
            found.append(_edge(name, value, high, "largest", form))
        elif place <= near and low != 0:
            found.append(_edge(name, value, low, "smallest", form))
    return found


def _edge(name: str, value: float, end: float, word: str, form: str) -> str:
    if form == "steps":
        return f"{name}: the best is the {word} value, {value:g}: widen the axis"
    return f"{name}: the best, {value:g}, is beside the {word} value, {end:g}: widen the axis"


def parts(study: Study) -> int:
    """On how many different validation parts the trials were judged, as far as their folders tell."""
    from nnlang.search.afterwards import judged_on

    return len({judged_on(study.folder, trial) for trial in study.trials if trial.value is not None})


def sizes(folder: Path) -> tuple[int, int, int]:
    """The bytes of all files below a sweep's folder, those of its trials' models, and how many of these there are."""
    from nnlang.search.trial import MODEL

    whole, models, count = 0, 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size = os.lstat(os.path.join(place, name)).st_size
            except OSError:  # of a trial that is being trained
                continue
            whole += size
            if name == MODEL:
                models, count = models + size, count + 1
    return whole, models, count
