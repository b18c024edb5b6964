"""Figures with a mark a trial: the history, the cloud, and a slice for each axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nnlang.reports.columns import Column, thinned, told
from nnlang.reports.plots import (
    FEW,
    GREEN,
    GREY,
    MARKS,
    ORANGE,
    RIM,
    Choice,
    Plot,
    Selector,
    Trace,
    axis,
    colours,
    figure_text,
    frame,
    label,
    nothing,
    number,
    numbers,
    scatter,
)
from nnlang.search.study import State, Study, Trial

_SPREAD, _GOLDEN = 0.5, 0.618034
_NO_VALUES = "No trial has been judged yet."
_INACTIVE = 0.06  # share of the colour scale that stands for an axis that is not active


def history(study: Study) -> Plot:
    """Each trial's best value by its number, and the best so far."""
    judged = _judged(study)
    title = f"{study.metric} of each trial, and the best so far"
    if not judged:
        return nothing("history", title, _NO_VALUES)
    traces = [*_marks(judged, study.axes, lambda trial: trial.number), _best_so_far(study)]
    words = "a cross is a trial that was stopped early, at the best value that it had reached by then"
    return Plot(
        "history",
        title,
        f"One mark a trial; {words}. The line is the best of the finished trials so far; {_way(study)} is better.",
        _summary(study, judged),
        tuple(traces),
        frame(axis("trial", rangemode="tozero"), axis(label(study.metric))),
    )


def cloud(study: Study, columns: Sequence[Column], parameters: Mapping[int, int]) -> Plot:
    """All trials: what they cost against what they reached, coloured by an axis that the reader chooses."""
    title = f"The cloud of all trials: cost and {study.metric}, coloured by a setting"
    judged = _judged(study)
    if not judged:
        return nothing("cloud", title, _NO_VALUES)
    costs = _costs(judged, parameters)
    groups = _groups(judged)
    signs = [_sign(group, scatter(len(judged))) for group in groups]
    shades = [_by_column(one, groups) for one in columns] or [Choice("what became of it", {}, {})]
    first, (cost, cost_title, of) = shades[0], costs[0]
    traces = _marks(judged, study.axes, of, first.traces.get("marker.color"))
    traces = [*signs, *(trace | {"meta": "chosen", "showlegend": False} for trace in traces)]
    across = [
        Choice(name, {"x": [numbers(map(at, group)) for group in groups]}, {"xaxis.title.text": words})
        for name, words, at in costs
    ]
    coloured = frame(axis(cost_title, rangemode="tozero"), axis(label(study.metric)), **_shade(first))
    return Plot(
        "cloud",
        title,
        f"One mark a trial, over the {cost} that it cost; up and left is good and cheap."
        if study.metric.measure.more_is_better
        else f"One mark a trial, over the {cost} that it cost; down and left is good and cheap.",
        f"{_summary(study, judged)} Colour by {first.label}.",
        tuple(traces),
        coloured,
        (Selector("Colour", tuple(shades)), Selector("Cost", tuple(across))),
        height=460,
        least=460,
    )


def slices(study: Study, columns: Sequence[Column]) -> list[Plot]:
    """For each axis the trials' values against it."""
    judged = _judged(study)
    shown = thinned(judged, study, FEW)
    made = []
    for place, one in enumerate(columns):
        active = [trial for trial in shown if one.place(trial) is not None]
        title = f"{study.metric} by {one.name}"
        stepped = one.in_steps()
        if not active:
            made.append(nothing(f"slice-{place}", title, "No trial in which this axis is active has been judged yet."))
            continue
        few = f" {len(shown):,} of {len(judged):,} trials are drawn." if len(shown) < len(judged) else ""
        beside = "; those of one choice stand beside each other" if stepped.labels else ""
        scale = "; the axis is logarithmic" if stepped.logarithmic else beside
        made.append(
            Plot(
                f"slice-{place}",
                title,
                f"One mark a trial{scale}.{few}",
                f"{len(active)} trials over {one.name}.",
                tuple(_marks(active, study.axes, partial(_spread, stepped))),
                frame(_across(stepped), axis(label(study.metric)), showlegend=False),
                height=280,
            )
        )
    return made


def _judged(study: Study) -> list[Trial]:
    return [trial for trial in study.trials if number(trial.value) is not None]


def _groups(judged: Sequence[Trial]) -> list[list[Trial]]:
    """The trials by what is drawn as one trace, one upon the other: each state, the base on top."""
    states = ([t for t in judged if t.state is state and t.number] for state in reversed(MARKS))
    base = [trial for trial in judged if trial.number == 0]
    return [group for group in (*states, base) if group]


def _spread(one: Column, trial: Trial) -> float | None:
    """Where a trial stands on an axis; of a choice a little to one side, by its number, so that all can be seen."""
    at = one.place(trial)
    return at if at is None or not one.labels else at + _SPREAD * (trial.number * _GOLDEN % 1 - 0.5)


def _size(count: int) -> int:
    """The size of a mark in pixels: small where there are many."""
    return 10 if count <= 100 else 8 if count <= 500 else 6


