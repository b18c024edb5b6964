"""The words of a text, sound or not, for those who look at its brackets and quotes before it is parsed."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from nnlang import grammar

WORDS = 40_000  # of a text; a longer one is read without repairs of brackets


class Word(NamedTuple):
    """One word or sign: `{}[],:`, `k` (a name with its colon), `s` (other texts and bad words), `v` (other values)."""

    kind: str
    start: int
    end: int
    line: int
    indent: int  # of its line
    first: bool  # of its line
    round: bool = False  # a round bracket that stands for one of ours


@cache
def _pattern() -> re.Pattern[str]:
    word = {name: grammar.terminal(name) for name in ("STRING", "COMMENT", "NUMBER", "TRUE", "FALSE", "NULL")}
    bad = {name: grammar.terminal(name) for name in ("BAD_STRING", "BAD_WORD", "BAD_COMMENT", "HASH_COMMENT")}
    values = "|".join(word[name] for name in ("NUMBER", "TRUE", "FALSE", "NULL"))
    return re.compile(
        rf"(?P<gap>{word['COMMENT']}|{bad['BAD_COMMENT']}|{bad['HASH_COMMENT']}|[ \t\r\n]+)"
        rf"|(?P<s>{word['STRING']}|{bad['BAD_STRING']})|(?P<mark>[{{}}\[\],:])|(?P<v>{values})|(?P<w>{bad['BAD_WORD']})"
    )


_COLON = re.compile(r"[ \t\r\n]*(?::|=>?)")
_STAND_INS = {"=": ":", "=>": ":", ":=": ":", ";": ","}  # bad words that stand for signs


def words(text: str, most: int = WORDS) -> list[Word]:
    """The words of a text, those that are none included; nothing for a text that has more of them than `most`."""
    found: list[Word] = []
    line = indent = begin = 0
    fresh = True
    for match in _pattern().finditer(text):
        kind, start, end = match.lastgroup or "", match.start(), match.end()
        if kind == "gap":
            lines = text.count("\n", start, end)
            if lines:
                line, begin, fresh = line + lines, text.rfind("\n", start, end) + 1, True
            continue
        if fresh:
            indent = start - begin
        sign = match[0]
        rounded = sign in ("(", ")")
        if kind in ("s", "w"):
            kind = sign if rounded else _STAND_INS.get(sign) or ("k" if _COLON.match(text, end) else "s")
        found.append(Word(sign if kind == "mark" else kind, start, end, line, indent, fresh, rounded))
        fresh = False
        if len(found) > most:
            return []
    return [w._replace(kind=_opening(found, i)) if w.kind == "(" else w for i, w in enumerate(found)]


def _opening(found: list[Word], index: int) -> str:
    """What a round bracket opens, from what follows."""
    return "{" if index + 1 < len(found) and found[index + 1].kind == "k" else "["
