"""Training that is judged on the way: the best epoch is the model, patience ends, and no interruption changes a bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlang.codes import training as codes
from nnlang.diagnostics import DATA, Stop
from nnlang.measures import Metric, metric
from nnlang.network import Optimizer
from nnlang.runtime import checkpoint
from nnlang.runtime.devices import CPU, find
from nnlang.runtime.metricsfile import path_of, read, recorder
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.pointwise import never
from nnlang.runtime.train import Event, TrainResult
from nnlang.runtime.validation import Validation, set_validation
from tests.test_device_training import quick
from tests.test_train import Watch
from tests.tiny import arrays, bits, datasets, equal, network, run


def metric_of(text: str) -> Metric:
    found = metric(text)
    assert isinstance(found, Metric)
    return found


NDCG, ERROR = metric_of("ndcg@3"), metric_of("error")


def judged(by: Metric = NDCG, **options: Any) -> Validation:
    """By other rows of the same two groups."""
    sets = datasets(seed=9)
    return set_validation(Model(network(datasets()), {}, {}), sets, by, **options)


def scripted(*values: float, **options: Any) -> Validation:
    """A measure whose value after each epoch is given; 0.0 once they are used up."""

    def measure(model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
        epoch = model.progress["epoch"]
        return {"ndcg@3": values[epoch - 1] if epoch <= len(values) else 0.0}

    return Validation(NDCG, measure, **options)


def logged(path: Path, watch: Watch | None = None, *, resume: bool = False, **options: Any) -> TrainResult:
    """A training with its metrics file."""
    watch = watch or Watch()
    with recorder(path_of(path), resume=resume) as record:

        def observe(event: Event) -> None:
            record(event)
            watch(event)

        return run(path, observer=observe, interrupted=watch.interrupted, resume=resume, **options)


def curve(path: Path) -> list[dict[str, Any]]:
    """The metrics file without what a clock says."""
    clocks = ("seconds", "samples_per_second")
    return [{k: v for k, v in line.items() if k not in clocks} for line in read(path_of(path))]


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir() if p.suffix == ".nc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gl.nc"


def test_the_model_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    path, short = tmp_path / "gl.nc", tmp_path / "short.nc"
    result = logged(path, training={"epochs": 5}, validation=scripted(0.1, 0.5, 0.3, math.nan, 0.4))
    logged(short, training={"epochs": 2})
    assert equal(bits(path), bits(short)) and equal(arrays(result.model), bits(path))
    assert (result.best_epoch, result.best, result.epochs, result.stopped_early) == (2, 0.5, 5, False)
    assert [v for v in result.validation if v[0] != 4] == [(1, 0.1), (2, 0.5), (3, 0.3), (5, 0.4)]
    assert math.isnan(result.validation[3][1])
    saved = load(path)
    assert (saved.progress["epoch"], saved.progress["trained"]) == (2, 5)
    assert saved.progress["validation"] == [[1, 0.1], [2, 0.5]]
    assert names(path) == ["gl.nc", "gl.nc.checkpoint.5.0.nc", "short.nc"]  # the last epoch, to go on from
    last = load(tmp_path / "gl.nc.checkpoint.5.0.nc")
    assert last.progress["validation"] == [[1, 0.1], [2, 0.5], [3, 0.3], [4, None], [5, 0.4]]


def test_a_best_last_epoch_leaves_the_model_alone(path: Path) -> None:
    logged(path, training={"epochs": 3}, validation=scripted(0.1, 0.2, 0.3))
    assert names(path) == ["gl.nc"]


def test_events_and_lines_say_what_was_measured(path: Path) -> None:
    watch = Watch()
    logged(path, watch, training={"epochs": 3}, validation=scripted(0.1, math.nan, 0.3))
    found = watch.of("validation")
    assert [(e.epoch, e.best) for e in found] == [(1, True), (2, False), (3, True)]
    assert [line for line in curve(path) if line["event"] == "validation"] == [
        {"event": "validation", "epoch": epoch, "ndcg@3": value} for epoch, value in ((1, 0.1), (2, None), (3, 0.3))
    ]
    assert [line["event"] for line in curve(path)] == ["epoch", "validation"] * 3
    assert "NaN" not in path_of(path).read_text()


def test_less_is_better_for_errors(path: Path) -> None:
    result = run(path, training={"epochs": 4}, validation=judged(ERROR))
    values = dict(result.validation)
    assert result.best == min(values.values()) == values[result.best_epoch]


@pytest.mark.parametrize(("values", "patience", "ends", "best"), [
    ((0.5, 0.4, 0.4, 0.9), 2, 3, 1),
    ((0.5, 0.4, 0.6, 0.1, 0.1), 2, 5, 3),
    ((0.5, 0.5, 0.5), 2, 3, 1),
    ((math.nan, math.nan, 0.5), 2, 2, 0),
    ((0.5, 0.4, 0.3), 0, 7, 1),
], ids=["never better", "better in time", "equal is not better", "never a number", "no patience"])  # fmt: skip
def test_patience_ends(path: Path, values: tuple[float, ...], patience: int, ends: int, best: int) -> None:
    watch = Watch()
    result = logged(path, watch, training={"epochs": 7}, validation=scripted(*values, patience=patience))
    assert (result.epochs, result.best_epoch, result.stopped_early) == (ends, best, ends < 7)
    told = [e.notice.code for e in watch.of("notice") if e.notice]
    assert told == ([codes.EARLY_STOP] if ends < 7 else [])


def test_patience_counts_measurements_not_epochs(path: Path) -> None:
    values = [0.9 if epoch == 2 else 0.1 for epoch in range(1, 11)]
    result = logged(path, training={"epochs": 10}, validation=scripted(*values, patience=2, every=2))
    assert result.validation == ((2, 0.9), (4, 0.1), (6, 0.1)) and result.epochs == 6


def test_an_early_end_is_gone_on_with_as_if_it_had_not_been(tmp_path: Path) -> None:
    values = (0.5, 0.4, 0.3, 0.6, 0.2, 0.1)
    straight, broken = tmp_path / "a" / "gl.nc", tmp_path / "b" / "gl.nc"
    for path in (straight, broken):
        path.parent.mkdir()
    logged(straight, training={"epochs": 6}, validation=scripted(*values))
    first = logged(broken, training={"epochs": 6}, validation=scripted(*values, patience=2))
    assert first.stopped_early and first.epochs == 3
    again = logged(broken, training={"epochs": 6}, validation=scripted(*values, patience=2), resume=True)
    assert again.epochs == 3 and again.best_epoch == 1 and equal(arrays(again.model), bits(broken))
    logged(broken, training={"epochs": 6}, validation=scripted(*values), resume=True)
    assert same_files(straight, broken) and curve(straight) == curve(broken)


def same_files(one: Path, other: Path) -> bool:
    """Whether the models and checkpoints beside two models are the same to the byte."""
    return names(one) == names(other) and all(
        (one.parent / name).read_bytes() == (other.parent / name).read_bytes() for name in names(one)
    )


FULL = pytest.mark.full
INTERRUPTIONS = [(NDCG, 2), (ERROR, 3), (NDCG, 4), (ERROR, 8), *(
    pytest.param(by, batches, marks=FULL) for by in (NDCG, ERROR) for batches in range(1, 18)
)]  # fmt: skip


@pytest.mark.parametrize(("by", "batches"), INTERRUPTIONS, ids=str)
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, by: Metric, batches: int) -> None:
    straight, broken = tmp_path / "a" / "gl.nc", tmp_path / "b" / "gl.nc"
    for path in (straight, broken):
        path.parent.mkdir()
    training = {"epochs": 6, "checkpoint_interval": 4}
    logged(straight, training=training, validation=judged(by))
    cut = logged(broken, Watch(batches), training=training, validation=judged(by))
    assert cut.interrupted and not broken.exists() and Path(cut.checkpoint).exists()
    logged(broken, training=training, validation=judged(by), resume=True)
    assert same_files(straight, broken) and curve(straight) == curve(broken)


def test_a_measurement_that_was_interrupted_is_repeated(tmp_path: Path) -> None:
    straight, broken = tmp_path / "a.nc", tmp_path / "b.nc"
    logged(straight, training={"epochs": 4}, validation=judged())
    whole, asked = judged(), 0

    def measure(model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
        nonlocal asked
        asked += 1
        return whole.measure(model, (lambda: True) if asked == 2 else interrupted)

    cut = logged(broken, training={"epochs": 4}, validation=replace(whole, measure=measure))
    assert cut.interrupted and cut.epochs == 2 and [e for e, _ in cut.validation] == [1]
    assert [line["event"] for line in curve(broken)] == ["epoch", "validation", "epoch"]
    logged(broken, training={"epochs": 4}, validation=judged(), resume=True)
    assert equal(bits(straight), bits(broken)) and curve(straight) == curve(broken)


@pytest.mark.parametrize("by", [NDCG, ERROR], ids=str)
def test_a_run_that_pauses_ends_with_the_same_bits(tmp_path: Path, by: Metric) -> None:
    straight, paused = tmp_path / "a" / "gl.nc", tmp_path / "b" / "gl.nc"
    for path in (straight, paused):
        path.parent.mkdir()
    options: dict[str, Any] = {"training": {"epochs": 6}}
    whole = logged(straight, validation=judged(by), **options)
    for pause, epochs in (
        (2, 2),
        (2, 2),
        (3, 3),
        (1, 3),
        (5, 5),
    ):  # asked twice, or for what is past, it trains nothing
        watch = Watch()
        found = logged(paused, watch, pause=pause, validation=judged(by), resume=True, **options)
        assert found.paused and not found.interrupted and not paused.exists() and found.epochs == epochs
        assert Path(found.checkpoint).name == f"gl.nc.checkpoint.{found.epochs}.0.nc"
        assert found.validation == whole.validation[: found.epochs]
    ended = logged(paused, pause=6, validation=judged(by), resume=True, **options)
    assert not ended.paused and replace(ended, model=whole.model, seconds=whole.seconds) == whole
    assert same_files(straight, paused) and curve(straight) == curve(paused)
    again = logged(paused, pause=6, validation=judged(by), resume=True, **options)
    assert not again.paused and again.validation == whole.validation and same_files(straight, paused)


def test_a_finished_run_is_gone_on_with_from_its_last_epoch(tmp_path: Path) -> None:
    values = (0.5, 0.4, 0.3, 0.2, 0.9, 0.1)
    straight, longer = tmp_path / "a" / "gl.nc", tmp_path / "b" / "gl.nc"
    for path in (straight, longer):
        path.parent.mkdir()
    logged(straight, training={"epochs": 6}, validation=scripted(*values))
    for epochs in (1, 3, 4, 6):
        logged(longer, training={"epochs": epochs}, validation=scripted(*values), resume=epochs > 1)
        assert load(longer).progress["epoch"] == (5 if epochs == 6 else 1)
    assert same_files(straight, longer) and curve(straight) == curve(longer)


def test_the_best_that_was_found_before_the_end_stays_while_training_goes_on(path: Path) -> None:
    """The finished model is the best one until a better one is found; a kill in between changes nothing."""
    logged(path, training={"epochs": 3}, validation=scripted(0.5, 0.4, 0.3))
    before = bits(path)
    cut = logged(path, Watch(4), training={"epochs": 6}, validation=scripted(0.5, 0.4, 0.3), resume=True)
    assert cut.interrupted and equal(bits(path), before)
    logged(path, training={"epochs": 6}, validation=scripted(0.5, 0.4, 0.3), resume=True)
    assert equal(bits(path), before) and load(path).progress["trained"] == 6


def test_the_best_so_far_is_gone_on_with_where_it_is_the_furthest(tmp_path: Path) -> None:
    """A kill right after it was written: no checkpoint is as far."""
    path, straight = tmp_path / "gl.nc", tmp_path / "straight.nc"
    logged(straight, training={"epochs": 4}, validation=judged(ERROR))
    with pytest.raises(RuntimeError, match="killed"):
        logged(path, Killed(after=2), training={"epochs": 4}, validation=judged(ERROR))
    assert names(path)[:1] == ["gl.nc.best.nc"] and checkpoint.begun(path)
    furthest = checkpoint.newest(path)
    assert furthest is not None and furthest.path.name == "gl.nc.best.nc"
    logged(path, training={"epochs": 4}, validation=judged(ERROR), resume=True)
    assert equal(bits(path), bits(straight)) and not checkpoint.best_path(path).exists()


class Killed(Watch):
    """A run that dies in the first batch of an epoch."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if event.kind == "batch" and event.epoch > self.after:
            raise RuntimeError("killed")


