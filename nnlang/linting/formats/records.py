"""Findings as JSON objects: one array (`json`), or an object a line (`jsonl`)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from nnlang.diagnostics import printable
from nnlang.linting.check import Finding
from nnlang.linting.formats.result import Point, Result, explain, extent, extent_of, inserted, line_of, pairs, within
from nnlang.rules.rule import Fix
from nnlang.source import Source


def json_array(results: Sequence[Result]) -> str:
    """All findings as one array, an object a line."""
    rows = [json.dumps(_record(result, finding)) for result, finding in pairs(results)]
    return "[\n  " + ",\n  ".join(rows) + "\n]\n" if rows else "[]\n"


def json_lines(results: Sequence[Result]) -> str:
    """Each finding as one object on one line; line and column once more, where simple readers look for them."""
    return "".join(json.dumps(_flat(result, finding)) + "\n" for result, finding in pairs(results))


def _flat(result: Result, finding: Finding) -> dict[str, object]:
    where = extent_of(finding.diagnostic)
    line = line_of(finding.diagnostic)
    return {**_record(result, finding), "line": line, "column": where.start.column if where else None}


def _record(result: Result, finding: Finding) -> dict[str, object]:
    d = finding.diagnostic
    where, spot = extent_of(d), within(d)
    return {
        "code": d.code.code,
        "name": d.code.name,
        "severity": d.code.severity,
        "message": d.message,
        "label": d.label,
        "help": d.remedy,
        "file": result.name,
        "start": _point(where.start) if where else _line(line_of(d)),
        "end": _point(where.end) if where else None,
        "explain": explain(d),
        "fix": _fix(finding.fix, spot[0]) if finding.fix and spot else None,
    }


def _line(number: int | None) -> dict[str, int | None] | None:
    """The place of what concerns a line as a whole; None for a file."""
    return {"line": number, "column": None, "offset": None} if number is not None else None


def _point(point: Point) -> dict[str, int]:
    return point._asdict()


def _fix(fix: Fix, source: Source) -> dict[str, object]:
    edits = [(extent(source, edit.span), inserted(source, edit)) for edit in fix.edits]
    return {
        "title": printable(fix.title),
        "safe": fix.safe,
        "edits": [{"start": _point(at.start), "end": _point(at.end), "text": text} for at, text in edits],
    }
