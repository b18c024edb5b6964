"""Which error functions go with which output activations and targets, and why others do not (dsstne.md 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang import ast, schema
from nnlang.codes import compat
from nnlang.codes import names as codes
from nnlang.diagnostics import Report, at
from nnlang.network import Activation, DataFacts, ErrorFunction, Layer, LayerType, Network

_PROBABILITIES = frozenset((Activation.SIGMOID, Activation.SOFTMAX))
_REFUSED = frozenset((Activation.PRELU, Activation.RELUMAX, Activation.LINEARMAX))
_ELEMENTWISE = frozenset(Activation) - _REFUSED - {Activation.SOFTMAX}

# Error function -> the activations that it is defined for, and what to do about others.
PAIRS: dict[ErrorFunction, tuple[frozenset[Activation], str]] = {
    ErrorFunction.L1: (
        _ELEMENTWISE,
        "shares that sum to 1 have no useful L1 gradient; use CrossEntropy, or another activation",
    ),
    ErrorFunction.L2: (_ELEMENTWISE | {Activation.SOFTMAX}, ""),
    ErrorFunction.L2_HINGE: (_ELEMENTWISE | {Activation.SOFTMAX}, ""),
    ErrorFunction.HINGE: (
        _ELEMENTWISE,
        "its targets are -1 and +1, shares are never negative; use CrossEntropy, or another activation",
    ),
    ErrorFunction.CROSS_ENTROPY: (
        _PROBABILITIES,
        "it takes the logarithm of outputs between 0 and 1; use Sigmoid or SoftMax, or the error function L2",
    ),
    ErrorFunction.SMCE: (
        _PROBABILITIES,
        "it takes the logarithm of outputs between 0 and 1; use Sigmoid or SoftMax, or the error function L2",
    ),
    ErrorFunction.DSMCE: (
        frozenset((Activation.SIGMOID,)),
        "it scales the cross entropy of single outputs; use Sigmoid",
    ),
}


def refusal(function: ErrorFunction, activation: Activation) -> str:
    """Why an error function does not go with an output activation; empty where it does."""
    allowed, reason = PAIRS[function]
    return "" if activation in allowed else reason


def target_refusal(function: ErrorFunction, facts: DataFacts) -> str:
    """Why an error function does not go with the targets of a data set; empty where it does."""
    if function is ErrorFunction.HINGE and facts.sparse:
        return "its targets are -1 and +1, so every unit needs a stored target; give a dense data set"
    if function is ErrorFunction.DSMCE and not facts.sparse:
        return "it scales by stored values; give a sparse analog data set, or use ScaledMarginalCrossEntropy"
    if function is ErrorFunction.DSMCE and facts.boolean:
        return "they have no values to scale by; give an analog data set, or use ScaledMarginalCrossEntropy"
    return ""


def not_yet(network: Network, *, training: bool = True) -> Iterator[tuple[Layer, str]]:
    """Layers that are understood, but that no kernel computes yet, each with what it is about them."""
    for layer in network.layers:
        if layer.type is not LayerType.FULLY_CONNECTED:
            yield layer, f"layers of Type {layer.type.name.title()}"
        elif layer.activation in _REFUSED:
            yield layer, f"the activation {layer.activation.name.title()}"
        elif training and layer.activation is Activation.SOFTMAX and layer.dropout > 0:
            yield layer, "SoftMax outputs with pDropout"


def spelling(function: ErrorFunction) -> str:
    """How definitions spell an error function."""
    return next(o.spelling for o in schema.ERROR_FUNCTION.options if o.value is function)


def activation_spelling(activation: Activation) -> str:
    """How definitions spell an activation."""
    return next(o.spelling for o in schema.ACTIVATION.options if o.value is activation)


def check_output(
    definition: ast.Definition,
    layer: ast.Layer,
    name: str,
    activation: Activation,
    facts: DataFacts | None,
    report: Report,
) -> None:
    """Report an output layer whose activation or targets the network's error function is not defined for."""
    written = definition.error_function
    function = written.value if written else ErrorFunction.CROSS_ENTROPY
    words = {"name": name, "function": spelling(function), "activation": activation_spelling(activation)}
    span = layer.activation.span if layer.activation else layer.head
    if reason := refusal(function, activation):
        report(codes.BAD_PAIR, at(definition.source, span), help=None, reason=reason, **words)
    elif function is ErrorFunction.HINGE or (function is ErrorFunction.L2 and activation is Activation.SOFTMAX):
        report(compat.TRUE_GRADIENT, at(definition.source, span), help=None, **words)
    if facts is not None and (reason := target_refusal(function, facts)):
        found = f"{'sparse' if facts.sparse else 'dense'} and {'boolean' if facts.boolean else 'analog'}"
        where = at(definition.source, layer.dataset.span if layer.dataset else layer.head)
        report(codes.BAD_TARGETS, where, help=None, found=found, dataset=facts.name, reason=reason, **words)