def test_another_measure_begins_anew_and_says_so(path: Path) -> None:
    run(path, training={"epochs": 2}, validation=judged())
    watch = Watch()
    result = run(path, training={"epochs": 4}, validation=judged(ERROR), resume=True, observer=watch)
    (told,) = [e.notice for e in watch.of("notice")]
    assert told is not None and told.code is codes.JUDGED_OTHERWISE
    assert "ndcg@3" in told.message and "error" in told.message
    assert [epoch for epoch, _ in result.validation] == [2, 3, 4]


def test_without_a_measure_the_last_epoch_is_the_model_and_that_is_told(tmp_path: Path) -> None:
    path, straight = tmp_path / "gl.nc", tmp_path / "straight.nc"
    run(straight, training={"epochs": 4})
    run(path, training={"epochs": 3}, validation=scripted(0.5, 0.4, 0.3))
    watch = Watch()
    run(path, training={"epochs": 4}, resume=True, observer=watch)
    assert [e.notice.code for e in watch.of("notice") if e.notice] == [codes.JUDGED_OTHERWISE]
    assert equal(bits(path), bits(straight)) and "validation" not in load(path).progress
    assert names(path) == ["gl.nc", "straight.nc"]


def test_a_run_that_was_not_judged_is_judged_from_where_it_stands(path: Path) -> None:
    """So do checkpoints of earlier versions, which know of no validation."""
    run(path, training={"epochs": 2})
    assert "validation" not in load(path).progress and "judged" not in load(path).progress
    result = run(path, training={"epochs": 4}, validation=judged(), resume=True)
    assert [epoch for epoch, _ in result.validation] == [2, 3, 4]


