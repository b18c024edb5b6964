"""How slips of the text itself are mended (NN1): from the finding and the text around it, since there is no tree."""

from __future__ import annotations

import json
import re

from nnlang import pasted
from nnlang.codes import syntax as codes
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


def everywhere(d: Diagnostic, root: Node | None) -> Fix | None:
    """What a text took along, mended at all its places: the finding stands at the first."""
    source, _, _ = place(d)
    edits = tuple(Edit(span, text) for span, text in pasted.edits_of(source.text, d.code.code))
    return Fix(_EVERYWHERE[d.code.code], edits) if edits else None


_EVERYWHERE = {
    codes.WIDE_TEXT.code: "remove the NULs",
    codes.STRANGE_SPACE.code: "write plain spaces",
    codes.HTML_SOURCE.code: "write the characters themselves",
    codes.TEXT_AROUND.code: "remove what is no part of the definition",
    codes.LINE_NUMBERS.code: "remove the line numbers",
}


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
    if _torn(source, span):
        return None
    after = skip(source.text, span.start)
    safe = _is_name(source, after) or source.text[after : after + 1] == "{"
    return Fix("write `,` here", (Edit(Span(span.start, span.start), ","),), safe=safe)


def colon(d: Diagnostic, root: Node | None) -> Fix | None:
    """A colon behind a name; None where the next name follows already, so that the value is missing as well."""
    source, span, _ = place(d)
    if _torn(source, span) or _is_name(source, skip(source.text, span.start)):
        return None
    return Fix("write `:` here", (Edit(Span(span.start, span.start), ":"),))


def _torn(source: Source, span: Span) -> bool:
    """Whether a quote is missing on a line, so that names may be taken for what stands between them."""
    begin = source.text.rfind("\n", 0, span.start) + 1
    end = source.text.find("\n", span.start)
    return source.text.count('"', begin, end if end >= 0 else len(source.text)) % 2 == 1


def _is_name(source: Source, start: int) -> bool:
    """Whether a name with a colon behind it stands at a place."""
    found = _NAMED.match(source.text, start)
    return found is not None and source.text.startswith(":", skip(source.text, found.end()))


def close_string(d: Diagnostic, root: Node | None) -> Fix | None:
    """A closing quote at the end of the line, where nothing but a name stands between."""
    _, span, text = place(d)
    if "at" in d.facts:
        return quote(d, root)
    if not _UNCLOSED.fullmatch(text):
        return None
    return Fix("close the string", (Edit(Span(span.end, span.end), '"'),), safe=False)


def quote(d: Diagnostic, root: Node | None) -> Fix | None:
    """The quote that is lost."""
    at = int(str(d.facts["at"]))
    return Fix('write `"` here', (Edit(Span(at, at), '"'),), safe=False)


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
    if low in _EMPTY or not _IDENTIFIER.fullmatch(text) or _torn(source, span):
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
    if "instead" in d.facts:
        return Fix(f"write {d.facts['instead']}", (Edit(span, str(d.facts["instead"])),), safe=False)
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


def close_bracket(d: Diagnostic, root: Node | None) -> Fix | None:
    """What closes the brackets that are missing a partner, laid out as their opening is; with the comma behind it."""
    source, span, _ = place(d)
    need, opened = str(d.facts["put"]), int(str(d.facts["open"]))
    closers = need.rstrip(",")
    begin = source.text.rfind("\n", 0, opened) + 1
    if "\n" in source.text[opened : span.start]:
        indent = source.text[begin:opened][: len(source.text[begin:opened]) - len(source.text[begin:opened].lstrip())]
        gap = "\n" + indent
    else:
        gap = " " if source.text[opened + 1 : opened + 2] == " " else ""
    put = Edit(Span(span.start, span.start), gap + closers + need[len(closers) :])
    return Fix(f"write `{need}` here", (put,), safe=False)


def open_bracket(d: Diagnostic, root: Node | None) -> Fix | None:
    """The bracket that is missing before a value."""
    _, span, _ = place(d)
    sign = str(d.facts["expected"])
    if not d.facts["whole"]:  # what would close it is missing too
        return None
    edit = Edit(Span(span.start, span.start), "{ " if sign == "{" else sign)
    return Fix(f"write `{sign}` here", (edit,), safe=False)


def other_bracket(d: Diagnostic, root: Node | None) -> Fix | None:
    """The bracket that matches, where the rest of the text then does too."""
    sign = str(d.facts["expected"])
    return Fix(f"write `{sign}`", (Edit(place(d)[1], sign),), safe=False) if d.facts.get("swap") else None


def other_brackets(d: Diagnostic, root: Node | None) -> Fix | None:
    """Brackets of the other kind around what stands in them; the one at the end may be right as it is."""
    opener, closer, end = str(d.facts["expected"]), str(d.facts["closer"]), int(str(d.facts["to"]))
    edits = (Edit(place(d)[1], opener), *((Edit(Span(end, end + 1), closer),) if end >= 0 else ()))
    return Fix(f"write `{opener} {closer}`", edits, safe=False)


def late_bracket(d: Diagnostic, root: Node | None) -> Fix | None:
    """The end of a list behind what follows it, with the space in front of it."""
    source, span, text = place(d)
    end = int(str(d.facts["to"]))
    begin = len(source.text[: span.start].rstrip())
    gap = source.text[begin : span.start]
    if gap.strip() or comment_before(source.text, begin):
        begin, gap = span.start, ""
    return Fix(f"move `{text}`", (Edit(Span(begin, span.end), ""), Edit(Span(end, end), gap + text)), safe=False)


def comment_before(text: str, end: int) -> bool:
    """Whether a place may be in a comment of its line."""
    return "//" in text[text.rfind("\n", 0, end) + 1 : end]


def remove_surplus(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without the bracket, where it is one of two and only one is closed."""
    return remove_unsafely(d, root) if d.facts.get("surplus") else None


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
