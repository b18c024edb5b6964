"""Texts before and after a change, as the edits between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nnlang.editor.positions import split, within
from nnlang.rules.rule import Edit
from nnlang.source import Span

# A place as the protocol gives it: line and character of the start, then of the end; None for the whole text.
Range = tuple[int, int, int, int] | None


def difference(old: str, new: str) -> Edit | None:
    """The one edit of whole lines that makes `new` of `old`, as small as it can be; None where they are equal."""
    if old == new:
        return None
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    most = shorter - head
    tail = next((n for n in range(most) if before[-1 - n] != after[-1 - n]), most)
    start = sum(map(len, before[:head]))
    end = len(old) - sum(map(len, before[len(before) - tail :]))
    return Edit(Span(start, end), "".join(after[head : len(after) - tail]))


def changed(text: str, changes: Iterable[tuple[Range, str]], encoding: str) -> str:
    """The text after changes, each made to what the one before it has left.

    They are made to lines, not to the text: an editor with a cursor on each line sends thousands of them at once.
    """
    lines = split(text)
    for where, new in changes:
        if where is None:
            lines = split(new)
            continue
        begin, first = _place(lines, *where[:2], encoding)
        end, last = max((begin, first), _place(lines, *where[2:], encoding))
        new = lines[begin][:first] + new + lines[end][last:]
        if begin and new.startswith("\n") and lines[begin - 1].endswith("\r"):  # both are one end of a line now
            begin -= 1
            new = lines[begin] + new
        whole = split(new)
        lines[begin : end + 1] = whole if end + 1 == len(lines) else whole[:-1]
    return "".join(lines)


def _place(lines: Sequence[str], line: int, character: int, encoding: str) -> tuple[int, int]:
    """A line of those that are there, and the offset of a character in it."""
    if line < 0:
        return 0, 0
    if line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    return line, within(lines[line], character, encoding)
