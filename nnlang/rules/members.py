"""Where things stand in a text's tree, and edits that leave members and items out or put members in."""

from __future__ import annotations

import re
from bisect import bisect_right

from nnlang.rules.rule import Edit
from nnlang.source import Source, Span
from nnlang.syntax import ArrayNode, Member, Node, ObjectNode

_SPACE_OR_COMMENT = re.compile(r"(?:\s|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
_BLANKS = re.compile(r"[ \t]*")
_LINE_END = re.compile(r"[ \t]*(\r\n|\n|\r)")
_SPACE = re.compile(r"\s")
_BREAK = re.compile(r"\r\n|\n|\r")


def way(root: Node | None, span: Span) -> list[Node]:
    """The nodes that hold a span, from the root down to the smallest."""
    found: list[Node] = []
    node = root
    while node is not None and node.span.start <= span.start and span.end <= node.span.end:
        found.append(node)
        node = _child(node, span)
    return found


def _child(node: Node, span: Span) -> Node | None:
    if isinstance(node, ObjectNode):
        place = bisect_right(node.members, span.start, key=lambda m: m.name.span.start) - 1
        return node.members[place].value if place >= 0 else None
    if isinstance(node, ArrayNode):
        place = bisect_right(node.items, span.start, key=lambda item: item.span.start) - 1
        return node.items[place] if place >= 0 else None
    return None


def member_at(root: Node | None, span: Span) -> tuple[ObjectNode, Member] | None:
    """The object and the member whose name or value stands at a span."""
    for node in reversed(way(root, span)):
        if isinstance(node, ObjectNode):
            place = bisect_right(node.members, span.start, key=lambda m: m.name.span.start) - 1
            if place >= 0 and span in (node.members[place].name.span, node.members[place].value.span):
                return node, node.members[place]
    return None


def item_at(root: Node | None, span: Span) -> tuple[ArrayNode, int] | None:
    """The list and the place in it of the item that stands at a span."""
    for node in reversed(way(root, span)):
        if isinstance(node, ArrayNode):
            place = bisect_right(node.items, span.start, key=lambda item: item.span.start) - 1
            if place >= 0 and node.items[place].span == span:
                return node, place
    return None


def object_at(root: Node | None, span: Span) -> ObjectNode | None:
    """The smallest object around a span, or the one whose opening bracket it is."""
    return next((node for node in reversed(way(root, span)) if isinstance(node, ObjectNode)), None)


def comment_at(source: Source, root: Node | None, span: Span) -> Span | None:
    """The comment around a span; it is looked for only between the two signs of the text that it stands between."""
    if root is None:
        return None
    around = way(root, span)
    start = _gap(around[-1], span) if around else root.span.end if span.start >= root.span.end else 0
    for token in _STRING_OR_COMMENT.finditer(source.text, start):
        if token.end() >= span.end or token.start() > span.start:
            held = token.start() <= span.start and not token[0].startswith('"')
            return Span(token.start(), token.end()) if held else None
    return None


def _gap(node: Node, span: Span) -> int:
    """The end of the last name, value or item inside a node before a span that none of them holds."""
    parts = node.members if isinstance(node, ObjectNode) else node.items if isinstance(node, ArrayNode) else ()
    place = bisect_right(parts, span.start, key=lambda part: part.span.start)
    if not place:
        return node.span.start + 1
    last = parts[place - 1]
    return last.name.span.end if isinstance(last, Member) and last.span.end > span.start else last.span.end


def named(node: ObjectNode, *names: str) -> Member | None:
    """The member of an object that has one of some names (in small letters), in any letter case."""
    return next((m for m in node.members if m.name.value.lower() in names), None)


def beside(member: Member, text: str) -> Edit:
    """Puts one more member after one of an object."""
    return Edit(Span(member.value.span.end, member.value.span.end), f", {text}")


def without(source: Source, parts: list[Span], place: int) -> Edit:
    """Leaves out one of the parts of an object or a list, with the comma that parts nothing then.

    `parts` are the spans of all members or items. Comments stay, those inside the part too; a line that would be empty
    goes with it. Lines in the edit end with a line feed.
    """
    text, here = source.text, parts[place]
    after = skip(text, here.end)
    if text[after : after + 1] == ",":
        return _left_out(text, here.start, after + 1, _comments(text, here.start, after))
    if place == 0:
        return _left_out(text, here.start, here.end, _comments(text, here.start, here.end))
    comma = skip(text, parts[place - 1].end)
    before, inside = text[comma + 1 : here.start].rstrip(), _comments(text, here.start, here.end)
    between = [before] if before else []
    return _replaced(text, Span(comma, here.end), here, [*between, *inside], lead="" if before else " ")


def _left_out(text: str, start: int, end: int, kept: list[str]) -> Edit:
    """Leaves out the characters from start to end but for some comments, with the white space that then is too much."""
    if kept:
        return _replaced(text, Span(start, end), Span(start, end), kept)
    indent = _indent(text, start)
    line_end = _LINE_END.match(text, end)
    if line_end and indent is not None:
        return Edit(Span(start - len(indent), line_end.end()), "")
    if line_end:
        return Edit(Span(len(text[:start].rstrip(" \t")), end), "")
    return Edit(Span(start, _end(_BLANKS, text, end)), "")


def _replaced(text: str, span: Span, here: Span, comments: list[str], lead: str = "") -> Edit:
    """Comments in the place of a span; nothing that follows becomes a part of one that ends with its line.

    `here` is the part that is left out, whose line gives the indentation of new lines.
    """
    if not comments:
        return Edit(span, "")
    line_break = "\n" + (_indent(text, here.start) or "")
    ends = [_STRING_OR_COMMENT.findall(comment)[-1].startswith("//") for comment in comments]
    put = lead + "".join(c + (line_break if end else " ") for c, end in zip(comments[:-1], ends, strict=False))
    after = _end(_BLANKS, text, span.end) if ends[-1] else span.end
    enough = _BREAK if ends[-1] else _SPACE
    put += comments[-1] + ("" if enough.match(text, after) else line_break if ends[-1] else " ")
    return Edit(Span(span.start, after), put.replace("\r\n", "\n"))


def _indent(text: str, start: int) -> str | None:
    """The white space before a place, if it is all that its line has there."""
    before = text[max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1 : start]
    return before if not before.strip(" \t") else None


def _comments(text: str, start: int, end: int) -> list[str]:
    """The comments that begin between two places, neither of which is inside a string or a comment."""
    return [c for c in _STRING_OR_COMMENT.findall(text, start, end) if not c.startswith('"')]


def skip(text: str, start: int) -> int:
    """The next place that is neither space nor comment."""
    return _end(_SPACE_OR_COMMENT, text, start)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Where a match of a pattern that always matches ends."""
    found = pattern.match(text, start)
    return found.end() if found else start
