"""One layout for every text of the grammar: `format_text` lays a text out anew and loses neither value nor comment.

It knows the tree and the comments, never the meaning. First comments are attached to what they speak of (`_Item`,
`_Container`), then all is printed: on one line what fits into one and has no comment inside, else a line a member.

Suppressions (`// nnlang: ignore[NN502] reason`) speak of a line. So a line that one speaks of is never broken, and
no other is joined to it, however long and odd it looks: what was suppressed stays so.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nnlang.codes import syntax as codes
from nnlang.diagnostics import Place, Report
from nnlang.source import Source, Span
from nnlang.syntax import DEFAULTS, ArrayNode, Comment, Document, Limits, Member, Node, ObjectNode, read

WIDTH = 120  # columns, counted in characters
_STEP = "  "
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SUPPRESSION = re.compile(r"nnlang\s*:\s*ignore\s*\[")
_SPACE_AND_SIGNS = re.compile(r"[ \t\n,:]*")


def format_text(source: Source, report: Report, limits: Limits = DEFAULTS) -> str | None:
    """The text in the one layout; None, with the reasons reported, where it does not parse or would grow too large.

    Values, keys, their order and their spelling stay as they are, and so do comments; all lines end as the first one
    does, with CR LF or LF. A difference would be a bug of ours: it raises AssertionError.
    """
    plain, found = Source(source.name, _plain(source.text)), Report()
    document = read(plain, found, limits)
    if document.root is None and plain.text != source.text:
        read(source, report, limits)  # for the places in the text as it is
        return None
    if document.root is None:
        report.diagnostics += found.diagnostics
        return None
    end, source = _line_end(source.text), plain
    before, text = _gist(document, source.text), _laid_out(source, document.root, document.comments)
    if text == source.text:
        return text.replace("\n", end)
    if len(text.encode("utf-8", "surrogatepass")) + text.count("\n") * (len(end) - 1) > limits.size:
        words = "one member a line would make it so; split the definition, or leave its layout as it is"
        report(codes.TOO_LARGE, Place(source.name), limit=limits.size, help=words)
        return None
    del document  # one large tree at a time
    if before != _gist(read(Source(source.name, text), Report(), limits), text):
        raise AssertionError(f"formatting {source.name} would change what it says")
    return text.replace("\n", end)


def _plain(text: str) -> str:
    """The text with a space for its byte order mark, its lines ended by line feeds. No string holds a raw line end."""
    text = " " + text[1:] if text.startswith("\ufeff") else text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line_end(text: str) -> str:
    """How the first line ends, of the two ways in which lines are written."""
    return "\r\n" if text.partition("\n")[0].endswith("\r") and "\n" in text else "\n"


def _gist(document: Document, text: str) -> tuple[list[str], list[str]]:
    """What formatting must leave alone: the words and brackets of the tree as they are written, and the comments."""
    words = list(_words(document.root, text)) if document.root is not None else []
    return words, [_trimmed(comment) for comment in document.comments]


def _words(node: Node, text: str) -> Iterator[str]:
    if isinstance(node, ObjectNode):
        yield "{"
        for member in node.members:
            yield _slice(text, member.name.span) + ":"
            yield from _words(member.value, text)
        yield "}"
    elif isinstance(node, ArrayNode):
        yield "["
        for item in node.items:
            yield from _words(item, text)
        yield "]"
    else:
        yield _slice(text, node.span)


def _slice(text: str, span: Span) -> str:
    return text[span.start : span.end]


def _trimmed(comment: Comment) -> str:
    return comment.text.rstrip() if comment.text.startswith("//") else comment.text


class _Note(NamedTuple):
    """A comment, with what stands before it: line feeds (0, 1, or 2 for a blank line), perhaps the comma or colon."""

    text: str
    start: int
    feeds: int
    late: bool

    @property
    def ends_line(self) -> bool:
        return self.text.startswith("//")

    @property
    def keeps_line(self) -> bool:
        """Whether it stands on a line of its own for a reason: it has no end but the line's, or speaks of the next."""
        return self.feeds > 0 and (self.ends_line or _SUPPRESSION.search(self.text) is not None)


_Notes = Sequence[_Note]


class _Container(NamedTuple):
    """An object or a list with its comments; `flat` is its text on one line, None where it must not stand on one."""

    brackets: str
    opening: _Notes  # behind the opening bracket, on its line
    items: Sequence[_Item]
    closing: _Notes  # on lines of their own before the closing bracket; in an empty container perhaps on its line
    closes_line: bool  # the closing bracket stays on the line of what stands before it
    flat: str | None


class _Item(NamedTuple):
    """A member of an object, an item of a list or the root, with its comments."""

    before: _Notes
    feeds: int  # between the last of these and the item
    same_line: bool  # it stays on the line of what stands before it
    key: str  # empty where there is none
    early: _Notes  # between key and colon
    inside: _Notes  # between colon and value
    lines_stay: bool  # what stands on a line of its own between key and value stays there, the value too
    value_feeds: int  # before the value
    value: str | _Container
    after: _Notes  # on the line on which the item ends


