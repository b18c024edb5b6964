"""Data sets: the whole layout of dsstne.md 8.1 is read, every broken invariant is told, no damage does harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import DATA, Code, Stop
from nnlang.runtime import datacheck
from nnlang.runtime.dataset import DataSet, dense_set, read, read_all, sparse_set, write
from nnlang.runtime.files import is_sealed
from tests.data_fixtures import ANALOG, CLASSES, DENSE, INDEXED, SPARSE_BOOLEAN, netcdf


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files here are harmless: no other process looks at them first."""
    monkeypatch.setattr(datacheck, "check", is_sealed)


def rows(data: DataSet) -> list[list[int]]:
    assert data.start is not None and data.end is not None and data.index is not None
    return [data.index[s:e].tolist() for s, e in zip(data.start, data.end, strict=True)]


def one(tmp_path: Path, *sets: dict[str, Any]) -> DataSet:
    return read(netcdf(tmp_path / "data.nc", *sets))[0]


def same(a: DataSet, b: DataSet) -> None:
    assert (a.name, a.facts, a.kind) == (b.name, b.facts, b.kind)
    for field in ("start", "end", "index", "values", "dense", "weight", "row"):
        left, right = getattr(a, field), getattr(b, field)
        assert (left is None) == (right is None), field
        if left is not None:
            assert left.dtype == right.dtype, field
            np.testing.assert_array_equal(left, right)


def test_sparse_boolean(tmp_path: Path) -> None:
    data = one(tmp_path, SPARSE_BOOLEAN)
    assert rows(data) == [[0, 1, 2], [1, 3, 4], [5, 6, 7]]
    facts = data.facts
    assert (facts.examples, facts.width, facts.entries, facts.sparse, facts.boolean) == (3, 128, 9, True, True)
    assert data.values is None and data.index is not None and data.index.dtype == np.int32
    assert data.sha256 and len(data.sha256) == 64


def test_analog_rows_are_sorted_with_their_values(tmp_path: Path) -> None:
    data = one(tmp_path, ANALOG)
    assert data.values is not None
    assert data.values.tolist() == [0.5, 1.5, 2.5, 4.5, 3.5, 5.5, 6.5, 7.5, 8.5]


def test_rows_may_be_empty_scattered_and_overlapping(tmp_path: Path) -> None:
    scattered = {
        **SPARSE_BOOLEAN,
        "sparseStart": ("u4", "examplesDim", [6, 2, 0]),
        "sparseEnd": ("u4", "examplesDim", [9, 2, 7]),
    }
    assert rows(one(tmp_path, scattered)) == [[5, 6, 7], [], [0, 1, 2, 3, 4, 5]]


def test_duplicates_are_merged(tmp_path: Path) -> None:
    data = one(tmp_path, SPARSE_BOOLEAN | {"sparseIndex": ("u4", "sparseDataDim", [2, 1, 2, 3, 1, 4, 5, 5, 5])})
    assert rows(data) == [[1, 2], [1, 3, 4], [5]]
    assert data.facts.entries == 6
    assert [(n.code, n.facts["count"]) for n in data.notices] == [(codes.DUPLICATE_ENTRIES, 3)]


def test_of_analog_duplicates_the_last_value_counts(tmp_path: Path) -> None:
    data = one(tmp_path, ANALOG | {"sparseIndex": ("u4", "sparseDataDim", [2, 1, 2, 3, 1, 4, 5, 5, 5])})
    assert data.values is not None
    assert data.values.tolist() == [1.5, 2.5, 4.5, 3.5, 5.5, 8.5]


def test_indexed_and_weighted(tmp_path: Path) -> None:
    data = one(
        tmp_path, INDEXED | {"attributes": 3 | 64 | 128 | 32, "dataWeight": ("f4", "examplesDim", [1, 2, 3, 4, 5])}
    )
    assert data.row is not None and data.row.tolist() == [2, 0, 0, 1, 2]
    assert data.weight is not None and data.weight.tolist() == [1, 2, 3, 4, 5]
    assert (data.facts.examples, data.facts.unique, data.facts.weighted, data.facts.ignore_zero) == (5, 3, True, True)
    assert len(rows(data)) == 3


def test_dense_image_and_classes(tmp_path: Path) -> None:
    image, classes = read(netcdf(tmp_path / "a.nc", DENSE, CLASSES | {"name": "classes"}))
    assert image.dense is not None and image.dense.dtype == np.uint8 and image.dense.shape == (2, 4)
    assert (image.kind, image.facts.dimensions, image.facts.units) == (1, 3, 4)
    assert classes.dense is not None and classes.dense.tolist() == [3, 0]


