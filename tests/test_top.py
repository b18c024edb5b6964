"""The best units of each row, chosen on a device where they are computed: against sorting in float64, and the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnlang.codegen import pipeline, select
from nnlang.codegen.pipeline import Options
from nnlang.codegen.triton.top import MOST
from nnlang.compiler import Compiled, compile_network
from nnlang.diagnostics import Stop
from nnlang.lower import Ranking
from nnlang.network import Activation, Network
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.filters import Filter, FilterMode
from nnlang.runtime.metrics import Rows
from nnlang.runtime.model import Model
from nnlang.runtime.predict import Recommender, Request, Wanted, predict
from nnlang.runtime.recs import Precision, Top
from tests import networks
from tests.data_fixtures import movielens
from tests.networks import build, output, source
from tests.test_device_predict import device

__all__ = ["device", "movielens"]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")

Floats = NDArray[np.float64]
NOBODY = torch.empty(0, dtype=torch.int64)
GONE = -np.inf
SHAPES = (
    (1, 1, 1),
    (3, 17, 17),
    (3, 17, 40),
    (5, 129, 1),
    (2, 1100, 7),
    (2, 1100, 128),
    (1, 1100, MOST),
    (1, 1100, 1100),
)


@pytest.fixture
def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of one leaf of 256 units, so that small layers are ranked in several chunks."""
    monkeypatch.setattr(pipeline, "GPU_CACHE", select.Cache(1 << 10, 1, select.GPU_CACHE.need))


def table(scores: NDArray[np.float32], inputs: NDArray[np.float32] | None = None) -> tuple[Model, DataSet]:
    """A model whose scores of example i are row i: the products of one-hot examples, or of others, with this matrix."""
    rows, units = scores.shape
    layers = [source("Input", rows), output("Output", units, "Input", activation=Activation.LINEAR)]
    network = build("table", layers)
    model = Model(network, {0: scores}, {0: np.zeros(units, np.float32)})
    return model, dense_set("input", np.eye(rows, dtype=np.float32) if inputs is None else inputs)


def lists(rows: list[list[int]], values: list[list[float]] | None = None) -> Filter:
    start = np.cumsum([0, *map(len, rows)])
    factors = None if values is None else np.concatenate(values).astype(np.float32)
    mode = FilterMode.REMOVE if values is None else FilterMode.SCALE
    return Filter(Rows(start, np.concatenate(rows).astype(np.int64), factors), mode)


def ranked(
    model: Model, data: DataSet, k: int, on: Device, removed: Filter | None = None, hidden: list[int] | None = None,
    batch: int = 1024,
) -> Top:  # fmt: skip
    target = model.network.outputs[-1]
    names = [f"u{i}" for i in range(data.facts.examples)]
    wanted = Wanted(k, torch.tensor(hidden) if hidden else NOBODY, removed, names)
    found = [top for _, top in Recommender(model, batch, on).best({data.name: data}, target, wanted)]
    return Top(np.concatenate([top.feature for top in found]), np.concatenate([top.score for top in found]))


