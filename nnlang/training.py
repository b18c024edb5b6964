"""The backward half of lowering: error, gradients, optimiser updates, in the order of dsstne.md 2.2."""

from __future__ import annotations

from functools import partial

from nnlang.expressions import Const, Expr, Var, call, substitute
from nnlang.formulas import MAX_MEAN, MEAN, MIN_MEAN, OPTIMIZERS, REGULARISED
from nnlang.grad import Hook, add, adjoints
from nnlang.loss import output_delta
from nnlang.lower import Forward, StateInfo, Structure
from nnlang.network import Layer, Optimizer, Sparseness
from nnlang.ops import BATCH, Assign, Clip, Op, Reduce, State, Type, Update, named


def step_roots(forward: Forward, structure: Structure | None) -> tuple[Op, ...]:
    """The roots of step (with a structure and updates), gradient or evaluate."""
    seeds: dict[Op, Op] = {}
    error: Op | None = None
    for layer in forward.network.outputs:
        delta, rows = output_delta(forward, layer)
        seeds[forward.preactivations[layer.index]] = delta
        error = rows if error is None else add(forward.pool, error, rows)
    assert error is not None
    roots: list[Op] = [forward.low.result("error", error)]
    if forward.low.entry == "evaluate":
        return tuple(roots)
    parameters = _parameters(forward)
    found = adjoints(forward.pool, seeds, tuple(parameters), _hooks(forward))
    if forward.low.entry == "gradient":
        inv = forward.low.scalar("inv")
        for state, users in parameters.items():
            if state in found:
                mean = named(forward.pool, Var("g") * Var("i") * Const(1 / users), {"g": found[state], "i": inv})
                roots.append(forward.low.result(f"gradient {_number(state)}", mean))
        return tuple(roots)
    assert structure is not None
    roots += [
        _update(forward, structure, state, found[state], users) for state, users in parameters.items() if state in found
    ]
    roots += [forward.pool.make(Assign(s.type, s, value)) for s, value in forward.statistics]
    return tuple(roots + _clips(forward))


def _number(state: Op) -> int:
    assert isinstance(state, State)
    return state.number


def _parameters(forward: Forward) -> dict[Op, int]:
    """Every trained state with the number of edges that use it, last constructed first (dsstne.md 5.2)."""
    network, found = forward.network, {}
    for weight in reversed(network.weights):
        if weight.owner is None:
            found[forward.weight(weight)] = len(network.users(weight))
        found[forward.bias(weight)] = 1
    for layer in network.layers:
        if layer.batch_normalization:
            found[forward.norm(layer, "scale")] = found[forward.norm(layer, "bias")] = 1
    return found


def _hooks(forward: Forward) -> dict[Op, Hook]:
    hooks: dict[Op, Hook] = {}
    for layer in forward.network.layers:
        index = layer.index
        if layer.sparseness is not None and forward.training:
            hooks[forward.activations[index]] = _penalty(forward, layer, layer.sparseness)
        if layer.delta_norm > 0 and index in forward.preactivations:
            clip, place = partial(_clipped, forward, layer), forward.preactivations[index]
            hooks[place] = _in_turn(hooks[place], clip) if place in hooks else clip  # Linear: both at one place
    return hooks


def _in_turn(first: Hook, second: Hook) -> Hook:
    return lambda delta: second(first(delta))


def _penalty(forward: Forward, layer: Layer, penalty: Sparseness) -> Hook:
    """Adds beta (-p / rho + (1 - p) / (1 - rho)) to every example's delta, rho the clamped batch mean of the unit."""
    low, pool, index = forward.low, forward.pool, layer.index
    mean = pool.make(Reduce(Type((forward.units(index),)), "mean", forward.activations[index], BATCH))
    rho = call("max", call("min", Var("r"), MAX_MEAN), MIN_MEAN)
    clamped = named(pool, rho, {"r": mean})
    p, beta, r = Var("p"), Var("beta"), Var("r")
    scalars = {"p": low.scalar(f"sparseness_p {index}"), "beta": low.scalar(f"sparseness_beta {index}")}
    term = named(pool, beta * ((1 - p) / (1 - r) - p / r), {**scalars, "r": clamped})
    return lambda delta: named(pool, Var("d") + Var("t"), {"d": delta, "t": term})


def _clipped(forward: Forward, layer: Layer, delta: Op) -> Op:
    """DeltaNorm: each row at most of the layer's limit in length."""
    square = named(forward.pool, Var("d") * Var("d"), {"d": delta})
    total = forward.pool.make(Reduce(Type((BATCH,)), "sum", square, forward.units(layer.index)))
    limit = forward.low.scalar(f"delta_norm {layer.index}")
    length = call("max", call("sqrt", Var("s")), Var("limit"))  # longer rows shrink, the others keep their factor of 1
    factor = named(forward.pool, Var("limit") / length, {"s": total, "limit": limit})
    return named(forward.pool, Var("d") * Var("f"), {"d": delta, "f": factor})


def _update(forward: Forward, structure: Structure, state: Op, gradient: Op, users: int) -> Op:
    low, info = forward.low, forward.low.states[_number(state)]
    row = OPTIMIZERS[structure.optimizer]
    extra = [
        low.state(StateInfo(info.owner, info.index, f"{info.part}{s}", info.axes, info.transposed)) for s in row.states
    ]
    mean = REGULARISED[structure.l2, structure.l1] if info.owner == "weight" else (MEAN,)
    share: dict[str, Expr] = {"inv": Var("inv") * Const(1 / users)}
    body = tuple((name, substitute(e, share)) for name, e in (*mean, *row.body))
    scalars = tuple((n, low.scalar(n)) for n in _scalars(structure, info.owner == "weight"))
    kind = Type((), "none")
    return forward.pool.make(Update(kind, gradient, (state, *extra), ("w", *row.states), body, scalars))


def _scalars(structure: Structure, weight: bool) -> list[str]:
    momenta = {
        Optimizer.SGD: [],
        Optimizer.ADAGRAD: [],
        Optimizer.ADAM: ["mu", "mu1", "correction", "correction1"],
    }
    regularisers = (["lambda"] if structure.l2 else []) + (["lambda1"] if structure.l1 else [])
    return ["inv", "alpha", *momenta.get(structure.optimizer, ["mu"]), *(regularisers if weight else [])]


def _clips(forward: Forward) -> list[Op]:
    """WeightNorm of every unshared matrix into a layer that asks for it."""
    found: list[Op] = []
    for weight in forward.network.weights:
        layer = forward.network.layers[weight.target]
        if layer.weight_norm > 0 and weight.owner is None:
            state = forward.weight(weight)
            limit = forward.low.scalar(f"weight_norm {layer.index}")
            found.append(forward.pool.make(Clip(Type((), "none"), state, limit)))
    return found
