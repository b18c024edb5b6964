"""Data files for tests: a writer of DSSTNE's layout that shares nothing with ours, and the MovieLens sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

MOVIELENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "movielens"

SPARSE_BOOLEAN: dict[str, Any] = {
    "name": "text", "attributes": 3, "kind": 0, "dataType": 0, "dimensions": 1, "width": 128,
    "examplesDim": 3, "sparseDataDim": 9,
    "sparseStart": ("u4", "examplesDim", [0, 3, 6]),
    "sparseEnd": ("u4", "examplesDim", [3, 6, 9]),
    "sparseIndex": ("u4", "sparseDataDim", [0, 1, 2, 3, 1, 4, 5, 6, 7]),
}  # fmt: skip
DENSE: dict[str, Any] = {
    "name": "image", "attributes": 0, "kind": 1, "dataType": 8, "dimensions": 3, "width": 2, "height": 2, "length": 1,
    "examplesDim": 2, "dataDim": 8, "data": ("u1", "dataDim", [0, 1, 2, 3, 252, 253, 254, 255]),
}  # fmt: skip
ANALOG: dict[str, Any] = {
    **SPARSE_BOOLEAN,
    "attributes": 1,
    "dataType": 4,
    "sparseData": ("f4", "sparseDataDim", np.arange(9) + 0.5),
}
INDEXED: dict[str, Any] = {**SPARSE_BOOLEAN, "attributes": 3 | 64, "uniqueExamplesDim": 3, "examplesDim": 5,
           "sparseStart": ("u4", "uniqueExamplesDim", [0, 3, 6]), "sparseEnd": ("u8", "uniqueExamplesDim", [3, 6, 9]),
           "index": ("u4", "examplesDim", [2, 0, 0, 1, 2])}  # fmt: skip
CLASSES: dict[str, Any] = {**DENSE, "attributes": 2, "dataType": 0, "dataDim": 2, "data": ("u4", "dataDim", [3, 0])}


@pytest.fixture
def movielens() -> Path:
    """The folder of the MovieLens sample; tests that need it are skipped where it is not."""
    if not MOVIELENS.is_dir():
        pytest.skip("the MovieLens sample is not on this machine")
    return MOVIELENS


def netcdf(path: Path, *sets: Mapping[str, Any], datasets: int | None = None) -> Path:
    """Write a file from tables like the ones above: text and numbers are attributes, `...Dim` dimensions, tuples
    (type, dimension, values) variables, None nothing."""
    with netCDF4.Dataset(str(path), "w", format="NETCDF4") as file:
        file.setncattr("datasets", np.uint32(len(sets) if datasets is None else datasets))
        for n, content in enumerate(sets):
            for key, value in sorted(content.items(), key=lambda item: isinstance(item[1], tuple)):
                _write(file, f"{key}{n}", n, value)
    return path


def _write(file: netCDF4.Dataset, name: str, n: int, value: Any) -> None:
    match value:
        case None:
            pass
        case (kind, dimension, values):
            variable = file.createVariable(name, kind, (f"{dimension}{n}",))
            variable[:] = np.asarray(values)
        case int() if "Dim" in name:
            file.createDimension(name, value)
        case int():
            file.setncattr(name, np.uint32(value) if value < 2**32 else np.uint64(value))
        case _:
            file.setncattr(name, value)