@pytest.mark.parametrize(
    ("data_type", "stored", "kind", "values"),
    [(0, "u4", np.int64, [0, 2**32 - 1]), (1, "i4", np.int64, [-1, 2**31 - 1]), (2, "i8", np.int64, [-(2**63), 5]),
     (3, "u8", np.int64, [0, 2**63 - 1]), (4, "f4", np.float32, [0.5, -1]), (5, "f8", np.float64, [1e300, -0.1]),
     (6, "u1", np.uint8, [0, 255]), (7, "u2", np.int64, [0, 65535]), (8, "u1", np.uint8, [0, 255]),
     (9, "i1", np.int8, [-128, 127]), (4, "f8", np.float32, [0.5, -1]), (1, "f4", np.int64, [3.0, -4.0])],
)  # fmt: skip
def test_every_element_type(tmp_path: Path, data_type: int, stored: str, kind: type, values: list[float]) -> None:
    content = DENSE | {
        "attributes": 0,
        "dataType": data_type,
        "dimensions": 1,
        "width": 1,
        "dataDim": 2,
        "data": (stored, "dataDim", values),
    }
    data = one(tmp_path, content)
    assert data.dense is not None and data.dense.dtype == kind
    assert data.dense.ravel().tolist() == values


@pytest.mark.parametrize(("data_type", "stored", "scale"), [(8, "u1", 256), (6, "u1", 256), (9, "i1", 128)])
def test_sparse_bytes_are_scaled(tmp_path: Path, data_type: int, stored: str, scale: int) -> None:
    content = ANALOG | {"dataType": data_type, "sparseData": (stored, "sparseDataDim", [0, 1, 2, 3, 4, 5, 64, 65, 127])}
    data = one(tmp_path, content)
    assert data.values is not None and data.values.dtype == np.float32
    assert sorted(data.values * scale) == [0, 1, 2, 3, 4, 5, 64, 65, 127]


def test_unlimited_dimensions_are_as_long_as_what_uses_them(tmp_path: Path) -> None:
    data = one(tmp_path, SPARSE_BOOLEAN | {"examplesDim": 0})
    assert data.facts.examples == 3


def entries(kind: str, *values: float) -> tuple[str, str, list[float]]:
    """A variable over the entries: these values, then zeros."""
    return kind, "sparseDataDim", [*values, *[0] * (9 - len(values))]


def examples(kind: str, *values: float) -> tuple[str, str, np.ndarray]:
    """A variable over the examples."""
    return kind, "examplesDim", np.array(values, kind)


OF_FLOATS = {"attributes": 1, "dataType": 4}
REQUIRED = [key for key in SPARSE_BOOLEAN if key not in ("kind", "examplesDim", "sparseDataDim")]
BROKEN: dict[str, tuple[dict[str, Any], Code]] = {
    **{f"no {key}": ({key: None}, codes.MISSING_PART) for key in REQUIRED},
    "other name": ({"name": "../x"}, codes.BAD_VALUE),
    "a type that is not": ({"dataType": 10}, codes.BAD_VALUE),
    "no axis": ({"dimensions": 0}, codes.BAD_VALUE),
    "four axes": ({"dimensions": 4}, codes.BAD_VALUE),
    "no width": ({"width": 0}, codes.BAD_VALUE),
    "a width of 2**31": ({"width": 2**31}, codes.BAD_VALUE),
    "too many units": ({"dimensions": 3, "width": 2**20, "height": 2**20, "length": 2}, codes.BAD_VALUE),
    "width is text": ({"width": "128"}, codes.BAD_VALUE),
    "width is a fraction": ({"width": 128.0}, codes.BAD_VALUE),
    "width is a list": ({"width": np.array([128, 128], "u4")}, codes.BAD_VALUE),
    "the name is a number": ({"name": 7}, codes.BAD_VALUE),
    "starts after the end": ({"sparseStart": examples("u4", 0, 7, 6)}, codes.BAD_ROWS),
    "ends outside": ({"sparseEnd": examples("u4", 3, 6, 10)}, codes.BAD_ROWS),
    "ends far outside": ({"sparseEnd": examples("u8", 3, 6, 2**64 - 1)}, codes.BAD_ROWS),
    "starts below 0": ({"sparseStart": examples("i8", -1, 3, 6)}, codes.BAD_ROWS),
    "starts at fractions": ({"sparseStart": examples("f4", 0, 3, 6)}, codes.BAD_VALUE),
    "other length": ({"sparseStart": entries("u4")}, codes.BAD_VALUE),
    "a unit outside": ({"sparseIndex": entries("u4", 0, 1, 128)}, codes.BAD_ROWS),
    "text for numbers": ({"sparseIndex": ("S1", "sparseDataDim", list("abcdefghi"))}, codes.BAD_VALUE),
    "no values": ({"attributes": 1}, codes.MISSING_PART),
    "not finite": (OF_FLOATS | {"sparseData": entries("f4", 0, np.nan, np.inf)}, codes.NOT_FINITE),
    "too large for float": (OF_FLOATS | {"sparseData": entries("f8", 1e300)}, codes.NOT_FINITE),
    "a fraction": (OF_FLOATS | {"dataType": 1, "sparseData": entries("f4", 0.5)}, codes.BAD_ROWS),
    "too large for a byte": (OF_FLOATS | {"dataType": 8, "sparseData": entries("i4", 256)}, codes.BAD_ROWS),
    "no weights": ({"attributes": 3 | 128}, codes.MISSING_PART),
    "infinite weights": ({"attributes": 3 | 128, "dataWeight": examples("f4", 1, np.inf, 1)}, codes.NOT_FINITE),
    "no index": ({"attributes": 3 | 64}, codes.MISSING_PART),
    "a row outside": ({"attributes": 3 | 64, "index": examples("u4", 0, 1, 3)}, codes.BAD_ROWS),
    "other distinct rows": ({"uniqueExamplesDim": 2}, codes.BAD_VALUE),
    "no entry": ({"sparseDataDim": 0, "sparseIndex": None}, codes.BAD_VALUE),
    "no example": ({"examplesDim": 0, "sparseStart": None, "sparseEnd": None}, codes.BAD_VALUE),
}


