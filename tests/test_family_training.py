"""Ways of training through whole runs: model files, checkpoints and going on, over threads and over processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnlang.codes import training as codes
from nnlang.network import Network, Optimizer
from nnlang.placement import Placement
from nnlang.runtime.averaging import Averaging
from nnlang.runtime.events import Event, TrainResult
from nnlang.runtime.lbfgs import Lbfgs
from nnlang.runtime.model import load
from nnlang.runtime.shared import Asynchronous
from nnlang.runtime.together import PLAIN
from nnlang.runtime.ways import Way
from tests import tiny
from tests.data_fixtures import netcdf
from tests.family import meshes

WAYS = (Averaging(1), Averaging(2), Asynchronous(), Lbfgs())


def trained(
    path: Path, way: Way, ranks: int, interrupt: Callable[[], bool] | None = None, **options: Any
) -> TrainResult:
    """A run of the tiny network; what the first rank gives."""

    def work(mesh: Any) -> TrainResult:
        if ranks > 1:
            mesh.placement = Placement(data=ranks)
        training = {"lambda1": 0.0, **options.get("training", {})}
        rest = {k: v for k, v in options.items() if k != "training"}
        return tiny.run(path, way=way, mesh=mesh, interrupted=interrupt, training=training, **rest)

    return meshes(ranks, work)[0]


def after(calls: int) -> Callable[[], bool]:
    """Says yes from the so-manieth time on."""
    asked = []

    def interrupted() -> bool:
        asked.append(None)
        return len(asked) >= calls

    return interrupted


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_run_over_ranks_writes_a_model(way: Way, tmp_path: Path) -> None:
    result = trained(tmp_path / "m.nc", way, 2)
    model = load(tmp_path / "m.nc")
    assert result.epochs == 3
    assert model.progress["way"] == way.name
    assert tiny.equal(tiny.arrays(model), tiny.arrays(result.model))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.nc"]


@pytest.mark.parametrize("way", [Averaging(1), Averaging(2), Lbfgs()], ids=lambda way: way.name)
@pytest.mark.parametrize("calls", [1, 3])
def test_an_interrupted_run_goes_on_to_the_bit(way: Way, calls: int, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.nc", tmp_path / "cut.nc"
    straight = trained(whole, way, 2, training={"epochs": 5})
    assert trained(cut, way, 2, after(calls), training={"epochs": 5}).interrupted
    second = trained(cut, way, 2, resume=True, training={"epochs": 5})
    assert tiny.equal(tiny.bits(cut), tiny.bits(whole))
    assert second.error == straight.error


def test_an_asynchronous_run_goes_on(tmp_path: Path) -> None:
    way = Asynchronous()
    assert trained(tmp_path / "m.nc", way, 2, after(2)).interrupted
    assert trained(tmp_path / "m.nc", way, 2, resume=True).epochs == 3


def test_going_on_in_another_way_is_told(tmp_path: Path) -> None:
    trained(tmp_path / "m.nc", Averaging(2), 2)
    events: list[Event] = []
    trained(tmp_path / "m.nc", PLAIN, 1, resume=True, observer=events.append, training={"epochs": 4})
    told = [e.notice.facts for e in events if e.notice is not None and e.notice.code is codes.RESUME_DIFFERS]
    assert {"averaging every 2 batches"} <= {str(facts["then"]) for facts in told}


@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_every_optimizer_comes_to_an_end_in_every_way(optimizer: Optimizer, tmp_path: Path) -> None:
    for number, way in enumerate((Averaging(2), Asynchronous())):
        result = trained(tmp_path / f"{number}.nc", way, 2, training={"optimizer": optimizer, "epochs": 1})
        assert result.epochs == 1


CONFIG = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 8, "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "output", "N": "auto", "Source": "Hidden",
    "Activation": "Sigmoid", "Sparse": true } ] }"""


def started(folder: Path, name: str, *words: str) -> tuple[dict[str, Any], str]:
    """What `nnlang train` prints at the end, and its complaints, where it trains in processes."""
    (folder / "c.json").write_text(CONFIG)
    for part in ("input", "output"):
        made = tiny.groups(part, examples=40, units=600)
        content = {
            "name": part, "attributes": 3, "kind": 0, "dataType": 0, "dimensions": 1, "width": 600, "examplesDim": 40,
            "sparseDataDim": len(made.index), "sparseStart": ("u4", "examplesDim", made.start),
            "sparseEnd": ("u4", "examplesDim", made.end), "sparseIndex": ("u4", "sparseDataDim", made.index),
        }  # fmt: skip
        netcdf(folder / f"{part}.nc", content)
    command = ["train", "-c", "c.json", "-i", "input.nc", "-o", "output.nc", "-n", name, "-b", "8", "--json", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "nnlang", *command],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_processes_average_with_the_bytes_that_were_computed(tmp_path: Path) -> None:
    done, _ = started(tmp_path, "m.nc", "-e", "2", "--devices", "2", "--sync-every", "2", "--optimizer", "AdaGrad")
    network: Network = load(tmp_path / "m.nc").network
    weights = sum(a * b + b for a, b in map(network.shape, network.weights))
    averages = 2 * 3  # of five batches an epoch
    assert done["sent"] == averages * 2 * 1 * (2 * weights // 2) * 4
    assert (done["devices"], done["epochs"]) == (2, 2)


@pytest.mark.full
def test_processes_of_one_machine_train_without_waiting(tmp_path: Path) -> None:
    done, complaints = started(tmp_path, "m.nc", "-e", "3", "--devices", "3", "--asynchronous")
    assert done["sent"] == 0
    assert complaints.count("NN823") == 1


@pytest.mark.full
def test_processes_minimise_to_the_bit_of_one(tmp_path: Path) -> None:
    for devices in (1, 2, 4):
        started(tmp_path, f"{devices}.nc", "-e", "5", "--devices", str(devices), "--lbfgs", "--deterministic")
    one = tiny.bits(tmp_path / "1.nc")
    assert all(tiny.equal(tiny.bits(tmp_path / f"{devices}.nc"), one) for devices in (2, 4))
