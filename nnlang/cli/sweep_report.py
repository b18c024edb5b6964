"""`nnlang sweep report`: a sweep in one picture, and that in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnlang.cli import show
from nnlang.cli.report import check_output
from nnlang.diagnostics import bytes_text, printable

_NAME = "report.html"


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of the sweep: -o of `nnlang sweep run`.", readable=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help=f"The file to write [DIR/{_NAME}].", readable=False),
    ] = None,
) -> None:
    """Write a sweep as one HTML file: its figures, all its trials, the best definition and what it changes.

    \b
      nnlang sweep report runs/movielens
      nnlang sweep report runs/movielens -o report.html

    The file needs no network and nothing beside it. A sweep that is still running can be reported as well, again and
    again. Needs the extra `report` (plotly); the figure of importance needs the extra `sweep` (optuna) too.
    """
    from nnlang.reports import sweep
    from nnlang.search.study import load

    target = output or folder / _NAME
    check_output(target, "sweep report")
    written = sweep.write(load(folder), target)
    show.findings(written.notices)
    show.say(f"wrote {printable(str(written.path))} ({bytes_text(written.size)}): open it in a browser")
