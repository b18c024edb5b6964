"""`nnlang run`: DSSTNE's job files, the commands Train, Predict and Validate (dsstne.md 10.4)."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang import schema
from nnlang.cli import options, show
from nnlang.cli.train import check_model, conclude, execute, prepare
from nnlang.diagnostics import FINDINGS
from nnlang.job import Job, load_job
from nnlang.network import Training
from nnlang.settings import text

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.metrics import Scores
    from nnlang.runtime.session import Session


def run(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job file (CDL, JSON).", readable=False)],
    resume: Annotated[bool, typer.Option("--resume", help="Train: continue what was interrupted.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train: replace the model if it is there.")] = False,
    json: options.Json = False,
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
) -> None:
    """Run a job file: train a definition, measure a model, or check gradients.

    \b
    nnlang run train.json
    { "Network": "config.json", "Command": "Train", "Data": ["gl_input.nc", "gl_output.nc"],
      "TrainingParameters": { "Epochs": 10, "Optimizer": "Nesterov", "MiniBatch": 256, "Results": "gl.nc" } }

    Predict prints `k,precision,recall,NDCG` for k from 1. Validate compares gradients with differences of the error
    and exits with 1 where they disagree. The same as a command line is printed first.
    """
    found, report = load_job(job)
    show.findings(report.sorted())
    show.tell(f"same as: {equivalent(found)}")
    _COMMANDS[found.command](found, options.device(device, precision, tuning, "run"), resume, overwrite, json)


def equivalent(job: Job) -> str:
    """The command line that does what the job does."""
    files = [name.value for name in job.data]
    if job.command == "Predict":
        words = ["nnlang", "predict", "-n", job.network.value, "-b", str(job.prediction_batch)]
        return shlex.join([*words, "-k", str(job.prediction_k), "-r", "SIGNALS", "-s", "RECS"])
    if job.command == "Validate":
        return shlex.join(["nnlang", "train", "-c", job.network.value]) + " with every gradient checked instead of used"
    words = ["nnlang", "train", "-c", job.network.value, "-i", files[0]]
    for file in files[1:] or files:
        words += ["-o", file]
    words += ["-n", job.results]
    for name, value in job.training.items():
        if name == "shuffle":
            words.append("--shuffle" if value else "--no-shuffle")
        elif name in options.FLAGS:
            words += [options.FLAGS[name], text(value)]
    return shlex.join(words)


def _session(job: Job) -> Session:
    """What the job says counts, then the definition's TrainingParameters, then the defaults of jobs."""
    defaults = replace(Training(), **dict(schema.JOB_DEFAULTS))  # type: ignore[arg-type]
    names = dict.fromkeys(options.FLAGS, "the job")
    return prepare(Path(job.network.value), _files(job), job.written, defaults=defaults, names=names)


def _train(job: Job, device: Device, resume: bool, overwrite: bool, as_json: bool) -> None:
    model = Path(job.results)
    check_model(model, resume, overwrite)
    session = _session(job)
    view = show.json_view if as_json else show.EpochView(session.settings.epochs)
    result = execute(session, model, device, resume=resume, views=(view,))
    conclude(session, model, result, as_json)


def _predict(job: Job, device: Device, resume: bool, overwrite: bool, as_json: bool) -> None:
    from nnlang.runtime.dataset import read_all
    from nnlang.runtime.evaluate import measure
    from nnlang.runtime.files import atomic_text
    from nnlang.runtime.model import load

    model = load(Path(job.network.value))
    data = read_all(_files(job))
    scores = measure(model, data, k=job.prediction_k, batch=job.prediction_batch, device=device)
    lines = [_line(scores, k, as_json) for k in range(1, job.prediction_k + 1)]
    for line in lines:
        show.say(line)
    if job.prediction_results is not None:
        atomic_text(job.prediction_results, (line + "\n" for line in lines))


def _line(scores: Scores, k: int, as_json: bool) -> str:
    precision, recall, ndcg = (float(values[k - 1]) for values in (scores.precision, scores.recall, scores.ndcg))
    if as_json:
        return show.json_text({"k": k, "precision": precision, "recall": recall, "ndcg": ndcg})
    return f"{k},{precision:6.4f},{recall:6.4f},{ndcg:6.4f}"


def _validate(job: Job, device: Device, resume: bool, overwrite: bool, as_json: bool) -> None:
    from nnlang.runtime.validate import gradient_check

    session = _session(job)
    rows = gradient_check(session.network, dict(session.datasets), session.settings.seed, device=device)
    failed = [row for row in rows if not row.passed]
    if as_json:
        for row in rows:
            show.record(asdict(row))
    else:
        cells = [
            (row.name, row.tested, f"{row.gradient:.6g}", f"{row.difference:.6g}", "ok" if row.passed else "FAILED")
            for row in rows
        ]
        columns = ("parameters", "tested", "worst: gradient", "difference", "")
        show.table("gradients against differences of the error, in float64", columns, cells)
    if failed:
        raise typer.Exit(FINDINGS)


def _files(job: Job) -> list[Path]:
    return [Path(name.value) for name in job.data]


_COMMANDS: dict[str, Callable[[Job, Device, bool, bool, bool], None]] = {
    "Train": _train,
    "Predict": _predict,
    "Validate": _validate,
}
