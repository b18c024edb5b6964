"""What a definition means: abstract syntax to `Network`, with every default filled in and every reference resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

from nnlang import ast, schema
from nnlang.ast import Written
from nnlang.diagnostics import Report
from nnlang.legality import check_output
from nnlang.network import (
    Activation,
    DataFacts,
    Init,
    Kind,
    Layer,
    LayerType,
    Loss,
    Network,
    Sparseness,
    Training,
    Weight,
)
from nnlang.notes import denoising, note, penalised, penalty_strength
from nnlang.preparing import preparation, prepared_facts
from nnlang.shapes import Shape, measure, triple
from nnlang.sharing import Edge, Share, edges, share
from nnlang.topology import Topology, arrange


def resolve(
    definition: ast.Definition, data: Mapping[str, DataFacts], report: Report, *, need_shapes: bool = True
) -> Network | None:
    """The network that a definition means, or None with everything that speaks against it reported.

    `data` are the facts of the data sets at hand, by name. Where one is missing and `need_shapes` is False, layers of
    "auto" size keep the dims (0, 0, 0, 0) and whatever depends on sizes stays unchecked (`nnlang lint`).
    """
    before = len(report.errors)
    topology = arrange(definition, report)
    if topology is None:
        return None
    steps = preparation(definition, topology, data, report)
    data = prepared_facts(steps, data)
    shapes = measure(definition, topology, data, need_shapes, report)
    shared = share(definition, topology, shapes, report)
    for place, layer in enumerate(definition.layers):
        if topology.kinds[place] is Kind.OUTPUT:
            facts = data.get(layer.dataset.value) if layer.dataset else None
            if facts and facts.assumed and not need_shapes:
                facts = None  # only named: what its targets are is not known
            check_output(definition, layer, topology.names[place], _activation(layer, topology, place), facts, report)
    if len(report.errors) > before:
        return None
    note(definition, topology, data, report)
    return replace(_network(definition, topology, shapes, shared, data), preparation=steps)


def resolve_training(training: ast.Training | None) -> dict[str, object]:
    """The training parameters that were written, by the field names of `network.Training`."""
    if training is None:
        return {}
    names = [f.name for f in fields(Training)]
    written = {name: getattr(training, name) for name in names}
    return {name: value.value for name, value in written.items() if value is not None}


T = TypeVar("T")


_PARAMETERS = ("slope", "elu_alpha", "selu_lambda")  # of activations, of the network or of a layer


def _of(written: Written[T] | None, default: T) -> T:
    return default if written is None else written.value


def _written(record: object, *names: str) -> dict[str, Any]:
    """What was written of some fields of a record; the rest takes the defaults of the dataclasses of `network`."""
    values = {name: getattr(record, name, None) for name in names}
    return {name: value.value for name, value in values.items() if value is not None}


def _network(
    definition: ast.Definition,
    topology: Topology,
    shapes: tuple[Shape, ...],
    shared: Mapping[Edge, Share],
    data: Mapping[str, DataFacts],
) -> Network:
    index = {place: i for i, place in enumerate(topology.order)}
    bound = dict.fromkeys(la.dataset.value for la in definition.layers if la.dataset and la.dataset.value in data)
    names = ("k", "n", "alpha", "beta")
    lrn = {name: schema.LRN.default(name) for name in names} | _written(definition.lrn, *names)
    optional = _written(definition, "shuffle", "decay", "slope", "elu_alpha", "selu_lambda")
    if definition.maxout and definition.maxout.k:
        optional["maxout_k"] = definition.maxout.k.value
    return Network(
        name=_of(definition.name, ""),
        version=_of(definition.version, 0.9),
        kind=_of(definition.kind, "FeedForward"),
        layers=tuple(_layer(definition, topology, shapes, place, index, data) for place in topology.order),
        weights=_weights(topology, shared, index),
        loss=_loss(definition),
        denoising=denoising(definition),
        sparseness=_sparseness(definition),
        lrn=cast("tuple[float, int, float, float]", tuple(lrn[name] for name in names)),
        data=tuple(data[name] for name in bound),
        **optional,
    )


def _weights(topology: Topology, shared: Mapping[Edge, Share], index: Mapping[int, int]) -> tuple[Weight, ...]:
    number = {edge: i for i, edge in enumerate(edges(topology))}
    weights = []
    for edge, i in number.items():
        use = shared.get(edge)
        owner, transposed = (number[use.owner], use.transposed) if use else (None, False)
        weights.append(Weight(i, index[edge[0]], index[edge[1]], owner, transposed))
    return tuple(weights)


def _loss(definition: ast.Definition) -> Loss:
    values = _written(definition.smce, "one_target", "zero_target", "one_scale", "zero_scale")
    if definition.error_function is not None:
        values["function"] = definition.error_function.value
    values |= {f"boost_{name}": value for name, value in _written(definition.delta_boost, "one", "zero").items()}
    return Loss(**values)


def _sparseness(definition: ast.Definition) -> Sparseness | None:
    written = definition.sparseness
    if written is None or not penalty_strength(definition):
        return None
    return Sparseness(_of(written.p, 0.0), penalty_strength(definition))


def _layer_sparseness(definition: ast.Definition, layer: ast.Layer) -> Sparseness | None:
    """The network's penalty, each number replaced by the layer's own where that is above zero (dsstne.md 1.4)."""
    network = _sparseness(definition)
    if network is None or not penalised(layer):
        return None
    own = layer.sparseness or ast.Sparseness(layer.span, layer.span)
    return Sparseness(_of(own.p, 0.0) or network.p, _of(own.beta, 0.0) or network.beta)


def _activation(layer: ast.Layer, topology: Topology, place: int) -> Activation:
    if topology.types[place] is LayerType.POOLING or topology.kinds[place] is Kind.INPUT:
        return Activation.LINEAR
    return _of(layer.activation, Activation.SIGMOID)


def _layer(
    definition: ast.Definition,
    topology: Topology,
    shapes: tuple[Shape, ...],
    place: int,
    index: Mapping[int, int],
    data: Mapping[str, DataFacts],
) -> Layer:
    layer, kind = definition.layers[place], topology.kinds[place]
    activation = _activation(layer, topology, place)
    dataset = _of(layer.dataset, "")
    facts = data.get(dataset)
    sparse = _of(layer.sparse, False)
    is_sparse = facts.sparse if facts else sparse
    pooling = topology.types[place] is LayerType.POOLING
    optional = _written(definition, *_PARAMETERS) | _written(
        layer, *_PARAMETERS, "weight_norm", "delta_norm", "function"
    )
    if activation is Activation.SELU:
        optional.setdefault("elu_alpha", schema.SELU_ALPHA)
    if topology.types[place] is not LayerType.FULLY_CONNECTED and kind is not Kind.INPUT:
        optional["kernel"], optional["kernel_stride"] = triple(layer.kernel), triple(layer.stride)
        optional["kernel_dimensions"] = len(layer.kernel or (1,))
    return Layer(
        index=index[place],
        position=place,
        name=topology.names[place],
        kind=kind,
        type=topology.types[place],
        dims=shapes[place].dims,
        dimensions=shapes[place].axes,
        dataset=dataset,
        sources=tuple(index[i] for i in topology.sources[place]),
        skips=tuple(index[i] for i in topology.skips[place]),
        activation=activation,
        # Sparse inputs are denoised instead, pooling layers drop nothing (dsstne.md 7).
        dropout=0.0 if pooling or (kind is Kind.INPUT and is_sparse) else _of(layer.dropout, 0.0),
        sparse=sparse,
        denoising=kind is Kind.INPUT and sparse and is_sparse and denoising(definition) > 0,
        sparseness=_layer_sparseness(definition, layer) if kind is Kind.HIDDEN and not pooling else None,
        batch_normalization=_of(layer.batch_normalization, False) and not pooling,
        init=Init(**_written(layer.init, "scheme", "scale", "bias")),
        **optional,
    )
