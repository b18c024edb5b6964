"""What a text took along from where it was copied: spaces of web pages, HTML, fences, line numbers, merge markers.

Each is told once, however often it occurs, and made harmless for the parser without moving a character: what is looked
for afterwards stands where it stood. The spans and texts of `Found.edits` are what mends all of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code
from nnlang.source import Span

Edits = tuple[tuple[Span, str], ...]


@dataclass(frozen=True)
class Found:
    """One cause: its words, where it shows first, what mends it everywhere, what the parser should read instead."""

    code: Code
    span: Span
    facts: dict[str, object]
    edits: Edits = ()
    instead: Edits = ()  # as long as what they stand for
    over: bool = False  # nothing can be read beside it


def found(text: str) -> list[Found]:
    """Everything of this kind in a text, in the order in which it has to be looked for."""
    all_of = []
    text = " " + text[1:] if text.startswith("\ufeff") else text
    for look in _LOOKS:
        one = look(text)
        if one is not None:
            all_of.append(one)
            text = cleaned(text, one.instead)
        if one is not None and one.over:
            break
    return all_of


def cleaned(text: str, instead: Edits) -> str:
    """The text with some characters in the place of as many others."""
    parts, end = [], 0
    for span, put in instead:
        parts += [text[end : span.start], put]
        end = span.end
    return "".join([*parts, text[end:]])


def edits_of(text: str, code: str) -> Edits:
    """What mends a text of everything of one code."""
    return next((one.edits for one in found(text) if one.code.code == code), ())


def _blank(text: str, span: Span) -> tuple[Span, str]:
    return span, re.sub(r"[^\r\n]", " ", text[span.start : span.end])


def _wide(text: str) -> Found | None:
    """UTF-16 without its mark: every other character is NUL."""
    half = len(text) // 2
    if half < 4 or max(text[::2].count("\0"), text[1::2].count("\0")) < 0.9 * half:
        return None
    edits = ((Span(0, len(text)), text.replace("\0", "")),)
    return Found(codes.WIDE_TEXT, Span(0, 1), {}, edits, over=True)


# Strings and comments may hold any of what is looked for.
_HELD = r'"(?:[^"\\\n]|\\[^\n])*"|//[^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|'
_SPACE = re.compile(_HELD + "(?P<x>[\0\x0b\x0c\x85\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]+)")


def _spaces(text: str) -> Found | None:
    """Characters that look like a space, or like nothing, and are no white space of JSON."""
    if text.isascii() and not any(c in text for c in "\0\x0b\x0c"):
        return None
    spans = [Span(*m.span()) for m in _SPACE.finditer(text) if m["x"] and m.start()]
    if not spans:
        return None
    edits = tuple((s, "".join(_plain(c) for c in text[s.start : s.end])) for s in spans)
    first = text[spans[0].start]
    count = sum(s.end - s.start for s in spans)
    name = unicodedata.name(first, "a control character").lower()
    facts = {"count": count, "character": f"U+{ord(first):04X}", "name": name}
    return Found(codes.STRANGE_SPACE, spans[0], facts, edits, tuple(_blank(text, s) for s in spans))


def _plain(character: str) -> str:
    """What a space of another kind is among the four of JSON; nothing for those without a width."""
    if character in "\x85\u2028\u2029":
        return "\n"
    return "" if unicodedata.category(character) in ("Cf", "Cc") else " "


_HTML = re.compile(
    _HELD + r"(?P<tag></?(?:div|pre|code|span|br|p|td|tr|table|tbody|li|ol|ul|html|body|b|i|em|strong)\b[^<>\n]*>)"
    r"|(?P<x>&(?:[a-z]{2,8}|\#[0-9]{2,5}|\#x[0-9a-fA-F]{2,4});)"
)


def _markup(text: str) -> Found | None:
    """The source of a web page: `&quot;` for a quote, tags."""
    if "&" not in text and "<" not in text:
        return None
    spans, edits, instead = [], [], []
    for m in _HTML.finditer(text):
        if not m["x"] and not m["tag"]:
            continue
        meant = "" if m["tag"] else html.unescape(m[0])
        put = '"' if meant in tuple('“”„‟"') else " " if meant == "\xa0" else meant
        spans.append(Span(*m.span()))
        edits.append((spans[-1], put))
        instead.append((spans[-1], put.ljust(len(m[0]))))
    if not spans:
        return None
    facts = {"word": text[spans[0].start : spans[0].end][:20], "count": len(spans)}
    return Found(codes.HTML_SOURCE, spans[0], facts, tuple(edits), tuple(instead))


_NUMBERED = re.compile(r"[ \t]*([0-9]{1,6})[:.|]?(?:[ \t]|(?=\r?$))")


def _numbered(text: str) -> Found | None:
    """The numbers of lines at their beginnings, as printed listings have them."""
    spans: list[Span] = []
    start, expected = 0, -1
    for line in text.split("\n"):
        m = _NUMBERED.match(line)
        if m is None and line.strip():
            return None
        if m is not None and expected not in (-1, int(m[1])):
            return None
        if m is not None:
            spans.append(Span(start, start + m.end()))
        expected = int(m[1]) + 1 if m else expected + (expected >= 0)
        start += len(line) + 1
    if len(spans) < 3:
        return None
    first = Span(spans[0].end - len(text[spans[0].start : spans[0].end].lstrip()), spans[0].end)
    edits = tuple((s, "") for s in spans)
    return Found(codes.LINE_NUMBERS, first, {"count": len(spans)}, edits, tuple(_blank(text, s) for s in spans))


_MARKER = re.compile(r"^(?:(<{7})|(\|{7})|(={7})|(>{7}))(?: [^\n]*|\r?)$", re.MULTILINE)


def _merge(text: str) -> Found | None:
    """What a merge left behind; the parser reads the first of the two texts."""
    if "<<<<<<<" not in text:
        return None
    instead: list[tuple[Span, str]] = []
    begin = -1  # of the text that is not read
    first: Span | None = None
    for m in _MARKER.finditer(text):
        first = first or (Span(*m.span()) if m[1] else None)
        begin = m.start() if begin < 0 else begin
        if m[1] or m[4]:
            instead.append(_blank(text, Span(begin, m.end())))
            begin = -1
    if first is None:
        return None
    return Found(codes.MERGE_MARKER, first, {"word": text[first.start : first.end][:20].rstrip()}, (), tuple(instead))


_HEAD = re.compile(
    r"(?:\s|//[^\n]*\n|\#[^\n]*\n|/\*(?:[^*]|\*(?!/))*+\*/)*+([^\s{}\[\]\"',:/#][^{}\[\]\"',:/#]{0,80})(?=[{\[])"
)
_TAIL = re.compile(r"[;)`\s]*\Z")


def _around(text: str) -> Found | None:
    """What stands before the first bracket, as in `config = {` or in a fence; and what belongs to it at the end."""
    head = _HEAD.match(text)
    begun = head is not None and (any(c.isalpha() for c in head[1]) or head[1].rstrip() in ("```", "(", "="))
    last = max(text.rfind("}"), text.rfind("]")) + 1
    tail = _TAIL.match(text, last) if last else None
    spans = [Span(*head.span(1))] if head is not None and begun else []
    if tail is not None and (begun or (set(tail[0]) & {";", "`"} and ")" not in tail[0])) and tail[0].strip():
        start = tail.start() + len(tail[0]) - len(tail[0].lstrip())
        spans.append(Span(start, tail.start() + len(tail[0].rstrip())))
    if not spans:
        return None
    shown = " ".join(text[spans[0].start : spans[0].end].split())
    word, what = ("a Markdown fence", "the fence") if "`" in shown else (f"`{shown}`", f"`{shown}`")
    facts: dict[str, object] = {"word": word, "what": what, "side": "before" if begun else "behind"}
    trimmed = Span(spans[0].start, spans[0].start + len(text[spans[0].start : spans[0].end].rstrip()))
    edits = tuple((s, "") for s in spans)
    return Found(codes.TEXT_AROUND, trimmed, facts, edits, tuple(_blank(text, s) for s in spans))


_LOOKS: tuple[Callable[[str], Found | None], ...] = (_wide, _spaces, _markup, _numbered, _merge, _around)
