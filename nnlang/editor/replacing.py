"""Texts before and after a change, as the edits between them."""

from __future__ import annotations

from collections.abc import Iterable

from nnlang.rules.rule import Edit
from nnlang.source import Span


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


def like(text: str, old: str) -> str:
    """The text with line ends as another text has them: CR LF where most of its lines end so."""
    crossed = old.count("\r\n")
    return text.replace("\n", "\r\n") if crossed * 2 > old.count("\n") else text


def replaced(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap."""
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
