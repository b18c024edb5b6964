"""NN5: numbers that are allowed and hardly meant. Settings that stop learning, begin saturated, or cross each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from nnlang import ast, schema
from nnlang.codes import advice as codes
from nnlang.diagnostics import Diagnostic
from nnlang.legality import activation_spelling
from nnlang.network import Activation, ErrorFunction, Kind, Layer, LayerType, Network, Optimizer, Scheme
from nnlang.rules.graph import FLAT
from nnlang.rules.rule import Example, Rule, Subject
from nnlang.source import Span


@dataclass(frozen=True)
class _Suspicion:
    """A key, the way to its value in the abstract syntax, and when the value is suspicious, why, and what to write."""

    key: str
    path: str
    holds: Callable[[float], bool]
    reason: str
    remedy: str


def _zero(value: float) -> bool:
    return value == 0


def _from(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def _above(limit: float) -> Callable[[float], bool]:
    return lambda value: value > limit


_DROPPED = "write a share below .9; .2 to .5 is usual"
_NETWORK = (
    _Suspicion("Denoising.p", "denoising.p", _from(0.9), "hardly an input entry is left to learn from", _DROPPED),
    _Suspicion(
        "SparsenessPenalty.beta", "sparseness.beta", _above(100), "the penalty will drown the error", "try 0.1 to 10"
    ),
    _Suspicion(
        "oneScale", "smce.one_scale", _zero, "ones count nothing, so every output goes to 0", "write 1, or more"
    ),
    _Suspicion("oneScale", "smce.one_scale", _above(1000), "zeros will hardly count", "5 to 30 is usual"),
    _Suspicion(
        "zeroScale", "smce.zero_scale", _zero, "zeros count nothing, so every output goes to 1", "write 1, or less"
    ),
    _Suspicion(
        "DeltaBoost.one",
        "delta_boost.one",
        _zero,
        "ones are not learned, so every output goes to 0",
        "write 1, or more",
    ),
    _Suspicion(
        "DeltaBoost.zero", "delta_boost.zero", _zero, "zeros are not learned, so every output goes to 1", "write 1"
    ),
    _Suspicion(
        "Decay",
        "decay",
        _from(0.1),
        "the learning rate is Alpha / (1 + Decay * batches): a tenth or less of it after 100 batches",
        "try 1e-5 to 1e-3",
    ),
    _Suspicion("Alpha", "training.alpha", _zero, "nothing is learned with steps of 0", "write a rate such as 0.025"),
    _Suspicion("Alpha", "training.alpha", _above(10), "training will hardly settle with such steps", "try 0.001 to 1"),
    _Suspicion(
        "AlphaMultiplier", "training.alpha_multiplier", _above(1), "the learning rate grows again and again", "try .5"
    ),
    _Suspicion("Mu", "training.mu", _from(0.999), "a step lasts for a thousand batches and more", "try .5 to .95"),
    _Suspicion("Lambda", "training.lambda_", _from(1), "weights will shrink to nothing", "try 1e-6 to 1e-3"),
    _Suspicion("Epochs", "training.epochs", _zero, "nothing is trained", "write how often to go through the data"),
)
_LAYER = (
    _Suspicion("pDropout", "dropout", _from(0.9), "hardly a unit is left to learn", _DROPPED),
    _Suspicion(
        "WeightInit.Bias", "init.bias", lambda v: abs(v) > 20, "units begin far outside of where they learn", "try 0"
    ),
)
_QUICK = frozenset((Optimizer.ADAM, Optimizer.RMSPROP))


def suspicious_numbers(subject: Subject) -> Iterator[Diagnostic]:
    """Values of the tables above, and a learning rate that is none for the optimiser."""
    definition = subject.definition
    yield from _suspected(subject, definition, _NETWORK)
    for layer in definition.layers:
        yield from _suspected(subject, layer, _LAYER)
    training = definition.training
    if training and training.alpha and training.optimizer and training.optimizer.value in _QUICK:
        reason = "each of its steps is about as long as Alpha, whatever the gradient"
        quick = _Suspicion("Alpha", "alpha", lambda v: 0.1 <= v <= 10, reason, "try 0.0001 to 0.01")
        yield from _suspected(subject, training, (quick,))
    penalty = definition.sparseness
    if penalty and penalty.beta and penalty.beta.value and not (penalty.p and penalty.p.value):
        facts = {"key": "SparsenessPenalty.p", "value": 0, "reason": "every hidden unit is pulled to 0"}
        place = subject.place(penalty.p.span if penalty.p else penalty.key)
        yield Diagnostic(codes.SUSPICIOUS_NUMBER, place, {**facts, "remedy": "write the mean to aim at, such as .1"})


def _suspected(subject: Subject, record: object, table: tuple[_Suspicion, ...]) -> Iterator[Diagnostic]:
    for row in table:
        value = record
        for name in row.path.split("."):
            value = getattr(value, name, None)
        if isinstance(value, ast.Written) and row.holds(value.value):
            facts = {"key": row.key, "value": f"{value.value:g}", "reason": row.reason, "remedy": row.remedy}
            yield Diagnostic(codes.SUSPICIOUS_NUMBER, subject.place(value.span), facts)


def identity_slopes(subject: Subject) -> Iterator[Diagnostic]:
    """Leaky ReLUs whose slope makes them linear."""
    for written, layer in subject.layers(Kind.HIDDEN, Kind.OUTPUT):
        if layer.activation is Activation.LEAKY_RELU and layer.slope == 1.0:
            slope = written.slope or subject.definition.slope
            place = subject.place(slope.span if slope else written.head)
            yield Diagnostic(codes.IDENTITY_SLOPE, place, {"name": layer.name})


def symmetric_weights(subject: Subject) -> Iterator[Diagnostic]:
    """Hidden layers whose units all begin alike on both sides, so that they learn the same for ever."""
    network, sharing = subject.network, _sharing(subject.network)
    readers: dict[int, list[Layer]] = {}
    for layer in network.layers:
        for index in (*layer.sources, *layer.skips):
            readers.setdefault(index, []).append(layer)
    for written, layer in subject.layers(Kind.HIDDEN):
        after = readers.get(layer.index, [])
        if written.init is None or layer.units == 1 or layer.skips or layer.dropout or not after:
            continue
        led = all(_alike(reader) and layer.index not in reader.skips for reader in after)
        if _alike(layer) and led and layer.index not in sharing:
            reason = "the scheme is Constant" if layer.init.scheme is Scheme.CONSTANT else "Scale is 0"
            place = written.init.scheme or written.init.scale
            facts = {"name": layer.name, "reason": f"{reason}, in every layer that reads it too"}
            yield Diagnostic(codes.SYMMETRIC_WEIGHTS, subject.place(place.span if place else written.head), facts)


def _alike(layer: Layer) -> bool:
    """Whether all weights into a layer begin with one number."""
    scheme, pooled = layer.init.scheme, layer.type is LayerType.POOLING
    return not pooled and (scheme is Scheme.CONSTANT or (layer.init.scale == 0 and scheme is not Scheme.SELU))


def _sharing(network: Network) -> set[int]:
    """The layers on both sides of matrices that several edges use."""
    owned = [w for w in network.weights if w.owner is not None]
    edges = (*owned, *(network.weights[w.owner] for w in owned if w.owner is not None))
    return {index for w in edges for index in (w.source, w.target)}


def crossed_margins(subject: Subject) -> Iterator[Diagnostic]:
    """Margins between which ones and zeros both pull, or none does."""
    loss, smce = subject.network.loss, subject.definition.smce
    used = loss.function in (ErrorFunction.SMCE, ErrorFunction.DSMCE)
    if smce is not None and used and loss.one_target <= loss.zero_target:
        written = smce.one_target or smce.zero_target
        facts = {"one": f"{loss.one_target:g}", "zero": f"{loss.zero_target:g}"}
        yield Diagnostic(codes.MARGINS, subject.place(written.span if written else smce.key), facts)


def penalised_activations(subject: Subject) -> Iterator[Diagnostic]:
    """Layers kept sparse by a penalty that is not defined for means below 0 or above 1 (dsstne.md 2.2)."""
    for written, layer in subject.layers(Kind.HIDDEN):
        if layer.sparseness is None or layer.activation is Activation.SIGMOID:
            continue
        facts = {"name": layer.name, "activation": activation_spelling(layer.activation)}
        place = written.activation.span if written.activation else written.head
        yield Diagnostic(codes.PENALISED_ACTIVATION, subject.place(place), facts)


def selu_schemes(subject: Subject) -> Iterator[Diagnostic]:
    """SELU layers that do not begin as SELU needs it (Klambauer et al. 2017)."""
    for written, layer in subject.layers(Kind.HIDDEN):
        if layer.activation is Activation.SELU and layer.init.scheme is not Scheme.SELU and written.activation:
            scheme = next(o.spelling for o in schema.SCHEME.options if o.value is layer.init.scheme)
            facts = {"name": layer.name, "scheme": scheme}
            yield Diagnostic(codes.SELU_SCHEME, subject.place(written.activation.span), facts)


def relu_outputs(subject: Subject) -> Iterator[Diagnostic]:
    """Outputs with a half on which they cannot learn."""
    for written, layer in subject.layers(Kind.OUTPUT):
        if layer.activation is Activation.RELU and written.activation and layer.type is not LayerType.POOLING:
            facts = {"name": layer.name, "activation": activation_spelling(layer.activation)}
            yield Diagnostic(codes.RELU_OUTPUT, subject.place(written.activation.span), facts)


# Of n inputs of size about 1, how large a sum is to be expected from weights of a scheme with scale s.
_SUMS: Mapping[Scheme, Callable[[float, int], float]] = {
    Scheme.GAUSSIAN: lambda s, n: abs(s) * sqrt(n),
    Scheme.UNIFORM: lambda s, n: abs(s) * sqrt(n / 3),
    Scheme.UNIT_BALL: lambda s, n: abs(s) * n / 2,
    Scheme.CONSTANT: lambda s, n: abs(s) * n,
}
_SATURATED = 8.0  # Sigmoid's slope there is 0.0003


def saturating_weights(subject: Subject) -> Iterator[Diagnostic]:
    """Sigmoid and Tanh layers on dense sources whose first sums lie where both are flat."""
    for written, layer in subject.layers(Kind.HIDDEN, Kind.OUTPUT):
        sums = _SUMS.get(layer.init.scheme)
        if not (written.init and sums and layer.activation in FLAT and layer.type is not LayerType.POOLING):
            continue
        inputs = sum(_dense_units(subject, source) for source in layer.sources)
        size = sums(layer.init.scale, inputs) if inputs else 0.0
        if size > _SATURATED:
            facts = {
                "name": layer.name,
                "activation": activation_spelling(layer.activation),
                "size": f"{size:.3g}",
                "scale": f"{layer.init.scale / size:.2g}",
            }
            yield Diagnostic(codes.SATURATING_INIT, subject.place(_init_span(written)), facts)


def _dense_units(subject: Subject, index: int) -> int:
    source: Layer = subject.network.layers[index]
    return 0 if source.kind is Kind.INPUT and subject.network.taken_sparse(source) else source.units


def _init_span(written: ast.Layer) -> Span:
    init = written.init
    assert init is not None
    part = init.scale or init.scheme
    return part.span if part else init.key


def _hidden(rest: str) -> str:
    return f'"Name": "Hidden", "Kind": "Hidden", "N": 128, "Source": "Input", {rest}'


_SYMMETRIC = """{ "Name": "Input", "Kind": "Input", "N": 64, "DataSet": "gl_input" },
    { "Name": "Hidden", "N": 128, "WeightInit": { "Scheme": "@", "Scale": 0.1 } },
    { "Name": "Output", "N": 64, "DataSet": "gl_output", "WeightInit": { "Scheme": "Constant", "Scale": 0.1 } }"""
_PENALISED = """{ "Version": 0.8, "SparsenessPenalty": { "p": 0.5, "beta": 2.0 }, "Layers": [
    { "Name": "Input", "Kind": "Input", "N": 64, "DataSet": "gl_input" },
    { "Name": "Hidden", "N": 128, "Activation": "@", "Sparse": true },
    { "Name": "Output", "N": 64, "DataSet": "gl_output" } ] }
