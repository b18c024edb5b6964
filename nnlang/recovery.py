"""How to go on after a word that the grammar does not expect: what to say, and what to feed the parser instead."""

from __future__ import annotations

from dataclasses import dataclass, field

from lark import Token

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code
from nnlang.source import Source, Span
from nnlang.words import span_of


@dataclass(frozen=True)
class Repair:
    """One finding about the structure, and the tokens that put the parser back on its way."""

    code: Code
    span: Span
    feed: tuple[Token, ...] = ()
    facts: dict[str, object] = field(default_factory=dict)
    about_brackets: bool = False
    misplaced: bool = False  # the word would be right inside another kind of bracket
    give_up: bool = False


_STAND_INS = (";", ")")  # words that stand where a comma or a closing bracket should
_CLOSER = {"LBRACE": "}", "LBRACKET": "]"}
_TYPES = {"}": "RBRACE", "]": "RBRACKET"}
_PUNCTUATION = {"_COMMA": "a comma", "_COLON": "a colon", "RBRACE": "`}`", "RBRACKET": "`]`"}
_OPENING = {"LBRACE": "`{`", "LBRACKET": "`[`"}


def closers(opened: list[Token]) -> str:
    """The brackets that close everything that is open, innermost first."""
    return "".join(_CLOSER[token.type] for token in reversed(opened))


def repair(accepted: frozenset[str], token: Token, last: Token | None, opened: list[Token], source: Source) -> Repair:
    """What to do about `token` where the grammar accepts only `accepted`; `opened` are the brackets not yet closed."""
    if "$END" in accepted:
        return _after_the_root(token)
    if token.type == "_COMMA":
        return _comma(accepted, token, last)
    if token.type == "_COLON":
        # In a list a comma in its place lets the value behind it stand.
        feed = (Token.new_borrow_pos("_COMMA", ",", token),) if "_COMMA" in accepted else ()
        return Repair(codes.UNEXPECTED, span_of(token), feed, {"found": _PUNCTUATION[token.type]}, misplaced=True)
    if token.type in ("RBRACE", "RBRACKET"):
        return _closing(accepted, token, last, opened, source)
    return _value(accepted, token, last, opened, source)


def _after_the_root(token: Token) -> Repair:
    if token.type in ("RBRACE", "RBRACKET"):
        return Repair(codes.STRAY_BRACKET, span_of(token), facts={"found": str(token)}, about_brackets=True)
    return Repair(codes.TRAILING_TEXT, span_of(token), about_brackets=True, give_up=True)


def _comma(accepted: frozenset[str], token: Token, last: Token | None) -> Repair:
    if "_COLON" in accepted or (last is not None and last.type == "_COLON"):
        return Repair(codes.MISSING_VALUE, _after(last, token), (*_filling(accepted, token), token))
    return Repair(codes.SURPLUS_COMMA, span_of(token), facts={"side": "before"})


def _closing(accepted: frozenset[str], token: Token, last: Token | None, opened: list[Token], source: Source) -> Repair:
    if not opened:
        return Repair(codes.STRAY_BRACKET, span_of(token), facts={"found": str(token)}, about_brackets=True)
    expected = _CLOSER[opened[-1].type]
    filling = () if expected == token else _filling_to_close(accepted, token)
    if expected == token:
        if last is not None and last.type == "_COMMA":
            return Repair(codes.SURPLUS_COMMA, span_of(last), (*_filling(accepted, token), token), {"side": "after"})
        return Repair(codes.MISSING_VALUE, _after(last, token), (*_filling(accepted, token), token))
    at = "{}:{}".format(*source.position(opened[-1].start_pos or 0))
    facts: dict[str, object] = {"found": str(token), "opening": str(opened[-1]), "opened": at, "expected": expected}
    outer = any(_CLOSER[t.type] == token for t in opened)
    own = Token.new_borrow_pos(_TYPES[expected], expected, token)
    feed = (
        (*filling, own, token) if outer and len(opened) > 1 and _CLOSER[opened[-2].type] == token else (*filling, own)
    )
    return Repair(codes.WRONG_BRACKET, span_of(token), feed, facts, about_brackets=True)


def _value(accepted: frozenset[str], token: Token, last: Token | None, opened: list[Token], source: Source) -> Repair:
    if "_COLON" in accepted:
        # `"a" = 1`: the sign in the middle was reported as a word and stands for the colon.
        instead = token.type.startswith("BAD") and not any(c.isalnum() for c in token)
        colon = Token.new_borrow_pos("_COLON", ":", token)
        return Repair(codes.MISSING_COLON, _after(last, token), (colon,) if instead else (colon, token))
    in_object = bool(opened) and opened[-1].type == "LBRACE"
    name = token.type in ("STRING", "BAD_STRING", "BAD_WORD")
    if "_COMMA" in accepted:
        comma = Token.new_borrow_pos("_COMMA", ",", token)
        if token in _STAND_INS:  # reported as a word; stands for a sign
            closer = _CLOSER[opened[-1].type]
            sign = comma if token == ";" else Token.new_borrow_pos(_TYPES[closer], closer, token)
            return Repair(codes.MISSING_COMMA, _after(last, token), (sign,))
        feed = (comma, token) if name or not in_object else (comma, *_unnamed(token))
        return Repair(codes.MISSING_COMMA, _after(last, token), feed)
    found = _OPENING.get(token.type, f"`{token}`" if len(token) <= 40 else "a long word")
    at = "{}:{}".format(*source.position(opened[-1].start_pos or 0)) if opened else "its start"
    listed = token.type == "LBRACE" and len(opened) > 1 and opened[-2].type == "LBRACKET"
    feed = (*_closed(token), token) if listed and last is not None and last.type == "_COMMA" else _unnamed(token)
    return Repair(codes.NAME_EXPECTED, span_of(token), feed, {"found": found, "opened": at}, misplaced=True)


def _closed(token: Token) -> tuple[Token, ...]:
    """The end of an object of a list that was left open before the next one begins."""
    colon, comma = Token.new_borrow_pos("_COLON", ":", token), Token.new_borrow_pos("_COMMA", ",", token)
    return _placeholder(token), colon, _placeholder(token), Token.new_borrow_pos("RBRACE", "}", token), comma


def _unnamed(token: Token) -> tuple[Token, ...]:
    """A value where a name should stand: taken as the value of a name that is missing, or as the name itself."""
    if token.type in ("LBRACE", "LBRACKET"):
        return _placeholder(token), Token.new_borrow_pos("_COLON", ":", token), token
    return (_placeholder(token),)


def _filling(accepted: frozenset[str], token: Token) -> tuple[Token, ...]:
    """What is missing before a comma or a closing bracket can stand: a value, or a name, a colon and a value."""
    colon = Token.new_borrow_pos("_COLON", ":", token)
    if "_COLON" in accepted:
        return colon, _placeholder(token)
    if "LBRACE" in accepted:
        return (_placeholder(token),)
    return _placeholder(token), colon, _placeholder(token)


def _filling_to_close(accepted: frozenset[str], token: Token) -> tuple[Token, ...]:
    return () if accepted & {"RBRACE", "RBRACKET"} else _filling(accepted, token)


def _placeholder(token: Token) -> Token:
    return Token.new_borrow_pos("BAD_WORD", "", token)


def _after(last: Token | None, token: Token) -> Span:
    """The character behind the last token: where the missing sign belongs."""
    if last is None:
        return span_of(token)
    end = span_of(last).end
    return Span(end, end + 1)
