"""Offsets into a text, and the lines and characters of the language server protocol, in the units that a client counts.

Lines end at LF, CR LF or CR, as the protocol has it, and nowhere else. Python's `splitlines` knows more ends of lines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_LINE_END = re.compile(r"\r\n|\n|\r")

# How many units a text takes, by the names that client and server agree on. Halves of surrogate pairs can come in: JSON
# can write them.
UNITS: Mapping[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


@dataclass(frozen=True)
class Positions:
    """The lines of one text. Lines and characters count from 0; places that are not in the text become the nearest."""

    text: str
    encoding: str = "utf-16"
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = (0, *(found.end() for found in _LINE_END.finditer(self.text)))
        object.__setattr__(self, "_starts", starts)

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
        start, end = self._starts[line], self.line_end(line)
        units = UNITS[self.encoding]
        text = self.text[start:end]
        if text.isascii():
            return start + min(max(character, 0), len(text))
        low, high = 0, len(text)
        while low < high:  # the most characters that take no more units
            middle = (low + high + 1) // 2
            if units(text[:middle]) <= character:
                low = middle
            else:
                high = middle - 1
        return start + low

    def line_end(self, line: int) -> int:
        """Where a line ends, before the signs that end it."""
        if line + 1 >= len(self._starts):
            return len(self.text)
        end = self._starts[line + 1]
        return end - (2 if self.text[end - 2 : end] == "\r\n" else 1)

    def line_start(self, line: int) -> int:
        """Where a line begins."""
        return self._starts[min(line, len(self._starts) - 1)]