@dataclass(frozen=True)
class _Reading:
    """A text with its comments, found by their offsets, and the lines of which suppressions speak."""

    source: Source
    comments: tuple[Comment, ...]
    starts: tuple[int, ...]
    kept: tuple[int, ...]

    def touches(self, start: int, end: int) -> bool:
        """Whether a suppression speaks of a line between two offsets."""
        if not self.kept:
            return False
        place = bisect_left(self.kept, self.source.position(start)[0])
        return place < len(self.kept) and self.kept[place] <= self.source.position(end)[0]

    def keeps(self, feeds: int, offset: int) -> bool:
        """Whether what stands at an offset, `feeds` line feeds behind what is before it, must stay beside that."""
        return feeds == 0 and self.touches(offset, offset)


def _reading(source: Source, comments: tuple[Comment, ...]) -> _Reading:
    kept = tuple(sorted(set(_spoken_of(source, comments))))
    return _Reading(source, comments, tuple(c.span.start for c in comments), kept)


def _spoken_of(source: Source, comments: Sequence[Comment]) -> Iterator[int]:
    """The lines that suppressions speak of: their own where something stands before them, else that of what follows.

    Commas and colons count for nothing here: they will not stand at the begin of a line any more.
    """
    following = behind = len(source.text)
    for comment in reversed(comments):
        after = _SPACE_AND_SIGNS.match(source.text, comment.span.end)
        end = after.end() if after else comment.span.end
        following, behind = following if end == behind else end, comment.span.start
        if _SUPPRESSION.search(comment.text):
            yield source.position(following if _begins_line(source.text, behind) else behind)[0]


def _begins_line(text: str, offset: int) -> bool:
    while offset and text[offset - 1] in " \t,:":
        offset -= 1
    return offset == 0 or text[offset - 1] == "\n"


def _gap(reading: _Reading, start: int, end: int, mark: str = "", late: bool = False) -> tuple[_Notes, int]:
    """The comments between two offsets, and the line feeds before the second; `mark` is the sign that stands there."""
    text, position = reading.source.text, start
    first, last = bisect_left(reading.starts, start), bisect_left(reading.starts, end)
    if first == last:
        return (), _feeds(text[start:end])
    notes = []
    for comment in reading.comments[first:last]:
        space = text[position : comment.span.start]
        late = late or (mark != "" and mark in space)
        notes.append(_Note(_trimmed(comment), comment.span.start, _feeds(space), late))
        position = comment.span.end
    return notes, _feeds(text[position:end])


def _feeds(space: str) -> int:
    if "\n" not in space:
        return 0
    return 2 if _BLANK_LINE.search(space) else 1


def _split(notes: _Notes, feeds: int) -> tuple[_Notes, _Notes]:
    """The comments of what stands before a gap (those on its line), and of what stands behind it."""
    if not notes:
        return (), ()
    own_line = next((i for i, note in enumerate(notes) if note.feeds), len(notes))
    if own_line < len(notes) or feeds:
        return notes[:own_line], notes[own_line:]
    return [n for n in notes if not n.late], [n for n in notes if n.late]  # all is on one line: the comma decides


def _value(reading: _Reading, node: Node) -> str | _Container:
    if isinstance(node, ObjectNode):
        return _container(reading, node, node.members, "{}")
    if isinstance(node, ArrayNode):
        return _container(reading, node, node.items, "[]")
    return _slice(reading.source.text, node.span)


def _container(reading: _Reading, node: Node, children: Sequence[Member | Node], brackets: str) -> _Container:
    start, end = node.span.start + 1, node.span.end - 1
    spans = [child.span for child in children]
    notes, feeds = _gap(reading, start, spans[0].start if spans else end, late=True)
    opening, before = _split(notes, feeds)
    items = []
    for number, (child, span) in enumerate(zip(children, spans, strict=True)):
        same_line = reading.keeps(*((before[0].feeds, before[0].start) if before else (feeds, span.start)))
        following = spans[number + 1].start if number + 1 < len(spans) else end
        notes, next_feeds = _gap(reading, span.end, following, ",")
        after, next_before = _split(notes, next_feeds)
        items.append(_item(reading, child, (before, after), feeds, same_line))
        before, feeds = next_before, next_feeds
    closes_line = reading.keeps(feeds, end)
    can_be_flat = not opening and not before and not reading.touches(node.span.start, end)
    flat = _flat(brackets, items) if can_be_flat else None
    return _Container(brackets, opening, items, before, closes_line, flat)


