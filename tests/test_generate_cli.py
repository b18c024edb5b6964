"""`nnlang generate` and `nnlang data` as people type them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from nnlang.cli import data, generate
from nnlang.codes import data as codes
from nnlang.diagnostics import Stop

ROOT = Path(__file__).resolve().parents[1]

APP = typer.Typer()
APP.command("generate")(generate.generate)
APP.add_typer(data.app, name="data")


def run(folder: Path, *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(APP, arguments)


def dsstne(*more: str) -> tuple[str, ...]:
    return ("generate", "-d", "gl_input", "-i", "text", "-o", "gl.nc", "-f", "features", "-s", "samples", *more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text").write_text("u1\ta:b:c\nu2\tb\nno tab\n")
    (tmp_path / "table.csv").write_text("user,item,rating\nu1,a,5\nu2,b,1\nu1,b,4\n")
    return tmp_path


def test_dsstnes_flags_make_dsstnes_files(folder: Path) -> None:
    done = run(folder, *dsstne("-c"))
    assert done.exit_code == 0
    assert (folder / "features").read_text() == "a\t0\nb\t1\nc\t2\n"
    assert (folder / "samples").read_text() == "u1\t0\nu2\t1\n"
    assert "warning[NN461]" in done.stderr
    assert "text:3" in done.stderr
    for words in ("samples", "width", "128", "wrote gl.nc", "next: nnlang data describe gl.nc"):
        assert words in done.stdout


def test_long_flags_and_json(folder: Path) -> None:
    done = run(
        folder, "generate", "--dataset", "x", "--input", "table.csv", "--output", "x.nc", "--features", "f",
        "--samples", "s", "--create", "--columns", "user, item, rating", "--type", "analog", "--min-value", "2",
        "--json",
    )  # fmt: skip
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["samples"], found["features"], found["entries"], found["width"]) == (1, 2, 2, 128)
    assert (found["type"], found["written"]) == ("analog", ["x.nc", "f", "s"])


def test_a_second_run_needs_no_c_and_writes_the_same(folder: Path) -> None:
    run(folder, *dsstne("-c"))
    before = (folder / "gl.nc").read_bytes()
    assert run(folder, *dsstne()).exit_code == 0
    assert (folder / "gl.nc").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("-c", "-m"), codes.CREATE_AND_MERGE),
        (("-c", "-t", "other"), codes.BAD_TYPE),
        (("-c", "--strict"), codes.BAD_LINE),
        ((), codes.NO_INDEX),
        (("-c", "--columns", "user"), codes.BAD_COLUMNS),
    ],
)
def test_mistakes_are_told(folder: Path, more: tuple[str, ...], code: object) -> None:
    done = run(folder, *dsstne(*more))
    assert isinstance(done.exception, Stop)
    assert done.exception.diagnostics[0].code is code


def test_describe(folder: Path) -> None:
    run(folder, *dsstne("-c"))
    text = run(folder, "data", "describe", "gl.nc").stdout
    for words in ("gl_input", "sparse boolean", "entries", "per row", "columns used"):
        assert words in text
    found = json.loads(run(folder, "data", "describe", "gl.nc", "--json").stdout)
    assert found["facts"]["entries"] == 4
    assert found["spread"]["row"] == [1, 1, 1, 3, 3, 3, 2.0, 0]


def test_data_get_from_a_file(folder: Path) -> None:
    with zipfile.ZipFile(folder / "ml-20m.zip", "w") as archive:
        archive.writestr("ml-20m/ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,4\n")
    done = run(folder, "data", "get", "ml-20m", "--from", "ml-20m.zip")
    assert done.exit_code == 0
    assert (folder / "ml-20m" / "ratings.csv").read_text().endswith("1,2,3,4\n")
    assert "Read the terms" in done.stdout
    assert "--columns userId,movieId,rating" in done.stdout


def test_converting_needs_no_torch() -> None:
    program = "import sys, nnlang.runtime.convert, nnlang.cli.generate, nnlang.cli.data; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"
