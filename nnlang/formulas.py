"""Activations, losses, optimisers and dropout, each written once as scalar expressions (dsstne.md 2, 3, 5.2, 7).

Variables: z pre-activation, a activation, t target, w example weight, p presence (1 where a sparse target stores an
entry), g gradient. Where the formulas differ from DSSTNE's kernels, docs/numerics.md has the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnlang.expressions import Const, Expr, Number, Var, call
from nnlang.network import Activation, ErrorFunction, Optimizer

MIN_LOG = 1e-12  # lower clamp of the arguments of log in losses (dsstne.md 0.2)
MAX_LOG = 27.631021115928547  # -ln(MIN_LOG)
MIN_MEAN, MAX_MEAN = 1e-6, 0.999999  # clamp of mean activations in the sparseness penalty (dsstne.md 0.2)
BATCH_NORM_EPSILON = 1e-5

z, a, t, w, p, g = Var("z"), Var("a"), Var("t"), Var("w"), Var("p"), Var("g")


def _max(x: Expr | Number, y: Expr | Number) -> Expr:
    return call("max", x, y)


def _min(x: Expr | Number, y: Expr | Number) -> Expr:
    return call("min", x, y)


def _gt(x: Expr | Number, y: Expr | Number) -> Expr:
    return call("gt", x, y)


def _lt(x: Expr | Number, y: Expr | Number) -> Expr:
    return call("lt", x, y)


@dataclass(frozen=True)
class ActivationRow:
    """value: from z; slope: the derivative by z, from a. Parameters are the variables slope, elu_alpha, selu_lambda."""

    value: Expr
    slope: Expr


_slope, _alpha, _lambda = Var("slope"), Var("elu_alpha"), Var("selu_lambda")

ACTIVATIONS: Mapping[Activation, ActivationRow] = {
    Activation.SIGMOID: ActivationRow(call("sigmoid", z), a * (1 - a)),
    Activation.TANH: ActivationRow(call("tanh", z), 1 - a * a),
    Activation.RELU: ActivationRow(_max(z, 0), _gt(a, 0)),
    Activation.LEAKY_RELU: ActivationRow(_max(z, 0) + _slope * _min(z, 0), _slope + (1 - _slope) * _gt(a, 0)),
    Activation.ELU: ActivationRow(
        _max(z, 0) + _alpha * call("expm1", _min(z, 0)), _min(a, 0) + ((1 - _alpha) * _gt(a, 0) + _alpha)
    ),
    Activation.SELU: ActivationRow(
        _lambda * _max(z, 0) + (_lambda * _alpha) * call("expm1", _min(z, 0)),
        _min(a, 0) + ((_lambda - _lambda * _alpha) * _gt(a, 0) + _lambda * _alpha),
    ),
    Activation.LINEAR: ActivationRow(z, Const(1.0)),
    Activation.SOFTPLUS: ActivationRow(call("softplus", z), -call("expm1", -a)),
    Activation.SOFTSIGN: ActivationRow(z / (1 + call("abs", z)), (1 - call("abs", a)) * (1 - call("abs", a))),
}


@dataclass(frozen=True)
class Dropout:
    """What dropout makes of an activation a with drop probability p: kept -> scale * a + shift, dropped -> dropped."""

    scale: Expr
    shift: Expr
    dropped: Expr


def dropout(activation: Activation, rate: Expr) -> Dropout:
    """The dropout of an activation (dsstne.md 7): inverted, Sigmoid drops to 0.5, ELU and SELU keep their moments."""
    keep = 1 - rate
    if activation is Activation.SIGMOID:
        return Dropout(Const(1.0), Const(0.0), Const(0.5))
    if activation in (Activation.ELU, Activation.SELU):
        low = -(_alpha * (_lambda if activation is Activation.SELU else 1.0))
        scale = 1 / call("sqrt", keep + low * low * rate * keep)
        shift = -scale * rate * low
        return Dropout(scale, shift, scale * low + shift)
    return Dropout(1 / keep, Const(0.0), Const(0.0))


# The margins are variables of their own: with targets 1 and 0 they hold wherever they matter, and lowering drops them.
_below_one, _above_zero = Var("below_one"), Var("above_zero")
MARGINS = {"below_one": _lt(a, Var("one_target")), "above_zero": _gt(a, Var("zero_target"))}
_one_scale, _zero_scale = Var("one_scale"), Var("zero_scale")
_ln_a = call("log", _max(a, MIN_LOG))
_ln_not_a = _max(call("log1p", -a), -MAX_LOG)  # of a, not of 1 - a, which has no digits left where a is small
_hinge = _gt(t, 0) * _min(a - call("abs", t), 0) + (1 - _gt(t, 0)) * _max(a - call("abs", t), 0)


@dataclass(frozen=True)
class LossRow:
    """value: one unit's error. delta: its derivative by a, or by z where `by_z` (sigmoid already merged in)."""

    value: Expr
    delta: Expr
    by_z: bool = False


