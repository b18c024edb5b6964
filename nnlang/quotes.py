"""Quotes that are lost: on a line with an odd number of them, the one place for another that makes sense of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code
from nnlang.marks import Word, words
from nnlang.source import Span

LONGEST, TRIALS, LINES = 1_000, 80, 100  # characters of a line, places tried on it, lines
_LINE = re.compile(r"[^\n]+")
_CLOSES = re.compile(r"[\w)](?=[ \t]*(?:[,:}\]]|\r?$))")  # the end of a word, where a closing quote may be missing
_OPENS = re.compile(r"(?:(?<=[{\[,:])|^)([ \t]*)(?=\w)")  # its beginning, where an opening one may


@dataclass(frozen=True)
class Lost:
    """One lost quote: the word that it belongs to, where it goes, and the line as though it stood there."""

    code: Code
    span: Span
    facts: dict[str, object]
    at: int
    line: Span
    instead: str


def lost(text: str) -> list[Lost]:
    """The quotes that are lost on lines of their own, where one place for each is the only one that makes sense."""
    found: list[Lost] = []
    left = LINES
    for m in _LINE.finditer(text):
        start, end = m.span()
        comment = text.find("//", start, end)
        end = comment if comment >= 0 and text.find('"', comment, end) < 0 else end
        if text.count('"', start, end) % 2 == 0:
            continue
        left -= 1
        line = text[start:end]
        one = None if left < 0 or _avoided(text, line, start) else _on(line, start)
        found += [one] if one is not None else []
    return found


def _avoided(text: str, line: str, start: int) -> bool:
    """Whether a line is too long, or has or is in a comment, or has escapes or other quotes."""
    held = any(sign in line for sign in ("\\", "'", "//", "/*", "*/"))
    return held or len(line) > LONGEST or text.rfind("/*", 0, start) > text.rfind("*/", 0, start)


def _on(line: str, start: int) -> Lost | None:
    """The lost quote of a line that begins at an offset of the text."""
    best: list[tuple[int, int, str]] = []  # where the quote goes, the end or beginning of its word, the line then
    for at, put, taken in _trials(line):
        if not faults(put) and _plain(put, taken):
            best.append((at, taken, put))
    if len(best) != 1:
        return None
    at, taken, put = best[0]
    closing = at > taken
    string = re.compile(r'"[^"]*"').search(put, put.rfind('"', 0, taken) if closing else taken)
    assert string is not None
    begin = string.start() if closing else at
    end = at if closing else string.end()
    span, facts = Span(start + begin, start + end), {"word": line[begin:end].strip('"'), "at": start + at}
    code = codes.UNCLOSED_STRING if closing else codes.UNOPENED_STRING
    return Lost(code, span, facts, start + at, Span(start, start + len(line)), put)


def _trials(line: str) -> Iterator[tuple[int, str, int]]:
    """Places for a quote: where it goes, the line with it in the place of its neighbour, where that is."""
    places = [(m.end(), m.start()) for m in _CLOSES.finditer(line)]
    places += [(m.end(), m.end()) for m in _OPENS.finditer(line)]
    for at, taken in places[:TRIALS]:
        yield at, f'{line[:taken]}"{line[taken + 1 :]}', taken


def _plain(line: str, taken: int) -> bool:
    """Whether the string to which the quote at a place belongs holds nothing but a name."""
    for m in re.finditer(r'"([^"]*)"', line):
        if m.start() == taken or m.end() - 1 == taken:
            return not any(c in m[1] for c in ",:{}[]")
    return False


# What may stand behind what on a line that makes sense.
_AFTER = {
    "{": "k}",
    "[": "{[sv]",
    "}": ",}]",
    "]": ",}]",
    ",": "k{[sv",
    ":": "sv{[",
    "k": ":",
    "s": ",}]",
    "v": ",}]",
}


def faults(line: str) -> int:
    """How many words of a line are none, or cannot stand behind the word before; 0 for a line that makes sense."""
    found = words(line)
    bad = sum(_bad(line[w.start : w.end], w) for w in found)
    return bad + sum(b.kind not in _AFTER.get(a.kind, "") for a, b in pairwise(found))


def _bad(text: str, word: Word) -> bool:
    return word.kind in ("k", "s") and not (len(text) > 1 and text[0] == text[-1] == '"')
