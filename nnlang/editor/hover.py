"""What there is to say about the word at an offset: a key, a value, a layer, a code in a comment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nnlang import schema
from nnlang.diagnostics import printable
from nnlang.drawing.counts import incoming, learned
from nnlang.editor.cursor import Cursor, cursor, word_over
from nnlang.editor.layers import Mention, Sketch, layer_around, mentions, sketches
from nnlang.editor.loose import Tree, Word
from nnlang.manual import hover_code, hover_key, hover_value
from nnlang.network import Layer, Network
from nnlang.schema import Choice, Key, Table
from nnlang.schema.describe import layer_kinds
from nnlang.source import Span

_CODE = re.compile(r"\bNN\d{3}\b")
_SHOWN = 8  # layers of a list
_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+.!|~-])")


@dataclass(frozen=True)
class Hover:
    """Markdown about the characters of a span."""

    markdown: str
    span: Span


def hover(tree: Tree, offset: int, network: Callable[[], Network | None] = lambda: None) -> Hover | None:
    """What there is to say about an offset of a text; `network` gives what the text means, where it is sound."""
    if (code := _code(tree, offset)) is not None:
        return code
    word = word_over(tree, offset)
    here = cursor(tree, word.span.end) if word else None
    if word is None or here is None or here.table is None:
        return None
    row = here.table.find(word.value) if here.role == "key" else here.row
    if row is None:
        return None
    if here.role == "key":
        return Hover(hover_key(here.table, row) + _misfit(tree, here, row), word.span)
    return _layer(tree, word.span, network) or _value(here.table, row, word)


def _code(tree: Tree, offset: int) -> Hover | None:
    """The rule that a comment names, such as `// nnlang: ignore[NN502]`."""
    comment = next((span for span in tree.comments if span.start <= offset < span.end), None)
    for found in _CODE.finditer(tree.text, comment.start, comment.end) if comment else ():
        if found.start() <= offset <= found.end() and (words := hover_code(found[0])):
            return Hover(words, Span(*found.span()))
    return None


def _misfit(tree: Tree, here: Cursor, row: Key) -> str:
    """A sentence where a key does not go with the layer in which it stands."""
    if here.table is not schema.LAYER:
        return ""
    layer = layer_around(tree, here.groups)
    if layer is None or layer.takes(row):
        return ""
    return f"\n\n**It does not go with this layer**, but with {layer_kinds(row)}."


def _value(table: Table, row: Key, word: Word) -> Hover:
    """A value of an enumeration; of another key, what the key takes."""
    option = row.type.find(word.value) if isinstance(row.type, Choice) else None
    return Hover(hover_key(table, row) if option is None else hover_value(row, option), word.span)


def _layer(tree: Tree, span: Span, network: Callable[[], Network | None]) -> Hover | None:
    """The layer that is named at a span: what it is, what it takes, what it learns, who takes it."""
    layers = sketches(tree)
    found = list(mentions(layers))
    name = next((m.name for m in found if m.span == span), None)
    layer = next((s for s in layers if s.label == name), None)
    if layer is None:
        return None
    meant = network()
    known = next((k for k in meant.layers if k.position == layer.place), None) if meant else None
    told = _meant(meant, known) if meant and known else _sketched(layer, found)
    takers = dict.fromkeys(m.place for m in found if m.name == name and m.key in ("Source", "Skip"))
    labels = {s.place: s.label for s in layers}
    lines = [*told, *([f"taken by {_listed([labels[place] for place in takers])}"] if takers else [])]
    return Hover(f"**layer {_plain(layer.label)}**\n\n" + "\n".join(f"- {line}" for line in lines), span)


def _meant(network: Network, layer: Layer) -> Iterator[str]:
    """What a layer is, of a definition that is sound."""
    kind = layer.kind.name.capitalize()
    yield f"{kind}, {layer.type.name.replace('_', ' ').lower()}" + (f", {layer.function}" if layer.function else "")
    size = " x ".join(map(str, layer.dims[: layer.dimensions]))
    total = f" = {layer.units:,}" if layer.dimensions > 1 else ""
    yield f"units: {size}{total}" if layer.units else "units: as many as its data set has"
    if layer.dataset:
        yield f"data set: {_plain(layer.dataset)}"
    if layer.sources:
        yield f"takes {_listed([network.layers[source].name for source in layer.sources])}"
    if layer.skips:
        yield f"adds {_listed([network.layers[skip].name for skip in layer.skips])}"
    if layer.sources:
        count = learned(network, layer, incoming(network).get(layer.index, ()))
        yield "parameters: " + (f"{count:,}" if count is not None else "known when the size of its data set is")


def _sketched(layer: Sketch, found: list[Mention]) -> Iterator[str]:
    """What a layer is, of a definition that has errors."""
    yield _plain(layer.summary)
    sources = [m.name for m in found if m.place == layer.place and m.key == "Source"]
    if sources:
        yield f"takes {_listed(sources)}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(_plain, names[:_SHOWN]))
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _plain(name: str) -> str:
    """A name that people gave, as Markdown that shows it as it is."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", printable(name))
