"""Warnings and notes on definitions that are sound: keys without effect, and numbers that differ from DSSTNE's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnlang import ast
from nnlang.codes import advice, compat
from nnlang.diagnostics import Report, at
from nnlang.legality import activation_spelling, spelling
from nnlang.network import Activation, DataFacts, ErrorFunction, Kind, LayerType, Scheme
from nnlang.source import Span
from nnlang.topology import Topology


def note(definition: ast.Definition, topology: Topology, data: Mapping[str, DataFacts], report: Report) -> None:
    """Report what a sound definition says in vain, and where it depended on numbers of DSSTNE's that we do not have."""
    for place, layer in enumerate(definition.layers):
        name = topology.names[place]
        kind, type_ = topology.kinds[place], topology.types[place]
        _without_effect(definition, layer, name, kind, type_, report)
        _regularised(definition, layer, name, kind, data, report)
        if kind is not Kind.INPUT and type_ is not LayerType.POOLING:
            _other_numbers(definition, layer, name, report)
        if len(topology.sources[place]) > 4 and type_ is not LayerType.POOLING:
            span = layer.sources[0].key if layer.sources else layer.head
            report(compat.MANY_SOURCES, at(definition.source, span), name=name, count=len(topology.sources[place]))
    _network(definition, topology, report)
    training_notes(definition.training, definition, report)


# Parameters of activations: field, key, the activation that they belong to.
_PARAMETERS = (
    ("slope", "ReluSlope", (Activation.LEAKY_RELU,)),
    ("elu_alpha", "EluAlpha", (Activation.ELU, Activation.SELU)),
    ("selu_lambda", "SeluLambda", (Activation.SELU,)),
)
# What a pooling layer has none of.
_POOLING = (
    ("activation", "Activation"),
    ("dropout", "pDropout"),
    ("init", "WeightInit"),
    ("weight_norm", "WeightNorm"),
    ("delta_norm", "DeltaNorm"),
    ("batch_normalization", "BatchNormalization"),
    ("sparseness", "SparsenessPenalty"),
    ("slope", "ReluSlope"),
    ("elu_alpha", "EluAlpha"),
    ("selu_lambda", "SeluLambda"),
)


def _without_effect(
    definition: ast.Definition, layer: ast.Layer, name: str, kind: Kind, type_: LayerType, report: Report
) -> None:
    def say(field: str, key: str, reason: str, decided: bool = True) -> None:
        value = getattr(layer, field)
        if value is not None:
            first = value[0] if isinstance(value, tuple) else value
            facts: dict[str, Any] = {"key": key, "name": name, "reason": reason, "decided": decided}
            report(advice.NO_EFFECT, at(definition.source, first.key), **facts)

    if kind is Kind.INPUT:
        if type_ is not LayerType.FULLY_CONNECTED:
            say("type", "Type", "an Input layer computes nothing")
        return
    if type_ is LayerType.POOLING:
        for field, key in _POOLING:
            say(field, key, "a pooling layer has no weights and no activation")
        return
    if type_ is LayerType.FULLY_CONNECTED:
        say("kernel", "Kernel", "a fully connected layer has no kernel", layer.type is not None)
        say("stride", "KernelStride", "a fully connected layer has no kernel", layer.type is not None)
    activation = layer.activation.value if layer.activation else Activation.SIGMOID
    for field, key, users in _PARAMETERS:
        if activation not in users:
            say(field, key, f"its activation is {activation_spelling(activation)}", layer.activation is not None)
    init = layer.init
    if init and init.scheme and init.scheme.value is Scheme.SELU and init.scale:
        reason = "the scheme SELU takes its deviation from the number of inputs"
        facts: dict[str, Any] = {"key": "Scale", "name": name, "reason": reason, "decided": True}
        report(advice.NO_EFFECT, at(definition.source, init.scale.key), **facts)


def _regularised(
    definition: ast.Definition, layer: ast.Layer, name: str, kind: Kind, data: Mapping[str, DataFacts], report: Report
) -> None:
    source = definition.source
    facts = data.get(layer.dataset.value) if layer.dataset else None
    facts = None if facts and facts.assumed else facts
    sparse = facts.sparse if facts else bool(layer.sparse and layer.sparse.value)
    dropout = layer.dropout if layer.dropout and layer.dropout.value > 0 else None
    if kind is Kind.INPUT:
        denoised = denoising(definition) > 0 and layer.sparse is not None and layer.sparse.value
        if denoised and layer.sparse and facts and not facts.sparse:
            report(advice.DENSE_DENOISING, at(source, layer.sparse.span), name=name, dataset=facts.name)
        if dropout and sparse:
            report(advice.SPARSE_DROPOUT, at(source, dropout.span), name=name)
    elif kind is Kind.OUTPUT and dropout:
        report(advice.OUTPUT_DROPOUT, at(source, dropout.span), name=name)
    elif layer.sparseness and not penalty_strength(definition):
        reason, remedy = "the network has no SparsenessPenalty", 'write one at the top level, with "beta" above 0'
        report(advice.LONE_PENALTY, at(source, layer.sparseness.key), name=name, reason=reason, remedy=remedy)
    elif layer.sparseness and not penalised(layer):
        reason, remedy = "the layer is not Sparse", 'write "Sparse": true'
        report(advice.LONE_PENALTY, at(source, layer.sparseness.key), name=name, reason=reason, remedy=remedy)


