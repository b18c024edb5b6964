"""Findings as a JUnit report: a suite for each file, a case for each finding; any CI server reads it.

Everything outside ASCII is written as a character reference, so that the text is right in every encoding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from nnlang.diagnostics import Diagnostic, printable, render
from nnlang.linting.formats.result import Result, line_of

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def suites(results: Sequence[Result]) -> str:
    """One document. What lets the run fail is a failure, the rest is output of cases that pass, as a clean file is."""
    total, failed = sum(max(len(r.findings), 1) for r in results), sum(map(_failures, results))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(_tag("testsuites", {"name": "nnlang lint", **_counts(total, failed)}))
    for result in results:
        lines += _suite(result)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _suite(result: Result) -> Iterator[str]:
    counts = _counts(max(len(result.findings), 1), _failures(result))
    yield "  " + _tag("testsuite", {"name": result.name, **counts})
    if not result.findings:
        yield "    " + _tag("testcase", _case(result, "lint", None), "/")
    seen: Counter[str] = Counter()
    for finding in result.findings:
        d = finding.diagnostic
        name = f"{d.code.code} {d.code.name}: {d.message}"
        seen[name] += 1
        alone = name if seen[name] == 1 else f"{name} ({seen[name]})"
        yield "    " + _tag("testcase", _case(result, alone, line_of(d)))
        yield "      " + _outcome(d, fails=result.fails(d))
        yield "    </testcase>"
    yield "  </testsuite>"


def _case(result: Result, name: str, line: int | None) -> dict[str, object]:
    """A case's attributes; its name has no line number, so that a server knows it again when lines move."""
    place = {"file": result.name} if line is None else {"file": result.name, "line": line}
    return {"name": name, "classname": result.name, **place, "time": 0}


def _outcome(d: Diagnostic, *, fails: bool) -> str:
    text = "\n".join(_escaped(line) for line in render([d]).split("\n"))
    if not fails:
        return f"<system-out>{text}</system-out>"
    return f"{_tag('failure', {'type': d.code.code, 'message': d.message})}{text}</failure>"


def _failures(result: Result) -> int:
    return sum(result.fails(finding.diagnostic) for finding in result.findings)


def _counts(tests: int, failures: int) -> dict[str, object]:
    return {"tests": tests, "failures": failures, "errors": 0, "skipped": 0, "time": 0}


def _tag(name: str, attributes: Mapping[str, object], end: str = "") -> str:
    told = "".join(f' {key}="{_escaped(str(value))}"' for key, value in attributes.items())
    return f"<{name}{told}{end}>"


def _escaped(text: str) -> str:
    """One line as XML holds it; control and other invisible characters, line ends among them, become visible."""
    shown = text if text.isprintable() else printable(text)
    return shown.translate(_MARKUP).encode("ascii", "xmlcharrefreplace").decode("ascii")
