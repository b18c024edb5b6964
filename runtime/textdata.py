"""DSSTNE's text form of data, `sample TAB feature,value:feature,value:...`, read in blocks (dsstne.md 8.6).

Mended against DSSTNE: carriage returns are stripped, a value must be a number as a whole, a label must be fit for an
index file (not empty, no second TAB, no NUL). A line that breaks a rule is left out whole and reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.blocks import Block
from nnlang.runtime.numerals import numbers
from nnlang.runtime.vocabulary import PADDING, Bytes, Positions

_NEWLINE, _TAB, _COLON, _COMMA, _RETURN = 10, 9, 58, 44, 13

_Numbers = NDArray[np.float32] | NDArray[np.float64]

REASONS = (
    "",
    "there is no TAB between the sample and its features",
    "the sample's name before the TAB is empty",
    "there is a second TAB; a label with a TAB cannot stand in an index file",
    "there is a NUL byte; this is not text",
    "the value of a feature is not a finite number",
    "it has another number of columns than the lines before",
    "the rating is not a finite number",
    "the user or the item is empty",
    "a quoted field does not end",
    "a label holds a TAB or a line end, which cannot stand in an index file",
    "the time is not a finite number",
)
GOOD, NO_TAB, NO_SAMPLE, SECOND_TAB, NUL, NOT_A_NUMBER, COLUMNS, RATING, NO_LABEL, OPEN_QUOTE, LABEL, TIME = range(
    len(REASONS)
)
_BLANK = 255


@dataclass(frozen=True)
class Parsed:
    """The good lines of one block: where each sample's label stands, and the points of each line.

    Points of line i are `offsets[i] : offsets[i + 1]`; labels are text[start : start + length]. `values` (0 where none
    was written) and `times` are None where they were not asked for. `bad` holds (line number, index into REASONS).
    """

    block: Block
    text: Bytes
    sample_start: Positions
    sample_length: Positions
    offsets: Positions
    start: Positions
    length: Positions
    values: NDArray[np.float32] | None = None
    times: NDArray[np.float64] | None = None  # NaN where none was written
    bad: tuple[tuple[int, int], ...] = ()
    extra: int = 0  # points with more than one value; the first was taken
    bare: int = 0  # points without a value where values were asked for; 0 was taken
    below: int = 0  # points left out because their value is below the least that was asked for


@dataclass(frozen=True)
class _Marks:
    """The separators of a block that count: position, byte; for each line its first and its last (the newline)."""

    at: Positions
    kind: Bytes
    first: Positions
    last: Positions

    @property
    def line_start(self) -> Positions:
        ends = self.at[self.last]
        return np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)


def parse(block: Block, *, values: bool, times: bool = False) -> Parsed:
    """The lines of a block; with `values` the first value of each point too (float32), with `times` as its time."""
    text = np.frombuffer(block.data + bytes(PADDING), np.uint8)
    marks = _marks(text)
    reason = _reasons(text, marks, block.data)
    returns = b"\r" in block.data

    opener = marks.kind[:-1]
    point = np.flatnonzero((opener == _TAB) | (opener == _COLON))
    start = marks.at[point] + 1
    length = _end(text, marks, point + 1, returns) - start
    offsets = np.concatenate(([0], np.searchsorted(point, marks.last)))
    filled = length > 0
    if not filled.all():
        offsets = np.concatenate(([0], np.cumsum(filled)))[offsets]
        point, start, length = point[filled], start[filled], length[filled]

    value, bare, extra = None, 0, 0
    if values or times:
        empty = np.full(len(point), np.nan) if times else np.zeros(len(point), np.float32)
        value, bare, extra, wrong = _values(text, marks, point, returns, empty)
        lines = np.searchsorted(offsets, wrong, "right") - 1
        reason[lines[reason[lines] == GOOD]] = NOT_A_NUMBER
    parsed = Parsed(
        block, text, marks.line_start, marks.at[marks.first] - marks.line_start, offsets, start, length,
        values=None if times or value is None else value.astype(np.float32, copy=False),
        times=value.astype(np.float64, copy=False) if times and value is not None else None,
        extra=extra, bare=bare,
    )  # fmt: skip
    return _good(parsed, reason)


def at_least(parsed: Parsed, least: float, keep_values: bool) -> Parsed:
    """The block without the points whose value is below `least`; a sample that loses all keeps its empty line."""
    assert parsed.values is not None
    keep = parsed.values >= least
    return replace(
        parsed,
        offsets=np.concatenate(([0], np.cumsum(keep)))[parsed.offsets],
        start=parsed.start[keep],
        length=parsed.length[keep],
        values=parsed.values[keep] if keep_values else None,
        bare=parsed.bare if keep_values else 0,
        below=int(len(keep) - np.count_nonzero(keep)),
    )


def _marks(text: Bytes) -> _Marks:
    kind_of = (text == _NEWLINE) | (text == _TAB) | (text == _COLON) | (text == _COMMA)
    at = np.flatnonzero(kind_of)
    kind = text[at]
    last = np.flatnonzero(kind == _NEWLINE)
    begin = np.concatenate(([0], last[:-1] + 1))
    tabs = np.flatnonzero(kind == _TAB)
    first = np.append(tabs, len(at))[np.searchsorted(tabs, begin)]
    first = np.minimum(first, last)  # of a line without a TAB: its newline
    if (first == begin).all():
        return _Marks(at, kind, begin, last)
    change = np.zeros(len(at) + 1, np.int64)  # colons and commas before the first TAB belong to the sample's label
    np.add.at(change, begin, 1)
    np.add.at(change, first, -1)
    keep = np.cumsum(change[:-1]) == 0
    moved = np.cumsum(keep) - 1
    return _Marks(at[keep], kind[keep], moved[first], moved[last])


def _reasons(text: Bytes, marks: _Marks, data: bytes) -> NDArray[np.uint8]:
    """What is wrong with each line, an index into REASONS; `_BLANK` for an empty one."""
    start, end = marks.line_start, marks.at[marks.last]
    tab_at = marks.at[marks.first]
    reason = np.zeros(len(start), np.uint8)
    reason[tab_at == start] = NO_SAMPLE
    tabs = np.flatnonzero(marks.kind == _TAB)
    if len(tabs) > len(start) or len(tabs) != np.count_nonzero(marks.first != marks.last):
        reason[np.searchsorted(tabs, marks.last) - np.searchsorted(tabs, marks.first) > 1] = SECOND_TAB
    reason[marks.first == marks.last] = NO_TAB
    blank = (end == start) | ((end == start + 1) & (text[start] == _RETURN))
    reason[blank] = _BLANK
    if b"\0" in data:
        zeros = np.flatnonzero(text[: len(data)] == 0)
        reason[np.searchsorted(end, zeros)] = NUL
    return reason


def _end(text: Bytes, marks: _Marks, mark: Positions, returns: bool) -> Positions:
    """Where the piece that ends at each mark ends, a carriage return before the newline left out."""
    end = marks.at[mark]
    if returns:
        end = end - ((marks.kind[mark] == _NEWLINE) & (text[end - 1] == _RETURN))
    return end


def _values(
    text: Bytes, marks: _Marks, point: Positions, returns: bool, value: _Numbers
) -> tuple[_Numbers, int, int, Positions]:
    """The values of the points laid into `value`, how many have none, how many several, and which are no numbers."""
    has = np.flatnonzero(marks.kind[point + 1] == _COMMA)
    start = marks.at[point[has] + 1] + 1
    after = point[has] + 2
    length = _end(text, marks, after, returns) - start
    extra = int(np.count_nonzero(marks.kind[after] == _COMMA))
    written = length > 0
    if not written.all():
        has, start, length = has[written], start[written], length[written]
    found, good = numbers(text, start, length)
    with np.errstate(over="ignore"):
        value[has] = found
    good &= np.isfinite(value[has])
    return value, len(point) - len(has), extra, has[~good]


def _good(parsed: Parsed, reason: NDArray[np.uint8]) -> Parsed:
    """The block without its blank and bad lines, these listed."""
    if not reason.any():
        return parsed
    bad = np.flatnonzero((reason != GOOD) & (reason != _BLANK))
    keep = reason == GOOD
    counts = np.diff(parsed.offsets)
    points = np.repeat(keep, counts)
    return Parsed(
        parsed.block,
        parsed.text,
        parsed.sample_start[keep],
        parsed.sample_length[keep],
        np.concatenate(([0], np.cumsum(counts[keep]))),
        parsed.start[points],
        parsed.length[points],
        None if parsed.values is None else parsed.values[points],
        None if parsed.times is None else parsed.times[points],
        bad=tuple((parsed.block.line + int(i), int(reason[i])) for i in bad),
        extra=parsed.extra,
        bare=parsed.bare,
    )
