"""Random texts with white space and comments everywhere, and, independent of the formatter, what comments stand at.

`drawn` writes a random tree as a text that the grammar takes. `attached` says of each comment of a text to which
member or item it belongs, and how; `spoken_of` which of them the suppressions in it speak of. Both look at nothing but
the signs of the text, one after the other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

KEYS = ("Version", "Name", "Layers", "layers", "N", "Source", "p", "\\u004e", "слой", "層", "a/b", "//", "/*", "")
SCALARS = (
    "0", "-0", "1.0", "1.50", "1e-3", "1E+05", "123456789012345678901", "true", "false", "null", '""', '"auto"', '"{"',
    '"\\"\\\\"', '"\\u0041\\/"', '"// no comment"', '"/* none */"', '"nnlang: ignore[NN502]"', '"層\u2028\u00a0é"',
)  # fmt: skip
SPACES = ("", "", "", " ", "  ", "\t", "\n", "\n    ", "\r\n", "\r", "\n\n", "\n \t\n\n", "\r\n\r\n")
WORDS = ("", " ", "why", "層 и é", "* / {[:,]}\"'", "\\", "nnlang", "trailing  \t", "\u2028x", "a // b")
SUPPRESSIONS = ("nnlang: ignore[NN502] because", "nnlang:ignore[NN5, NN601]")
_SIGN = re.compile(r'//[^\r\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"/\ufeff]+', re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")


def drawn(random: Random, suppressions: float = 0.02) -> str:
    """One text; `suppressions` is their share of the comments."""
    return _spaced(random, _signs(random, random.choice((0, 1, 2, 3, 4))), suppressions)


def respaced(random: Random, text: str, suppressions: float) -> str:
    """A text without comments, as it is or with other white space and comments."""
    return text if random.random() < 0.2 else _spaced(random, _SIGN.findall(text), suppressions)


def _spaced(random: Random, words: Iterable[str], suppressions: float) -> str:
    density = random.choice((0.0, 0.02, 0.1, 0.3, 0.6))
    text = "\ufeff" if random.random() < 0.05 else ""
    for word in (*words, ""):
        text += _space(random, density, suppressions) + word
    return text + random.choice(("", "\n"))


def _signs(random: Random, depth: int) -> Iterator[str]:
    kind = random.random()
    if depth == 0 or kind < 0.15:
        yield random.choice(SCALARS) if random.random() < 0.9 else '"' + "x" * random.randrange(90) + '"'
        return
    is_object = kind < 0.65
    yield "{" if is_object else "["
    for number in range(random.choice((0, 1, 2, 3, 5))):
        yield from ("," for _ in range(number > 0))
        if is_object:
            yield f'"{random.choice(KEYS)}"'
            yield ":"
        yield from _signs(random, depth - random.choice((1, 1, 2)) if depth > 1 else 0)
    yield "}" if is_object else "]"


def _space(random: Random, density: float, suppressions: float) -> str:
    text = random.choice(SPACES)
    while random.random() < density:
        text += _comment(random, suppressions) + random.choice(SPACES)
    return text


def _comment(random: Random, suppressions: float) -> str:
    words = random.choice(SUPPRESSIONS if random.random() < suppressions else WORDS)
    form = random.random()
    if form < 0.5:
        return f"//{words}" + random.choice(("\n", "\r\n", "\r", "\n\n", "\n  "))
    words = words.replace("* /", "").replace("/", "")
    return f"/* {words}*/" if form < 0.85 else f"/* {words}\n    of two lines  \r\n {words}*/"


class Sign(NamedTuple):
    """One word, bracket, comma, colon or comment; `path` is the member or item that a value or key is part of."""

    text: str
    kind: str
    path: str
    feeds: int  # line ends between the sign and the one before it
    line: int
    begins_line: bool

    @property
    def is_comment(self) -> bool:
        return self.kind == "comment"


@dataclass
class _Open:
    """A bracket that is open: its path, and how many items have begun."""

    path: str
    bracket: str
    count: int = 0


def signs(text: str) -> list[Sign]:
    """All signs of a text, with the paths that they belong to; the first and the last are the text's own ends."""
    found, opened, path = [Sign("", "begin", "", 0, 1, True)], list[_Open](), "root"
    key_next, end = False, 0
    ends = [match.end() for match in _LINE_END.finditer(text)]
    for match in _SIGN.finditer(text):
        word, line = match[0], 1 + bisect_right(ends, match.start())
        feeds = line - 1 - bisect_right(ends, end)
        begins_line = not text[ends[line - 2] if line > 1 else 0 : match.start()].strip(" \t\ufeff")
        end = match.end()
        kind = "comment" if word.startswith(("//", "/*")) else word if word in "{}[],:" else "word"
        if kind == "comment":
            found.append(Sign(word, kind, "", feeds, line, begins_line))
            continue
        is_item = opened and _last_code(found).kind in ("{", "[", ",") and kind not in "}]"
        if is_item:
            path = f"{opened[-1].path}.{opened[-1].count}"
            opened[-1].count += 1
            key_next = opened[-1].bracket == "{"
        if kind in ("}", "]"):
            path = opened.pop().path
        found.append(Sign(word, "key" if key_next else kind, path, feeds, line, begins_line))
        key_next = False
        if kind in ("{", "["):
            opened.append(_Open(path, word))
    return [*found, Sign("", "end", "", len(ends) - bisect_right(ends, end), 1 + len(ends), False)]


