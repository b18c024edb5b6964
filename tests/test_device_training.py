"""Training on a device: the CPU's numbers, the same bits however it is cut into groups and chunks, the brake at once.

Kernels are interpreted on CPU tensors; the tests marked gpu do the same on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlang.codes import training as codes
from nnlang.diagnostics import DIVERGED, Stop
from nnlang.network import Activation, ErrorFunction, Loss, Network, Optimizer
from nnlang.runtime import program, steps
from nnlang.runtime.brake import BRAKED, FACTOR, WARM_UP, Brake
from nnlang.runtime.checkpoint import found
from nnlang.runtime.dataset import DataSet, dense_set
from nnlang.runtime.devicefeed import DeviceFeed
from nnlang.runtime.devices import CPU, Device, find
from nnlang.runtime.executor import At
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.steps import DeviceSteps, steps_of
from tests import networks
from tests.test_train import Watch
from tests.tiny import bits, datasets, equal, network, run, settings

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")  # what masks take out of a sum may be NaN

KINDS = ["interpret", pytest.param("cuda", marks=pytest.mark.gpu)]
STEEP = {"optimizer": Optimizer.SGD, "alpha": 1e-3, "batch": 1, "epochs": 1, "shuffle": False, "lambda_": 0.0}


@pytest.fixture(params=KINDS)
def device(request: pytest.FixtureRequest) -> Device:
    """A device that runs kernels, in the CPU's precision."""
    try:
        return find(request.param, "fp32")
    except Stop as stopped:
        pytest.skip(str(stopped))


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two steps: an epoch of three batches is one and a half."""
    monkeypatch.setattr(DeviceSteps, "most", 2)


def smooth(sets: dict[str, DataSet]) -> Network:
    """The tiny network without batch normalisation, before which a bias has no gradient but what rounding leaves."""
    return networks.change(network(sets), "Second", batch_normalization=False)


def quick(sets: dict[str, DataSet]) -> Network:
    """A network of few kernels with every kind of noise: interpreting costs 0.1 s a step."""
    units = sets["input"].facts.units
    rows = [
        networks.source("Input", units, sparse=True, denoising=True),
        networks.hidden("Hidden", 4, "Input", dropout=0.2),
        networks.output("Output", units, "Hidden"),
    ]
    net = networks.build("quick", rows, denoising=0.2, shuffle=True)
    return networks.bind(net, *(d.facts for d in sets.values()))


def short(path: Path, examples: int = 10, **options: Any) -> Watch:
    """Two epochs of the quick network, of three batches each; what was told."""
    sets, watch = datasets(examples=examples), options.pop("observer", Watch())
    chosen = {"epochs": 2, "optimizer": Optimizer.MOMENTUM, **options.pop("training", {})}
    run(path, sets, quick(sets), training=chosen, observer=watch, **options)
    return watch


def errors(watch: Watch, kind: str) -> list[float]:
    return [event.error for event in watch.of(kind)]


@pytest.mark.parametrize("optimizer", [Optimizer.NESTEROV, Optimizer.RMSPROP], ids=lambda o: o.name.lower())
def test_three_epochs_are_those_of_the_cpu(tmp_path: Path, device: Device, optimizer: Optimizer) -> None:
    watches, sets = (Watch(), Watch()), datasets()
    for i, (place, watch) in enumerate(zip((CPU, device), watches, strict=True)):
        options: dict[str, Any] = {"training": {"optimizer": optimizer}, "observer": watch, "device": place}
        run(tmp_path / f"{i}.nc", sets, smooth(sets), **options)
    for kind in ("batch", "epoch"):
        assert errors(watches[1], kind) == pytest.approx(errors(watches[0], kind), rel=1e-5)
    expected, obtained = bits(tmp_path / "0.nc"), bits(tmp_path / "1.nc")
    assert expected.keys() == obtained.keys()
    for name, value in expected.items():
        tolerance = 1e-4 if "." in name else 1e-5  # squares of small gradients in an optimiser's states
        assert np.linalg.norm(obtained[name] - value) <= tolerance * np.linalg.norm(value), name


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(("batches", "ahead"), [pytest.param(1, 0, marks=pytest.mark.full), (3, 0), (1, 1)])
def test_a_resumed_run_ends_with_the_same_bits(
    tmp_path: Path, device: Device, batches: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted within an epoch, between two groups; at its end; with another group under way."""
    straight, broken = tmp_path / "straight.nc", tmp_path / "broken.nc"
    first, second = short(straight, device=device), Watch(batches)
    monkeypatch.setattr(DeviceSteps, "ahead", ahead)
    short(broken, observer=second, interrupted=second.interrupted, device=device)
    assert not broken.exists() and len(found(broken)) == 1
    third = short(broken, resume=True, device=device)
    assert equal(bits(straight), bits(broken))
    assert errors(second, "batch") + errors(third, "batch") == errors(first, "batch")
    assert errors(second, "epoch") + errors(third, "epoch") == errors(first, "epoch")
    assert not third.of("notice")