def test_a_best_model_that_is_gone_is_told(path: Path) -> None:
    cut = run(path, training={"epochs": 6}, validation=scripted(0.5, 0.4, 0.3, 0.2), pause=3)
    assert cut.paused
    checkpoint.best_path(path).unlink()
    watch = Watch()
    result = run(path, training={"epochs": 4}, validation=scripted(0.5, 0.4, 0.3, 0.2), resume=True, observer=watch)
    assert [e.notice.code for e in watch.of("notice") if e.notice] == [codes.BEST_GONE]
    assert result.best_epoch == 3 and load(path).progress["epoch"] == 3


def test_a_new_run_takes_nothing_up(path: Path) -> None:
    run(path, training={"epochs": 3}, validation=scripted(0.5, 0.4, 0.3))
    result = run(path, training={"epochs": 2}, validation=scripted(0.1, 0.2))
    assert result.validation == ((1, 0.1), (2, 0.2)) and names(path) == ["gl.nc"]


@pytest.mark.parametrize("wrong", [[[2, 0.1], [1, 0.2]], [[9, 0.1]], [[0, 0.1]], [["x", 0.1]], 7], ids=json.dumps)
def test_a_record_that_makes_no_sense_is_refused(path: Path, wrong: Any) -> None:
    run(path, training={"epochs": 3}, validation=judged())
    model = load(path)
    model.progress["validation"] = wrong
    checkpoint.discard(path)
    save(model, path)
    with pytest.raises(Stop) as stopped:
        run(path, training={"epochs": 4}, validation=judged(), resume=True)
    assert stopped.value.exit_code == DATA


