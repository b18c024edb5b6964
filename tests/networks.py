"""Small networks, built by hand: the tests' stand-ins for what `resolve` makes of a definition.

Every function gives a whole, consistent `Network`: layers in propagation order, weights in construction order. Inputs
bind the data set `<lower-case layer name>`, outputs likewise, with facts of sparse Boolean sets of 64 examples; take
`bind(network, facts("input", 40, boolean=False), ...)` for other data. `change(network, "Hidden1", dropout=0.5)`
changes a layer, and keywords of each function (`loss=`, `denoising=`, ...) change fields of the network.

    one_hidden         Input -> Hidden1 -> Output
    three_hidden       Input -> Hidden1 -> Hidden2 -> Hidden3 -> Output
    two_inputs         Input1, Input2 -> Hidden1 (two matrices, two biases); two outputs from it
    skip               Input -> Hidden1 -> Hidden2 (+ Hidden1) -> Output; the definition lists Hidden2 before Hidden1
    shared_transposed  Input -> Hidden1 -> Hidden2 -> Hidden3 -> Output; 1-2 shared transposed as 2-3
    batch_norm         Input -> Hidden1 (batch normalisation) -> Output
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nnlang.network import (
    Activation,
    DataFacts,
    ErrorFunction,
    Kind,
    Layer,
    LayerType,
    Loss,
    Network,
    Sparseness,
    Weight,
)

EXAMPLES = 64
Edge = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One layer as a definition lists it, sources and skips by name; `rest` are fields of `Layer`."""

    name: str
    kind: Kind
    units: int
    sources: tuple[str, ...]
    skips: tuple[str, ...]
    rest: Mapping[str, Any]


def source(name: str, units: int, **rest: Any) -> Row:
    """An Input layer."""
    return Row(name, Kind.INPUT, units, (), (), rest)


def hidden(name: str, units: int, *sources: str, skips: tuple[str, ...] = (), **rest: Any) -> Row:
    """A Hidden layer."""
    return Row(name, Kind.HIDDEN, units, sources, skips, rest)


def output(name: str, units: int, *sources: str, skips: tuple[str, ...] = (), **rest: Any) -> Row:
    """An Output layer."""
    return Row(name, Kind.OUTPUT, units, sources, skips, rest)


def build(name: str, rows: list[Row], shared: Mapping[Edge, tuple[Edge, bool]] | None = None, **rest: Any) -> Network:
    """The network of rows in the order of the definition. `shared`: {edge: (owning edge, transposed)}."""
    order = sorted(range(len(rows)), key=lambda p: (_depth(rows, rows[p].name), p))
    index = {rows[p].name: i for i, p in enumerate(order)}
    layers = tuple(_layer(rows[p], i, p, index) for i, p in enumerate(order))
    edges = [(s, row.name) for row in rows for s in row.sources]
    weights = []
    for i, edge in enumerate(edges):
        owner, transposed = (shared or {}).get(edge, (None, False))
        owner_index = None if owner is None else edges.index(owner)
        weights.append(Weight(i, index[edge[0]], index[edge[1]], owner_index, transposed))
    bound = tuple(facts(layer.dataset, layer.units) for layer in layers if layer.dataset)
    values = {"version": 0.9, "kind": "FeedForward", "loss": Loss(), "data": bound, **rest}
    return Network(name=name, layers=layers, weights=tuple(weights), **values)


def facts(name: str, width: int, **rest: Any) -> DataFacts:
    """A sparse Boolean data set of 64 examples with 5 entries each, unless `rest` says otherwise."""
    values = {"examples": EXAMPLES, "sparse": True, "boolean": True, "entries": 5 * EXAMPLES, **rest}
    return DataFacts(name, width=width, **values)


def bind(network: Network, *given: DataFacts) -> Network:
    """The network with these facts in place of those of the same name."""
    known = {d.name: d for d in (*network.data, *given)}
    return replace(network, data=tuple(known.values()))


def change(network: Network, layer: str, **fields: Any) -> Network:
    """The network with fields of one layer, given by name, changed."""
    return replace(network, layers=tuple(replace(x, **fields) if x.name == layer else x for x in network.layers))


def one_hidden(n_in: int = 40, h: int = 8, n_out: int = 40, **rest: Any) -> Network:
    """Input -> Hidden1 (Sigmoid) -> Output (Sigmoid)."""
    rows = [source("Input", n_in), hidden("Hidden1", h, "Input"), output("Output", n_out, "Hidden1")]
    return build("one hidden", rows, **rest)


