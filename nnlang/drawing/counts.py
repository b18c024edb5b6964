"""How many numbers a network learns, by layer and in all; None where a size is not known yet."""

from __future__ import annotations

from math import prod

from nnlang.network import Kind, Layer, LayerType, Network, Weight

ELEMENT = 4  # bytes of a weight: float32


def matrix(network: Network, weight: Weight) -> tuple[int, ...]:
    """The sizes of an edge's matrix, 0 where one is not known.

    [source units, target units]; of a convolution the kernel's axes, then the channels in and out (dsstne.md 1.11).
    """
    source, target = network.layers[weight.source], network.layers[weight.target]
    if target.type is LayerType.CONVOLUTIONAL:
        axes = target.kernel_dimensions
        return (*target.kernel[:axes], source.dims[axes], target.dims[axes])
    return source.units, target.units


def learned(network: Network, layer: Layer, weights: tuple[Weight, ...]) -> int | None:
    """What a layer learns, given the weights that lead into it: matrices of its own, biases, batch normalisation.

    A shared matrix counts where it is owned; a bias is never shared (dsstne.md 1.8).
    """
    if layer.kind is Kind.INPUT or layer.type is LayerType.POOLING:
        return 0
    channels = _channels(layer)
    own = [prod(matrix(network, w)) for w in weights if w.owner is None]
    if not channels or 0 in own:
        return None
    return sum(own) + channels * (len(weights) + 2 * layer.batch_normalization)


def _channels(layer: Layer) -> int:
    """How many biases an edge into the layer has: one a unit, or one a feature map."""
    return layer.dims[layer.kernel_dimensions] if layer.type is LayerType.CONVOLUTIONAL else layer.units


def incoming(network: Network) -> dict[int, tuple[Weight, ...]]:
    """The weights that lead into each layer that has some, in the order of their construction."""
    found: dict[int, list[Weight]] = {}
    for weight in network.weights:
        found.setdefault(weight.target, []).append(weight)
    return {target: tuple(weights) for target, weights in found.items()}


def size_text(count: int) -> str:
    """The bytes of so many weights for people: `14.0 MB` (powers of 1000)."""
    size: float = count * ELEMENT
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
