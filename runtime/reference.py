"""The float64 reference: what a fully connected network computes, straight from `Network`, on torch and its autograd.

It is the oracle of the tests, of Validate and of gradient checks. It walks the layers in the plainest way, keeps every
activation, and shares no formula with the targets (no op, no expression, no gradient rule). Arrays are numpy or torch,
of any float type; results are float64 tensors. m is the batch's rows.

    outputs = forward(network, parameters, {input: x}, training=False)         {layer index: [m, units]}
    total = error(network, outputs, {output: Targets(t)})                      sum over units, examples, outputs
    slopes = gradients(network, parameters, {input: x}, {output: Targets(t)})  of the mean over the batch

Training proper (optimisers, one whole step) is in `reference_training.py`, error functions in `reference_errors.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from nnlang.network import Activation, Kind, Layer, LayerType, Network, Sparseness, Weight
from nnlang.runtime.reference_errors import Array, Targets, boost, double, unit_errors

__all__ = ["Array", "Gradients", "Parameters", "Targets", "error", "forward", "gradients", "regularization_error"]

EPSILON = 1e-5  # of batch normalisation, dsstne.md 1.12
LEAST_MEAN, MOST_MEAN = 1e-6, 0.999999  # clamp of mean activations in the sparseness penalty, dsstne.md 0.2

Arrays = Mapping[int, Array]
Hook = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Parameters:
    """Everything that a network learns; also the form of its gradient. The dictionaries are those of a model file.

    weights: {index of an owning weight: [in, out]}; biases: {index of any weight: [out]};
    batch_norm: {layer index: {"scale", "bias", "mean", "variance": [units]}} ("mean" and "variance" are the running
    statistics; a gradient has only "scale" and "bias").
    """

    weights: Arrays
    biases: Arrays
    batch_norm: Mapping[int, Mapping[str, Array]] = field(default_factory=dict)


@dataclass(frozen=True)
class Gradients:
    """What one batch says about every parameter.

    parameters: gradient of the mean over the batch's m rows, with DeltaBoost, sparseness penalty, DeltaNorm and the
    1 / users of shared weights in it, without L1 and L2 (these belong to the optimiser, dsstne.md 5.1).
    error: the batch error, summed over units, examples and outputs (float64 scalar), without penalty or boost.
    outputs: {layer index: [m, units]}, as `forward` gives them.
    inner: {layer index: [m, units]} what the activation is applied to: sums and skips, after batch normalisation.
    deltas: {layer index: [m, units]} per example (not over m), with respect to `inner`, boosted and clipped.
    statistics: {layer index: (mean [units], unbiased variance [units])} of each batch-normalised layer's batch.
    """

    parameters: Parameters
    error: Tensor
    outputs: dict[int, Tensor]
    inner: dict[int, Tensor]
    deltas: dict[int, Tensor]
    statistics: dict[int, tuple[Tensor, Tensor]]


def forward(
    network: Network, parameters: Parameters, inputs: Arrays, *, training: bool, masks: Arrays | None = None
) -> dict[int, Tensor]:
    """The output of every layer, {layer index: float64 [m, units]}, in propagation order (dsstne.md 2.1).

    inputs: {index of an Input layer: [m, units]} dense, example weights and denoising already applied (an entry kept
    by denoising is multiplied by 1/(1-p), a dropped one is 0). masks: {layer index: bool [m, units]}, True where
    dropout keeps the unit; training needs one for each Hidden and Output layer with dropout, an Input layer without
    one is not dropped. With training, batch normalisation takes the batch's statistics, otherwise the running ones.
    """
    with torch.no_grad():
        return _walk(network, parameters, inputs, training, masks or {}).outputs


def error(network: Network, outputs: Mapping[int, Tensor], targets: Mapping[int, Targets]) -> Tensor:
    """The batch error, float64 scalar: summed over units, examples and the output layers in `targets` (dsstne.md 3)."""
    total = torch.zeros((), dtype=torch.float64)
    for index, wanted in targets.items():
        softmax = network.layers[index].activation is Activation.SOFTMAX
        total = total + unit_errors(network.loss, softmax, outputs[index], wanted).sum()
    return total


def regularization_error(network: Network, parameters: Parameters, lambda_: float, lambda1: float) -> Tensor:
    """What L2 and L1 add to the printed error of an example: owners' matrices only, biases left out (dsstne.md 3.5)."""
    total = torch.zeros((), dtype=torch.float64)
    for weight in _owners(network):
        w = double(parameters.weights[weight.index])
        total = total + 0.5 * lambda_ * w.square().sum() + lambda1 * w.abs().sum()
    return total


