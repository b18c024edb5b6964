"""The Triton target: every kernel interpreted against the CPU target and the float64 reference, on odd shapes too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nnlang.codegen import pipeline, select
from nnlang.codegen.triton import tiles
from nnlang.compiler import structure
from nnlang.lower import ENTRIES, lower
from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer, Training
from nnlang.passes import optimise
from nnlang.runtime import devices
from nnlang.runtime.reference import Targets, gradients
from nnlang.verify import verify
from tests.drawn import filled
from tests.kernels import device, furthest, ran, same, states
from tests.networks import bind, build, facts, hidden, one_hidden, output, source
from tests.oracle_cases import Case, Data, loss_cases, structure_cases
from tests.programs import masks

PLAIN = Training(optimizer=Optimizer.SGD, alpha=1.0, lambda_=0.0, lambda1=0.0)
LOSS, STRUCTURE = list(loss_cases()), list(structure_cases())
BOUND = 1e-5  # by norm, of every tensor (design.md 5)


SAMPLE = [(entry, case) for entry in ENTRIES for case in STRUCTURE] + [("step", case) for case in LOSS[::9]]


@pytest.mark.parametrize(("entry", "case"), SAMPLE, ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_case_agrees_with_the_cpu(entry: str, case: Case) -> None:
    assert furthest(case, entry, PLAIN, device(), batch=9) <= BOUND


@pytest.mark.full
@pytest.mark.parametrize("case", LOSS, ids=lambda c: c.name)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_case_agrees_with_the_cpu(case: Case, entry: str) -> None:
    assert furthest(case, entry, PLAIN, device(), batch=9) <= BOUND


@pytest.mark.parametrize("case", LOSS[::31], ids=lambda c: c.name)
def test_a_step_takes_the_gradient_of_the_reference(case: Case) -> None:
    rows = next(iter(case.inputs.values())).shape[0]
    kept = masks(case.network, rows, step=7)
    wanted = gradients(case.network, case.parameters, case.inputs, case.targets, masks=kept)
    program, (errors,) = ran(case, "step", replace(PLAIN, alpha=1.0), device())
    assert float(errors.double().sum()) == pytest.approx(float(wanted.error), rel=1e-5)
    for info, new in states(program).items():
        if info.owner not in ("weight", "bias"):
            continue
        old = np.asarray({"weight": case.parameters.weights, "bias": case.parameters.biases}[info.owner][info.index])
        table = {"weight": wanted.parameters.weights, "bias": wanted.parameters.biases}[info.owner]
        step = (old - new) / 0.5
        expected = np.asarray(table[info.index])
        scale = max(float(np.linalg.norm(expected)), 1e-3 * float(np.linalg.norm(old)))
        assert float(np.linalg.norm(step - expected)) / scale <= 30 * BOUND, info  # of a difference of float32 weights


def sparse_case(network: Network, rows: int, forms: tuple[str, str], density: float = 0.04, **rest: Any) -> Case:
    """A case of a network with sparse data: empty rows and full ones among them, units that nobody stores."""
    first, last = network.inputs[0], network.outputs[0]
    known = [facts(layer.dataset, layer.units, examples=rows, entries=1, **rest) for layer in (first, last)]
    known = [
        replace(f, sparse=form != "dense", boolean=form == "boolean") for f, form in zip(known, forms, strict=True)
    ]
    data = {first.name: Data(forms[0]), last.name: Data(forms[1], weighted=bool(rest.get("weighted")))}  # type: ignore[arg-type]
    case = filled(bind(network, *known), data, thin=True, rows=rows)
    random = np.random.default_rng(rows)
    for index, values in case.inputs.items():
        case.inputs[index] = values * _kept(random, values.shape, density)
    for index, target in case.targets.items():
        if forms[1] != "dense":
            case.targets[index] = _thinned(target, _kept(random, np.shape(target.values), density))
    return case


def _kept(random: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    kept = random.random(shape) < density
    kept[0], kept[-1] = False, shape[0] > 1
    kept[:, shape[1] // 2] = False
    return kept


def _thinned(target: Targets, kept: np.ndarray) -> Targets:
    present = None if target.present is None else np.asarray(target.present) * kept
    return replace(target, values=np.asarray(target.values) * kept, present=present)


SIZES = [(1, 1, 1, 1), (1, 17, 33, 65), (17, 64, 1, 129), (65, 63, 16, 64), (3, 300, 8, 515)]


@pytest.mark.parametrize(("rows", "inputs", "inner", "outputs"), SIZES)
def test_shapes_that_break_masks(rows: int, inputs: int, inner: int, outputs: int) -> None:
    network = one_hidden(inputs, inner, outputs, loss=Loss(ErrorFunction.SMCE, 0.9, 0.1, 3.0, 0.5))
    case = sparse_case(network, rows, ("boolean", "boolean"), density=0.3)
    training = Training(optimizer=Optimizer.RMSPROP, mu=0.9, lambda1=1e-4)
    for entry in ("step", "predict", "gradient"):
        assert furthest(case, entry, training, device(), batch=rows + (70 if entry == "step" else 0)) <= BOUND


def wide() -> Iterator[tuple[str, Case, Training]]:
    """Layers of several leaves, outputs of several chunks, each optimiser, every kind of sparse data."""
    smce = Loss(ErrorFunction.SMCE, 1.0, 0.0, 30.0, 1.0)
    margins = Loss(ErrorFunction.SMCE, 0.9, 0.1, 3.0, 0.5)
    rows = (
        ("smce", smce, Activation.SIGMOID, ("boolean", "boolean"), Optimizer.NESTEROV, {}),
        ("margins", margins, Activation.SIGMOID, ("analog", "boolean"), Optimizer.ADAGRAD, {}),
        ("softmax", Loss(ErrorFunction.CROSS_ENTROPY), Activation.SOFTMAX, ("boolean", "boolean"), Optimizer.ADAM, {}),
        ("mass", margins, Activation.SOFTMAX, ("boolean", "analog"), Optimizer.MOMENTUM, {"weighted": True}),
        ("l2", Loss(ErrorFunction.L2), Activation.LINEAR, ("analog", "analog"), Optimizer.RMSPROP, {}),
        ("dense", Loss(ErrorFunction.L2), Activation.SIGMOID, ("boolean", "dense"), Optimizer.ADADELTA, {}),
        ("l1", Loss(ErrorFunction.L1), Activation.TANH, ("boolean", "boolean"), Optimizer.SGD, {"weighted": True}),
        ("dsmce", Loss(ErrorFunction.DSMCE), Activation.SIGMOID, ("analog", "analog"), Optimizer.RMSPROP, {}),
    )
    for name, loss, activation, forms, optimizer, rest in rows:
        noise = {"sparse": True, "denoising": True}
        layers = [
            source("Input", 600, **noise),
            hidden("Hidden1", 33, "Input", activation=Activation.TANH, dropout=0.25),
            output("Output", 800, "Hidden1", activation=activation),
        ]
        network = build(name, layers, loss=loss, denoising=0.3)
        training = Training(optimizer=optimizer, mu=0.9, lambda_=1e-3, lambda1=1e-4)
        yield name, sparse_case(network, 37, forms, **rest), training


@pytest.fixture
def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of two leaves of 256 units, so that walks of small layers have several chunks."""
    monkeypatch.setattr(pipeline, "GPU_CACHE", select.Cache(1 << 40, 2, select.GPU_CACHE.need))


