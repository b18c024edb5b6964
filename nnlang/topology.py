"""Which layer is which and who feeds whom: names, kinds, edges, order. Everything that needs no sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from nnlang import ast, schema
from nnlang.codes import advice, names
from nnlang.decode import default_kind
from nnlang.diagnostics import Report, at
from nnlang.network import Activation, Kind, LayerType
from nnlang.source import Span
from nnlang.suggest import SUGGESTIONS, closest, distance

_COMPARED = 2_000  # names that one suggestion looks at


@dataclass(frozen=True)
class Topology:
    """Layers by their place in the definition's list; edges as places, in the order written."""

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    types: tuple[LayerType, ...]
    sources: tuple[tuple[int, ...], ...]
    skips: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]  # of propagation: by the longest path from the inputs, then by place


def arrange(definition: ast.Definition, report: Report) -> Topology | None:
    """The topology of a definition; None, with the reasons reported, where it has none."""
    before = len(report.errors)
    kinds = tuple(_kind(layer, len(definition.layers)) for layer in definition.layers)
    types = tuple(layer.type.value if layer.type else LayerType.FULLY_CONNECTED for layer in definition.layers)
    labels, places = _names(definition, kinds, report)
    _ends(definition, kinds, report)
    find = _Finder(definition, kinds, places, report)
    sources = tuple(_sources(definition, place, kinds, labels, find, report) for place in range(len(kinds)))
    skips = tuple(find.all(layer.skips or (), "Skip", place) for place, layer in enumerate(definition.layers))
    for layer, label, kind, type_, into in zip(definition.layers, labels, kinds, types, sources, strict=True):
        _layer(definition, layer, label, kind, type_, into, report)
    if len(report.errors) > before:
        return None
    order = _order(definition, labels, sources, skips, report)
    if order is None:
        return None
    _unused(definition, labels, kinds, sources, skips, report)
    return Topology(labels, kinds, types, sources, skips, order)


def _kind(layer: ast.Layer, count: int) -> Kind:
    return layer.kind.value if layer.kind else default_kind(layer.position, count)


def default_name(kind: Kind, place: int) -> str:
    """The name of a layer that gives none, such as `Hidden1` (dsstne.md 1.3)."""
    return f"{kind.name.capitalize()}{place}"


def _names(
    definition: ast.Definition, kinds: tuple[Kind, ...], report: Report
) -> tuple[tuple[str, ...], dict[str, int]]:
    source = definition.source
    places: dict[str, int] = {}
    for layer in definition.layers:
        if layer.name is None:
            continue
        name = layer.name.value
        if name in places:
            first = _position(definition, definition.layers[places[name]].head)
            report(names.DUPLICATE_NAME, at(source, layer.name.span), name=name, first=first)
        places.setdefault(name, layer.position)
    labels = []
    for layer, kind in zip(definition.layers, kinds, strict=True):
        name = layer.name.value if layer.name else default_name(kind, layer.position)
        labels.append(name)
        if layer.name is None and name in places:
            first = _position(definition, definition.layers[places[name]].head)
            report(names.NAME_COLLISION, at(source, layer.head), name=name, number=layer.position, first=first)
        places.setdefault(name, layer.position)
    return tuple(labels), places


def _position(definition: ast.Definition, span: Span) -> str:
    return "{}:{}".format(*definition.source.position(span.start))


def _ends(definition: ast.Definition, kinds: tuple[Kind, ...], report: Report) -> None:
    layers = definition.layers
    place = at(definition.source, Span(layers[0].span.start, layers[0].span.start + 1))
    if Kind.INPUT not in kinds:
        report(names.NO_INPUT, place)
    if Kind.OUTPUT not in kinds:
        report(names.NO_OUTPUT, place)