def denoising(definition: ast.Definition) -> float:
    """The network's denoising probability; 0 is off."""
    return definition.denoising.p.value if definition.denoising and definition.denoising.p else 0.0


def penalty_strength(definition: ast.Definition) -> float:
    """The beta of the network's sparseness penalty; 0 is off."""
    return definition.sparseness.beta.value if definition.sparseness and definition.sparseness.beta else 0.0


def penalised(layer: ast.Layer) -> bool:
    """Whether a hidden layer takes the sparseness penalty, by its boolean SparsenessPenalty or else its Sparse."""
    written = layer.penalty or layer.sparse
    return bool(written and written.value)


def _other_numbers(definition: ast.Definition, layer: ast.Layer, name: str, report: Report) -> None:
    source = definition.source
    activation = layer.activation
    if activation is not None:
        where = at(source, activation.span)
        if activation.value is Activation.LEAKY_RELU and not (layer.slope or definition.slope):
            report(compat.LEAKY_SLOPE, where, name=name)
        if activation.value is Activation.SELU and not (layer.elu_alpha or definition.elu_alpha):
            report(compat.SELU_ALPHA, where, name=name)
        if activation.value in (Activation.SOFTPLUS, Activation.SOFTSIGN):
            report(compat.WAS_IDENTITY, where, activation=activation_spelling(activation.value))
    if layer.batch_normalization and layer.batch_normalization.value:
        report(compat.BATCH_NORMALIZATION, at(source, layer.batch_normalization.key))
    if layer.init:
        _other_weights(definition, layer.init, report)


def _other_weights(definition: ast.Definition, init: ast.WeightInit, report: Report) -> None:
    scheme = init.scheme.value if init.scheme else Scheme.XAVIER
    scale = init.scale.value if init.scale else 1.0
    span = init.scheme.span if init.scheme else init.key
    if scheme is Scheme.CONSTANT and scale:
        report(compat.CONSTANT_INIT, at(definition.source, span), scale=f"{scale:g}")
    if scheme is Scheme.SELU:
        report(compat.SELU_INIT, at(definition.source, span))
    if scheme is Scheme.XAVIER and init.scale and scale != 1.0:
        report(compat.XAVIER_SCALE, at(definition.source, init.scale.span))


def _network(definition: ast.Definition, topology: Topology, report: Report) -> None:
    source = definition.source
    layers = list(zip(definition.layers, topology.kinds, strict=True))
    if definition.weights_data is not None:
        report(compat.WEIGHTS_DATA, at(source, definition.weights_data.key))
    if definition.maxout is not None:
        report(compat.MAX_OUT, at(source, definition.maxout.key))
    if denoising(definition) > 0 and not any(k is Kind.INPUT and la.sparse and la.sparse.value for la, k in layers):
        report(advice.NOTHING_DENOISED, at(source, _key(definition.denoising)))
    if penalty_strength(definition) > 0 and not any(k is Kind.HIDDEN and penalised(la) for la, k in layers):
        report(advice.NOTHING_PENALISED, at(source, _key(definition.sparseness)))
    function = definition.error_function.value if definition.error_function else ErrorFunction.CROSS_ENTROPY
    if definition.smce is not None and function not in (ErrorFunction.SMCE, ErrorFunction.DSMCE):
        written, name = definition.error_function, spelling(ErrorFunction.SMCE)
        reason = f"the error function is {spelling(function)}" + (
            "" if written else ", which it is where none is written"
        )
        remedy = f'write "ErrorFunction": "{name}" at the top level, or remove it'
        key = source.text[definition.smce.key.start + 1 : definition.smce.key.end - 1]
        facts = {"key": key, "reason": reason, "remedy": remedy, "add": "" if written else name}
        report(advice.UNUSED_PARAMETERS, at(source, definition.smce.key), **facts)
    if definition.lrn is not None and not any(la.function and la.function.value == "lrn" for la, _ in layers):
        reason = "no pooling layer has the function LRN"
        key = source.text[definition.lrn.key.start + 1 : definition.lrn.key.end - 1]
        facts = {"key": key, "reason": reason, "remedy": 'write "Function": "LRN" in a pooling layer, or remove it'}
        report(advice.UNUSED_PARAMETERS, at(source, definition.lrn.key), **facts)


def _key(record: ast.Denoising | ast.Sparseness | None) -> Span:
    return record.key if record else Span(0, 0)


def training_notes(training: ast.Training | None, definition: ast.Definition | ast.Job, report: Report) -> None:
    """Report training parameters without effect."""
    if training is None:
        return
    interval, multiplier = training.alpha_interval, training.alpha_multiplier
    if multiplier and not (interval and interval.value):
        facts = {"key": "AlphaMultiplier", "reason": "Alpha is never multiplied without an AlphaInterval"}
        report(advice.INTERVAL_WITHOUT_EFFECT, at(definition.source, multiplier.key), help=None, **facts)