@pytest.mark.parametrize("case", BROKEN)
def test_every_broken_invariant_is_told(tmp_path: Path, case: str) -> None:
    change, code = BROKEN[case]
    with pytest.raises(Stop) as stopped:
        one(tmp_path, SPARSE_BOOLEAN | change)
    found = stopped.value.diagnostics[0]
    assert found.code is code, found.message
    assert stopped.value.exit_code == DATA
    assert found.message and found.remedy and found.place is not None


DENSE_BROKEN: dict[str, dict[str, Any]] = {
    "too short": {"dataDim": 7, "data": ("u1", "dataDim", [0] * 7)},
    "a class outside": {"attributes": 2, "dataType": 0, "dataDim": 2, "data": ("u4", "dataDim", [4, 0])},
    "classes of another length": {"attributes": 2, "dataType": 0, "dataDim": 8, "data": ("u4", "dataDim", [0] * 8)},
}


@pytest.mark.parametrize("case", DENSE_BROKEN)
def test_broken_dense_sets(tmp_path: Path, case: str) -> None:
    with pytest.raises(Stop) as stopped:
        one(tmp_path, DENSE | DENSE_BROKEN[case])
    assert stopped.value.diagnostics[0].code in (codes.BAD_VALUE, codes.BAD_ROWS)


def test_counts_and_names_of_sets(tmp_path: Path) -> None:
    for count, content, code in (
        (1025, [SPARSE_BOOLEAN], codes.TOO_MANY_SETS),
        (2, [SPARSE_BOOLEAN], codes.MISSING_PART),
        (0, [], codes.BAD_VALUE),
        (2, [SPARSE_BOOLEAN, SPARSE_BOOLEAN], codes.DUPLICATE_SET),
    ):
        with pytest.raises(Stop) as stopped:
            read(netcdf(tmp_path / "a.nc", *content, datasets=count))
        assert stopped.value.diagnostics[0].code is code
    path = netcdf(tmp_path / "b.nc", SPARSE_BOOLEAN, DENSE)
    assert list(read_all([path, path])) == ["text", "image"]
    with pytest.raises(Stop) as stopped:
        read_all([path, netcdf(tmp_path / "c.nc", SPARSE_BOOLEAN)])
    assert stopped.value.diagnostics[0].code is codes.DUPLICATE_SET


