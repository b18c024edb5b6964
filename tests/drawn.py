"""Random small networks with their data, for properties: `cases()` is a hypothesis strategy of `oracle_cases.Case`.

Everything that lowering knows is drawn: several inputs and sources, skips, shared and transposed matrices, outputs that
feed other layers, each error function with each legal activation and target kind, dropout, denoising, norms, penalties.
Numbers are not held clear of kinks: both sides of a property here evaluate the same formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from nnlang.lower import Lowered
from nnlang.network import Activation, Init, Kind, Loss, Network, Optimizer, Scheme, Sparseness, Training
from nnlang.ops import Op
from nnlang.runtime import scalars
from nnlang.runtime.interpreter import Batch, Evaluated, Rows, evaluate
from tests.networks import Row, build, hidden, output, source
from tests.oracle_cases import EVERYWHERE, FORMS, LEGAL, ROWS, Case, Data, _Draw

Draw = Callable[[st.SearchStrategy[Any]], Any]
UNITS = st.sampled_from((4, 5, 6))
SEED = 99


@st.composite
def cases(draw: Draw) -> Case:
    """A network with parameters, inputs and targets."""
    function = draw(st.sampled_from(sorted(LEGAL, key=lambda f: f.value)))
    activations, forms = LEGAL[function]
    rows = [_input(draw, i) for i in range(draw(st.integers(1, 2)))]
    for i in range(draw(st.integers(0, 3))):
        rows.append(_hidden(draw, f"H{i}", rows))
    for i in range(draw(st.integers(1, 2))):
        make = draw(st.sampled_from((_output, _plain_output, _plain_output)))
        rows.append(make(draw, f"O{i}", rows, activations))
    data = {r.name: Data(draw(st.sampled_from(FORMS))) for r in rows if not r.sources and not r.skips}
    for row in rows:
        if row.name.startswith("O"):
            flags = {"weighted": draw(st.booleans()), "ignore_zero": draw(st.booleans())}
            data[row.name] = Data(draw(st.sampled_from(forms)), **flags)
    rest = {"loss": _loss(draw, function), "denoising": draw(st.sampled_from((0.0, 0.3)))}
    network = build("drawn", rows, _shared(draw, rows), **rest)
    return filled(network, data, draw(st.integers(0, 2**32)), thin=draw(st.booleans()))


def filled(network: Network, data: Mapping[str, Data], seed: int = 0, *, thin: bool = False, rows: int = ROWS) -> Case:
    """A case of a network with random numbers; `thin` says that its sparse sets store next to nothing."""
    case = _Draw(np.random.default_rng(seed), rows).case("drawn", network, data)
    return thinned(case) if thin else case


def thinned(case: Case) -> Case:
    """The case whose sparse sets claim next to no entries, so that the compiler takes its sparse paths."""
    known = tuple(replace(d, entries=1) if d.sparse else d for d in case.network.data)
    return replace(case, network=replace(case.network, data=known))


def _input(draw: Draw, number: int) -> Row:
    dropout = draw(st.sampled_from((0.0, 0.2)))
    return source(f"I{number}", draw(UNITS), dropout=dropout, denoising=draw(st.booleans()), sparse=True)


def _hidden(draw: Draw, name: str, before: list[Row]) -> Row:
    units = draw(UNITS)
    same = [r.name for r in before if r.units == units]
    skips = tuple(draw(st.lists(st.sampled_from(same), unique=True, max_size=2))) if same else ()
    activation = draw(st.sampled_from(EVERYWHERE))
    penalties = (None, Sparseness(0.3, 0.7)) if activation is Activation.SIGMOID else (None,)  # means of 0 are poles
    rest = {
        "activation": activation,
        "batch_normalization": draw(st.booleans()),
        "dropout": draw(st.sampled_from((0.0, 0.25))),
        "sparseness": draw(st.sampled_from(penalties)),
        **_limits(draw),
    }
    return hidden(name, units, *_sources(draw, before), skips=skips, **rest)


def _output(draw: Draw, name: str, before: list[Row], activations: tuple[Activation, ...]) -> Row:
    activation = draw(st.sampled_from(activations))
    dropout = 0.0 if activation is Activation.SOFTMAX else draw(st.sampled_from((0.0, 0.0, 0.25)))
    rest = {"activation": activation, "dropout": dropout, **_limits(draw)}
    return output(name, draw(UNITS), *_sources(draw, before), **rest)


def _plain_output(draw: Draw, name: str, before: list[Row], activations: tuple[Activation, ...]) -> Row:
    """An output that may become a walk: one source, no dropout, no DeltaNorm."""
    origin = [r.name for r in before if not r.name.startswith("O")][-1]
    return output(name, draw(UNITS), origin, activation=draw(st.sampled_from(activations)))


def _limits(draw: Draw) -> dict[str, Any]:
    return {
        "delta_norm": draw(st.sampled_from((0.0, 0.0, 0.3))),
        "weight_norm": draw(st.sampled_from((0.0, 0.6))),
        "init": Init(draw(st.sampled_from(Scheme)), 0.5),
    }


def _sources(draw: Draw, before: list[Row]) -> tuple[str, ...]:
    last = [r.name for r in before][-3:]
    return tuple(draw(st.lists(st.sampled_from(last), unique=True, min_size=1, max_size=2)))


def _loss(draw: Draw, function: Any) -> Loss:
    margins = {"one_target": draw(st.sampled_from((1.0, 0.7))), "zero_target": draw(st.sampled_from((0.0, 0.3)))}
    scales = {"one_scale": draw(st.sampled_from((1.0, 3.0))), "zero_scale": draw(st.sampled_from((1.0, 0.5)))}
    boosts = {"boost_one": draw(st.sampled_from((1.0, 2.0))), "boost_zero": draw(st.sampled_from((1.0, 0.25)))}
    return Loss(function, **margins, **scales, **boosts)


def _shared(draw: Draw, rows: list[Row]) -> dict[tuple[str, str], tuple[tuple[str, str], bool]]:
    """At most one edge that takes the matrix of an earlier one."""
    units = {r.name: r.units for r in rows}
    edges = [(s, r.name) for r in rows for s in r.sources]
    found = []
    for i, owner in enumerate(edges):
        for edge in edges[i + 1 :]:
            shape, other = [units[n] for n in owner], [units[n] for n in edge]
            found += [(edge, owner, False)] if shape == other else []
            found += [(edge, owner, True)] if shape == other[::-1] else []
    if not found or not draw(st.booleans()):
        return {}
    edge, owner, transposed = draw(st.sampled_from(found))
    return {edge: (owner, transposed)}


def trainings() -> st.SearchStrategy[Training]:
    """Settings: every optimiser, with and without L2 and L1."""
    return st.builds(
        Training,
        optimizer=st.sampled_from(Optimizer),
        alpha=st.just(0.1),
        lambda_=st.sampled_from((0.0, 0.01)),
        lambda1=st.sampled_from((0.0, 0.003)),
    )


def rows_of(case: Case, low: Lowered) -> Batch:
    """A case's data for the interpreter."""
    slots = []
    for slot in low.slots:
        target = case.targets[slot.layer] if slot.role == "target" else None
        values = np.asarray(case.inputs[slot.layer] if target is None else target.values)
        present = values != 0 if target is None or target.present is None else np.asarray(target.present)
        weight = None if target is None or target.weight is None else torch.as_tensor(np.asarray(target.weight))
        shown = None if slot.stored == "dense" else torch.as_tensor(present).double()
        slots.append(Rows(torch.as_tensor(values), shown, weight))
    return Batch(torch.arange(len(slots[0].values)), slots, SEED)