def gradients(
    network: Network,
    parameters: Parameters,
    inputs: Arrays,
    targets: Mapping[int, Targets],
    *,
    training: bool = True,
    masks: Arrays | None = None,
) -> Gradients:
    """Error and gradient of one batch: autograd of `error` / m, plus what DSSTNE does to deltas on their way back.

    Those are: DeltaBoost on the loss's own delta of an output layer; the sparseness penalty on a hidden layer's
    activation, before dropout; DeltaNorm on each example's whole delta, before batch normalisation's backward step;
    1 / users for shared matrices (dsstne.md 1.8, 2.2, 3.3). docs/numerics.md tells where DSSTNE's deltas differ.
    Without training there is no dropout, no sparseness penalty, and normalisation takes the running statistics.
    """
    leaves = _leaves(parameters)
    boosts = {index: boost(network.loss, wanted) for index, wanted in targets.items()}
    trace = _walk(network, leaves, inputs, training, masks or {}, boosts)
    total = error(network, trace.judged, targets)
    (total + trace.penalty).backward()  # type: ignore[no-untyped-call]
    rows = next(iter(trace.outputs.values())).shape[0]
    shares = {w.index: 1.0 / (rows * len(network.users(w))) for w in _owners(network)}
    slopes = Parameters(
        {i: _slope(w) * shares[i] for i, w in leaves.weights.items()},
        {i: _slope(b) / rows for i, b in leaves.biases.items()},
        {i: {k: _slope(values[k]) / rows for k in ("scale", "bias")} for i, values in leaves.batch_norm.items()},
    )
    return Gradients(
        slopes,
        total.detach(),
        {i: y.detach() for i, y in trace.outputs.items()},
        {i: z.detach() for i, z in trace.inner.items()},
        {i: _slope(z) for i, z in trace.inner.items()},
        {i: (mean.detach(), variance.detach()) for i, (mean, variance) in trace.statistics.items()},
    )


def _owners(network: Network) -> tuple[Weight, ...]:
    return tuple(w for w in network.weights if w.owner is None)


def _leaves(parameters: Parameters) -> Parameters:
    def leaf(array: Array) -> Tensor:
        return double(array).detach().clone().requires_grad_()

    return Parameters(
        {i: leaf(w) for i, w in parameters.weights.items()},
        {i: leaf(b) for i, b in parameters.biases.items()},
        {i: {k: leaf(v) for k, v in values.items()} for i, values in parameters.batch_norm.items()},
    )


def _slope(leaf: Array) -> Tensor:
    assert isinstance(leaf, Tensor)
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


class _Trace:
    """What a walk through the layers leaves behind."""

    def __init__(self) -> None:
        self.outputs: dict[int, Tensor] = {}  # what consumers see
        self.judged: dict[int, Tensor] = {}  # the same numbers, through the branch that DeltaBoost acts on
        self.inner: dict[int, Tensor] = {}
        self.statistics: dict[int, tuple[Tensor, Tensor]] = {}
        self.penalty = torch.zeros((), dtype=torch.float64)


def _walk(
    network: Network,
    parameters: Parameters,
    inputs: Arrays,
    training: bool,
    masks: Arrays,
    boosts: Mapping[int, Tensor | None] | None = None,
) -> _Trace:
    trace = _Trace()
    for layer in network.layers:
        if layer.type is not LayerType.FULLY_CONNECTED:
            raise ValueError(
                f"the reference computes fully connected layers only; layer {layer.index} is {layer.type.name}"
            )
        keep = _keep(layer, masks) if training else None
        if layer.kind is Kind.INPUT:
            trace.outputs[layer.index] = _dropout(layer, double(inputs[layer.index]), keep)
            continue
        z = _normalize(layer, _sum(network, layer, parameters, trace), parameters, training, trace)
        if z.requires_grad:
            z.retain_grad()
        trace.inner[layer.index] = z
        z = _on_the_way_back(z, _clip(layer.delta_norm) if layer.delta_norm > 0 else None)
        a = _activate(layer, z)
        trace.outputs[layer.index] = _dropout(layer, a, keep)
        if boosts is not None and layer.index in boosts:
            trace.judged[layer.index] = _judged(layer, z, boosts[layer.index], keep)
        if training and layer.sparseness is not None:
            trace.penalty = trace.penalty + _penalty(layer.sparseness, a)
    return trace