def test_groups_and_chunks_change_no_bit(tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    short(tmp_path / "whole.nc", device=device)
    monkeypatch.setattr(DeviceSteps, "most", 2)
    streams: list[DeviceFeed] = []

    def streamed(*arguments: Any, margin: int, **options: Any) -> DeviceFeed:
        whole = DeviceFeed(*arguments, **options)
        streams.append(DeviceFeed(*arguments, budget=whole.needed + whole.building - 1, **options))
        return streams[0]

    monkeypatch.setattr(program, "DeviceFeed", streamed)
    short(tmp_path / "streamed.nc", device=device)
    assert not streams[0].resident
    assert equal(bits(tmp_path / "whole.nc"), bits(tmp_path / "streamed.nc"))


def test_another_device_is_told_on_resume(tmp_path: Path, device: Device) -> None:
    short(tmp_path / "gl.nc", training={"epochs": 1})
    watch = short(tmp_path / "gl.nc", resume=True, device=device)
    (notice,) = [event.notice for event in watch.of("notice")]
    assert notice is not None and notice.code is codes.RESUME_DIFFERS
    assert f"device differs from the checkpoint's: {device.name} instead of cpu" in notice.message


def test_the_kernel_counts_as_the_host_does(device: Device) -> None:
    """More rows than it adds at a time, fewer than a full batch has, the brake's whole course."""
    from nnlang.runtime.account import account

    random, host = np.random.default_rng(1), Brake(5.0, WARM_UP, 0)
    state, outcome, rate = (torch.zeros(n, dtype=torch.float64, device=device.torch) for n in (3, 4, 1))
    state[:2] = torch.tensor([host.average, host.batches])
    rate[0], alpha = 0.3, torch.zeros(1, device=device.torch)
    ints = torch.tensor([35, 0], device=device.torch)
    for i in range(BRAKED + 4):
        rows = random.random(37, dtype=np.float32) * (1000 if i == 2 else 1)
        given = torch.from_numpy(rows).to(device.torch)
        sizes = {"WARM_UP": WARM_UP, "BRAKED": BRAKED, "FACTOR": FACTOR, "BLOCK": 16}
        account[(1,)](given, 37, ints, state, outcome, rate, alpha, **sizes)
        total, average, batches, left = outcome.tolist()
        assert total == pytest.approx(rows[:35].astype(np.float64).sum(), rel=1e-12)
        host.take(total / 35)
        assert (batches, left) == (host.batches, host.left)
        assert average == pytest.approx(host.average, rel=1e-12)
        assert float(alpha) == np.float32(0.3 * host.factor())
    assert host.left == 0


def line(far: int, examples: int = 6) -> tuple[dict[str, DataSet], Network]:
    """One weight and examples of one batch each, one of which is far off."""
    values = np.ones((examples, 1), np.float32)
    values[far] = 1000.0
    sets = {"input": dense_set("input", np.ones_like(values)), "output": dense_set("output", values)}
    rows = [networks.source("Input", 1), networks.output("Output", 1, "Input", activation=Activation.LINEAR)]
    net = networks.build("line", rows, loss=Loss(ErrorFunction.L2))
    return sets, networks.bind(net, *(d.facts for d in sets.values()))


def braking(device: Device) -> tuple[list[float], list[steps.Outcome]]:
    """A group of six steps, the third one far off, after the brake's warm-up: step sizes and outcomes."""
    sets, net = line(far=2)
    made = Program(net, ["step"], 1, settings(**STEEP), device=device)
    made.initialise(1)
    ran = steps_of(made, Brake(1.0, WARM_UP, 0))
    parts = list(made.parts(feed_for(made, "step", sets), most=ran.most))
    waits = [ran.launch(part, At(1, 0, i)) for i, part in enumerate(parts)]
    outcomes = [outcome for wait in waits for outcome in wait()]
    if not isinstance(ran, DeviceSteps):
        return [], outcomes
    return ran._tables.scalars[:6, ran._alpha].tolist(), outcomes


def test_the_brake_acts_on_the_next_step_of_a_group(device: Device) -> None:
    rates, outcomes = braking(device)
    assert rates == pytest.approx([1e-3] * 3 + [1e-3 * FACTOR] * 3, rel=1e-6)
    assert [o.brake.has_acted for o in outcomes] == [False, False, True, False, False, False]
    assert [o.brake.left for o in outcomes] == [0, 0, BRAKED, BRAKED - 1, BRAKED - 2, BRAKED - 3]
    assert [o.brake.batches for o in outcomes] == [WARM_UP + i for i in range(1, 7)]
    _, expected = braking(CPU)
    assert [o.error for o in outcomes] == pytest.approx([o.error for o in expected], rel=1e-5)
    assert [o.brake.average for o in outcomes] == pytest.approx([o.brake.average for o in expected], rel=1e-5)


def test_the_brake_goes_on_over_groups_and_is_told(tmp_path: Path, device: Device, pairs: None) -> None:
    sets, net = line(far=9, examples=13)
    states = []
    for place in (CPU, device):
        watch = Watch()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "WARM_UP", 8)
            patch.setattr("nnlang.runtime.brake.WARM_UP", 8)
            run(tmp_path / f"{place.kind}.nc", sets, net, training=STEEP, observer=watch, device=place)
        (notice,) = [event.notice for event in watch.of("brake")]
        assert notice is not None and notice.facts["batch"] == 10
        states.append(bits(tmp_path / f"{place.kind}.nc")["weight0"])
    assert states[1] == pytest.approx(states[0], rel=1e-5)


