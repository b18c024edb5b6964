"""What laying a text out, or mending it, changes, as a patch, in time linear in its length.

Python's difflib compares any texts, and takes minutes for a megabyte of lines that are much alike. Of texts that are
laid out it is known that they differ in little but white space: a line is the same line where as many other characters
stand before it. Of texts that are mended it is known that a few lines change at a time, and then the old ones go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

CONTEXT = 3  # lines around each change
NEAR = 60  # lines of both texts after which a mended text goes on as the old one does, at most
AGREE = 2  # lines alike that show it


class _Change(NamedTuple):
    """The lines [start, end) of the old text that become those of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


def patch(name: str, old: str, new: str, *, mended: bool = False) -> Iterator[str]:
    """The lines of a unified diff, which `patch -p0` reads; nothing where the texts are equal.

    mended: the texts differ in some lines, not in white space everywhere.
    """
    before, after = _lines(old), _lines(new)
    hunks: list[list[_Change]] = []
    for change in (_edits if mended else _changes)(before, after):
        if not hunks or change.start - hunks[-1][-1].end > 2 * CONTEXT:
            hunks.append([])
        hunks[-1].append(change)
    if hunks:
        yield f"--- {name}\n+++ {name}\n"
    for hunk in hunks:
        for line in _hunk(hunk, before, after):
            yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines with their line feeds; Python's own splitlines knows other ends of lines besides."""
    *whole, last = text.split("\n")
    return [line + "\n" for line in whole] + [last] * bool(last)


def _changes(before: Sequence[str], after: Sequence[str]) -> Iterator[_Change]:
    places = {mark: number for number, mark in enumerate(_marks(after))}
    same = ((number, places[mark]) for number, mark in enumerate(_marks(before)) if mark in places)
    start = new_start = 0
    for end, new_end in (*same, (len(before), len(after))):
        if (start, new_start) != (end, new_end):
            yield _Change(start, end, new_start, new_end)
        start, new_start = end + 1, new_end + 1


def _edits(before: Sequence[str], after: Sequence[str]) -> Iterator[_Change]:
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after) and before[i] == after[j]:
            i, j = i + 1, j + 1
            continue
        end, new_end = _going_on(before, after, i, j)
        yield _Change(i, end, j, new_end)
        i, j = end, new_end


def _going_on(before: Sequence[str], after: Sequence[str], i: int, j: int) -> tuple[int, int]:
    """Where both texts are alike again, with as few lines between as may be; their ends where that is not near."""
    for lines in range(1, NEAR + 1):
        for old in range(lines + 1):
            a, b = i + old, j + lines - old
            if a < len(before) and before[a : a + AGREE] == after[b : b + AGREE]:
                return a, b
    return len(before), len(after)


def _marks(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Of each line: the characters before it without white space, the blank lines since the last of these, itself."""
    characters = blank = 0
    for line in lines:
        yield characters, blank if line.isspace() else -1, line
        added = len("".join(line.removeprefix("\ufeff").split()))
        characters, blank = characters + added, 0 if added else blank + 1


def _hunk(changes: Sequence[_Change], before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    start = max(changes[0].start - CONTEXT, 0)
    end = min(changes[-1].end + CONTEXT, len(before))
    new_start = changes[0].new_start - (changes[0].start - start)
    new_end = changes[-1].new_end + (end - changes[-1].end)
    yield f"@@ -{_extent(start, end)} +{_extent(new_start, new_end)} @@\n"
    for change in changes:
        yield from (" " + line for line in before[start : change.start])
        yield from ("-" + line for line in before[change.start : change.end])
        yield from ("+" + line for line in after[change.new_start : change.new_end])
        start = change.end
    yield from (" " + line for line in before[start:end])


def _extent(start: int, end: int) -> str:
    """Lines as a hunk names them: the first, from 1, and how many; of none, the line before."""
    if end - start == 1:
        return str(end)
    return f"{start + (end > start)},{end - start}"
