"""What judges a training on the way: lists against plain loops, data sets, the command line, what it refuses."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlang
from nnlang.cli import run_command
from nnlang.definition import check
from nnlang.diagnostics import DATA, OK, USAGE, Report, Stop
from nnlang.measures import Metric, metric
from nnlang.network import DataFacts, Optimizer
from nnlang.runtime.checkpoint import best_path
from nnlang.runtime.dataset import dense_set, read_all
from nnlang.runtime.evaluate import judge_texts
from nnlang.runtime.interactions import read_interactions
from nnlang.runtime.metricsfile import path_of, read
from nnlang.runtime.model import Model, load
from nnlang.runtime.predict import Recommender
from nnlang.runtime.protocols import Protocol, split
from nnlang.runtime.splitfiles import read_split, write_split
from nnlang.runtime.validation import Validation, ranking_validation, set_validation
from nnlang.source import Source
from tests.conftest import Golden
from tests.data_fixtures import movielens  # noqa: F401 - a fixture
from tests.test_mistakes import DEFINITION

GOLDEN = Path(__file__).parent / "training_errors"
ITEMS = ("a", "b", "c", "d", "e", "f")
KNOWN = "u1\ta:b\nu2\tc\nu3\td:e:f\nu4\ta:unheard\n"
HELD = "u2\ta:b\nu1\tf:c:new\nu4\tb\nstranger\ta\n"
RATINGS = "".join(f"u{u}\t" + ":".join(f"m{(7 * u + u * i + i * i) % 40}" for i in range(9)) + "\n" for u in range(40))
TRAIN = "train -c config.json -i in.nc -o out.nc -n gl.nc -e 6 -b 8 --input-index f --output-index f --alpha 0.5"


def named(text: str) -> Metric:
    found = metric(text)
    assert isinstance(found, Metric)
    return found


def drawn() -> Model:
    """A model of one layer over six items, with drawn weights."""
    facts = {n: DataFacts(n, 4, 6, sparse=True, boolean=True, entries=9) for n in ("input", "output")}
    text = """{ "Version": 0.8, "Name": "n", "Kind": "FeedForward", "Layers": [
      { "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true },
      { "Kind": "Output", "Type": "FullyConnected", "DataSet": "output", "N": "auto", "Sparse": true } ] }"""
    network = check(Source("n.json", text), facts, need_shapes=True).network
    assert network is not None
    random = np.random.default_rng(3)
    weights = random.normal(size=(6, 6)).astype(np.float32)
    return Model(network, {0: weights}, {0: np.zeros(6, np.float32)}, labels={"input": ITEMS, "output": ITEMS})


def texts(folder: Path) -> tuple[Path, Path]:
    known, held = folder / "known", folder / "held"
    known.write_text(KNOWN)
    held.write_text(HELD)
    return known, held


def rows_of(text: str) -> dict[str, list[str]]:
    return {user: items.split(":") for user, items in (line.split("\t") for line in text.splitlines())}


def lists(model: Model, k: int) -> dict[str, list[str]]:
    """The best k of every user that has something to find, by plain loops."""
    found = {}
    for user, seen in rows_of(KNOWN).items():
        x = np.array([item in seen for item in ITEMS], dtype=np.float64)
        z = x @ model.weights[0].astype(np.float64)
        order = sorted(range(6), key=lambda i: (-z[i], i))
        found[user] = [ITEMS[i] for i in order if ITEMS[i] not in seen][:k]
    return {user: found[user] for user in rows_of(KNOWN) if user in rows_of(HELD)}


@pytest.mark.parametrize("batch", [1, 2, 1024])
@pytest.mark.parametrize("k", [1, 2, 6, 50])
def test_lists_are_judged_as_plain_loops_do(tmp_path: Path, k: int, batch: int) -> None:
    model, held = drawn(), rows_of(HELD)
    by = [named(f"{name}@{k}") for name in ("ndcg", "recall", "hit", "coverage")]
    validation = ranking_validation(blank_of(model), *texts(tmp_path), by[0], more=by[1:], batch=batch)
    ndcg, recall, hit, listed = [], [], [], set()
    for user, found in lists(model, k).items():
        right = [item in held[user] for item in found]
        ideal = sum(1 / math.log2(i + 2) for i in range(min(k, len(held[user]))))
        ndcg.append(sum(1 / math.log2(i + 2) for i, yes in enumerate(right) if yes) / ideal)
        recall.append(sum(right) / len(held[user]))
        hit.append(float(any(right)))
        listed |= set(found)
    wanted = [np.mean(ndcg), np.mean(recall), np.mean(hit), len(listed) / 6]
    assert list(validation.measure(model).values()) == pytest.approx(wanted, abs=1e-12)
    assert validation.per_user is not None
    assert validation.per_user(model)[f"ndcg@{k}"] == pytest.approx(ndcg, abs=1e-12)


def blank_of(model: Model) -> Model:
    return Model(model.network, {}, {}, labels=model.labels)


def test_one_program_measures_every_model(tmp_path: Path) -> None:
    """The second model's numbers count, not the first's."""
    model, other = drawn(), drawn()
    other.weights[0] = -other.weights[0]
    by = named("ndcg@2")
    validation = ranking_validation(blank_of(model), *texts(tmp_path), by)
    fresh = ranking_validation(blank_of(model), *texts(tmp_path), by)
    first, second = validation.measure(model), validation.measure(other)
    assert first != second and second == fresh.measure(other) and validation.measure(model) == first


def test_scores_that_are_not_finite_are_no_number(tmp_path: Path) -> None:
    model = drawn()
    validation = ranking_validation(blank_of(model), *texts(tmp_path), named("ndcg@2"), more=[named("coverage@2")])
    model.biases[0][:] = np.nan
    assert [math.isnan(value) for value in validation.measure(model).values()] == [True, True]


def test_interrupting_gives_nothing(tmp_path: Path) -> None:
    validation = ranking_validation(blank_of(drawn()), *texts(tmp_path), named("ndcg@2"), batch=1)
    assert validation.measure(drawn(), lambda: True) == {}


def test_what_is_judged_on_tells_itself_apart(tmp_path: Path) -> None:
    known, held = texts(tmp_path)
    by = named("ndcg@2")
    one = ranking_validation(blank_of(drawn()), known, held, by)
    same = ranking_validation(blank_of(drawn()), known, held, by)
    held.write_text(HELD.replace("u4\tb", "u4\tc"))
    other = ranking_validation(blank_of(drawn()), known, held, by)
    assert one.judged == same.judged != other.judged and one.judged.startswith("ndcg@2 on data ")


def test_odd_texts_are_reported(tmp_path: Path) -> None:
    report = Report()
    ranking_validation(blank_of(drawn()), *texts(tmp_path), named("ndcg@2"), report=report)
    assert "unheard" in " ".join(d.message for d in report.diagnostics)


def test_the_best_is_the_first_of_the_best_and_patience_counts_from_there() -> None:
    by = Validation(named("ndcg"), lambda model, interrupted=None: {}, patience=2)
    assert by.best([]) is None and by.best([(1, None)]) is None
    assert by.best([(1, 0.1), (2, 0.3), (3, None), (4, 0.3)]) == (2, 0.3)
    assert by.stale([(1, 0.1), (2, 0.3), (3, None), (4, 0.3)]) == 2
    assert Validation(named("error"), by.measure).best([(1, 0.1), (2, 0.3)]) == (1, 0.1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ratings, their split, and data sets of its train part and of its validation part."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "config.json").write_text(DEFINITION)
    (folder / "ratings").write_text(RATINGS)
    data = read_interactions(folder / "ratings")
    for name, share in (("split", 0.2), ("without", 0.0)):
        write_split(split(data, Protocol("holdout", 0.2, validation=share, seed=1)), data, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = [
            ("gl_input", "train", "in.nc", "s -c"),
            ("gl_output", "train", "out.nc", "s"),
            ("gl_input", "validation_known", "val_in.nc", "v"),
            ("gl_output", "validation_held", "val_out.nc", "v"),
        ]
        (folder / "split" / "few").write_text(RATINGS[: RATINGS.index("u9")])
        made.append(("gl_input", "few", "few.nc", "w"))
        for name, part, output, samples in made:
            line = f"generate -d {name} -i split/{part} -o {output} -f f -s {samples}"
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


def typed(line: str) -> int:
    return run_command(line.split())


def test_a_split_judges_every_epoch(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(f"{TRAIN} --validate split --metric recall@5") == OK
    out = capsys.readouterr().out
    lines = [line for line in read(path_of("gl.nc")) if line["event"] == "validation"]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    values = [line["recall@5"] for line in lines]
    best = values.index(max(values)) + 1
    assert "judged by recall@5 every epoch; the best epoch is kept" in out
    assert out.count("best so far") == sum(v > max([-1, *values[:i]]) for i, v in enumerate(values))
    for words in (f"best epoch {best}", f"its recall@5 {max(values):.6g}", "epochs 6", "error of epoch 6 "):
        assert words in re.sub(" +", " ", out)
    assert load("gl.nc").progress["epoch"] == best
    commands = [line.strip().removeprefix("nnlang ") for line in out.splitlines() if line.startswith("  nnlang ")]
    assert commands[-1] == "evaluate -n gl.nc --split split"
    assert [typed(line) for line in commands] == [OK, OK]  # the predict command names the users of the test part


def test_data_sets_judge_by_their_error_unless_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = "--validate val_in.nc --validate val_out.nc"
    assert typed(f"{TRAIN} {sets} --json") == OK
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [t["event"] for t in told] == [*(["epoch", "validation"] * 6), "done"]
    errors = [t["error"] for t in told if t["event"] == "validation"]
    assert told[-1]["metric"] == "error" and told[-1]["best"] == min(errors) and told[-1]["stopped_early"] is False
    assert typed(f"{TRAIN} {sets} --metric ndcg@5 --overwrite") == OK
    assert typed(f"{TRAIN} {sets} --metric auc --overwrite --verbose") == OK
    assert "NNNetwork::Train: Epoch 1, validation auc 0." in capsys.readouterr().out


def test_patience_says_why_and_what_to_type(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = TRAIN.replace("-e 6", "-e 60")
    assert typed(f"{line} --validate split --patience 2 --alpha 2") == OK
    told = capsys.readouterr()
    assert "note[NN743]" in told.err and "--resume" in told.err and "--patience" in told.err
    ended = max(line["epoch"] for line in read(path_of("gl.nc")))
    assert ended < 60
    assert typed(f"{line} --validate split --patience 4 --alpha 2 --resume") == OK
    assert max(line["epoch"] for line in read(path_of("gl.nc"))) > ended


def test_the_library_judges_too(here: Path) -> None:
    options: dict[str, Any] = {"epochs": 4, "batch": 8, "alpha": 0.5}
    places = [here / "val_in.nc", here / "val_out.nc"]
    result = nnlang.train("config.json", ["in.nc"], ["out.nc"], "gl.nc", validate=places, metric="auc", **options)
    assert len(result.validation) == 4 and result.best == max(v for _, v in result.validation)
    split_result = nnlang.train("config.json", ["in.nc"], ["out.nc"], "new.nc", validate="split", patience=1, **options)
    assert split_result.validation and split_result.best_epoch
    with pytest.raises(ValueError, match="ndgc"):
        nnlang.train("config.json", ["in.nc"], ["out.nc"], "new.nc", validate="split", metric="ndgc", **options)


WRONG = {
    "a measure that is none": ("--validate split --metric ndgc@10", "NN703", USAGE),
    "nothing to judge by": ("--patience 3", "NN704", USAGE),
    "no patience at all": ("--validate split --patience -1", "NN703", USAGE),
    "never judged": ("--validate split --validate-every 7", "NN703", USAGE),
    "units of a list": ("--validate split --metric auc", "NN746", DATA),
    "novelty is no aim": ("--validate split --metric novelty@10", "NN746", DATA),
    "a split without a validation part": ("--validate without", "NN746", DATA),
    "a folder and a file": ("--validate split --validate in.nc", "NN746", DATA),
    "a folder that is no split": ("--validate .", "NN497", DATA),
    "data that are not there": ("--validate nowhere.nc", "NN710", DATA),
    "a data set missing": ("--validate val_in.nc", "NN746", DATA),
    "inputs and outputs of other samples": ("--validate few.nc --validate val_out.nc", "NN734", DATA),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_told(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, code, left = WRONG[name]
    assert typed(f"{TRAIN} {words}") == left
    told = capsys.readouterr().err
    assert f"error[{code}]" in told and "  = help: " in told and "Traceback" not in told
    assert not (here / "gl.nc").exists()


def test_lists_need_sparse_targets() -> None:
    model = drawn()
    sets = {"input": dense_set("input", np.eye(6, dtype=np.float32)), "output": dense_set("output", np.eye(6))}
    with pytest.raises(Stop, match="NN746"):
        set_validation(model, sets, named("ndcg@3"))


def early(here: Path) -> str:
    return f"{TRAIN.replace('-e 6', '-e 60')} --validate split --patience 1 --alpha 9"


CASES: dict[str, Callable[[Path], list[str]]] = {
    "NN743": lambda here: [early(here)],
    "NN744": lambda here: [f"{TRAIN} --validate split", f"{TRAIN} --validate split --metric hit@3 --resume -e 7"],
    "NN745": lambda here: [f"{TRAIN} --validate split --alpha 9", f"{TRAIN} --validate split --alpha 9 --resume"],
    "NN746": lambda here: [f"{TRAIN} --validate without"],
}


@pytest.mark.parametrize("code", CASES)
def test_diagnostics_read_as_blessed(code: str, here: Path, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    *before, last = CASES[code](here)
    for line in before:
        typed(line)
    if code == "NN745":
        load("gl.nc")
        best_path("gl.nc").unlink(missing_ok=True)
        Path("gl.nc").unlink()
    capsys.readouterr()
    typed(last)
    told = [part for part in capsys.readouterr().err.split("\n\n") if f"[{code}]" in part]
    golden(GOLDEN / f"{code}.err", "\n\n".join(told).strip() + "\n")


@pytest.mark.parametrize("where", ["split", "val_in.nc val_out.nc"], ids=["lists", "units"])
def test_what_judges_is_prepared_as_what_trains(here: Path, where: str) -> None:
    """Steps make values of indicators: whoever did not apply them would judge another model."""
    steps = '"Preparation": [ { "Step": "TfIdf" }, { "Step": "RowNorm", "Norm": "L2" } ],\n  "Layers"'
    Path("config.json").write_text(DEFINITION.replace('"Layers"', steps, 1))
    options: dict[str, Any] = {"epochs": 3, "batch": 8, "alpha": 0.5, "patience": 9}
    by = named("recall@5" if where == "split" else "rmse")
    places = [Path(name) for name in where.split()]
    result = nnlang.train("config.json", ["in.nc"], ["out.nc"], "gl.nc", validate=places, metric=str(by), **options)
    model = load("gl.nc")
    if where == "split":
        part = read_split("split").validation
        assert part is not None
        found = judge_texts({"model": model}, *part, metrics=[by], resampling=None).ranker("model").means[str(by)]
        assert found == pytest.approx(result.best, abs=1e-12)
        return
    sets = read_all(places)
    batches = Recommender(model, 1024).scores({"gl_input": sets["gl_input"]}, model.network.outputs[0])
    scores = [units.numpy().copy() for _, units in batches]
    target = sets["gl_output"]
    assert target.start is not None and target.end is not None and target.index is not None
    wanted = np.zeros((target.facts.examples, target.facts.units))
    wanted[np.repeat(np.arange(len(wanted)), target.end - target.start), target.index] = 1
    assert result.best == pytest.approx(math.sqrt(((np.concatenate(scores) - wanted) ** 2).mean()), rel=1e-6)


def test_a_real_collection_is_judged_as_evaluate_does(
    movielens: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    data = read_interactions(movielens / "ratings_1024.txt")
    write_split(split(data, Protocol("holdout", 0.2, validation=0.2, seed=1)), data, tmp_path / "split")
    (tmp_path / "config.json").write_text(DEFINITION.replace('"CrossEntropy"', '"ScaledMarginalCrossEntropy"'))
    for name, flag in (("gl_input", "-c"), ("gl_output", "")):
        assert typed(f"generate -d {name} -i split/train -o {name}.nc -f f -s s {flag}") == OK
    options: dict[str, Any] = {"epochs": 3, "batch": 128, "optimizer": Optimizer.ADAM, "alpha": 0.01}
    sets = (["gl_input.nc"], ["gl_output.nc"])
    result = nnlang.train("config.json", *sets, "gl.nc", validate="split", metric="ndcg@100", **options)
    part = read_split("split").validation
    assert part is not None
    found = judge_texts({"model": load("gl.nc")}, *part, metrics=[named("ndcg@100")], resampling=None)
    assert found.ranker("model").means["ndcg@100"] == pytest.approx(result.best, abs=1e-12) and result.best > 0.1
