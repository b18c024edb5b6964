"""What stands at an offset of a text: the objects and lists around it, their tables, a key or a value, the word there.

What is open there follows from the text before the offset alone, so it is right while somebody types, whatever the rest
of the text has become through that. What else stands in these objects is looked up in the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nnlang import schema
from nnlang.editor.loose import Group, Tree, Word, following, grow
from nnlang.linting.check import is_job
from nnlang.schema import Key, Layers, Many, Record, Table
from nnlang.source import Span
from nnlang.sweeps.sweepfile import is_sweep
from nnlang.syntax import DEFAULTS

_REST_OF_STRING = re.compile(r'[^"\\\r\n,:{}\[\]]*"(?=[\s,:}\]/]|\Z)')
_REST_OF_WORD = re.compile(r"\w*")
_AFTER = {"value", "end", "item"}  # what a comma has to follow


@dataclass(frozen=True)
class Cursor:
    """An offset in a text. `groups` are the objects and lists around it, from the outermost, `tables` their tables."""

    groups: tuple[Group, ...]
    tables: tuple[Table | None, ...]
    role: Literal["key", "value"]
    key: str  # whose value stands here; in the role of a key, the key as far as it is written
    word: str  # what stands here as it is written, up to the offset; empty between words
    span: Span  # what a completion replaces
    listed: bool = False  # the value is one of a list
    missing: int | None = None  # where a comma is missing before it

    @property
    def table(self) -> Table | None:
        """The table of the innermost object."""
        return next((t for g, t in zip(self.groups[::-1], self.tables[::-1], strict=True) if g.is_object), None)

    @property
    def home(self) -> Group:
        """The innermost object, or the list at the root."""
        return next((g for g in reversed(self.groups) if g.is_object), self.groups[-1])

    @property
    def row(self) -> Key | None:
        """The row of the language's table that the key stands for."""
        return self.table.find(self.key) if self.table else None


def language(root: Group | None) -> Table:
    """The table of a text's outermost object."""
    keys = [pair.key.value for pair in root.pairs] if root else []
    if is_sweep(keys):
        return schema.SWEEP
    return schema.JOB if is_job(keys) else schema.DEFINITION


def cursor(tree: Tree, offset: int) -> Cursor | None:
    """What stands at an offset of a tree's text; None in a comment, outside all brackets, or between key and colon."""
    before = grow(tree.text[:offset])
    if not before.open or len(before.open) > DEFAULTS.depth or _in_comment(before, offset):
        return None
    groups = tuple(tree.groups.get(group.start, group) for group in before.open)
    found = tables(groups, language(tree.root))
    touching = before.end == offset and before.before in ("key", "value", "item") and before.last == before.before
    word = before.final if touching else None
    span = _replaced(tree, word, offset) if word else Span(offset, offset)
    inner = before.open[-1]
    if not inner.is_object:
        missing = before.end if before.before in _AFTER and not word else None
        return Cursor(groups, found, "value", inner.key, _written(word), span, True, missing)
    last = inner.pairs[-1] if inner.pairs else None
    if last is not None and (before.before == ":" or (word and before.before == "value")):
        return Cursor(groups, found, "value", last.key.value, _written(word), span)
    if before.before == "key" and not word:
        return None
    missing = before.end if before.before in _AFTER and not word else None
    if word is not None and len(inner.pairs) > 1 and not inner.pairs[-2].over:
        missing = _end(inner.pairs[-2].value)
    return Cursor(groups, found, "key", word.value if word else "", _written(word), span, missing=missing)


def _written(word: Word | None) -> str:
    return word.text if word else ""


def _end(part: Word | Group | None) -> int | None:
    """Where a value ends."""
    return part.span.end if part is not None else None


def _in_comment(before: Tree, offset: int) -> bool:
    """Whether the text before an offset ends inside a comment."""
    if not before.comments or before.comments[-1].end != offset or before.last != "comment":
        return False
    last = before.text[before.comments[-1].start :]
    return not (last.startswith("/*") and last.endswith("*/") and len(last) > 3)


def _replaced(tree: Tree, word: Word, offset: int) -> Span:
    """The whole of a word whose beginning stands before an offset, no more than what most likely belongs to it."""
    if word.closed and word.text[:1] in ('"', "'"):
        return word.span
    whole = word_at(tree, word.span.start)
    if whole is not None and whole.closed and following(tree.text, whole.span.end) in ("", ",", ":", "}", "]"):
        return whole.span
    rest = _REST_OF_STRING if word.text[:1] in ('"', "'") else _REST_OF_WORD
    found = rest.match(tree.text, offset) or _REST_OF_WORD.match(tree.text, offset)
    return Span(word.span.start, found.end() if found else offset)


def word_at(tree: Tree, start: int) -> Word | None:
    """The word that starts at an offset."""
    return next((word for word in words(tree.groups.values()) if word.span.start == start), None)


def word_over(tree: Tree, offset: int) -> Word | None:
    """The word that an offset is in, or at the end of."""
    return next((w for w in words(tree.groups.values()) if w.span.start <= offset <= w.span.end), None)


def words(groups: Iterable[Group]) -> Iterable[Word]:
    """Every word of some groups: keys, values, items."""
    for group in groups:
        for pair in group.pairs:
            yield pair.key
            if isinstance(pair.value, Word):
                yield pair.value
        yield from group.words()


def tables(groups: Sequence[Group], root: Table) -> tuple[Table | None, ...]:
    """The tables of groups that stand one in the other: an object's own, a list's that of the objects in it."""
    found: list[Table | None] = []
    free: Table | None = None  # of the objects under any key of the group before
    for group in groups:
        if not found:
            found.append(root if group.is_object else None)
        elif free is not None:
            found.append(free if group.is_object else None)
            free = None
        elif group.holder is not None and not group.holder.is_object:
            found.append(found[-1] if group.is_object else None)
        else:
            table = found[-1]
            row = table.find(group.key) if table else None
            found.append(inside(row, listed=not group.is_object) if row else None)
            free = row.type.inside if row and isinstance(row.type, schema.Tree) and group.is_object else None
    return tuple(found)


def inside(row: Key, *, listed: bool = False) -> Table | None:
    """The table of the objects that a key takes, alone or in a list."""
    match row.type:
        case Layers():
            return schema.LAYER
        case Record(table) if not listed:
            return table
        case Many(of=Record(table)):
            return table
    return None
