"""Comments that speak to lint: `nnlang: ignore[NN502, NN522] reason`, and which line each of them speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnlang.source import Source, Span
from nnlang.syntax import Comment

IGNORE = re.compile(r"nnlang\s*:\s*ignore(-file)?\s*\[([^\]]*)\]")
_MEANT = re.compile(r"nnlang\s*:\s*(?:ignore|\w+\s*\[)")  # what wants to be one, be it right or not
_WORD = re.compile(r"[^,\s][^,]*")


@dataclass(frozen=True)
class Directive:
    """One such comment: the words between its brackets with their places; `line` is None for the whole text."""

    span: Span
    words: tuple[tuple[str, Span], ...]
    line: int | None


def directives(source: Source, comments: Sequence[Comment]) -> Iterator[Directive]:
    """The comments that speak to lint, in order; one that is not understood has no words.

    A comment speaks of its own line; standing alone, of the line on which the text goes on behind it.
    """
    behind = _behind(source, comments)
    for comment in comments:
        if _MEANT.search(comment.text):
            found = IGNORE.search(comment.text)
            whole = bool(found and found[1])
            line = None if whole else _line(source, comment.span.start, behind[comment.span.start])
            yield Directive(comment.span, tuple(_words(found, comment.span.start)) if found else (), line)


def _words(found: re.Match[str], start: int) -> Iterator[tuple[str, Span]]:
    for word in _WORD.finditer(found[2]):
        text = word[0].rstrip()
        begin = start + found.start(2) + word.start()
        yield text, Span(begin, begin + len(text))


def _behind(source: Source, comments: Sequence[Comment]) -> dict[int, int]:
    """Where the text goes on behind each comment, other comments passed over; by the place where it begins."""
    found: dict[int, int] = {}
    for comment in reversed(comments):
        end = comment.span.end
        while end < len(source.text) and source.text[end].isspace():
            end += 1
        found[comment.span.start] = found.get(end, end)
    return found


def _line(source: Source, start: int, behind: int) -> int:
    before = start - 1
    while before >= 0 and source.text[before] in " \t":
        before -= 1
    alone = before < 0 or source.text[before] in "\r\n"
    return source.position(behind if alone else start)[0]
