"""network -> ops: the entry points of a network as DAGs, before any optimisation.

predict: the outputs. step: one training step (forward, error, gradients, updates). gradient: error and the mean
gradients themselves, in validation mode (no dropout, no denoising, running statistics). evaluate: the error alone, so.
recommend: the best units of one output layer, ranked where they are computed; for Triton targets only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nnlang.codes import training as codes
from nnlang.diagnostics import stop
from nnlang.expressions import Var, call, substitute
from nnlang.formulas import ACTIVATIONS, BATCH_NORM_EPSILON, dropout
from nnlang.legality import not_yet
from nnlang.network import Activation, Kind, Layer, Network, Optimizer, Weight
from nnlang.ops import (
    BATCH,
    SCALAR,
    Axis,
    Denoise,
    Densify,
    Feed,
    Keep,
    Matmul,
    Op,
    Pool,
    Reduce,
    Result,
    Scalar,
    Softmax,
    State,
    Top,
    Type,
    View,
    named,
)

ENTRIES = ("predict", "step", "gradient", "evaluate")
FILTER = ""  # the data set of what is not to be recommended: no layer can name it


@dataclass(frozen=True)
class Ranking:
    """What is recommended: the k best units of an output layer. filter: how its data set is stored, "" without one."""

    layer: int
    k: int
    filter: str = ""


@dataclass(frozen=True)
class Structure:
    """What of a training is compiled: the optimiser and which regularisers there are; their numbers are scalars."""

    optimizer: Optimizer = Optimizer.SGD
    l2: bool = True
    l1: bool = False
    ranking: Ranking | None = None


@dataclass(frozen=True)
class StateInfo:
    """One state: whose it is (weight, bias, bn, shown; a number), which part (`v`, `s` of an optimiser), its shape."""

    owner: str
    index: int
    part: str
    axes: tuple[Axis, ...]
    transposed: bool = False  # kept as [out, in], so that the walk over an output layer's units reads whole rows

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(a.size or 0 for a in self.axes)


@dataclass(frozen=True)
class Slot:
    """What the feed has to hand in: the data of one bound layer.

    Of a split layer units first..first+units-1 of its `whole`; `whole` is 0 for others.
    """

    layer: int
    dataset: str
    role: str  # "input" or "target"
    stored: str  # "dense", "boolean" or "analog"
    units: int
    weighted: bool
    first: int = 0
    whole: int = 0

    @property
    def total(self) -> int:
        """The layer's units on all ranks together."""
        return self.whole or self.units


@dataclass
class Lowered:
    """One entry point: its roots and the tables that give its numbers names."""

    entry: str
    pool: Pool
    roots: tuple[Op, ...] = ()
    states: list[StateInfo] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def state(self, info: StateInfo) -> Op:
        """The operation of a state, the same for the same info."""
        if info not in self.states:
            self.states.append(info)
        return self.pool.make(State(Type(info.axes), self.states.index(info)))

    def scalar(self, name: str) -> Op:
        """The operation of a run-time scalar."""
        return self.pool.make(Scalar(SCALAR, name))

    def result(self, name: str, value: Op) -> Op:
        """A root that returns a value under a name."""
        self.results.append(name)
        return self.pool.make(Result(value.type, len(self.results) - 1, value))


def lower(network: Network, entry: str, structure: Structure | None = None) -> Lowered:
    """The DAG of one entry point. Raises Stop for what is not yet supported."""
    from nnlang.training import step_roots

    assert entry in (*ENTRIES, "recommend")
    for layer, what in not_yet(network, training=entry in ("step", "gradient", "evaluate")):
        raise stop(codes.NOT_YET_SUPPORTED, name=layer.name, what=what)
    low = Lowered(entry, Pool())
    forward = Forward(network, low, training=entry == "step")
    forward.run()
    if entry == "predict":
        low.roots = tuple(low.result(f"output {o.index}", forward.values[o.index]) for o in network.outputs)
    elif entry == "recommend":
        assert structure is not None and structure.ranking is not None
        low.roots = (low.result("best", forward.best(structure.ranking)),)
    else:
        low.roots = step_roots(forward, structure)
    return low


