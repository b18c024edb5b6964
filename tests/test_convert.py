"""Text to data files: DSSTNE's own facts, its flags, and the way back to the text."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import DATA, DISK, USAGE, Code, Stop
from nnlang.runtime import dataset, files, indexfile
from nnlang.runtime.convert import Conversion, Request, convert, width_for
from tests.data_fixtures import movielens

__all__ = ["movielens"]

INDICATORS = b"110510\tA:B:C\n121019\tD:B:E\n121017\tF:G:H\n"
ANALOGS = b"u1\ta,123\nu2\tb,234\nu3\tc,345:a,456\n"


def request(folder: Path, text: bytes = INDICATORS, **changes: object) -> Request:
    source = folder / "text"
    source.write_bytes(text)
    made = Request("gl", source, folder / "out.nc", folder / "features", folder / "samples", create=True)
    return replace(made, **changes)  # type: ignore[arg-type]


def arrays(path: Path) -> dict[str, list[float]]:
    with netCDF4.Dataset(str(path)) as file:
        return {name: file[name][:].tolist() for name in file.variables if "Dim" not in name}


def attributes(path: Path) -> dict[str, object]:
    with netCDF4.Dataset(str(path)) as file:
        return {name: file.getncattr(name) for name in file.ncattrs() if not name.startswith("nnlang")}


def notices(done: Conversion) -> list[tuple[Code, object]]:
    return [(n.code, n.facts.get("count")) for n in done.notices]


def test_the_indicators_of_the_userguide(tmp_path: Path) -> None:
    done = convert(request(tmp_path))
    assert arrays(tmp_path / "out.nc") == {
        "sparseStart0": [0, 3, 6],
        "sparseEnd0": [3, 6, 9],
        "sparseIndex0": [0, 1, 2, 3, 1, 4, 5, 6, 7],
        "labels0": list(b"A\nB\nC\nD\nE\nF\nG\nH"),
    }
    assert attributes(tmp_path / "out.nc") == {
        "datasets": 1, "name0": "gl", "attributes0": 3, "kind0": 0, "dataType0": 0, "dimensions0": 1, "width0": 128,
    }  # fmt: skip
    assert (done.samples, done.features, done.entries, done.width, done.largest_feature) == (3, 8, 9, 128, 7)
    assert (tmp_path / "features").read_bytes() == b"A\t0\nB\t1\nC\t2\nD\t3\nE\t4\nF\t5\nG\t6\nH\t7\n"
    assert (tmp_path / "samples").read_bytes() == b"110510\t0\n121019\t1\n121017\t2\n"


def test_the_analogs_of_the_userguide(tmp_path: Path) -> None:
    convert(request(tmp_path, ANALOGS, analog=True))
    found = arrays(tmp_path / "out.nc")
    assert (found["sparseStart0"], found["sparseEnd0"]) == ([0, 1, 2], [1, 2, 4])
    assert found["sparseData0"] == [123, 234, 345, 456]
    of_file = attributes(tmp_path / "out.nc")
    assert (of_file["attributes0"], of_file["dataType0"], of_file["width0"]) == (1, 4, 128)
    with netCDF4.Dataset(str(tmp_path / "out.nc")) as file:
        assert file["sparseData0"].dtype == np.float32
        assert file["sparseIndex0"].dtype == np.uint32


@pytest.mark.parametrize(("features", "width"), [(1, 128), (128, 128), (129, 256), (26744, 26752), (27278, 27392)])
def test_widths(features: int, width: int) -> None:
    assert width_for(features) == width


def test_the_movielens_sample(tmp_path: Path, movielens: Path) -> None:
    index = tmp_path / "features"
    index.write_bytes((movielens / "features_index.txt").read_bytes())
    before = index.read_bytes()
    done = convert(Request("gl_input", movielens / "ratings_1024.txt", tmp_path / "gl.nc", index, tmp_path / "samples"))
    assert (done.samples, done.features, done.entries, done.width) == (1024, 26744, 153511, 26752)
    assert done.notices == ()
    assert index.read_bytes() == before
    data = dataset.read(tmp_path / "gl.nc")[0]
    assert data.start is not None and data.end is not None and data.index is not None
    counts = data.end - data.start
    assert (counts.min(), counts.max(), len(np.unique(data.index))) == (20, 2608, 9734)


@pytest.mark.parametrize("packing", [lambda b: b, gzip.compress])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_packing_and_line_ends_make_no_difference(tmp_path: Path, packing: object, ends: bytes) -> None:
    convert(request(tmp_path))
    wanted = (tmp_path / "out.nc").read_bytes(), (tmp_path / "features").read_bytes()
    (tmp_path / "samples").unlink()
    convert(request(tmp_path, packing(INDICATORS.replace(b"\n", ends))))  # type: ignore[operator]
    assert ((tmp_path / "out.nc").read_bytes(), (tmp_path / "features").read_bytes()) == wanted


def test_new_features_are_dropped_added_or_refused(tmp_path: Path) -> None:
    convert(request(tmp_path))
    more = request(tmp_path, b"110510\tB:X:Y\n121019\tA\n121017\tX\n", create=False)
    done = convert(more)
    assert notices(done) == [(codes.UNKNOWN_FEATURES, 3)]
    assert arrays(tmp_path / "out.nc")["sparseIndex0"] == [1, 0]
    done = convert(replace(more, merge=True))
    assert (done.features, done.notices) == (10, ())
    assert arrays(tmp_path / "out.nc")["sparseIndex0"] == [1, 8, 9, 0, 8]
    done = convert(replace(more, create=True))
    assert done.features == 4


def test_samples_keep_their_numbers(tmp_path: Path) -> None:
    """Row number == sample number, also where the input lacks samples, has new ones or another order."""
    convert(request(tmp_path))
    done = convert(request(tmp_path, b"new\tA\n121017\tB\n", merge=True, create=False))
    assert notices(done) == [(codes.EMPTY_ROWS, 2)]
    found = arrays(tmp_path / "out.nc")
    assert (found["sparseStart0"], found["sparseEnd0"]) == ([0, 0, 0, 1], [0, 0, 1, 2])
    assert found["sparseIndex0"] == [1, 0]
    assert (tmp_path / "samples").read_bytes().endswith(b"121017\t2\nnew\t3\n")


def test_the_last_line_of_a_sample_counts(tmp_path: Path) -> None:
    done = convert(request(tmp_path, b"a\tx:y\nb\tz\na\tw\n"))
    assert notices(done) == [(codes.REPLACED_ROWS, 1)]
    found = arrays(tmp_path / "out.nc")
    assert found.pop("labels0") == list(b"x\ny\nz\nw")
    assert found == {"sparseStart0": [0, 1], "sparseEnd0": [1, 2], "sparseIndex0": [3, 2]}


def test_bad_lines_are_skipped_and_told(tmp_path: Path) -> None:
    text = b"a\tx:y\n" + b"no tab\n" * 9 + b"b\tz:newer\n"
    done = convert(request(tmp_path, text))
    assert (done.samples, done.bad_lines, done.lines) == (2, 9, 2)
    assert [n.code for n in done.notices] == [codes.LINE_SKIPPED] * 5 + [codes.MORE_LINES_SKIPPED]
    assert str(done.notices[0].place).endswith("text:2")
    assert done.notices[5].message == f"more lines skipped: 4, the first at {tmp_path / 'text'}:7"
    (tmp_path / "samples").unlink()
    with pytest.raises(Stop) as stopped:
        convert(request(tmp_path, text, strict=True))
    assert stopped.value.diagnostics[0].code is codes.BAD_LINE
    assert stopped.value.exit_code == DATA


def test_values_are_told_where_they_are_odd(tmp_path: Path) -> None:
    done = convert(request(tmp_path, b"a\tx:y,2,3:z,nan\nb\tx:y,2,3\nc\tx,1\n", analog=True))
    assert [c for c, _ in notices(done)] == [codes.LINE_SKIPPED, codes.BARE_FEATURES, codes.EXTRA_VALUES]
    assert arrays(tmp_path / "out.nc")["sparseData0"] == [0, 2, 1]


def test_small_values_are_left_out(tmp_path: Path) -> None:
    done = convert(request(tmp_path, b"a\tx,1:y,4\nb\tx,5\nc\tz,1\n", least=4.0))
    assert (done.samples, done.entries) == (3, 2)
    assert "sparseData0" not in arrays(tmp_path / "out.nc")


def test_columns_are_grouped_by_user(tmp_path: Path) -> None:
    text = b"u,i,r,t\n1,a,3,1\n2,b,4,2\n1,b,5,3\n2,b,1,1\n1,a,2,4\n"
    done = convert(request(tmp_path, text, columns=("u", "i", "r"), analog=True))
    assert (done.samples, done.features, done.entries) == (2, 2, 3)
    assert notices(done) == [(codes.DUPLICATE_ENTRIES, 2)]
    found = arrays(tmp_path / "out.nc")
    assert (found["sparseStart0"], found["sparseIndex0"], found["sparseData0"]) == ([0, 2], [1, 0, 1], [5, 2, 1])
    (tmp_path / "samples").unlink()
    convert(request(tmp_path, text, columns=("u", "i", "r", "t"), analog=True))
    assert arrays(tmp_path / "out.nc")["sparseData0"] == [5, 2, 4]


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"name": "a/b"}, codes.BAD_NAME, USAGE),
        ({"merge": True}, codes.CREATE_AND_MERGE, USAGE),
        ({"create": False}, codes.NO_INDEX, DATA),
        ({"columns": ("a", "b"), "analog": True}, codes.RATING_NEEDED, USAGE),
        ({"columns": ("a", "b")}, codes.NO_COLUMN, DATA),
        ({"delimiter": "::"}, codes.BAD_DELIMITER, USAGE),
        ({"input": Path("nowhere")}, file_codes.NO_SUCH_FILE, DATA),
        ({"output": Path("nowhere/out.nc")}, file_codes.NO_FOLDER, DISK),
        ({"output": Path("/")}, file_codes.IS_A_FOLDER, DATA),
    ],
)
def test_requests_that_cannot_be_met(tmp_path: Path, changes: dict[str, object], code: Code, exit_code: int) -> None:
    with pytest.raises(Stop) as stopped:
        convert(request(tmp_path, **changes))  # type: ignore[arg-type]
    assert stopped.value.diagnostics[0].code is code
    assert stopped.value.exit_code == exit_code
    assert os.listdir(tmp_path) == ["text"]


@pytest.mark.parametrize(
    ("text", "code"), [(b"bad\n", codes.NO_ROWS), (b"\n", codes.NO_ROWS), (b"a\t\n", codes.NO_ENTRIES)]
)
def test_inputs_without_content(tmp_path: Path, text: bytes, code: Code) -> None:
    with pytest.raises(Stop) as stopped:
        convert(request(tmp_path, text))
    assert stopped.value.diagnostics[0].code is code
    assert os.listdir(tmp_path) == ["text"]


def test_one_file_is_not_two(tmp_path: Path) -> None:
    with pytest.raises(Stop) as stopped:
        convert(request(tmp_path, output=tmp_path / "text"))
    assert stopped.value.diagnostics[0].code is file_codes.SAME_FILE


@pytest.mark.parametrize("fail_at", range(1, 13))
def test_nothing_half_done_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int) -> None:
    """The n-th call that syncs or renames fails: old files stay, or new ones stand whole; nothing else is left."""
    convert(request(tmp_path))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    count = 0

    def counted(call: object) -> object:
        def counting(*arguments: object) -> object:
            nonlocal count
            count += 1
            if count == fail_at:
                raise OSError(errno.ENOSPC, "no space left on device")
            return call(*arguments)  # type: ignore[operator]

        return counting

    for name in ("fsync", "replace", "open"):
        monkeypatch.setattr(files.os, name, counted(getattr(os, name)))
    codes_told = []
    try:
        convert(request(tmp_path, b"new\tX:Y\n"))
    except Stop as stopped:
        codes_told.append(stopped.exit_code)
    monkeypatch.undo()
    assert set(codes_told) <= {DISK}
    assert {p.name for p in tmp_path.iterdir()} == set(before)
    dataset.read(tmp_path / "out.nc")
    indexfile.read(tmp_path / "features")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes there")
@pytest.mark.parametrize("room", [100, 4096, 10_000, 15_000])
def test_a_full_disk_leaves_the_old_files(tmp_path: Path, room: int) -> None:
    """The NetCDF library itself runs out of room; it does not say so, the file that it leaves would lie."""
    convert(request(tmp_path))
    before = (tmp_path / "out.nc").read_bytes()
    text = b"".join(b"u%d\t%s\n" % (u, b":".join(b"%d" % i for i in range(50))) for u in range(200))
    made = request(tmp_path, text)
    program = f"""
