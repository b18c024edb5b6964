"""Training in memory: it learns, it repeats itself to the bit, it resumes to the bit, and it stops where it must."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlang.codegen import select
from nnlang.codes import training as codes
from nnlang.diagnostics import DIVERGED, MEMORY, USAGE, Stop
from nnlang.network import Activation, ErrorFunction, Loss, Optimizer
from nnlang.runtime import memory, scalars
from nnlang.runtime.brake import BRAKED, WARM_UP, Brake
from nnlang.runtime.checkpoint import found
from nnlang.runtime.dataset import dense_set
from nnlang.runtime.model import load
from nnlang.runtime.train import Event, shuffled
from tests import networks
from tests.tiny import arrays, bits, datasets, equal, groups, network, run


class Watch:
    """Collects events; says yes to `interrupted` after a number of batches."""

    def __init__(self, batches: int = 1 << 30) -> None:
        self.events: list[Event] = []
        self.left = batches

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.left -= event.kind == "batch"

    def interrupted(self) -> bool:
        return self.left <= 0

    def of(self, kind: str) -> list[Event]:
        return [e for e in self.events if e.kind == kind]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gl.nc"


def test_the_error_falls(path: Path) -> None:
    watch = Watch()
    result = run(path, training={"epochs": 40, "alpha": 0.05}, observer=watch)
    epochs = watch.of("epoch")
    assert [e.epoch for e in epochs] == list(range(1, 41)) and result.epochs == 40
    assert epochs[-1].error < 0.7 * epochs[0].error
    assert result.error == epochs[-1].error and not result.interrupted


def test_events_say_what_happened(path: Path) -> None:
    watch = Watch()
    run(path, training={"epochs": 2}, observer=watch)
    assert [(e.epoch, e.batch, e.batches) for e in watch.of("batch")] == [
        (epoch, batch, 3) for epoch in (1, 2) for batch in (1, 2, 3)
    ]
    for epoch in watch.of("epoch"):
        errors = [e.error for e in watch.of("batch") if e.epoch == epoch.epoch]
        mean = (4 * errors[0] + 4 * errors[1] + 2 * errors[2]) / 10
        assert epoch.training_error == pytest.approx(mean, rel=1e-12)
        assert epoch.error == pytest.approx(epoch.training_error + epoch.regularization_error)
        assert epoch.regularization_error > 0 and epoch.seconds > 0 and epoch.samples_per_second > 0


def test_the_regularisation_error_is_that_of_the_model(path: Path) -> None:
    watch = Watch()
    run(path, training={"epochs": 1, "lambda_": 0.01, "lambda1": 0.001}, observer=watch)
    weights = [w.astype(np.float64) for w in load(path).weights.values()]
    wanted = sum(0.005 * (w**2).sum() + 0.001 * abs(w).sum() for w in weights)
    assert watch.of("epoch")[-1].regularization_error == pytest.approx(wanted, rel=1e-6)


def test_two_runs_give_the_same_bits(tmp_path: Path) -> None:
    run(tmp_path / "a.nc")
    run(tmp_path / "b.nc")
    run(tmp_path / "c.nc", training={"seed": 1})
    assert equal(bits(tmp_path / "a.nc"), bits(tmp_path / "b.nc"))
    assert not equal(bits(tmp_path / "a.nc"), bits(tmp_path / "c.nc"))


SHAPES: dict[str, dict[str, Any]] = {
    "Adam, shuffled, partial last batch": {},
    "Nesterov": {"optimizer": Optimizer.NESTEROV, "alpha": 0.1},
    "AdaDelta": {"optimizer": Optimizer.ADADELTA},
    "fixed order": {"shuffle": False},
    "alpha by intervals": {"alpha_interval": 2, "alpha_multiplier": 0.1},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batches", [1, 3, 5, 8])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path, shape: str, batches: int) -> None:
    straight, broken = tmp_path / "straight.nc", tmp_path / "broken.nc"
    first, second, third = Watch(), Watch(batches), Watch()
    run(straight, training=SHAPES[shape], observer=first)
    cut = run(broken, training=SHAPES[shape], observer=second, interrupted=second.interrupted)
    assert cut.interrupted and not broken.exists() and len(found(broken)) == 1
    run(broken, training=SHAPES[shape], resume=True, observer=third)
    assert equal(bits(straight), bits(broken))
    errors = [e.error for e in first.of("batch")]
    assert [e.error for e in (*second.of("batch"), *third.of("batch"))] == errors
    told = [e.training_error for e in (*second.of("epoch"), *third.of("epoch"))]
    assert told == [e.training_error for e in first.of("epoch")]
    assert not found(broken)


@pytest.mark.parametrize("examples", [1, 3, 4])
def test_few_rows_and_large_batches(tmp_path: Path, examples: int) -> None:
    """One row, fewer rows than a batch, exactly a batch."""
    sets = datasets(examples=examples)
    watch = Watch(1)
    run(tmp_path / "a.nc", sets, training={"batch": 64})
    run(tmp_path / "b.nc", sets, training={"batch": 64}, observer=watch, interrupted=watch.interrupted)
    run(tmp_path / "b.nc", sets, training={"batch": 64}, resume=True)
    assert equal(bits(tmp_path / "a.nc"), bits(tmp_path / "b.nc"))
    assert all(np.isfinite(v).all() for v in bits(tmp_path / "a.nc").values())


def test_a_finished_model_is_trained_on(tmp_path: Path) -> None:
    run(tmp_path / "a.nc", training={"epochs": 5})
    run(tmp_path / "b.nc", training={"epochs": 2})
    run(tmp_path / "b.nc", training={"epochs": 5}, resume=True)
    assert equal(bits(tmp_path / "a.nc"), bits(tmp_path / "b.nc"))


def test_a_finished_run_resumed_does_nothing(path: Path) -> None:
    run(path)
    before, watch = bits(path), Watch()
    result = run(path, resume=True, observer=watch)
    assert equal(bits(path), before) and not watch.of("batch") and result.epochs == 3


def test_resume_without_a_checkpoint_starts(tmp_path: Path) -> None:
    run(tmp_path / "a.nc")
    run(tmp_path / "b.nc", resume=True)
    assert equal(bits(tmp_path / "a.nc"), bits(tmp_path / "b.nc"))


def test_another_network_is_refused(path: Path) -> None:
    run(path)
    sets = datasets()
    other = networks.change(network(sets), "Second", activation=Activation.RELU)
    with pytest.raises(Stop) as stopped:
        run(path, sets, other, resume=True)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.RESUME_REFUSED and stopped.value.exit_code == USAGE and "network" in told.message


def test_other_data_are_refused(path: Path) -> None:
    run(path)
    with pytest.raises(Stop) as stopped:
        run(path, datasets(seed=6), resume=True)
    assert stopped.value.diagnostics[0].code is codes.RESUME_REFUSED and "data" in stopped.value.diagnostics[0].message


def test_what_changed_is_told(path: Path) -> None:
    run(path)
    watch = Watch()
    run(path, training={"epochs": 4, "alpha": 0.5}, resume=True, observer=watch)
    (notice,) = [e.notice for e in watch.of("notice")]
    assert notice is not None and notice.code is codes.RESUME_DIFFERS
    assert "alpha" in notice.message and "0.5" in notice.message and "0.02" in notice.message


def test_what_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(path: Path) -> None:
    calls = Watch(4)
    run(path, observer=calls, interrupted=calls.interrupted)
    (good,) = [p for _, p in found(path)]
    before = bits(good)
    with pytest.raises(Stop) as stopped:
        run(path, training={"optimizer": Optimizer.SGD, "alpha": 1e38, "epochs": 50}, resume=True)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.DIVERGENCE and stopped.value.exit_code == DIVERGED
    assert "layer" in told.message and any(x in told.message for x in ("First", "Second", "Output"))
    assert equal(bits(good), before) and not path.exists()


@pytest.mark.parametrize("interval", [0, 1])
def test_weights_that_are_not_finite_are_never_written(tmp_path: Path, interval: int) -> None:
    """The error of a step is finite when its update is not: neither checkpoint nor model may take that update."""
    sets = {
        "input": dense_set("input", np.ones((4, 1), np.float32)),
        "output": dense_set("output", np.full((4, 1), 1e3)),
    }
    rows = [networks.source("Input", 1), networks.output("Output", 1, "Input", activation=Activation.LINEAR)]
    net = networks.bind(networks.build("steep", rows, loss=Loss(ErrorFunction.L2)), *(d.facts for d in sets.values()))
    for epochs in (1, 2):
        options = {"optimizer": Optimizer.SGD, "alpha": 3e38, "epochs": epochs, "checkpoint_interval": interval}
        with pytest.raises(Stop) as stopped:
            run(tmp_path / "gl.nc", sets, net, training=options)
        assert stopped.value.exit_code == DIVERGED and "Output" in stopped.value.diagnostics[0].message
    for file in tmp_path.iterdir():
        assert all(np.isfinite(v).all() for v in bits(file).values()), file.name


def test_the_brake_waits_brakes_and_lets_go() -> None:
    brake = Brake()
    assert not any(brake.take(1.0) for _ in range(WARM_UP)) and brake.factor() == 1.0
    assert brake.average == pytest.approx(1.0, abs=1e-3)
    assert not brake.take(1.9) and brake.take(40.0)
    factors = []
    for _ in range(BRAKED + 1):
        factors.append(brake.factor())
        brake.take(1.0)
    assert factors == [0.1] * BRAKED + [1.0]


def test_the_brake_does_not_act_while_it_warms_up() -> None:
    brake = Brake()
    assert not any(brake.take(10.0**i) for i in range(30)) and brake.factor() == 1.0


def test_a_run_brakes_on_its_next_step(path: Path) -> None:
    """40 examples in batches of one whose last one is far off: the brake acts from the step after it."""
    watch = Watch()
    values = np.ones((130, 1), np.float32)
    values[120] = 1000.0
    sets = {"input": dense_set("input", np.ones((130, 1), np.float32)), "output": dense_set("output", values)}
    rows = [networks.source("Input", 1), networks.output("Output", 1, "Input", activation=Activation.LINEAR)]
    net = networks.bind(networks.build("brake", rows, loss=Loss(ErrorFunction.L2)), *(d.facts for d in sets.values()))
    rates: list[float] = []
    original = scalars.of_step

    def told(settings: Any, rate: float, rows: int, steps: int) -> dict[str, float]:
        rates.append(rate)
        return original(settings, rate, rows, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scalars, "of_step", told)
        options = {"optimizer": Optimizer.SGD, "alpha": 1e-4, "batch": 1, "epochs": 1, "shuffle": False}
        run(path, sets, net, training=options, observer=watch)
    (notice,) = [e.notice for e in watch.of("brake")]
    assert notice is not None and notice.code is codes.BRAKE
    assert [i for i, rate in enumerate(rates) if rate < 5e-5] == list(range(121, 130))


def test_a_run_that_does_not_fit_is_refused_before_it_starts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3000)
    with pytest.raises(Stop) as stopped:
        run(path)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.OUT_OF_MEMORY and stopped.value.exit_code == MEMORY
    assert "2.9 KiB free" in told.message and not path.exists()


def test_orders_are_permutations_that_seed_and_epoch_decide() -> None:
    orders = [shuffled(1, 0, 1000), shuffled(1, 1, 1000), shuffled(2, 0, 1000)]
    assert all(np.array_equal(np.sort(o), np.arange(1000)) for o in orders)
    assert np.array_equal(orders[0], shuffled(1, 0, 1000))
    assert all((a != b).mean() > 0.99 for i, a in enumerate(orders) for b in orders[i + 1 :])
    assert abs(np.corrcoef(orders[0], np.arange(1000))[0, 1]) < 0.1


@pytest.fixture
def threads() -> Any:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def wide(path: Path, optimizer: Optimizer, activation: Activation = Activation.SIGMOID) -> dict[str, Any]:
    """The bits after two steps of a network of 3,000 units on either side: 12 leaves of 256."""
    sets = {name: groups(name, 64, 3000) for name in ("input", "output")}
    rows = [
        networks.source("Input", 3000, sparse=True, denoising=True),
        networks.hidden("Hidden", 24, "Input"),
        networks.output("Output", 3000, "Hidden", activation=activation),
    ]
    loss = Loss(ErrorFunction.SMCE, 1.0, 0.0, 3.0, 1.0)
    net = networks.bind(networks.build("wide", rows, loss=loss, denoising=0.2), *(d.facts for d in sets.values()))
    result = run(path, sets, net, training={"batch": 32, "epochs": 1, "optimizer": optimizer})
    return {**arrays(result.model), "error": np.float64(result.error)}


# Whether the bits of a GEMM hang on its height or on threads is its library's affair: with AVX512 they do not.
same_bits = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512",
    reason="bits over shapes and threads are measured for AVX512 only",
)

CHUNKS: dict[str, Callable[..., int]] = {
    "one leaf": lambda *sizes: 1,
    "two leaves": lambda *sizes: 2,
    "sixteen leaves": lambda *sizes: 16,
}


@same_bits
@pytest.mark.parametrize("activation", [Activation.SIGMOID, Activation.SOFTMAX], ids=lambda a: a.name.lower())
@pytest.mark.parametrize("optimizer", [Optimizer.NESTEROV, Optimizer.ADAM], ids=lambda o: o.name.lower())
def test_the_chunk_changes_no_bit(
    tmp_path: Path, optimizer: Optimizer, activation: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for i, chunk in enumerate(CHUNKS.values()):
        monkeypatch.setattr(select, "leaves_per_chunk", chunk)
        found.append(wide(tmp_path / f"{i}.nc", optimizer, activation))
    assert equal(found[0], found[1]) and equal(found[0], found[2])


@same_bits
def test_the_rows_of_an_update_in_one_go_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for elements in (1 << 9, 1 << 12, 1 << 30):
        monkeypatch.setattr(select, "UPDATE_ELEMENTS", elements)
        found.append(wide(tmp_path / f"{elements}.nc", Optimizer.ADAM))
    assert equal(found[0], found[1]) and equal(found[0], found[2])


@same_bits
@pytest.mark.parametrize("activation", [Activation.SIGMOID, Activation.SOFTMAX], ids=lambda a: a.name.lower())
def test_the_number_of_threads_changes_no_bit(tmp_path: Path, activation: Activation, threads: Any) -> None:
    found = []
    for count in (1, 2):
        threads(count)
        found.append(wide(tmp_path / f"{count}.nc", Optimizer.NESTEROV, activation))
    assert equal(*found)


def test_the_result_is_the_file(path: Path) -> None:
    result = run(path)
    assert equal(arrays(result.model), bits(path)) and math.isfinite(result.error)
    assert replace(load(path).training, epochs=3) == result.model.training  # type: ignore[type-var]
