"""How to go on after a word that the grammar does not expect: what to say, and what to feed the parser instead.

`planned` looks at the whole text first, since a lost bracket shows up far behind its place; `repair` sees to the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from lark import Token

from nnlang import balance
from nnlang.balance import Edit, Open
from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code
from nnlang.marks import Word, words
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


@dataclass(frozen=True)
class Mend:
    """One finding about a bracket, made before the text is parsed: what the parser is fed before a word or for it."""

    code: Code
    span: Span
    facts: dict[str, object]
    feed: str = ""
    drop: bool = False
    silent: bool = False  # the other half of a finding that stands elsewhere
    help: str | None = None


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


def planned(source: Source, text: str) -> dict[int, Mend]:
    """What to mend about the brackets of a text that is not sound, by the offsets of words."""
    found = words(text)
    edits = balance.repairs(found)
    whole = all(e.what != "end" for e in edits)
    edits += _round(found, edits)
    if not edits:
        return {}
    tops = _tops(found, edits)
    plan: dict[int, Mend] = {}
    for edit in edits:
        top = tops.get(edit.at)
        if edit.kinds == ")":
            edit = edit._replace(kinds=CLOSERS[top.kind]) if top else edit._replace(what="drop", kinds="")
        for index, mend in _mends(source, found, edit, top):
            mend.facts["whole"] = whole
            plan[found[index].start if index < len(found) else len(text)] = mend
    return plan


def _round(found: list[Word], edits: list[Edit]) -> list[Edit]:
    """Round brackets that no edit touches, exchanged for those they stand for; two that belong together at once."""
    touched = {index for e in edits for index in (e.at, e.to)}
    made: list[Edit] = []
    for i, word in enumerate(found):
        if not word.round or i in touched:
            continue
        end = balance.matching(found, i) if word.kind != ")" else -1
        pair = end >= 0 and found[end].kind == ")" and end not in touched
        made.append(Edit("pair", i, word.kind, end) if pair else Edit("swap", i, word.kind))
        touched |= {end} if pair else set()
    return made


def _tops(found: list[Word], edits: list[Edit]) -> dict[int, Open | None]:
    """What is open at each edit when all edits are made."""
    patch = balance.patched(tuple(edits), found) or {}
    tops: dict[int, Open | None] = {}
    state, places = balance.START, sorted({0, len(found), *(e.at for e in edits)})
    for begin, end in pairwise(places):
        tops[begin] = state.top
        here = {index: kinds for index, kinds in patch.items() if begin <= index < end}
        state = balance.run(found[:end], begin, state, here).state
    return {**tops, len(found): state.top}


def _mends(source: Source, found: list[Word], edit: Edit, top: Open | None) -> Iterator[tuple[int, Mend]]:
    """The finding of one edit, and what is done at which words."""
    word = found[edit.at] if edit.at < len(found) else None
    opening = found[top.at] if top is not None and top.at < len(found) else None
    before = _shown(source, found, edit.at)
    facts: dict[str, object] = {"before": before, "expected": edit.kinds.rstrip(",")}
    if opening is not None:
        facts |= {"opening": source.text[opening.start : opening.end]}
        facts |= {"opened": "{}:{}".format(*source.position(opening.start)), "open": opening.start}
    match edit.what:
        case "close":
            end = found[edit.at - 1].end
            facts |= {"put": edit.kinds}
            yield edit.at, Mend(codes.MISSING_CLOSER, Span(end, end + 1), facts, edit.kinds)
        case "open" if word is not None:
            yield edit.at, Mend(codes.MISSING_OPENER, Span(word.start, word.end), facts, edit.kinds)
        case "drop" | "swap" | "pair" | "move" if word is not None:
            yield from _changed(source, found, edit, word, facts)


def _changed(
    source: Source, found: list[Word], edit: Edit, word: Word, facts: dict[str, object]
) -> Iterator[tuple[int, Mend]]:
    """A bracket that is left out, exchanged or moved."""
    span, sign = Span(word.start, word.end), source.text[word.start : word.end]
    facts |= {"found": sign}
    opens = sign in "{[("
    if edit.what == "move":
        there = _start(source, found, edit.to)
        facts |= {"before": _shown(source, found, edit.at + 2), "to": found[edit.to - 1].end}
        yield edit.at, Mend(codes.EARLY_BRACKET, span, facts, drop=True)
        yield edit.to, Mend(codes.EARLY_BRACKET, Span(there, there), {}, "]", silent=True)
    elif edit.what == "drop" and opens:
        facts |= {"opening": sign, "expected": CLOSERS[sign], "surplus": True}
        help = f"remove this `{sign}`, or close it with `{CLOSERS[sign]}`"
        yield edit.at, Mend(codes.UNCLOSED_BRACKET, span, facts, drop=True, help=help)
    elif edit.what == "drop":
        yield edit.at, Mend(codes.STRAY_BRACKET, span, facts, drop=True)
    elif not opens:
        facts |= {"swap": True}
        help = f"write `{edit.kinds}` for `{sign}`"
        yield edit.at, Mend(codes.WRONG_BRACKET, span, facts, edit.kinds, drop=True, help=help)
    else:
        closer = found[edit.to] if edit.what == "pair" else None
        facts |= {"what": _KINDS[edit.kinds], "closer": CLOSERS[edit.kinds], "to": closer.start if closer else -1}
        yield edit.at, Mend(codes.WRONG_OPENER, span, facts, edit.kinds, drop=True)
        if closer is not None:
            silent = Mend(codes.WRONG_OPENER, Span(closer.start, closer.end), {}, CLOSERS[edit.kinds], True, True)
            yield edit.to, silent


_KINDS = {"{": "an object, `{ }`", "[": "a list, `[ ]`"}
CLOSERS = {**balance.CLOSER, "(": ")"}


def _start(source: Source, found: list[Word], index: int) -> int:
    return found[index].start if index < len(found) else len(source.text)


def _shown(source: Source, found: list[Word], index: int) -> str:
    """The word before which something is missing, as messages call it; a comma's is the one behind it."""
    if index < len(found) - 1 and found[index].kind == ",":
        index += 1
    if index >= len(found):
        return "the end"
    text = source.text[found[index].start : found[index].end]
    if text in ("{", "["):
        return "the `{}` at {}:{}".format(text, *source.position(found[index].start))
    return f"`{text}`" if len(text) <= 40 else "a long word"


def signs(kinds: str, borrowed: Token) -> list[Token]:
    """Signs as the parser takes them, at the place of a token."""
    return [Token.new_borrow_pos(_SIGNS[kind], kind, borrowed) for kind in kinds]


_SIGNS = {"{": "LBRACE", "}": "RBRACE", "[": "LBRACKET", "]": "RBRACKET", ",": "_COMMA"}
