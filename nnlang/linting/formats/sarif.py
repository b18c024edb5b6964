"""Findings as a SARIF 2.1.0 log of one run, for code scanning services.

The standard: braces are doubled in the messages of results (3.11.5), columns count as `columnKind` says (3.14.17), no
column counts a byte order mark (3.30.2). GitHub: a run holds 25,000 results, the gravest 5,000 are shown; every region
has all four numbers; its own upload action adds the fingerprint that it goes by, and warns of one made by others.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from nnlang.diagnostics import Severity, printable
from nnlang.linting.check import Finding
from nnlang.linting.formats.descriptors import descriptors
from nnlang.linting.formats.regions import Regions
from nnlang.linting.formats.result import Result, fingerprints, inserted, line_of, told, within
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source
from nnlang.version import __version__

MOST = 25_000  # results of one run
ROOT = "%SRCROOT%"
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "nnlangFinding/v1"
_GRAVITY: Mapping[Severity, int] = {"error": 0, "warning": 1, "note": 2}
_LINK = re.compile(r"(\\*)]\(")
_DEPTH = 6  # down to here a log is laid out an item a line

Json = dict[str, object]


class _Row(NamedTuple):
    """One finding with what the log says about it."""

    file: Json  # the location of its file
    finding: Finding
    fingerprint: str


def log(results: Sequence[Result]) -> str:
    """One log. Of more findings than it can hold the gravest are kept, and a notification counts the others."""
    files = [_file(result, index) for index, result in enumerate(results)]
    rows = [_Row(file, *named) for file, result in zip(files, results, strict=True) for named in fingerprints(result)]
    kept = rows if len(rows) <= MOST else list(islice(sorted(rows, key=_gravity), MOST))
    rules = descriptors(row.finding.diagnostic.code for row in kept)
    index = {rule["id"]: i for i, rule in enumerate(rules)}
    regions = Regions()
    run = {
        "tool": {"driver": {"name": "nnlang", "version": __version__, "rules": rules}},
        "invocations": [_invocation(len(rows) - len(kept))],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that relative paths start from."}}},
        "artifacts": [{"location": file} for file in files],
        "columnKind": "utf16CodeUnits",
        "results": [_result(row, index, regions) for row in kept],
    }
    return laid_out({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, _DEPTH) + "\n"


def _gravity(row: _Row) -> int:
    return _GRAVITY[row.finding.diagnostic.code.severity]


def _file(result: Result, index: int) -> Json:
    """The location of a file; a relative one starts from a root that the reader knows."""
    base = {} if result.uri.startswith("file:") else {"uriBaseId": ROOT}
    return {"uri": result.uri, **base, "index": index}


def _invocation(left_out: int) -> Json:
    if not left_out:
        return {"executionSuccessful": True}
    words = f"{left_out} findings are left out: one run holds {MOST}. Lint fewer files at once to see them."
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": words}}],
    }


def _result(row: _Row, index: Mapping[object, int], regions: Regions) -> Json:
    d, fix = row.finding.diagnostic, row.finding.fix
    spot = within(d)
    region = regions.text(*spot) if spot else regions.line(line_of(d) or 1)
    fixes = {"fixes": [_fix(row.file, fix, spot[0], regions)]} if fix and spot else {}
    return {
        "ruleId": d.code.code,
        "ruleIndex": index[d.code.code],
        "level": d.code.severity,
        "message": {"text": _message(f"{told(d)}.\nHelp: {d.remedy}" if d.remedy else told(d))},
        "locations": [{"physicalLocation": {"artifactLocation": row.file, "region": region}}],
        "partialFingerprints": {_FINGERPRINT: row.fingerprint},
        **fixes,
    }


def _fix(file: Json, fix: Fix, source: Source, regions: Regions) -> Json:
    replacements = [_replacement(source, edit, regions) for edit in fix.edits]
    return {
        "description": {"text": _message(printable(fix.title))},
        "artifactChanges": [{"artifactLocation": file, "replacements": replacements}],
        "properties": {"safe": fix.safe},
    }


def _replacement(source: Source, edit: Edit, regions: Regions) -> Json:
    """One edit: of text, or of bytes where it takes the byte order mark, which no line and column can name."""
    text = inserted(source, edit)
    if not regions.takes_mark(source, edit.span):
        return {"deletedRegion": regions.text(source, edit.span), "insertedContent": {"text": text}}
    content = {"insertedContent": {"binary": b64encode(text.encode()).decode()}} if text else {}
    return {"deletedRegion": regions.bytes(source, edit.span), **content}


def _message(text: str) -> str:
    """Text as a message holds it: no name in it can look like a placeholder or a link."""
    return _LINK.sub(r"\1\1\\](", text.replace("{", "{{").replace("}", "}}"))


def laid_out(value: object, depth: int, indent: str = "") -> str:
    """JSON with each item on its own line down to a depth; what lies deeper stands on one line."""
    if not depth or not value or not isinstance(value, dict | list):
        return json.dumps(value)
    inner = indent + "  "
    if isinstance(value, list):
        items = [inner + laid_out(item, depth - 1, inner) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    items = [f"{inner}{json.dumps(key)}: {laid_out(item, depth - 1, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