"""
_REGRESSION = """{ "Version": 0.8, "ErrorFunction": "L2", "Layers": [
    { "Name": "Input", "Kind": "Input", "N": 64, "DataSet": "features" },
    { "Name": "Hidden", "N": 64, "Activation": "Relu" },
    { "Name": "Output", "N": 1, "DataSet": "prices", "Activation": "@" } ] }
"""

ROWS = (
    Rule(
        codes.IDENTITY_SLOPE,
        "A leaky ReLU passes z where z is above 0 and ReluSlope times z below. With slope 1 that is z everywhere: the "
        "layer is linear. DSSTNE's default slope was 1, so definitions written for it may say so without meaning it.",
        bad=Example(_hidden('"Activation": "LRelu", "ReluSlope": 1.0'), "hidden"),
        good=Example(_hidden('"Activation": "LRelu", "ReluSlope": 0.01'), "hidden"),
        check=identity_slopes,
    ),
    Rule(
        codes.SYMMETRIC_WEIGHTS,
        "Units that begin with equal weights compute the same. Where the weights that lead on from them are equal too, "
        "they get the same delta and take the same step: after any number of epochs the layer is worth one unit. One "
        "of the two matrices has to be drawn for units to become different.",
        bad=Example(_SYMMETRIC.replace("@", "Constant"), "layers"),
        good=Example(_SYMMETRIC.replace("@", "Xavier"), "layers"),
        check=symmetric_weights,
    ),
    Rule(
        codes.SUSPICIOUS_NUMBER,
        "The number is allowed, and is far from what trains well: a probability that leaves next to nothing, a scale "
        "that makes one side of the error vanish, a learning rate of 0 or one that grows, a decay that ends learning "
        "after a few hundred batches. If it is meant, say why in a comment: "
        "`// nnlang: ignore[NN522] reason`.",
        bad=Example('"Denoising": { "p": 0.95 }', "top"),
        good=Example('"Denoising": { "p": 0.4 }', "top"),
        check=suspicious_numbers,
    ),
    Rule(
        codes.MARGINS,
        "ScaledMarginalCrossEntropy counts a one while its output is below oneTarget and a zero while its output is "
        "above zeroTarget. With oneTarget at or below zeroTarget there are outputs for which neither counts: a one and "
        "a zero that both stop there cannot be told apart.",
        bad=Example(
            '"ErrorFunction": "ScaledMarginalCrossEntropy",\n'
            '  "ScaledMarginalCrossEntropy": { "oneTarget": 0.1, "zeroTarget": 0.9 }',
            "top",
        ),
        good=Example(
            '"ErrorFunction": "ScaledMarginalCrossEntropy",\n'
            '  "ScaledMarginalCrossEntropy": { "oneTarget": 0.9, "zeroTarget": 0.1 }',
            "top",
        ),
        check=crossed_margins,
    ),
    Rule(
        codes.SELU_SCHEME,
        "SELU's constants keep mean 0 and variance 1 from layer to layer, provided that weights begin with standard "
        "deviation 1/sqrt(inputs), which is the scheme SELU. With another scheme the layer is an ELU with odd "
        "constants, and deep stacks lose what SELU is for (Klambauer et al. 2017).",
        bad=Example(_hidden('"Activation": "Selu", "EluAlpha": 1.6733'), "hidden"),
        good=Example(_hidden('"Activation": "Selu", "EluAlpha": 1.6733, "WeightInit": { "Scheme": "SELU" }'), "hidden"),
        check=selu_schemes,
    ),
    Rule(
        codes.PENALISED_ACTIVATION,
        "The sparseness penalty compares the mean of a unit over the batch, as a probability, with p: it adds beta "
        "times (-p / mean + (1 - p) / (1 - mean)). Means of Relu, Linear or Tanh leave the range from 0 to 1 and are "
        "cut off at its ends, where the penalty is a million times beta: it drowns the error. Keep Sparse to Sigmoid "
        "layers.",
        bad=Example(_PENALISED.replace("@", "Relu"), "whole"),
        good=Example(_PENALISED.replace("@", "Sigmoid"), "whole"),
        check=penalised_activations,
    ),
    Rule(
        codes.RELU_OUTPUT,
        "Below 0 a ReLU is flat: an output unit that falls there for every example has slope 0 for every example and "
        "never comes back, and with thousands of outputs many do in the first epochs. Linear outputs learn everywhere; "
        "SoftPlus does too and stays above 0.",
        bad=Example(_REGRESSION.replace("@", "Relu"), "whole"),
        good=Example(_REGRESSION.replace("@", "SoftPlus"), "whole"),
        check=relu_outputs,
    ),
    Rule(
        codes.SATURATING_INIT,
        "The first sums of a unit are about as large as its weights times the root of its inputs. Beyond 8 or so "
        "Sigmoid and Tanh are flat and their slopes next to nothing, so the layer begins with units that hardly move. "
        "Xavier chooses the size by the numbers of inputs and outputs.",
        bad=Example(
            _hidden('"Activation": "Sigmoid" },\n    { "Name": "Second", "N": 64, ')
            + '"WeightInit": { "Scheme": "Gaussian", "Scale": 2.0 }',
            "hidden",
        ),
        good=Example(
            _hidden('"Activation": "Sigmoid" },\n    { "Name": "Second", "N": 64, ')
            + '"WeightInit": { "Scheme": "Gaussian", "Scale": 0.1 }',
            "hidden",
        ),
        check=saturating_weights,
    ),
)
