"""Prediction, judgement and the gradient check on a device: what the CPU gives; the best are chosen on the device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlang.cli import run_command
from nnlang.diagnostics import Stop
from nnlang.network import Activation
from nnlang.runtime.devices import CPU, Device, find
from nnlang.runtime.evaluate import measure
from nnlang.runtime.filters import FilterMode
from nnlang.runtime.model import Model, save
from nnlang.runtime.predict import Request, predict
from nnlang.runtime.recs import Precision
from nnlang.runtime.validate import gradient_check
from tests import networks
from tests.test_evaluate import following
from tests.test_predict import trained
from tests.tiny import datasets, network

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")

SIGNALS = "u0\ta:b\nu1\tc\nu2\tg\nu3\t\nu4\ta:b:c:d:e\n"
CASES: dict[str, dict[str, Any]] = {
    "the best": {},
    "two batches": {"batch": 3},
    "without what is known": {"filter": "signals"},
    "scaled": {"filter": "scales", "filter_mode": FilterMode.SCALE},
    "all units": {"raw": True},
    "a hidden layer": {"layer": "Hidden"},
    "more than there is": {"k": 100},
}


@pytest.fixture(params=["interpret", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Device:
    """A device that runs kernels, in the CPU's precision."""
    try:
        return find(request.param, "fp32")
    except Stop as stopped:
        pytest.skip(str(stopped))


def written(folder: Path, model: Model, device: Device, **options: Any) -> str:
    (folder / "signals").write_text(SIGNALS)
    (folder / "scales").write_text("u0\ta,0.5:c,2\nu4\tb,0:f,3\n")
    given = {"k": 4, "precision": Precision(0, 4)} | options
    if "filter" in given:
        given["filter"] = folder / given["filter"]
    predict(model, replace(Request(folder / "signals", folder / "recs"), **given), device=device)
    return (folder / "recs").read_text()


@pytest.mark.parametrize("case", CASES)
def test_what_is_predicted_is_what_the_cpu_predicts(tmp_path: Path, device: Device, case: str) -> None:
    model = trained()
    assert written(tmp_path, model, device, **CASES[case]) == written(tmp_path, model, CPU, **CASES[case])


def test_ties_go_to_the_lower_number(tmp_path: Path, device: Device) -> None:
    model = trained()
    model.weights[1][:] = 0
    model.biases[1][:] = 0.5
    lines = written(tmp_path, model, device, k=3).splitlines()
    assert [[pair.partition(",")[0] for pair in line.split("\t")[1].split(":")[:-1]] for line in lines] == [
        ["a", "b", "c"]
    ] * 5


def test_scores_that_are_not_finite_are_told(tmp_path: Path, device: Device) -> None:
    model = trained()
    model.biases[1][0] = np.nan
    with pytest.raises(Stop) as stopped:
        written(tmp_path, model, device)
    assert stopped.value.diagnostics[0].code.code == "NN755" and "u0" in str(stopped.value)


def test_measures_are_those_of_the_cpu(device: Device) -> None:
    sets = datasets(examples=4, units=4)
    found, expected = (measure(following(), sets, k=2, batch=2, device=place) for place in (device, CPU))
    assert np.array_equal(found.precision, expected.precision) and np.array_equal(found.ndcg, expected.ndcg)


@pytest.mark.parametrize("activation", [Activation.SIGMOID, Activation.SOFTMAX], ids=lambda a: a.name.lower())
def test_gradients_of_the_device_are_checked_against_differences(device: Device, activation: Activation) -> None:
    sets = datasets(examples=6)
    net = networks.change(network(sets), "Output", activation=activation)
    checks = gradient_check(net, sets, device=device)
    assert checks and all(check.passed for check in checks), checks


def test_the_command_predicts_on_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(trained(), "m.nc")
    Path("signals").write_text(SIGNALS)
    words = "predict -n m.nc -r signals -f signals -k 3 -p 4 --compute-precision fp32"
    for name in ("cpu", "interpret"):
        assert run_command([*words.split(), "--device", name, "-s", name]) == 0
    assert Path("cpu").read_text() == Path("interpret").read_text() != ""


def test_a_tuning_table_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiles.json").write_text('{"linear": {"BM": 48}}')
    assert run_command(["doctor", "--device", "cpu", "--tuning", str(tmp_path / "tiles.json")]) == 2
    found = capsys.readouterr().err
    assert "error[NN703]: --tuning cannot be" in found and "power of two" in found
