"""The run-time scalars of a network and of a training step, by the names that lowering gives them."""

from __future__ import annotations

from nnlang.network import Network, Optimizer, Training


def of_network(network: Network) -> dict[str, float]:
    """The scalars that the definition fixes."""
    loss = network.loss
    found = {
        "one_target": loss.one_target,
        "zero_target": loss.zero_target,
        "one_scale": loss.one_scale,
        "zero_scale": loss.zero_scale,
        "boost_one": loss.boost_one,
        "boost_zero": loss.boost_zero,
        "denoising": network.denoising,
    }
    for layer in network.layers:
        i = layer.index
        found |= {
            f"dropout {i}": layer.dropout,
            f"slope {i}": layer.slope,
            f"elu_alpha {i}": layer.elu_alpha,
            f"selu_lambda {i}": layer.selu_lambda,
            f"delta_norm {i}": layer.delta_norm,
            f"weight_norm {i}": layer.weight_norm,
        }
        if layer.sparseness is not None:
            found |= {f"sparseness_p {i}": layer.sparseness.p, f"sparseness_beta {i}": layer.sparseness.beta}
    return found


def of_training(training: Training) -> dict[str, float]:
    """The scalars that stay for a whole training."""
    return {"lambda": training.lambda_, "lambda1": training.lambda1, "mu": training.mu, "mu1": training.mu1}


def rate(training: Training, decay: float, epoch: int, steps: int) -> float:
    """The step size after `steps` finished steps, without brake: alpha, its interval's multiplications, decay."""
    alpha = training.alpha
    if training.alpha_interval:
        alpha *= training.alpha_multiplier ** (epoch // training.alpha_interval)
    return alpha / (1 + decay * steps) if decay > 0 else alpha


def of_step(training: Training, rate: float, rows: int, steps: int) -> dict[str, float]:
    """The scalars of one step: its rate, the rows of its batch, `steps` finished before it."""
    found = {
        "alpha": rate,
        "inv": 1.0 / rows,
        "bn_weight": 1.0 / (steps + 1),
        "bessel": rows / (rows - 1) if rows > 1 else 1.0,
    }
    if training.optimizer is Optimizer.ADAM:
        found["correction"] = 1 - training.mu ** (steps + 1)
        found["correction1"] = 1 - training.mu1 ** (steps + 1)
    return found
