"""The error of an output layer and its delta by the pre-activation, against sparse or dense targets (dsstne.md 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlang.expressions import Const, Expr, Var, call, substitute
from nnlang.formulas import ACTIVATIONS, CLASS_COEFFICIENT, CLASS_VALUE, LOSSES, MARGINS, dropout
from nnlang.network import Activation, ErrorFunction, Layer, Loss
from nnlang.ops import BATCH, Densify, Op, Reduce, Type, named

if TYPE_CHECKING:
    from nnlang.lower import Forward

CLASSES = (ErrorFunction.CROSS_ENTROPY, ErrorFunction.SMCE, ErrorFunction.DSMCE)  # a stored entry means: this class


def output_delta(forward: Forward, layer: Layer) -> tuple[Op, Op]:
    """The delta [batch, unit] by the pre-activation, per example, not over the batch; each row's error [batch]."""
    values, formulas = _targets(forward, layer)
    bound = _parameters(forward, layer, values)
    if layer.activation is Activation.SOFTMAX and forward.network.loss.function in CLASS_COEFFICIENT:
        delta, value = _class_loss(forward, layer, formulas, bound)
    else:
        delta, value = _unit_loss(forward, layer, formulas, bound)
    units = forward.units(layer.index)
    return delta, forward.pool.make(Reduce(Type((BATCH,)), "sum", value, units))


def _targets(forward: Forward, layer: Layer) -> tuple[dict[str, Op], dict[str, Expr]]:
    """Operations for the variables of the loss rows, and what the rows' variables become."""
    target = forward.feed(layer, "target")
    facts, function, pool = forward.network.facts(layer), forward.network.loss.function, forward.pool
    weighted = facts is not None and facts.weighted
    values: dict[str, Op] = {"a": forward.values[layer.index]}
    formulas: dict[str, Expr] = {"w": Var("w") if weighted else Const(1.0)}
    if weighted:
        values["w"] = forward.feed(layer, "target", "weight")
    dense = Type(target.type.axes)
    if target.type.storage == "dense":
        values["t"] = target
        return values, {**formulas, "p": call("gt", Var("t"), 0)}
    values["p"] = pool.make(Densify(dense, target, "present"))
    boolean = facts is not None and facts.boolean
    softmax = layer.activation is Activation.SOFTMAX
    if softmax and boolean and function in CLASSES:
        return _shares(forward, layer, values, formulas, weighted)
    if boolean or (function in CLASSES and function is not ErrorFunction.DSMCE and not softmax):
        formulas["t"] = Var("p")
    else:
        values["t"] = pool.make(Densify(dense, target, "value"))
    return values, formulas


def _shares(
    forward: Forward, layer: Layer, values: dict[str, Op], formulas: dict[str, Expr], weighted: bool
) -> tuple[dict[str, Op], dict[str, Expr]]:
    """Boolean rows under SoftMax: targets are 1 / entries each, or the example's weight (dsstne.md 3.3)."""
    if weighted:
        return values, {**formulas, "t": Var("p")}
    values["share"] = forward.feed(layer, "target", "share")
    return values, {**formulas, "t": Var("p") * Var("share")}


def _parameters(forward: Forward, layer: Layer, values: dict[str, Op]) -> dict[str, Op]:
    low = forward.low
    names = ("one_target", "zero_target", "one_scale", "zero_scale", "boost_one", "boost_zero")
    rate = {"rate": low.scalar(f"dropout {layer.index}")} if layer.index in forward.masks else {}
    keep = {"keep": forward.masks[layer.index]} if layer.index in forward.masks else {}
    scalars = {name: low.scalar(name) for name in names}
    return {**values, **scalars, **rate, **keep, **forward.parameters(layer)}


