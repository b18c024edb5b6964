"""The arrays of a model file, fitted to its network: sizes first, then values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import Layer, LayerType, Network, Weight
from nnlang.runtime.container import Container, Found, Spans, kept
from nnlang.runtime.modelread import MOST_UNITS, Reader
from nnlang.runtime.modelwrite import EXTENTS, STATISTICS

Float32 = NDArray[np.float32]
Wanted = Mapping[
    str, Spans
]  # which part of an array is wanted, by the names of states: weight0, bias0, bn2.mean, weight0.v
Tensors = tuple[dict[int, Float32], dict[int, Float32], dict[int, dict[str, Float32]]]


def read_tensors(
    file: Container, attributes: Mapping[str, Found], network: Network, wanted: Wanted | None = None
) -> Tensors:
    """Weights, biases and batch-norm statistics, keyed and shaped as `Model` holds them, all finite.

    wanted: the part of each array that is kept, where it is not the whole; the rest is checked all the same.
    """
    reader, wanted = Reader(file, attributes), wanted or {}
    weights: dict[int, Float32] = {}
    biases: dict[int, Float32] = {}
    for w in network.weights:
        edge = f"layer `{network.layers[w.source].name}` to `{network.layers[w.target].name}`"
        name = f"weight{w.index}_"
        spans = wanted.get(f"bias{w.index}")
        biases[w.index] = _tensor(file, name + "bias", bias_shape(network, w), f"the biases from {edge}", spans)
        if w.owner is None:
            shape = matrix_shape(network, w) or _filter_shape(reader.under(name), network, w)
            spans = wanted.get(f"weight{w.index}")
            weights[w.index] = _tensor(file, name + "weights", shape, f"the weights from {edge}", spans)
    statistics = {
        layer.index: {
            word: _tensor(
                file,
                f"layer{layer.position}_{name}",
                (channels(layer),),
                f"the {word} of layer `{layer.name}`",
                wanted.get(f"bn{layer.index}.{word}"),
            )
            for word, name in STATISTICS.items()
        }
        for layer in network.layers
        if layer.batch_normalization
    }
    return weights, biases, statistics


def channels(layer: Layer) -> int:
    """How many biases, or statistics of batch normalisation, a layer has: one a unit, or one a feature map."""
    return layer.dims[layer.dimensions - 1] if layer.type is LayerType.CONVOLUTIONAL else layer.units


def bias_shape(network: Network, w: Weight) -> tuple[int]:
    """The shape of the biases that come with a weight."""
    return (channels(network.layers[w.target]),)


def matrix_shape(network: Network, w: Weight) -> tuple[int, int] | None:
    """[in, out] by the layers; None for a convolution, whose filters say it themselves."""
    return None if network.layers[w.target].type is LayerType.CONVOLUTIONAL else network.shape(w)


def _filter_shape(row: Reader, network: Network, w: Weight) -> tuple[int, ...]:
    """The shape of a convolution's filters by the file's attributes: maps out, maps in, then the kernel's axes.

    Elsewhere these attributes are not asked: they may hold one GPU's share only (dsstne.md 9.5).
    """
    extents = [row.whole(name, 1, MOST_UNITS, 1) for name in EXTENTS]
    return tuple(extents[: network.layers[w.target].kernel_dimensions + 2])


def _tensor(file: Container, name: str, shape: tuple[int, ...], what: str, spans: Spans | None = None) -> Float32:
    if spans is not None and spans != tuple((0, n) for n in shape):
        return _part(file, name, shape, what, spans)
    values = file.array(name, "f", shape)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32, copy=False)
    check_finite(file.place(name), narrow, what)
    return narrow.reshape(shape)


def _part(file: Container, name: str, shape: tuple[int, ...], what: str, spans: Spans) -> Float32:
    """The part of an array that is wanted; nothing else of it is ever held, though all of it is judged."""
    bad: list[tuple[int, int]] = []  # (how many, the first one)

    def judged() -> Iterator[tuple[int, Float32]]:
        for first, values in file.rows(name, "f", shape):
            with np.errstate(over="ignore"):
                narrow = values.astype(np.float32, copy=False)
            wrong = np.flatnonzero(~np.isfinite(narrow))
            if wrong.size:
                bad.append((wrong.size, first * math.prod(shape[1:]) + int(wrong[0])))
            yield first, narrow

    found = kept(judged(), spans, np.dtype(np.float32))
    if bad:
        count = sum(n for n, _ in bad)
        raise stop(
            codes.MODEL_NOT_FINITE, file.place(name), count=count, total=math.prod(shape), what=what, first=bad[0][1]
        )
    return found


def check_finite(place: Place, values: Float32, what: str) -> None:
    """Raise `Stop` unless all values are finite."""
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        first = int(bad[0])
        raise stop(codes.MODEL_NOT_FINITE, place, count=bad.size, total=values.size, what=what, first=first)
