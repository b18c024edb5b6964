"""The arrays of a model file, fitted to its network: sizes first, then values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import Layer, LayerType, Network, Weight
from nnlang.runtime.container import Container, Found
from nnlang.runtime.modelread import MOST_UNITS, Reader
from nnlang.runtime.modelwrite import EXTENTS, STATISTICS

Float32 = NDArray[np.float32]
Tensors = tuple[dict[int, Float32], dict[int, Float32], dict[int, dict[str, Float32]]]


def read_tensors(file: Container, attributes: Mapping[str, Found], network: Network) -> Tensors:
    """Weights, biases and batch-norm statistics, keyed and shaped as `Model` holds them, all finite."""
    reader = Reader(file, attributes)
    weights: dict[int, Float32] = {}
    biases: dict[int, Float32] = {}
    for w in network.weights:
        edge = f"layer `{network.layers[w.source].name}` to `{network.layers[w.target].name}`"
        name = f"weight{w.index}_"
        biases[w.index] = _tensor(file, name + "bias", bias_shape(network, w), f"the biases from {edge}")
        if w.owner is None:
            shape = matrix_shape(network, w) or _filter_shape(reader.under(name), network, w)
            weights[w.index] = _tensor(file, name + "weights", shape, f"the weights from {edge}")
    statistics = {
        layer.index: {
            word: _tensor(
                file, f"layer{layer.position}_{name}", (channels(layer),), f"the {word} of layer `{layer.name}`"
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


def _tensor(file: Container, name: str, shape: tuple[int, ...], what: str) -> Float32:
    values = file.array(name, "f", shape)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32, copy=False)
    check_finite(file.place(name), narrow, what)
    return narrow.reshape(shape)


def check_finite(place: Place, values: Float32, what: str) -> None:
    """Raise `Stop` unless all values are finite."""
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        first = int(bad[0])
        raise stop(codes.MODEL_NOT_FINITE, place, count=bad.size, total=values.size, what=what, first=first)
