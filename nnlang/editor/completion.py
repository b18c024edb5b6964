"""What may be written at an offset: keys that fit the place and are not there yet, values, layers, data sets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nnlang import schema
from nnlang.editor.cursor import Cursor, cursor
from nnlang.editor.layers import Sketch, data_sets, layer_around, names_layers, sketches
from nnlang.editor.loose import Group, Tree, Word, following
from nnlang.manual import hover_key, hover_value
from nnlang.network import Step
from nnlang.rules.rule import Edit
from nnlang.schema import Choice, Flag, Key, Layers, Many, Number, Option, Record, Status, Table, Text, expects, fold
from nnlang.schema.describe import defaults, written
from nnlang.schema.examples import example
from nnlang.schema.preparation import ANY_STEP, STEPS
from nnlang.source import Span

MOST = 200  # items of one offer; with more the client asks again while somebody types on
_DETAIL = 80  # characters
_SNIPPET_SIGNS = re.compile(r"([\\$}])")
_CHOICE_SIGNS = re.compile(r"([\\$},|])")


@dataclass(frozen=True)
class Item:
    """One thing that may be written. `text` replaces the offer's span; `snippet` is that with places to fill in."""

    label: str
    kind: str  # "key", "value", "layer", "data set" or "snippet"
    text: str
    snippet: str = ""
    detail: str = ""
    words: str = ""  # Markdown


@dataclass(frozen=True)
class Offer:
    """Everything that may be written at an offset, the likeliest first; `edits` go with each of them."""

    items: tuple[Item, ...]
    span: Span
    edits: tuple[Edit, ...] = ()
    complete: bool = True


def offers(tree: Tree, offset: int) -> Offer | None:
    """What may be written at an offset of a text; None where nothing of the language stands."""
    here = cursor(tree, offset)
    if here is None or here.table is None:
        return None
    found = _keys(tree, here) if here.role == "key" else _values(tree, here)
    typed = fold(here.word.strip("\"'"))
    items = list(_ended(tree, here, found))
    near = [item for item in items if typed in fold(item.label)] if len(items) > MOST else items
    edits = (Edit(Span(here.missing, here.missing), ","),) if here.missing is not None else ()
    return Offer(tuple(near[:MOST]), here.span, edits, len(items) <= MOST)


def _ended(tree: Tree, here: Cursor, items: Iterable[Item]) -> Iterator[Item]:
    """The items with a space after a colon that has none, and with the comma that what follows needs."""
    after = following(tree.text, here.span.end)
    end = "" if after in ("", ",", ":", "}", "]") else ","
    begin = " " if tree.text.endswith(":", 0, here.span.start) else ""
    for item in items:
        yield replace(item, text=begin + item.text + end, snippet=item.snippet and begin + item.snippet + end)


# Keys


def _keys(tree: Tree, here: Cursor) -> Iterator[Item]:
    """The keys of a table that fit and are not written yet."""
    table = here.table
    assert table is not None
    there = {
        table.find(p.key.value) for p in here.home.pairs if not p.key.span.start <= here.span.start < p.key.span.end
    }
    layer = layer_around(tree, here.groups) if table is schema.LAYER else None
    step = here.home.get("Step") if table is schema.PREPARATION else None
    has_colon = following(tree.text, here.span.end) == ":"
    for key in table.keys:
        if key not in there and (layer is None or layer.takes(key)) and _goes_with(step, key):
            yield _key_item(table, key, layer, has_colon)


def _goes_with(step: object, key: Key) -> bool:
    """Whether a key of a preparation step goes with the word that its Step has; every key, where that is unknown."""
    option = schema.STEP.find(step.value) if isinstance(step, Word) else None
    return option is None or not isinstance(option.value, Step) or key.field in STEPS[option.value].takes + ANY_STEP


def _key_item(table: Table, key: Key, layer: Sketch | None, has_colon: bool) -> Item:
    name = f'"{key.name}"'
    detail = _short(("required: " if key.required else "") + expects(key.type))
    if has_colon:
        return Item(key.name, "key", name, detail=detail, words=hover_key(table, key))
    plain, filled = _blank(table, key, layer)
    return Item(key.name, "key", f"{name}: {plain}", f"{name}: {filled}", detail, hover_key(table, key))


def _short(text: str) -> str:
    return text if len(text) <= _DETAIL else text[: _DETAIL - 3] + "..."