import resource, sys
from pathlib import Path, PosixPath
from nnlang.diagnostics import Stop, render
from nnlang.runtime.convert import Request, convert
import netCDF4
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
try:
    convert({made!r})
except Stop as stopped:
    print(render(stopped.diagnostics))
    sys.exit(stopped.exit_code)
"""
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == DISK, done.stderr[-1000:]
    assert str(tmp_path) in done.stdout
    assert (tmp_path / "out.nc").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"text", "out.nc", "features", "samples"}


LABEL = st.text(st.characters(exclude_characters="\t\n\r:,\0", codec="utf-8"), min_size=1, max_size=12)
VALUE = st.floats(width=32, allow_nan=False, allow_infinity=False)
TABLE = st.dictionaries(LABEL, st.dictionaries(LABEL, VALUE, max_size=6), min_size=1, max_size=6).filter(
    lambda t: any(t.values())
)


@settings(max_examples=25, deadline=None)
@given(table=TABLE, analog=st.booleans())
def test_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, dict[str, float]], analog: bool
) -> None:
    folder = tmp_path_factory.mktemp("text")
    lines = [f"{s}\t{':'.join(f'{f},{v!r}' for f, v in points.items())}\n" for s, points in table.items()]
    convert(request(folder, "".join(lines).encode(), analog=analog))
    data = dataset.read(folder / "out.nc")[0]
    features, samples = indexfile.read_labels(folder / "features"), indexfile.read_labels(folder / "samples")
    assert data.start is not None and data.end is not None and data.index is not None
    found = {}
    for sample, start, end in zip(samples, data.start, data.end, strict=True):
        values = [1.0] * int(end - start) if data.values is None else data.values[start:end].tolist()
        found[sample] = {features[i]: v for i, v in zip(data.index[start:end], values, strict=True)}
    wanted = table if analog else {s: dict.fromkeys(points, 1.0) for s, points in table.items()}
    assert found == wanted
