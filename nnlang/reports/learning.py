"""The learning curves of all trials, and where trials were stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nnlang.reports.plots import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    Plot,
    Trace,
    axis,
    frame,
    label,
    nothing,
    polyline,
)
from nnlang.search.study import State, Study, Trial

# What is drawn in one colour: words, states, colour, width, opacity.
_KINDS = (
    ("stopped early", (State.PRUNED,), GREY, 0.9, 0.55),
    ("failed", (State.FAILED, State.DIVERGED, State.MEMORY, State.TIME), VERMILLION, 1.0, 0.8),
    ("not finished yet", (State.RUNNING, State.PAUSED, State.WAITING), SKY, 1.2, 0.8),
    ("finished", (State.FINISHED,), BLUE, 1.1, 0.6),
)
_HINTED = 300  # curves whose points each have a hint
_RUNGS = 12  # lines of rungs at most


def learning(study: Study) -> Plot:
    """The metric over epochs, a curve a trial; the best and the base stand out, rungs are upright lines."""
    title = f"{study.metric} while training, all trials"
    curves = [trial for trial in study.trials if trial.values]
    if not curves:
        return nothing("learning", title, "No trial has been measured yet.")
    best = study.best
    apart = {0} | ({best.number} if best else set())
    rest = [trial for trial in curves if trial.number not in apart]
    hints = len(curves) <= _HINTED
    traces = [
        _curves(words, [t for t in rest if t.state in states], colour, width, opacity, hints)
        for words, states, colour, width, opacity in _KINDS
        if any(t.state in states for t in rest)
    ]
    base = study.base
    if base is not None and base.values:
        traces.append(_curves("base definition", [base], ORANGE, 2.4, 1.0, True))
    if best is not None and best.number:
        traces.append(_curves(f"best (trial {best.number})", [best], GREEN, 2.8, 1.0, True))
    stops = Counter(trial.values[-1][0] for trial in curves if trial.state is State.PRUNED)
    rungs = sorted(epoch for epoch, _ in stops.most_common(_RUNGS))
    words = " Upright lines are the rungs: " + _at_rungs(rungs, stops) + "." if rungs else ""
    return Plot(
        "learning",
        title,
        f"One curve a trial, on the validation part.{words}",
        f"{len(curves):,} curves.",
        tuple(traces),
        frame(axis("epoch", rangemode="tozero"), axis(label(study.metric)), shapes=[_rung(at) for at in rungs]),
        height=440,
    )


def _curves(words: str, trials: Sequence[Trial], colour: str, width: float, opacity: float, hints: bool) -> Trace:
    x, y = polyline([trial.values for trial in trials])
    single = all(len(trial.values) == 1 for trial in trials)
    trace: Trace = {
        "type": "scatter", "mode": "markers" if single else "lines", "name": words, "x": x, "y": y,
        "line": {"color": colour, "width": width}, "marker": {"color": colour, "size": 6}, "opacity": opacity,
    }  # fmt: skip
    if not hints:
        return trace | {"hoverinfo": "skip"}
    named = [number for trial in trials for number in [trial.number] * (len(trial.values) + 1)]
    return trace | {"customdata": named[:-1], "hovertemplate": "trial %{customdata}, epoch %{x}: %{y}<extra></extra>"}


def _rung(epoch: int) -> dict[str, object]:
    line = {"color": FAINT, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _at_rungs(rungs: Sequence[int], stops: Counter[int]) -> str:
    return ", ".join(f"{stops[at]:,} stopped after epoch {at:,}" for at in rungs)
