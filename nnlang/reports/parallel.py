"""Parallel coordinates: a line a trial through all its settings, ending at what it reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnlang.reports.columns import Column, ends, thinned, unit
from nnlang.reports.plots import (
    GREY,
    RIM,
    Plot,
    Trace,
    axis,
    colour_at,
    figure_text,
    frame,
    label,
    nothing,
    number,
    numbers,
)
from nnlang.search.study import State, Study, Trial

_MOST = 1_000  # lines that can still be told apart
_BINS = 12  # one path for all lines of about one value
_ABSENT = -0.13  # where a line passes an axis that is not active in its trial
_TICKS = 12  # more categories than this would write over one another
_APART = 150  # pixels between axes

Curve = list[tuple[float, float | None]]


def parallel(study: Study, columns: Sequence[Column]) -> Plot:
    """A line a trial; the last axis is the metric, which also gives the colour."""
    title = f"Settings and {study.metric}: one line a trial"
    drawn = [t for t in study.trials if number(t.value) is not None and t.params]
    if not drawn or not columns:
        return nothing("parallel", title, "No trial with settings of its own has been judged yet.")
    total, drawn = len(drawn), thinned(drawn, study, _MOST)
    values = [trial.value or 0.0 for trial in drawn]
    bounds = ends(values)
    shades = ends([t.value or 0.0 for t in drawn if t.state is State.FINISHED] or values)
    judge = Column(str(study.metric), {t.number: float(t.value or 0.0) for t in drawn})
    missing = any(one.place(trial) is None for trial in drawn for one in columns)
    words = " A line at the foot of an axis (`not active`) has no such setting." if missing else ""
    few = f" The best and some of the rest are drawn, {len(drawn):,} of {total:,}." if len(drawn) < total else ""
    return Plot(
        "parallel",
        title,
        f"Coloured lines are finished trials, from violet (the lowest {study.metric}) to yellow (the highest); thin "
        f"grey ones were stopped early; the thick one is the best.{few}{words}",
        f"{len(drawn):,} trials over {len(columns)} settings and {study.metric}.",
        tuple(_traces(study, drawn, [*columns, judge], shades)),
        _framed(drawn, [*columns, judge], bounds),
        height=460,
        least=_APART * (len(columns) + 1),
    )


def _traces(
    study: Study, drawn: Sequence[Trial], columns: Sequence[Column], bounds: tuple[float, float]
) -> list[Trace]:
    scaled = [one.scaled for one in columns]
    made = []
    other = [t for t in drawn if t.state is not State.FINISHED]
    if other:
        made.append(_path(other, columns, scaled, {"color": GREY, "width": 0.7}, 0.35))
    bins: dict[int, list[Trial]] = {}
    for trial in drawn:
        if trial.state is State.FINISHED:
            place = min(int(unit(trial.value or 0.0, bounds) * _BINS), _BINS - 1)
            bins.setdefault(place, []).append(trial)
    for place in sorted(bins, reverse=not study.metric.measure.more_is_better):
        line = {"color": colour_at((place + 0.5) / _BINS), "width": 1.4}
        opacity = 0.85 if len(drawn) <= 300 else 0.4
        made.append(_path(bins[place], columns, scaled, line, opacity))
    best = next((trial for trial in study.ranked() if trial.params), None)
    if best is not None:
        colour = colour_at(unit(best.value or 0.0, bounds))
        made.append(_path([best], columns, scaled, {"color": colour, "width": 4.5}, 1.0))
    return made


def _path(
    trials: Sequence[Trial],
    columns: Sequence[Column],
    scaled: Sequence[dict[int, float]],
    line: dict[str, Any],
    opacity: float,
) -> Trace:
    """One path of all these trials' lines, with gaps between."""
    x: list[float | None] = []
    y: list[float | None] = []
    hints: list[int] = []
    for trial in trials:
        x += [*range(len(columns)), None]
        y += [
            _ABSENT if (at := places.get(trial.number)) is None else unit(at, one.bounds)
            for one, places in zip(columns, scaled, strict=True)
        ]
        y.append(None)
        hints += [trial.number] * (len(columns) + 1)
    return {
        "type": "scatter", "mode": "lines", "x": x[:-1], "y": numbers(y[:-1]), "line": line, "opacity": opacity,
        "showlegend": False, "connectgaps": False, "customdata": hints[:-1],
        "hovertemplate": "trial %{customdata}<extra></extra>",
    }  # fmt: skip


def _framed(drawn: Sequence[Trial], columns: Sequence[Column], bounds: tuple[float, float]) -> dict[str, Any]:
    missing = [place for place, one in enumerate(columns) if any(one.place(trial) is None for trial in drawn)]
    bottom = _ABSENT if missing else 0.0
    shapes = [
        {"type": "line", "x0": i, "x1": i, "y0": 0, "y1": 1, "line": {"color": RIM, "width": 1}, "layer": "below"}
        for i in range(len(columns))
    ]
    notes = [note for place, one in enumerate(columns) for note in _notes(place, one, bounds, columns)]
    notes += [_note(place + 0.02, _ABSENT, "not active", "left") for place in missing]
    ends = axis("", visible=False, range=[-0.35, len(columns) - 0.6], fixedrange=True)
    up = axis("", visible=False, range=[bottom - 0.06, 1.12], fixedrange=True)
    return frame(
        ends,
        up,
        shapes=shapes,
        annotations=notes,
        margin={"l": 20, "r": 20, "t": 8, "b": 8},
    )


def _notes(place: int, one: Column, bounds: tuple[float, float], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The name of an axis above it, and its ticks beside it."""
    last = place == len(columns) - 1
    if last:
        at = [bounds[0], sum(bounds) / 2, bounds[1]]
        texts = [figure_text(value) for value in at]
    else:
        at, texts = one.ticks(18)
    step = -(-len(at) // _TICKS)
    head = _note(place, 1.05, f"<b>{label(one.name, 22)}</b>", "center")
    ticks = zip(at[::step], texts[::step], strict=True)
    return [head, *(_note(place + 0.02, unit(where, one.bounds), text, "left") for where, text in ticks)]


def _note(x: float, y: float, text: str, anchor: str) -> dict[str, Any]:
    return {
        "x": x, "y": number(y), "text": text, "xanchor": anchor, "yanchor": "middle", "showarrow": False,
        "font": {"size": 12 if anchor == "center" else 11},
    }  # fmt: skip
