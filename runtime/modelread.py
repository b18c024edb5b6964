"""A network and its numbers out of the attributes and variables of a model file, every one of them checked.

One road for DSSTNE's files and ours: the attributes give the network; what they hold rounded or not at all, a file of
ours says in its own group (`modelrecord.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Stop, stop
from nnlang.network import (
    Activation,
    ErrorFunction,
    Init,
    Kind,
    Layer,
    LayerType,
    Loss,
    Network,
    Scheme,
    Sparseness,
    Weight,
)
from nnlang.runtime.container import Container, Found
from nnlang.runtime.modelwrite import (
    ALIASES,
    BATCH_NORMALIZATION,
    DENOISING,
    KINDS,
    POOLING,
    SPARSE,
)

Float32 = NDArray[np.float32]
E = TypeVar("E", bound=Enum)

MOST_LAYERS, MOST_SOURCES, MOST_UNITS = 10_000, 1_024, 2**31 - 1  # reliability.md 9
_SLOPES = {
    "RELUSlope": (Activation.LEAKY_RELU,),
    "ELUAlpha": (Activation.ELU, Activation.SELU),
    "SELULambda": (Activation.SELU,),
}


@dataclass(frozen=True)
class Reader:
    """The attributes of a file whose names begin with `prefix`, each asked for by type and range."""

    file: Container
    attributes: Mapping[str, Found]
    prefix: str = ""

    def under(self, prefix: str) -> Reader:
        """The attributes of one layer or weight."""
        return Reader(self.file, self.attributes, prefix)

    def text(self, name: str, default: str | None = None) -> str:
        """An attribute that is text."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "a text is needed")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """An attribute that is a whole number from `low` to `high`, both included."""
        value = self._value(name, default)
        if not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high} is needed")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """An attribute that is a finite number."""
        value = self._value(name, default)
        if isinstance(value, str) or not math.isfinite(value):
            raise self.wrong(name, "a finite number is needed")
        return float(value)

    def member(self, name: str, kind: type[E], default: E | None = None) -> E:
        """An attribute that is a number of DSSTNE's enumeration (dsstne.md 0.3)."""
        return kind(self.whole(name, 0, len(kind) - 1, None if default is None else default.value))

    def names(self, word: str) -> list[str]:
        """The layers `source0`, `source1`, ... of which `sources` says how many."""
        return [self.text(f"{word}{j}") for j in range(self.whole(f"{word}s", 0, MOST_SOURCES, 0))]

    def wrong(self, name: str, reason: str) -> Stop:
        """The `Stop` for an attribute with a value that has no meaning."""
        name = self.prefix + name
        what = f"`{name}` = `{str(self.attributes.get(name))[:100]}`"
        return stop(
            codes.MODEL_CONTENT, self.file.place(f"attribute {name}"), path=self.file.path, what=what, reason=reason
        )

    def _value(self, name: str, default: Found | None) -> Found:
        value = self.attributes.get(self.prefix + name, default)
        if value is None:
            raise stop(
                codes.MODEL_INCOMPLETE, self.file.place(), path=self.file.path, what=f"attribute `{self.prefix}{name}`"
            )
        return value


def read_network(file: Container, attributes: Mapping[str, Found], order: Sequence[int] | None = None) -> Network:
    """The network that the attributes describe. `order`: positions of the layers in propagation order, where known.

    Otherwise layers stand by their longest path from the inputs, then by position (dsstne.md 1.7).
    """
    reader = Reader(file, attributes)
    rows = [reader.under(f"layer{i}_") for i in range(reader.whole("layers", 1, MOST_LAYERS))]
    places = {row.text("name"): place for place, row in enumerate(rows)}
    if len(places) < len(rows):
        raise reader.wrong("layers", "two layers have one name")
    edges = [_places(row, "source", places) for row in rows]
    skips = [_places(row, "skip", places) for row in rows]
    order = _order(reader, [[*e, *s] for e, s in zip(edges, skips, strict=True)], order)
    index = {place: i for i, place in enumerate(order)}
    penalty = _penalty(reader) if reader.whole("bSparsenessPenalty", 0, 1, 0) else None
    layers = [
        _layer(rows[p], i, p, [index[s] for s in edges[p]], [index[s] for s in skips[p]], penalty)
        for i, p in enumerate(order)
    ]
    for layer in layers:
        _check_layer(rows[layer.position], layer, layers)
    return Network(
        name=reader.text("name", ""),
        version=reader.number("version"),
        kind=KINDS[reader.whole("kind", 0, 1, 0)],
        layers=tuple(layers),
        weights=_weights(reader, layers),
        loss=_loss(reader),
        denoising=reader.number("denoising_p", 0.0) if reader.whole("bDenoising", 0, 1, 0) else 0.0,
        sparseness=penalty,
        shuffle=bool(reader.whole("ShuffleIndices", 0, 1, 1)),
        decay=reader.number("decay", 0.0),
        lrn=(
            reader.number("LRN_k", 2.0),
            reader.whole("LRN_n", -(2**31), 2**31, 5),
            reader.number("LRN_alpha", 1e-4),
            reader.number("LRN_beta", 0.75),
        ),
        maxout_k=reader.whole("maxout_k", -(2**31), 2**31, 2),
    )


