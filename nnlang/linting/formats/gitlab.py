"""Findings as a GitLab Code Quality report, which merge requests show beside the changed lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from nnlang.diagnostics import Severity
from nnlang.linting.check import Finding
from nnlang.linting.formats.result import Result, extent_of, fingerprints, line_of, told

_SEVERITIES: Mapping[Severity, str] = {"error": "major", "warning": "minor", "note": "info"}


def issues(results: Sequence[Result]) -> str:
    """One array, an issue a line. What concerns a file as a whole stands at its first line: GitLab needs one."""
    rows = [
        json.dumps(_issue(result.name, finding, fingerprint))
        for result in results
        for finding, fingerprint in fingerprints(result)
    ]
    return "[\n  " + ",\n  ".join(rows) + "\n]\n" if rows else "[]\n"


def _issue(path: str, finding: Finding, fingerprint: str) -> dict[str, object]:
    d = finding.diagnostic
    where, line = extent_of(d), line_of(d) or 1
    return {
        "description": f"{d.code.code}: {told(d)}" + (f". Help: {d.remedy}" if d.remedy else ""),
        "check_name": f"{d.code.code} {d.code.name}",
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[d.code.severity],
        "location": {"path": path, "lines": {"begin": line, "end": where.end.line if where else line}},
    }
