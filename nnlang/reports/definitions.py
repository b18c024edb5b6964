"""Definitions as a page shows them: lightly coloured, and what one changed in the other."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator

from nnlang.reports.page import escape

_LINES = 4_000  # of one definition; what is longer is cut, and the page says so
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)')


def highlighted(text: str) -> str:
    """A definition with its keys, texts and numbers coloured."""
    lines = text.replace("\t", "    ").splitlines()
    shown = "\n".join("".join(_coloured(line)) for line in lines[:_LINES])
    return f'<pre tabindex="0"><code>{shown}</code></pre>\n' + _cut(len(lines))


def difference(old: str, new: str, names: tuple[str, str]) -> str:
    """The unified difference of two definitions, a key a line, coloured and with its signs; "" where there is none."""
    one, other = (_key_a_line(text).splitlines()[:_LINES] for text in (old, new))
    found = list(difflib.unified_diff(one, other, *names, lineterm="", n=3))
    if not found:
        return ""
    kinds = {"+": "plus", "-": "minus", "@": "place", " ": "same"}
    rows = (
        f'<span class="{"place" if place < 2 else kinds[line[:1]]}">{escape(line)}</span>'
        for place, line in enumerate(found)
    )
    return f'<pre tabindex="0"><code>{"".join(rows)}</code></pre>\n'


def _key_a_line(text: str) -> str:
    """A definition laid out so that what changes does not move what stays; as it is where it is no plain JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text.replace("\t", "    ")


def _coloured(line: str) -> Iterator[str]:
    done = 0
    for match in _TOKEN.finditer(line):
        yield escape(line[done : match.start()])
        done = match.end()
        string, colon, numeral = match.groups()
        if numeral is not None:
            yield f'<span class="numeral">{escape(numeral)}</span>'
        else:
            yield f'<span class="{"key" if colon else "text"}">{escape(string)}</span>{colon or ""}'
    yield escape(line[done:])


def _cut(count: int) -> str:
    return f'<p class="note">The first {_LINES:,} of {count:,} lines.</p>\n' if count > _LINES else ""
