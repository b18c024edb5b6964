"""The report of one or several trainings: their curves in one file, from the metrics that each wrote as it went."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nnlang.measures import Metric, metric
from nnlang.reports.definitions import highlighted
from nnlang.reports.page import Section, figure, page
from nnlang.reports.plots import FAINT, SERIES, Plot, Trace, axis, figure_text, frame, label, numbers
from nnlang.reports.runs import Run, read_runs
from nnlang.reports.sweep import Written, duration
from nnlang.reports.tables import facts, table
from nnlang.runtime.files import atomic_text, check_target

_DASHES = ("solid", "dash", "dot", "dashdot")  # of further runs once all colours are in use


def write(models: Sequence[Path], output: Path) -> Written:
    """Write the report of the trainings of these models, whole or not at all; raises `Stop` (NN796, NN797)."""
    check_target(output)
    runs, notices = read_runs(models)
    atomic_text(output, training_page(runs))
    return Written(output, os.path.getsize(output), tuple(notices))


def training_page(runs: Sequence[Run]) -> Iterator[str]:
    """The text of the report, in pieces."""
    names = list(dict.fromkeys(name for run in runs for name in run.judged))
    plots = [_errors(runs), *(_judged(runs, place, name) for place, name in enumerate(names))]
    plots += [_penalty(runs), _speed(runs)]
    plots = [plot for plot in plots if plot.traces]
    sections = [Section(f"{plot.name}-section", _short(plot), plot.title, (figure(plot),)) for plot in plots]
    sections.insert(0, Section("table-section", "table", "What came out", (_table(runs, names),)))
    for place, run in enumerate(runs):
        if run.definition:
            title = f"The definition of {run.name}"
            sections.append(
                Section(f"definition-{place}", f"definition of {run.name}", title, (highlighted(run.definition),))
            )
    return page(_title(runs), [_head(runs)], sections, plots)


def _title(runs: Sequence[Run]) -> str:
    return f"Training of {runs[0].name}" + (f" and {len(runs) - 1} more" if len(runs) > 1 else "")


def _head(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        seconds = sum(found["seconds"] or 0.0 for found in run.epochs.values())
        last = max(run.epochs, default=0)
        rows.append((run.name, f"{last:,} epochs in {duration(seconds)}"))
    return facts(rows)


def _short(plot: Plot) -> str:
    return {"errors": "error", "penalty": "regularisation", "speed": "speed"}.get(plot.name, plot.title.split()[0])


def _errors(runs: Sequence[Run]) -> Plot:
    traces = _curves(runs, lambda run: run.curve("error"), "error")
    copies = sorted({epoch for run in runs for epoch in run.copies})
    words = " Upright lines are epochs whose model was kept beside the last one." if copies else ""
    ends = [run.curve("error")[-1][1] for run in runs if run.epochs]
    return Plot(
        "errors",
        "Error while training, mean over examples",
        f"What training makes small, regularisation included, after each epoch.{words}",
        "Last: " + ", ".join(map(figure_text, ends)) + ".",
        traces,
        frame(axis("epoch"), axis("error"), shapes=[_upright(epoch) for epoch in copies]),
    )


def _judged(runs: Sequence[Run], place: int, name: str) -> Plot:
    """A metric on the validation part over epochs; a star at the best epoch of each run."""
    known = metric(name)
    words = f": {known.measure.words}" if isinstance(known, Metric) else ""
    tops = [(run, found) for run in runs if (found := run.best(name)) is not None]
    told = "; ".join(f"best of {run.name} {figure_text(value)} after epoch {epoch:,}" for run, (epoch, value) in tops)
    traces = _curves(runs, lambda run: list(run.judged.get(name, {}).items()), "")
    stars: Trace = {
        "type": "scatter", "mode": "markers", "name": "best epoch", "x": [at for _, (at, _) in tops],
        "y": numbers(value for _, (_, value) in tops), "hoverinfo": "skip",
        "marker": {"symbol": "star", "size": 13, "color": [_colour(runs.index(run)) for run, _ in tops]},
    }  # fmt: skip
    return Plot(
        f"judged-{place}",
        f"{name} on the validation part",
        f"After each epoch that was judged{words}. {told[:1].upper()}{told[1:]}" + ("." if told else ""),
        told,
        (*traces, *([stars] if tops else [])),
        frame(axis("epoch"), axis(label(name))),
    )


def _penalty(runs: Sequence[Run]) -> Plot:
    traces = _curves(runs, lambda run: run.curve("regularization_error"), "regularisation")
    drawn = traces if any(y for trace in traces for y in trace["y"]) else ()
    words = "The part of the error that the sizes of the weights cost."
    return Plot("penalty", "Regularisation error", words, words, drawn, frame(axis("epoch"), axis("error")), height=280)


def _speed(runs: Sequence[Run]) -> Plot:
    traces = _curves(runs, lambda run: run.curve("samples_per_second"), "samples/s")
    words = "Examples that were trained in a second of each epoch."
    up = axis("examples/s", rangemode="tozero")
    return Plot("speed", "Speed of training", words, words, traces, frame(axis("epoch"), up), height=280)


def _curves(
    runs: Sequence[Run], of: Callable[[Run], Sequence[tuple[int, float | None]]], single: str
) -> tuple[Trace, ...]:
    """A curve a run that has such numbers; `single` is its name where there is one run."""
    made = []
    for place, run in enumerate(runs):
        curve = of(run)
        if not any(value is not None for _, value in curve):
            continue
        colour, name = _colour(place), label(run.name if len(runs) > 1 or not single else single, 40)
        made.append({
            "type": "scatter", "mode": "lines+markers" if len(curve) < 40 else "lines", "name": name,
            "x": [epoch for epoch, _ in curve], "y": numbers(value for _, value in curve), "marker": {"size": 5},
            "line": {"color": colour, "width": 2, "dash": _DASHES[place // len(SERIES) % len(_DASHES)]},
            "hovertemplate": "%{fullData.name}, epoch %{x}: %{y}<extra></extra>", "showlegend": len(runs) > 1,
        })  # fmt: skip
    return tuple(made)


def _colour(place: int) -> str:
    return SERIES[place % len(SERIES)]


def _upright(epoch: int) -> dict[str, object]:
    line = {"color": FAINT, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _table(runs: Sequence[Run], names: Sequence[str]) -> str:
    heads = ["model", "epochs", "error", "seconds", "examples/s"]
    heads += [head for name in names for head in (f"best {name}", "epoch", f"last {name}")]
    return table("After the last epoch of each", heads, [_row(run, names) for run in runs])


def _row(run: Run, names: Sequence[str]) -> list[str]:
    last = run.epochs[max(run.epochs)] if run.epochs else {}
    speeds = [found["samples_per_second"] for found in run.epochs.values() if found["samples_per_second"]]
    seconds = sum(found["seconds"] or 0.0 for found in run.epochs.values())
    row = [run.name, f"{max(run.epochs, default=0):,}", figure_text(last.get("error")), f"{seconds:.1f}"]
    row.append(f"{sorted(speeds)[len(speeds) // 2]:,.0f}" if speeds else "")
    for name in names:
        top, values = run.best(name), list(run.judged.get(name, {}).values())
        row += [figure_text(top[1]), f"{top[0]:,}"] if top else ["", ""]
        row.append(figure_text(values[-1]) if values else "")
    return row
