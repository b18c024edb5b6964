"""How slips of the text itself are mended (NN1): from the finding and the text around it, since there is no tree."""

from __future__ import annotations

import json
import re

from nnlang.diagnostics import Diagnostic
from nnlang.rules.fixes import NUMBER, place
from nnlang.rules.members import skip
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source, Span
from nnlang.syntax import Node

_TRUTH = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_EMPTY = ("none", "nil", "null", "undefined")  # what is meant is the default, so the name has to go too
_COLONS = ("=", ":=", "=>")
_IDENTIFIER = re.compile(r"[^\W\d]\w*(?:[.-]\w+)*")
_CURLY = re.compile(r"[“”„‟]([^“”„‟\"\\]*)[“”„‟]")
_UNCLOSED = re.compile(r'"[\w. -]+')
_NAMED = re.compile(r"""(?:"[^"\\\n]*"|'[^'\\\n]*'|[^\W\d]\w*)""")  # a name, in whatever quotes
_NUMERALS = (
    (re.compile(r"(?<=\d)_(?=\d)"), ""),
    (re.compile(r"\+(?=[\d.])"), ""),
    (re.compile(r"^(-?)\."), r"\g<1>0."),
    (re.compile(r"\.(?=$|[eE])"), ".0"),
)


def remove(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without the characters that the finding points at."""
    _, span, text = place(d)
    shown = f"`{text}`" if text.isprintable() and len(text) <= 20 else "the character"
    return Fix(f"remove {shown}", (Edit(span, ""),))


def remove_unsafely(d: Diagnostic, root: Node | None) -> Fix | None:
    """The same, where they may have meant something."""
    fix = remove(d, root)
    return fix and Fix(fix.title, fix.edits, safe=False)


def surplus_comma(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without a comma that ends a list; unsafely where a value may be missing before it."""
    return Fix("remove the comma", (Edit(place(d)[1], ""),), safe=d.facts.get("side") == "after")


def comma(d: Diagnostic, root: Node | None) -> Fix | None:
    """A comma between two members; unsafely between other values, which may be one value that was torn apart."""
    source, span, _ = place(d)
    after = skip(source.text, span.start)
    safe = _is_name(source, after) or source.text[after : after + 1] == "{"
    return Fix("write `,` here", (Edit(Span(span.start, span.start), ","),), safe=safe)


def colon(d: Diagnostic, root: Node | None) -> Fix | None:
    """A colon behind a name; None where the next name follows already, so that the value is missing as well."""
    source, span, _ = place(d)
    if _is_name(source, skip(source.text, span.start)):
        return None
    return Fix("write `:` here", (Edit(Span(span.start, span.start), ":"),))


def _is_name(source: Source, start: int) -> bool:
    """Whether a name with a colon behind it stands at a place."""
    found = _NAMED.match(source.text, start)
    return found is not None and source.text.startswith(":", skip(source.text, found.end()))


def close_string(d: Diagnostic, root: Node | None) -> Fix | None:
    """A closing quote at the end of the line, where nothing but a name stands between."""
    _, span, text = place(d)
    if not _UNCLOSED.fullmatch(text):
        return None
    return Fix("close the string", (Edit(Span(span.end, span.end), '"'),), safe=False)


def double_quotes(d: Diagnostic, root: Node | None) -> Fix | None:
    """A text in double quotes in place of single ones, unless it holds what would have to be escaped."""
    _, span, text = place(d)
    inside = text[1:-1]
    if json.dumps(inside, ensure_ascii=False) != f'"{inside}"':
        return None
    return Fix("write it in double quotes", (Edit(span, f'"{inside}"'),))


def double_backslash(d: Diagnostic, root: Node | None) -> Fix | None:
    r"""`\\` for `\`, as in a path; None for escapes that were begun and for `\'`."""
    _, span, text = place(d)
    if len(text) != 2 or not (text[1].isalnum() or text[1] in " ._-") or text[1] == "u":
        return None
    return Fix("write two backslashes", (Edit(Span(span.start, span.start), "\\"),), safe=False)


def word(d: Diagnostic, root: Node | None) -> Fix | None:
    """A word of other languages as JSON writes it, or in quotes where it can only be a name or a text."""
    source, span, text = place(d)
    low = text.lower()
    if low in _TRUTH:
        put = _TRUTH[low]
        return Fix(f"write {put}", (Edit(span, put),), safe=low == put)
    if text in _COLONS:
        return Fix("write `:`", (Edit(span, ":"),))
    if text.endswith(";"):
        return _semicolon(source, span, text)
    if curly := _CURLY.fullmatch(text):
        return Fix("write plain double quotes", (Edit(span, f'"{curly[1]}"'),))
    if low in _EMPTY or not _IDENTIFIER.fullmatch(text):
        return None
    before, after = source.text[: span.start].rstrip()[-1:], source.text[skip(source.text, span.end) :][:1]
    alone = after == ":" or (before in tuple("{[,:") and after in tuple(",]}"))
    return Fix(f'write "{text}"', (Edit(span, f'"{text}"'),), safe=alone)


def _semicolon(source: Source, span: Span, text: str) -> Fix | None:
    """A comma for a semicolon at the end of a value; nothing where a bracket closes behind it."""
    before = text[:-1]
    if before and not (NUMBER.fullmatch(before) or before in _TRUTH):
        return None
    last = source.text[skip(source.text, span.end) :][:1] in ("}", "]")
    title = "remove `;`" if last else "write `,` for `;`"
    return Fix(title, (Edit(Span(span.end - 1, span.end), "" if last else ","),))


def numeral(d: Diagnostic, root: Node | None) -> Fix | None:
    """A number as JSON writes it: 0.5 for .5, 5.0 for 5., 5 for +5, 1000 for 1_000."""
    _, span, text = place(d)
    found = text
    for pattern, put in _NUMERALS:
        found = pattern.sub(put, found)
    return Fix(f"write {found}", (Edit(span, found),)) if found != text and NUMBER.fullmatch(found) else None


def shortest(d: Diagnostic, root: Node | None) -> Fix | None:
    """The shortest spelling of the same 64-bit number; None for integers, which would become something else."""
    _, span, text = place(d)
    if not any(c in text for c in ".eE"):
        return None
    put = repr(float(text))
    return Fix(f"write {put}", (Edit(span, put),)) if NUMBER.fullmatch(put) and len(put) < len(text) else None


def close_object(d: Diagnostic, root: Node | None) -> Fix | None:
    """A closing brace before the comma that stands in front of the next object of a list."""
    source, span, text = place(d)
    before = source.text[: span.start].rstrip()
    if text != "{" or not before.endswith(","):
        return None
    return Fix("close the object before", (Edit(Span(len(before) - 1, len(before)), " },"),), safe=False)


def close_all(d: Diagnostic, root: Node | None) -> Fix | None:
    """Every bracket that is open, closed at the end of the text; None where the text ends within a pair."""
    source, span, _ = place(d)
    need = str(d.facts["need"])
    if source.text[: span.start].rstrip()[-1:] in tuple(",:{["):
        return None
    return Fix(f"write `{need}` at the end", (Edit(Span(span.start, span.start), need),), safe=False)


def slashes(d: Diagnostic, root: Node | None) -> Fix | None:
    """`//` in place of `#`."""
    _, span, _ = place(d)
    return Fix("begin the comment with `//`", (Edit(Span(span.start, span.start + 1), "//"),))


def without_comment(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without a comment, and without its line where it has one to itself."""
    source, span, _ = place(d)
    text = source.text
    begin = text.rfind("\n", 0, span.start) + 1
    indent = text[begin : span.start]
    rest = re.compile(r"[ \t]*(?:\r?\n)?").match(text, span.end)
    ends = rest is not None and (rest[0].endswith("\n") or rest.end() == len(text))
    if rest is not None and ends and not indent.strip():
        return Fix("remove the comment", (Edit(Span(begin, rest.end()), ""),))
    start = span.start - len(indent) + len(indent.rstrip()) if ends else span.start
    return Fix("remove the comment", (Edit(Span(start, span.end), ""),))