def words(text: str) -> tuple[list[str], list[str]]:
    """The signs of a text that are no comments, and the comments, each in their order."""
    found = signs(text)[1:-1]
    return [s.text for s in found if not s.is_comment], [_plain(s.text) for s in found if s.is_comment]


def without_comments(text: str) -> str:
    """The text, each comment one character."""
    return _SIGN.sub(lambda match: "/" if match[0].startswith(("//", "/*")) else match[0], text)


def _last_code(found: Sequence[Sign]) -> Sign:
    """The last sign that is no comment."""
    return next(sign for sign in reversed(found) if not sign.is_comment)


def attached(text: str) -> list[tuple[str, str, str]]:
    """Of each comment: its text, how it stands (leading, trailing, ...), and at which member or item."""
    all_signs = signs(text)
    return [(_plain(sign.text), *_owner(all_signs, number)) for number, sign in enumerate(all_signs) if sign.is_comment]


def _plain(comment: str) -> str:
    return comment.rstrip() if comment.startswith("//") else _LINE_END.sub("\n", comment)


def _owner(all_signs: Sequence[Sign], number: int) -> tuple[str, str]:
    first = number  # the first sign of the gap: what is between a value, a bracket or a key and the next of these
    while all_signs[first - 1].is_comment or all_signs[first - 1].kind in (",", ":"):
        first -= 1
    last = number
    while all_signs[last].is_comment or all_signs[last].kind in (",", ":"):
        last += 1
    before, after = all_signs[first - 1], all_signs[last]
    if before.kind == "key":
        return "inside", before.path
    beside = before.kind != "begin" and not any(sign.feeds for sign in all_signs[first : number + 1])
    one_line = not any(sign.feeds for sign in all_signs[first : last + 1])
    is_late = before.kind in ("{", "[") or any(sign.kind == "," for sign in all_signs[first:number])
    closes = after.kind in ("}", "]")
    if before.kind in ("{", "[") and beside and not (one_line and not closes):
        return ("alone" if one_line else "opening"), before.path
    if beside and before.kind not in ("{", "[") and not (one_line and is_late):
        return "trailing", before.path
    return ("dangling" if closes or after.kind == "end" else "leading"), after.path


def spoken_of(text: str) -> list[set[str]]:
    """Of each suppression: the members and items that begin on the line that it speaks of."""
    all_signs, found = signs(text), []
    for number, sign in enumerate(all_signs):
        if not sign.is_comment or not re.search(r"nnlang\s*:\s*ignore\s*\[", sign.text):
            continue
        following = next(other for other in all_signs[number:] if not other.is_comment)
        line = following.line if sign.begins_line else sign.line
        found.append({s.path for s in all_signs if s.line == line and s.kind in ("key", "word", "{", "[")})
    return found