def test_what_is_not_finite_is_told_with_its_batch(tmp_path: Path, device: Device) -> None:
    """The group runs to its end; the batch that is named is the first one, and nothing is written."""
    told = []
    for place in (CPU, device):
        sets, net = line(far=2)
        with pytest.raises(Stop) as stopped:
            run(tmp_path / "gl.nc", sets, net, training={**STEEP, "alpha": 1e30}, device=place)
        assert stopped.value.exit_code == DIVERGED
        told.append(stopped.value.diagnostics[0].facts)
    assert told[0] == told[1] and math.isinf(told[0]["error"])  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


class Recorded:
    """What a graph of steps is to a GPU: the steps that were recorded, once more."""

    def __init__(self, again: Callable[[], None]) -> None:
        self.replays, self._again = 0, again

    def replay(self) -> None:
        self.replays += 1
        self._again()


def test_recorded_steps_read_what_changes_from_tables(
    tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch, pairs: None
) -> None:
    """Groups of a chunk share a record, and so do epochs: of four groups one runs, then it is recorded and replayed."""
    records: list[Recorded] = []

    def captured(self: DeviceSteps, part: Any) -> Any:
        records.append(Recorded(partial(self._steps, part)))
        return records[-1]

    monkeypatch.setattr(DeviceSteps, "_is_recording", False)
    short(tmp_path / "eager.nc", 16, device=device)
    monkeypatch.setattr(DeviceSteps, "_is_recording", True)
    if not device.on_gpu:  # there it is a real graph
        monkeypatch.setattr(DeviceSteps, "_captured", captured)
    short(tmp_path / "replayed.nc", 16, device=device)
    assert [record.replays for record in records] == ([] if device.on_gpu else [3])
    assert equal(bits(tmp_path / "eager.nc"), bits(tmp_path / "replayed.nc"))


def test_models_go_from_device_to_device(device: Device) -> None:
    """States are told and taken in DSSTNE's layout, wherever they stand."""
    sets = datasets()
    one, other = (Program(network(sets), ["step"], 4, settings(), device=place) for place in (device, CPU))
    one.initialise(3)
    other.initialise(3)
    assert all(np.array_equal(one.get(info), other.get(info)) for info in other.states)
    assert {tensor.device.type for tensor in one.states.values()} == {device.torch.type}


def test_the_error_of_regularisation_is_the_cpus(tmp_path: Path, device: Device) -> None:
    options, told = {"epochs": 1, "lambda_": 0.01, "lambda1": 0.01}, []
    for place in (CPU, device):
        (epoch,) = short(tmp_path / f"{place.kind}.nc", training=options, device=place).of("epoch")
        told.append(epoch.regularization_error)
    assert told[1] == pytest.approx(told[0], rel=1e-5) and told[0] > 0
