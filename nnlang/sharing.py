"""The matrices of a network: one for each edge of a layer with weights, and which of them are one (dsstne.md 1.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnlang import ast
from nnlang.codes import names as codes
from nnlang.codes import shapes as shape_codes
from nnlang.diagnostics import Report, at
from nnlang.network import Kind, LayerType
from nnlang.shapes import Shape
from nnlang.suggest import SUGGESTIONS, closest
from nnlang.topology import Topology

Edge = tuple[int, int]  # places of source and target

_COMPARED = 2_000  # names that one suggestion looks at
_STEPS = 64  # of a chain that one finding follows


@dataclass(frozen=True)
class Share:
    """What one edge uses instead of a matrix of its own."""

    owner: Edge
    transposed: bool


def edges(topology: Topology) -> tuple[Edge, ...]:
    """Every edge that has weights, in construction order: layers by place, their sources in the order written."""
    return tuple(
        (source, place)
        for place, into in enumerate(topology.sources)
        if topology.kinds[place] is not Kind.INPUT and topology.types[place] is not LayerType.POOLING
        for source in into
    )


def share(
    definition: ast.Definition, topology: Topology, shapes: tuple[Shape, ...], report: Report
) -> dict[Edge, Share]:
    """The edges that share, with what they share; entries that make no sense are reported and left out."""
    places = {name: place for place, name in enumerate(topology.names)}
    known = frozenset(edges(topology))
    hints = iter(range(SUGGESTIONS))
    found: dict[Edge, Share] = {}
    spans: dict[Edge, ast.SharedWeights] = {}
    for place, layer in enumerate(definition.layers):
        for entry in layer.shared or ():
            shared = _entry(definition, topology, place, entry, places, known, hints, report)
            if shared is None:
                continue
            edge = (places[entry.input.value], place)
            if edge in found:
                where = at(definition.source, entry.input.span)
                report(codes.REPEATED_SHARE, where, name=entry.input.value)
                continue
            found[edge], spans[edge] = shared, entry
    for edge, entry in spans.items():
        _check(definition, topology, shapes, edge, entry, found, report)
    return found


def _entry(
    definition: ast.Definition,
    topology: Topology,
    place: int,
    entry: ast.SharedWeights,
    places: Mapping[str, int],
    known: frozenset[Edge],
    hints: Iterator[int],
    report: Report,
) -> Share | None:
    source = definition.source
    names = _listed(topology, topology.sources[place])
    input_place = places.get(entry.input.value)
    if input_place is None or (input_place, place) not in known:
        sources = [topology.names[i] for i in topology.sources[place]]
        near = sources[0] if len(sources) == 1 else _nearest(entry.input.value, sources, hints)
        facts = {"layer": topology.names[place], "name": entry.input.value, "names": names, "near": near}
        report(codes.NOT_A_SOURCE, at(source, entry.input.span), help=None, **facts)
        return None
    first, second = (places.get(w.value) for w in (entry.source_input, entry.source_output))
    if first is None or second is None or (first, second) not in known:
        wrong = entry.source_output if second is None else entry.source_input
        missing = places.get(wrong.value) is None
        near = _nearest(wrong.value, topology.names[:_COMPARED], hints) if missing else ""
        told = wrong if missing else entry.source_output
        facts = {"source": entry.source_input.value, "target": entry.source_output.value, "near": near}
        hint = f"did you mean `{near}`?" if near else _hint(topology, told.value, places.get(told.value))
        report(codes.NO_SUCH_WEIGHTS, at(source, wrong.span), help=None, hint=hint, **facts)
        return None
    if (first, second) == (input_place, place):
        report(codes.SHARES_ITSELF, at(source, entry.source_input.span))
        return None
    return Share((first, second), bool(entry.transposed and entry.transposed.value))


def _hint(topology: Topology, name: str, place: int | None) -> str:
    if place is None:
        return f"no layer is called `{name}`"
    if topology.kinds[place] is Kind.INPUT or topology.types[place] is LayerType.POOLING:
        return f"layer `{name}` has no weights"
    return f"the sources of `{name}` are {_listed(topology, topology.sources[place])}"


def _nearest(name: str, candidates: Iterable[str], hints: Iterator[int]) -> str:
    """The nearest name, empty where there is none; for the first few only, since each looks at every candidate."""
    return (closest(name, candidates) or "") if next(hints, None) is not None else ""


def _listed(topology: Topology, places: tuple[int, ...]) -> str:
    shown = ", ".join(f"`{topology.names[i]}`" for i in places[:8])
    return (shown + (", ..." if len(places) > 8 else "")) or "none"


def _check(
    definition: ast.Definition,
    topology: Topology,
    shapes: tuple[Shape, ...],
    edge: Edge,
    entry: ast.SharedWeights,
    found: Mapping[Edge, Share],
    report: Report,
) -> None:
    shared = found[edge]
    where = at(definition.source, entry.source_input.span)
    if shared.owner in found:
        report(codes.SHARED_TWICE, where, **_chained(topology, edge, entry, found))
        return
    if not all(shapes[i].known for i in (*shared.owner, *edge)):
        return
    given, needed = _matrix(definition, topology, shapes, shared.owner), _matrix(definition, topology, shapes, edge)
    if shared.transposed:
        given = given[::-1]
    same = _same_kernels(definition, topology, shared.owner[1], edge[1]) and not (
        shared.transposed and topology.types[edge[1]] is not LayerType.FULLY_CONNECTED
    )
    if given == needed and same:
        return
    swapped = given == needed[::-1] and same
    reason = (
        'write "Transposed": ' + ("false" if shared.transposed else "true")
        if swapped
        else "shared edges need equal shapes"
    )
    report(
        shape_codes.SHARED_SHAPE,
        where,
        found=f"{given[0]} x {given[1]}",
        way="transposed" if shared.transposed else "as they are",
        expected=f"{needed[0]} x {needed[1]}",
        turn=("false" if shared.transposed else "true") if swapped else "",
        source=topology.names[edge[0]],
        target=topology.names[edge[1]],
        reason=reason if same else "the two layers need the same Type and Kernel",
    )


def _chained(topology: Topology, edge: Edge, entry: ast.SharedWeights, found: Mapping[Edge, Share]) -> dict[str, Any]:
    """The facts about an edge that shares from one that shares: the edge at the end of the chain, if it has one."""
    facts = {"source": entry.source_input.value, "target": entry.source_output.value}
    seen, owner, turned = {edge}, found[edge].owner, False
    while owner in found and owner not in seen and len(seen) < _STEPS:
        seen.add(owner)
        turned ^= found[owner].transposed
        owner = found[owner].owner
    if owner in seen:
        help = "they share from each other in a circle; let one of them have weights of its own"
        return {**facts, "owner_source": "", "owner_target": "", "help": help}
    names = {"owner_source": topology.names[owner[0]], "owner_target": topology.names[owner[1]]}
    return {**facts, **names, "turned": turned}


def _matrix(definition: ast.Definition, topology: Topology, shapes: tuple[Shape, ...], edge: Edge) -> tuple[int, int]:
    """The two sizes that sharing must match: units, or the channels of a convolution."""
    first, second = shapes[edge[0]], shapes[edge[1]]
    if topology.types[edge[1]] is LayerType.FULLY_CONNECTED:
        return first.units, second.units
    channel = len(definition.layers[edge[1]].kernel or (1,))
    return first.dims[channel], second.dims[channel]


def _same_kernels(definition: ast.Definition, topology: Topology, first: int, second: int) -> bool:
    if topology.types[first] is not topology.types[second]:
        return False
    if topology.types[first] is LayerType.FULLY_CONNECTED:
        return True
    sizes = [tuple(n.value for n in definition.layers[i].kernel or ()) for i in (first, second)]
    return sizes[0] == sizes[1]