def three_hidden(n_in: int = 40, h: tuple[int, int, int] = (12, 6, 12), n_out: int = 40, **rest: Any) -> Network:
    """A deep autoencoder: three hidden layers of Tanh, ReLU and Tanh, the middle one with a sparseness penalty."""
    rows = [
        source("Input", n_in, sparse=True, denoising=True),
        hidden("Hidden1", h[0], "Input", activation=Activation.TANH),
        hidden("Hidden2", h[1], "Hidden1", activation=Activation.RELU, sparse=True, sparseness=Sparseness(0.5, 2.0)),
        hidden("Hidden3", h[2], "Hidden2", activation=Activation.TANH, dropout=0.25, weight_norm=2.0),
        output("Output", n_out, "Hidden3"),
    ]
    penalty = {
        "sparseness": Sparseness(0.5, 2.0),
        "denoising": 0.2,
        "loss": Loss(ErrorFunction.SMCE, 1.0, 0.0, 30.0, 1.0),
    }
    return build("three hidden", rows, **{**penalty, **rest})


def two_inputs(n_in: tuple[int, int] = (24, 10), h: int = 8, n_out: tuple[int, int] = (16, 5), **rest: Any) -> Network:
    """Two inputs into one hidden layer; two outputs, the second fed by the hidden layer and the second input."""
    rows = [
        source("Input1", n_in[0]),
        source("Input2", n_in[1]),
        hidden("Hidden1", h, "Input1", "Input2"),
        output("Output1", n_out[0], "Hidden1"),
        output("Output2", n_out[1], "Hidden1", "Input2", activation=Activation.TANH),
    ]
    return build("two inputs", rows, **{"loss": Loss(ErrorFunction.L2), **rest})


def skip(n_in: int = 20, h: int = 8, n_out: int = 20, **rest: Any) -> Network:
    """Hidden1 is added to the pre-activation of Hidden2; Hidden2 is listed first, so position differs from index."""
    rows = [
        source("Input", n_in),
        hidden("Hidden2", h, "Hidden1", skips=("Hidden1",), activation=Activation.ELU),
        hidden("Hidden1", h, "Input"),
        output("Output", n_out, "Hidden2"),
    ]
    return build("skip", rows, **rest)


def shared_transposed(n_in: int = 20, h: tuple[int, int] = (8, 6), n_out: int = 20, **rest: Any) -> Network:
    """Tied inner layers: the matrix of Hidden2 -> Hidden3 is that of Hidden1 -> Hidden2, transposed; biases are not."""
    rows = [
        source("Input", n_in),
        hidden("Hidden1", h[0], "Input"),
        hidden("Hidden2", h[1], "Hidden1"),
        hidden("Hidden3", h[0], "Hidden2"),
        output("Output", n_out, "Hidden3"),
    ]
    tied = {("Hidden2", "Hidden3"): (("Hidden1", "Hidden2"), True)}
    return build("shared transposed", rows, tied, **rest)


def batch_norm(n_in: int = 20, h: int = 8, n_out: int = 20, **rest: Any) -> Network:
    """The hidden layer's pre-activations are normalised over the batch."""
    rows = [
        source("Input", n_in),
        hidden("Hidden1", h, "Input", batch_normalization=True, activation=Activation.RELU),
        output("Output", n_out, "Hidden1"),
    ]
    return build("batch norm", rows, **rest)


ALL = (one_hidden, three_hidden, two_inputs, skip, shared_transposed, batch_norm)


def _depth(rows: list[Row], name: str) -> int:
    """The longest path from a layer without sources, skips included (dsstne.md 1.7)."""
    (row,) = (r for r in rows if r.name == name)
    return max((1 + _depth(rows, s) for s in (*row.sources, *row.skips)), default=0)


def _layer(row: Row, index: int, position: int, indices: Mapping[str, int]) -> Layer:
    bound = row.kind in (Kind.INPUT, Kind.OUTPUT)
    return Layer(
        index=index,
        position=position,
        name=row.name,
        kind=row.kind,
        type=LayerType.FULLY_CONNECTED,
        dims=(row.units, 1, 1, 1),
        dimensions=1,
        dataset=row.name.lower() if bound else "",
        sources=tuple(indices[s] for s in row.sources),
        skips=tuple(indices[s] for s in row.skips),
        **row.rest,
    )