def _sign(group: Sequence[Trial], kind: str) -> Trace:
    """An entry of the legend for marks whose colours mean something else."""
    base = group[0].number == 0
    words, colour, sign = ("base definition", ORANGE, "star") if base else MARKS[group[0].state]
    marker = {"symbol": "x" if "thin" in sign else sign, "size": 9, "color": colour if base else GREY}
    return {"type": kind, "mode": "markers", "name": words, "marker": marker, "x": [None], "y": [None]}


def _marks(
    judged: Sequence[Trial],
    axes: Sequence[str],
    across: Callable[[Trial], float | None],
    shades: Sequence[Any] | None = None,
) -> list[Trace]:
    kind = scatter(len(judged))
    made = []
    for place, group in enumerate(_groups(judged)):
        base = group[0].number == 0
        words, colour, sign = ("base definition", ORANGE, "star") if base else MARKS[group[0].state]
        marker: dict[str, Any] = {"symbol": sign, "size": 14 if base else _size(len(judged)), "color": colour}
        marker["line"] = {"width": 1.6 if "thin" in sign else 0.6, "color": colour if "thin" in sign else RIM}
        if shades is not None and not base:
            marker |= {"color": shades[place], "coloraxis": "coloraxis"}
            marker |= {"symbol": "x", "size": _size(len(judged)) - 2, "line": {"width": 0}} if "thin" in sign else {}
        made.append({
            "type": kind, "mode": "markers", "name": words, "marker": marker,
            "x": numbers(map(across, group)), "y": numbers(trial.value for trial in group),
            "text": [told(trial, axes) for trial in group], "hovertemplate": "%{text}<extra></extra>",
        })  # fmt: skip
    return made


def _best_so_far(study: Study) -> Trace:
    x: list[float | None] = []
    y: list[float | None] = []
    best: float | None = None
    for trial in sorted(study.trials, key=lambda trial: trial.number):
        if trial.state is not State.FINISHED or trial.value is None:
            continue
        if best is None or study.metric.better(trial.value, best):
            best = trial.value
            x.append(trial.number)
            y.append(number(best))
    if x:
        x.append(max(trial.number for trial in study.trials))
        y.append(y[-1])
    return {
        "type": "scatter", "mode": "lines", "name": "best so far", "x": x, "y": y, "hoverinfo": "skip",
        "line": {"shape": "hv", "width": 2, "color": GREEN},
    }  # fmt: skip


def _costs(
    judged: Sequence[Trial], parameters: Mapping[int, int]
) -> list[tuple[str, str, Callable[[Trial], float | None]]]:
    found: list[tuple[str, str, Callable[[Trial], float | None]]] = [
        ("seconds of training", "seconds of training", lambda trial: trial.seconds),
        ("epochs", "epochs trained", lambda trial: trial.epochs),
    ]
    if any(trial.number in parameters for trial in judged):
        found.append(("parameters", "parameters of the network", lambda trial: parameters.get(trial.number)))
    return found


def _by_column(one: Column, groups: Sequence[Sequence[Trial]]) -> Choice:
    """The colours of all trials by one axis; where it is not active the lowest part of the scale, grey, says so."""
    low, high = one.bounds
    missing = any(trial.number and one.place(trial) is None for group in groups for trial in group)
    floor = low - (high - low) * _INACTIVE if missing else low
    scaled = one.scaled
    shades: list[Any] = [
        ORANGE if group[0].number == 0 else numbers(scaled.get(trial.number, floor) for trial in group)
        for group in groups
    ]
    at, texts = one.ticks()
    if missing:
        at, texts = [floor, *at], ["not active", *texts]
    bar = {
        "title": {"text": label(one.name, 40), "side": "right"}, "tickvals": at, "ticktext": texts,
        "thickness": 12, "outlinewidth": 0, "len": 0.9,
    }  # fmt: skip
    share = _INACTIVE / (1 + _INACTIVE) if missing else 0.0
    coloured = {"coloraxis": {**colours(floor, high, (share, 1.0)), "colorbar": bar}}
    return Choice(one.name, {"marker.color": shades}, coloured)


def _shade(choice: Choice) -> dict[str, Any]:
    return dict(choice.frame)


def _across(one: Column) -> dict[str, Any]:
    if one.labels:
        at, texts = one.ticks()
        return axis(label(one.name), tickvals=at, ticktext=texts, range=[-0.5, len(one.labels) - 0.5])
    if not one.logarithmic:
        return axis(label(one.name))
    at, texts = one.ticks()
    return axis(label(one.name), type="log", tickvals=[10**place for place in at], ticktext=texts)


def _way(study: Study) -> str:
    return "more" if study.metric.measure.more_is_better else "less"


def _summary(study: Study, judged: Sequence[Trial]) -> str:
    best = study.best
    told_best = f" The best is {_named(best)} with {figure_text(best.value)}." if best else " None is finished."
    return f"{len(judged):,} judged trials.{told_best}"


def _named(trial: Trial) -> str:
    return "the base definition" if trial.number == 0 else f"trial {trial.number}"