def _item(reading: _Reading, child: Member | Node, notes: tuple[_Notes, _Notes], feeds: int, same_line: bool) -> _Item:
    before, after = notes
    if not isinstance(child, Member):
        return _Item(before, feeds, same_line, "", (), (), False, 0, _value(reading, child), after)
    name, start = child.name.span, child.value.span.start
    key, value = _slice(reading.source.text, name), _value(reading, child.value)
    around, value_feeds = _gap(reading, name.end, start, ":")
    # Where suppressions speak of both lines, that of the key and that of the value, they must not become one.
    both = reading.touches(name.start, name.start) and reading.touches(start, start)
    lines_stay = both and (value_feeds > 0 or any(note.feeds for note in around))
    joins = not lines_stay and not any(note.ends_line for note in around)
    if isinstance(value, _Container) and value.items and joins and reading.touches(name.start, start):
        value = value._replace(flat=None)
    # A comment to the end of the line would take the colon with it: from there on all stand behind the colon.
    late = (i for i, n in enumerate(around) if n.late or n.ends_line or n.keeps_line or (lines_stay and n.feeds))
    early = next(late, len(around)) if around else 0
    inside = around[early:]
    return _Item(before, feeds, same_line, key, around[:early], inside, lines_stay, value_feeds, value, after)


_PADDING = {"{}": " ", "[]": ""}


def _flat(brackets: str, items: Sequence[_Item]) -> str | None:
    """The items on one line; None with comments or objects of a list among them, or where no line is that long."""
    parts = []
    for item in items:
        text = item.value if isinstance(item.value, str) else item.value.flat
        if text is None or item.before or item.early or item.inside or item.after:
            return None
        if brackets == "[]" and text.startswith("{"):
            return None
        parts.append(f"{item.key}: {text}" if item.key else text)
    padding = _PADDING[brackets] if items else ""
    text = brackets[0] + padding + ", ".join(parts) + padding + brackets[1]
    return text if len(text) <= WIDTH else None


def _laid_out(source: Source, root: Node, comments: tuple[Comment, ...]) -> str:
    reading = _reading(source, comments)
    before, feeds = _gap(reading, 0, root.span.start)
    after, closing = _split(*_gap(reading, root.span.end, len(source.text)))
    value = _value(reading, root)
    if isinstance(value, _Container) and value.brackets == "{}" and value.items:
        value = value._replace(flat=None)
    text = _item_text(_Item(before, feeds, False, "", (), (), False, 0, value, after), 0, "")
    return text + "".join(_separator(note.feeds, "") + note.text for note in closing) + "\n"


def _separator(feeds: int, padding: str) -> str:
    """What stands before a comment or an item that `feeds` line feeds kept from what is before it."""
    return "\n" * feeds + padding if feeds else " "


def _item_text(item: _Item, depth: int, comma: str) -> str:
    """One item with its comments and the comma, without the indentation of its first line."""
    padding = _STEP * depth
    text = "".join(
        note.text + _separator(feeds, padding)
        for note, feeds in zip(item.before, [*(n.feeds for n in item.before[1:]), item.feeds], strict=False)
    )
    if item.key:
        text += item.key + "".join(" " + note.text for note in item.early) + ":"
        inside, is_deeper = _inside(item, padding + _STEP)
        text += inside
        depth += is_deeper
    inner = "".join(" " + note.text for note in item.after if not note.late and not note.ends_line)
    outer = "".join(" " + note.text for note in item.after if note.late or note.ends_line)
    ends = inner + comma
    column = len(padding) + len(text) if "\n" not in text else len(text) - text.rindex("\n") - 1
    return text + _value_text(item.value, depth, column + len(ends)) + ends + outer


def _inside(item: _Item, padding: str) -> tuple[str, bool]:
    """What stands between colon and value, a space or comments on as many lines as they need; and whether on more."""
    text, ended, broken = "", False, item.lines_stay
    for note in item.inside:
        broken = broken or ended or note.keeps_line
        text += ("\n" + padding if ended or (broken and note.feeds) else " ") + note.text
        ended = note.ends_line
    ended = ended or (item.lines_stay and item.value_feeds > 0)
    return text + ("\n" + padding if ended else " "), broken or ended


def _value_text(value: str | _Container, depth: int, width: int) -> str:
    """A value, on one line where it fits beside the `width` columns that others take of the line."""
    if isinstance(value, str):
        return value
    if value.flat is not None and width + len(value.flat) <= WIDTH:
        return value.flat
    opening, closing = value.brackets[0], value.brackets[1]
    if not value.items and not value.opening and value.closing and value.closing[0].feeds == 0:
        return opening + "".join(f" {note.text}" for note in value.closing) + " " + closing
    padding = "\n" + _STEP * depth
    texts = [opening, *(" " + note.text for note in value.opening)]
    for number, item in enumerate(value.items):
        texts.append(_before_item(item, number, value.brackets, padding + _STEP))
        texts.append(_item_text(item, depth + 1, "," if number + 1 < len(value.items) else ""))
    for number, note in enumerate(value.closing):
        feeds = note.feeds if number or value.items else 1
        texts.append(_separator(feeds, _STEP * (depth + 1)) + note.text)
    beside = " " if value.closing or value.opening else _PADDING[value.brackets] * bool(value.items)
    texts.append(beside if value.closes_line else padding)
    return "".join(texts) + closing


def _before_item(item: _Item, number: int, brackets: str, padding: str) -> str:
    """What separates an item from the bracket or item before it."""
    if item.same_line:
        return " " if number else _PADDING[brackets]
    feeds = item.before[0].feeds if item.before else item.feeds
    return "\n" + padding if number and feeds == 2 else padding
