"""Spans as SARIF regions: lines and columns from 1, columns in UTF-16 code units, a byte order mark never counted."""

from __future__ import annotations

import re
from bisect import bisect_left

from nnlang.source import Source, Span

Region = dict[str, int]

_WIDE = re.compile("[\U00010000-\U0010ffff]")  # two code units each
_MARK = "\ufeff"


class Regions:
    """The regions of one log's texts; where the wide characters of a text stand is looked up once."""

    def __init__(self) -> None:
        self._wide: dict[int, tuple[Source, list[int]]] = {}

    def text(self, source: Source, span: Span) -> Region:
        """The region of a span."""
        line, column = self._point(source, span.start)
        end_line, end_column = self._point(source, span.end)
        return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}

    def line(self, number: int) -> Region:
        """The beginning of a line, for what concerns a line or a file as a whole."""
        return {"startLine": number, "startColumn": 1, "endLine": number, "endColumn": 1}

    def takes_mark(self, source: Source, span: Span) -> bool:
        """Whether a span takes the byte order mark that a text begins with."""
        return span.start == 0 < span.end and source.text.startswith(_MARK)

    def bytes(self, source: Source, span: Span) -> Region:
        """The region of a span in bytes of UTF-8."""
        before, inside = source.text[: span.start], source.text[span.start : span.end]
        return {"byteOffset": len(before.encode()), "byteLength": len(inside.encode())}

    def _point(self, source: Source, offset: int) -> tuple[int, int]:
        """Line and column; the end of a text that ends with a line end stands on that line, behind its end."""
        line, column = source.position(offset)
        if column == 1 and 0 < offset == len(source.text):
            line, column = source.position(offset - 1)
            column += 1
        start = offset - column + 1
        wide = self._offsets(source)
        more = bisect_left(wide, offset) - bisect_left(wide, start)
        marked = start == 0 < offset and source.text.startswith(_MARK)
        return line, column + more - marked

    def _offsets(self, source: Source) -> list[int]:
        """The offsets of a text's wide characters. The source is kept, so that its identity stays its own."""
        if id(source) not in self._wide:
            wide = [] if source.text.isascii() else [found.start() for found in _WIDE.finditer(source.text)]
            self._wide[id(source)] = source, wide
        return self._wide[id(source)][1]
