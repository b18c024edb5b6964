"""Axes inside a definition: `"N": { "$sweep": [128, 256] }` varies N where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from nnlang.schema import fold
from nnlang.source import Source, Span
from nnlang.sweeps.axes import Raw, plain
from nnlang.syntax import ArrayNode, Member, Node, NullNode, NumberNode, ObjectNode, StringNode

WORD = "$sweep"


def without_axes(node: Node, source: Source) -> tuple[Node, list[Raw]]:
    """A tree without its `$sweep` objects, the first or middle value of each in its place, and these as axes.

    In a list that is the first value that is something: null would move what stands behind it.
    """
    raws: list[Raw] = []
    return _without(node, source, "", raws), raws


def _without(node: Node, source: Source, path: str, raws: list[Raw], *, listed: bool = False) -> Node:
    match node:
        case ObjectNode(members=(Member(name=StringNode(value=word), value=inner),)) if word == WORD:
            raws.append(Raw(path, node.span, inner, source))
            return _stand_in(inner, node.span, listed)
        case ObjectNode(members, span):
            joined = [(m, f"{path}.{m.name.value}" if path else m.name.value) for m in members]
            made = [(m, _without(m.value, source, p, raws)) for m, p in joined]
            there = [(m, v) for m, v in made if not isinstance(v, NullNode) or isinstance(m.value, NullNode)]
            return ObjectNode(tuple(Member(m.name, v) for m, v in there), span)
        case ArrayNode(items, span):
            named = [(item, f"{path}.{_label(item, n)}") for n, item in enumerate(items)]
            kept = [_without(item, source, p, raws, listed=True) for item, p in named]
            return replace(node, items=tuple(kept))
    return node


def _label(item: Node, place: int) -> str:
    """The name of an object of a list, else its place."""
    members = item.members if isinstance(item, ObjectNode) else ()
    names = (m.value.value for m in members if fold(m.name.value) == "name" and isinstance(m.value, StringNode))
    return next(names, "") or str(place)


def _stand_in(node: Node, span: Span, listed: bool) -> Node:
    """What stands for an axis in the base definition: its first value, the middle of its range."""
    members = {fold(m.name.value): m.value for m in node.members} if isinstance(node, ObjectNode) else {}
    choice = members.get("choice", node)
    if isinstance(choice, ArrayNode):
        offered = [value for value in choice.items if not (listed and isinstance(value, NullNode))]
        return offered[0] if offered else NullNode(span)
    ends = next((plain(members[fold(f)]) for f in ("Uniform", "LogUniform", "Integer") if fold(f) in members), None)
    if not (isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, int | float) for e in ends)):
        return node
    low, high = ends
    middle: float = (low * high) ** 0.5 if "loguniform" in members and low * high > 0 else (low + high) / 2
    value = int(middle) if "integer" in members else float(f"{middle:.6g}")
    return NumberNode(value, json.dumps(value), span)


def has_axes(node: Node | None) -> bool:
    """Whether anything in a tree is an axis."""
    return node is not None and any(True for _ in _words(node))


def _words(node: Node) -> Iterator[StringNode]:
    if isinstance(node, ObjectNode):
        for member in node.members:
            if member.name.value == WORD:
                yield member.name
            yield from _words(member.value)
    elif isinstance(node, ArrayNode):
        for item in node.items:
            yield from _words(item)
