"""Every pass preserves meaning, is idempotent and leaves a valid DAG, on random networks; what fuse-output declines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlang.compiler import stages, structure
from nnlang.definition import load
from nnlang.lower import ENTRIES, lower
from nnlang.network import Activation, DataFacts, ErrorFunction, Loss, Network, Optimizer, Training
from nnlang.ops import Walk, topological
from nnlang.passes import PIPELINE, Optimised, optimise
from nnlang.runtime.interpreter import Evaluated
from nnlang.runtime.program import Program, feed_for
from nnlang.verify import verify
from tests.conftest import Golden
from tests.drawn import SEED, cases, filled, interpreted, numbers_of, states_of, thinned, trainings
from tests.networks import build, hidden, output, source
from tests.oracle_cases import LEGAL, Case, Data, structure_cases
from tests.programs import datasets
from tests.steps import stepped

FOLDER = Path(__file__).parent / "passes"
PLAIN = Training(optimizer=Optimizer.SGD, alpha=1.0, lambda_=0.0)
ROOT = Path(__file__).parent.parent
BOUND, COMPILED = 1e-12, 1e-9
ANY = list(HealthCheck)


def same(found: Evaluated, expected: Evaluated, bound: float) -> None:
    """Equal results and equal states, each tensor within the bound, relative to its length."""
    assert found.results.keys() == expected.results.keys() and found.states.keys() == expected.states.keys()
    for kind in ("results", "states"):
        for number, value in getattr(expected, kind).items():
            other = getattr(found, kind)[number]
            gap = float((other - value).norm()) / max(float(value.norm()), 1e-3)
            assert other.shape == value.shape and gap <= bound, (kind, number, gap)


def check(case: Case, entry: str, training: Training) -> Evaluated:
    """The property of all passes on one entry point of a case; gives what it means."""
    low = lower(case.network, entry, structure(training))
    verify(low.roots)
    roots, expected = low.roots, interpreted(case, low, low.roots, training)
    for name, step in PIPELINE:
        roots = step(roots, low.pool, [])
        verify(roots)
        assert step(roots, low.pool, []) == roots, f"{name} is not idempotent"
        same(interpreted(case, low, roots, training), expected, BOUND)
    return expected


def compiled(case: Case, entry: str, training: Training) -> Evaluated:
    """What the emitted module of an entry point gives and writes, from the same start as the interpreter."""
    rows = len(next(iter(case.inputs.values())))
    program = Program(case.network, [entry], rows, training, torch.float64)
    low = program.compiled.lowered[entry]
    for info, start in zip(low.states, states_of(case, low).values(), strict=True):
        program.states[info].copy_(start.t() if info.transposed else start)
    batch = feed_for(program, entry, datasets(case)).consecutive(0, rows)
    results = program.run(entry, batch, numbers_of(case, training), seed=SEED)
    logical = {i: program.states[s].t() if s.transposed else program.states[s] for i, s in enumerate(low.states)}
    return Evaluated(dict(enumerate(results)), logical)


@given(case=cases(), training=trainings(), entry=st.sampled_from(ENTRIES))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=ANY)
def test_passes_and_targets_preserve_meaning(case: Case, training: Training, entry: str) -> None:
    same(compiled(case, entry, training), check(case, entry, training), COMPILED)


@pytest.mark.full
@given(case=cases(), training=trainings(), entry=st.sampled_from(ENTRIES))
@settings(max_examples=20_000, deadline=None, suppress_health_check=ANY)
def test_passes_and_targets_preserve_meaning_at_length(case: Case, training: Training, entry: str) -> None:
    same(compiled(case, entry, training), check(case, entry, training), COMPILED)


@pytest.mark.parametrize("thin", [False, True], ids=["crowded", "thin"])
@pytest.mark.parametrize("case", [*structure_cases()], ids=lambda c: c.name)
def test_every_structure(case: Case, thin: bool) -> None:
    case = thinned(case) if thin else case
    for entry in ENTRIES:
        same(compiled(case, entry, PLAIN), check(case, entry, PLAIN), COMPILED)


@pytest.mark.parametrize("thin", [False, True], ids=["crowded", "thin"])
@pytest.mark.parametrize("case", [*structure_cases()], ids=lambda c: c.name)
def test_a_step_of_every_structure_is_the_reference_s(case: Case, thin: bool) -> None:
    found = stepped(thinned(case) if thin else case, PLAIN)
    assert max(found.gaps().values()) <= 1e-9


@pytest.mark.parametrize("function", LEGAL, ids=lambda f: f.name.lower())
def test_every_loss(function: ErrorFunction) -> None:
    activations, forms = LEGAL[function]
    margins = {"one_target": 0.7, "zero_target": 0.3, "one_scale": 3.0, "zero_scale": 0.5}
    for activation in activations:
        for form in forms:
            for flags in ({}, {"weighted": True}, {"ignore_zero": True}):
                rows = [
                    source("In", 7),
                    hidden("Hidden", 5, "In", activation=Activation.TANH),
                    output("Out", 4, "Hidden", activation=activation),
                ]
                network = build("loss", rows, loss=Loss(function, **margins, boost_one=2.0, boost_zero=0.25))
                check(filled(network, {"In": Data(form), "Out": Data(form, **flags)}, thin=True), "step", PLAIN)


@pytest.mark.parametrize("function", LEGAL, ids=lambda f: f.name.lower())
def test_every_loss_on_an_output_of_many_leaves(function: ErrorFunction) -> None:
    activations, forms = LEGAL[function]
    for activation, form in zip(activations, [*forms] * 4, strict=False):
        rows = [source("In", 7), hidden("Hidden", 5, "In"), output("Out", 1300, "Hidden", activation=activation)]
        case = filled(build("wide", rows, loss=Loss(function)), {"Out": Data(form)}, thin=True)
        same(compiled(case, "step", PLAIN), check(case, "step", PLAIN), COMPILED)


def _declined(case: Case, entry: str = "step") -> Optimised:
    low = lower(case.network, entry, structure(PLAIN))
    return optimise(low.roots, low.pool, verify)


def _walks(done: Optimised) -> int:
    return sum(isinstance(op, Walk) for op in topological(done.roots))


def _outputs(**second: object) -> list[object]:
    return [source("In", 6), hidden("A", 5, "In"), output("Out", 4, "A", **second)]


ILLEGAL: dict[str, tuple[Network, dict[str, Data], str, int]] = {
    "is a source of another layer": (
        build("x", [source("In", 6), output("Out", 4, "In"), hidden("A", 5, "Out"), output("End", 3, "A")]),
        {},
        "the output is a source of another layer",
        1,
    ),
    "shares its weights": (
        build(
            "x",
            [source("In", 4), hidden("A", 5, "In"), hidden("B", 4, "A"), hidden("C", 5, "B"), output("Out", 4, "C")],
            {("C", "Out"): (("A", "B"), False)},
        ),
        {},
        "the output's matrix is shared",
        0,
    ),
    "has DeltaNorm": (build("x", _outputs(delta_norm=0.1)), {}, "DeltaNorm needs whole rows", 0),
    "has several sources": (
        build("x", [source("In", 6), hidden("A", 5, "In"), hidden("B", 5, "In"), output("Out", 4, "A", "B")]),
        {},
        "several sources",
        0,
    ),
    "has a skip": (
        build("x", [source("In", 6), hidden("A", 5, "In"), hidden("B", 4, "A"), output("Out", 4, "A", skips=("B",))]),
        {},
        "several sources or skips",
        0,
    ),
    "has dropout": (build("x", _outputs(dropout=0.3)), {}, "dropout on the output", 0),
    "SoftMax with L2": (
        build("x", _outputs(activation=Activation.SOFTMAX), loss=Loss(ErrorFunction.L2)),
        {},
        "SoftMax with this error function needs whole rows",
        0,
    ),
    "SoftMax with dense targets": (
        build("x", _outputs(activation=Activation.SOFTMAX)),
        {"Out": Data("dense")},
        "SoftMax with this error function or dense targets needs whole rows",
        0,
    ),
    "reads a crowded sparse input": (
        build("x", [source("In", 6), output("Out", 4, "In")]),
        {"In": Data("boolean")},
        "laid out for the sparse input",
        0,
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_output_that_cannot_be_fused_says_why_and_is_right(name: str) -> None:
    network, data, reason, walks = ILLEGAL[name]
    case = filled(network, {"In": Data(), "Out": Data("boolean"), "End": Data("boolean"), **data}, seed=3)
    done = _declined(case)
    assert any("fuse-output" in text and reason in text for text in done.declined), done.declined
    assert _walks(done) == walks
    assert max(stepped(case, PLAIN, 2).gaps().values()) <= 1e-9


def test_a_plain_output_is_fused_and_the_gradient_entry_is_not() -> None:
    case = filled(build("x", _outputs()), {"Out": Data("boolean")})
    assert _walks(_declined(case)) == 1 and not _declined(case).declined
    assert _walks(_declined(case, "gradient")) == 0
    assert max(stepped(case, PLAIN, 2).gaps().values()) <= 1e-9


def test_two_plain_outputs_are_two_walks() -> None:
    rows = [source("In", 6), hidden("A", 5, "In"), output("Out", 4, "A"), output("End", 3, "A")]
    case = filled(build("x", rows), {"Out": Data("boolean"), "End": Data("analog")})
    assert _walks(_declined(case)) == 2
    assert max(stepped(case, PLAIN, 2).gaps().values()) <= 1e-9


FACTS = {
    d.name: d
    for d in (
        DataFacts("items", 100, 40, sparse=True, boolean=True, entries=200),
        DataFacts("crowd", 100, 6, sparse=True, boolean=True, entries=300),
        DataFacts("kinds", 100, 3, sparse=True, boolean=True, entries=100),
        DataFacts("ratings", 100, 20, sparse=True, entries=150),
        DataFacts("measures", 100, 4),
        DataFacts("copies", 100, 4),
        DataFacts("amounts", 100, 2),
    )
}
GOLDEN = sorted(str(p.relative_to(FOLDER).with_suffix("")) for p in FOLDER.glob("*/*.json"))


@pytest.mark.parametrize("case", GOLDEN)
def test_what_a_pass_does_reads_as_blessed(case: str, golden: Golden) -> None:
    network = load(FOLDER / f"{case}.json", FACTS).network
    assert network is not None
    texts = stages(network, 16, Training(optimizer=Optimizer.MOMENTUM))
    name = case.split("/", maxsplit=1)[0]
    order = ["ir", *(f"after {n}" for n, _ in PIPELINE)]
    before = texts[order[order.index(f"after {name}") - 1]].split("\n%0 ", 1)
    golden(FOLDER / f"{case}.before", "%0 " + before[1] if len(before) > 1 else before[0])
    golden(FOLDER / f"{case}.after", texts[f"after {name}"])
    assert texts[f"after {name}"] not in texts["ir"]


def test_every_pass_has_golden_cases() -> None:
    assert {case.split("/")[0] for case in GOLDEN} == {name for name, _ in PIPELINE}


DUMPS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from nnlang.compiler import compile_network
from nnlang.lower import ENTRIES
from nnlang.network import Training
from nnlang.dumping import dump
from tests.networks import ALL
for make in ALL:
    done = compile_network(make(), ENTRIES, 8, Training())
    texts = [dump(low.roots) for low in done.lowered.values()] + [dump(o.roots) for o in done.optimised.values()]
    texts += [plan.dump() for plan in done.plans.values()] + [done.source, make().dump()]
    print(make.__name__, hashlib.sha256("".join(texts).encode()).hexdigest())
"""


def dumped(seed: str) -> str:
    """The digests of every stage of the hand-built networks, in a process of its own."""
    command = [sys.executable, "-c", DUMPS, str(ROOT)]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    return run.stdout


def test_every_stage_is_the_same_text_whatever_the_hash_seed() -> None:
    assert len({dumped(seed) for seed in ("0", "1", "31337")}) == 1


@pytest.mark.full
def test_every_stage_is_the_same_text_in_twenty_processes() -> None:
    assert len({dumped("random") for _ in range(20)}) == 1