def states_of(case: Case, low: Lowered) -> dict[int, torch.Tensor]:
    """A case's parameters, with optimiser states that are not at their start."""
    random = np.random.default_rng(7)
    found = {}
    for number, info in enumerate(low.states):
        if info.owner == "bn" and info.part in ("scale", "bias", "mean", "variance"):
            value = case.parameters.batch_norm[info.index][info.part]
        elif info.part:
            value = 0.1 + random.random(info.shape)
        else:
            value = {"weight": case.parameters.weights, "bias": case.parameters.biases}[info.owner][info.index]
        found[number] = torch.as_tensor(np.asarray(value), dtype=torch.float64)
    return found


def numbers_of(case: Case, training: Training, steps: int = 2) -> dict[str, float]:
    """Every run-time scalar of a case's step."""
    rows = len(next(iter(case.inputs.values())))
    step = scalars.of_step(training, training.alpha, rows, steps)
    return {**scalars.of_network(case.network), **scalars.of_training(training), **step}


def interpreted(case: Case, low: Lowered, roots: tuple[Op, ...], training: Training) -> Evaluated:
    """What an entry point of a case gives and writes."""
    return evaluate(roots, rows_of(case, low), states_of(case, low), numbers_of(case, training))


def undenoised(case: Case) -> Case:
    """The case without denoising: the reference takes inputs as they are."""
    layers = tuple(replace(x, denoising=False) for x in case.network.layers)
    return replace(case, network=replace(case.network, layers=layers, denoising=0.0))


def alive(case: Case) -> bool:
    """Whether something reads every hidden layer; nothing trains one that nothing reads, L2 and L1 included."""
    used = {s for x in case.network.layers for s in (*x.sources, *x.skips)}
    return all(x.index in used for x in case.network.layers if x.kind is Kind.HIDDEN)
