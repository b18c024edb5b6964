"""Tables of ratings, one `user, item, rating, time` a line with any delimiter, read in blocks (ecosystem.md 5).

Blocks without quotes are read by numpy, all lines together; blocks with quotes field by field with the csv module.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import data as codes
from nnlang.diagnostics import Place, stop
from nnlang.runtime.blocks import Block, blocks
from nnlang.runtime.numerals import numbers
from nnlang.runtime.textdata import COLUMNS, GOOD, LABEL, NO_LABEL, NUL, OPEN_QUOTE, RATING, TIME, Parsed
from nnlang.runtime.vocabulary import PADDING, Bytes, Positions

DELIMITERS = "\t,;|"
_NEWLINE, _RETURN = 10, 13
_USER, _ITEM, _RATING = range(3)


@dataclass(frozen=True)
class Layout:
    """How a table is laid out: delimiter, number of columns, the wanted ones (user, item[, rating[, time]]), header."""

    delimiter: str
    columns: int
    wanted: tuple[int, ...]
    header: bytes  # to be left out wherever a file begins with it; empty without one


@dataclass(frozen=True)
class _Fields:
    """The wanted fields of the lines of a block: where each begins and ends in `text`, what is wrong with a line."""

    text: Bytes
    line: Positions  # line numbers in the file
    start: tuple[Positions, ...]
    end: tuple[Positions, ...]
    reason: NDArray[np.uint8]


def parsed(
    paths: list[Path],
    columns: Sequence[str],
    delimiter: str = "",
    *,
    needs_rating: bool,
    least: float | None = None,
    time: int = 3,
) -> Iterator[Parsed]:
    """The blocks of the files, a good line as a sample with one feature; ratings below `least` are left out.

    `time` says which of the columns (from 0) holds times, if there are so many.
    """
    layout = None
    for block in blocks(paths):
        if layout is None:
            layout = find_layout(block, columns, delimiter)
        yield parse(block, layout, needs_rating=needs_rating, least=least, time=time)


def find_layout(block: Block, columns: Sequence[str], delimiter: str = "") -> Layout:
    """The layout that the first line shows; raises `Stop` where a wanted column is not in it (NN480, NN481)."""
    first = block.data.split(b"\n", 1)[0].removesuffix(b"\r")
    text = first.decode("utf-8", "surrogateescape")
    delimiter = delimiter or max(DELIMITERS, key=text.count)
    names = _split(text, delimiter) or [text]
    given = ",".join(columns)
    if not 2 <= len(columns) <= 4:
        raise stop(codes.BAD_COLUMNS, given=given)
    if all(c.isdecimal() for c in columns) and not set(columns) <= set(names):
        wanted, header = tuple(int(c) - 1 for c in columns), b""
        outside = [c for c, i in zip(columns, wanted, strict=True) if not 0 <= i < len(names)]
    else:
        outside = [c for c in columns if c not in names]
        wanted, header = tuple(names.index(c) for c in columns if c in names), first
    if outside:
        shown = ", ".join(f"`{n}`" for n in names[:20])
        raise stop(codes.NO_COLUMN, Place(str(block.path), line=1), column=outside[0], columns=shown)
    if len(set(wanted)) < len(wanted):
        raise stop(codes.BAD_COLUMNS, given=given)
    return Layout(delimiter, len(names), wanted, header)


def parse(block: Block, layout: Layout, *, needs_rating: bool, least: float | None = None, time: int = 3) -> Parsed:
    """The good lines of a block."""
    odd = b'"' in block.data or b"\0" in block.data or (layout.delimiter != "\t" and b"\t" in block.data)
    fields = (_one_by_one if odd or len(layout.delimiter.encode()) > 1 else _together)(block, layout)
    reason = fields.reason
    length = [end - start for start, end in zip(fields.start, fields.end, strict=True)]
    reason[(reason == GOOD) & ((length[_USER] <= 0) | (length[_ITEM] <= 0))] = NO_LABEL
    values = times = None
    if len(layout.wanted) > _RATING and (needs_rating or least is not None):
        values = _numbers(fields, length, _RATING, RATING)
    if len(layout.wanted) > time:
        times = _numbers(fields, length, time, TIME)
    good = keep = reason == GOOD
    if least is not None and values is not None:
        keep = good & (values >= least)
    bad = np.flatnonzero(reason != GOOD)
    return Parsed(
        block,
        fields.text,
        fields.start[_USER][keep],
        length[_USER][keep],
        np.arange(np.count_nonzero(keep) + 1),
        fields.start[_ITEM][keep],
        length[_ITEM][keep],
        values[keep].astype(np.float32) if values is not None and needs_rating else None,
        times[keep] if times is not None else None,
        tuple((int(fields.line[i]), int(reason[i])) for i in bad),
        below=int(np.count_nonzero(good) - np.count_nonzero(keep)),
    )


def _numbers(fields: _Fields, length: list[Positions], column: int, wrong: int) -> NDArray[np.float64]:
    """The numbers of a column; lines whose field is none get `wrong` as reason, if nothing else is wrong with them."""
    good = np.flatnonzero(fields.reason == GOOD)
    value = np.zeros(len(fields.reason))
    found, fine = numbers(fields.text, fields.start[column][good], length[column][good])
    fine &= np.abs(found) <= np.finfo(np.float32).max
    value[good] = found
    fields.reason[good[~fine]] = wrong
    return value


def _together(block: Block, layout: Layout) -> _Fields:
    """The fields of a block without quotes: delimiters and line ends form a grid once odd lines are taken out."""
    text = np.frombuffer(block.data + bytes(PADDING), np.uint8)
    at = np.flatnonzero((text == _NEWLINE) | (text == ord(layout.delimiter)))
    last = np.flatnonzero(text[at] == _NEWLINE)
    first = np.concatenate(([0], last[:-1] + 1))
    begin = np.concatenate(([0], at[last[:-1]] + 1))
    stop_at = at[last]
    stop_at = stop_at - ((stop_at > begin) & (text[stop_at - 1] == _RETURN))
    count = last - first + 1
    lines = np.arange(len(last))
    used = stop_at > begin
    if layout.header and block.line == 1 and block.data.split(b"\n", 1)[0].removesuffix(b"\r") == layout.header:
        used[0] = False
    lines, first, begin, stop_at, count = (a[used] for a in (lines, first, begin, stop_at, count))
    reason = np.where(count == layout.columns, GOOD, COLUMNS).astype(np.uint8)
    starts, ends = [], []
    for column in layout.wanted:
        inside = np.minimum(column, count - 1)  # of a line with too few columns: any, the line is not used
        mark = first + inside
        starts.append(begin if column == 0 else np.where(inside > 0, at[mark - 1] + 1, begin))
        ends.append(np.minimum(at[mark], stop_at))
    return _Fields(text, block.line + lines, tuple(starts), tuple(ends), reason)


def _one_by_one(block: Block, layout: Layout) -> _Fields:
    """The fields of a block with quotes, TABs or NUL in it, copied into a text of their own."""
    parts: list[bytes] = []
    lines: list[int] = []
    reasons: list[int] = []
    for number, raw in enumerate(block.data.split(b"\n")[:-1], block.line):
        content = raw.removesuffix(b"\r")
        if not content or (number == 1 and content == layout.header):
            continue
        fields = _split(content.decode("utf-8", "surrogateescape"), layout.delimiter)
        wanted, reason = _wanted(fields, layout)
        parts.extend(f.encode("utf-8", "surrogateescape") for f in wanted)
        lines.append(number)
        reasons.append(reason)
    width = len(layout.wanted)
    length = np.array([len(p) for p in parts], np.int64).reshape(-1, width)
    end = np.cumsum(length.ravel()).reshape(-1, width)
    text = np.frombuffer(b"".join(parts) + bytes(PADDING), np.uint8)
    start = end - length
    return _Fields(
        text,
        np.array(lines, np.int64),
        tuple(start[:, i] for i in range(width)),
        tuple(end[:, i] for i in range(width)),
        np.array(reasons, np.uint8),
    )


def _wanted(fields: list[str] | None, layout: Layout) -> tuple[list[str], int]:
    nothing = [""] * len(layout.wanted)
    if fields is None:
        return nothing, OPEN_QUOTE
    if len(fields) != layout.columns:
        return nothing, COLUMNS
    wanted = [fields[i] for i in layout.wanted]
    if any("\0" in f for f in wanted):
        return nothing, NUL
    return (nothing, LABEL) if any("\t" in f for f in wanted[:2]) else (wanted, GOOD)


def _split(line: str, delimiter: str) -> list[str] | None:
    """The fields of a line, None where a quote does not end."""
    if len(delimiter.encode()) > 1:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
