"""`nnlang evaluate` on the command line: every form of it, what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nnlang.cli import evaluate_options, run_command
from nnlang.runtime import interactions, protocols, splitfiles
from nnlang.runtime.dataset import write as write_sets
from nnlang.runtime.evaluate import BASELINES
from nnlang.runtime.model import save
from tests.test_evaluate import data, following

DEFINITION = """{ "Version": 0.8, "Name": "net", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": 4, "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto", "Sparse": true }
], "TrainingParameters": { "Epochs": 1, "MiniBatch": 16 } }"""
GIVEN = ["-n", "m.nc", "-r", "known", "-t", "held"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models, texts, a definition, ratings with times and a split of them; the current one."""
    monkeypatch.chdir(tmp_path)
    save(following(), "m.nc")
    save(following(("d", "c", "b", "a")), "other.nc")
    texts = {
        "known": "u\ta\nv\tb\nw\tb:c\n", "held": "u\tb\nv\tc\nw\td\n", "groups": "u\tG\nv\tG\nw\tH\n",
        "config.json": DEFINITION,
        "ratings": "".join(
            f"u{n}\t" + ":".join(f"m{(n + 3 * i) % 11},{1_000_000_000 + 86400 * (n + i)}" for i in range(5)) + "\n"
            for n in range(30)
        ),
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    read = interactions.read_interactions("ratings")
    (tmp_path / "split").mkdir()
    protocol = protocols.protocol_of({"protocol": "strong", "users": 5, "validation": 4, "minitems": 2})
    splitfiles.write_split(protocols.split(read, protocol), read, "split")
    return tmp_path


def run(*words: str) -> int:
    return run_command(["evaluate", *words])


def recorded(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The object that a command prints with --json."""
    capsys.readouterr()
    assert run(*words, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_model_is_printed_beside_popularity_with_intervals(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*GIVEN, "-k", "2") == 0
    out = capsys.readouterr().out
    assert out.startswith("3 users judged, 4 features\nprotocol given texts\nknown sha256 ")
    assert re.search(r"^ +model +popularity +model / popularity$", out, re.MULTILINE)
    assert re.search(r"^  precision@2 +0\.5000 +0\.\d{4} +\d\.\d\d x$", out, re.MULTILINE)
    assert "95% intervals (1,000 resamples of users, seed 1)" in out
    assert re.search(r"^  ndcg@2 +popularity +-0\.\d{4} +-\d", out, re.MULTILINE)
    assert out.endswith("nnlang evaluate -r known -n m.nc -t held -k 2 --baselines all\n")
    assert run(*GIVEN, "--no-intervals", "--baselines", "all") == 0
    out = capsys.readouterr().out
    assert "intervals" not in out
    assert "item-kNN" in out
    assert "EASE (lambda " in out
    assert out.endswith("nnlang predict -n m.nc -r known -f known -s recs -k 10\n")


def test_the_result_is_a_function_of_what_is_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *GIVEN,
        "--baselines",
        "all",
        "--groups",
        "groups",
        "--metrics",
        "map@3,mrr@2,hit@1,recall_min@3,novelty@2",
    ]
    found = recorded(capsys, *words, "--resamples", "200", "--seed", "4", "--output", "result.json")
    assert [one["kind"] for one in found["rankers"]] == ["model", "popularity", "group", "knn", "ease"]
    assert found["metrics"] == ["map@3", "mrr@2", "hit@1", "recall_min@3", "novelty@2"]
    assert found["intervals"] == {"resamples": 200, "level": 0.95, "seed": 4}
    assert len(found["comparisons"]) == 4 * 5
    assert set(found["about"]["models"]["model"]) == {"path", "sha256"}
    assert found["about"]["known"]["name"] == "known"
    assert json.loads((here / "result.json").read_text()) == found
    again = recorded(capsys, *words, "--resamples", "200", "--seed", "4")
    for one in (found, again):
        for ranker in one["rankers"]:
            del ranker["seconds"]
    assert again == found


def test_several_models_are_compared_with_the_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*GIVEN, "-n", "other.nc", "--metrics", "mrr@3") == 0
    out = capsys.readouterr().out
    assert "beside m.nc, user by user" in out
    assert re.search(r"^  mrr@3 +other.nc +-0\.\d{4} .* 3$", out, re.MULTILINE)
    found = recorded(capsys, *GIVEN, "-n", "other.nc", "--metrics", "mrr@3")
    assert [one["name"] for one in found["comparisons"]] == ["other.nc", "popularity"]


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_split_is_judged_on_one_of_its_parts(here: Path, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--split", "split", *(["--part", part] if part != "test" else [])]
    found = recorded(capsys, "-c", "config.json", *chosen, "--baselines", "all", "--metrics", "ndcg@3")
    assert found["users"] == {"test": 5, "validation": 4}[part]
    assert found["about"]["part"] == part
    assert found["about"]["protocol"]["protocol"] == "strong"
    assert found["about"]["sources"][0]["name"] == "ratings"
    assert found["about"]["train_users"] == 21
    assert found["about"]["held"]["name"] == f"{part}_held"
    assert "definition" in found["about"]


@pytest.mark.parametrize(
    "words", ["strong:users=6,min_items=2", "last", "windows:windows=3,fold=1", "kfold:fold=2,folds=4"]
)
def test_a_definition_is_judged_by_any_protocol(here: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = recorded(capsys, "-c", "config.json", "-r", "ratings", "--protocol", words, "--seed", "3")
    name, _, numbers = words.partition(":")
    told = found["about"]["protocol"]
    assert told["protocol"] == name
    assert told["validation"] == 0
    assert all(told[key] == int(value) for key, value in (pair.split("=") for pair in numbers.split(",") if pair))
    assert name == "windows" or told["seed"] == 3


def test_the_share_and_seed_of_a_holdout_stand_in_the_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-c", "config.json", "-r", "ratings", "--holdout", "0.4", "--seed", "9") == 0
    out = capsys.readouterr().out
    assert out.startswith("30 users, 90 entries to learn from; 60 of 30 users held out\n")
    assert "protocol holdout, fraction 0.4, validation 0, seed 9" in out


def test_of_held_out_users_nothing_is_learnt(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-c", "config.json", "-r", "ratings", "--protocol", "strong:users=5,min_items=2") == 0
    assert re.match(r"25 users, 125 entries to learn from; \d+ of 5 users held out\n", capsys.readouterr().out)


def test_the_next_command_judges_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "-n", "m.nc", "-n", "other.nc", "--split", "split", "--part", "validation", "--seed", "3", "-k", "2",
        "--neighbours", "7", "--no-intervals", "-b", "9", "--type", "indicator",
    ]  # fmt: skip
    assert run(*words, "--output", "result.json") == 0
    line = capsys.readouterr().out.splitlines()[-1]
    next_words = shlex.split(line)
    assert next_words[:2] == ["nnlang", "evaluate"]
    given = {pair for pair in pairwise(words) if pair[0].startswith("-") and not pair[1].startswith("-")}
    assert given <= set(pairwise(next_words))
    assert "--no-intervals" in next_words
    assert "--output" not in next_words
    assert run(*next_words[2:]) == 0
    found = capsys.readouterr().out
    assert "4 users judged" in found
    assert "EASE" in found


def test_the_next_command_keeps_metrics_and_groups(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--metrics", "ndcg@3,hit@1", "--train", "known", "--groups", "groups"]
    assert run(*GIVEN, *words) == 0
    line = capsys.readouterr().out.splitlines()[-1].strip()
    expected = "-r known -n m.nc -t held --train known --metrics ndcg@3,hit@1 --baselines all --groups groups"
    assert line == "nnlang evaluate " + expected


def test_what_a_model_does_not_know_is_told_by_its_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known").write_text("u\ta:new\nv\tb\n")
    assert run(*GIVEN, "-n", "other.nc") == 0
    told = capsys.readouterr().err
    for name in ("m.nc", "other.nc"):
        assert f"features in `known` that `{name}` does not know: 1 of 3 entries, such as `new`" in told
    assert run(*GIVEN) == 0
    assert "features in `known` that the model does not know" in capsys.readouterr().err


def test_labels_that_are_no_text_are_judged(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = b"caf\xe9"
    (here / "known").write_bytes(b"u\xff\ta:" + odd + b"\nv\tb\n")
    (here / "held").write_bytes(b"u\xff\tb\nv\t" + odd + b"\n")
    (here / "groups").write_bytes(b"u\xff\tG\xfe\n")
    save(following(("a", "b", odd.decode("utf-8", "surrogateescape"), "d")), "odd.nc")
    words = ["-n", "odd.nc", *GIVEN, "--baselines", "all", "--groups", "groups", "--metrics", "hit@1,coverage@1"]
    found = recorded(capsys, *words)
    assert [one["name"] for one in found["rankers"][:2]] == ["odd.nc", "m.nc"]
    assert found["rankers"][0]["metrics"]["hit@1"]["mean"] == 1.0  # a -> b, b -> the odd one
    assert found["rankers"][1]["metrics"]["hit@1"]["mean"] == 0.5
    assert found["features"] == 5
    assert run(*words) == 0


def test_the_command_line_names_the_baselines_that_there_are() -> None:
    assert tuple(BASELINES) == evaluate_options.BASELINES


def test_outputs_with_their_own_targets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sets("in.nc", [data("input", [0], [1], [2])])
    write_sets("out.nc", [data("output", [1], [2], [0])])
    sets = ["-n", "m.nc", "-i", "in.nc", "-o", "out.nc"]
    found = recorded(capsys, *sets, "--metrics", "accuracy,auc,rmse,hit@1", "--output", "result.json")
    assert found["examples"] == 3
    assert list(found["metrics"]["model"]) == ["accuracy", "auc", "rmse", "hit@1"]
    assert found["metrics"]["model"]["hit@1"] == pytest.approx(2 / 3)
    assert json.loads((here / "result.json").read_text()) == found
    assert run(*sets, "-n", "other.nc") == 0
    out = capsys.readouterr().out
    assert out.startswith("3 examples judged\ninput sha256 ")
    assert re.search(r"^  error +\d+\.\d{4} +\d+\.\d{4}$", out, re.MULTILINE)


REFUSED = {
    "no model": (["-r", "known"], "NN704", "either a model"),
    "model and definition": (["-n", "m.nc", "-c", "config.json", "-r", "known"], "NN704", "either a model"),
    "nothing to judge on": (["-n", "m.nc"], "NN702", "-r / --ratings, or --split DIR"),
    "nothing held out": (["-n", "m.nc", "-r", "known"], "NN702", "-t, the text"),
    "a test for a definition": (["-c", "config.json", "-r", "known", "-t", "held"], "NN707", "-c and -t"),
    "a protocol for a model": ([*GIVEN, "--protocol", "last"], "NN707", "-n and --protocol"),
    "a split and ratings": (["-n", "m.nc", "--split", "split", "-r", "known"], "NN707", "--split and -r"),
    "a part of nothing": ([*GIVEN, "--part", "test"], "NN702", "--split DIR"),
    "another part": (["-n", "m.nc", "--split", "split", "--part", "tset"], "NN703", "test and validation"),
    "no split": (["-n", "m.nc", "--split", "known"], "NN497", "no split that can be used"),
    "a metric that is none": ([*GIVEN, "--metrics", "ndgc@10"], "NN703", "ndcg"),
    "a metric of data sets": ([*GIVEN, "--metrics", "ndcg@10,rmse"], "NN768", "rmse"),
    "a metric twice is once": ([*GIVEN, "--metrics", "ndcg@0"], "NN703", "ndcg@0"),
    "a baseline that is none": ([*GIVEN, "--baselines", "esae"], "NN703", "ease"),
    "groups without a file": ([*GIVEN, "--baselines", "group"], "NN702", "--groups"),
    "a file that is no groups": ([*GIVEN, "--groups", "config.json"], "NN767", "config.json:1"),
    "a lambda of nothing": ([*GIVEN, "--ease-lambda", "0"], "NN703", "above 0 and up to 1e+12, or auto"),
    "a lambda in words": ([*GIVEN, "--ease-lambda", "many"], "NN703", "above 0 and up to 1e+12, or auto"),
    "a lambda beyond counting": ([*GIVEN, "--ease-lambda", "1e13"], "NN703", "above 0 and up to 1e+12, or auto"),
    "a lambda that rounding drowns": (
        [*GIVEN, "--baselines", "ease", "--ease-lambda", "1e-300"], "NN703", "nearer to 500, or auto"
    ),
    "no resamples": ([*GIVEN, "--resamples", "0"], "NN703", "--resamples"),
    "negative shrinkage": ([*GIVEN, "--shrink", "-1"], "NN703", "--shrink"),
    "no neighbours": ([*GIVEN, "--neighbours", "0"], "NN703", "--neighbours"),
    "the same model twice": ([*GIVEN, "-n", "m.nc"], "NN703", "given twice"),
    "a protocol that is none": (["-c", "config.json", "-r", "ratings", "--protocol", "lats"], "NN495", "last"),
    "a number without a name": (["-c", "config.json", "-r", "ratings", "--protocol", "kfold:3"], "NN703", "fold=2"),
    "times and values": (
        ["-c", "config.json", "-r", "ratings", "--protocol", "last", "--type", "analog"], "NN707", "--type analog"
    ),
    "inputs alone": (["-n", "m.nc", "-i", "in.nc"], "NN702", "-o"),
    "data sets and texts": (["-i", "in.nc", "-o", "out.nc", *GIVEN], "NN707", "-i and -r"),
    "a result over a model": ([*GIVEN, "--output", "m.nc"], "NN473", "m.nc"),
    "a result over a text": ([*GIVEN, "--output", "known"], "NN718", "known"),
    "a result without a folder": ([*GIVEN, "--output", "no/result.json"], "NN715", "no/result.json"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_told(here: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, code, told = REFUSED[case]
    assert run(*words) > 0
    found = capsys.readouterr()
    assert code in found.err
    assert told in found.err
    assert "Traceback" not in found.err


def test_help_teaches_by_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for words in ("nnlang evaluate -c tuned.json -r ratings.txt", "--split DIR", "--metrics ndcg@100", "novelty"):
        assert words in out


@pytest.mark.full
@pytest.mark.parametrize("ranker", ["popularity", "model", "item-kNN"])
def test_judging_needs_no_matrix_of_users_and_items(ranker: str) -> None:
    script = Path(__file__).parent.parent / "benchmarks" / "evaluate.py"
    words = [sys.executable, str(script), "--one", ranker, "--users", "30000", "--items", "27278"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["users"] == 30_000
    assert found["peak"] - found["data"] < 500 << 20  # the matrix would be 3.0 GiB
