"""A network and its numbers as DSSTNE's model files hold them (dsstne.md 9): attributes with exact types, variables."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Kind, Layer, LayerType, Network, Sparseness, Weight
from nnlang.runtime.layout import Group, Value, Variable

Float32 = NDArray[np.float32]
Named = dict[str, Value]

VERSION = 0.9  # what DSSTNE writes, whatever the definition says (dsstne.md 0.2)
KINDS = ("FeedForward", "AutoEncoder")
POOLING = ("", "max", "average", "lrn", "maxout", "dotproduct", "cosine", "stochastic", "lcn", "globaltemporal")
ALIASES = {"localresponsenormalization": "lrn", "none": ""}
SPARSE, DENOISING, BATCH_NORMALIZATION = 1, 2, 4  # attribute bits of a layer, dsstne.md 0.3
STATISTICS = {"scale": "scaleBN", "bias": "biasBN", "mean": "runningMeanBN", "variance": "runningVarianceBN"}
EXTENTS = ("width", "height", "length", "depth", "breadth")
LARGEST = float(np.finfo(np.float32).max)


def narrow(value: float) -> np.float32:
    """The nearest float32; what is too large becomes the largest one."""
    return np.float32(min(max(value, -LARGEST), LARGEST))


def root(
    network: Network,
    weights: Mapping[int, NDArray[Any]],
    biases: Mapping[int, NDArray[Any]],
    batch_norm: Mapping[int, Mapping[str, NDArray[Any]]],
    checkpoint_interval: int,
) -> Group:
    """The part of a model file that DSSTNE reads; arrays as `Model` holds them."""
    layers = sorted(network.layers, key=lambda layer: layer.position)
    attributes = {**_head(network, checkpoint_interval), "layers": np.uint32(len(layers))}
    variables: list[Variable] = []
    for layer in layers:
        attributes |= {f"layer{layer.position}_{k}": v for k, v in _layer(network, layer).items()}
        if layer.batch_normalization:
            variables += _statistics(layer, batch_norm[layer.index])
    attributes["weights"] = np.uint32(len(network.weights))
    for w in network.weights:
        matrix = None if w.owner is not None else np.asarray(weights[w.index])
        attributes |= {f"weight{w.index}_{k}": v for k, v in _weight(network, w, matrix).items()}
        variables.append(Variable(f"weight{w.index}_bias", f"weight{w.index}_biasDim", biases[w.index]))
        if matrix is not None:
            variables.append(Variable(f"weight{w.index}_weights", f"weight{w.index}_weightDim", matrix.reshape(-1)))
    return Group(attributes, variables)


def _head(network: Network, checkpoint_interval: int) -> Named:
    loss, (k, n, alpha, beta) = network.loss, network.lrn
    return {
        "version": np.float32(VERSION),
        "name": network.name,
        "kind": np.uint32(KINDS.index(network.kind)),
        "errorFunction": np.uint32(loss.function.value),
        "maxout_k": np.int32(network.maxout_k),
        "decay": narrow(network.decay),
        "LRN_k": narrow(k),
        "LRN_n": np.int32(n),
        "LRN_alpha": narrow(alpha),
        "LRN_beta": narrow(beta),
        "bSparsenessPenalty": np.uint32(network.sparseness is not None),
        **_penalty(network.sparseness),
        "bDenoising": np.uint32(network.denoising > 0),
        "denoising_p": narrow(network.denoising),
        "deltaBoost_one": narrow(loss.boost_one),
        "deltaBoost_zero": narrow(loss.boost_zero),
        "SMCE_oneScale": narrow(loss.one_scale),
        "SMCE_zeroScale": narrow(loss.zero_scale),
        "SMCE_oneTarget": narrow(loss.one_target),
        "SMCE_zeroTarget": narrow(loss.zero_target),
        "ShuffleIndices": np.uint32(network.shuffle),
        "checkpoint_name": "",
        "checkpoint_interval": np.int32(checkpoint_interval),
        "checkpoint_epochs": np.int32(0),
    }


def _penalty(sparseness: Sparseness | None) -> Named:
    p, beta = (sparseness.p, sparseness.beta) if sparseness else (0.0, 0.0)
    return {"sparsenessPenalty_p": narrow(p), "sparsenessPenalty_beta": narrow(beta)}


def _layer(network: Network, layer: Layer) -> Named:
    bits = SPARSE * layer.sparse | DENOISING * layer.denoising | BATCH_NORMALIZATION * layer.batch_normalization
    return {
        "name": layer.name,
        "kind": np.uint32(layer.kind.value),
        "type": np.uint32(layer.type.value),
        "poolingfunction": np.uint32(pooling(layer.function)),
        "dataSet": layer.dataset,
        **_uints(("Nx", "Ny", "Nz", "Nw"), layer.dims),
        "dimensions": np.uint32(layer.dimensions),
        **_uints(("kernelX", "kernelY", "kernelZ"), layer.kernel),
        "kernelDimensions": np.uint32(layer.kernel_dimensions),
        **_uints(("kernelStrideX", "kernelStrideY", "kernelStrideZ"), layer.kernel_stride),
        **_uints(("kernelPaddingX", "kernelPaddingY", "kernelPaddingZ"), padding(network, layer)),
        "pDropout": narrow(layer.dropout),
        "weightInit": np.uint32(layer.init.scheme.value),
        "weightInitScale": narrow(layer.init.scale),
        "biasInit": narrow(layer.init.bias),
        "weightNorm": narrow(layer.weight_norm),
        "deltaNorm": narrow(layer.delta_norm),
        "activation": np.uint32(layer.activation.value),
        **_penalty(layer.sparseness),
        "RELUSlope": narrow(layer.slope),
        "ELUAlpha": narrow(layer.elu_alpha),
        "SELULambda": narrow(layer.selu_lambda),
        "attributes": np.uint32(bits),
        **_names(network, "source", layer.sources),
        **_names(network, "skip", layer.skips),
    }


def _uints(names: tuple[str, ...], values: tuple[int, ...]) -> Named:
    return {name: np.uint32(value) for name, value in zip(names, values, strict=True)}


def _names(network: Network, word: str, layers: tuple[int, ...]) -> Named:
    names: Named = {f"{word}{j}": network.layers[i].name for j, i in enumerate(layers)}
    return {f"{word}s": np.uint32(len(layers)), **names}


def _weight(network: Network, w: Weight, matrix: NDArray[Any] | None) -> Named:
    source, target = network.layers[w.source], network.layers[w.target]
    shape = (target.units, source.units)
    if matrix is not None and target.type is LayerType.CONVOLUTIONAL:
        shape = matrix.shape
    extents = zip_longest(EXTENTS, shape, fillvalue=1)
    named: Named = {"inputLayer": source.name, "outputLayer": target.name}
    named |= {str(name): np.uint64(extent) for name, extent in extents}
    named |= {"bShared": np.uint32(w.owner is not None), "bLocked": np.uint32(0), "norm": narrow(target.weight_norm)}
    if w.owner is None:
        return named
    owner = network.weights[w.owner]
    return named | {
        "bTransposed": np.uint32(w.transposed),
        "sourceInputLayer": network.layers[owner.source].name,
        "sourceOutputLayer": network.layers[owner.target].name,
    }


def _statistics(layer: Layer, values: Mapping[str, NDArray[Any]]) -> list[Variable]:
    prefix = f"layer{layer.position}_"
    return [Variable(prefix + name, prefix + "bnDim", values[word]) for word, name in STATISTICS.items()]


def pooling(function: str) -> int:
    """DSSTNE's number of a pooling function, whichever way it is spelt."""
    word = function.lower()
    return POOLING.index(ALIASES.get(word, word))


def padding(network: Network, layer: Layer) -> tuple[int, int, int]:
    """The padding that DSSTNE derives for a convolution or pooling (dsstne.md 1.11); zero elsewhere."""
    if layer.type is LayerType.FULLY_CONNECTED or layer.kind is Kind.INPUT or not layer.sources:
        return 0, 0, 0
    extents = network.layers[layer.sources[0]].dims
    x, y, z = (
        _padding(extents[axis], layer.kernel[axis], layer.kernel_stride[axis]) if axis < layer.kernel_dimensions else 0
        for axis in range(3)
    )
    return x, y, z


def _padding(extent: int, kernel: int, stride: int) -> int:
    if extent < kernel:
        return (kernel - extent + 1) // 2
    return kernel // 2 if stride == 1 else 0
