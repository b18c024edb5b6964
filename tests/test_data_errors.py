"""Every diagnostic on data and files, whole: tests/data_errors/<code>.err is what people read.

Each case provokes its code in an empty folder; `--bless` writes the texts anew.
"""

from __future__ import annotations

import errno
import gzip
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest

from nnlang.cli.generate import generate
from nnlang.codes import data as data_codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Code, Diagnostic, Report, Stop, render
from nnlang.runtime import blocks, dataset, download, files, indexfile
from nnlang.runtime.convert import Request, convert
from nnlang.runtime.describe import describe_ratings
from nnlang.runtime.files import atomic_text, atomic_write, existing_file
from nnlang.runtime.interactions import read_interactions
from nnlang.runtime.metrics import Rows
from nnlang.runtime.predict import judge_filter
from nnlang.runtime.protocols import protocol_of, split
from nnlang.runtime.session import prepare
from nnlang.runtime.signals import Signals
from nnlang.runtime.splitfiles import read_split, write_split
from tests.conftest import Golden
from tests.data_fixtures import SPARSE_BOOLEAN, netcdf

GOLDEN = Path(__file__).parent / "data_errors"
REQUEST = Request("gl", Path("text"), Path("gl.nc"), Path("features"), Path("samples"), create=True)
NOWHERE = download.Collection(
    "ml", "http://127.0.0.1:9/ml.zip", "http://127.0.0.1:9/ml.zip.md5", "ml/ratings.csv", "", ""
)

Case = Callable[[], object]
CODES = [row for family in (data_codes, file_codes) for row in vars(family).values() if isinstance(row, Code)]


def broken(**changes: Any) -> Case:
    """Reads a data file that differs so from a good one."""
    return lambda: dataset.read(netcdf(Path("data.nc"), SPARSE_BOOLEAN | changes))


def text(content: bytes, **changes: Any) -> Case:
    """Converts a text."""

    def case() -> object:
        Path("text").write_bytes(content)
        return convert(replace(REQUEST, **changes)).notices

    return case


def again(content: bytes, **changes: Any) -> Case:
    """Converts a second text with the index files of a first one."""

    def case() -> object:
        text(b"u1\ta:b\nu2\tc\n")()
        return text(content, **({"create": False} | changes))()

    return case


def file(content: bytes, act: Callable[[str], object]) -> Case:
    """Does something with a file of such content."""

    def case() -> object:
        Path("file").write_bytes(content)
        return act("file")

    return case


def failing(number: int) -> Case:
    """Writes where the operating system says no."""

    def write(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    return lambda: atomic_write("out", write)


def linked() -> object:
    with h5py.File(netcdf(Path("data.nc"), SPARSE_BOOLEAN), "r+") as content:
        del content["sparseIndex0"]
        content["sparseIndex0"] = h5py.ExternalLink("/etc/passwd", "x")
    return dataset.read("data.nc")


def never_written() -> object:
    netcdf(Path("data.nc"), SPARSE_BOOLEAN | {"sparseIndex": None})
    with netCDF4.Dataset("data.nc", "a") as content:
        content.set_fill_off()
        content.createVariable("sparseIndex0", "u4", ("sparseDataDim0",))
    return dataset.read("data.nc")


def long_line() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "LINE_LIMIT", 1 << 20)
        return text(b"x" * (5 << 20))()


def empty_folder() -> object:
    Path("text").mkdir()
    return convert(REQUEST)


def twice() -> object:
    return dataset.read_all([netcdf(Path("a.nc"), SPARSE_BOOLEAN), netcdf(Path("b.nc"), SPARSE_BOOLEAN)])


def wrong_type() -> object:
    return generate("gl", Path("text"), Path("o"), Path("f"), Path("s"), kind="binary")


