"""Layers copied or taken out of a definition's list: what `Repeat` and null at a layer's path do.

Copies stand behind the layer, each taking the one before it; who took the layer takes the last copy. Where it is taken
out, who took it takes what it took. Skip and SharedWeights go on naming the layer itself: they speak of its matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nnlang.decode import default_kind
from nnlang.network import Kind
from nnlang.schema import LAYER, LAYER_KIND
from nnlang.sweeps.paths import Member, labels

Json = Any


def _member(field: str) -> Member:
    return Member(LAYER, next(key for key in LAYER.keys if key.field == field))


_NAME, _KIND, _SOURCES = _member("name"), _member("kind"), _member("sources")
_OWN = tuple(map(_member, ("skips", "shared")))  # of the layer itself, not of its copies


def repeated(layers: Json, copies: Mapping[int, int]) -> list[Json]:
    """The list with each layer of `copies` (by its place) standing there so often; 0 takes it out."""
    items = [
        dict(item) if isinstance(item, dict) else item for item in (layers if isinstance(layers, list) else [layers])
    ]
    names = list(labels(LAYER, items))
    kinds = [kind_of(item, place, len(items)) for place, item in enumerate(items)]
    for item, name in zip(items, names, strict=True):
        if isinstance(item, dict):
            item.setdefault(_NAME.find(item), name)
    for place in sorted(copies):
        if copies[place] == 0:
            _bypass(items, names, place)
    made: list[Json] = []
    for place, item in enumerate(items):
        made += _copies(item, names[place], copies.get(place, 1))
    last = {names[place]: f"{names[place]}_{count}" for place, count in copies.items() if count > 1}
    own = {id(copy) for copy in made if isinstance(copy, dict) and copy.get(_NAME.find(copy)) not in names}
    for item in made:
        if isinstance(item, dict) and id(item) not in own:
            _renamed(item, last)
    wanted = dict(zip(names, kinds, strict=True))
    return [_kept(item, wanted, place, len(made)) for place, item in enumerate(made)]


def _copies(item: Json, name: str, count: int) -> Iterator[Json]:
    """The layer and its copies, each taking the one before it."""
    if count:
        yield item
    before = name
    for number in range(2, count + 1):
        copy = {key: value for key, value in item.items() if key not in [own.find(item) for own in _OWN]}
        copy[_NAME.find(copy)] = f"{name}_{number}"
        copy[_SOURCES.find(copy)] = [before]
        before = f"{name}_{number}"
        yield copy


def _bypass(items: list[Json], names: list[str], place: int) -> None:
    """Gives what a layer takes to those that take it."""
    name, own = names[place], _sources(items, names, place)
    for other, item in enumerate(items):
        if other == place or not isinstance(item, dict):
            continue
        taken = _sources(items, names, other)
        if name in taken:
            joined = [n for source in taken for n in (own if source == name else [source])]
            item[_SOURCES.find(item)] = list(dict.fromkeys(joined))


def _sources(items: list[Json], names: list[str], place: int) -> list[str]:
    """The names of the layers that one takes: those written, else the one before it; an Input layer takes none."""
    item = items[place]
    written = item.get(_SOURCES.find(item)) if isinstance(item, dict) else None
    if written is not None:
        return [written] if isinstance(written, str) else [n for n in written if isinstance(n, str)]
    is_input = kind_of(item, place, len(items)) is Kind.INPUT
    return [] if is_input or place == 0 else [names[place - 1]]


def _renamed(item: Json, last: Mapping[str, str]) -> None:
    """The layer with the last copies in the place of the sources that it names."""
    key = _SOURCES.find(item)
    written = item.get(key)
    if isinstance(written, str):
        item[key] = last.get(written, written)
    elif isinstance(written, list):
        item[key] = [last.get(n, n) if isinstance(n, str) else n for n in written]


def kind_of(item: Json, place: int, count: int) -> Kind | None:
    """The kind of a layer by what it says or where it stands; None where what it says is no kind."""
    written = item.get(_KIND.find(item)) if isinstance(item, dict) else None
    if written is None:
        return default_kind(place, count)
    option = LAYER_KIND.find(written) if isinstance(written, str) else None
    return option.value if option is not None and isinstance(option.value, Kind) else None


def _kept(item: Json, wanted: Mapping[str, Kind | None], place: int, count: int) -> Json:
    """The layer with its kind written, where the new place in the list would make another of it."""
    if not isinstance(item, dict) or item.get(_KIND.find(item)) is not None:
        return item
    kind = wanted.get(item[_NAME.find(item)], Kind.HIDDEN)
    if kind is None or kind is default_kind(place, count):
        return item
    return {**item, "Kind": kind.name.capitalize()}
