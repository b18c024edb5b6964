"""Hostile and damaged data files: nothing outside the file is followed, no damage does harm (reliability.md 4)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nnlang.codes import data as codes
from nnlang.diagnostics import Code, Stop
from nnlang.runtime import datacheck
from nnlang.runtime.dataset import read, sparse_set, write
from tests.data_fixtures import ANALOG, CLASSES, DENSE, INDEXED, SPARSE_BOOLEAN, netcdf


def _external(file: h5py.File, path: Path) -> None:
    del file["sparseIndex0"]
    file.create_dataset("sparseIndex0", (9,), "u4", external=[(str(path), 0, 36)])


def _virtual(file: h5py.File, path: Path) -> None:
    del file["sparseIndex0"]
    layout = h5py.VirtualLayout((9,), "u4")
    layout[:] = h5py.VirtualSource(str(path), "x", (9,))
    file.create_virtual_dataset("sparseIndex0", layout)


def _linked(link: h5py.ExternalLink | h5py.SoftLink) -> Any:
    def change(file: h5py.File, path: Path) -> None:
        del file["sparseIndex0"]
        file["sparseIndex0"] = link

    return change


def _packed(file: h5py.File, path: Path) -> None:
    del file["sparseIndex0"]
    file.create_dataset("sparseIndex0", data=np.arange(9, dtype="u4"), compression="lzf")


def _group(file: h5py.File, path: Path) -> None:
    del file["sparseIndex0"]
    file.create_group("sparseIndex0")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_external, codes.UNSAFE_PART),
        (_virtual, codes.UNSAFE_PART),
        (_linked(h5py.ExternalLink("other.nc", "x")), codes.UNSAFE_PART),
        (_linked(h5py.SoftLink("/sparseStart0")), codes.UNSAFE_PART),
        (_packed, codes.UNSAFE_PART),
        (_group, codes.BAD_VALUE),
    ],
)
def test_nothing_outside_the_file_is_followed(tmp_path: Path, change: Any, code: Code) -> None:
    path = netcdf(tmp_path / "a.nc", SPARSE_BOOLEAN)
    with h5py.File(path, "r+") as file:
        change(file, tmp_path / "other")
    with pytest.raises(Stop) as stopped:
        read(path)
    assert stopped.value.diagnostics[0].code is code


def test_a_foreign_file_is_looked_at_elsewhere_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = netcdf(tmp_path / "a.nc", SPARSE_BOOLEAN)
    assert read(path)[0].facts.entries == 9
    assert not datacheck.check(path)
    write(tmp_path / "ours.nc", read(path))
    assert datacheck.check(tmp_path / "ours.nc")
    with pytest.raises(Stop) as stopped:
        datacheck.check(path, deadline=0.001)
    assert "did not end" in stopped.value.diagnostics[0].message
    monkeypatch.setattr(datacheck.sys, "executable", "/bin/false")
    with pytest.raises(Stop) as stopped:
        datacheck.check(path)
    assert stopped.value.diagnostics[0].code is codes.DAMAGED


def _mutations(path: Path, count: int, first: int) -> tuple[int, int]:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations", str(path), str(count), str(first)],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    accepted, refused = map(int, done.stdout.split())
    return accepted, refused


def _seeds(tmp_path: Path) -> list[Path]:
    weighted = INDEXED | {"attributes": 3 | 64 | 128, "dataWeight": ("f4", "examplesDim", [1.0] * 5)}
    write(tmp_path / "ours.nc", [sparse_set("a", [0, 2, 2], [1, 5], [1, 2], width=128)])
    return [
        netcdf(tmp_path / "all.nc", ANALOG, weighted | {"name": "b"}, DENSE, CLASSES | {"name": "c"}),
        tmp_path / "ours.nc",
    ]


def test_damaged_files_do_no_harm(tmp_path: Path) -> None:
    for path in _seeds(tmp_path):
        accepted, refused = _mutations(path, 150, 0)
        assert accepted and refused


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_many_damaged_files_do_no_harm(tmp_path: Path) -> None:
    for path in _seeds(tmp_path):
        for first in range(0, 50_000, 5_000):
            _mutations(path, 5_000, first)
