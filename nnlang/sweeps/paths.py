"""Paths such as `Layers.Hidden.N`: where in a definition, in `Data` or in `Split` they lead, and setting values there.

A path is found once against the base definition; `put` then makes trees that differ there and share all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlang import schema
from nnlang.decode import nature
from nnlang.network import Kind
from nnlang.schema import DEFINITION, LAYER, Key, Layers, Many, Number, Record, Table, fold
from nnlang.schema.foreign import foreign_key
from nnlang.suggest import did_you_mean
from nnlang.topology import default_name

Json = Any

ROOT = Table(
    "a sweep",
    (
        Key("Definition", "definition", Record(DEFINITION), "The definition that is varied."),
        Key("Data", "data", Record(schema.SWEEP_DATA), "What is trained on."),
        Key("Split", "split", Record(schema.SWEEP_SPLIT), "How it is divided."),
    ),
)
REPEAT = Key(
    "Repeat",
    "repeat",
    Number(0, 1_000, integer=True),
    "Of a path: how many copies of the layer stand in a row; 0 takes it out.",
)
_TRAINING = next(key for key in DEFINITION.keys if key.field == "training")
_KINDS = {kind.name[0]: kind for kind in Kind}


@dataclass(frozen=True)
class Member:
    """A step into an object: the key, in whatever spelling it stands there."""

    table: Table
    key: Key

    def find(self, tree: Mapping[str, Json]) -> str:
        """The key as the object spells it; without it, as the language does."""
        if self.key.name in tree:
            return self.key.name
        return next((name for name in tree if self.table.find(name) is self.key), self.key.name)


@dataclass(frozen=True)
class Item:
    """A step into a list: place and name. An item that the base does not have is found by name, or goes to the end."""

    place: int
    name: str
    new: bool = False

    def find(self, items: Sequence[Json]) -> int:
        """Its place in the list as it is now, which may be the one behind its end."""
        if not self.new:
            return self.place
        return next((n for n, item in enumerate(items) if _name(item) == self.name), len(items))


@dataclass(frozen=True)
class Target:
    """Where a path leads: the steps, and the key that says which values go there. `label` is its one spelling."""

    label: str
    steps: tuple[Member | Item, ...]
    key: Key

    @property
    def is_layer(self) -> bool:
        """Whether a whole layer stands there."""
        return isinstance(self.steps[-1], Item) and _table(self.key) is LAYER

    @property
    def layer(self) -> int | None:
        """The place of the layer that it is in, or is."""
        inside = (
            len(self.steps) > 2 and isinstance(self.steps[1], Member) and isinstance(self.steps[1].key.type, Layers)
        )
        return self.steps[2].place if inside and isinstance(self.steps[2], Item) else None

    def over(self, other: Target) -> bool:
        """Whether the other leads to something inside this."""
        return len(other.steps) > len(self.steps) and other.steps[: len(self.steps)] == self.steps


@dataclass(frozen=True)
class Lost:
    """A path that leads nowhere: why, and what may be meant."""

    reason: str
    help: str | None = None


def find(path: str, base: Mapping[str, Json]) -> Target | Lost:
    """Where a path leads, given the trees of `definition`, `data` and `split`; letter case makes no difference."""
    words = path.split(".")
    first = fold(words[0])
    if first in ("split", "data"):
        return _inside(Member(ROOT, _key(ROOT, first)), words[1:], base, ())
    before: tuple[Member | Item, ...] = (Member(ROOT, _key(ROOT, "definition")),)
    if first == "training":
        words[0] = _TRAINING.name
    key = DEFINITION.find(words[0])
    if key is None:
        offered = (*DEFINITION.spellings(), "training", "split", "data")
        return Lost(f"a definition has no key `{words[0][:60]}`", did_you_mean(words[0], offered))
    return _inside(Member(DEFINITION, key), words[1:], base["definition"], before)


def _key(table: Table, word: str) -> Key:
    found = table.find(word)
    assert found is not None
    return found


def _inside(step: Member, words: Sequence[str], tree: Json, before: tuple[Member | Item, ...]) -> Target | Lost:
    """The rest of a path behind a key of an object."""
    steps, key = (*before, step), step.key
    here = tree.get(step.find(tree)) if isinstance(tree, dict) else None
    table = _table(key)
    if not words:
        return Target(_label(steps), steps, key)
    if isinstance(key.type, Layers):
        return _in_list(LAYER, words, here, steps)
    if isinstance(key.type, Many) and table is not None:
        return _in_list(table, words, here, steps)
    if table is None:
        return Lost(f"nothing stands inside `{key.name}`")
    return _in_object(table, words, here, steps)


def _in_object(table: Table, words: Sequence[str], tree: Json, before: tuple[Member | Item, ...]) -> Target | Lost:
    if table is LAYER and len(words) == 1 and fold(words[0]) == "repeat":
        steps = (*before, Member(LAYER, REPEAT))
        return Target(_label(steps), steps, REPEAT)
    key = table.find(words[0])
    if key is None:
        spellings = (*table.spellings(), *([REPEAT.name] if table is LAYER else ()))
        row = foreign_key(table, words[0])
        help = row.help if row is not None and row.called else did_you_mean(words[0], spellings)
        return Lost(f"{table.what.strip('`')} has no key `{words[0][:60]}`", help)
    return _inside(Member(table, key), words[1:], tree, before)


def _in_list(table: Table, words: Sequence[str], tree: Json, before: tuple[Member | Item, ...]) -> Target | Lost:
    """The rest of a path behind a list of objects: an item by its name, which may hold points, or by its place."""
    items = _listed(tree)
    names = list(labels(table, items))
    for count in range(len(words), 0, -1):
        name = ".".join(words[:count])
        if name in names:
            return _item(table, words[count:], items, Item(names.index(name), name), before)
    is_place = words[0].isascii() and words[0].isdigit()
    place = int(words[0][-18:]) if is_place and not words[0][:-18].strip("0") else len(items)
    if place < len(items):
        return _item(table, words[1:], items, Item(place, names[place]), before)
    if is_place and table is not LAYER:
        return Lost(f"`{_label(before)}` has {len(items)} items, counted from 0")
    if table is LAYER or table.find("Name") is None:
        known = ", ".join(f"`{name}`" for name in names[:12] if name) or "none"
        what = "layer" if table is LAYER else f"item of {_label(before)}"
        help = did_you_mean(words[0], filter(None, names)) or f"there are {known}"
        return Lost(f"no {what} is called `{words[0][:60]}`", help)
    return _item(table, words[1:], [*items, {}], Item(len(items), words[0], new=True), before)


def _item(
    table: Table, words: Sequence[str], items: Sequence[Json], step: Item, before: tuple[Member | Item, ...]
) -> Target | Lost:
    steps = (*before, step)
    if words:
        return _in_object(table, words, items[step.place], steps)
    return Target(_label(steps), steps, Key(_label(steps), "", Record(table), ""))


def labels(table: Table, items: Iterable[Json]) -> Iterator[str]:
    """What the objects of a list are called: their Name, layers without one by their kind and place; else empty."""
    items = list(items)
    for place, item in enumerate(items):
        name = _name(item)
        yield name if name or table is not LAYER else unnamed(item, place, len(items))


def _name(item: Json) -> str:
    """The Name of an object; empty where it has none."""
    if not isinstance(item, dict):
        return ""
    found = item["Name"] if "Name" in item else next((v for k, v in item.items() if fold(k) == "name"), "")
    return found if isinstance(found, str) else ""


def unnamed(item: Json, place: int, count: int) -> str:
    """The name of a layer that gives none."""
    words = {fold(k): v for k, v in item.items() if isinstance(v, str)} if isinstance(item, dict) else {}
    kind, _ = nature(words, place, count)
    return default_name(_KINDS[kind], place) if kind in _KINDS else ""


def _listed(tree: Json) -> list[Json]:
    """The objects of a list, of which one may stand alone."""
    return tree if isinstance(tree, list) else [] if tree is None else [tree]


def _table(key: Key) -> Table | None:
    kind = key.type.of if isinstance(key.type, Many) else key.type
    return kind.table if isinstance(kind, Record) else None


def _label(steps: Iterable[Member | Item]) -> str:
    names = [step.key.name if isinstance(step, Member) else step.name or str(step.place) for step in steps]
    return ".".join(names[1:] if names[0] == "Definition" else names)


def put(tree: Json, steps: Sequence[Member | Item], value: Json) -> Json:
    """The tree with a value at the end of some steps, None for its absence: an item leaves None in the list."""
    step, rest = steps[0], steps[1:]
    if isinstance(step, Item):
        return _put_item(tree, step, rest, value)
    made = dict(tree) if isinstance(tree, dict) else {}
    name = step.find(made)
    found = value if not rest else put(made.get(name), rest, value)
    if found is None:
        made.pop(name, None)
    else:
        made[name] = found
    return made


def _put_item(tree: Json, step: Item, rest: Sequence[Member | Item], value: Json) -> Json:
    items = list(_listed(tree))
    place = step.find(items)
    if place == len(items):
        items.append(None)
    inner = items[place]
    if rest:
        value = put({"Name": step.name} if inner is None else inner, rest, value)
    items[place] = _named(step, inner, value)
    return items


def _named(step: Item, before: Json, value: Json) -> Json:
    """An object in the place of another keeps its name."""
    if not isinstance(value, dict) or any(fold(key) == "name" for key in value) or not step.name:
        return value
    own = {key: name for key, name in before.items() if fold(key) == "name"} if isinstance(before, dict) else None
    return {**({"Name": step.name} if own is None else own), **value}


def without_gaps(tree: Json) -> Json:
    """The tree without the items that were taken out of its lists, and without lists of which nothing is left."""
    if isinstance(tree, dict):
        kept = {name: without_gaps(value) for name, value in tree.items()}
        return {name: value for name, value in kept.items() if value != [] or tree[name] == []}
    if isinstance(tree, list):
        return [without_gaps(item) for item in tree if item is not None]
    return tree
