"""Every diagnostic of the command line and of prediction, whole: tests/usage_errors/<code>.err is what people read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnlang import cli
from nnlang.cli import run_command
from nnlang.codes import usage
from nnlang.diagnostics import Code, Stop, render
from nnlang.runtime import ease
from nnlang.runtime.filters import FilterMode
from nnlang.runtime.model import save
from nnlang.runtime.predict import Request, predict
from tests.conftest import Golden
from tests.test_evaluate import constant, following
from tests.test_predict import ITEMS, network, trained

GOLDEN = Path(__file__).parent / "usage_errors"
CODES = sorted(row.code for row in vars(usage).values() if isinstance(row, Code))
PREDICT = ["predict", "-n", "m.nc", "-r", "signals", "-s", "recs"]
TRAIN = ["train", "-c", "config.json", "-i", "in.nc", "-o", "out.nc", "-n", "gl.nc"]

Case = Callable[[pytest.MonkeyPatch, pytest.CaptureFixture[str]], str]


def typed(*words: str) -> Case:
    """What this command line writes to standard error."""

    def case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
        assert run_command(words) > 0
        return capsys.readouterr().err

    return case


def predicted(signals: str = "u\ta\n", *, files: dict[str, str] | None = None, **options: object) -> Case:
    """What predicting with the model of test_predict finds; `broken` puts NaN into it, `labels` says if it has some."""

    def case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
        for name, text in {"signals": signals, **(files or {})}.items():
            Path(name).write_text(text)
        model = trained(labels=bool(options.pop("labels", True)))
        if options.pop("broken", False):
            model.biases[1][0] = np.nan
        try:
            return render(predict(model, replace(Request("signals", "recs"), **options)).notices) + "\n"  # type: ignore[arg-type]
        except Stop as error:
            return render(error.diagnostics) + "\n"

    return case


def without_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    def app(*args: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli, "app", app)
    return typed("train", "-c", "config.json")(monkeypatch, capsys)


def existing_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    Path("gl.nc").write_text("a model")
    return typed(*TRAIN)(monkeypatch, capsys)


def job_without_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    save(following(), "m.nc")
    Path("ratings").write_text("u\ta\n")
    assert run_command(["generate", "-d", "other", "-i", "ratings", "-o", "o.nc", "-f", "f", "-s", "s", "-c"]) == 0
    Path("job.json").write_text(json.dumps({"Version": 1, "Network": "m.nc", "Command": "Predict", "Data": "o.nc"}))
    capsys.readouterr()
    return typed("run", "job.json")(monkeypatch, capsys)


def configured(text: str) -> Case:
    """What lint says of a configuration file."""

    def case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
        Path("nnlang.toml").write_text(text)
        return typed("lint", "config.json")(monkeypatch, capsys)

    return case


def damaged_baseline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    Path("known.json").write_text('{ "version": 2, "findings": [] }')
    return typed("lint", "nets/", "--baseline", "known.json")(monkeypatch, capsys)


def judged(*options: str) -> Case:
    """What judging the model of test_evaluate on two users finds; `groups` names one of them."""

    def case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
        save(following(), "m.nc")
        files = {"known": "u\ta\nv\tb\n", "held": "u\tb\nv\tc\n", "groups": "u\tG\n", "bad_groups": "u\tG\nv G\n"}
        for name, text in files.items():
            Path(name).write_text(text)
        run_command(["evaluate", "-n", "m.nc", "-r", "known", "-t", "held", "-k", "2", *options])
        return capsys.readouterr().err

    return case


def judged_on_what_is_known(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    save(following(), "m.nc")
    Path("all").write_text("u\ta:b\nv\tb:c\n")
    Path("held").write_text("u\tb\nv\tc:d\n")
    run_command(["evaluate", "-n", "m.nc", "-r", "all", "-t", "held"])
    return capsys.readouterr().err


def judged_without_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(ease, "available_memory", lambda: 24)
    return judged("--baselines", "ease", "--ease-lambda", "1")(monkeypatch, capsys)


def collapsed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What is told of a model that recommends the same to a hundred users of forty items."""
    save(constant(40), "m.nc")
    users = [f"u{number}\ti{1 + number % 39}" for number in range(100)]
    Path("known").write_text("".join(f"{user}\n" for user in users))
    Path("held").write_text("".join(f"u{number}\ti{1 + (number + 7) % 39}\n" for number in range(100)))
    run_command(["evaluate", "-n", "m.nc", "-r", "known", "-t", "held", "-k", "4"])
    return capsys.readouterr().err


def two_inputs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    net = network()
    second = replace(net.layers[1], kind=net.layers[0].kind, name="Second")
    try:
        predict(replace(trained(), network=replace(net, layers=(net.layers[0], second))), Request("signals", "recs"))
    except Stop as error:
        return render(error.diagnostics) + "\n"
    raise AssertionError


INDEX = "".join(f"{item}\t{number}\n" for number, item in enumerate((*ITEMS, "late", "later")))
CASES: dict[str, Case] = {
    "NN700": typed("train", "-aplha", "1"),
    "NN701": typed("trian", "-c", "config.json"),
    "NN702": typed("train", "-c", "config.json"),
    "NN703": typed(*PREDICT, "-k", "ten"),
    "NN704": typed("evaluate", "-r", "ratings"),
    "NN705": without_package,
    "NN706": typed(*TRAIN, "--device", "cuda:0"),
    "NN707": typed(*TRAIN, "--resume", "--overwrite"),
    "NN708": existing_model,
    "NN709": job_without_data,
    "NN750": predicted(dataset="ml"),
    "NN751": predicted(labels=False),
    "NN752": predicted(input_index="index", files={"index": "b\t0\na\t1\n"}),
    "NN753": predicted(input_index="index", files={"index": INDEX}),
    "NN754": predicted(layer="Hiden"),
    "NN755": predicted(broken=True),
    "NN756": predicted("u\ta:nope:nil\n"),
    "NN757": predicted("u\ta\nnew\t\n"),
    "NN758": predicted(filter="seen", filter_mode=FilterMode.SCALE, files={"seen": "u\ta,1112486027\n"}),
    "NN759": two_inputs,
    "NN764": judged_without_memory,
    "NN765": collapsed,
    "NN766": judged("--groups", "groups"),
    "NN767": judged("--groups", "bad_groups"),
    "NN768": typed("evaluate", "-n", "m.nc", "-r", "r", "-t", "t", "--metrics", "auc"),
    "NN771": configured("[lint]\nselect = [\n"),
    "NN772": configured('[lint]\ningore = ["NN5"]\n'),
    "NN773": configured('[lint]\ngpu-memory = "24 apples"\n'),
    "NN774": configured('[lint]\nselect = ["NN5O2"]\n'),
    "NN775": typed("lint", "nets/", "--baseline", "known.json"),
    "NN776": damaged_baseline,
    "NN777": judged_on_what_is_known,
    "NN770": typed("explain", "hidden-layer-size"),
}


@pytest.mark.parametrize("code", CODES)
def test_findings_read_as_blessed(
    code: str,
    tmp_path: Path,
    golden: Golden,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CASES[code](monkeypatch, capsys)
    assert f"[{code}]" in found
    golden(GOLDEN / f"{code}.err", found)