def wrong_checksum() -> object:
    Path("ml.zip.part").write_bytes(b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_complete", lambda *arguments: None)
        download._fetch(NOWHERE, Path("ml.zip"), "0" * 32, lambda done, total: None)
    return None


def idle_filter() -> object:
    report = Report()
    judge_filter("filter", Signals((), Rows(np.zeros(1, np.int64), np.empty(0, np.int64))), report)
    return tuple(report.diagnostics)


def model_for_data() -> object:
    with h5py.File("gl.nc", "w") as content:
        content.attrs["layers"] = np.uint32(3)
    return dataset.read("gl.nc")


def preparing(step: str) -> Case:
    """Begins a training whose input, 3 examples of 4 features, goes through a step; its targets are numbers."""

    def case() -> object:
        rows = dataset.sparse_set("in", [0, 3, 4, 5], [0, 1, 2, 0, 3], [1.0, 2.0, 3.0, 5.0, 4.0], width=4)
        dataset.write("data.nc", [rows, dataset.dense_set("out", np.arange(6, dtype=np.float32).reshape(3, 2))])
        layers = '[ { "N": "auto", "DataSet": "in" }, { "N": "auto", "DataSet": "out" } ]'
        Path("c.json").write_text(f'{{ "Preparation": {{ "Step": {step} }}, "Layers": {layers} }}')
        return prepare(Path("c.json"), [Path("data.nc")], {}).findings

    return case


def divided(content: bytes, columns: tuple[str, ...] = (), **record: object) -> Case:
    """Splits a text, or a table with such columns, by a protocol, and writes the parts."""

    def case() -> object:
        Path("text").write_bytes(content)
        data = read_interactions("text", columns=columns)
        return write_split(split(data, protocol_of(record)), data, "parts")

    return case


def changed_split() -> object:
    divided(b"u1\ta:b:c:d\n")()
    Path("parts/test_held").write_bytes(b"u1\ta\n")
    return read_split("parts")


def odd_values() -> object:
    Path("text").write_bytes(b"u1\ta,1112486027:b,1112484676\nu2\ta,1112484819:c,1094785740\n")
    found, _ = describe_ratings("text", second="value")
    return tuple(one.diagnostic("text") for one in found.suspicions)


TABLE = b"user,item,rating\nu1,a,5\n"
CASES: dict[str, Case] = {
    "NN450": file(b"CDF\x05" + bytes(100), dataset.read),
    "NN451": never_written,
    "NN452": broken(sparseStart=None),
    "NN453": linked,
    "NN454": broken(width=0),
    "NN455": broken(sparseIndex=("u4", "sparseDataDim", [0, 1, 2, 3, 1, 128, 5, 6, 7])),
    "NN456": broken(attributes=1, dataType=4, sparseData=("f4", "sparseDataDim", [0, np.nan] + [1] * 7)),
    "NN457": twice,
    "NN458": lambda: dataset.read(netcdf(Path("data.nc"), SPARSE_BOOLEAN), memory=100),
    "NN459": lambda: dataset.read(netcdf(Path("data.nc"), SPARSE_BOOLEAN, datasets=5000)),
    "NN460": text(b"u1\ta\nu2 b\n", strict=True),
    "NN461": text(b"u1\ta\nu2 b\nu3\ta\tb\n\tc\nu\0\tx\n"),
    "NN462": text(b"u1\ta\n" + b"u2 b\n" * 8),
    "NN463": text(b"u1,a\n"),
    "NN464": again(b"u1\tx:y\n"),
    "NN465": long_line,
    "NN466": empty_folder,
    "NN467": again(b"u1\ta:x:y\nu2\tc\n"),
    "NN468": text(b"u1\ta\nu1\tb\n"),
    "NN469": text(b"u1\ta,2:b\n", analog=True),
    "NN470": text(b"u1\ta,2,3\n", analog=True),
    "NN471": again(b"u1\ta\n"),
    "NN472": text(TABLE + b"u1,a,4\n", columns=("user", "item", "rating"), analog=True),
    "NN473": file(b"\x89HDF\r\n\x1a\n", lambda path: atomic_text(path, ["recs"])),
    "NN474": text(b"\x89HDF\r\n\x1a\n"),
    "NN475": file(b"a\t0\na\t1\n", indexfile.read),
    "NN476": text(b"u1\ta\n", create=False),
    "NN477": idle_filter,
    "NN478": model_for_data,
    "NN480": text(TABLE, columns=("user", "film")),
    "NN481": text(TABLE, columns=("user",)),
    "NN482": text(TABLE, columns=("user", "item"), analog=True),
    "NN483": text(b"u1\ta\n", name="gl/input"),
    "NN484": wrong_type,
    "NN485": text(b"u1\ta\n", merge=True),
    "NN486": text(TABLE, columns=("user", "item"), delimiter="::"),
    "NN487": preparing('"Threshold", "Least": 9'),
    "NN488": preparing('"TopInformation", "N": 2'),
    "NN489": preparing('"KCore", "Users": 2, "Items": 1'),
    "NN490": lambda: download.get(NOWHERE, Path("ml")),
    "NN491": wrong_checksum,
    "NN492": file(b"a,b\n", lambda path: download.take(Path(path), NOWHERE, Path("ml"))),
    "NN493": lambda: download.collection("ml-1b"),
    "NN494": divided(b"u1\ta:b\n", protocol="last"),
    "NN495": divided(b"u1\ta:b\n", Protocol="KFold", Folds=5, Fold=5),
    "NN496": divided(b"u1\ta\nu2\tb\n", protocol="holdout"),
    "NN497": changed_split,
    "NN498": divided(b"u,i\n1,Alien: 3\n1,b\n1,c\n", ("u", "i"), protocol="holdout"),
    "NN499": odd_values,
    "NN710": lambda: existing_file("nowhere.nc"),
    "NN711": lambda: existing_file("."),
    "NN712": text(gzip.compress(b"u1\ta\n" * 100)[:-8]),
    "NN713": file(b"", existing_file),
    "NN714": lambda: existing_file("https://example.org/gl.nc"),
    "NN715": text(b"u1\ta\n", output=Path("out/gl.nc")),
    "NN716": failing(errno.EROFS),
    "NN717": failing(errno.ENOSPC),
    "NN718": text(b"u1\ta\n", output=Path("text")),
    "NN719": failing(errno.EIO),
}  # fmt: skip


def found(case: Case) -> tuple[Diagnostic, ...]:
    try:
        told = case()
    except Stop as stopped:
        return stopped.diagnostics
    assert isinstance(told, tuple)
    return told


@pytest.mark.parametrize("code", CASES)
def test_findings_read_as_blessed(code: str, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "_free", lambda folder: 2_000_000_000)
    told = found(CASES[code])
    assert code in {d.code.code for d in told}
    assert all(d.remedy for d in told if d.code.severity == "error")
    shown = re.sub(r"reached: .*", "reached: REASON", render(told))
    golden(GOLDEN / f"{code}.err", shown + "\n")


def test_every_code_has_a_case() -> None:
    assert {row.code for row in CODES} == set(CASES) == {path.stem for path in GOLDEN.glob("*.err")}
