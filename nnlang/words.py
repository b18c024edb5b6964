"""What can be wrong with one word of a text by itself: its quotes, escapes, characters, digits, length."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lark import Token

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code
from nnlang.source import Span


@dataclass(frozen=True)
class Fault:
    """One fault of one word."""

    code: Code
    span: Span
    facts: dict[str, object] = field(default_factory=dict)
    help: str | None = None


def span_of(token: Token) -> Span:
    """The characters of a token."""
    start = token.start_pos or 0
    return Span(start, start + len(token))


def fault_of(token: Token, longest_string: int, longest_number: int, text: str) -> Fault | None:
    """What is wrong with this token in itself, whatever stands around it; None when it is sound.

    `text` is where it stands, for numbers that a comma cuts in two.
    """
    match token.type:
        case "STRING":
            return _string(token, longest_string)
        case "NUMBER":
            return _number(token, longest_number)
        case "BAD_STRING":
            return _bad_string(token)
        case "BAD_WORD":
            return _cut_number(token, text) or _bad_word(token)
    return None


_DIGITS = re.compile(r"[0-9]+(?:[eE][+-]?[0-9]+)?")
_BEFORE = re.compile(r"(?<![\w.,+-])[+-]?[0-9]+,\Z")
_BEHIND = re.compile(r"(?:,[0-9]+)*")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")


def _cut_number(token: Token, text: str) -> Fault | None:
    """`0,5` or `1,024`, where a name should follow the comma."""
    start = token.start_pos or 0
    before = _BEFORE.search(text, max(0, start - 40), start) if _DIGITS.fullmatch(token) else None
    behind = _BEHIND.match(text, start + len(token), start + 40) if before else None
    if before is None or behind is None:
        return None
    word = before[0] + str(token) + behind[0]
    facts: dict[str, object] = {"word": word}
    help = "write a point before decimals, and no separators of thousands"
    if _THOUSANDS.fullmatch(word):
        facts["instead"] = word.replace(",", "")
        help = f"write `{facts['instead']}`, without separators of thousands"
    elif not behind[0]:
        facts["instead"] = word.replace(",", ".")
        help = f"write `{facts['instead']}`, with a decimal point"
    return Fault(codes.BAD_NUMBER, Span(before.start(), start + len(word) - len(before[0])), facts, help)


# Half of a pair, raw or escaped, that has no other half beside it.
_LONE = re.compile(
    r"[\ud800-\udfff]"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_PAIRED_BACKSLASHES = re.compile(r"\\\\")


def _string(token: Token, longest: int) -> Fault | None:
    if len(token) - 2 > longest:
        return Fault(codes.STRING_TOO_LONG, span_of(token), {"length": len(token) - 2, "limit": longest})
    if token.isascii() and "\\u" not in token:
        return None
    # An escaped backslash before a u is no escape of a character; two other characters keep the offsets.
    lone = _LONE.search(_PAIRED_BACKSLASHES.sub("..", token))
    if lone is None:
        return None
    start = (token.start_pos or 0) + lone.start()
    written = lone[0] if lone[0].startswith("\\") else f"\\u{ord(lone[0]):04x}"
    return Fault(codes.LONE_SURROGATE, Span(start, start + len(lone[0])), {"character": written})


def _number(token: Token, longest: int) -> Fault | None:
    if len(token) > longest:
        return Fault(codes.NUMBER_TOO_LONG, span_of(token), {"length": len(token), "limit": longest})
    value = float(token)
    if math.isinf(value):
        return Fault(codes.NUMBER_RANGE, span_of(token), {"word": token, "size": "large"})
    if value == 0 and re.search("[1-9]", re.split("[eE]", token)[0]):
        return Fault(codes.NUMBER_RANGE, span_of(token), {"word": token, "size": "small"})
    return None


_ESCAPES = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_BAD_ESCAPE = re.compile(r"\\(?:u[^\"\\]{0,4}|.)?")
_CONTROL = re.compile(r"[\x00-\x1f]")


def _bad_string(token: Token) -> Fault:
    span = span_of(token)
    if len(token) < 2 or token[-1] != token[0]:
        return Fault(codes.UNCLOSED_STRING, span)
    if token[0] == "'":
        return Fault(codes.WRONG_QUOTES, span, {"text": token[1:-1]})
    if control := _CONTROL.search(token):
        start = span.start + control.start()
        character = f"U+{ord(control[0]):04X}"
        return Fault(codes.CONTROL_CHARACTER, Span(start, start + 1), {"character": character})
    escape = _BAD_ESCAPE.search(_ESCAPES.sub(lambda m: "." * len(m[0]), token))
    start, end = escape.span() if escape else (0, len(token))
    return Fault(codes.BAD_ESCAPE, Span(span.start + start, span.start + end), {"escape": token[start:end]})


_LITERALS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_NULLS = {"null", "none", "nil", "undefined"}
_INFINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMERIC = re.compile(r"[+-]?\.?[0-9]|[+-]$")

# A sound value is a bad word where only a name may stand. The first row that knows the word explains it.
_EXPLANATIONS: tuple[tuple[Callable[[str], object], Code, Callable[[str], str | None]], ...] = (
    (_SCALAR.fullmatch, codes.NAME_EXPECTED, lambda w: "names stand in double quotes"),
    (lambda w: w.lower() in _LITERALS, codes.BAD_WORD, lambda w: f"write `{_LITERALS[w.lower()]}`"),
    (lambda w: w.lower() in _NULLS, codes.BAD_WORD, lambda w: "leave the name out to take its default"),
    (lambda w: len(w) > 1 and w.endswith(";"), codes.BAD_WORD, lambda w: "separate with commas"),
    (_INFINITE.fullmatch, codes.NOT_FINITE, lambda w: None),
    (_NUMERIC.match, codes.BAD_NUMBER, lambda w: None),
    (lambda w: w[0] in "“”„‟‘’‚`", codes.BAD_WORD, lambda w: 'use plain double quotes: "'),
    (lambda w: w in ("=", ":=", "=>"), codes.BAD_WORD, lambda w: "write a colon between a name and its value"),
    (lambda w: w == ";", codes.BAD_WORD, lambda w: "separate with commas"),
    (lambda w: w.strip(".…") == "", codes.BAD_WORD, lambda w: "write out what the dots stand for, or remove them"),
)


def _bad_word(token: Token) -> Fault:
    word = str(token)
    code, advise = next(((c, a) for knows, c, a in _EXPLANATIONS if knows(word)), (codes.BAD_WORD, lambda w: None))
    shown = word if len(word) <= 40 else word[:37] + "..."
    return Fault(code, span_of(token), {"word": shown, "found": f"`{shown}`"}, advise(word))
