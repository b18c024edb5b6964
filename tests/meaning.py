"""What a definition computes, as text: for tests that a change of its text changes nothing else."""

from __future__ import annotations

from nnlang.compiler import structure
from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.dumping import dump
from nnlang.lower import lower
from nnlang.network import Activation, ErrorFunction, Layer, LayerType, Network, Scheme, Training
from nnlang.runtime.scalars import of_network
from nnlang.source import Source


def meaning_of(text: str) -> str | None:
    """The training step of a definition, its settings, numbers and the names of its layers; None where it has errors.

    Sizes that come from data are taken as 64, so that definitions with "auto" have a meaning too.
    """
    sized = text.replace('"auto"', "64")
    checked = check(Source("text", sized), need_shapes=False)
    network: Network | None = checked.network
    if network is None:
        return None
    try:
        step = dump(lower(network, "step", structure(Training())).roots)
    except Stop as stopped:
        step = str(stopped)
    found = of_network(network)
    used = _used(network) if not step.startswith("%") else {name for name in found if f"name={name}\n" in step}
    numbers = sorted((name, value) for name, value in found.items() if name in used)
    layers = [_layer(layer) for layer in network.layers]
    return repr((step, layers, numbers, network.decay, checked.training, network.shuffle))


def _used(network: Network) -> set[str]:
    """The names of the numbers that a network computes with, where no step says it."""
    marginal = network.loss.function in (ErrorFunction.SMCE, ErrorFunction.DSMCE)
    names = {"boost_one", "boost_zero", "denoising"}
    names |= {"one_target", "zero_target", "one_scale", "zero_scale"} if marginal else set()
    for layer in network.layers:
        weighted = layer.type is not LayerType.POOLING
        takes = {
            "dropout": weighted,
            "delta_norm": weighted,
            "weight_norm": weighted,
            "slope": layer.activation is Activation.LEAKY_RELU,
            "elu_alpha": layer.activation in (Activation.ELU, Activation.SELU),
            "selu_lambda": layer.activation is Activation.SELU,
            "sparseness_p": True,
            "sparseness_beta": True,
        }
        names |= {f"{name} {layer.index}" for name, counts in takes.items() if counts}
    return names


def _layer(layer: Layer) -> tuple[object, ...]:
    """What a layer is, beside what its step says: names, how it begins, and all of its wiring where no step is made."""
    scale = 0.0 if layer.init.scheme is Scheme.SELU else layer.init.scale
    begin = (layer.init.scheme, scale, layer.init.bias) if layer.type is not LayerType.POOLING else ()
    wires = (layer.type, layer.dims, layer.sources, layer.skips, layer.function, layer.kernel, layer.kernel_stride)
    return layer.name, layer.position, layer.kind, layer.dataset, begin, wires
