"""`nnlang sweep generate`: numbered definitions and their manifest, the same bytes twice, refusals, dry runs, size."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from nnlang.cli import run_command
from nnlang.linting.check import lint
from nnlang.search.generate import combinations, generate
from nnlang.sweeps.sweepfile import load_sweep, setting
from nnlang.syntax import read_source

ROOT = Path(__file__).parent.parent
ERRORS = Path(__file__).parent / "sweepfile_errors"
SWEEPS = ROOT / "examples" / "sweeps"
ARTICLE, MOVIELENS = SWEEPS / "sweep_122640.json", SWEEPS / "movielens.json"
AXES: dict[str, Any] = {"Layers.Hidden.N": [64, 128], "Denoising.p": [0.1, 0.2, 0.3]}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `nnlang sweep generate`; exit code, output, errors."""

    def go(*words: object) -> tuple[int, str, str]:
        code = run_command(["sweep", "generate", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return go


def written(tmp_path: Path, axes: Any = None, **more: Any) -> Path:
    """A sweep file over the example's base."""
    path = tmp_path / "sweep.json"
    whole = {"Sweep": "s", "Definition": str(SWEEPS / "base.json"), "Axes": AXES if axes is None else axes, **more}
    path.write_text(json.dumps(whole))
    return path


def digest(folder: Path) -> str:
    """Names and contents of all files of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def manifest(folder: Path) -> list[Any]:
    """The lines of a manifest."""
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_definitions_and_manifest(tmp_path: Path, run: Run) -> None:
    code, out, err = run(written(tmp_path, Split={"Fraction": 0.2}), "-o", tmp_path / "configs")
    assert (code, err) == (0, "")
    assert "wrote 6 definitions" in out
    assert out.endswith(f"next: nnlang sweep run {tmp_path / 'sweep.json'} -o tried -r ratings.txt\n")
    path = written(tmp_path, Data={"Ratings": "ratings.txt"})
    _, out, _ = run(path, "-o", tmp_path / "drawn", "--method", "Random", "--trials", 3)
    assert out.endswith(f"next: nnlang sweep run {path} -o tried --method Random --trials 3\n")
    head, *lines = manifest(tmp_path / "configs")
    assert head["count"] == 6 and head["method"] == "Grid" and len(head["digest"]) == 64
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[3] == {
        "number": 4,
        "file": "000004.json",
        "params": {"Layers.Hidden.N": 128, "Denoising.p": 0.1},
        "split": {"fraction": 0.2},
    }
    assert sorted(os.listdir(tmp_path / "configs")) == [*(line["file"] for line in lines), "manifest.jsonl"]
    for line in lines:
        path = tmp_path / "configs" / line["file"]
        tree = json.loads(path.read_text())
        assert tree["Denoising"]["p"] == line["params"]["Denoising.p"]
        assert tree["Layers"][1]["N"] == line["params"]["Layers.Hidden.N"]
        assert lint(read_source(path)) == []
    assert run_command(["format", "--check", str(tmp_path / "configs")]) == 0


@pytest.mark.parametrize("method", ["Grid", "Random", "QMC"])
def test_equal_seeds_give_equal_bytes(method: str, tmp_path: Path, run: Run) -> None:
    path = written(tmp_path, Trials=5)
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        assert run(path, "-o", folder, "--method", method, "--seed", seed)[0] == 0
    one, two, three = map(digest, folders)
    assert one == two
    lines = [manifest(folder)[1:] for folder in folders]
    assert lines[0] == lines[1] and (lines[0] == lines[2]) == (method == "Grid")
    assert three != one and all(len(rest) == 5 for rest in lines)


def test_trials_of_random_are_a_beginning_of_more_trials() -> None:
    few = load_sweep(MOVIELENS, {"method": "Random", "trials": 5})
    many = load_sweep(MOVIELENS, {"method": "Random", "trials": 50})
    assert list(combinations(few)) == list(islice(combinations(many), 5))


def test_axes_inside_a_definition(tmp_path: Path, run: Run) -> None:
    text = (SWEEPS / "base.json").read_text().replace('"N": 128', '"N": { "$sweep": [3, 4] }')
    (tmp_path / "config.json").write_text(text)
    assert run(tmp_path / "config.json", "-o", tmp_path / "o")[0] == 0
    assert [line["params"] for line in manifest(tmp_path / "o")[1:]] == [{"Layers.Hidden.N": 3}, {"Layers.Hidden.N": 4}]


def test_items_of_a_list_that_may_be_absent(tmp_path: Path, run: Run) -> None:
    steps = [{"$sweep": [None, {"Name": "log", "Step": "Log"}]}, {"Step": "RowNorm"}]
    base = json.loads((ERRORS / "base.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**base, "Preparation": steps}))
    assert run(tmp_path / "config.json", "-o", tmp_path / "o")[0] == 0
    made = [json.loads((tmp_path / "o" / line["file"]).read_text()) for line in manifest(tmp_path / "o")[1:]]
    assert [[step["Step"] for step in one["Preparation"]] for one in made] == [["RowNorm"], ["Log", "RowNorm"]]


def test_methods_that_learn_cannot_be_generated(tmp_path: Path, run: Run) -> None:
    for method in ("TPE", "CMAES", "GP"):
        code, _, err = run(written(tmp_path, Trials=4), "-o", tmp_path / "o", "--method", method)
        assert code == 2 and "error[NN235]" in err and "nnlang sweep run" in err
        code, out, err = run(written(tmp_path, Trials=4), "--dry-run", "--method", method)
        assert code == 0 and "4 trials" in out and "chooses each by the results" in out
    assert not (tmp_path / "o").exists()


def test_an_unsound_combination_stops_before_anything_is_written(tmp_path: Path, run: Run) -> None:
    path = written(tmp_path, {"Layers.Hidden.Repeat": [2, 1], "Layers.Output.Source": [None, "Hidden_2"]})
    code, _, err = run(path, "-o", tmp_path / "o")
    assert code == 2 and "error[NN244]" in err and "NN301" in err and 'Layers.Output.Source "Hidden_2"' in err
    assert not (tmp_path / "o").exists()


def test_an_unsound_sweep_stops_with_all_its_errors(tmp_path: Path, run: Run) -> None:
    code, _, err = run(written(tmp_path, {"Layers.Hiden.N": [1], "Denoising.p": [2]}), "-o", tmp_path / "o")
    assert code == 2 and "NN231" in err and "NN211" in err and not (tmp_path / "o").exists()


def test_folders_that_hold_something(tmp_path: Path, run: Run) -> None:
    path, folder = written(tmp_path), tmp_path / "o"
    assert run(path, "-o", folder)[0] == 0
    before = digest(folder)
    code, _, err = run(path, "-o", folder)
    assert code == 2 and "error[NN246]" in err and "holds a sweep's definitions" in err
    (folder / "mine.json").write_text("{}")
    (folder / "000099.json").write_text("{}")
    (folder / "manifest.jsonl").unlink()
    assert "generating them was interrupted" in run(path, "-o", folder)[2]
    assert run(path, "-o", folder, "--overwrite")[0] == 0
    assert (folder / "mine.json").read_text() == "{}" and not (folder / "000099.json").exists()
    (folder / "mine.json").unlink()
    assert digest(folder) == before
    (tmp_path / "file").write_text("x")
    code, _, err = run(path, "-o", tmp_path / "file")
    assert code != 0 and "error[NN71" in err


def test_more_than_the_limit(tmp_path: Path, run: Run) -> None:
    code, _, err = run(ARTICLE, "-o", tmp_path / "o", "--limit", 1000)
    assert code == 2 and "error[NN248]: there are more than 1,000" in err and not (tmp_path / "o").exists()
    code, _, err = run(MOVIELENS, "-o", tmp_path / "o", "--method", "Random", "--trials", 2_000_000)
    assert code == 2 and "error[NN248]" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "NN702"),
        (("--limit", 0, "--dry-run"), "NN703"),
        (("--check", -1, "--dry-run"), "NN703"),
        (("--method", "Gird", "--dry-run"), "NN703"),
        (("--trials", 0, "--dry-run"), "NN703"),
        (("--width", "x", "--dry-run"), "NN703"),
    ],
)
def test_wrong_options(words: tuple[object, ...], code: str, run: Run) -> None:
    exit_code, _, err = run(MOVIELENS, *words)
    assert exit_code == 2 and f"error[{code}]" in err


def test_a_dry_run_lists_and_costs(tmp_path: Path, run: Run) -> None:
    code, out, err = run(ARTICLE, "--dry-run")
    assert (code, err) == (0, "")
    assert "122,640 definitions, Grid" in out and "000001.json" in out and "122640.json" in out
    assert "122,632 more" in out and "computed from" in out and "parameters" in out
    assert "assumed as large as MovieLens 20M: gl_input, gl_output" in out
    assert out.endswith(f"next: nnlang sweep generate {ARTICLE} -o configs\n") and "e+06" not in out.split("memory")[0]
    code, out, _ = run(MOVIELENS, "--dry-run", "--method", "QMC", "--width", "gl_input=100", "--width", "gl_output=100")
    assert code == 0 and "assumed" not in out
    code, out, _ = run(written(tmp_path), "--dry-run", "--json")
    head, *lines = map(json.loads, out.splitlines())
    assert head["count"] == len(lines) == 6 and head["estimate"]["computed"]["parameters"]["least"] > 1e6
    assert lines[0]["params"] == {"Layers.Hidden.N": 64, "Denoising.p": 0.1}


def test_a_kill_leaves_no_manifest(tmp_path: Path) -> None:
    for number, end in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        folder = tmp_path / number.name
        words = [sys.executable, "-m", "nnlang", "sweep", "generate", str(ARTICLE), "-o", str(folder)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
            begun = time.monotonic()
            while not (folder / "000200.json").exists() and process.poll() is None and time.monotonic() - begun < 60:
                time.sleep(0.01)
            process.send_signal(number)
            err = process.communicate()[1]
        assert process.returncode == end
        assert not (folder / "manifest.jsonl").exists() and (folder / "000001.json").exists()
        assert number == signal.SIGKILL or ("no manifest" in err and err.endswith("interrupted\n"))


def test_part_of_the_articles_sweep(tmp_path: Path) -> None:
    """The whole is the long form; here its count, evenly spread definitions of it, and a small part of it written."""
    sweep = load_sweep(ARTICLE)
    assert sweep.space.count() == sum(1 for _ in combinations(sweep)) == 122_640
    for params in islice(combinations(sweep), 0, None, 30_001):
        made, day = setting(sweep, params), params["day"]
        assert made.definition["Layers"][0]["DataSet"] == f"day{day}_input"
        assert made.definition["Layers"][2]["DataSet"] == f"day{day}_output"
    part = load_sweep(ARTICLE, {"trials": 500})
    begun = time.process_time()
    assert generate(part, tmp_path / "a") == generate(part, tmp_path / "b") == 500
    assert (time.process_time() - begun) / 1_000 < 0.002, "a definition takes 0.3 ms where nothing else runs"
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_articles_sweep(tmp_path: Path) -> None:
    """122,640 definitions: under 60 s of work, under 300 MB, twice the same bytes."""
    words = [sys.executable, "-m", "nnlang", "sweep", "generate", str(ARTICLE), "-o"]
    for name in "ab":
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*words, str(tmp_path / name)], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
        assert after.ru_maxrss < 300_000  # kilobytes, the largest child so far
    assert len(os.listdir(tmp_path / "a")) == 122_641
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
