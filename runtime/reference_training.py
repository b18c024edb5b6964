"""The rest of training in the float64 reference, in numpy: optimisers, norms, running statistics, one whole step.

Source: dsstne.md 5.1 and 5.2 with the mends that docs/numerics.md lists. Gradients here are positive: what the mean
error rises by, the opposite of DSSTNE's G.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Network, Optimizer, Training
from nnlang.runtime.reference import Arrays, Gradients, Parameters, Targets, gradients

Doubles = NDArray[np.float64]
State = dict[str, Doubles]

LEAST_SQUARE = 1e-9  # below it AdaGrad, RMSProp and AdaDelta divide by its root
ADAM_EPSILON = 1e-8


@dataclass(frozen=True)
class Rates:
    """The scalars of one update: step size alpha (decay and brake in it already), mu, mu1, the step count t >= 1."""

    alpha: float
    mu: float
    mu1: float
    t: int


def optimizer_step(
    optimizer: Optimizer,
    w: Any,
    state: Mapping[str, Doubles],
    g_mean: Any,
    *,
    alpha: float,
    lambda_: float,
    lambda1: float,
    mu: float,
    mu1: float,
    t: int,
) -> tuple[Doubles, State]:
    """One parameter array and its optimiser state after one step, both new (dsstne.md 5.2).

    g_mean is the gradient of the mean error; lambda_ (L2) and lambda1 (L1) join it here: pass 0 for biases and batch
    normalisation. An empty state is the start. Names of the state: Momentum and Nesterov "velocity"; AdaGrad, RMSProp
    "squares"; AdaDelta "squares" and "updates" (running mean squares of gradients and of steps); Adam "mean" and
    "squares". t counts steps from 1.
    """
    start = np.asarray(w, np.float64)
    g = np.asarray(g_mean, np.float64) + lambda_ * start + lambda1 * np.sign(start)
    old = {name: state.get(name, np.zeros_like(start)) for name in STATES[optimizer]}
    move, new = RULES[optimizer](g, old, Rates(alpha, mu, mu1, t))
    return start + move, new


def _sgd(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    return -r.alpha * g, {}


def _momentum(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    velocity = r.mu * old["velocity"] - r.alpha * g
    return velocity, {"velocity": velocity}


def _nesterov(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    velocity = r.mu * old["velocity"] - r.alpha * g
    return velocity + r.mu * (velocity - old["velocity"]), {"velocity": velocity}


def _adagrad(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    squares = old["squares"] + g**2
    return -r.alpha * g / np.sqrt(np.maximum(LEAST_SQUARE, squares)), {"squares": squares}


def _rmsprop(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    squares = r.mu * old["squares"] + (1 - r.mu) * g**2
    return -r.alpha * g / np.sqrt(np.maximum(LEAST_SQUARE, squares)), {"squares": squares}


def _adadelta(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    squares = r.mu * old["squares"] + (1 - r.mu) * g**2
    move = -g * np.sqrt(np.maximum(LEAST_SQUARE, old["updates"]) / np.maximum(LEAST_SQUARE, squares))
    return move, {"squares": squares, "updates": r.mu * old["updates"] + (1 - r.mu) * move**2}


def _adam(g: Doubles, old: State, r: Rates) -> tuple[Doubles, State]:
    mean = r.mu * old["mean"] + (1 - r.mu) * g
    squares = r.mu1 * old["squares"] + (1 - r.mu1) * g**2
    m, s = mean / (1 - r.mu**r.t), squares / (1 - r.mu1**r.t)
    return -r.alpha * m / (np.sqrt(s) + ADAM_EPSILON), {"mean": mean, "squares": squares}


Rule = Callable[[Doubles, State, Rates], tuple[Doubles, State]]

RULES: dict[Optimizer, Rule] = {
    Optimizer.SGD: _sgd,
    Optimizer.MOMENTUM: _momentum,
    Optimizer.ADAGRAD: _adagrad,
    Optimizer.NESTEROV: _nesterov,
    Optimizer.RMSPROP: _rmsprop,
    Optimizer.ADADELTA: _adadelta,
    Optimizer.ADAM: _adam,
}
STATES: dict[Optimizer, tuple[str, ...]] = {
    Optimizer.SGD: (),
    Optimizer.MOMENTUM: ("velocity",),
    Optimizer.ADAGRAD: ("squares",),
    Optimizer.NESTEROV: ("velocity",),
    Optimizer.RMSPROP: ("squares",),
    Optimizer.ADADELTA: ("squares", "updates"),
    Optimizer.ADAM: ("mean", "squares"),
}


def weight_norm(w: Any, limit: float) -> Doubles:
    """The matrix [in, out] with each unit's incoming vector, a column, at most `limit` long (dsstne.md 5.2)."""
    matrix: Doubles = np.asarray(w, np.float64)
    lengths: Doubles = np.sqrt(np.sum(matrix**2, axis=0, keepdims=True))
    return matrix * (limit / np.maximum(lengths, limit))