def test_memory_is_asked_for_before_it_is_taken(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "a.nc", SPARSE_BOOLEAN)
    assert read(path, memory=1000)
    with pytest.raises(Stop) as stopped:
        read(path, memory=100)
    assert stopped.value.diagnostics[0].code is codes.TOO_LARGE
    bomb = tmp_path / "bomb.nc"
    with netCDF4.Dataset(str(bomb), "w") as file:
        for key, value in {"datasets": 1, "attributes0": 0, "dataType0": 8, "dimensions0": 1, "width0": 2**30}.items():
            file.setncattr(key, np.uint32(value))
        file.setncattr("name0", "bomb")
        file.createDimension("examplesDim0", 2**20)
        file.createDimension("dataDim0", 2**50)
        file.createVariable("data0", "u1", ("dataDim0",), compression="zlib", chunksizes=(2**20,))
    with pytest.raises(Stop) as stopped:
        read(bomb, memory=1 << 30)
    assert stopped.value.diagnostics[0].code is codes.TOO_LARGE


def test_what_is_no_netcdf4_file(tmp_path: Path) -> None:
    classic = tmp_path / "classic.nc"
    netCDF4.Dataset(str(classic), "w", format="NETCDF3_64BIT_DATA").close()
    text, empty = tmp_path / "text.nc", tmp_path / "empty.nc"
    text.write_text("u\ta:b\n")
    empty.touch()
    for path, code in (
        (classic, codes.NOT_NETCDF4),
        (text, codes.NOT_NETCDF4),
        (empty, file_codes.EMPTY_FILE),
        (tmp_path, file_codes.IS_A_FOLDER),
        (tmp_path / "none", file_codes.NO_SUCH_FILE),
        ("http://localhost:1/a.nc", file_codes.NOT_A_FILE),
        ("/dev/null", file_codes.NOT_A_FILE),
    ):
        with pytest.raises(Stop) as stopped:
            read(path)
        assert stopped.value.diagnostics[0].code is code


@st.composite
def data_sets(draw: st.DrawFn) -> DataSet:
    width = draw(st.integers(1, 40))
    rows = draw(st.lists(st.sets(st.integers(0, width - 1)), min_size=1, max_size=6).filter(any))
    examples = len(rows)
    row = draw(st.none() | st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    examples = len(rows) if row is None else len(row)
    number = st.floats(width=32, allow_nan=False, allow_infinity=False)
    weight = draw(st.none() | st.lists(number, min_size=examples, max_size=examples))
    form = draw(st.sampled_from(["boolean", "analog", "dense", "classes"]))
    name = draw(st.sampled_from(["a", "gl_input", "with space"]))
    if form == "dense":
        kind = draw(st.sampled_from(["u1", "i1", "i8", "f4", "f8"]))
        array = np.arange(len(rows) * width).reshape(len(rows), width).astype(kind)
        return dense_set(name, array, weight=weight, row=row)
    if form == "classes":
        return dense_set(name, [len(r) % width for r in rows], width=width, classes=True, weight=weight, row=row)
    offsets = np.concatenate(([0], np.cumsum([len(r) for r in rows])))
    index = np.concatenate([draw(st.permutations(sorted(r))) for r in rows])
    values = draw(st.lists(number, min_size=len(index), max_size=len(index))) if form == "analog" else None
    return sparse_set(
        name, offsets, index, values, width=width, weight=weight, row=row, ignore_zero=draw(st.booleans())
    )


@settings(max_examples=30, deadline=None)
@given(data=data_sets())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: DataSet) -> None:
    folder = tmp_path_factory.mktemp("data")
    write(folder / "a.nc", [data])
    write(folder / "b.nc", [data])
    assert (folder / "a.nc").read_bytes() == (folder / "b.nc").read_bytes()
    found = read(folder / "a.nc")[0]
    same(found, data)
    assert found.sha256 == data.sha256
    assert (found.start is None) or all(r == sorted(set(r)) for r in rows(found))


def test_our_files_have_dsstnes_layout(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    write(path, [sparse_set("a", [0, 2, 2], [1, 5], width=128), dense_set("b", np.ones((2, 3), np.float32))])
    with netCDF4.Dataset(str(path)) as file:
        assert file.disk_format == "HDF5"
        assert file.getncattr("datasets").dtype == np.uint32
        assert (file.getncattr("name0"), file.getncattr("attributes0"), file.getncattr("dataType1")) == ("a", 3, 4)
        assert file["sparseStart0"].dtype == np.uint32
        assert file["sparseEnd0"][:].tolist() == [2, 2]
        assert file["sparseIndex0"].dimensions == ("sparseDataDim0",)
        assert file["data1"][:].tolist() == [1.0] * 6


def test_mistakes_in_memory_are_ours() -> None:
    with pytest.raises(ValueError, match="sparseIndex"):
        sparse_set("a", [0, 1], [5], width=5)
    with pytest.raises(ValueError, match="dataWeight"):
        dense_set("a", [[1.0]], weight=[1, 2])
