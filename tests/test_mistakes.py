"""Mistakes of users, one for each kind, through the command line: code, place, exit code, and no file left behind."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.diagnostics import DATA, DEVICE, DISK, DIVERGED, FINDINGS, MEMORY, OK, USAGE

DEFINITION = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward",
  "Layers": [
    { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
    { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 8 },
    { "Name": "Output", "Kind": "Output", "DataSet": "gl_output", "N": "auto", "Sparse": true }
  ],
  "ErrorFunction": "CrossEntropy" }
"""
RATINGS = "".join(f"u{u}\t" + ":".join(f"m{(3 * u + 5 * i) % 40}" for i in range(6)) + "\n" for u in range(20))
JOB = '{{ {}"Network": "config.json", "Data": ["in.nc", "out.nc"],\n  '

GENERATE = "generate -d new -i {} -o new.nc -f new_features -s new_samples -c"
TRAIN = "train -c {} -i in.nc -o out.nc -n new.nc -e 2 -b 8"
PREDICT = "predict -n model.nc -r ratings -s recs -k 3"

Change = Callable[[bytes], bytes]


def definition(old: str, new: str) -> dict[str, bytes | Change]:
    """The file `it`: the definition with one slip."""
    assert old in DEFINITION
    return {"it": DEFINITION.replace(old, new).encode()}


def job(rest: str, command: str = '"Command": "Train", ') -> dict[str, bytes | Change]:
    """The file `it`: a job that ends so."""
    return {"it": (JOB.format(command) + rest).encode()}


def text(content: str) -> dict[str, bytes | Change]:
    """The file `it`."""
    return {"it": content.encode()}


def cut(size: int) -> Change:
    """Loses the end of a file."""
    return lambda content: content[:-size]


