"""What goes wrong, as data: a code from the catalogue, a place, the facts. The words live in `nnlang.codes`.

Phases collect diagnostics in a `Report` and go on; a phase that cannot go on raises `Stop`, which only the command line
(or a library caller) catches. A bug of ours is never a Diagnostic, a mistake of the user's is never another exception.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from nnlang.source import Source, Span

Severity = Literal["error", "warning", "note"]

OK, FINDINGS, USAGE, DATA, MEMORY, DEVICE, DIVERGED, DISK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130


@dataclass(frozen=True)
class Code:
    """One row of the catalogue: the words of one kind of finding. Templates are filled with the facts."""

    code: str
    name: str
    message: str
    label: str = ""
    help: str = ""
    severity: Severity = "error"
    exit: int = USAGE


@dataclass(frozen=True)
class Place:
    """Where: a span of a source text; or a file with a line or a named part of it (`variable sparseIndex0`)."""

    file: str
    source: Source | None = None
    span: Span | None = None
    line: int | None = None
    part: str = ""

    def __str__(self) -> str:
        if self.source is not None and self.span is not None:
            line, column = self.source.position(self.span.start)
            return f"{printable(self.file)}:{line}:{column}"
        text = printable(self.file) + (f":{self.line}" if self.line is not None else "")
        return f"{text} ({printable(self.part)})" if self.part else text


def at(source: Source, span: Span) -> Place:
    """The place of a span in a source text."""
    return Place(source.name, source, span)


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `help` replaces the catalogue's words where the phase knows a better remedy; empty means none."""

    code: Code
    place: Place | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    help: str | None = None

    def words(self, template: str) -> str:
        """A template of the catalogue, filled with this finding's facts, safe to print."""
        return template.format(**{k: printable(str(v)) for k, v in self.facts.items()})

    @property
    def message(self) -> str:
        return self.words(self.code.message)

    @property
    def label(self) -> str:
        return self.words(self.code.label)

    @property
    def remedy(self) -> str:
        return printable(self.help) if self.help is not None else self.words(self.code.help)


class Stop(Exception):  # noqa: N818 - it says what it does
    """Raised by a phase that cannot go on; carries what to tell the user and the exit code."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics

    @property
    def exit_code(self) -> int:
        errors = [d for d in self.diagnostics if d.code.severity == "error"] or list(self.diagnostics)
        return errors[0].code.exit if errors else USAGE


def stop(code: Code, place: Place | None = None, *, help: str | None = None, **facts: object) -> Stop:
    """The exception for one finding: `raise stop(NO_SUCH_FILE, path=path)`."""
    return Stop(Diagnostic(code, place, facts, help))


class Report:
    """The findings of one run, kept in the order of their places."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def __call__(self, code: Code, place: Place | None = None, *, help: str | None = None, **facts: object) -> None:
        self.diagnostics.append(Diagnostic(code, place, facts, help))

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self.diagnostics if d.code.severity == "error"]

    def sorted(self) -> list[Diagnostic]:
        return sorted(self.diagnostics, key=_order)

    def check(self) -> None:
        """Raise `Stop` with everything found so far if any of it is an error."""
        if self.errors:
            raise Stop(*self.sorted())


def _order(d: Diagnostic) -> tuple[str, int, int]:
    if d.place is None:
        return "", 0, 0
    return d.place.file, d.place.span.start if d.place.span else 0, d.place.line or 0


def printable(text: str) -> str:
    """The text with control, bidirectional and other invisible characters escaped, so that no name can fake output."""
    return "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else f"\\u{ord(c):04x}" for c in text)


def bytes_text(size: float) -> str:
    """A number of bytes for people: `3.2 MB` (powers of 1000)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """The findings as people read them: code, message, place, source line with caret, help. No colours."""
    return "\n\n".join(_render_one(d) for d in diagnostics)


def _render_one(d: Diagnostic) -> str:
    lines = [f"{d.code.severity}[{d.code.code}]: {d.message}"]
    if d.place is not None:
        lines.extend(_excerpt(d.place, d.label))
    if d.remedy:
        lines.append(f"  = help: {d.remedy}")
    return "\n".join(lines)


def _excerpt(place: Place, label: str) -> list[str]:
    if place.source is None or place.span is None:
        return [f"  --> {place}"] + ([f"   = {label}"] if label else [])
    number, column = place.source.position(place.span.start)
    text = place.source.line(number)
    width = min(max(place.span.end - place.span.start, 1), max(len(text) - column + 1, 1))
    first = max(0, column - 60)  # a window of a long line, so that a 1 MB line prints as one screen line
    shown = text[first : first + 110]
    lead = "... " if first else ""
    tail = " ..." if first + 110 < len(text) else ""
    before = lead + printable_line(text[first : column - 1])
    under = printable_line(text[column - 1 : column - 1 + width])
    caret = "^" * max(1, min(len(under), 110 - len(before)))
    pad = " " * len(str(number))
    return [
        f" {pad}--> {place}",
        f" {pad} |",
        f" {number} | {lead}{printable_line(shown)}{tail}",
        f" {pad} | {' ' * len(before)}{caret}" + (f" {label}" if label else ""),
        f" {pad} |",
    ]


def printable_line(text: str) -> str:
    """A source line for the screen: tabs as one space, so that the caret stands under its character."""
    return printable(text.replace("\t", " "))
