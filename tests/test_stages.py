"""Every stage of the examples, as text; what of a definition and its settings is compiled, and what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nnlang.codegen.pipeline import Options
from nnlang.compiler import Compiled, compile_network, stages
from nnlang.definition import load
from nnlang.network import DataFacts, Network, Optimizer, Sparseness, Training
from tests import networks
from tests.conftest import Golden

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "stages"
STAGES = ("network", "ir", "opt", "plan", "source")
BATCH = 256

FACTS = {
    d.name: d
    for d in (
        DataFacts("gl_input", 1024, 26752, sparse=True, boolean=True, entries=153511),
        DataFacts("gl_output", 1024, 26752, sparse=True, boolean=True, entries=153511),
        DataFacts("measurements", 150, 4),
        DataFacts("kinds", 150, 3, sparse=True, boolean=True, entries=150),
        DataFacts("features", 500, 13),
        DataFacts("amounts", 500, 1),
    )
}
EXAMPLES = ("first_network/recommender", "first_network/classifier", "first_network/regression", "movielens/config")


def example(name: str) -> tuple[Network, Training]:
    checked = load(ROOT / "examples" / f"{name}.json", FACTS)
    assert checked.network is not None
    return checked.network, Training(**{**checked.training, "batch": BATCH})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXAMPLES)
def test_stages_read_as_blessed(name: str, golden: Golden) -> None:
    network, training = example(name)
    texts = stages(network, BATCH, training)
    for stage in STAGES:
        golden(FOLDER / name / f"{stage}.txt", texts[stage])


@pytest.mark.parametrize("name", EXAMPLES)
def test_predict_reads_as_blessed(name: str, golden: Golden) -> None:
    network, training = example(name)
    golden(FOLDER / name / "predict.txt", stages(network, BATCH, training, entry="predict")["source"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_kernels_read_as_blessed(name: str, golden: Golden) -> None:
    network, training = example(name)
    compiled = compile_network(network, ["step"], BATCH, training, Options("cuda:90", "tf32"))
    golden(FOLDER / name / "triton.txt", compiled.source)


def step(network: Network, training: Training, batch: int = BATCH) -> Compiled:
    return compile_network(network, ["step"], batch, training)


SCALARS = {
    "alpha": {"alpha": 0.5},
    "lambda": {"lambda_": 0.3},
    "mu": {"mu": 0.1},
    "mu1": {"mu1": 0.9},
    "seed": {"seed": 1},
    "epochs": {"epochs": 1000},
    "alpha interval": {"alpha_interval": 3, "alpha_multiplier": 0.25},
}


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_of_the_training_recompiles_nothing(name: str) -> None:
    network, training = example("movielens/config")
    one, other = step(network, training), step(network, replace(training, **SCALARS[name]))
    assert one.source == other.source and one.key == other.key


def test_scalars_of_the_definition_recompile_nothing() -> None:
    one = networks.three_hidden()
    loss = replace(one.loss, one_scale=7.0, zero_scale=1.0)
    other = replace(networks.change(one, "Hidden3", dropout=0.5, weight_norm=1.0), denoising=0.4, loss=loss, decay=0.1)
    other = networks.change(other, "Hidden2", sparseness=Sparseness(0.1, 1.0))
    assert step(one, Training()).source == step(other, Training()).source
    assert step(one, Training()).key == step(other, Training()).key


STRUCTURE = {
    "optimizer": lambda n, t: (n, replace(t, optimizer=Optimizer.ADAM)),
    "no L2": lambda n, t: (n, replace(t, lambda_=0.0)),
    "L1": lambda n, t: (n, replace(t, lambda1=0.1)),
    "units": lambda n, t: (networks.change(n, "Hidden2", dims=(7, 1, 1, 1)), t),
    "no denoising": lambda n, t: (networks.change(n, "Input", denoising=False), t),
    "DeltaNorm": lambda n, t: (networks.change(n, "Output", delta_norm=1.0), t),
    "no dropout": lambda n, t: (networks.change(n, "Hidden3", dropout=0.0), t),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_what_is_structure_changes_the_key(name: str) -> None:
    network, training = networks.three_hidden(), Training()
    one, other = step(network, training), step(*STRUCTURE[name](network, training))
    assert one.key != other.key


def test_dimensions_follow_through_the_stages() -> None:
    network, training = example("movielens/config")
    texts = stages(network, BATCH, training)
    assert "unit2:26752" in texts["opt"] and "26752" in texts["source"] and "gl_input" not in texts["opt"]
    assert next(iter(texts)) == "network" and {"ir", "opt", "plan", "source"} <= texts.keys()
