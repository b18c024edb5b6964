"""`nnlang report`: the curves of trainings, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnlang.cli import options, show
from nnlang.diagnostics import bytes_text, printable

_NAME = "report.html"


def report(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL...", help="The models: -n of each `nnlang train`.", readable=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help=f"The file to write [{_NAME}].", readable=False)
    ] = Path(_NAME),
) -> None:
    """Write the curves of one or several trainings as one HTML file, from what `nnlang train` wrote beside each model.

    \b
      nnlang report gl.nc
      nnlang report gl.nc other.nc -o report.html

    Error, regularisation, speed, and what --validate measured, with the best epoch; then a table, and the definitions.
    The file needs no network. A training that is still running can be reported too. Needs the extra `report` (plotly).
    """
    from nnlang.reports import training
    from nnlang.reports.runs import metrics_path

    check_output(output, "report")
    metrics = [metrics_path(model) for model in models]
    if len(set(metrics)) < len(metrics):
        twice = next(path for path in metrics if metrics.count(path) > 1)
        raise options.refused("MODEL", twice, "it is given twice", "give each model once", "report")
    written = training.write(models, output)
    show.findings(written.notices)
    show.say(f"wrote {printable(str(written.path))} ({bytes_text(written.size)}): open it in a browser")


def check_output(output: Path, command: str) -> None:
    """Raise `Stop` for a name that no report has: a slip of the hand must not cost a log or a model."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise options.refused("-o", output, "a report is an .html file", f"give -o {_NAME}", command)