def _blank(table: Table, key: Key, layer: Sketch | None) -> tuple[str, str]:
    """A value of a key to fill in: as plain text, and as a snippet."""
    shown = example(table, key).partition(": ")[2]
    match key.type:
        case Flag():
            usual = "false" if key.default is True else "true"
            return usual, f"${{1|{usual},{'true' if usual == 'false' else 'false'}|}}"
        case Choice() as kind:
            own = layer.kind if layer is not None and key.field == "kind" else None
            options = sorted(_offered(kind), key=lambda option: option.spelling[0] != own)  # first what it is already
            words = (_CHOICE_SIGNS.sub(_ESCAPED, option.spelling) for option in options)
            return '""', f'"${{1|{",".join(words)}|}}"'
        case Layers():
            return "[]", "[\n\t{ $1 }\n]"
        case Record():
            return "{}", "{ $1 }"
        case Many(of=Record()):
            return "[]", "[{ $1 }]"
        case schema.Tree(forms=("an object",)):
            return "{}", "{ $1 }"
        case schema.Tree(forms=("a list",)):
            return "[]", "[$1]"
        case Many(word=word) if word and layer is not None and layer.kind != "H":
            return f'"{word}"', f'${{1:"{word}"}}'
        case Number() | Many(of=Number()):
            return shown, f"${{1:{_SNIPPET_SIGNS.sub(_ESCAPED, shown)}}}"
    return '""', '"$1"'


_ESCAPED = r"\\\1"


def _offered(kind: Choice) -> Iterator[Option]:
    """The words of an enumeration that DSSTNE's parser takes as well."""
    yield from (option for option in kind.accepted if option.status is not Status.DOCUMENTED)


# Values


def _values(tree: Tree, here: Cursor) -> Iterator[Item]:
    """The values of the key at the cursor."""
    table, row = here.table, here.row
    if table is None or row is None or (here.listed and isinstance(row.type, Flag | Choice | Text | Number)):
        return
    match row.type:
        case Flag():
            yield from (Item(word, "value", word, detail=row.name) for word in ("true", "false"))
        case Choice() as kind:
            for option in _offered(kind):
                yield Item(
                    option.spelling,
                    "value",
                    f'"{option.spelling}"',
                    detail=option.words,
                    words=hover_value(row, option),
                )
        case Layers():
            yield from _layer_snippets(here)
        case kind if names_layers(kind) and row.field != "name":
            yield from _layer_names(tree, here)
        case Text() if row.field == "dataset":
            own = here.home.get(row.name)
            left = Word("", here.span) if not isinstance(own, Word) else own
            found = data_sets([layer for layer in sketches(tree) if layer.group.get(row.name) is not left])
            yield from (Item(name, "data set", _quoted(name)) for name in found)
        case Many(word=word) if word:
            yield Item(word, "value", f'"{word}"', detail=row.name, words=hover_key(table, row))
        case Record() | Many(of=Record()):
            plain, filled = ("{}", "{ $1 }") if here.listed else _blank(table, row, None)
            yield Item(plain, "snippet", plain, filled, row.name)
        case Number() if (usual := defaults(table, _kind_of_file(here)).get(row.field)) is not None:
            yield Item(written(usual), "value", written(usual), detail=f"the default of {row.name}")


def _kind_of_file(here: Cursor) -> str:
    return "job" if here.tables[0] is schema.JOB else "definition"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _layer_names(tree: Tree, here: Cursor) -> Iterator[Item]:
    """The layers that may be named: those before this one from the nearest, then those after it."""
    layers, own = sketches(tree), layer_around(tree, here.groups)
    place = own.place if own else len(layers)
    named = _named(here)
    before = [layer for layer in layers if layer.place < place]
    for layer in (*before[::-1], *(layer for layer in layers if layer.place > place)):
        if layer.label not in named:
            yield Item(layer.label, "layer", _quoted(layer.label), detail=layer.summary)


def _named(here: Cursor) -> set[str]:
    """The names that the list at the cursor holds already, without the one that is being written."""
    inner: Group = here.groups[-1]
    return {word.value for word in inner.words() if word.span.start != here.span.start} if here.listed else set()


_SNIPPETS = (
    (
        "Input layer",
        '{ "Name": "@", "Kind": "Input", "N": "auto", "DataSet": "@", "Sparse": @ }',
        ("Input", "input", "true"),
    ),
    ("Hidden layer", '{ "Name": "@", "Kind": "Hidden", "N": @, "Activation": "@" }', ("Hidden", "128", "Sigmoid")),
    (
        "Output layer",
        '{ "Name": "@", "Kind": "Output", "N": "auto", "DataSet": "@", "Activation": "@" }',
        ("Output", "output", "Sigmoid"),
    ),
)


def _layer_snippets(here: Cursor) -> Iterator[Item]:
    """A whole layer of each kind, where layers stand."""
    if not here.listed:
        yield Item("[ ... ]", "snippet", "[]", "[\n\t{ $1 }\n]", "a list of layers")
        return
    for label, frame, blanks in _SNIPPETS:
        pieces = frame.split("@")
        plain = "".join(piece + blank for piece, blank in zip(pieces, (*blanks, ""), strict=True))
        fields = [f"${{{number}:{blank}}}" for number, blank in enumerate(blanks, 1)]
        ends = [piece.replace("}", "\\}") for piece in pieces]
        filled = "".join(piece + blank for piece, blank in zip(ends, (*fields, ""), strict=True))
        yield Item(label, "snippet", plain, filled, plain)
