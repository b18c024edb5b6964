"""Findings as workflow commands, which GitHub shows beside the lines of a pull request.

A step shows ten of each kind (error, warning, notice) and no more; the log has all of them, in the order of the files.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from nnlang.diagnostics import Severity, printable
from nnlang.linting.check import Finding
from nnlang.linting.formats.result import Result, extent_of, line_of, pairs, told

_COMMANDS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def commands(results: Sequence[Result]) -> str:
    """One command a line for each finding."""
    return "".join(_command(result, finding) + "\n" for result, finding in pairs(results))


def _command(result: Result, finding: Finding) -> str:
    d = finding.diagnostic
    properties = {"file": _safe(result.name), **_where(finding), "title": f"{d.code.code} {d.code.name}"}
    words = f"{told(d)}\nhelp: {d.remedy}" if d.remedy else told(d)
    listed = ",".join(f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{_COMMANDS[d.code.severity]} {listed}::{words.translate(_DATA)}"


def _where(finding: Finding) -> dict[str, int]:
    """Lines, and columns where the finding stays on one line: GitHub takes no others."""
    where, line = extent_of(finding.diagnostic), line_of(finding.diagnostic)
    if where is None:
        return {"line": line} if line is not None else {}
    lines = {"line": where.start.line, "endLine": where.end.line}
    if where.start.line != where.end.line:
        return lines
    return {**lines, "col": where.start.column, "endColumn": where.end.column}


def _safe(name: str) -> str:
    """A file's name without anything that could fake output; wide and other visible spaces are kept."""
    return "".join(c if unicodedata.category(c) == "Zs" else printable(c) for c in name)