def test_checkpoints_as_often_as_asked(path: Path) -> None:
    watch = Watch()
    run(path, training={"epochs": 1}, checkpoint_seconds=0.0, observer=watch)
    assert len(watch.of("checkpoint")) == 3


def test_measuring_changes_no_number_of_the_training(tmp_path: Path) -> None:
    plain, judged_on = tmp_path / "a.nc", tmp_path / "b.nc"
    one, other = Watch(), Watch()
    run(plain, training={"epochs": 4}, observer=one)
    run(judged_on, training={"epochs": 4}, observer=other, validation=judged(ERROR))
    assert [e.error for e in one.of("batch")] == [e.error for e in other.of("batch")]
    assert np.isfinite([e.measures["error"] for e in other.of("validation")]).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")  # what masks take out of a sum may be NaN
@pytest.mark.parametrize("kind", [pytest.param("interpret", marks=FULL), pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_device_judges_as_the_cpu_does_and_is_not_disturbed_by_it(tmp_path: Path, kind: str) -> None:
    try:
        device = find(kind, "fp32")
    except Stop as stopped:
        pytest.skip(str(stopped))
    sets, held = datasets(), datasets(seed=9)
    epochs = 1 if kind == "interpret" else 8  # graphs are replayed from the second epoch on
    options: dict[str, Any] = {"training": {"epochs": epochs, "optimizer": Optimizer.MOMENTUM}, "device": device}
    plain = run(tmp_path / "plain.nc", sets, quick(sets), **options)
    made = [
        set_validation(Model(quick(sets), {}, {}), held, NDCG, more=[ERROR, metric_of("auc")], device=place)
        for place in (device, CPU)
    ]
    result = run(tmp_path / "judged.nc", sets, quick(sets), validation=made[0], **options)
    last = result.model if result.best_epoch == epochs else load(tmp_path / f"judged.nc.checkpoint.{epochs}.0.nc")
    assert equal(arrays(plain.model), arrays(last))
    there, here = made[0].measure(result.model), made[1].measure(result.model)
    assert dict(there) == pytest.approx(dict(here), rel=1e-5) and there["ndcg@3"] == result.best
