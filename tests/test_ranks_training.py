"""Trainings over ranks against the training of one: the same model, checkpoints, resumes, decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnlang.compiler import compile_network
from nnlang.diagnostics import DIVERGED, Stop, render
from nnlang.lower import StateInfo
from nnlang.measures import Metric, metric
from nnlang.network import Activation, ErrorFunction, Init, Loss, Network, Optimizer, Scheme
from nnlang.placement import ALONE, Placement
from nnlang.runtime import checkpoint, steering
from nnlang.runtime.dataset import dense_set, sparse_set
from nnlang.runtime.devices import find
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.model import Model, load
from nnlang.runtime.program import Program
from nnlang.runtime.slices import sliced
from nnlang.runtime.train import Event, TrainResult, train
from nnlang.runtime.validation import Validation
from tests import networks
from tests.conftest import Golden
from tests.ranks import meshed
from tests.wide import EXAMPLES, SETTINGS, WIDE, arrays, data, gap, laid, net, rows_of, trained

GOLDEN = Path(__file__).parent / "ranks_errors"


@pytest.mark.parametrize("model", [2, 4, 8])
def test_the_bits_of_one(tmp_path: Path, model: int) -> None:
    network, sets = net(), data()
    placement = laid(network, model)
    assert len(placement.split) == 2
    (one,) = trained(network, sets, replace(ALONE, exact=True), tmp_path / "one.nc")
    many = trained(network, sets, placement, tmp_path / "many.nc")
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") == 0
    assert {result.error for result in many} == {many[0].error} and many[0].error == pytest.approx(one.error, rel=1e-12)
    assert not many[1].model.weights and "ranks" not in load(tmp_path / "many.nc").versions


@pytest.mark.parametrize(("model", "groups"), [(3, 1), (1, 2), (1, 3), (2, 2)])
def test_other_meshes_come_close(tmp_path: Path, model: int, groups: int) -> None:
    network, sets = net(), data(49)  # the last batch has one row: ranks go without
    placement = laid(network, model, groups, exact=False)
    settings = replace(SETTINGS, optimizer=Optimizer.MOMENTUM)
    trained(network, sets, ALONE, tmp_path / "one.nc", settings=settings)
    many = trained(network, sets, placement, tmp_path / "many.nc", settings=settings)
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") < 1e-5
    assert len({result.error for result in many}) == 1


def test_batch_norm_over_dealt_rows(tmp_path: Path) -> None:
    network = networks.batch_norm(WIDE, 12, WIDE)
    settings = replace(SETTINGS, optimizer=Optimizer.MOMENTUM, lambda1=1e-5)
    for name, placement in {"one": ALONE, "many": laid(network, 2, 2, exact=False)}.items():
        trained(network, data(), placement, tmp_path / f"{name}.nc", settings=settings)
    noise = "bias0"  # a bias before the normalisation has no gradient but rounding
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc", noise) < 1e-4


NARROW = 40
KINDS: dict[str, Network] = {
    **{f.name.lower(): networks.one_hidden(NARROW, 6, NARROW, loss=Loss(f)) for f in ErrorFunction},
    "softmax": networks.change(
        networks.one_hidden(NARROW, 6, NARROW, loss=Loss(ErrorFunction.CROSS_ENTROPY)),
        "Output",
        activation=Activation.SOFTMAX,
    ),
    "deep": networks.three_hidden(),
    "skip": networks.skip(NARROW, 6, NARROW),
    "shared": networks.shared_transposed(NARROW, (6, 5), NARROW),
    "normalised": networks.change(networks.one_hidden(NARROW, 6, NARROW), "Hidden1", delta_norm=0.5, weight_norm=1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rank_without_rows_keeps_pace(tmp_path: Path, kind: str) -> None:
    sets = {name: sparse_set(name, *rows_of(NARROW, 3, 49), width=NARROW) for name in ("input", "output")}
    settings = replace(SETTINGS, optimizer=Optimizer.MOMENTUM, epochs=1)
    for name, placement in {"one": ALONE, "many": Placement(1, 3)}.items():  # 49 = 3 x 16 + 1
        trained(KINDS[kind], sets, placement, tmp_path / f"{name}.nc", settings=settings)
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") < 1e-5


def test_parts_of_the_data_are_enough(tmp_path: Path) -> None:
    network, sets = net(), data()
    placement = laid(network, 2)

    def work(mesh: Mesh) -> TrainResult:
        first, last = ((0, 1024), (1024, WIDE))[mesh.rank]
        mine = {name: sliced(one, first, last) for name, one in sets.items()}
        return train(network, mine, SETTINGS, output=tmp_path / "parts.nc", definition="{}", mesh=mesh)

    meshed(placement, work)
    trained(network, sets, placement, tmp_path / "whole.nc")
    assert (tmp_path / "parts.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_dense_data_and_classes(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    sets = {
        "input": dense_set("input", random.random((EXAMPLES, WIDE)).astype(np.float32)),
        "output": dense_set("output", random.integers(0, WIDE, EXAMPLES), classes=True, width=WIDE),
    }
    network = networks.bind(net(), *(d.facts for d in sets.values()))
    for name, placement in {"one": replace(ALONE, exact=True), "many": laid(network, 2)}.items():
        trained(network, sets, placement, tmp_path / f"{name}.nc")
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") == 0


@pytest.mark.parametrize("mesh", [(2, 1), (4, 1), (1, 2), (2, 2)])
def test_bytes_on_the_wire_are_those_of_the_plan(tmp_path: Path, mesh: tuple[int, int]) -> None:
    network, sets, placement = net(), data(48), laid(net(), *mesh, exact=mesh[1] == 1)

    def work(mesh: Mesh) -> int:
        train(network, sets, SETTINGS, output=tmp_path / "m.nc", mesh=mesh)
        return mesh.sent

    sent = meshed(placement, work)
    rows = SETTINGS.batch // placement.data
    for rank, bytes in enumerate(sent):
        plan = compile_network(network, ["step"], rows, SETTINGS, placement=placement, rank=rank).plans["step"]
        assert bytes == 6 * plan.wire > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
@pytest.mark.full
@pytest.mark.parametrize(("model", "groups"), [(2, 1), (1, 2)])
def test_kernels_train_over_ranks(tmp_path: Path, model: int, groups: int) -> None:
    device, width = find("interpret", "fp32"), 512 if model > 1 else 40
    network = networks.one_hidden(width, 4, width)
    sets = {name: sparse_set(name, *rows_of(width, 3, 5), width=width) for name in ("input", "output")}
    settings = replace(SETTINGS, batch=4, epochs=1, optimizer=Optimizer.MOMENTUM)  # 5 = 4 + 1
    placement = laid(network, model, groups, exact=False)

    def work(mesh: Mesh) -> TrainResult:
        return train(network, sets, settings, output=tmp_path / "many.nc", mesh=mesh, device=device)

    meshed(placement, work, in_turn=True)
    train(network, sets, settings, output=tmp_path / "one.nc", device=device)
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") < 1e-5


def interrupt_after(batches: int) -> Callable[[], bool]:
    """Says yes when it has been asked so often."""
    asked = iter(range(batches))
    return lambda: next(asked, None) is None


@pytest.mark.parametrize(("before", "after"), [(2, 2), (4, 1), (1, 2), (2, 8)])
def test_a_run_goes_on_with_other_ranks(tmp_path: Path, before: int, after: int) -> None:
    network, sets, path = net(), data(), tmp_path / "cut.nc"
    events: list[Event] = []
    cut = trained(network, sets, laid(network, before), path, interrupted=interrupt_after(2))
    assert all(result.interrupted for result in cut)
    assert len({result.checkpoint for result in cut}) == 1 and Path(cut[0].checkpoint).exists()
    trained(network, sets, laid(network, after), path, resume=True, observer=events.append)
    trained(network, sets, replace(ALONE, exact=True), tmp_path / "straight.nc")
    assert gap(path, tmp_path / "straight.nc") == 0
    assert not [event for event in events if event.notice]


def test_other_bits_are_told(tmp_path: Path) -> None:
    network, sets, path = net(), data(), tmp_path / "cut.nc"
    trained(network, sets, laid(network, 2, exact=False), path, pause=1)
    events: list[Event] = []
    trained(network, sets, ALONE, path, resume=True, observer=events.append)
    notices = [event.notice for event in events if event.notice]
    assert [n.facts for n in notices] == [{"what": "ranks", "then": "2", "now": "1"}]


def test_only_the_first_rank_is_asked_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "PERIOD", 0.0)  # a message after every batch
    network, sets, seen = net(), data(), list[list[Event]]([[], []])

    def work(mesh: Mesh) -> TrainResult:
        asked = interrupt_after(3) if mesh.is_first else lambda: True
        watch = seen[mesh.rank].append
        return train(network, sets, SETTINGS, output=tmp_path / "m.nc", mesh=mesh, observer=watch, interrupted=asked)

    found = meshed(laid(network, 2), work)
    assert all(result.interrupted for result in found) and not seen[1]
    batches = [event.batch for event in seen[0] if event.kind == "batch"]
    assert batches == [1, 2, 3, 4] and seen[0][-1].kind == "checkpoint"


def judged(values: list[float], by: Metric) -> Validation:
    """A validation that finds these values."""
    left = iter(values)

    def measure(model: Model, interrupted: Callable[[], bool] = lambda: False) -> dict[str, float]:
        assert model.weights[0].shape == (WIDE, 24)
        return {str(by): next(left)}

    return Validation(by, measure, patience=2, data="d" * 64)


def test_the_best_epoch_of_all_ranks(tmp_path: Path) -> None:
    network, sets, by = net(), data(), metric("ndcg@10")
    assert isinstance(by, Metric)
    settings = replace(SETTINGS, epochs=9)
    values = [0.1, 0.3, 0.2, float("nan"), 0.5]
    found = {}
    for name, placement in {"one": replace(ALONE, exact=True), "many": laid(network, 4)}.items():
        validation = judged(list(values), by)
        found[name] = trained(network, sets, placement, tmp_path / name, settings=settings, validation=validation)
    for result in found["many"]:
        assert (result.best_epoch, result.best, result.epochs, result.stopped_early) == (2, 0.3, 4, True)
    assert gap(tmp_path / "many", tmp_path / "one") == 0
    assert load(tmp_path / "many").progress["epoch"] == 2


def test_resuming_keeps_what_was_judged(tmp_path: Path) -> None:
    network, sets, by, path = net(), data(), metric("ndcg@10"), tmp_path / "m.nc"
    assert isinstance(by, Metric)
    settings = replace(SETTINGS, epochs=3)
    trained(network, sets, laid(network, 2), path, settings=settings, validation=judged([0.5], by), pause=1)
    many = trained(
        network, sets, laid(network, 4), path, settings=settings, validation=judged([0.4, 0.3], by), resume=True
    )
    assert [result.best_epoch for result in many] == [1] * 4 and checkpoint.found(path)


def test_divergence_is_seen_by_all(tmp_path: Path) -> None:
    network, sets = net(), data()
    told: list[str] = []

    def work(mesh: Mesh) -> None:
        settings = replace(SETTINGS, alpha=1e37, optimizer=Optimizer.SGD)
        with pytest.raises(Stop) as stopped:
            train(network, sets, settings, output=tmp_path / "m.nc", mesh=mesh)
        assert stopped.value.exit_code == DIVERGED
        told.append(str(stopped.value))

    meshed(laid(network, 2), work)
    assert len(set(told)) == 1


def test_checkpoints_on_the_way(tmp_path: Path) -> None:
    network, sets, path = net(), data(), tmp_path / "m.nc"
    events: list[Event] = []
    settings = replace(SETTINGS, checkpoint_interval=1)
    many = laid(network, 2)
    trained(network, sets, many, path, settings=settings, observer=events.append, checkpoint_seconds=0.0)
    assert [event.kind for event in events if event.kind == "checkpoint"] and path.exists()
    assert checkpoint.interval_path(path, 1).exists()
    trained(network, sets, replace(ALONE, exact=True), tmp_path / "one.nc", settings=settings)
    assert gap(path, tmp_path / "one.nc") == 0


def test_a_rank_that_sees_no_checkpoint_says_so(tmp_path: Path, golden: Golden) -> None:
    network, sets, path = net(), data(), tmp_path / "m.nc"
    trained(network, sets, laid(network, 2), path, pause=1)

    def work(mesh: Mesh) -> str:
        if mesh.is_first:
            found = checkpoint.newest_of_all(path, {}, mesh)
            assert found is not None
            return ""
        blind: Any = SimpleNamespace(rank=1, size=2, is_first=False, share=lambda value=None: mesh.share() + ".gone")
        with pytest.raises(Stop) as stopped:
            checkpoint.newest_of_all(path, {}, blind)
        return render(stopped.value.diagnostics) + "\n"

    told = meshed(laid(network, 2), work)[1]
    golden(GOLDEN / "NN830.err", told.replace(str(tmp_path), "/models"))


@pytest.mark.parametrize("scheme", [s for s in Scheme if s is not Scheme.CONSTANT])
def test_each_rank_starts_with_its_part(scheme: Scheme) -> None:
    network = networks.change(net(), "Hidden1", init=Init(scheme, 0.3))
    network = networks.change(network, "Output", init=Init(scheme, 0.3))
    whole = Program(network, ["step"], 8, SETTINGS)
    whole.initialise(3)

    def work(mesh: Mesh) -> Model | None:
        program = Program(network, ["step"], 8, SETTINGS, placement=mesh.placement, mesh=mesh)
        program.initialise(3)
        assert all(program.get(info).shape == info.shape for info in program.states)
        return program.store(Model(network, {}, {}))

    first = meshed(laid(network, 4), work)[0]
    assert first is not None
    for info in whole.states:
        assert np.array_equal(whole.get(info), _stored(first, info)), info


def _stored(model: Model, info: StateInfo) -> np.ndarray:
    name = f"{info.owner}{info.index}"
    return arrays(model)[f"{name}.{info.part}" if info.part else name]


def test_a_part_of_a_model_is_read(tmp_path: Path) -> None:
    network, path = net(), tmp_path / "m.nc"
    trained(network, data(), ALONE, path)
    whole, placement = load(path), laid(network, 4)

    def work(mesh: Mesh) -> None:
        program = Program(network, ["step"], 8, SETTINGS, placement=mesh.placement, mesh=mesh)
        part = load(path, program.spans())
        for name, (rows, *columns) in program.spans().items():
            place = (slice(*rows), *(slice(*span) for span in columns))
            assert np.array_equal(arrays(part)[name], arrays(whole)[name][place]), name
        program.load(part)
        mine = {info: program.get(info) for info in program.states}
        program.initialise(1)
        program.load(whole)
        assert all(np.array_equal(program.get(info), mine[info]) for info in mine)

    meshed(placement, work)
