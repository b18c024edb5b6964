"""Job files: what they say, what they leave to their own defaults, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnlang.diagnostics import Report, Stop
from nnlang.job import Job, check_job, load_job
from nnlang.network import Optimizer
from nnlang.source import Source

TRAIN = {"Network": "c.json", "Command": "Train", "Data": "in.nc", "TrainingParameters": {"Epochs": 3}}


def checked(thing: Any) -> tuple[Job | None, list[str]]:
    report = Report()
    job = check_job(Source("job.json", json.dumps(thing)), report)
    return job, [d.code.code for d in report.sorted()]


def sound(thing: Any) -> Job:
    job, codes = checked(thing)
    assert codes == []
    assert job is not None
    return job


def test_a_job_has_defaults_of_its_own() -> None:
    job = sound(TRAIN)
    assert job.training == {
        "epochs": 3,
        "alpha": 0.1,
        "lambda_": 0.001,
        "mu": 0.9,
        "batch": 1024,
        "checkpoint_interval": 1,
    }
    assert job.written == {"epochs": 3}
    assert (job.results, job.checkpoint_name) == ("network.nc", "check")
    assert (job.prediction_k, job.prediction_batch, job.prediction_results) == (10, 1024, None)


def test_everything_written() -> None:
    job = sound(
        {
            "version": 0.8,
            "network": "c.json",
            "COMMAND": "train",
            "Data": ["in.nc", "out.nc"],
            "RandomSeed": 7,
            "TrainingParameters": {
                "Epochs": 3,
                "MiniBatch": 16,
                "Alpha": 0.5,
                "Optimizer": "Momentum",
                "CheckpointName": "ck",
                "Results": "r.nc",
                "ShuffleIndices": True,
            },
            "PredictionParameters": {"MiniBatch": 8, "K": 20},
        }
    )
    assert job.command == "Train"
    assert [d.value for d in job.data] == ["in.nc", "out.nc"]
    assert (job.results, job.checkpoint_name, job.prediction_k, job.prediction_batch) == ("r.nc", "ck", 20, 8)
    assert job.written == {
        "epochs": 3,
        "batch": 16,
        "alpha": 0.5,
        "optimizer": Optimizer.MOMENTUM,
        "shuffle": True,
        "seed": 7,
    }


def test_the_seed_of_the_training_parameters_is_nearer() -> None:
    job = sound(TRAIN | {"RandomSeed": 7, "TrainingParameters": {"Epochs": 1, "RandomSeed": 8}})
    assert job.training["seed"] == 8


def test_a_path_knows_its_place() -> None:
    job = sound(TRAIN)
    span = job.network.span
    assert job.source.text[span.start : span.end] == '"c.json"'


@pytest.mark.parametrize("command", ["Predict", "Validate"])
def test_only_training_needs_epochs(command: str) -> None:
    assert sound({"Network": "n.nc", "Command": command, "Data": "in.nc"}).command == command


@pytest.mark.parametrize(
    ("thing", "codes"),
    [
        ([], ["NN207"]),
        ({}, ["NN206", "NN206", "NN206"]),
        ({**TRAIN, "TrainingParameters": {}}, ["NN206"]),
        ({k: v for k, v in TRAIN.items() if k != "TrainingParameters"}, ["NN206"]),
        ({**TRAIN, "Command": "Trian"}, ["NN213"]),
        ({**TRAIN, "Layers": []}, ["NN203"]),
        ({**TRAIN, "TrainingParameters": {"Epochs": 3, "Optimizer": "LBFGS"}}, ["NN214"]),
        ({**TRAIN, "TrainingParameters": {"Epochs": 3, "MiniBatch": 0}}, ["NN211"]),
        ({**TRAIN, "Data": []}, ["NN219"]),
        ({**TRAIN, "Version": "0.8"}, ["NN603"]),
        ({**TRAIN, "TrainingParameters": {"Epochs": 3, "AlphaMultiplier": 0.5}}, ["NN511"]),
    ],
)
def test_findings(thing: Any, codes: list[str]) -> None:
    assert checked(thing)[1] == codes


def test_load_job(tmp_path: Path) -> None:
    path = tmp_path / "job.cdl"
    path.write_text(json.dumps(TRAIN), encoding="utf-8")
    job, report = load_job(path)
    assert job.command == "Train"
    assert report.diagnostics == []
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(Stop, match="NN206"):
        load_job(path)
