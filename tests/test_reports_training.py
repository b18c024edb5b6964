"""`nnlang report`: the curves of trainings as their metrics files tell them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from plotly import graph_objects

from nnlang.cli import run_command
from nnlang.codes import reporting as codes
from nnlang.reports import training
from tests.html_pages import Page


def metrics_file(model: Path, epochs: int = 12, *, judged: bool = True) -> Path:
    """The metrics of a training, as it writes them, with a line cut off by a crash."""
    lines = []
    for epoch in range(1, epochs + 1):
        error = 0.1 / epoch
        lines.append({
            "event": "epoch", "epoch": epoch, "error": error + 0.001, "training_error": error,
            "regularization_error": 0.001, "seconds": 1.5, "samples_per_second": 4000.0,
        })  # fmt: skip
        if judged:
            value = None if epoch == 2 else 0.3 - 0.001 * (epoch - 9) ** 2
            lines.append({"event": "validation", "epoch": epoch, "ndcg@100": value, "rmse": 1.0 + epoch})
    path = Path(f"{model}.metrics.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "epo')
    return path


def test_a_training_is_drawn(tmp_path: Path) -> None:
    metrics_file(tmp_path / "gl.nc")
    (tmp_path / "gl.nc10.nc").touch()
    result = training.write([tmp_path / "gl.nc"], tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    plots = page.plots()
    assert set(plots) == {"errors", "judged-0", "judged-1", "penalty", "speed"} and not result.notices
    assert plots["errors"]["data"][0]["y"][0] == pytest.approx(0.101)
    assert len(plots["errors"]["layout"]["shapes"]) == 1 and "12 epochs in 18.0 s" in page.text
    curve, star = plots["judged-0"]["data"]
    assert curve["y"][1] is None and (star["x"], star["y"]) == ([9], [0.3])
    assert plots["judged-1"]["data"][1]["x"] == [1]  # of rmse less is better
    for name, plot in plots.items():
        assert graph_objects.Figure(data=plot["data"], layout=plot["layout"]).data, name


def test_trainings_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [tmp_path / "gl.nc", tmp_path / "<b>.nc"]
    metrics_file(models[0])
    metrics_file(models[1], judged=False)
    assert run_command(["report", *map(str, models), "-o", str(tmp_path / "r.html")]) == 0
    assert capsys.readouterr().out.startswith("wrote ")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [trace["name"] for trace in page.plots()["errors"]["data"]] == ["gl.nc", "&lt;b&gt;.nc"]
    assert len(page.plots()["judged-0"]["data"]) == 2 and "<b>.nc" in page.text


def test_the_model_gives_the_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnlang.runtime import model

    metrics_file(tmp_path / "gl.nc")
    (tmp_path / "gl.nc").write_text("no model")
    assert training.write([tmp_path / "gl.nc"], tmp_path / "r.html").notices[0].code is codes.NOT_IN_THE_REPORT
    from tests.test_predict import trained

    model.save(replace(trained(), definition='{ "Version": 0.8 } // mine'), tmp_path / "gl.nc")
    assert not training.write([tmp_path / "gl.nc"], tmp_path / "r.html").notices
    assert "// mine" in Page((tmp_path / "r.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize("words", [("gl.nc", "-o", "gl.nc"), ("gl.nc", "gl.nc"), ("gl.nc", "gl.nc.metrics.jsonl"), ()])
def test_slips_of_the_hand_cost_nothing(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    metrics_file(tmp_path / "gl.nc")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run_command(["report", *words]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == before
