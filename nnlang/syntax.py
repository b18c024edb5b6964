"""Text to spanned JSON nodes: `read_source` finds the text, `parse` gives its tree or reports every slip in it.

A sound text goes through nnlang/scan.py alone, which is quick; for any other nnlang/parsing.py says what is wrong.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from os import PathLike

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Place, Report, stop
from nnlang.source import Source, Span


@dataclass(frozen=True)
class Limits:
    """How much text we are ready to read (design.md 6); every limit is inclusive."""

    depth: int = 64
    size: int = 1_000_000  # bytes of a file, characters of a text
    tokens: int = 300_000
    layers: int = 10_000
    sources: int = 1_024  # sources, skips or shared weights of one layer; data files of a job
    string: int = 4_096
    name: int = 128
    number: int = 64
    errors: int = 100  # findings of the syntax
    repairs: int = 1_000  # slips repaired, reported or not


DEFAULTS = Limits()
_SIGNATURES = {
    b"\x89HDF": "a data set or a model (NetCDF)",
    b"CDF": "a NetCDF file",
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip file",
}
_WIDE = (
    "it is UTF-16, as Notepad and PowerShell's `>` write it: save it as UTF-8, or use "
    "`iconv -f utf-16 -t utf-8 old.json > new.json`"
)


@dataclass(frozen=True, slots=True)
class StringNode:
    """A string, its escapes resolved."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class NumberNode:
    """A number: what it is worth and how it was written. Never infinite, never not-a-number."""

    value: int | float
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class BoolNode:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class NullNode:
    """`null`."""

    span: Span


@dataclass(frozen=True, slots=True)
class ArrayNode:
    """`[ ... ]` with its elements in order."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    """One pair of a name and a value."""

    name: StringNode
    value: Node

    @property
    def span(self) -> Span:
        return self.name.span.to(self.value.span)


@dataclass(frozen=True, slots=True)
class ObjectNode:
    """`{ ... }` with its members in order, repeated names included."""

    members: tuple[Member, ...]
    span: Span


Node = ObjectNode | ArrayNode | StringNode | NumberNode | BoolNode | NullNode


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, its signs included."""

    text: str
    span: Span


@dataclass(frozen=True)
class Document:
    """A text's tree, None if it has syntax errors, and its comments in order."""

    root: Node | None
    comments: tuple[Comment, ...]


def read_source(path: str | PathLike[str], limits: Limits = DEFAULTS) -> Source:
    """The text of a file, or of standard input for `-`; a `Stop` when it cannot be read, is too large or not UTF-8."""
    name = "<stdin>" if str(path) == "-" else str(path)
    try:
        raw = _read(path, limits.size + 1)
    except OSError as error:
        raise stop(codes.CANNOT_READ, Place(name), path=name, reason=error.strerror or "it failed") from None
    except ValueError:
        raise stop(codes.CANNOT_READ, Place(name), path=name, reason="this is not the name of a file") from None
    if kind := next((kind for begin, kind in _SIGNATURES.items() if raw.startswith(begin)), ""):
        raise stop(codes.NO_DEFINITION, Place(name), path=name, kind=kind)
    if len(raw) > limits.size:
        raise stop(codes.TOO_LARGE, Place(name), limit=limits.size)
    try:
        return Source(name, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = f"0x{raw[error.start]:02x}"
        help = _WIDE if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else None
        raise stop(
            codes.NOT_UTF8, Place(name, line=line), help=help, offset=error.start, byte=byte, line=line
        ) from None


def _read(path: str | PathLike[str], most: int) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(most)
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no plain file (- reads standard input)")
        return file.read(most)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to as well, so that it can be refused instead of waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse(source: Source, report: Report, limits: Limits = DEFAULTS) -> Node | None:
    """The root of the text's tree; None, with every slip reported, where the text is not LNDL's JSON."""
    return read(source, report, limits).root


def read(source: Source, report: Report, limits: Limits = DEFAULTS) -> Document:
    """The tree and the comments of a text; the comments are there even where the text has errors."""
    if len(source.text) > limits.size:
        report(codes.TOO_LARGE, Place(source.name), limit=limits.size)
        return Document(None, ())
    from nnlang.scan import scan

    sound = scan(source.text, limits)
    if sound is not None:
        return sound
    from nnlang.parsing import read_with_care

    return read_with_care(source, report, limits)


_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def unescape(text: str) -> str:
    """The characters that the inside of a JSON string stands for; halves of surrogate pairs are joined."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def number(text: str) -> int | float:
    """What a JSON number is worth: an int where it is written as one."""
    return float(text) if any(c in text for c in ".eE") else int(text)