# Elementwise output activations; p is 1 for stored entries, and t > 0 for dense targets where a class is meant.
LOSSES: Mapping[ErrorFunction, LossRow] = {
    ErrorFunction.L1: LossRow(w * call("abs", a - t), w * call("sign", a - t)),
    ErrorFunction.L2: LossRow(0.5 * w * ((a - t) * (a - t)), w * (a - t)),
    ErrorFunction.L2_HINGE: LossRow(0.5 * w * (_hinge * _hinge), w * _hinge),
    ErrorFunction.HINGE: LossRow(w * _max(1 - t * a, 0), -w * (t * _gt(1 - t * a, 0))),
    ErrorFunction.CROSS_ENTROPY: LossRow(-w * (t * _ln_a + (1 - t) * _ln_not_a), w * (a - t), by_z=True),
    ErrorFunction.SMCE: LossRow(
        p * (-(w * _one_scale) * (_below_one * _ln_a)) + (1 - p) * (-(w * _zero_scale) * (_above_zero * _ln_not_a)),
        p * ((w * _one_scale) * (_below_one * (a - 1))) + (1 - p) * ((w * _zero_scale) * (_above_zero * a)),
        by_z=True,
    ),
    ErrorFunction.DSMCE: LossRow(
        p * (-(w * _one_scale) * (t * (_below_one * _ln_a)))
        + (1 - p) * (-(w * _zero_scale) * (_above_zero * _ln_not_a)),
        p * ((w * _one_scale) * (t * (_below_one * (a - 1)))) + (1 - p) * ((w * _zero_scale) * (_above_zero * a)),
        by_z=True,
    ),
}

# SoftMax with a class loss: error = -sum c ln a over targets, delta by z = a * sum(c) - c. c, from t, w, p and a:
CLASS_COEFFICIENT: Mapping[ErrorFunction, Expr] = {
    ErrorFunction.CROSS_ENTROPY: w * t,
    ErrorFunction.SMCE: (w * t) * (_one_scale * _below_one),
}
CLASS_VALUE = Var("c") * -_ln_a


@dataclass(frozen=True)
class OptimizerRow:
    """states: names of what is kept beside w. body: assignments in order, in place; g comes in as the mean gradient."""

    states: tuple[str, ...]
    body: tuple[tuple[str, Expr], ...]


_v, _s = Var("v"), Var("s")
_rate, _mu, _mu1 = Var("alpha"), Var("mu"), Var("mu1")
_TINY = 1e-9


def _root(x: Expr) -> Expr:
    return call("sqrt", _max(x, _TINY))


OPTIMIZERS: Mapping[Optimizer, OptimizerRow] = {
    Optimizer.SGD: OptimizerRow((), (("w", w - _rate * g),)),
    Optimizer.MOMENTUM: OptimizerRow(("v",), (("v", _mu * _v - _rate * g), ("w", w + _v))),
    # w += v' + mu (v' - v), in two steps around the new v
    Optimizer.NESTEROV: OptimizerRow(
        ("v",), (("w", w - _mu * _v), ("v", _mu * _v - _rate * g), ("w", w + (1 + _mu) * _v))
    ),
    Optimizer.ADAGRAD: OptimizerRow(("v",), (("v", _v + g * g), ("w", w - _rate * (g / _root(_v))))),
    Optimizer.RMSPROP: OptimizerRow(
        ("v",), (("v", _mu * _v + (1 - _mu) * (g * g)), ("w", w - _rate * (g / _root(_v))))
    ),
    Optimizer.ADADELTA: OptimizerRow(
        ("v", "s"),
        (
            ("s", _mu * _s + (1 - _mu) * (g * g)),
            ("g", g * call("sqrt", _max(_v, _TINY) / _max(_s, _TINY))),
            ("v", _mu * _v + (1 - _mu) * (g * g)),
            ("w", w - g),
        ),
    ),
    Optimizer.ADAM: OptimizerRow(
        ("v", "s"),
        (
            ("v", _mu * _v + (1 - _mu) * g),
            ("s", _mu1 * _s + (1 - _mu1) * (g * g)),
            ("g", call("sqrt", _s * (1 / Var("correction1"))) + 1e-8),
            ("w", w - (_rate / Var("correction")) * (_v / g)),
        ),
    ),
}

# What the gradient is before the optimiser sees it: the mean over the batch (inv = 1 / (rows * users)) with L2 and L1.
MEAN = ("g", g * Var("inv"))
REGULARISED: Mapping[tuple[bool, bool], tuple[tuple[str, Expr], ...]] = {
    (False, False): (MEAN,),
    (True, False): (("g", Var("inv") * g + Var("lambda") * w),),
    (False, True): (("g", Var("inv") * g + Var("lambda1") * call("sign", w)),),
    (True, True): (
        ("g", Var("inv") * g + Var("lambda") * w),
        ("g", g + Var("lambda1") * call("sign", w)),
    ),
}
