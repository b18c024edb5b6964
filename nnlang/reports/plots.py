"""What all figures share: their colours, their frame, and how names and numbers become safe parts of them."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nnlang.diagnostics import printable
from nnlang.search.study import State

Trace = dict[str, Any]

# Okabe and Ito's colours, told apart by people of all kinds of colour vision, on white and on black.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#2b7bba", "#e69f00", "#009e73", "#d55e00", "#b5679a", "#56b4e9"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)
GREY = "#8a919b"
FAINT = "rgba(128,136,148,0.28)"
RIM = "rgba(128,136,148,0.65)"

# Low to high: brightness grows, and both ends can be seen on white and on black.
SCALE = ((0.0, "#5a4fcf"), (0.25, "#2f86b8"), (0.5, "#2fa57f"), (0.75, "#93b83a"), (1.0, "#e8b71a"))

# How a trial is drawn by what has become of it: words in the legend, colour, sign.
MARKS = {
    State.FINISHED: ("finished", BLUE, "circle"),
    State.PRUNED: ("pruned", GREY, "x-thin-open"),
    State.FAILED: ("failed", VERMILLION, "triangle-up"),
    State.DIVERGED: ("diverged", VERMILLION, "triangle-down"),
    State.MEMORY: ("out of memory", VERMILLION, "square-open"),
    State.TIME: ("out of time", VERMILLION, "diamond-open"),
    State.RUNNING: ("running", SKY, "circle-open"),
    State.PAUSED: ("paused", SKY, "circle-open"),
    State.WAITING: ("waiting", SKY, "circle-open"),
}

FEW = 2_000  # points of one figure up to which each is an element of the page; above, the graphics processor draws


@dataclass(frozen=True)
class Choice:
    """One entry of a figure's selector: what it changes in traces and frame, as Plotly's `update` takes it."""

    label: str
    traces: Mapping[str, Any]
    frame: Mapping[str, Any]


@dataclass(frozen=True)
class Selector:
    """A control beside a figure; the first choice is what is drawn at first."""

    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Plot:
    """One figure: title, caption (what one sees), its description for those who do not see it, and Plotly's traces.

    Without traces there is nothing to draw, and `caption` says why. `least` is the width below which it scrolls.
    """

    name: str
    title: str
    caption: str
    alt: str = ""
    traces: tuple[Trace, ...] = ()
    frame: Mapping[str, Any] | None = None
    selectors: tuple[Selector, ...] = ()
    height: int = 380
    least: int = 0


def nothing(name: str, title: str, reason: str) -> Plot:
    """A figure that cannot be drawn, with the reason."""
    return Plot(name, title, reason)


def label(text: object, most: int = 0) -> str:
    """A text of the user's for a figure: what Plotly would read as markup is escaped, and cut to `most` characters."""
    shown = printable(str(text))
    if most and len(shown) > most:
        shown = shown[: most - 1] + "…"
    return html.escape(shown, quote=False)


def number(value: float | None) -> float | None:
    """A number for a figure: seven digits, None for what is not finite (JSON has no word for it)."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.7g}")


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """Numbers for a figure."""
    return [number(value) for value in values]


def figure_text(value: float | None) -> str:
    """A number for people: five decimals where that says something, four digits elsewhere, "" where there is none."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    value += 0.0  # of -0.0 plain 0
    return f"{value:.5f}" if value == 0 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def scatter(count: int) -> str:
    """The kind of trace for so many points; the one for many needs WebGL."""
    return "scatter" if count <= FEW else "scattergl"


def axis(title: str, **more: object) -> dict[str, Any]:
    """An axis of a frame in the house's looks."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": FAINT,
        "linecolor": RIM,
        "zeroline": False,
        "automargin": True,
        "tickcolor": RIM,
        **more,
    }


def frame(x: Mapping[str, Any], y: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """The frame of a figure: nothing but its axes; the page gives the background and, by night, the colour of words."""
    return {
        "xaxis": dict(x),
        "yaxis": dict(y),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif", "size": 12.5},
        "margin": {"l": 60, "r": 16, "t": 12, "b": 48},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "dragmode": "zoom",
        **more,
    }


def polyline(curves: Iterable[Sequence[tuple[float, float | None]]]) -> tuple[list[float | None], list[float | None]]:
    """Many curves as one path with gaps: x and y."""
    x: list[float | None] = []
    y: list[float | None] = []
    for curve in curves:
        x += [*numbers(at for at, _ in curve), None]
        y += [*numbers(value for _, value in curve), None]
    return x[:-1], y[:-1]


def colours(low: float, high: float, where: tuple[float, ...] = (0.0, 1.0)) -> dict[str, Any]:
    """The continuous scale as Plotly takes it, from `low` to `high`, over a part of the scale."""
    first, last = where[0], where[-1]
    steps = [[first + (last - first) * at, colour] for at, colour in SCALE]
    if first > 0:
        steps = [[0.0, GREY], [first, GREY], *steps]
    return {"cmin": low, "cmax": high, "colorscale": steps}


def colour_at(share: float) -> str:
    """The colour of a place on the scale, from 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    for (left, one), (right, other) in pairwise(SCALE):
        if share <= right:
            between = (share - left) / (right - left)
            parts = (
                round(int(one[i : i + 2], 16) * (1 - between) + int(other[i : i + 2], 16) * between) for i in (1, 3, 5)
            )
            return "#" + "".join(f"{part:02x}" for part in parts)
    return SCALE[-1][1]
