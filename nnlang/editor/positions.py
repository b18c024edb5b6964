"""Offsets into a text, and the lines and characters of the language server protocol, in the units that a client counts.

Lines end at LF, CR LF or CR, as the protocol has it, and nowhere else. Python's `splitlines` knows more ends of lines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

_LINE_END = re.compile(r"\r\n|\n|\r")

# How many units a text takes, by the names that client and server agree on. Halves of surrogate pairs can come in: JSON
# can write them.
UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


def split(text: str) -> list[str]:
    """The lines of a text with the signs that end them; the last one, perhaps empty, has none."""
    if "\r" in text:
        return [text[start:end] for start, end in pairwise((*_starts(text), len(text)))]
    *whole, last = text.split("\n")  # a fifth of the time
    return [*(line + "\n" for line in whole), last]


def _starts(text: str) -> tuple[int, ...]:
    return (0, *(found.end() for found in _LINE_END.finditer(text)))


def within(line: str, character: int, encoding: str) -> int:
    """The offset of a character in a line, before the signs that end it; one inside a character is its beginning."""
    line = line.rstrip("\r\n")
    if line.isascii():
        return min(max(character, 0), len(line))
    low, high = 0, len(line)
    while low < high:  # the most characters that take no more units
        middle = (low + high + 1) // 2
        if UNITS[encoding](line[:middle]) <= character:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True)
class Positions:
    """The lines of one text. Lines and characters count from 0; places that are not in the text become the nearest."""

    text: str
    encoding: str = "utf-16"
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", _starts(self.text))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and character of an offset."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        return line, UNITS[self.encoding](self.text[self._starts[line] : offset])

    def offset(self, line: int, character: int) -> int:
        """The offset of a line and a character; one inside a character counts as its beginning."""
        if line < 0:
            return 0
        if line >= len(self._starts):
            return len(self.text)
        start, end = (*self._starts[line : line + 2], len(self.text))[:2]
        return start + within(self.text[start:end], character, self.encoding)
