"""The layers of a text as far as they are written: names, kinds, sizes, and every place that names one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nnlang import schema
from nnlang.decode import default_kind, nature
from nnlang.editor.loose import Group, Tree, Word
from nnlang.network import Kind
from nnlang.schema import Key, Many, Record, Text
from nnlang.schema.types import ValueType
from nnlang.source import Span
from nnlang.topology import default_name

_LAYERS = next(key for key in schema.DEFINITION.keys if isinstance(key.type, schema.Layers))
_NAME = next(key for key in schema.LAYER.keys if key.field == "name")


@dataclass(frozen=True)
class Sketch:
    """One layer. `kind` and `type` are first letters; None where what is written is no kind or type."""

    group: Group
    place: int  # in the list, from 0
    label: str  # its name, or the name that it has without one
    name: Word | None
    kind: str | None
    type: str | None

    @property
    def head(self) -> Span:
        """Where to point at when the layer is meant."""
        return self.name.span if self.name else Span(self.group.start, self.group.start + 1)

    @property
    def summary(self) -> str:
        """A few words: its kind, its units, its activation."""
        words = [next((word for word in ("Input", "Hidden", "Output") if word[0] == self.kind), "layer")]
        units, activation = self.group.get("N"), self.group.get("Activation")
        if units is not None:
            words.append(units.value if isinstance(units, Word) else " x ".join(word.value for word in units.words()))
        if isinstance(activation, Word):
            words.append(activation.value)
        return " ".join(words)

    def takes(self, key: Key) -> bool:
        """Whether a key goes with its kind and type; with any, where these are not known."""
        return (self.kind is None or self.kind in key.kinds) and (self.type is None or self.type in key.types)


@dataclass(frozen=True)
class Mention:
    """One place where a layer is named: where it is defined, or where another layer takes something of it."""

    name: str
    span: Span
    place: int  # of the layer in which it stands
    key: str
    defines: bool


def sketches(tree: Tree) -> tuple[Sketch, ...]:
    """The layers of a definition's text, in the order of the list."""
    value = tree.root.get(*_LAYERS.spellings) if tree.root and tree.root.is_object else None
    if not isinstance(value, Group):
        return ()
    items = [value] if value.is_object else value.items
    return tuple(
        _sketch(item, place, len(items))
        for place, item in enumerate(items)
        if isinstance(item, Group) and item.is_object
    )


def _sketch(group: Group, place: int, count: int) -> Sketch:
    texts = {pair.key.value.lower(): pair.value.value for pair in group.pairs if isinstance(pair.value, Word)}
    kind, type_ = nature(texts, place, count)
    name = group.get(*_NAME.spellings)
    name = name if isinstance(name, Word) and name.value else None
    usual = next((k for k in Kind if k.name[0] == kind), default_kind(place, count))
    return Sketch(group, place, name.value if name else default_name(usual, place), name, kind, type_)


def layer_around(tree: Tree, groups: Iterable[Group]) -> Sketch | None:
    """The layer that is one of some groups."""
    starts = {group.start for group in groups}
    return next((layer for layer in sketches(tree) if layer.group.start in starts), None)


def names_layers(kind: ValueType) -> bool:
    """Whether a value of this type is the name of a layer, or a list of such names."""
    of = kind.of if isinstance(kind, Many) else kind
    return of == _NAME.type and isinstance(of, Text)


def mentions(layers: Sequence[Sketch]) -> Iterator[Mention]:
    """Every place where a layer is named, in the order of the layers."""
    for layer in layers:
        for pair in layer.group.pairs:
            row = schema.LAYER.find(pair.key.value)
            if row is None:
                continue
            if names_layers(row.type):
                yield from (_mention(word, layer, row.name, row is _NAME) for word in _words(pair.value))
            elif row.field == "shared":
                yield from _shared(pair.value, layer, row.type)


def _words(value: Word | Group | None) -> Iterator[Word]:
    """The texts of a value: itself, or those of a list."""
    if isinstance(value, Word):
        yield value
    elif value is not None and not value.is_object:
        yield from value.words()


def _mention(word: Word, layer: Sketch, key: str, defines: bool = False) -> Mention:
    return Mention(word.value, word.span, layer.place, key, defines)


def _shared(value: Word | Group | None, layer: Sketch, kind: ValueType) -> Iterator[Mention]:
    """The names in `SharedWeights`, one object or a list of them."""
    of = kind.of if isinstance(kind, Many) else kind
    if not isinstance(value, Group) or not isinstance(of, Record):
        return
    for entry in [value] if value.is_object else value.items:
        for pair in entry.pairs if isinstance(entry, Group) else ():
            row = of.table.find(pair.key.value)
            if row is not None and names_layers(row.type) and isinstance(pair.value, Word):
                yield _mention(pair.value, layer, row.name)


def data_sets(layers: Sequence[Sketch]) -> tuple[str, ...]:
    """The names of data sets that layers bind, each once."""
    found = (layer.group.get("DataSet") for layer in layers)
    return tuple(dict.fromkeys(word.value for word in found if isinstance(word, Word) and word.value))