def running_statistic(old: Any, batch: Any, calls: int) -> Doubles:
    """The average over `calls` earlier batches and this one; with calls 0 it is the batch's (docs/numerics.md 4)."""
    before = np.asarray(old, np.float64)
    return before + (np.asarray(batch, np.float64) - before) / (calls + 1)


def step_size(alpha: float, decay: float, steps: int) -> float:
    """alpha after `steps` finished steps under learning-rate decay (dsstne.md 5.3)."""
    return alpha / (1 + decay * steps) if decay > 0 else alpha


@dataclass(frozen=True)
class Progress:
    """Parameters, optimiser state by name ("weight0", "bias0", "norm1.scale", ...), and how many steps led here."""

    parameters: Parameters
    states: Mapping[str, Mapping[str, Doubles]] = field(default_factory=dict)
    steps: int = 0


def train_step(
    network: Network,
    settings: Training,
    progress: Progress,
    inputs: Arrays,
    targets: Mapping[int, Targets],
    *,
    masks: Arrays | None = None,
    brake: float = 1.0,
) -> tuple[Progress, Gradients]:
    """Where one batch leads: every update, WeightNorm, running statistics; beside it the gradients that led there.

    brake multiplies the step size (0.1 while the divergence brake is on).
    """
    slopes = gradients(network, progress.parameters, inputs, targets, masks=masks)
    states: dict[str, State] = {}

    def moved(name: str, w: Any, g: Any, lambda_: float, lambda1: float) -> Doubles:
        alpha = brake * step_size(settings.alpha, network.decay, progress.steps)
        rates = {"alpha": alpha, "mu": settings.mu, "mu1": settings.mu1}
        decays = {"lambda_": lambda_, "lambda1": lambda1}
        old = progress.states.get(name, {})
        new, states[name] = optimizer_step(settings.optimizer, w, old, g, t=progress.steps + 1, **rates, **decays)
        return new

    before, by = progress.parameters, slopes.parameters
    weights = {
        i: moved(f"weight{i}", w, by.weights[i], settings.lambda_, settings.lambda1) for i, w in before.weights.items()
    }
    biases = {i: moved(f"bias{i}", b, by.biases[i], 0.0, 0.0) for i, b in before.biases.items()}
    norms = {
        i: {k: moved(f"norm{i}.{k}", own[k], by.batch_norm[i][k], 0.0, 0.0) for k in ("scale", "bias")}
        | _statistics(own, slopes, i, progress.steps)
        for i, own in before.batch_norm.items()
    }
    after = Parameters(_limited(network, weights), biases, norms)
    return replace(progress, parameters=after, states=states, steps=progress.steps + 1), slopes


def _statistics(own: Mapping[str, Any], slopes: Gradients, layer: int, calls: int) -> dict[str, Doubles]:
    mean, variance = slopes.statistics[layer]
    return {
        "mean": running_statistic(own["mean"], mean, calls),
        "variance": running_statistic(own["variance"], variance, calls),
    }


def _limited(network: Network, weights: Mapping[int, Doubles]) -> dict[int, Doubles]:
    limits = {i: network.layers[network.weights[i].target].weight_norm for i in weights}
    return {i: weight_norm(w, limits[i]) if limits[i] > 0 else w for i, w in weights.items()}
