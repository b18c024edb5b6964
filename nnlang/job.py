"""Job files (DSSTNE's command definition language, dsstne.md 10.4): what to do, with which files and settings."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from nnlang import ast, schema
from nnlang.ast import Written
from nnlang.codes import keys as codes
from nnlang.decode import decode_job
from nnlang.diagnostics import Report, at
from nnlang.notes import training_notes
from nnlang.resolve import resolve_training
from nnlang.source import Source
from nnlang.syntax import DEFAULTS, Limits, parse, read_source


@dataclass(frozen=True)
class Job:
    """One job. Paths are as written, relative to the current directory, with their spans for complaints about them.

    `training` holds all settings that the job has an opinion on, by the field names of `network.Training`: what is
    written, else the defaults of job files, which are not those of the command line (dsstne.md 5.4).
    """

    source: Source
    command: str  # "Train", "Predict" or "Validate"
    network: Written[str]
    data: tuple[Written[str], ...]
    training: dict[str, object]
    written: dict[str, object]  # the part of `training` that is written
    results: str
    checkpoint_name: str
    prediction_batch: int
    prediction_k: int
    prediction_results: str | None


def check_job(source: Source, report: Report, limits: Limits = DEFAULTS) -> Job | None:
    """The job that a text spells; None with everything wrong in it reported."""
    root = parse(source, report, limits)
    job = decode_job(root, source, report, limits) if root is not None else None
    if job is None:
        return None
    training_notes(job.training, job, report)
    if job.command.value == "Train" and not (job.training and job.training.epochs):
        span = job.training.key if job.training else job.command.span
        what = "`TrainingParameters` of a Train job"
        report(codes.MISSING_KEY, at(source, span), key="Epochs", what=what, expected="the number of epochs")
        return None
    return _job(job)


def load_job(path: str | PathLike[str], limits: Limits = DEFAULTS) -> tuple[Job, Report]:
    """The job of a file, with the warnings about it; a `Stop` with all errors if it is not sound."""
    report = Report()
    job = check_job(read_source(path, limits), report, limits)
    report.check()
    assert job is not None
    return job, report


def _job(job: ast.Job) -> Job:
    written = resolve_training(job.training)
    if job.seed is not None:
        written.setdefault("seed", job.seed.value)
    training = job.training or ast.Training(job.span, job.span)
    prediction = job.prediction or ast.Prediction(job.span, job.span)
    return Job(
        source=job.source,
        command=job.command.value,
        network=job.network,
        data=job.data,
        training={**dict(schema.JOB_DEFAULTS), **written},
        written=written,
        results=training.results.value if training.results else schema.JOB_RESULTS,
        checkpoint_name=training.checkpoint_name.value if training.checkpoint_name else schema.JOB_CHECKPOINT_NAME,
        prediction_batch=prediction.batch.value if prediction.batch else _default("batch"),
        prediction_k=prediction.k.value if prediction.k else _default("k"),
        prediction_results=prediction.results.value if prediction.results else None,
    )


def _default(field: str) -> int:
    """What a number of PredictionParameters is where it is not written."""
    value = schema.PREDICTION.default(field)
    assert isinstance(value, int)
    return value