def is_sorted(found: Top, scores: Floats, k: int) -> None:
    """What was found is the start of a stable sort; scores that are gone are -inf."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    assert np.array_equal(found.feature, np.where(best == GONE, -1, order))
    assert np.array_equal(found.score[best != GONE], best[best != GONE].astype(np.float32))


def drawn(rows: int, units: int) -> NDArray[np.float32]:
    return np.random.default_rng(units).normal(size=(rows, units)).astype(np.float32)


@pytest.mark.parametrize(("rows", "units", "k"), SHAPES)
def test_the_best_are_those_of_a_sort(device: Device, rows: int, units: int, k: int) -> None:
    scores = drawn(rows, units)
    is_sorted(ranked(*table(scores), k, device), scores.astype(np.float64), k)


@pytest.mark.parametrize("k", [1, 40, 600])
@pytest.mark.parametrize("step", [0, 1, -1], ids=["tied", "rising", "falling"])
def test_whatever_the_order_of_scores(device: Device, small_cache: None, step: int, k: int) -> None:
    scores = np.stack([np.arange(1100, dtype=np.float32) * step, np.arange(1100) % 3 - 1.0]).astype(np.float32)
    is_sorted(ranked(*table(scores), k, device), scores.astype(np.float64), k)


@pytest.mark.parametrize("k", [1, 40, 600])
def test_one_above_the_last_of_the_best_takes_its_place(device: Device, small_cache: None, k: int) -> None:
    scores = -2 * np.arange(1100, dtype=np.float32)[None, :]
    scores[0, 1050:1053] = 1 - 2 * k, 3 - 2 * k, 2 - 2 * k
    is_sorted(ranked(*table(scores), k, device), scores.astype(np.float64), k)


def test_zeros_of_both_signs_are_tied(device: Device) -> None:
    scores = np.array([[-0.0, 0.0, -1.0, -0.0, 0.0]], np.float32)
    turned = lists([[0, 4]], [[-1.0, -1.0]])
    for removed in (None, turned):
        assert ranked(*table(scores), 5, device, removed).feature.tolist() == [[0, 1, 3, 4, 2]]


def test_what_a_filter_lists_never_appears(device: Device, small_cache: None) -> None:
    scores, every = drawn(5, 600), list(range(600))
    rows = [[], every, every[3:], [255, 256, 511, 512, 599, 0], sorted(set(every) - {7, 300, 599})]
    expected = scores.astype(np.float64)
    for row, units in zip(expected, rows, strict=True):
        row[units] = GONE
    is_sorted(ranked(*table(scores), 5, device, lists(rows), batch=3), expected, 5)


def test_a_filter_scales_and_removes_what_it_scales_by_zero(device: Device, small_cache: None) -> None:
    scores = drawn(2, 600)
    factors = [[2.0, 0.0, -3.0, 0.5], [0.0]]
    rows = [[1, 255, 256, 599], [int(scores[1].argmax())]]
    expected = scores.astype(np.float64)
    for row, units, values in zip(expected, rows, factors, strict=True):
        row[units] = np.where(np.array(values) == 0, GONE, row[units] * values)
    is_sorted(ranked(*table(scores), 600, device, lists(rows, factors)), expected, 600)


def test_hidden_units_never_appear(device: Device) -> None:
    scores, hidden = drawn(3, 129), [0, 64, 128]
    scores[:, hidden] = 9
    expected = scores.astype(np.float64)
    expected[:, hidden] = GONE
    is_sorted(ranked(*table(scores), 129, device, hidden=hidden), expected, 129)


def test_rows_do_not_depend_on_the_batch(device: Device) -> None:
    scores = drawn(19, 40)
    is_sorted(ranked(*table(scores), 3, device, batch=16), scores.astype(np.float64), 3)


HUGE = 3e37
BAD = {"nan": [HUGE, HUGE], "inf": [HUGE, 0.0]}


@pytest.mark.parametrize("bad", BAD)
def test_the_sample_with_a_bad_score_is_told(device: Device, small_cache: None, bad: str) -> None:
    scores = drawn(2, 600)
    scores[:, 580] = 100, -100
    model, data = table(scores, np.array([[1, 0], [0, 1], BAD[bad], [1, 1]], np.float32))
    with pytest.raises(Stop, match="u2"):
        ranked(model, data, 3, device)
    found = ranked(model, data, 3, device, lists([[], [], [580], []]))
    assert np.isfinite(found.score).all()


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000], ids=["positive", "negative"])
def test_what_is_not_a_number_is_told_whatever_its_sign(device: Device, bits: int) -> None:
    inputs = np.array([[1.0], [0.0]], np.float32)
    inputs.view(np.uint32)[1] = bits
    with pytest.raises(Stop, match="u1"):
        ranked(*table(drawn(1, 17), inputs), 3, device)


def test_scores_below_all_others_are_told(device: Device) -> None:
    scores = np.array([[-100.0, 50, 60], [0, 50, 60]], np.float32)
    model, data = table(scores, np.array([[HUGE, 0], [0, 1]], np.float32))
    with pytest.raises(Stop, match="u0"):  # of the others two are +inf
        ranked(model, data, 3, device)
    assert ranked(model, data, 3, device, lists([[1, 2], []])).feature.tolist() == [[-1, -1, -1], [2, 1, 0]]


def random_model(network: Network) -> Model:
    random = np.random.default_rng(1)
    weights = {w.index: random.normal(size=network.shape(w)).astype(np.float32) for w in network.weights}
    biases = {w.index: random.normal(size=network.shape(w)[1]).astype(np.float32) for w in network.weights}
    model = Model(network, weights, biases)
    for layer in network.layers:
        if layer.batch_normalization:
            parts = ("scale", "bias", "mean", "variance")
            model.batch_norm[layer.index] = {p: random.uniform(0.5, 2, layer.units).astype(np.float32) for p in parts}
    return model


def data_for(network: Network, examples: int = 5) -> dict[str, DataSet]:
    random = np.random.default_rng(2)
    found = {}
    for layer in network.inputs:
        rows = [np.sort(random.choice(layer.units, 3, replace=False)) for _ in range(examples)]
        offsets = 3 * np.arange(examples + 1)
        found[layer.dataset] = sparse_set(layer.dataset, offsets, np.concatenate(rows), width=layer.units)
    return found


def networks_to_rank() -> dict[str, Network]:
    """Outputs of every structure, SoftMax in several chunks, an output of its own or shared matrix, one without hidden
    layers."""
    wide = networks.one_hidden(40, 8, 700)
    tied = [
        networks.source("Input", 20),
        networks.hidden("Hidden1", 8, "Input"),
        networks.hidden("Hidden2", 600, "Hidden1"),
        networks.hidden("Hidden3", 8, "Hidden2"),
        output("Output", 600, "Hidden3", skips=("Hidden2",)),
    ]
    shared = {("Hidden3", "Output"): (("Hidden1", "Hidden2"), False)}
    turned = {("Hidden3", "Output"): (("Hidden2", "Hidden3"), True)}
    found = {make.__name__: make() for make in networks.ALL}
    found |= {"wide": wide, "softmax": networks.change(wide, "Output", activation=Activation.SOFTMAX)}
    found |= {"shared": build("shared", tied, shared), "turned": build("turned", tied, turned)}
    found["direct"] = build("direct", [source("Input", 2000), output("Output", 700, "Input")])
    return found


@pytest.mark.parametrize("name", networks_to_rank())
def test_recommendations_are_those_of_the_cpu(device: Device, small_cache: None, name: str) -> None:
    network = networks_to_rank()[name]
    model, data, target = random_model(network), data_for(network), network.outputs[-1]
    removed = lists([[0, 1], [], list(range(target.units - 1)), [3], [2]])
    wanted = Wanted(6, torch.tensor([4]), removed, [""] * 5)
    ((_, found),), ((_, expected),) = (
        list(Recommender(model, 16, place).best(data, target, wanted)) for place in (device, CPU)
    )
    agree(found, expected)


def agree(found: Top, expected: Top) -> None:
    """The same scores but for rounding, of the same features where scores are not that close."""
    assert found.score.shape == expected.score.shape
    there = expected.feature >= 0
    assert np.array_equal(found.feature >= 0, there)
    assert np.allclose(found.score[there], expected.score[there], rtol=1e-5, atol=1e-6)
    gaps = -np.diff(np.where(there, expected.score, -9), axis=1, prepend=9, append=-9)
    apart = np.minimum(gaps[:, :-1], gaps[:, 1:]) > 1e-4
    assert np.array_equal(found.feature[apart & there], expected.feature[apart & there])


def test_the_movielens_sample(tmp_path: Path, movielens: Path, device: Device) -> None:
    labels = tuple(line.split("\t")[0] for line in (movielens / "features_index.txt").read_text().splitlines())
    network = networks.one_hidden(len(labels), 32, len(labels))
    model = random_model(network)
    model.labels.update(input=labels, output=labels)
    lines = (movielens / "ratings_1024.txt").read_text().splitlines(keepends=True)[:3]
    (tmp_path / "ratings").write_text("".join(lines))
    found = []
    for place in (device, CPU):
        request = Request(
            tmp_path / "ratings", tmp_path / "recs", filter=tmp_path / "ratings", k=20, batch=8,
            precision=Precision(0, 8),
        )  # fmt: skip
        predict(model, request, device=place)
        pairs = [line.split("\t")[1].split(":")[:-1] for line in (tmp_path / "recs").read_text().splitlines()]
        table = np.array([[p.rpartition(",")[::2] for p in row] for row in pairs])
        numbers = {label: i for i, label in enumerate(labels)}
        found.append(Top(np.vectorize(numbers.get)(table[..., 0]), table[..., 1].astype(np.float32)))
    agree(*found)


def recommender(network: Network, k: int = 100, stored: str = "") -> Compiled:
    ranking = Ranking(network.outputs[0].index, k, stored)
    return compile_network(network, ["recommend"], 1024, options=Options("cuda:90", "tf32"), ranking=ranking)


def test_scores_of_a_batch_never_exist_in_full() -> None:
    network = networks.one_hidden(27_278, 128, 27_278)
    for made in (recommender(network), recommender(networks.change(network, "Output", activation=Activation.SOFTMAX))):
        plan = made.plans["recommend"]
        assert plan.declined == () and all(27_278 not in b.shape for b in plan.buffers)
        assert plan.launches[-1].chunk < 10_000 and "block.scratch('d', m, 7168)" in made.source


def test_why_scores_exist_in_full_is_told() -> None:
    network = build("direct", [source("Input", 27_278), output("Output", 27_278, "Input")])
    assert recommender(network).plans["recommend"].declined == (
        "fuse-output: what is ranked is no product of its own, its scores exist in full",
    )


def test_what_is_recommended_is_structure() -> None:
    network = networks.one_hidden()
    kinds = [recommender(network, k, stored) for k in (3, 4) for stored in ("", "boolean", "analog")]
    assert len({made.key for made in kinds}) == len({made.source for made in kinds}) == len(kinds)
