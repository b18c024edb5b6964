"""The test part: the base and the winner beside popularity, item-kNN and EASE, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnlang.reports.columns import value_text
from nnlang.reports.evidence import finite
from nnlang.reports.page import figure, paragraph
from nnlang.reports.plots import BLUE, GREEN, GREY, ORANGE, Plot, axis, figure_text, frame, label, number, numbers
from nnlang.reports.tables import facts, table

_COLOURS = {"winner": GREEN, "base": ORANGE, "baseline": GREY}


def tested(test: Mapping[str, Any]) -> tuple[tuple[str, ...], Plot]:
    """The parts of the section, and its figure: a row a ranker, by the first metric, with intervals."""
    plot = _plot(test)
    metrics, rows = test["metrics"], test["rows"]
    cells = [[row["name"], *(_cell(row["values"].get(metric)) for metric in metrics)] for row in rows]
    kinds = [row.get("kind", "") if row.get("kind") in _COLOURS else "" for row in rows]
    caption = "In brackets the 95% intervals."
    parts = [figure(plot), table(caption, ["", *metrics], cells, kinds), _paired(test)]
    parts.append(_about(test))
    return tuple(part for part in parts if part), plot


def _plot(test: Mapping[str, Any]) -> Plot:
    metric = test["metrics"][0]
    rows = [row for row in reversed(test["rows"]) if row["values"].get(metric, {}).get("mean") is not None]
    means = [row["values"][metric]["mean"] for row in rows]
    lows = [row["values"][metric].get("low") for row in rows]
    highs = [row["values"][metric].get("high") for row in rows]
    known = any(low is not None for low in lows)
    words = "with 95% intervals over users" if known else "without intervals"
    return Plot(
        "test",
        f"{metric} on the test part",
        f"{metric} of each on the part by which no trial was chosen, {words}.",
        ", ".join(f"{row['name']} {figure_text(mean)}" for row, mean in zip(rows, means, strict=True)),
        (
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(means),
                "y": list(range(len(rows))),
                "marker": {"size": 9, "color": [_COLOURS.get(row.get("kind", ""), BLUE) for row in rows]},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "thickness": 1.2,
                    "width": 4,
                    "color": GREY,
                    "array": [_reach(high, mean) for high, mean in zip(highs, means, strict=True)],
                    "arrayminus": [_reach(mean, low) for low, mean in zip(lows, means, strict=True)],
                },
                "hovertemplate": "%{x}<extra></extra>",
                "showlegend": False,
            },
        ),
        frame(
            axis(label(metric)),
            axis(
                "",
                tickvals=list(range(len(rows))),
                ticktext=[label(row["name"], 36) for row in rows],
                range=[-0.6, len(rows) - 0.4],
            ),
        ),
        height=120 + 34 * len(rows),
    )


def _reach(high: float | None, low: float | None) -> float | None:
    return 0.0 if high is None or low is None else number(max(high - low, 0.0))


def _cell(value: Mapping[str, Any] | None) -> str:
    if value is None or value.get("mean") is None:
        return ""
    low, high = value.get("low"), value.get("high")
    if low is None or high is None:
        return figure_text(value["mean"])
    return f"{figure_text(value['mean'])} [{figure_text(low)}, {figure_text(high)}]"


def _paired(test: Mapping[str, Any]) -> str:
    """The comparisons user by user, a row each; what is not in the form is left out of them."""
    found = test.get("paired")
    if not isinstance(found, dict):
        return ""
    rows = [
        _comparison(metric, one)
        for metric, several in found.items()
        for one in (several if isinstance(several, list) else [several])
        if isinstance(one, dict) and finite(one.get("difference"))
    ]
    heads = ("compared user by user", "metric", "", "difference [95%]", "better for", "equal for", "worse for")
    return table("The same users judged twice: differences.", heads, rows, left=3) if rows else ""


def _comparison(metric: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    names = f"{one.get('one', 'winner')} minus {one.get('other', 'base definition')}"
    ends = [float(one[end]) for end in ("low", "high") if finite(one.get(end))]
    reach = f" [{', '.join(map(figure_text, ends))}]" if len(ends) == 2 else ""
    verdict = "cannot be told apart" if len(ends) == 2 and ends[0] <= 0 <= ends[1] else ""
    counts = (f"{one[key]:,}" if finite(one.get(key)) else "" for key in ("wins", "ties", "losses"))
    return names, metric, verdict, figure_text(one["difference"]) + reach, *counts


def _plain(protocol: Any) -> str:
    if not isinstance(protocol, dict):
        return value_text(protocol)
    name = [str(protocol["name"])] if "name" in protocol else []
    return ", ".join((*name, *(f"{key} {value_text(value)}" for key, value in protocol.items() if key != "name")))


def _about(test: Mapping[str, Any]) -> str:
    rows = [(key, f"{test[key]:,}") for key in ("users", "resamples") if finite(test.get(key))]
    protocol = test.get("protocol")
    if protocol:
        rows.append(("protocol", _plain(protocol)))
    return facts(rows) if rows else paragraph("Users and protocol of this test were not written down.")