class _Finder:
    """Looks layers up by name; what is not there is reported, with the likeliest name for the first few."""

    def __init__(
        self, definition: ast.Definition, kinds: tuple[Kind, ...], places: Mapping[str, int], report: Report
    ) -> None:
        self.definition, self.kinds, self.places, self.report = definition, kinds, places, report
        self.suggestions = SUGGESTIONS

    def one(self, name: ast.Written[str], asking: int) -> int | None:
        place = self.places.get(name.value)
        if place is None:
            known = ", ".join(f"`{n}`" for n in islice(self.places, 8)) + (", ..." if len(self.places) > 8 else "")
            place_of = at(self.definition.source, name.span)
            likely = self.likely(name.value, asking)
            self.report(names.UNKNOWN_LAYER, place_of, name=name.value, names=known, **likely)
        return place

    def likely(self, name: str, asking: int) -> dict[str, Any]:
        """The layer that is meant by an unknown name, as facts; several where the name is a list of names."""
        self.suggestions -= 1
        if self.suggestions < 0:
            return {}
        parts = [part.strip() for part in name.split(",")]
        if len(parts) > 1 and all(part in self.places for part in parts):
            listed = ", ".join(json.dumps(part, ensure_ascii=False) for part in parts)
            return {"help": f"write [{listed}]: a list of names, each in quotes", "listed": listed}
        behind = self.behind(asking)
        near = closest(name, islice((n for n, p in self.places.items() if p not in behind), _COMPARED))
        taken = (p in behind or self.readers[p] or self.kinds[p] is Kind.OUTPUT for p in self.places.values())
        left = [n for n, is_taken in zip(self.places, taken, strict=True) if not is_taken]
        renamed = len(left) == 1 and (near is None or distance(name.lower(), near.lower()) > 1)
        if renamed:
            near = left[0]
        if near is None:
            return {}
        layer = self.definition.layers[self.places[near]]
        where = f"{self.definition.source.name}:{_position(self.definition, layer.head)}"
        why = ", whose output nothing takes" if renamed else ""
        return {"help": f"use `{near}`{why}, defined at {where}", "near": near}

    @cached_property
    def readers(self) -> list[list[int]]:
        """The layers that read each layer, as far as their names are known."""
        found: list[list[int]] = [[] for _ in self.kinds]
        for place, layer in enumerate(self.definition.layers):
            named = (*(layer.sources or ()), *(layer.skips or ()))
            before = [self.places[n.value] for n in named if n.value in self.places]
            if layer.sources is None and place and self.kinds[place] is not Kind.INPUT:
                before.append(place - 1)
            for other in before:
                found[other].append(place)
        return found

    def behind(self, place: int) -> set[int]:
        """A layer and everything that depends on it: none of them can be its source."""
        found, ready = {place}, [place]
        while ready:
            ready += (new := set(self.readers[ready.pop()]) - found)
            found |= new
        return found

    def all(self, written: ast.Names, key: str, asking: int) -> tuple[int, ...]:
        found: list[int] = []
        seen: set[int] = set()
        for name in written:
            place = self.one(name, asking)
            if place in seen:
                place_of = at(self.definition.source, name.span)
                self.report(names.REPEATED_NAME, place_of, key=key, name=name.value)
            elif place is not None:
                seen.add(place)
                found.append(place)
        return tuple(found)


def _sources(
    definition: ast.Definition,
    place: int,
    kinds: tuple[Kind, ...],
    labels: tuple[str, ...],
    find: _Finder,
    report: Report,
) -> tuple[int, ...]:
    layer = definition.layers[place]
    if kinds[place] is Kind.INPUT:
        return ()
    if layer.sources:
        return find.all(layer.sources, "Source", place)
    if layer.sources is None and place > 0:
        return (place - 1,)
    if layer.sources is None:
        why = "it is the first of the list, so there is no layer before it"
    elif layer.skips:
        return ()
    else:
        why = "an empty list is possible only beside a Skip"
    report(names.NO_SOURCE, at(definition.source, layer.head), name=labels[place], why=why)
    return ()


def _layer(
    definition: ast.Definition,
    layer: ast.Layer,
    label: str,
    kind: Kind,
    type_: LayerType,
    sources: tuple[int, ...],
    report: Report,
) -> None:
    source = definition.source
    if kind is Kind.HIDDEN and layer.activation and layer.activation.value is Activation.SOFTMAX:
        report(names.HIDDEN_SOFTMAX, at(source, layer.activation.span), name=label)
    if kind in (Kind.INPUT, Kind.OUTPUT) and not (layer.dataset and layer.dataset.value):
        verb = "reads" if kind is Kind.INPUT else "learns"
        report(names.NO_DATASET, at(source, layer.head), name=label, kind=kind.name.capitalize(), verb=verb)
    if type_ is LayerType.POOLING and kind is not Kind.INPUT:
        _pooling(definition, layer, label, sources, report)


