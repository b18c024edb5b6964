"""The axes of a sweep as columns of numbers: what can be drawn of them, over all trials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnlang.reports.plots import figure_text, label
from nnlang.search.study import Study, Trial

_WIDE = 50  # numbers above 0 that span so much are drawn on a logarithmic scale
_FEW = 8  # so many different numbers, all round, are each a tick


@dataclass(frozen=True)
class Column:
    """One axis of the sweep. `places` has a number a trial that it was active in; of categories their number.

    `labels` are the categories, () where the axis is of numbers; `logarithmic` is how to draw these.
    """

    name: str
    places: Mapping[int, float]
    labels: tuple[str, ...] = ()
    logarithmic: bool = False

    def place(self, trial: Trial) -> float | None:
        """Where the trial stands on the axis, None where the axis is not active in it."""
        return self.places.get(trial.number)

    @cached_property
    def scaled(self) -> dict[int, float]:
        """The places as they are drawn on a plain scale: of a logarithmic axis the decimal logarithms."""
        return {n: math.log10(at) if self.logarithmic else at for n, at in self.places.items()}

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest place of `scaled`; never the same number twice."""
        if self.labels:
            return 0.0, max(len(self.labels) - 1.0, 1.0)
        return ends(self.scaled.values())

    def in_steps(self) -> Column:
        """The axis with its numbers as evenly spaced choices, where they are few; else as it is."""
        different = sorted(set(self.places.values()))
        if self.labels or len(different) > _FEW:
            return self
        order = {at: float(place) for place, at in enumerate(different)}
        texts = tuple(f"{at:.6g}" for at in different)
        return Column(self.name, {n: order[at] for n, at in self.places.items()}, texts)

    def ticks(self, most: int = 36) -> tuple[list[float], list[str]]:
        """Places on the plain scale, and what stands there, cut to `most` characters."""
        if self.labels:
            return list(map(float, range(len(self.labels)))), [label(text, most) for text in self.labels]
        different = sorted(set(self.places.values()))
        if len(different) <= _FEW and all(float(f"{at:.3g}") == at for at in different):
            return [math.log10(at) if self.logarithmic else at for at in different], [f"{at:.4g}" for at in different]
        low, high = self.bounds
        at = _decades(low, high) if self.logarithmic else _round_numbers(low, high)
        return at, [f"{10**place:.4g}" if self.logarithmic else f"{place:.6g}" for place in at]


def columns(study: Study, kinds: Mapping[str, str]) -> list[Column]:
    """The axes that the trials differ in, in the file's order; `kinds` names those known to be LogUniform."""
    found = [column(name, study.trials, kinds.get(name, "")) for name in study.axes]
    return [one for one in found if one.places]


def column(name: str, trials: Iterable[Trial], kind: str = "") -> Column:
    """One axis over the trials that it is active in."""
    values = {trial.number: trial.params[name] for trial in trials if name in trial.params}
    if all(_is_number(value) for value in values.values()):
        places = {n: float(value) for n, value in values.items()}
        positive = [at for at in places.values() if at > 0]
        wide = len(positive) == len(places) and bool(places) and max(positive) >= _WIDE * min(positive)
        return Column(name, places, logarithmic=len(positive) == len(places) and (wide or kind == "LogUniform"))
    texts = {n: value_text(value) for n, value in values.items()}
    labels = tuple(dict.fromkeys(texts[n] for n in sorted(texts)))
    order = {text: float(i) for i, text in enumerate(sorted(labels, key=_natural))}
    return Column(name, {n: order[text] for n, text in texts.items()}, tuple(order))


def value_text(value: Any) -> str:
    """A JSON value of an axis as people read it: texts bare, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


def ends(values: Iterable[float]) -> tuple[float, float]:
    """The lowest and the highest value, moved apart where one could not tell them."""
    found = sorted(values) or [0.0, 1.0]
    low, high = found[0], found[-1]
    size = max(abs(low), abs(high))
    return (low, high) if high - low > 1e-9 * size else (low - (0.5 + 0.01 * size), high + 0.5 + 0.01 * size)


def unit(at: float, bounds: tuple[float, float]) -> float:
    """A place of the plain scale as a share of its bounds."""
    return (at - bounds[0]) / (bounds[1] - bounds[0])


def told(trial: Trial, names: Sequence[str]) -> str:
    """The settings of a trial, one a line, for a hint at the pointer."""
    lines = [
        f"{label(name, 36)}: {label(value_text(trial.params[name]), 36)}" for name in names if name in trial.params
    ]
    value = "" if trial.value is None else f", {figure_text(trial.value)}"
    head = "base definition" if trial.number == 0 else f"trial {trial.number}"
    return "<br>".join((f"<b>{head}</b>{value} ({trial.state.value})", *lines))


def thinned(trials: Sequence[Trial], study: Study, most: int) -> list[Trial]:
    """At most so many of the trials with values: the best half of `most`, and of the rest every so many."""
    if len(trials) <= most:
        return list(trials)
    sign = -1.0 if study.metric.measure.more_is_better else 1.0
    order = sorted(trials, key=lambda trial: (sign * (trial.value or 0.0), trial.number))
    half = most // 2
    step = -(-(len(order) - half) // half)
    return sorted((*order[:half], *order[half::step]), key=lambda trial: trial.number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300  # False for NaN


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _decades(low: float, high: float) -> list[float]:
    """Places of 1, and as long as these are few, of 2 and 5 times the powers of ten, as logarithms."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    fine = [power + math.log10(times) for power in powers for times in (1, 2, 5)]
    shown = [at for at in fine if low - 1e-9 <= at <= high + 1e-9]
    whole = [at for at in shown if at == int(at)]
    return whole if len(shown) > _FEW else shown if len(shown) > 1 else [low, high]


def _round_numbers(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    unit_ = 10.0 ** math.floor(math.log10(rough))
    step = next(m * unit_ for m in (1, 2, 2.5, 5, 10) if m * unit_ >= rough)
    return [at * step for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