def _places(row: Reader, word: str, places: Mapping[str, int]) -> list[int]:
    names = row.names(word)
    for j, name in enumerate(names):
        if name not in places:
            raise row.wrong(f"{word}{j}", "no layer has this name")
        if name in names[:j]:
            raise row.wrong(f"{word}{j}", "the same layer stands before it")
    return [places[name] for name in names]


def _order(reader: Reader, before: list[list[int]], known: Sequence[int] | None) -> Sequence[int]:
    """The propagation order; a known one is taken if every layer stands after what feeds it."""
    if known is not None and sorted(known) == list(range(len(before))):
        rank = {place: i for i, place in enumerate(known)}
        if all(rank[b] < rank[place] for place in known for b in before[place]):
            return known
    order = propagation(before)
    if order is None:
        raise reader.wrong("layers", "layers feed each other in a circle")
    return order


def propagation(before: list[list[int]]) -> list[int] | None:
    """Places by the longest path from those that nothing stands before, then by number; None for a circle."""
    feeds: list[list[int]] = [[] for _ in before]
    for place, sources in enumerate(before):
        for b in sources:
            feeds[b].append(place)
    missing = [len(sources) for sources in before]
    depth = {place: 0 for place, count in enumerate(missing) if not count}
    ready = list(depth)
    for place in ready:
        for fed in feeds[place]:
            depth[fed] = max(depth.get(fed, 0), depth[place] + 1)
            missing[fed] -= 1
            if not missing[fed]:
                ready.append(fed)
    return None if len(ready) < len(before) else sorted(ready, key=lambda p: (depth[p], p))


def _layer(
    row: Reader, index: int, position: int, sources: list[int], skips: list[int], penalty: Sparseness | None
) -> Layer:
    kind, bits = row.member("kind", Kind), row.whole("attributes", 0, 2**32 - 1, 0)
    activation = row.member("activation", Activation, Activation.SIGMOID if kind is Kind.INPUT else None)
    nx, ny, nz, nw = (row.whole(name, 1, MOST_UNITS) for name in ("Nx", "Ny", "Nz", "Nw"))
    return Layer(
        index=index,
        position=position,
        name=row.text("name"),
        kind=kind,
        type=row.member("type", LayerType),
        dims=(nx, ny, nz, nw),
        dimensions=row.whole("dimensions", 1, 4),
        dataset=row.text("dataSet", ""),
        sources=tuple(sources),
        skips=tuple(skips),
        activation=activation,
        slope=_slope(row, "RELUSlope", activation, Layer.slope),
        elu_alpha=_slope(row, "ELUAlpha", activation, Layer.elu_alpha),
        selu_lambda=_slope(row, "SELULambda", activation, Layer.selu_lambda),
        dropout=row.number("pDropout", 0.0),
        sparse=bool(bits & SPARSE),
        denoising=bool(bits & DENOISING),
        sparseness=_own_penalty(row, penalty) if kind is Kind.HIDDEN and bits & SPARSE else None,
        batch_normalization=bool(bits & BATCH_NORMALIZATION),
        weight_norm=row.number("weightNorm", 0.0),
        delta_norm=row.number("deltaNorm", 0.0),
        init=_init(row),
        function=_function(row),
        kernel=_triple(row, "kernel"),
        kernel_stride=_triple(row, "kernelStride"),
        kernel_dimensions=row.whole("kernelDimensions", 0, 3, 0),
    )


def _slope(row: Reader, name: str, activation: Activation, default: float) -> float:
    """A number of the activation; one that the activation uses must be there."""
    return row.number(name, None if activation in _SLOPES[name] else default)


def _triple(row: Reader, word: str) -> tuple[int, int, int]:
    x, y, z = (row.whole(word + axis, 1, MOST_UNITS, 1) for axis in "XYZ")
    return x, y, z