def flip(content: bytes) -> bytes:
    """Changes one bit in the middle of a file."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@dataclass(frozen=True)
class Mistake:
    """A command line, the files that it finds changed (by name: content, or what happens to it), and what is told."""

    line: str
    code: str
    place: str  # "" where a mistake is in the command line, which has no places
    exit: int
    files: dict[str, bytes | Change] = field(default_factory=dict)


MISTAKES = {
    # definitions: the text, its keys and values, its names, its shapes
    "a comma forgotten": Mistake(
        TRAIN.format("it"), "NN130", "it:1:17", USAGE, definition('"Version": 0.8,', '"Version": 0.8')
    ),
    "a bracket not closed": Mistake(
        TRAIN.format("it"), "NN137", "it:2:13", USAGE, definition('  ],\n  "ErrorFunction": "CrossEntropy" }\n', "")
    ),
    "a key misspelled": Mistake(
        TRAIN.format("it"), "NN201", "it:7:3", USAGE, definition("ErrorFunction", "ErorFunction")
    ),
    "a string for a number": Mistake(TRAIN.format("it"), "NN213", "it:4:93", USAGE, definition(' "N": 8', ' "N": "8"')),
    "no units": Mistake(TRAIN.format("it"), "NN211", "it:4:93", USAGE, definition('"N": 8', '"N": 0')),
    "a source that is not there": Mistake(
        TRAIN.format("it"), "NN301", "it:4:79", USAGE, definition('"Source": "Input"', '"Source": "Inptu"')
    ),
    "a layer that feeds itself": Mistake(
        TRAIN.format("it"), "NN308", "it:4:15", USAGE, definition('"Source": "Input"', '"Source": "Hidden"')
    ),
    "two layers of one name": Mistake(
        TRAIN.format("it"), "NN302", "it:4:15", USAGE, definition('"Name": "Hidden"', '"Name": "Input"')
    ),
    "a hidden layer of size auto": Mistake(
        TRAIN.format("it"), "NN402", "it:4:93", USAGE, definition('"N": 8', '"N": "auto"')
    ),
    "a layer narrower than its data": Mistake(
        TRAIN.format("it"), "NN406", "it:3:46", USAGE,
        definition('"Kind": "Input", "N": "auto"', '"Kind": "Input", "N": 5'),
    ),
    "a layer that nothing lowers yet": Mistake(
        TRAIN.format("it"), "NN730", "", USAGE,
        definition('"FullyConnected", "Source": "Input"', '"Convolutional", "Kernel": 3, "Source": "Input"'),
    ),
    "a data set for a definition": Mistake(TRAIN.format("in.nc"), "NN106", "in.nc", USAGE),
    "a definition that is not there": Mistake(TRAIN.format("nowhere"), "NN101", "nowhere", USAGE),
    "a definition that lint cannot read": Mistake("lint in.nc", "NN106", "in.nc", FINDINGS),
    # data sets
    "data for another layer": Mistake(
        "train -c config.json -i in.nc -o in.nc -n new.nc", "NN404", "config.json:5:54", USAGE
    ),
    "data of other samples": Mistake(
        "train -c config.json -i in.nc -o short.nc -n new.nc", "NN408", "config.json:5:54", DATA
    ),
    "a data file that is not there": Mistake(
        "train -c config.json -i nowhere.nc -o out.nc -n new.nc", "NN710", "nowhere.nc", DATA
    ),
    "a folder for a data file": Mistake("train -c config.json -i . -o out.nc -n new.nc", "NN711", ".", DATA),
    "an empty data file": Mistake("data describe it", "NN713", "it", DATA, text("")),
    "text for a data set": Mistake("train -c config.json -i ratings -o out.nc -n new.nc", "NN450", "ratings", DATA),
    "a model for a data set": Mistake(
        "train -c config.json -i model.nc -o out.nc -n new.nc", "NN478", "model.nc (attribute layers)", DATA
    ),
    "a data file that broke off": Mistake("data describe in.nc", "NN451", "in.nc", DATA, {"in.nc": cut(4000)}),
    "a data file with a bit changed": Mistake("data describe in.nc", "NN451", "in.nc", DATA, {"in.nc": flip}),
    "a data set given twice": Mistake(
        "train -c config.json -i in.nc -i copy.nc -o out.nc -n new.nc", "NN457", "copy.nc", DATA, {"copy.nc": b""}
    ),
    # text, tables, index files
    "text without a TAB": Mistake(GENERATE.format("it"), "NN463", "it", DATA, text("u1 a:b\n")),
    "a bad line, strictly": Mistake(GENERATE.format("it --strict"), "NN460", "it:2", DATA, text("u1\ta\nu2 b\n")),
    "gzip that broke off": Mistake(
        GENERATE.format("it"), "NN712", "it", DATA, {"it": gzip.compress(RATINGS.encode())[:-9]}
    ),
    "a data set for text": Mistake(GENERATE.format("in.nc"), "NN474", "in.nc", DATA),
    "an index with a number twice": Mistake(
        "generate -d new -i ratings -o new.nc -f it -s new_samples", "NN475", "it:2", DATA, text("a\t0\nb\t0\n")
    ),
    "no index to use": Mistake(
        "generate -d new -i ratings -o new.nc -f nowhere -s new_samples", "NN476", "nowhere", DATA
    ),
    "a column that is not there": Mistake(
        GENERATE.format("it --columns user,film"), "NN480", "it:1", DATA, text("user,item\nu,a\n")
    ),
    "ratings below what is asked for": Mistake(
        GENERATE.format("it --columns user,item,rating --min-value 9"), "NN464", "it", DATA,
        text("user,item,rating\nu,a,5\n")
    ),
    "no number for the least rating": Mistake(GENERATE.format("ratings --min-value nan"), "NN703", "", USAGE),
    "an index anew and added to": Mistake(GENERATE.format("ratings -m"), "NN485", "", USAGE),
    "one file for two purposes": Mistake(
        "generate -d new -i ratings -o ratings -f new_features -s new_samples -c", "NN718", "ratings", DATA
    ),
    "a data set over a model": Mistake(
        "generate -d new -i ratings -o model.nc -f new_features -s new_samples -c", "NN473", "model.nc", USAGE
    ),
    "an index over a text": Mistake(
        "generate -d new -i ratings -o new.nc -f config.json -s new_samples -c", "NN473", "config.json", USAGE
    ),
    # running
    "a learning rate far too large": Mistake(TRAIN.format("config.json --alpha 1e30"), "NN731", "", DIVERGED),
    "more units than memory": Mistake(TRAIN.format("it"), "NN732", "", MEMORY, definition('"N": 8', '"N": 2000000000')),
    "a model that is there": Mistake("train -c config.json -i in.nc -o out.nc -n model.nc", "NN708", "model.nc", USAGE),
    "a model over a data set": Mistake(
        "train -c config.json -i in.nc -o out.nc -n in.nc --overwrite", "NN473", "in.nc", USAGE
    ),
    "another network to continue": Mistake(
        "train -c it -i in.nc -o out.nc -n model.nc --resume", "NN738", "model.nc", USAGE,
        definition('"N": 8', '"N": 9')
    ),
    "a folder that is not there": Mistake("train -c config.json -i in.nc -o out.nc -n a/b.nc", "NN715", "a/b.nc", DISK),
    "a device that is not there": Mistake(TRAIN.format("config.json --device tpu"), "NN706", "", DEVICE),
    # models, signals, filters
    "a data set for a model": Mistake(PREDICT.replace("model.nc", "in.nc"), "NN720", "in.nc", DATA),
    "a model that broke off": Mistake(PREDICT, "NN721", "model.nc", DATA, {"model.nc": cut(2000)}),
    "another prefix": Mistake(f"{PREDICT} -d ml", "NN750", "", USAGE),
    "the index of other data": Mistake(f"{PREDICT} -i it", "NN752", "it", DATA, text("x\t0\n")),
    "a layer that the model lacks": Mistake(f"{PREDICT} -l Outptu", "NN754", "", USAGE),
    "a model for signals": Mistake(PREDICT.replace("ratings", "model.nc"), "NN474", "model.nc", DATA),
    "a filter that is no text": Mistake(f"{PREDICT} -f config.json", "NN463", "config.json", DATA),
    "recommendations over the model": Mistake(PREDICT.replace("recs", "model.nc"), "NN473", "model.nc", USAGE),
    "recommendations over the filter": Mistake(
        PREDICT.replace("recs", "it") + " -f it", "NN718", "it", DATA, text("u1\tm1\n")
    ),
    "units as JSON": Mistake(f"{PREDICT} --raw --json", "NN707", "", USAGE),
    "held-out text of other users": Mistake(
        "evaluate -n model.nc -r ratings -t it", "NN464", "it", DATA, text("nobody\tm1\n")
    ),
    "a hidden layer to judge": Mistake("evaluate -n model.nc -r ratings -t ratings -l Hidden", "NN754", "", USAGE),
    # jobs
    "a job without epochs": Mistake("run it", "NN206", "it:2:3", USAGE, job('"TrainingParameters": {} }')),
    "a command that jobs lack": Mistake("run it", "NN213", "it:2:14", USAGE, job('"Command": "Fly" }', "")),
    # the command line
    "no such command": Mistake("trian", "NN701", "", USAGE),
    "no such option": Mistake("train --alhpa 1", "NN700", "", USAGE),
    "an option left out": Mistake("train", "NN702", "", USAGE),
    "a number that is none": Mistake(f"{PREDICT} -b many", "NN703", "", USAGE),
    "two that exclude each other": Mistake(TRAIN.format("config.json --resume --overwrite"), "NN707", "", USAGE),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a definition, its text, data sets, index files and a model, all without mistakes."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "config.json").write_text(DEFINITION)
    (folder / "ratings").write_text(RATINGS)
    (folder / "fewer").write_text("".join(RATINGS.splitlines(keepends=True)[:15]))
    made = [
        ("gl_input", "ratings", "in.nc", "s"),
        ("gl_output", "ratings", "out.nc", "s"),
        ("gl_output", "fewer", "short.nc", "t"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, source, output, samples in made:
            line = f"generate -d {name} -i {source} -o {output} -f f -s {samples} -c"
            assert run_command(line.split()) == OK
        line = "train -c config.json -i in.nc -o out.nc -n model.nc -e 1 --input-index f --output-index f"
        assert run_command(line.split()) == OK
    return folder


@pytest.fixture
def here(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A copy of that folder, which is the current one."""
    folder = tmp_path / "here"
    shutil.copytree(sound, folder)
    monkeypatch.chdir(folder)
    capsys.readouterr()
    return folder


