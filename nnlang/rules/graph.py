"""NN5: layers among each other. What leads nowhere, what adds nothing, what will not learn."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang import ast
from nnlang.codes import advice as codes
from nnlang.diagnostics import Diagnostic
from nnlang.network import Activation, Kind, Layer, LayerType, Network
from nnlang.rules.rule import Example, Rule, Subject
from nnlang.source import Span

FLAT = frozenset((Activation.SIGMOID, Activation.TANH))  # slopes at most 1, most of them far below
_DEEP = 4


def _edges(network: Network) -> Iterator[tuple[int, int]]:
    """Pairs of a layer and one that reads it, skips included."""
    for layer in network.layers:
        for source in (*layer.sources, *layer.skips):
            yield source, layer.index


def _leading_out(network: Network) -> set[int]:
    """Layers from which something reaches an Output layer; layers stand in propagation order."""
    found = {layer.index for layer in network.outputs}
    for layer in reversed(network.layers):
        if layer.index in found:
            found.update((*layer.sources, *layer.skips))
    return found


def dead_layers(subject: Subject) -> Iterator[Diagnostic]:
    """Layers that are read, but by nothing that reaches an output (what nothing reads is NN501's)."""
    network = subject.network
    alive, read = _leading_out(network), {source for source, _ in _edges(network)}
    for written, layer in subject.layers(Kind.INPUT, Kind.HIDDEN):
        if layer.index in read and layer.index not in alive:
            yield Diagnostic(codes.DEAD_LAYER, subject.place(written.head), {"name": layer.name})


def disconnected(subject: Subject) -> Iterator[Diagnostic]:
    """Networks in one definition that share no layer and no weights."""
    network = subject.network
    part = list(range(len(network.layers)))

    def root(i: int) -> int:
        while part[i] != i:
            part[i] = part[part[i]]
            i = part[i]
        return i

    shared = ((w.target, network.weights[w.owner].target) for w in network.weights if w.owner is not None)
    for a, b in (*_edges(network), *shared):
        part[root(a)] = root(b)
    used = {i for edge in _edges(network) for i in edge}
    parts: dict[int, list[Layer]] = {}
    for layer in sorted(network.layers, key=lambda layer: layer.position):
        if layer.index in used:
            parts.setdefault(root(layer.index), []).append(layer)
    if len(parts) < 2:
        return
    first = list(parts.values())[1][0]
    names = "; ".join(_listed(layers) for layers in list(parts.values())[:4])
    place = subject.place(subject.definition.layers[first.position].head)
    yield Diagnostic(codes.DISCONNECTED, place, {"count": len(parts), "parts": names})


def _listed(layers: list[Layer]) -> str:
    shown = ", ".join(f"`{layer.name}`" for layer in layers[:4])
    return shown + (", ..." if len(layers) > 4 else "")


def linear_stacks(subject: Subject) -> Iterator[Diagnostic]:
    """Linear layers between others that are no bottleneck: the product of two matrices that one could be."""
    network = subject.network
    readers: dict[int, list[Layer]] = {}
    for source, target in _edges(network):
        readers.setdefault(source, []).append(network.layers[target])
    owners = {w.owner for w in network.weights}
    shared = {w.target for w in network.weights if w.owner is not None or w.index in owners}
    for written, layer in subject.layers(Kind.HIDDEN):
        after = readers.get(layer.index, [])
        if not (_plain_linear(layer) and written.activation and len(layer.sources) == 1 and after):
            continue
        before = network.layers[layer.sources[0]]
        sized = all(x.units for x in (layer, before, *after))
        dense = all(x.type is LayerType.FULLY_CONNECTED and layer.index in x.sources for x in after)
        narrower = layer.units < min(before.units, sum(x.units for x in after))
        if sized and dense and layer.index not in shared and not narrower:
            place = subject.place(written.activation.span)
            yield Diagnostic(codes.LINEAR_STACK, place, {"name": layer.name})


def _plain_linear(layer: Layer) -> bool:
    held = layer.dropout or layer.batch_normalization or layer.weight_norm or layer.sparseness or layer.skips
    return layer.activation is Activation.LINEAR and layer.type is LayerType.FULLY_CONNECTED and not held


def deep_sigmoids(subject: Subject) -> Iterator[Diagnostic]:
    """Chains of saturating layers with nothing that keeps their deltas from vanishing (DSSTNE issue 158)."""
    network = subject.network
    run: dict[int, int] = {}
    for layer in network.layers:
        flat = layer.activation in FLAT and layer.kind is Kind.HIDDEN and layer.type is not LayerType.POOLING
        if flat and not layer.batch_normalization and not layer.skips:
            run[layer.index] = 1 + max((run.get(s, 0) for s in layer.sources), default=0)
    longer = {s for layer in network.layers for s in layer.sources if layer.index in run}
    for written, layer in subject.layers(Kind.HIDDEN):
        count = run.get(layer.index, 0)
        if count >= _DEEP and layer.index not in longer:
            facts = {"count": count, "name": layer.name}
            yield Diagnostic(codes.DEEP_SIGMOID, subject.place(_activation_or_head(written)), facts)


def _activation_or_head(written: ast.Layer) -> Span:
    return written.activation.span if written.activation else written.head


_IN = '{ "Name": "In", "Kind": "Input", "N": 64, "DataSet": "in" },\n    '
_OUT = '{ "Name": "Out", "Kind": "Output", "N": 64, "DataSet": "out", "Source": "%s" }'


def _chain(*hidden: str, last: str) -> str:
    rows = [f'{{ "Name": "H{i}", "Kind": "Hidden", {text} }},\n    ' for i, text in enumerate(hidden, 1)]
    return _IN + "".join(rows) + _OUT % last


ROWS = (
    Rule(
        codes.DEAD_LAYER,
        "Layers learn from the error of Output layers. A layer from which no path leads to one gets no delta: its "
        "weights stay as they were drawn, and computing it costs time for nothing. Usually the Source of a later layer "
        "skips over a whole branch by mistake.",
        bad=Example(_chain('"N": 64', '"N": 64, "Source": "H1"', '"N": 64, "Source": "In"', last="H3"), "layers"),
        good=Example(_chain('"N": 64', '"N": 64, "Source": "H1"', '"N": 64, "Source": "H2"', last="H3"), "layers"),
        check=dead_layers,
    ),
    Rule(
        codes.DISCONNECTED,
        "The layers fall into groups between which there is no Source, no Skip and no shared matrix. They train as "
        "separate networks that only share the batch, the learning rate and one printed error, in which the larger one "
        "hides what the smaller one does.",
        bad=Example(
            _IN
            + '{ "Name": "In2", "Kind": "Input", "N": 8, "DataSet": "in2" },\n    '
            + '{ "Name": "Out2", "Kind": "Output", "N": 8, "DataSet": "out2", "Source": "In2" },\n    '
            + _OUT % "In",
            "layers",
        ),
        good=Example(
            _IN
            + '{ "Name": "In2", "Kind": "Input", "N": 8, "DataSet": "in2" },\n    '
            + '{ "Name": "Out2", "Kind": "Output", "N": 8, "DataSet": "out2", "Source": ["In", "In2"] },\n    '
            + _OUT % "In",
            "layers",
        ),
        check=disconnected,
    ),
    Rule(
        codes.LINEAR_STACK,
        "Two matrices one after the other, with nothing that is not linear between them, are one matrix. A Linear "
        "hidden layer is useful as a bottleneck, where it has fewer units than its source and than all layers together "
        "that read it, and so saves weights; one that is as wide costs weights and time and can express nothing more.",
        bad=Example(_chain('"N": 64, "Activation": "Linear"', last="H1"), "layers"),
        good=Example(_chain('"N": 64, "Activation": "Relu"', last="H1"), "layers"),
        check=linear_stacks,
    ),
    Rule(
        codes.DEEP_SIGMOID,
        "The slope of Sigmoid is at most 1/4 and that of Tanh at most 1, mostly far less. On its way back through many "
        "such layers a delta is multiplied by each of these slopes and is next to nothing when it reaches the first "
        "ones: the network trains its last layers on random features, or collapses to one answer for everybody. Relu, "
        "BatchNormalization, or a Skip that leads around some layers keeps deltas alive.",
        bad=Example(_chain(*['"N": 64, "Activation": "Sigmoid"'] * 4, last="H4"), "layers"),
        good=Example(_chain(*['"N": 64, "Activation": "Relu"'] * 4, last="H4"), "layers"),
        check=deep_sigmoids,
    ),
)
