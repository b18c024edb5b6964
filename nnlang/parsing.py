"""The careful reader: a text through the parser of the grammar, every slip reported with its repair.

`nnlang.syntax.read` comes here with the texts that `nnlang.scan` does not take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from nnlang import grammar, pasted
from nnlang.codes import syntax as codes
from nnlang.diagnostics import Code, Diagnostic, Report, at
from nnlang.quotes import lost
from nnlang.recovery import Mend, Repair, closers, planned, repair, signs
from nnlang.source import Source, Span
from nnlang.syntax import (
    ArrayNode,
    BoolNode,
    Comment,
    Document,
    Limits,
    Member,
    Node,
    NullNode,
    NumberNode,
    ObjectNode,
    StringNode,
    number,
    unescape,
)
from nnlang.words import fault_of, span_of


def read_with_care(source: Source, report: Report, limits: Limits) -> Document:
    """The tree, None if the text has errors, and the comments of a text; `report` gets every slip."""
    reading = _Reading(source, report, limits)
    reset = _READING.set(reading)
    try:
        root = reading.run()
    finally:
        _READING.reset(reset)
    return Document(None if reading.faulty else root, tuple(reading.comments))


class _Reading:
    """One call of `read`: what is open, what was counted, which lines have had their report."""

    def __init__(self, source: Source, report: Report, limits: Limits) -> None:
        self.source, self.report, self.limits = source, report, limits
        self.comments: list[Comment] = []
        self.open: list[Token] = []
        self.lines: set[int] = set()  # that have had a report
        self.tokens = self.repairs = 0
        self.faulty = False
        self.complete = False  # the root has ended
        self.misplaced: set[tuple[str, int | None]] = set()  # codes, with the bracket inside which they were reported
        self.plan: dict[int, Mend] = {}  # what to do about brackets, by the offsets of words
        self.brackets_lost = False  # after a wrong bracket, further findings about brackets would be guesses

    def run(self) -> Node | None:
        text = self.source.text
        if text.startswith("\ufeff"):
            self.report(codes.BYTE_ORDER_MARK, at(self.source, Span(0, 1)))
            text = " " + text[1:]
        text, over = self.cleaned(text)
        if over:
            return None
        parser = _parser().parse_interactive(text)
        self.plan = planned(self.source, text)
        last: Token | None = None
        for token in _tokens(parser):
            for word in self.mended(token):
                if self.complete:
                    self.mend(parser, word, last)
                    return None
                checked = self.checked(word)
                if checked is None or not self.feed(parser, checked, last):
                    return None
                last = word
        return self.end(parser, last)

    def cleaned(self, text: str) -> tuple[str, bool]:
        """The text without what it took along and with the quotes it lost, as long as before; whether to stop here."""
        over = False
        for one in pasted.found(text):
            self.fault(one.code, one.span, one.facts)
            text, over = pasted.cleaned(text, one.instead), one.over
        missing = [] if over else lost(text)
        for quote in missing:
            self.fault(quote.code, quote.span, quote.facts, 'write "{}"'.format(quote.facts["word"]))
        return pasted.cleaned(text, tuple((quote.line, quote.instead) for quote in missing)), over

    def mended(self, token: Token) -> list[Token]:
        """The token, with what is missing before it, or what stands in its place."""
        mend = self.plan.get(token.start_pos or 0)
        if mend is None:
            return [token]
        if not mend.silent:
            self.fault(mend.code, mend.span, mend.facts, mend.help)
        return [*signs(mend.feed, token), *(() if mend.drop else (token,))]

    def end(self, parser: InteractiveParser, last: Token | None) -> Node | None:
        if last is None:
            self.fault(codes.EMPTY_TEXT, Span(0, 0))
        elif self.open and not self.brackets_lost:
            self.unclosed(Span(span_of(last).end, span_of(last).end + 1))
        return None if self.faulty else parser.feed_eof(last)  # type: ignore[no-untyped-call]

    def unclosed(self, end: Span) -> None:
        opening, need = self.open[-1], closers(self.open)
        self.fault(codes.UNCLOSED_BRACKET, span_of(opening), {"opening": opening, "expected": need[0]})
        places = ", ".join(f"`{t}` at {self.position(t)}" for t in self.open[-4:])
        self.report(codes.TEXT_ENDS, at(self.source, end), open=places, need=need)

    def position(self, token: Token) -> str:
        return "{}:{}".format(*self.source.position(token.start_pos or 0))

    def checked(self, token: Token) -> Token | None:
        """The token, or a harmless one in its place when it has a fault of its own; None to stop at a limit."""
        self.tokens += 1
        if self.tokens > self.limits.tokens:
            self.error(codes.TOO_MANY_TOKENS, span_of(token), {"limit": self.limits.tokens})
            return None
        if token.type in ("LBRACE", "LBRACKET") and len(self.open) >= self.limits.depth:
            self.error(codes.TOO_DEEP, span_of(token), {"limit": self.limits.depth})
            return None
        fault = fault_of(token, self.limits.string, self.limits.number, self.source.text)
        if fault is None:
            return token
        self.fault(fault.code, fault.span, fault.facts, fault.help)
        return Token.new_borrow_pos("BAD_STRING", token, token)

    def feed(self, parser: InteractiveParser, token: Token, last: Token | None) -> bool:
        if len(self.lines) > self.limits.errors:
            self.report(codes.TOO_MANY_ERRORS, at(self.source, span_of(token)))
            return False
        try:
            parser.feed_token(token)
        except UnexpectedToken:
            return self.mend(parser, token, last)
        self.track(token)
        return True

    def track(self, token: Token) -> None:
        if token.type in ("LBRACE", "LBRACKET"):
            self.open.append(token)
        elif token.type in ("RBRACE", "RBRACKET"):
            self.open.pop()
        self.complete = not self.open

    def mend(self, parser: InteractiveParser, token: Token, last: Token | None) -> bool:
        self.repairs += 1
        if self.repairs > self.limits.repairs:
            self.report(codes.TOO_MANY_ERRORS, at(self.source, span_of(token)))
            return False
        accepted = frozenset(parser.accepts())  # type: ignore[no-untyped-call]
        plan = repair(accepted, token, last, self.open, self.source)
        # What a missing or surplus bracket makes of the text inside it looks wrong again and again.
        inside = (plan.code.code, self.open[-1].start_pos if self.open else None)
        if not (plan.about_brackets and self.brackets_lost) and not (plan.misplaced and inside in self.misplaced):
            self.fault(plan.code, plan.span, plan.facts)
        if plan.misplaced:
            self.misplaced.add(inside)
        self.brackets_lost = self.brackets_lost or plan.about_brackets or plan.misplaced
        return not plan.give_up and self.apply(parser, plan)

    def apply(self, parser: InteractiveParser, plan: Repair) -> bool:
        try:
            for token in plan.feed:
                parser.feed_token(token)
                self.track(token)
        except UnexpectedToken:
            return False
        return True

    def fault(self, code: Code, span: Span, facts: Mapping[str, object] | None = None, help: str | None = None) -> None:
        """Report, unless this line has had a report: one slip tends to look like several."""
        if len(self.lines) <= self.limits.errors and self.source.position(span.start)[0] not in self.lines:
            self.error(code, span, facts, help)
        self.faulty = True

    def error(self, code: Code, span: Span, facts: Mapping[str, object] | None = None, help: str | None = None) -> None:
        self.faulty = True
        self.lines.add(self.source.position(span.start)[0])
        self.report.diagnostics.append(Diagnostic(code, at(self.source, span), dict(facts or {}), help))


def _tokens(parser: InteractiveParser) -> Iterator[Token]:
    """Every token of the text, those included that the grammar does not expect where they stand."""
    while True:
        try:
            yield from parser.lexer_thread.lex(parser.parser_state)  # type: ignore[no-untyped-call]
            return
        except UnexpectedToken as error:
            yield error.token


# The parser is built once and holds no state; what the lexer's callbacks see goes to the reading that is under way in
# this thread or task.
_READING: ContextVar[_Reading] = ContextVar("_READING")


def _comment(token: Token) -> Token:
    _READING.get().comments.append(Comment(str(token), span_of(token)))
    return token


def _hash_comment(token: Token) -> Token:
    start = token.start_pos or 0
    _READING.get().fault(codes.HASH_COMMENT, Span(start, start + 1))
    return token


def _unclosed_comment(token: Token) -> Token:
    reading, start = _READING.get(), token.start_pos or 0
    reading.fault(codes.UNCLOSED_COMMENT, Span(start, start + 2))
    reading.brackets_lost = True  # whatever would close them is in the comment
    return token


@cache
def _parser() -> Lark:
    callbacks = {"COMMENT": _comment, "BAD_COMMENT": _unclosed_comment, "HASH_COMMENT": _hash_comment}
    return Lark(
        grammar.text(),
        parser="lalr",
        lexer="contextual",
        transformer=_Tree(),
        lexer_callbacks=callbacks,
        maybe_placeholders=False,
    )


class _Tree(Transformer[Token, Any]):
    """Builds the nodes while the text is parsed; a transformer of its own afterwards would recurse."""

    def start(self, children: list[Any]) -> Any:
        return children[0]

    def object(self, children: list[Any]) -> ObjectNode:
        return ObjectNode(tuple(children[1:-1]), span_of(children[0]).to(span_of(children[-1])))

    def array(self, children: list[Any]) -> ArrayNode:
        return ArrayNode(tuple(children[1:-1]), span_of(children[0]).to(span_of(children[-1])))

    def member(self, children: list[Any]) -> Member:
        return Member(children[0], children[1])

    def string(self, children: list[Token]) -> StringNode:
        return StringNode(unescape(children[0][1:-1]), span_of(children[0]))

    def number(self, children: list[Token]) -> NumberNode:
        return NumberNode(number(children[0]), str(children[0]), span_of(children[0]))

    def true(self, children: list[Token]) -> BoolNode:
        return BoolNode(True, span_of(children[0]))

    def false(self, children: list[Token]) -> BoolNode:
        return BoolNode(False, span_of(children[0]))

    def null(self, children: list[Token]) -> NullNode:
        return NullNode(span_of(children[0]))

    def bad(self, children: list[Token]) -> StringNode:
        return StringNode("", span_of(children[0]))