def _pooling(
    definition: ast.Definition, layer: ast.Layer, label: str, sources: tuple[int, ...], report: Report
) -> None:
    source = definition.source
    if layer.skips:
        report(names.SKIP_ON_POOLING, at(source, layer.skips[0].span), name=label)
    if layer.shared:
        report(names.NO_WEIGHTS, at(source, layer.shared[0].key), name=label)
    if layer.function is None:
        options = ", ".join(o.spelling for o in schema.POOLING.accepted)
        report(names.NO_FUNCTION, at(source, layer.head), name=label, options=options)
        return
    function = next(o.spelling for o in schema.POOLING.options if o.value == layer.function.value)
    facts = {"name": label, "function": function, "count": len(sources)}
    if layer.function.value in ("dotproduct", "cosine") and len(sources) < 2:
        report(names.FEW_SOURCES, at(source, layer.function.span), help=None, **facts)
    if layer.function.value in ("max", "average", "lrn") and len(sources) > 1:
        report(names.MANY_SOURCES, at(source, layer.function.span), help=None, **facts)


def _order(
    definition: ast.Definition,
    labels: tuple[str, ...],
    sources: tuple[tuple[int, ...], ...],
    skips: tuple[tuple[int, ...], ...],
    report: Report,
) -> tuple[int, ...] | None:
    """Places by the longest path from the inputs, then by place; None where circles are reported."""
    count = len(labels)
    before = [set(sources[i]) | set(skips[i]) for i in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for place, into in enumerate(before):
        for other in into:
            after[other].append(place)
    waiting = [len(into) for into in before]
    depth = [0] * count
    ready = [i for i in range(count) if not waiting[i]]
    for place in ready:
        for other in after[place]:
            depth[other] = max(depth[other], depth[place] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    if len(ready) == count:
        return tuple(sorted(range(count), key=lambda i: (depth[i], i)))
    for circle in _circles(before, {i for i in range(count) if waiting[i]}):
        shown = [*circle, circle[0]] if len(circle) <= 8 else [*circle[:7], circle[0]]
        path = " -> ".join(f"`{labels[i]}`" for i in shown)
        first = definition.layers[circle[0]]
        report(names.CYCLE, at(definition.source, first.head), path=path, unsaid=_unsaid(definition, labels, circle))
    return None


def _unsaid(definition: ast.Definition, labels: tuple[str, ...], circle: list[int]) -> str:
    """Which layer of a circle takes the one before it in the list because it has no Source, in words."""
    implied = (i for i in circle if definition.layers[i].sources is None and i - 1 in circle)
    place = next(implied, None)
    if place is None:
        return ""
    return f"; `{labels[place]}` has no Source and so takes the layer before it in the list, `{labels[place - 1]}`"


def _circles(before: list[set[int]], stuck: set[int]) -> Iterator[list[int]]:
    """One circle for each knot among the stuck layers, in the direction in which values flow."""
    seen: set[int] = set()
    for start in sorted(stuck):
        walk: list[int] = []
        steps: dict[int, int] = {}
        place = start
        while place not in seen:
            seen.add(place)
            steps[place] = len(walk)
            walk.append(place)
            place = min(other for other in before[place] if other in stuck)
        if place in steps:
            circle = walk[steps[place] :][::-1]
            first = circle.index(min(circle))
            yield circle[first:] + circle[:first]


def _unused(
    definition: ast.Definition,
    labels: tuple[str, ...],
    kinds: tuple[Kind, ...],
    sources: tuple[tuple[int, ...], ...],
    skips: tuple[tuple[int, ...], ...],
    report: Report,
) -> None:
    used = {i for edges in (*sources, *skips) for i in edges}
    for place, layer in enumerate(definition.layers):
        if kinds[place] is Kind.OUTPUT or place in used:
            continue
        remedy = "name it as a Source, or remove it"
        if layer.sources is None and kinds[place] is Kind.HIDDEN and kinds[place - 1] is Kind.OUTPUT:
            remedy = f"it stands behind Output layer `{labels[place - 1]}` and takes its input from it: move it before"
        report(advice.UNUSED_LAYER, at(definition.source, layer.head), name=labels[place], remedy=remedy)