OFTEN = ("smce", "softmax", "l2", "dense")  # in every run; the others in full ones


@pytest.mark.parametrize(
    ("name", "case", "training"),
    [pytest.param(*row, marks=() if row[0] in OFTEN else pytest.mark.full) for row in wide()],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_leaves_chunks_and_every_optimiser(name: str, case: Case, training: Training, small_cache: None) -> None:
    assert furthest(case, "step", training, device(), batch=40) <= 2 * BOUND


def test_dense_layers_in_leaves() -> None:
    layers = [source("Input", 530), hidden("Hidden1", 20, "Input"), output("Output", 3, "Hidden1")]
    case = filled(build("wide", layers, loss=Loss(ErrorFunction.L2)), {}, rows=5)
    for entry in ("step", "predict"):
        assert furthest(case, entry, PLAIN, device()) <= BOUND


OTHER_TILES = (
    {k: tiles.Tile(64, 128, 4, 2) for k in tiles.PRODUCTS} | {"pieces": tiles.Tile(16, 16), "rows": tiles.Tile(4, 16)},
    {k: tiles.Tile(128, 64, 8, 4) for k in tiles.PRODUCTS}
    | {"units": tiles.Tile(32, 32), "elements": tiles.Tile(2, 64)},
)


@pytest.mark.parametrize(
    "other", [OTHER_TILES[0], pytest.param(OTHER_TILES[1], marks=pytest.mark.full)], ids=["wide", "tall"]
)
def test_tiles_never_change_a_bit(other: dict[str, tiles.Tile], small_cache: None, one_by_one: None) -> None:
    for name, case, training in wide():
        if name == "mass":
            table = {**tiles.DEFAULTS, **other}
            program, found = ran(case, "step", training, device())
            tuned, others = ran(case, "step", training, device(table))
            assert same(found, others)
            assert same(list(program.states.values()), list(tuned.states.values()))


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products that add one term after another, as a GPU's do; numpy's order depends on the shape of a tile."""
    devices.find("interpret")
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    def dot(self: Any, a: Any, b: Any, d: Any, *rest: Any) -> Any:
        total = d.data.copy()
        for k in range(a.data.shape[-1]):
            total += a.data[..., :, k : k + 1] * b.data[..., k : k + 1, :]
        return TensorHandle(total, d.dtype.scalar)

    monkeypatch.setattr(InterpreterBuilder, "create_dot", dot)


def test_two_runs_give_the_same_bits() -> None:
    _, case, training = next(wide())
    one, other = (ran(case, "step", training, device()) for _ in "ab")
    assert same(one[1], other[1]) and same(list(one[0].states.values()), list(other[0].states.values()))


@pytest.mark.parametrize("rows", [1, 5, 70])
def test_a_row_does_not_depend_on_the_batch_around_it(rows: int) -> None:
    case = sparse_case(one_hidden(300, 20, 70), 70, ("boolean", "boolean"))
    _, (whole,) = ran(case, "predict", PLAIN, device())
    first = replace(
        case,
        inputs={i: x[:rows] for i, x in case.inputs.items()},
        targets={i: replace(t, values=t.values[:rows], present=t.present[:rows]) for i, t in case.targets.items()},
    )
    _, (part,) = ran(first, "predict", PLAIN, device())
    assert torch.equal(whole[:rows], part)


BAD_TABLES = {
    "": "no JSON",
    "[]": "no object",
    '{"gemm": {}}': "no kind",
    '{"linear": 3}': "a tile has",
    '{"linear": {"BK": 3}}': "a tile has",
    '{"linear": {"BM": 1.5}}': "integer",
    '{"linear": {"BM": 96}}': "power of two",
    '{"linear": {"BM": 32}}': "at least 64",
    '{"pieces": {"warps": 64}}': "from 1 to 32",
    '{"linear": {"warps": 16}}': "from 1 to 8",
    '{"elements": {"BM": 1024, "BN": 1024}}': "no program holds more",
    '{"pieces": {"stages": true}}': "integer",
}


@pytest.mark.parametrize(("text", "words"), BAD_TABLES.items())
def test_a_table_that_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(tiles.MalformedError, match=words):
        tiles.read(text)


def test_a_table_reads_as_it_was_written() -> None:
    other = {**tiles.DEFAULTS, "pieces": tiles.Tile(16, 64, 2, 1)}
    assert tiles.read(tiles.text(other)) == other
    assert tiles.read('{"pieces": {"BM": 16, "BN": 64, "warps": 2}}') == other


def test_the_error_is_computed_only_where_somebody_asks() -> None:
    _, case, training = next(wide())
    low = lower(case.network, "step", structure(training))
    asked, unasked = (optimise(roots, low.pool, verify).roots for roots in (low.roots, low.roots[1:]))
    options = pipeline.Options("cuda:90", "tf32")
    transposed = frozenset(i for i, s in enumerate(low.states) if s.transposed)
    with_error, without = (pipeline.Entry("step", roots, transposed) for roots in (asked, unasked))
    texts = [pipeline.emit([e], {"step": pipeline.plan(e, 64, options)}, options) for e in (with_error, without)]
    assert "log1p(" in texts[0] and "grains" in texts[0]
    assert "walk_" in texts[1] and "tl.log(" not in texts[1] and "log1p" not in texts[1]
    assert "grains" not in texts[1] and "changes_ptr" not in texts[1]
