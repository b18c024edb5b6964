"""Layers and the places that name them: where one is defined, who refers to it, another name for it everywhere."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from nnlang.editor.layers import Mention, Sketch, mentions, sketches
from nnlang.editor.loose import Tree
from nnlang.rules.rule import Edit
from nnlang.source import Span
from nnlang.syntax import DEFAULTS


class RefusedError(ValueError):
    """Raised where a layer cannot be given a name; says why."""


@dataclass(frozen=True)
class Named:
    """The layer that an offset names, with everything that names it."""

    name: str
    span: Span  # of the word at the offset
    layer: Sketch | None  # None where no layer has the name
    mentions: tuple[Mention, ...]


def named(tree: Tree, offset: int) -> Named | None:
    """The layer that is named at an offset, be it by its Name, a Source, a Skip or in SharedWeights; None elsewhere."""
    layers = sketches(tree)
    found = tuple(mentions(layers))
    here = next((m for m in found if m.span.start <= offset <= m.span.end and m.name), None)
    if here is None:
        return None
    layer = next((s for s in layers if s.label == here.name), None)
    return Named(here.name, here.span, layer, tuple(m for m in found if m.name == here.name))


def definition(tree: Tree, offset: int) -> Span | None:
    """Where the layer that an offset names is defined: its Name, or the bracket of a layer without one."""
    here = named(tree, offset)
    return here.layer.head if here and here.layer else None


def references(tree: Tree, offset: int, *, with_definition: bool) -> Iterator[Span]:
    """Every place that names the layer that an offset names."""
    here = named(tree, offset)
    if here is None:
        return
    if with_definition and here.layer is not None and here.layer.name is None:
        yield here.layer.head
    yield from (m.span for m in here.mentions if with_definition or not m.defines)


def inner(tree: Tree, span: Span) -> Span:
    """The span of a string without its quotes."""
    text = tree.text[span.start : span.end]
    begin, end = text[:1] in ('"', "'"), len(text) > 1 and text[-1:] in ('"', "'")
    return Span(span.start + begin, span.end - end)


def rename(tree: Tree, offset: int, new: str) -> tuple[Edit, ...] | None:
    """The edits that call a layer otherwise wherever it is named; without a Name it gets one. None where no layer is.

    Raises `RefusedError` for a name that a layer cannot have, or where which layer is meant is not clear.
    """
    here = named(tree, offset)
    if here is None:
        return None
    layers = sketches(tree)
    if here.layer is None:
        raise RefusedError(f"no layer is called {here.name}")
    if sum(layer.label == here.name for layer in layers) > 1:
        raise RefusedError(f"several layers are called {here.name}; give each a name of its own first")
    _check(new, here.name, {layer.label for layer in layers})
    word = json.dumps(new, ensure_ascii=False)
    edits = [Edit(m.span, word) for m in here.mentions]
    if here.layer.name is None:
        edits.append(_naming(tree, here.layer, word))
    return tuple(sorted(edits, key=lambda edit: edit.span.start))


def _check(new: str, old: str, taken: set[str]) -> None:
    """Refuse what cannot be a layer's name."""
    if not new:
        raise RefusedError("a layer's name cannot be empty")
    if len(new) > DEFAULTS.name:
        raise RefusedError(f"a layer's name has at most {DEFAULTS.name} characters, this has {len(new)}")
    if wrong := next((c for c in new if unicodedata.category(c) in ("Cc", "Cs")), None):
        raise RefusedError(f"a layer's name cannot hold the character U+{ord(wrong):04X}")
    if new != old and new in taken:
        raise RefusedError(f"another layer is called {new}")


def _naming(tree: Tree, layer: Sketch, word: str) -> Edit:
    """A Name for a layer that has none, or an empty one."""
    written = layer.group.get("Name")
    if written is not None:
        return Edit(written.span, word)
    start = layer.group.start + 1
    end = ", " if layer.group.pairs else " "
    tail = tree.text[start : start + 1]
    return Edit(Span(start, start), f' "Name": {word}' + (end.rstrip() if tail.isspace() else end))
