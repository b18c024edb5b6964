"""`nnlang data split` and `describe` as people type them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.diagnostics import DATA, DISK, OK, USAGE
from nnlang.runtime.splitfiles import read_split

ROOT = Path(__file__).resolve().parents[1]
T = 1_400_000_000
DAY = 86_400


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with ratings as a text with times and as a table."""
    rows = [(u, f"m{(u * 5 + 3 * i) % 17}", i % 5 + 1, T + (u + 4 * i) * DAY) for u in range(30) for i in range(8)]
    text = (f"u{u}\t" + ":".join(f"{m},{t}" for v, m, _, t in rows if v == u) + "\n" for u in range(30))
    (tmp_path / "ratings").write_text("".join(text))
    (tmp_path / "ratings.csv").write_text(
        "user,item,rating,time\n" + "".join(f"{u},{m},{r},{t}\n" for u, m, r, t in rows)
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], line: str, code: int = OK) -> tuple[str, str]:
    """What a command line prints to standard output and to standard error."""
    capsys.readouterr()
    assert run_command(shlex.split(line)) == code, capsys.readouterr().err
    shown = capsys.readouterr()
    return shown.out, shown.err


TABLE = "ratings.csv --columns user,item,rating,time"
LINES = {
    "holdout": "ratings",
    "strong": f"{TABLE} --min-value 2 --users 5 --validation 5 --min-items 3",
    "last": "ratings",
    "windows": f"{TABLE} --windows 4 --window 3.5 --fold 3",
    "kfold": "ratings --folds 4 --fold 1 --by users --fraction 0.5 --seed 3",
}


@pytest.mark.parametrize("name", LINES)
def test_each_protocol_writes_a_split(capsys: pytest.CaptureFixture[str], name: str) -> None:
    out, err = told(capsys, f"data split {LINES[name]} -o out/{name} --protocol {name}")
    files = read_split(f"out/{name}")
    assert files.about["protocol"]["protocol"] == name
    assert files.validation is not None
    for text, counts in files.about["counts"].items():
        assert re.search(rf"{text} +{counts['users']} +{counts['items']} +{counts['entries']}", out)
    assert f"nnlang evaluate -n gl.nc --split out/{name}" in out
    assert f"--validate out/{name}" in out
    assert err == ""


