"""The matrices of a network: one for each edge of a layer with weights, and which of them are one (dsstne.md 1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnlang import ast
from nnlang.codes import names as codes
from nnlang.codes import shapes as shape_codes
from nnlang.diagnostics import Report, at
from nnlang.network import Kind, LayerType
from nnlang.shapes import Shape
from nnlang.suggest import did_you_mean
from nnlang.topology import Topology

Edge = tuple[int, int]  # places of source and target


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
    found: dict[Edge, Share] = {}
    spans: dict[Edge, ast.SharedWeights] = {}
    for place, layer in enumerate(definition.layers):
        for entry in layer.shared or ():
            shared = _entry(definition, topology, place, entry, places, known, report)
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
    report: Report,
) -> Share | None:
    source = definition.source
    names = _listed(topology, topology.sources[place])
    input_place = places.get(entry.input.value)
    if input_place is None or (input_place, place) not in known:
        facts = {"layer": topology.names[place], "name": entry.input.value, "names": names}
        report(codes.NOT_A_SOURCE, at(source, entry.input.span), help=None, **facts)
        return None
    first, second = (places.get(w.value) for w in (entry.source_input, entry.source_output))
    if first is None or second is None or (first, second) not in known:
        wrong = entry.source_output if second is None else entry.source_input
        facts = {"source": entry.source_input.value, "target": entry.source_output.value}
        hint = _hint(topology, entry.source_output.value, second)
        report(codes.NO_SUCH_WEIGHTS, at(source, wrong.span), help=None, hint=hint, **facts)
        return None
    if (first, second) == (input_place, place):
        report(codes.SHARES_ITSELF, at(source, entry.source_input.span))
        return None
    return Share((first, second), bool(entry.transposed and entry.transposed.value))


def _hint(topology: Topology, name: str, place: int | None) -> str:
    if place is None:
        return did_you_mean(name, topology.names[:2_000]) or f"no layer is called `{name}`"
    if topology.kinds[place] is Kind.INPUT or topology.types[place] is LayerType.POOLING:
        return f"layer `{name}` has no weights"
    return f"the sources of `{name}` are {_listed(topology, topology.sources[place])}"


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
        owner = found[shared.owner].owner
        facts = {"source": entry.source_input.value, "target": entry.source_output.value}
        a, b = topology.names[owner[0]], topology.names[owner[1]]
        report(codes.SHARED_TWICE, where, help=None, owner_source=a, owner_target=b, **facts)
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
        source=topology.names[edge[0]],
        target=topology.names[edge[1]],
        reason=reason if same else "the two layers need the same Type and Kernel",
    )


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
