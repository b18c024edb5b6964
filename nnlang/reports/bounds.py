"""The error-bound figure: trials by value with 95% intervals, and which of them cannot be told from the best."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nnlang.reports.columns import value_text
from nnlang.reports.evidence import Interval, over_repeats
from nnlang.reports.plots import (
    BLUE,
    GREEN,
    ORANGE,
    Plot,
    Trace,
    axis,
    figure_text,
    frame,
    label,
    nothing,
    numbers,
)
from nnlang.search.study import State, Study, Trial

MOST = 200  # trials drawn; the figure is about the best
_NAMED = 40  # trials whose names stand under their marks
_REPEATING = {"fold", "seed", "randomseed"}  # axes that repeat a setting on other parts or numbers


@dataclass(frozen=True)
class Bar:
    """One row of the figure: its name, its value and, where it is known, its interval."""

    name: str
    value: float
    interval: Interval | None
    base: bool = False


def judged_trials(study: Study) -> list[Trial]:
    """The trials whose intervals the figure would draw, best first, the base among them."""
    ranked = study.ranked()
    base = [trial for trial in ranked[MOST:] if trial.number == 0]
    return ranked[:MOST] + base


def bounds(study: Study, users: Mapping[int, Interval]) -> Plot:
    """Finished trials, best first, with their intervals; those that reach into the best one's are marked."""
    title = f"How sure the order is: {study.metric} with 95% intervals"
    repeats = _repeats(study)
    bars, words = (repeats, _of_repeats(repeats)) if repeats else _by_users(study, users)
    if not bars:
        return nothing("bounds", title, "No trial is finished yet.")
    if not any(bar.interval for bar in bars):
        reason = (
            "Intervals are not known: the trials' folders have no values by user (validation.json) and no axis "
            "repeats a setting on other folds or seeds. Whether the first are truly better cannot be said."
        )
        return Plot("bounds", title, reason, reason, *_drawn(study, bars, set()))
    near = told_apart_not(bars)
    known = sum(bar.interval is not None for bar in bars)
    counted = "None other" if len(near) < 2 else f"{len(near) - 1:,} of {known - 1:,} others"
    caption = f"{counted} cannot be told apart from the best: the intervals overlap (green). {words}"
    if not repeats:
        caption += " The comparison of two trials user by user is sharper: nnlang sweep compare."
    return Plot("bounds", title, caption, caption, *_drawn(study, bars, near))


def told_apart_not(bars: Sequence[Bar]) -> set[int]:
    """The places of the bars whose interval meets that of the first one that has an interval, itself included."""
    best = next((bar.interval for bar in bars if bar.interval is not None), None)
    if best is None:
        return set()
    return {
        place
        for place, bar in enumerate(bars)
        if bar.interval is not None and bar.interval.low <= best.high and best.low <= bar.interval.high
    }


def _by_users(study: Study, users: Mapping[int, Interval]) -> tuple[list[Bar], str]:
    bars = [Bar(_name(t), t.value or 0.0, users.get(t.number), t.number == 0) for t in judged_trials(study)]
    counts = sorted({found.count for found in users.values()})
    if not counts:
        return bars, ""
    told = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    words = f"Intervals are over the {told} users of the validation part, by the normal law."
    total = len(study.ranked())
    return bars, words + (f" The best {MOST:,} of {total:,} are drawn." if total > MOST else "")


def _repeats(study: Study) -> list[Bar]:
    """Settings that were repeated over folds or seeds, by their means; [] where none was."""
    again = [name for name in study.axes if name.rpartition(".")[2].lower() in _REPEATING]
    if not again:
        return []
    groups: dict[str, list[Trial]] = {}
    for trial in study.trials:
        if trial.state is State.FINISHED and trial.value is not None and trial.params:
            setting = {name: value for name, value in trial.params.items() if name not in again}
            groups.setdefault(json.dumps(setting, sort_keys=True), []).append(trial)
    if all(len(group) < 2 for group in groups.values()):
        return []
    bars = [_repeated(group, again) for group in groups.values()]
    sign = -1.0 if study.metric.measure.more_is_better else 1.0
    return sorted(bars, key=lambda bar: sign * bar.value)[:MOST]


def _repeated(group: Sequence[Trial], again: Sequence[str]) -> Bar:
    values = [trial.value or 0.0 for trial in group]
    setting = ", ".join(value_text(v) for k, v in group[0].params.items() if k not in again) or "all"
    return Bar(f"{setting} ({_name(group[0])} and like)", sum(values) / len(values), over_repeats(values))


def _of_repeats(bars: Iterable[Bar]) -> str:
    counts = sorted({bar.interval.count if bar.interval else 1 for bar in bars})
    told = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Each mark is a setting: the mean of {told} trials on other folds or seeds, its interval by Student's law."


def _name(trial: Trial) -> str:
    return "base" if trial.number == 0 else f"trial {trial.number}"


def _drawn(study: Study, bars: Sequence[Bar], near: set[int]) -> tuple[tuple[Trace, ...], dict[str, object]]:
    groups = (
        ("cannot be told apart from the best", GREEN, [i for i in near if not bars[i].base]),
        ("base definition", ORANGE, [i for i, bar in enumerate(bars) if bar.base]),
        ("worse" if near else "finished", BLUE, [i for i, bar in enumerate(bars) if i not in near and not bar.base]),
    )
    traces = tuple(_trace(words, colour, sorted(places), bars) for words, colour, places in groups if places)
    named = len(bars) <= _NAMED
    ticks = (
        {"tickvals": list(range(1, len(bars) + 1)), "ticktext": [label(bar.name, 28) for bar in bars]} if named else {}
    )
    across = axis("" if named else "rank", range=[0.3, len(bars) + 0.7], **ticks)
    return traces, frame(across, axis(label(study.metric)))


def _trace(words: str, colour: str, places: Sequence[int], bars: Sequence[Bar]) -> Trace:
    chosen = [bars[i] for i in places]
    reach = [bar.interval or Interval(bar.value, bar.value, bar.value, 0) for bar in chosen]
    return {
        "type": "scatter", "mode": "markers", "name": words, "x": [place + 1 for place in places],
        "y": numbers(b.value for b in chosen),
        "marker": {"color": colour, "size": 7, "symbol": "star" if chosen[0].base else "circle"},
        "error_y": {
            "type": "data", "symmetric": False, "thickness": 1.2, "width": 3, "color": colour,
            "array": numbers(max(found.high - bar.value, 0.0) for bar, found in zip(chosen, reach, strict=True)),
            "arrayminus": numbers(max(bar.value - found.low, 0.0) for bar, found in zip(chosen, reach, strict=True)),
        },
        "text": [_told(bar) for bar in chosen], "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _told(bar: Bar) -> str:
    head = f"<b>{label(bar.name, 60)}</b>, {figure_text(bar.value)}"
    if bar.interval is None:
        return f"{head}<br>interval not known"
    return f"{head}<br>95% from {figure_text(bar.interval.low)} to {figure_text(bar.interval.high)}"