def _margins(loss: Loss) -> dict[str, Expr]:
    """The margins and scales of SMCE: always-true conditions and factors of 1 are structure, and vanish."""
    margins = dict(MARGINS)
    if loss.one_target >= 1:
        margins["below_one"] = Const(1.0)  # at a = 1 the error and the delta of a stored entry are 0 anyway
    if loss.zero_target <= 0:
        margins["above_zero"] = Const(1.0)
    scales: dict[str, Expr] = {n: Const(1.0) for n in ("one_scale", "zero_scale") if getattr(loss, n) == 1}
    return {**margins, **scales}


def _boosted(forward: Forward, layer: Layer, delta: Expr) -> Expr:
    """DeltaBoost, on the delta of sparse targets (docs/numerics.md)."""
    loss, facts = forward.network.loss, forward.network.facts(layer)
    sparse = facts is not None and facts.sparse
    if not sparse or loss.function in (ErrorFunction.SMCE, ErrorFunction.DSMCE):
        return delta
    if loss.boost_one == 1 and loss.boost_zero == 1:
        return delta
    return delta * (Var("boost_zero") + (Var("boost_one") - Var("boost_zero")) * Var("p"))


def _ignoring(forward: Forward, layer: Layer, e: Expr) -> Expr:
    """Where the data set ignores zeros, only stored entries count."""
    facts = forward.network.facts(layer)
    return Var("p") * e if facts is not None and facts.sparse and facts.ignore_zero else e


def _bind(forward: Forward, layer: Layer, formulas: dict[str, Expr], e: Expr) -> Expr:
    return substitute(substitute(e, _margins(forward.network.loss)), formulas)


def _unit_loss(forward: Forward, layer: Layer, formulas: dict[str, Expr], bound: dict[str, Op]) -> tuple[Op, Op]:
    row = LOSSES[forward.network.loss.function]
    value = _ignoring(forward, layer, _bind(forward, layer, formulas, row.value))
    error = named(forward.pool, value, bound)
    if layer.activation is Activation.SOFTMAX:
        return _through_softmax(forward, layer, _bind(forward, layer, formulas, row.delta), bound), error
    delta, mask = row.delta, Var("keep") if layer.index in forward.masks else Const(1.0)
    if not row.by_z:
        before = {"a": Var("before")} if layer.index in forward.masks else {}
        bound = {**bound, "before": forward.activations[layer.index]}
        delta = delta * substitute(ACTIVATIONS[layer.activation].slope, before)
        if layer.index in forward.masks:
            delta = delta * dropout(layer.activation, Var("rate")).scale
    delta = _bind(forward, layer, formulas, delta) * mask
    delta = _ignoring(forward, layer, _boosted(forward, layer, delta))
    return named(forward.pool, delta, bound), error


def _through_softmax(forward: Forward, layer: Layer, by_a: Expr, bound: dict[str, Op]) -> Op:
    """delta by z = a (g - sum a g), with g the derivative by a: the full Jacobian."""
    slope = named(forward.pool, _ignoring(forward, layer, by_a), bound)
    product = named(forward.pool, Var("a") * Var("g"), {"a": bound["a"], "g": slope})
    total = forward.pool.make(Reduce(Type((BATCH,)), "sum", product, forward.units(layer.index)))
    formula = _boosted(forward, layer, Var("a") * (Var("g") - Var("total")))
    return named(forward.pool, formula, {**bound, "g": slope, "total": total})


def _class_loss(forward: Forward, layer: Layer, formulas: dict[str, Expr], bound: dict[str, Op]) -> tuple[Op, Op]:
    """error -sum c ln a, delta a sum(c) - c."""
    coefficient = _bind(forward, layer, formulas, CLASS_COEFFICIENT[forward.network.loss.function])
    c = named(forward.pool, coefficient, bound)
    mass = forward.pool.make(Reduce(Type((BATCH,)), "sum", c, forward.units(layer.index)))
    error = named(forward.pool, substitute(CLASS_VALUE, {"c": coefficient}), bound)
    formula = _boosted(forward, layer, Var("a") * Var("mass") - coefficient)
    return named(forward.pool, formula, {**bound, "mass": mass}), error