def states_of(network: Network, structure: Structure | None = None) -> list[StateInfo]:
    """Every state that a network has (with a structure: the optimiser's too), in the order of its step."""
    low = lower(network, "step", structure) if structure else lower(network, "predict")
    return low.states


class Forward:
    """The forward DAG of a network: the value of every layer, and the places where the backward pass hooks in."""

    def __init__(self, network: Network, low: Lowered, *, training: bool) -> None:
        self.network, self.low, self.pool, self.training = network, low, low.pool, training
        self.values: dict[int, Op] = {}  # layer -> what its consumers read (after dropout)
        self.activations: dict[int, Op] = {}  # layer -> before dropout
        self.preactivations: dict[int, Op] = {}  # layer -> what goes into the activation
        self.masks: dict[int, Op] = {}  # layer -> what its dropout keeps
        self.statistics: list[tuple[Op, Op]] = []  # batch-norm state -> its new value

    def run(self) -> None:
        """Fills the tables, layer by layer in propagation order."""
        for layer in self.network.layers:
            value = self._input(layer) if layer.kind is Kind.INPUT else self._layer(layer)
            self.values[layer.index] = value

    def units(self, layer: int) -> Axis:
        """The unit axis of a layer."""
        return Axis(f"unit{layer}", self.network.layers[layer].units)

    def feed(self, layer: Layer, role: str, part: str = "rows") -> Op:
        """What the feed hands in for a layer's data set."""
        facts = self.network.facts(layer)
        sparse = facts is not None and facts.sparse
        stored = ("boolean" if facts and facts.boolean else "analog") if sparse else "dense"
        weighted = facts is not None and facts.weighted
        if role == "input" and sparse and weighted:
            stored = "analog"  # the feed multiplies the example's weight in (dsstne.md 4.2)
        slot = Slot(layer.index, layer.dataset, role, stored, layer.units, weighted)
        if slot not in self.low.slots:
            self.low.slots.append(slot)
        number = self.low.slots.index(slot)
        if part != "rows":
            return self.pool.make(Feed(Type((BATCH,)), number, part))
        type = Type((BATCH, self.units(layer.index)), "csr" if sparse else "dense")
        return self.pool.make(Feed(type, number, "rows", stored if sparse else "", facts.density if facts else 1.0))

    def _input(self, layer: Layer) -> Op:
        value = self.feed(layer, "input")
        if value.type.storage == "csr":
            if layer.denoising and self.training:
                rate = self.low.scalar("denoising")
                return self.pool.make(Denoise(value.type, value, layer.index, rate))
            return value
        return self._dropout(layer, Activation.LINEAR, value)

    def _layer(self, layer: Layer) -> Op:
        terms = [self._edge(w) for w in self.network.weights_into(layer)]
        terms += [self.bias(w) for w in self.network.weights_into(layer)]
        terms += [self._skip(layer, self.values[s]) for s in layer.skips]
        total = terms[0]
        for term in terms[1:]:
            total = named(self.pool, Var("a") + Var("b"), {"a": total, "b": term})
        if layer.batch_normalization:
            total = self._batch_norm(layer, total)
        self.preactivations[layer.index] = total
        activation = self._activation(layer, total)
        self.activations[layer.index] = activation
        return self._dropout(layer, layer.activation, activation)

    def _edge(self, weight: Weight) -> Op:
        owner = self.network.weights[weight.index if weight.owner is None else weight.owner]
        x, w = self.values[weight.source], self.weight(owner)
        type = Type((BATCH, self.units(weight.target)))
        return self.pool.make(Matmul(type, x, w, False, weight.transposed))

    def weight(self, owner: Weight) -> Op:
        """The state of an unshared matrix [in, out]."""
        axes = (self.units(owner.source), self.units(owner.target))
        output = self.network.layers[owner.target].kind is Kind.OUTPUT and len(self.network.users(owner)) == 1
        gathered = self.values[owner.source].type.storage == "csr"  # then rows of inputs are what is read and written
        return self.low.state(StateInfo("weight", owner.index, "", axes, output and not gathered))

    def bias(self, weight: Weight) -> Op:
        """The state of an edge's bias [out]."""
        return self.low.state(StateInfo("bias", weight.index, "", (self.units(weight.target),)))

    def _skip(self, layer: Layer, value: Op) -> Op:
        if value.type.storage == "csr":
            value = self.pool.make(Densify(Type(value.type.axes), value, "value"))
        return self.pool.make(View(Type((BATCH, self.units(layer.index))), value))

    def best(self, ranking: Ranking) -> Op:
        """The best units of a layer, after its filter."""
        layer, units = self.network.layers[ranking.layer], self.units(ranking.layer)
        shown = self.low.state(StateInfo("shown", layer.index, "", (units,)))
        removed = None
        if ranking.filter:
            self.low.slots.append(Slot(layer.index, FILTER, "filter", ranking.filter, layer.units, False))
            type = Type((BATCH, units), "csr")
            removed = self.pool.make(Feed(type, len(self.low.slots) - 1, "rows", ranking.filter, 0.0))
        type = Type((BATCH, Axis("best", 2 * ranking.k)))
        return self.pool.make(Top(type, self.values[layer.index], shown, removed))

    def norm(self, layer: Layer, part: str) -> Op:
        """A batch-norm state [units]: scale, bias, mean or variance."""
        return self.low.state(StateInfo("bn", layer.index, part, (self.units(layer.index),)))

    def _batch_norm(self, layer: Layer, value: Op) -> Op:
        scale, bias = self.norm(layer, "scale"), self.norm(layer, "bias")
        mean, variance = self.norm(layer, "mean"), self.norm(layer, "variance")
        x, y, v = Var("x"), Var("y"), Var("v")
        variance_now: Op
        if self.training:
            axis = (self.units(layer.index),)
            batch_mean = self.pool.make(Reduce(Type(axis), "mean", value, BATCH))
            centred = named(self.pool, x - y, {"x": value, "y": batch_mean})
            square = named(self.pool, x * x, {"x": centred})
            variance_now = self.pool.make(Reduce(Type(axis), "mean", square, BATCH))
            weight, bessel = self.low.scalar("bn_weight"), self.low.scalar("bessel")
            self.statistics += [
                (mean, named(self.pool, x + (y - x) * v, {"x": mean, "y": batch_mean, "v": weight})),
                (
                    variance,
                    named(
                        self.pool,
                        x + (y * Var("b") - x) * v,
                        {"x": variance, "y": variance_now, "v": weight, "b": bessel},
                    ),
                ),
            ]
        else:
            centred, variance_now = named(self.pool, x - y, {"x": value, "y": mean}), variance
        deviation = named(self.pool, call("sqrt", v + BATCH_NORM_EPSILON), {"v": variance_now})
        normal = named(self.pool, x / y, {"x": centred, "y": deviation})
        return named(self.pool, x * y + v, {"x": normal, "y": scale, "v": bias})

    def parameters(self, layer: Layer) -> dict[str, Op]:
        """The scalars that a layer's activation is made with, by the names of formulas.py."""
        uses = {
            Activation.LEAKY_RELU: ("slope",),
            Activation.ELU: ("elu_alpha",),
            Activation.SELU: ("elu_alpha", "selu_lambda"),
        }
        return {name: self.low.scalar(f"{name} {layer.index}") for name in uses.get(layer.activation, ())}

    def _activation(self, layer: Layer, value: Op) -> Op:
        if layer.activation is Activation.SOFTMAX:
            return self.pool.make(Softmax(value.type, value))
        row = ACTIVATIONS[layer.activation]
        slope = substitute(row.slope, {"a": Var("y")})
        return named(self.pool, row.value, {"z": value, **self.parameters(layer)}, {"z": slope})

    def _dropout(self, layer: Layer, activation: Activation, value: Op) -> Op:
        if not (layer.dropout > 0 and self.training):
            return value
        rate = self.low.scalar(f"dropout {layer.index}")
        mask = self.pool.make(Keep(value.type, layer.index, rate))
        self.masks[layer.index] = mask
        row = dropout(activation, Var("rate"))
        kept = row.scale * Var("a") + row.shift
        formula = Var("keep") * kept + (1 - Var("keep")) * row.dropped
        values = {"a": value, "keep": mask, "rate": rate, **self.parameters(layer)}
        return named(self.pool, formula, values, {"a": Var("keep") * row.scale})