def test_the_examples_of_the_help_run(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = told(capsys, "data split --help")
    lines = [line.strip() for line in out.replace("\\\n", "").splitlines()]
    examples = [line for line in lines if line.startswith("nnlang data split")]
    assert len(examples) == 5
    Path("ratings.txt").write_bytes(Path("ratings").read_bytes())
    table = Path("ratings.csv").read_text().replace("user,item,rating,time", "userId,movieId,rating,timestamp")
    Path("ratings.csv").write_text(table)
    for number, example in enumerate(examples):
        fitting = (
            example.replace("10000", "3").replace("--min-value 4", "--min-value 2").replace("--window 30", "--window 3")
        )
        told(capsys, fitting.removeprefix("nnlang ").replace("-o split", f"-o split{number}"))


def test_what_is_said_next_runs(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = told(capsys, f"data split {TABLE} --second value --validation 0 -o split")
    lines = [line.removeprefix("next:").strip() for line in out.splitlines() if "nnlang generate" in line]
    assert [("-t analog" in line, line.endswith("-c")) for line in lines] == [(True, True), (True, False)]
    for line in lines:
        told(capsys, line.removeprefix("nnlang "))
    assert "--validate" not in out
    out, _ = told(capsys, "data describe gl_input.nc")
    assert "sparse analog" in out


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = told(capsys, "data split ratings -o split --protocol kfold --fold 2 --json")
    found = json.loads(out)
    about = read_split("split").about
    assert (found["event"], found["folder"], found["protocol"], found["fold"]) == ("split", "split", "kfold", 2)
    assert [found[name] for name in ("counts", "left_out", "facts", "sources")] == [
        about[name] for name in ("counts", "left_out", "facts", "sources")
    ]


def test_the_same_command_gives_the_same_bytes(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for name in ("one", "two"):
        told(capsys, f"data split ratings -o {name} --seed 5")
    told(capsys, "data split ratings -o two --seed 5 --overwrite")
    found = [{path.name: path.read_bytes() for path in (folder / name).iterdir()} for name in ("one", "two")]
    assert found[0] == found[1]


def test_times_are_read_where_they_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "data split ratings -o split --protocol last")
    assert "," not in Path("split/train").read_text()
    Path("log.csv").write_text("".join(f"{u};{i};{T + i}\n" for u in range(5) for i in range(5)))
    _, err = told(capsys, "data split log.csv --columns 1,2,3 -o log --protocol last", DATA)
    assert "error[NN494]" in err
    assert "--second time" in err
    told(capsys, "data split log.csv --columns 1,2,3 --second time -o log --protocol last")
    assert set(Path("log/test_held").read_text().split("\n")) == {f"{u}\t4" for u in range(5)} | {""}


REFUSED = {
    "no such protocol": ("ratings -o s --protocol hold", "NN495", USAGE, "holdout, strong"),
    "a fold too many": ("ratings -o s --protocol kfold --fold 5", "NN495", USAGE, "`fold` of protocol kfold"),
    "a number of another": ("ratings -o s --windows 5", "NN495", USAGE, "this protocol takes fraction"),
    "no number": ("ratings -o s --fraction much", "NN703", USAGE, "it takes a number"),
    "a folder in use": ("ratings -o .", "NN708", USAGE, "--overwrite"),
    "a file for a folder": ("ratings -o ratings", "NN716", DISK, "`ratings` cannot be written"),
    "no ratings": ("nowhere -o s", "NN710", DATA, "nowhere"),
    "a table without columns": ("ratings.csv -o s", "NN463", DATA, "--columns user,item,rating,time"),
    "no such column": ("ratings.csv --columns user,film -o s", "NN480", DATA, "film"),
    "a kind that is none": ("ratings -o s --second rating", "NN703", USAGE, "it takes none, value or time"),
    "no ratings to compare": ("ratings.csv --columns user,item --min-value 3 -o s", "NN482", USAGE, "user,item,rating"),
    "no times": ("ratings.csv --columns user,item -o s --protocol windows", "NN494", DATA, "--columns"),
    "nobody left": ("ratings -o s --protocol strong --users 30", "NN496", DATA, "--users, --validation"),
    "no output": ("ratings", "NN702", USAGE, "--output"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_told_and_leaves_nothing(capsys: pytest.CaptureFixture[str], folder: Path, case: str) -> None:
    line, code, left, said = REFUSED[case]
    before = sorted(folder.rglob("*"))
    _, err = told(capsys, f"data split {line}", left)
    assert f"error[{code}]" in err
    assert said in err
    assert "  = help: " in err
    assert sorted(folder.rglob("*")) == before


def test_bad_lines_are_told_and_strictly_refused(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    with (folder / "ratings").open("a") as stream:
        stream.write("no tab\nu0\tm1\n")
    _, err = told(capsys, "data split ratings -o split")
    assert "warning[NN461]" in err
    assert "warning[NN468]" in err
    _, err = told(capsys, "data split ratings -o strict --strict", DATA)
    assert "ratings:31" in err


def test_a_split_is_not_read_as_ratings(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "data split ratings -o split")
    for line in ("data split split -o again", "generate -d gl_input -i split -o gl.nc -f f -s s -c"):
        _, err = told(capsys, line, DATA)
        assert "error[NN474]: `split` is a split" in err
        assert "split/train" in err
    _, err = told(capsys, "data split ratings -o split/train", DISK)
    assert "a file has its name" in err


def test_what_min_value_leaves_out_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split(",") for line in Path("ratings.csv").read_text().splitlines()[1:]]
    below = sum(float(row[2]) < 3 for row in rows)
    Path("values").write_text("".join(f"{u}\t{':'.join(f'{r[1]},{r[2]}' for r in rows if r[0] == u)}\n" for u in "012"))
    few = sum(float(row[2]) < 3 for row in rows if row[0] in set("012"))
    for line, count in ((TABLE, below), ("values", few)):
        out, _ = told(capsys, f"data split {line} --min-value 3 -o split --overwrite")
        assert f"left out first, by --min-value 3: {count} entries" in out
        reading = read_split("split").about["reading"]
        assert (reading["min-value"], reading["entries_below_min_value"]) == (3, count)
        assert f"by --min-value 3: {count} entries" in told(capsys, "data describe split")[0]
    assert reading["second"] == "none"


def test_a_part_of_few_users_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("many").write_text("".join(f"{u}\ta:b:c:d:e\n" for u in range(100)))
    _, err = told(capsys, "data split many --protocol strong --users 3 --validation 40 -o split")
    assert err.count("warning[NN499]") == 1
    assert "users judged by the test part: 3 of 100" in err


def test_a_file_that_is_no_text_gets_no_advice_about_columns(capsys: pytest.CaptureFixture[str]) -> None:
    Path("binary").write_bytes(bytes(range(128, 256)) + b",\x01\x02,,\xff\n" * 9)
    _, err = told(capsys, "data split binary -o split", DATA)
    assert "--columns user,item,rating`" in err
    assert "it looks like a table" not in err


def test_describe_ratings(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, "data describe ratings")
    for words in ("users", "30", "density", "per user", "per item", "2014-05-13 16:53:20", "resolution", "days"):
        assert words in out
    assert "warning[NN499]: values that look like times (seconds since 1970): 240" in err
    out, err = told(capsys, f"data describe {TABLE} --json")
    found = json.loads(out)
    assert found["facts"]["users"] == 30
    assert found["values"][0] == 1.0
    assert found["suspicions"] == []
    assert err == ""
    _, err = told(capsys, "data describe ratings.csv", DATA)
    assert "`--columns user,item,rating,time`" in err


def test_describe_a_split(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    told(capsys, f"data split {TABLE} -o split --protocol windows --windows 3 --fold 2")
    out, _ = told(capsys, "data describe split")
    assert "the window begins at: 2014-" in out
    assert "made from" in out
    out, _ = told(capsys, "data describe split --json")
    assert json.loads(out)["protocol"]["windows"] == 3
    (folder / "split" / "train").write_text("u1\ta\n")
    _, err = told(capsys, "data describe split", DATA)
    assert "`train` has changed since it was written" in err


def test_splitting_needs_no_torch() -> None:
    modules = "nnlang.runtime.splitfiles, nnlang.cli.data"
    program = f"import sys, {modules}; print('torch' in sys.modules, 'netCDF4' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False False\n"