def _sum(network: Network, layer: Layer, parameters: Parameters, trace: _Trace) -> Tensor:
    """Every source through its matrix with its own bias, and every skip as it is (dsstne.md 1.6, 1.9)."""
    parts = [trace.outputs[skip] for skip in layer.skips]
    for weight in network.weights_into(layer):
        matrix = double(parameters.weights[weight.index if weight.owner is None else weight.owner])
        rows_out = matrix if weight.transposed else matrix.T  # functional.linear wants [out, in]
        parts.append(functional.linear(trace.outputs[weight.source], rows_out, double(parameters.biases[weight.index])))
    return torch.stack(parts).sum(dim=0)


def _normalize(layer: Layer, z: Tensor, parameters: Parameters, training: bool, trace: _Trace) -> Tensor:
    if not layer.batch_normalization:
        return z
    own = {name: double(values) for name, values in parameters.batch_norm[layer.index].items()}
    mean, variance = own["mean"], own["variance"]
    if training:
        mean, variance = z.mean(dim=0), z.var(dim=0, correction=0)
        trace.statistics[layer.index] = mean, variance * z.shape[0] / max(1, z.shape[0] - 1)
    return (z - mean) / (variance + EPSILON).sqrt() * own["scale"] + own["bias"]


def _activate(layer: Layer, z: Tensor) -> Tensor:
    return ACTIVATIONS[layer.activation](layer, z)


ACTIVATIONS: dict[Activation, Callable[[Layer, Tensor], Tensor]] = {
    Activation.SIGMOID: lambda layer, z: torch.sigmoid(z),
    Activation.TANH: lambda layer, z: torch.tanh(z),
    Activation.RELU: lambda layer, z: functional.relu(z),
    Activation.LEAKY_RELU: lambda layer, z: functional.leaky_relu(z, layer.slope),
    Activation.ELU: lambda layer, z: functional.elu(z, layer.elu_alpha),
    Activation.SELU: lambda layer, z: layer.selu_lambda * functional.elu(z, layer.elu_alpha),
    Activation.LINEAR: lambda layer, z: z,
    Activation.SOFTPLUS: lambda layer, z: functional.softplus(z, threshold=700),  # torch's threshold of 20 costs 2e-9
    Activation.SOFTSIGN: lambda layer, z: functional.softsign(z),
    Activation.SOFTMAX: lambda layer, z: functional.softmax(z, dim=1),
}


def _keep(layer: Layer, masks: Arrays) -> Tensor | None:
    if layer.dropout == 0.0 or (layer.kind is Kind.INPUT and layer.index not in masks):
        return None
    return torch.as_tensor(masks[layer.index], dtype=torch.bool)


def _dropout(layer: Layer, y: Tensor, keep: Tensor | None) -> Tensor:
    """The layer's output in training: dropped units and survivors as dsstne.md 7 has them for this activation."""
    if keep is None:
        return y
    p = layer.dropout
    activation = Activation.LINEAR if layer.kind is Kind.INPUT else layer.activation
    if activation is Activation.SIGMOID:
        return torch.where(keep, y, 0.5)
    if activation in (Activation.ELU, Activation.SELU):
        low: float = -layer.elu_alpha * (layer.selu_lambda if activation is Activation.SELU else 1.0)
        a = 1.0 / math.sqrt((1 - p) + low**2 * p * (1 - p))
        return a * torch.where(keep, y, low) - a * p * low
    return torch.where(keep, y, 0.0) / (1 - p)


def _judged(layer: Layer, z: Tensor, factor: Tensor | None, keep: Tensor | None) -> Tensor:
    z = _on_the_way_back(z, None if factor is None else lambda delta: delta * factor)
    return _dropout(layer, _activate(layer, z), keep)


def _penalty(sparseness: Sparseness, a: Tensor) -> Tensor:
    """m times beta times the cross entropy of p and the units' means: its gradient is the term of dsstne.md 2.2."""
    mean = a.mean(dim=0)
    rho = mean + (mean.clamp(LEAST_MEAN, MOST_MEAN) - mean).detach()  # the clamp bounds the term, it does not stop it
    p = sparseness.p
    return -a.shape[0] * sparseness.beta * (p * rho.log() + (1 - p) * (1 - rho).log()).sum()


def _clip(limit: float) -> Hook:
    def clip(delta: Tensor) -> Tensor:
        lengths = delta.square().sum(dim=1, keepdim=True).sqrt()
        return delta * (limit / lengths.clamp(min=limit))

    return clip


def _on_the_way_back(z: Tensor, hook: Hook | None) -> Tensor:
    """The same numbers, whose gradient goes through `hook` on its way back."""
    if hook is None or not z.requires_grad:
        return z
    same = z.clone()
    same.register_hook(hook)  # type: ignore[no-untyped-call]
    return same
