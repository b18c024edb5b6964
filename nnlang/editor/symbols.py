"""The outline of a text: its keys, its layers with kind and size; and the parts of it that can be folded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnlang import schema
from nnlang.diagnostics import printable
from nnlang.editor.layers import sketches
from nnlang.editor.loose import Group, Pair, Tree, Word
from nnlang.source import Span

_NAME, _DETAIL = 128, 60  # characters
_DEPTH = 4  # objects in objects; a definition has two


@dataclass(frozen=True)
class Symbol:
    """One entry of an outline. `span` is all of it, `head` what is selected when people go there."""

    name: str
    detail: str
    kind: str  # "layer", "object", "list" or "value"
    span: Span
    head: Span
    children: tuple[Symbol, ...] = ()


def symbols(tree: Tree) -> tuple[Symbol, ...]:
    """The outline of a text: its top-level keys, the layers below theirs."""
    if tree.root is None:
        return ()
    layers = _layers(tree)
    found = []
    for pair in tree.root.pairs:
        row = schema.DEFINITION.find(pair.key.value)
        if symbol := _member(pair):
            is_list = row is not None and isinstance(row.type, schema.Layers)
            found.append(replace(symbol, children=layers) if is_list else symbol)
    return tuple(found)


def _layers(tree: Tree) -> tuple[Symbol, ...]:
    return tuple(
        Symbol(printable(layer.label[:_NAME]) or "?", layer.summary[:_DETAIL], "layer", layer.group.span, layer.head)
        for layer in sketches(tree)
    )


def _member(pair: Pair, depth: int = 1) -> Symbol | None:
    """A key with those inside its value; None while it has no name."""
    name, value = printable(pair.key.value[:_NAME]), pair.value
    if not name:
        return None
    if value is None or isinstance(value, Word):
        detail = printable(value.value)[:_DETAIL] if value else ""
        end = value.span.end if value else pair.key.span.end
        return Symbol(name, detail, "value", Span(pair.key.span.start, end), pair.key.span)
    kind, count = ("object", "") if value.is_object else ("list", str(len(value.items)))
    inside = tuple(filter(None, (_member(inner, depth + 1) for inner in value.pairs if depth < _DEPTH)))
    return Symbol(name, count, kind, Span(pair.key.span.start, value.end), pair.key.span, inside)


def folds(tree: Tree) -> Iterator[tuple[Span, str]]:
    """What can be folded, with its kind: objects and lists ("region"), comments ("comment")."""
    yield from ((group.span, "region") for group in tree.groups.values() if _is_long(tree, group))
    yield from ((span, "comment") for span in tree.comments if "\n" in tree.text[span.start : span.end])


def _is_long(tree: Tree, group: Group) -> bool:
    return group.closed and tree.text.find("\n", group.start, group.end) >= 0
