"""Small random problems for comparing programs with the float64 reference: fixed seeds, every legal pairing, no kinks.

`loss_cases()` pairs every activation with every error function and target kind that belong together, plain, weighted,
boosted and with ignored zeros; `structure_cases()` holds what networks are built of. A `Case` carries all that both
sides need. Parameters, inputs and targets are float32 numbers in float64 arrays, so that a float32 program starts from
the same numbers; every value that a first step compares with a threshold or corner is at least `MARGIN` away from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnlang.network import Activation, DataFacts, ErrorFunction, Layer, Loss, Network, Sparseness
from nnlang.runtime.reference import Gradients, Parameters, Targets, gradients
from tests.networks import build, hidden, output, source

Doubles = NDArray[np.float64]
Form = Literal["dense", "boolean", "analog"]

ROWS = 6
MARGIN = 1e-3
TRIES = 400
EVERYWHERE = (
    Activation.SIGMOID,
    Activation.TANH,
    Activation.RELU,
    Activation.LEAKY_RELU,
    Activation.ELU,
    Activation.SELU,
    Activation.LINEAR,
    Activation.SOFTPLUS,
    Activation.SOFTSIGN,
)
FORMS: tuple[Form, ...] = ("dense", "boolean", "analog")
LEGAL: dict[ErrorFunction, tuple[tuple[Activation, ...], tuple[Form, ...]]] = {
    ErrorFunction.L1: (EVERYWHERE, FORMS),
    ErrorFunction.L2: ((*EVERYWHERE, Activation.SOFTMAX), FORMS),
    ErrorFunction.L2_HINGE: ((*EVERYWHERE, Activation.SOFTMAX), FORMS),
    ErrorFunction.HINGE: (EVERYWHERE, ("dense",)),
    ErrorFunction.CROSS_ENTROPY: ((Activation.SIGMOID, Activation.SOFTMAX), FORMS),
    ErrorFunction.SMCE: ((Activation.SIGMOID, Activation.SOFTMAX), FORMS),
    ErrorFunction.DSMCE: ((Activation.SIGMOID,), ("analog",)),
}
CORNERED = (Activation.RELU, Activation.LEAKY_RELU, Activation.ELU, Activation.SELU)


@dataclass(frozen=True)
class Case:
    """One problem: a network with the facts of its data, numbers for all of it, masks for each layer with dropout."""

    name: str
    network: Network
    parameters: Parameters
    inputs: dict[int, Doubles]
    targets: dict[int, Targets]
    masks: dict[int, NDArray[np.bool_]]

    def gradients(self) -> Gradients:
        """What the reference says of the case in training."""
        return gradients(self.network, self.parameters, self.inputs, self.targets, masks=self.masks)


@dataclass(frozen=True)
class Data:
    """How the data set of one layer looks."""

    form: Form = "dense"
    weighted: bool = False
    ignore_zero: bool = False


DENSE = Data()


def loss_cases() -> Iterator[Case]:
    """Input -> Tanh -> output, for each legal (error function, activation, target kind) and its variants."""
    for function, (activations, forms) in LEGAL.items():
        for activation in activations:
            for form in forms:
                yield from _variants(function, activation, form)


def _variants(function: ErrorFunction, activation: Activation, form: Form) -> Iterator[Case]:
    name = f"{function.name}-{activation.name}-{form}".lower()
    plain = Loss(function, one_target=0.7, zero_target=0.3, one_scale=3.0, zero_scale=0.5)
    boosted = replace(plain, boost_one=2.0, boost_zero=0.25)
    yield _loss_case(name, plain, activation, Data(form))
    yield _loss_case(name + "-weighted", boosted, activation, Data(form, weighted=True))
    if form != "dense":
        yield _loss_case(name + "-ignore-zero", boosted, activation, Data(form, ignore_zero=True))


def _loss_case(name: str, loss: Loss, activation: Activation, data: Data) -> Case:
    rows = [
        source("In", 7),
        hidden("Hidden", 5, "In", activation=Activation.TANH),
        output("Out", 4, "Hidden", activation=activation, slope=0.1, elu_alpha=1.5),
    ]
    return draw(name, build(name, rows, loss=loss), {"In": Data(data.form), "Out": data})


def structure_cases() -> Iterator[Case]:
    """What networks are built of, with easy losses: sources, skips, sharing, norms, penalties, outputs, dropout."""
    yield _sources_and_skips()
    yield _shared()
    yield _normalized()
    yield _limited()
    yield _outputs()
    for activation in EVERYWHERE:
        yield _dropped(activation)


def _sources_and_skips() -> Case:
    rows = [
        source("A", 6),
        source("B", 4),
        hidden("C", 5, "A", "B"),
        hidden("D", 5, "C", skips=("C",), activation=Activation.RELU),
        hidden("E", 5, skips=("C", "D"), activation=Activation.SOFTSIGN),
        output("Out", 3, "E", "B", activation=Activation.LINEAR),
    ]
    network = build("sources and skips", rows, loss=Loss(ErrorFunction.L2))
    return draw("sources-and-skips", network, {"A": Data("boolean")})


def _shared() -> Case:
    rows = [
        source("In", 6),
        hidden("A", 4, "In", activation=Activation.TANH),
        hidden("B", 4, "A"),
        hidden("C", 4, "B"),
        hidden("D", 4, "C"),
        output("Out", 6, "D"),
    ]
    same, turned = (("A", "B"), False), (("A", "B"), True)
    shared = {("B", "C"): same, ("C", "D"): turned, ("D", "Out"): (("In", "A"), True)}
    return draw("shared", build("shared", rows, shared), {"In": Data("boolean"), "Out": Data("boolean")})


def _normalized() -> Case:
    rows = [
        source("In", 6),
        hidden("A", 5, "In", activation=Activation.RELU, batch_normalization=True, delta_norm=0.3),
        hidden("B", 5, "A", skips=("A",), activation=Activation.TANH, batch_normalization=True, dropout=0.25),
        output("Out", 4, "B", activation=Activation.SOFTMAX),
    ]
    network = build("batch normalization", rows)
    return draw("batch-normalization", network, {"In": Data("analog"), "Out": Data("boolean")})


def _limited() -> Case:
    rows = [
        source("In", 6),
        hidden("A", 5, "In", sparse=True, sparseness=Sparseness(0.2, 0.7), dropout=0.25),
        hidden("B", 5, "A", activation=Activation.TANH, delta_norm=0.2, weight_norm=0.6),
        output("Out", 4, "B", delta_norm=0.5, weight_norm=0.5),
    ]
    network = build("penalties and norms", rows, loss=Loss(boost_one=2.0, boost_zero=0.5))
    return draw("penalties-and-norms", network, {"In": Data("boolean"), "Out": Data("boolean")})


def _outputs() -> Case:
    rows = [
        source("In", 6),
        output("First", 4, "In"),
        hidden("A", 5, "First", "In"),
        output("Second", 3, "A", activation=Activation.SOFTMAX, delta_norm=0.4),
    ]
    network = build("two outputs", rows, loss=Loss(boost_one=3.0, boost_zero=0.5))
    data = {"In": Data("boolean"), "First": Data("boolean"), "Second": Data("boolean", weighted=True)}
    return draw("two-outputs", network, data)


def _dropped(activation: Activation) -> Case:
    name = f"dropout-{activation.name.lower()}"
    settings: dict[str, Any] = {"activation": activation, "slope": 0.1, "elu_alpha": 1.5}
    rows = [
        source("In", 6, dropout=0.2),
        hidden("A", 5, "In", dropout=0.4, **settings),
        output("Out", 4, "A", dropout=0.3, **settings),
    ]
    return draw(name, build(name, rows, loss=Loss(ErrorFunction.L2)))


def draw(name: str, network: Network, data: Mapping[str, Data] | None = None, *, rows: int = ROWS) -> Case:
    """A case of any fully connected network: random numbers, the first that are clear of kinks; the name is the seed.

    `data` says by the name of the layer how its data set looks, dense where it says nothing.
    """
    seed = int.from_bytes(name.encode(), "little") % 2**63
    for attempt in range(TRIES):
        case = _Draw(np.random.default_rng((seed, attempt)), rows).case(name, network, data or {})
        if clear(case):
            return case
    raise AssertionError(f"no draw of {name} is clear of kinks")


def clear(case: Case) -> bool:
    """Whether every compared value is `MARGIN` away from what it is compared with."""
    found = case.gradients()
    layers = [layer for layer in case.network.layers if layer.activation in CORNERED and layer.index in found.inner]
    if any(bool((found.inner[layer.index].abs() < MARGIN).any()) for layer in layers):
        return False
    loss = case.network.loss
    for index, targets in case.targets.items():
        a, t = found.outputs[index].numpy(), np.asarray(targets.values)
        distances = _distances(loss, a, t)
        flat = (a == 0) & (t == 0)  # a unit that rests at exactly 0 stays there
        if ((distances < MARGIN) & ~flat).any():
            return False
    return True


def _distances(loss: Loss, a: Doubles, t: Doubles) -> Doubles:
    far = np.full_like(a, np.inf)
    thresholds: Doubles = np.minimum(np.abs(a - loss.one_target), np.abs(a - loss.zero_target))
    rows: dict[ErrorFunction, Doubles] = {
        ErrorFunction.L1: np.abs(a - t),
        ErrorFunction.L2_HINGE: np.abs(a - np.abs(t)),
        ErrorFunction.HINGE: np.abs(1 - t * a),
        ErrorFunction.SMCE: thresholds,
        ErrorFunction.DSMCE: thresholds,
    }
    return rows.get(loss.function, far)


@dataclass(frozen=True)
class _Draw:
    """One attempt at the numbers of a case."""

    random: np.random.Generator
    rows: int
    facts: list[DataFacts] = field(default_factory=list)

    def case(self, name: str, network: Network, data: Mapping[str, Data]) -> Case:
        inputs = {one.index: self.input(one, data.get(one.name, DENSE)) for one in network.inputs}
        targets = {one.index: self.targets(network.loss, one, data.get(one.name, DENSE)) for one in network.outputs}
        masks = {
            one.index: self.random.random((self.rows, one.units)) >= one.dropout
            for one in network.layers
            if one.dropout > 0
        }
        known = replace(network, data=tuple(self.facts), shuffle=False)
        return Case(name, known, self.parameters(network), inputs, targets, masks)

    def parameters(self, network: Network) -> Parameters:
        normal = self.random.standard_normal
        owners = [w for w in network.weights if w.owner is None]
        return Parameters(
            {w.index: _float32(normal(network.shape(w)) * network.shape(w)[0] ** -0.5) for w in owners},
            {w.index: _float32(normal(network.shape(w)[1]) * 0.3) for w in network.weights},
            {one.index: self.normalization(one.units) for one in network.layers if one.batch_normalization},
        )

    def normalization(self, units: int) -> dict[str, Doubles]:
        return {
            "scale": _float32(1 + 0.2 * self.random.standard_normal(units)),
            "bias": _float32(0.2 * self.random.standard_normal(units)),
            "mean": _float32(0.3 * self.random.standard_normal(units)),
            "variance": _float32(0.5 + self.random.random(units)),
        }

    def input(self, one: Layer, data: Data) -> Doubles:
        values = _float32(self.random.standard_normal((self.rows, one.units)))
        return self.stored(one, data, values)[0]

    def targets(self, loss: Loss, one: Layer, data: Data) -> Targets:
        weight = _float32(0.5 + self.random.random(self.rows)) if data.weighted else None
        values, present = self.stored(one, data, self.wanted(loss, one, data))
        shown = None if data.form == "dense" else present
        return Targets(values, data.form, shown, weight, data.ignore_zero)

    def stored(self, one: Layer, data: Data, values: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
        """The values that a set of this form holds, and where; the first row of a sparse set stores nothing."""
        sparse = data.form != "dense"
        present = self.random.random(values.shape) < (0.4 if sparse else 1.0)
        present[0] &= not sparse
        entries = int(present.sum()) if sparse else 0
        boolean = data.form == "boolean"
        flags = {"sparse": sparse, "boolean": boolean, "weighted": data.weighted, "ignore_zero": data.ignore_zero}
        self.facts.append(DataFacts(one.dataset, self.rows, one.units, entries=entries, **flags))
        return np.where(present, 1.0 if boolean else values, 0.0), present

    def wanted(self, loss: Loss, one: Layer, data: Data) -> Doubles:
        """Dense values of a range that the error function has a meaning for."""
        shape = (self.rows, one.units)
        uniform = self.random.random(shape)
        signed = _float32(self.random.standard_normal(shape) + np.where(uniform < 0.5, 1.0, -0.3))
        dense: dict[ErrorFunction, Doubles] = {
            ErrorFunction.HINGE: np.where(uniform < 0.5, -1.0, 1.0),
            ErrorFunction.CROSS_ENTROPY: _float32(uniform),
            ErrorFunction.SMCE: np.where(uniform < 0.5, 0.0, 1.0),
        }
        ranged = signed if loss.function not in (*dense, ErrorFunction.DSMCE) else _float32(0.5 + 1.5 * uniform)
        return dense.get(loss.function, ranged) if data.form == "dense" else ranged


def _float32(values: Any) -> Doubles:
    return np.asarray(values, np.float32).astype(np.float64)
