"""Memory and disk are counted before they are taken."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnlang.codegen.plan import Plan
from nnlang.diagnostics import DISK, MEMORY, Stop
from nnlang.runtime import hdf, memory
from nnlang.runtime.files import check_room


def plan(rows: int) -> Plan:
    return Plan("step", rows, (), (), (), 1000 * rows, 5000, 0)


@pytest.mark.parametrize(("limit", "used", "free"), [("3000\n", "1000\n", 2000), ("1000\n", "3000\n", 0)])
def test_a_containers_limit_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, used: str, free: int
) -> None:
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text(used)
    monkeypatch.setattr(hdf, "CGROUP", tmp_path)
    assert hdf.available_memory() == free


def test_no_limit_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf, "CGROUP", tmp_path)
    without = hdf.available_memory()
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert without > 1 << 20
    assert hdf.available_memory() > 1 << 20


@pytest.mark.parametrize(("free", "fits"), [(40_000, "-b 32"), (7_000, "-b 2"), (5_500, "fewer units")])
def test_a_run_that_does_not_fit_says_what_would(monkeypatch: pytest.MonkeyPatch, free: int, fits: str) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    with pytest.raises(Stop) as stopped:
        memory.check(plan, 64)
    assert stopped.value.exit_code == MEMORY
    assert fits in stopped.value.diagnostics[0].remedy


def test_a_model_that_the_disk_cannot_hold_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=10_000, used=9_000, free=1000))
    check_room(tmp_path / "model.nc", 900)
    with pytest.raises(Stop) as stopped:
        check_room(tmp_path / "model.nc", 950)
    assert stopped.value.exit_code == DISK
