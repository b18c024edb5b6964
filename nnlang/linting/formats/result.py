"""What every form is made of: linted files with their findings, places in numbers, names, fingerprints."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

from nnlang.diagnostics import Diagnostic, Severity, printable
from nnlang.linting.check import Finding
from nnlang.linting.likeness import likeness
from nnlang.linting.settings import at_least
from nnlang.rules.rule import Edit
from nnlang.source import Source, Span

_DRIVE = re.compile(r"[A-Za-z]:/")


@dataclass(frozen=True)
class Result:
    """One linted file and what was found in it; nothing, where it is clean.

    path: what every form calls the file, as the file system has it. Services that show findings beside the text
    (GitHub, GitLab) know a file by its path from the root of the repository. fail_level: the severity from which
    findings let a run fail.
    """

    path: str
    findings: tuple[Finding, ...]
    fail_level: Severity = "warning"

    def fails(self, d: Diagnostic) -> bool:
        """Whether a finding lets the run fail."""
        return at_least(d.code.severity, self.fail_level)

    @cached_property
    def name(self) -> str:
        """The path with forward slashes, without `./`; bytes that are no UTF-8 are escaped, so that it can be written.

        It may hold any other character, controls and line ends among them.
        """
        return "".join(printable(c) if "\ud800" <= c <= "\udfff" else c for c in self._path)

    @cached_property
    def uri(self) -> str:
        """The path as a URI reference, percent-encoded byte for byte: relative as it is, absolute with `file://`."""
        from urllib.parse import quote

        path = self._path
        drive = path[:2] if _DRIVE.match(path) and os.sep == "\\" else ""
        encoded = quote(os.fsencode(path[len(drive) :]))
        if drive:
            return f"file:///{drive}{encoded}"
        if not path.startswith("/"):
            return encoded
        server = os.sep == "\\" and path.startswith("//")
        return f"file:{encoded}" if server else f"file:///{encoded.lstrip('/')}"

    @property
    def _path(self) -> str:
        return str(PurePosixPath(self.path.replace(os.sep, "/")))


class Point(NamedTuple):
    """A place between two characters of a text: line and column from 1, offset from 0, all in characters."""

    line: int
    column: int
    offset: int


class Extent(NamedTuple):
    """Where a span begins and where it has ended."""

    start: Point
    end: Point


def point(source: Source, offset: int) -> Point:
    """The place of a character offset."""
    return Point(*source.position(offset), offset)


def extent(source: Source, span: Span) -> Extent:
    """The places at both ends of a span."""
    return Extent(point(source, span.start), point(source, span.end))


def within(d: Diagnostic) -> tuple[Source, Span] | None:
    """The text and the span of a finding; None for one about a file as a whole or about a line of it."""
    if d.place is None or d.place.source is None or d.place.span is None:
        return None
    return d.place.source, d.place.span


def extent_of(d: Diagnostic) -> Extent | None:
    """Where a finding stands in its text, as far as it stands in one."""
    spot = within(d)
    return extent(*spot) if spot else None


def line_of(d: Diagnostic) -> int | None:
    """The line of a finding, as far as it has one."""
    where = extent_of(d)
    if where is not None:
        return where.start.line
    return d.place.line if d.place is not None else None


def told(d: Diagnostic) -> str:
    """What a finding says on one line: the message, and in brackets what the text form says under the place."""
    return f"{d.message} ({d.label})" if d.label else d.message


def inserted(source: Source, edit: Edit) -> str:
    """What an edit puts into a text, its lines ended as those of the text are (`edits.edited` writes the same)."""
    return edit.text.replace("\n", "\r\n") if "\n" in edit.text and "\r\n" in source.text else edit.text


def explain(d: Diagnostic) -> str:
    """The command that tells more about a finding."""
    return f"nnlang explain {d.code.code}"


def fingerprints(result: Result) -> Iterator[tuple[Finding, str]]:
    """Each finding with a name for it (64 hexadecimal digits) that stays the same while its lines move.

    It is made of the path, the code, the message less the places that it names, and how many findings alike stand
    before it in the file.
    """
    from hashlib import sha256

    seen: Counter[tuple[str, str]] = Counter()
    for finding in result.findings:
        alike = likeness(finding.diagnostic)
        parts = (result.name, *alike, str(seen[alike]))
        seen[alike] += 1
        yield finding, sha256("\0".join(parts).encode()).hexdigest()


def pairs(results: Sequence[Result]) -> Iterator[tuple[Result, Finding]]:
    """Every finding with its file, in order."""
    return ((result, finding) for result in results for finding in result.findings)