def _init(row: Reader) -> Init:
    scheme = row.member("weightInit", Scheme, Scheme.XAVIER)
    return Init(scheme, row.number("weightInitScale", 1.0), row.number("biasInit", 0.0))


def _function(row: Reader) -> str:
    """The pooling function, from DSSTNE's number or from a word."""
    found = row.attributes.get(row.prefix + "poolingfunction", 0)
    if isinstance(found, str):
        word = ALIASES.get(found.lower(), found.lower())
        if word not in POOLING:
            raise row.wrong("poolingfunction", "no pooling function has this name")
        return word
    return POOLING[row.whole("poolingfunction", 0, len(POOLING) - 1, 0)]


def _penalty(reader: Reader) -> Sparseness:
    return Sparseness(reader.number("sparsenessPenalty_p", 0.0), reader.number("sparsenessPenalty_beta", 0.0))


def _own_penalty(row: Reader, whole: Sparseness | None) -> Sparseness | None:
    """A layer's penalty: what it overrides counts if positive, and only where the network has one (dsstne.md 1.4)."""
    if whole is None or whole.beta <= 0:
        return None
    own = _penalty(row)
    return Sparseness(own.p if own.p > 0 else whole.p, own.beta if own.beta > 0 else whole.beta)


def _check_layer(row: Reader, layer: Layer, layers: Sequence[Layer]) -> None:
    if layer.units > MOST_UNITS:
        raise row.wrong("Nx", f"with its other axes it makes more than {MOST_UNITS} units")
    if not 0 <= layer.dropout < 1:
        raise row.wrong("pDropout", "a probability below 1 is needed")
    if layer.kind is Kind.INPUT and (layer.sources or layer.skips):
        raise row.wrong("sources", "an Input layer has none")
    if layer.kind is not Kind.INPUT and not (layer.sources or layer.skips):
        raise row.wrong("sources", "a layer that is no input needs at least one")
    for j, other in enumerate(layer.skips):
        if layers[other].units != layer.units:
            raise row.wrong(f"skip{j}", "a skip joins layers of one size")


def _weights(reader: Reader, layers: Sequence[Layer]) -> tuple[Weight, ...]:
    """The weights in the order of the file, one for every edge, shared ones with their owners."""
    index = {layer.name: layer.index for layer in layers}
    wanted = {(s, layer.index) for layer in layers if layer.type is not LayerType.POOLING for s in layer.sources}
    count = reader.whole("weights", 0, MOST_LAYERS * MOST_SOURCES)
    if count != len(wanted):
        raise reader.wrong("weights", f"the layers have {len(wanted)} edges")
    rows = [reader.under(f"weight{i}_") for i in range(count)]
    edges = [(_end(row, "inputLayer", index), _end(row, "outputLayer", index)) for row in rows]
    if set(edges) != wanted:
        raise reader.wrong("weights", "they are not the edges of the layers")
    number = {edge: i for i, edge in enumerate(edges) if not rows[i].whole("bShared", 0, 1, 0)}
    weights = []
    for i, (row, (source, target)) in enumerate(zip(rows, edges, strict=True)):
        if (source, target) in number:
            weights.append(Weight(i, source, target))
            continue
        owner = (_end(row, "sourceInputLayer", index), _end(row, "sourceOutputLayer", index))
        transposed = bool(row.whole("bTransposed", 0, 1))
        if owner not in number:
            raise row.wrong("sourceInputLayer", "the weights that it shares have no matrix of their own")
        shape = [layers[end].units for end in owner]
        if shape[:: -1 if transposed else 1] != [layers[source].units, layers[target].units]:
            raise row.wrong("sourceInputLayer", "the weights that it shares have another shape")
        weights.append(Weight(i, source, target, number[owner], transposed))
    return tuple(weights)


def _end(row: Reader, name: str, index: Mapping[str, int]) -> int:
    layer = row.text(name)
    if layer not in index:
        raise row.wrong(name, "no layer has this name")
    return index[layer]


def _loss(reader: Reader) -> Loss:
    return Loss(
        function=reader.member("errorFunction", ErrorFunction),
        one_target=reader.number("SMCE_oneTarget", 0.9),
        zero_target=reader.number("SMCE_zeroTarget", 0.1),
        one_scale=reader.number("SMCE_oneScale", 1.0),
        zero_scale=reader.number("SMCE_zeroScale", 1.0),
        boost_one=reader.number("deltaBoost_one", 1.0),
        boost_zero=reader.number("deltaBoost_zero", 1.0),
    )
