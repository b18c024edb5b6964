"""The doctor: facts, and small networks in which every kind of kernel is checked."""

from __future__ import annotations

import json

import pytest

from nnlang.cli import run_command
from nnlang.codegen.triton.emit import LAUNCHES
from nnlang.diagnostics import DEVICE, Stop
from nnlang.runtime import selfcheck
from nnlang.runtime.devices import CPU, find
from nnlang.runtime.doctor import facts

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")


@pytest.mark.parametrize("kind", ["cpu", "interpret", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_every_kind_of_kernel_is_right_and_repeats_itself(kind: str) -> None:
    try:
        device = find(kind)
    except Stop as stopped:
        pytest.skip(str(stopped))
    found = list(selfcheck.checks(device))
    assert [check.name for check in found if not check.passed] == []
    kinds = set(LAUNCHES) - {"gather", "own"} - ({"top"} if kind == "cpu" else set())  # those two are for ranks
    assert {launch for check in found for launch in check.kinds} == kinds
    assert min(check.distance for check in found) > 0


def test_facts_say_what_there_is() -> None:
    found = facts(CPU)
    assert found["device"] == "cpu (cpu), fp32" and "free" in found["memory"]
    assert all(found[name] for name in ("nnlang", "python", "torch", "triton", "numpy", "h5py", "netCDF4", "driver"))
    assert "nnlang" in found["cache"] and found["ptxas"] and found["gpu"]


def test_the_command_prints_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "kernels on cpu, beside float64" in shown and "FAILED" not in shown
    assert "segment_sum_update" in shown and "netCDF4" in shown


def test_a_failed_check_is_exit_5(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(selfcheck.TOLERANCES, "fp32", 0.0)
    assert run_command(["doctor", "--device", "cpu", "--json"]) == DEVICE
    first, *rows = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["event"] == "facts" and first["torch"]
    assert {row["event"] for row in rows} == {"check"} and not any(row["passed"] for row in rows)


def test_a_device_that_is_not_there_is_exit_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--device", "tpu"]) == DEVICE
    assert "error[NN706]" in capsys.readouterr().err
