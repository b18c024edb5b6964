"""The quick reader: a sound text to its tree in one pass over its words; a text with anything odd is left alone.

Its words are the terminals of grammar/lndl.lark. What it gives, the careful reader (nnlang/parsing.py) gives too, in
four times the time and after some 70 ms in which its parser is built; that is what a lint of one file would take.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

from nnlang import grammar
from nnlang.source import Span
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

_SPACE = r"[ \t\r\n]*"
_OTHERS = ("NUMBER", "TRUE", "FALSE", "NULL", "COMMENT")
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")  # whether it stands alone takes a closer look
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COMMA_OR_END, _NOTHING = range(6)  # what may stand next


@cache
def _words() -> re.Pattern[str]:
    """One sound word of a text, whose terminals are those of the grammar."""
    others = "".join(f"|(?P<{name}>{grammar.terminal(name)})" for name in _OTHERS)
    return re.compile(
        rf"{_SPACE}(?:(?P<STRING>{grammar.terminal('STRING')})(?:{_SPACE}(?P<KEY>:))?|(?P<MARK>[{{}}\[\],]){others}"
        r"|(?P<END>\Z)|(?P<ODD>.))",
        re.DOTALL,
    )


def scan(text: str, limits: Limits) -> Document | None:
    """The tree and the comments of a sound text within the limits; None for any other."""
    if _SURROGATE.search(text):
        return None
    scanning = _Scan(limits)
    steps: dict[str, Callable[[re.Match[str]], bool]] = {
        "{": scanning.opened,
        "[": scanning.opened,
        "}": scanning.closed,
        "]": scanning.closed,
        ",": scanning.comma,
        "KEY": scanning.key,
        "STRING": scanning.string,
        "NUMBER": scanning.number,
        "TRUE": scanning.word,
        "FALSE": scanning.word,
        "NULL": scanning.word,
        "COMMENT": scanning.comment,
        "END": lambda _: True,
    }
    for found in _words().finditer(text):
        kind = found.lastgroup
        step = steps.get(found["MARK"] if kind == "MARK" else kind or "")
        if step is None or not step(found):
            return None
    return scanning.document()


class _Scan:
    """One call of `scan`: what is open, what may stand next. Each step is False where its word may not stand."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.want, self.tokens = _VALUE, 0
        self.open: list[tuple[str, int, list[Member], list[Node]]] = []  # each bracket, where it is, what it holds
        self.names: list[StringNode] = []  # whose values are being read
        self.comments: list[Comment] = []
        self.root: Node | None = None

    def document(self) -> Document | None:
        """The result, once the text has ended."""
        if self.root is None or self.want != _NOTHING or self.tokens > self.limits.tokens:
            return None
        return Document(self.root, tuple(self.comments))

    def comment(self, found: re.Match[str]) -> bool:
        self.comments.append(Comment(found["COMMENT"], Span(*found.span("COMMENT"))))
        return True

    def opened(self, found: re.Match[str]) -> bool:
        if self.want > _VALUE_OR_END or len(self.open) >= self.limits.depth:
            return False
        mark = found["MARK"]
        self.tokens += 1
        self.open.append((mark, found.start("MARK"), [], []))
        self.want = _KEY_OR_END if mark == "{" else _VALUE_OR_END
        return True

    def closed(self, found: re.Match[str]) -> bool:
        if not self.open:
            return False
        bracket, start, members, items = self.open.pop()
        is_object = bracket == "{"
        begun = _KEY_OR_END if is_object else _VALUE_OR_END
        if self.want not in (begun, _COMMA_OR_END) or is_object != (found["MARK"] == "}"):
            return False
        span = Span(start, found.end())
        self.want = _VALUE
        return self.value(ObjectNode(tuple(members), span) if is_object else ArrayNode(tuple(items), span))

    def comma(self, found: re.Match[str]) -> bool:
        if self.want != _COMMA_OR_END:
            return False
        self.tokens += 1
        self.want = _KEY if self.open[-1][0] == "{" else _VALUE
        return True

    def key(self, found: re.Match[str]) -> bool:
        name = self.text(found)
        if name is None or self.want not in (_KEY, _KEY_OR_END):
            return False
        self.tokens += 2  # the colon is one as well
        self.names.append(name)
        self.want = _VALUE
        return True

    def string(self, found: re.Match[str]) -> bool:
        return self.value(self.text(found))

    def text(self, found: re.Match[str]) -> StringNode | None:
        start, end = found.span("STRING")
        if end - start - 2 > self.limits.string:
            return None
        return StringNode(unescape(found["STRING"][1:-1]), Span(start, end))

    def number(self, found: re.Match[str]) -> bool:
        text = found["NUMBER"]
        if len(text) > min(self.limits.number, 300):  # more digits than a float may have
            return False
        worth = number(text)
        if isinstance(worth, float) and (math.isinf(worth) or (worth == 0 and _NOT_ZERO.match(text))):
            return False
        return self.value(NumberNode(worth, text, Span(*found.span("NUMBER"))))

    def word(self, found: re.Match[str]) -> bool:
        kind = found.lastgroup or ""
        span = Span(*found.span(kind))
        return self.value(NullNode(span) if kind == "NULL" else BoolNode(kind == "TRUE", span))

    def value(self, node: Node | None) -> bool:
        """A complete value, put where it belongs."""
        if node is None or self.want > _VALUE_OR_END:
            return False
        self.tokens += 1
        if not self.open:
            self.root, self.want = node, _NOTHING
            return True
        bracket, _, members, items = self.open[-1]
        if bracket == "{":
            members.append(Member(self.names.pop(), node))
        else:
            items.append(node)
        self.want = _COMMA_OR_END
        return True