def held(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told_in_its_place_and_leaves_nothing(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake = MISTAKES[name]
    for file, change in mistake.files.items():
        path = here / file
        path.write_bytes(change(path.read_bytes()) if callable(change) else change)
    if name == "a data set given twice":
        shutil.copy("in.nc", "copy.nc")
    before = held(here)
    left = run_command(mistake.line.split())
    shown = capsys.readouterr()
    told = shown.out if mistake.line.startswith("lint ") else shown.err
    assert (f"error[{mistake.code}]: " in told, left) == (True, mistake.exit), told
    first = next(part for part in told.split("\n\n") if f"error[{mistake.code}]" in part)
    places = [line.strip().removeprefix("--> ") for line in first.splitlines() if line.strip().startswith("--> ")]
    assert places == ([mistake.place] if mistake.place else [])
    assert "  = help: " in first
    assert "Traceback" not in told
    assert held(here) == before


def test_a_filter_without_effect_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "filter").write_text("nobody\tm1\nu1 m2\n")
    (here / "unknown").write_text("u1\tx:y\n")
    for file, code in (("unknown", "NN477"), ("filter", "NN463")):
        run_command([*PREDICT.split(), "-f", file])
        assert f"[{code}]" in capsys.readouterr().err


def test_resuming_nothing_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*TRAIN.format("config.json").split(), "--resume"]) == OK
    assert "note[NN740]" in capsys.readouterr().err
