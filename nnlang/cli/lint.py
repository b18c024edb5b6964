"""`nnlang lint`: everything that can be said about definitions before anything runs; needs neither torch nor data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from nnlang.cli import options, show
from nnlang.codes import usage as codes
from nnlang.definition import check
from nnlang.diagnostics import FINDINGS, Diagnostic, Place, Stop, stop
from nnlang.network import DataFacts
from nnlang.runtime.facts import facts_of
from nnlang.syntax import read_source


def lint(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Definitions or folders of them; - is stdin.", readable=False),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Data set file to check sizes against.", readable=False),
    ] = None,
    json: options.Json = False,
) -> None:
    """Check network definitions: syntax, keys, names, shapes, and what DSSTNE would have done differently.

    \b
    nnlang lint config.json
    nnlang lint examples/ --data gl_input.nc --data gl_output.nc

    Exit code 0 when nothing is wrong, 1 when there are findings (notes alone count as nothing).
    """
    facts = facts_of(data or [])
    files = list(_files(paths))
    found = [finding for path in files for finding in _check(path, facts)]
    if json:
        for finding in found:
            show.record(_record(finding))
    else:
        show.findings(found)
        show.say(_summary(len(files), found))
    if any(finding.code.severity != "note" for finding in found):
        raise typer.Exit(FINDINGS)


def _check(path: Path, facts: Mapping[str, DataFacts]) -> Sequence[Diagnostic]:
    """What there is to say about one file; a file that cannot be read is a finding like others."""
    try:
        return check(read_source(path), facts, need_shapes=bool(facts)).report.sorted()
    except Stop as error:
        return error.diagnostics


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if os.path.isdir(path):  # of a name that is too long this is False, where Path.is_dir raises
            found = sorted(path.rglob("*.json"))
            if not found:
                raise stop(codes.BAD_USAGE, Place(str(path)), reason=f"no file *.json in `{path}`", command="lint")
            yield from found
        else:
            yield path


def _summary(count: int, found: list[Diagnostic]) -> str:
    files = f"{count} file" + ("s" if count != 1 else "")
    counts = {kind: sum(1 for d in found if d.code.severity == kind) for kind in ("error", "warning", "note")}
    told = ", ".join(f"{n} {kind}{'s' if n != 1 else ''}" for kind, n in counts.items() if n)
    return f"{files} checked: {told or 'nothing to say'}"


def _record(finding: Diagnostic) -> dict[str, object]:
    place = finding.place or Place("")
    line, column = place.line, None
    if place.source is not None and place.span is not None:
        line, column = place.source.position(place.span.start)
    return {
        "code": finding.code.code,
        "severity": finding.code.severity,
        "message": finding.message,
        "file": place.file,
        "line": line,
        "column": column,
        "help": finding.remedy,
    }
