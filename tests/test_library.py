"""The library face does what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnlang
from nnlang.diagnostics import Stop

DEFINITION = """{
  "Version": 0.9, "Name": "small", "ErrorFunction": "CrossEntropy",
  "Layers": [
    { "Name": "In", "Kind": "Input", "N": "auto", "DataSet": "a_input", "Sparse": true },
    { "Name": "Mid", "Kind": "Hidden", "N": 4, "Activation": "Tanh" },
    { "Name": "Out", "Kind": "Output", "N": "auto", "DataSet": "a_output", "Activation": "Sigmoid" }
  ]
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.json").write_text(DEFINITION)
    (tmp_path / "ratings").write_text("".join(f"u{i}\ti{i % 7}:i{(i * 3) % 11}:i{i % 5}\n" for i in range(40)))
    for name, create in (("a_input", True), ("a_output", False)):
        nnlang.generate(
            name,
            tmp_path / "ratings",
            tmp_path / f"{name}.nc",
            tmp_path / "features",
            tmp_path / "samples",
            create=create,
        )
    return tmp_path


def test_generate_train_predict_without_index_files(folder: Path) -> None:
    done = nnlang.train(
        folder / "net.json",
        [folder / "a_input.nc"],
        [folder / "a_output.nc"],
        folder / "m.nc",
        epochs=3,
        batch=8,
        optimizer="Adam",
    )
    assert done.epochs == 3
    found = nnlang.predict(folder / "m.nc", folder / "ratings", folder / "recs", k=2, filter=folder / "ratings")
    assert found.samples == 40
    lines = (folder / "recs").read_text().splitlines()
    seen = {
        line.split("\t")[0]: line.split("\t")[1].split(":") for line in (folder / "ratings").read_text().splitlines()
    }
    for line in lines:
        user, recs = line.split("\t")
        items = [pair.split(",")[0] for pair in recs.split(":")[:-1]]
        assert len(items) == 2
        assert not set(items) & set(seen[user])


def test_compile_and_lint(folder: Path) -> None:
    assert nnlang.lint(folder / "net.json", ignore=["NN520"]) == []
    compiled = nnlang.compile(folder / "net.json", [folder / "a_input.nc", folder / "a_output.nc"], batch=8)
    assert "def step(s, x, block):" in compiled.source


def test_a_wrong_setting_is_a_stop(folder: Path) -> None:
    with pytest.raises(Stop, match="NN703"):
        nnlang.train(folder / "net.json", [folder / "a_input.nc"], [folder / "a_output.nc"], folder / "m.nc", alpah=1)
    assert not (folder / "m.nc").exists()


def test_a_sweep_is_a_study_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "ratings.txt").write_text(
        "".join(f"u{i}\ti{i % 7}:i{(i * 3) % 11}:i{i % 5}:i{i % 3}\n" for i in range(40))
    )
    (tmp_path / "net.json").write_text(DEFINITION)
    (tmp_path / "sweep.json").write_text("""{
      "Sweep": "small", "Definition": "net.json", "Data": { "Ratings": "ratings.txt" },
      "Split": { "Protocol": "Holdout", "Fraction": 0.25, "Validation": 0.25, "Seed": 1 }, "Metric": "ndcg@3",
      "TrainingParameters": { "Epochs": 2, "MiniBatch": 8 },
      "Axes": { "Layers.Mid.N": [2, 4, 8] }, "Method": "Grid"
    }""")
    seen: list[int] = []
    study = nnlang.sweep(
        tmp_path / "sweep.json", tmp_path / "tried", trials=2, changed=lambda s: seen.append(len(s.trials))
    )
    assert [t.params for t in study.trials] == [{}, {"Layers.Mid.N": 2}, {"Layers.Mid.N": 4}] and seen[-1] == 3
    with pytest.raises(Stop):
        nnlang.sweep(tmp_path / "sweep.json", tmp_path / "tried")
    more = nnlang.sweep(tmp_path / "sweep.json", tmp_path / "tried", resume=True, trials=3)
    assert [t.value for t in more.trials[:3]] == [t.value for t in study.trials] and len(more.trials) == 4
