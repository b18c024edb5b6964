"""The library face: the commands as functions, with the commands' names and settings. Findings are raised as `Stop`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlang import measures
from nnlang.codegen.pipeline import Options
from nnlang.compiler import Compiled, compile_network
from nnlang.definition import load
from nnlang.diagnostics import Diagnostic
from nnlang.network import DataFacts
from nnlang.runtime.facts import facts_of, saved_of
from nnlang.settings import settle
from nnlang.syntax import read_source

if TYPE_CHECKING:
    from nnlang.runtime.convert import Conversion
    from nnlang.runtime.evaluate import Evaluation
    from nnlang.runtime.mesh import Mesh
    from nnlang.runtime.model import Model
    from nnlang.runtime.predict import Prediction
    from nnlang.runtime.train import Observer, TrainResult

PathLike = str | os.PathLike[str]


def lint(
    path: PathLike,
    data: Iterable[PathLike] = (),
    *,
    widths: Mapping[str, DataFacts] | None = None,
    against: PathLike | None = None,
    **settings: Any,
) -> list[Diagnostic]:
    """Everything there is to say about a definition or a job file, mistakes included, in the order of its places.

    data: data set files whose shapes the definition is checked against; widths: facts of data sets that are only
    named; against: a model whose weights it should load. settings: those of `[tool.nnlang.lint]` with underscores
    (select, ignore, extend_select, severity, gpu_memory, batch, strict_json); no configuration file is read. Raises
    Stop for files that cannot be read, ValueError for a setting that is none. Needs h5py only for data and against.
    """
    from nnlang.linting.check import lint as run
    from nnlang.linting.config import settings_of

    chosen = settings_of({name.replace("_", "-"): value for name, value in settings.items()})
    facts = facts_of(data) | dict(widths or {})
    return [finding.diagnostic for finding in run(read_source(path), chosen, facts, saved_of(against))]


def compile(
    config: PathLike,
    data: Iterable[PathLike] = (),
    *,
    widths: Mapping[str, DataFacts] | None = None,
    entry: str = "step",
    batch: int | None = None,
    target: str = "cpu",
    precision: str = "fp32",
) -> Compiled:
    """A definition compiled: its operations, plan and module text (`.source`), without running anything.

    data: files that give sizes; widths: facts of data sets that are only named. entry: step, predict, gradient or
    evaluate. Raises Stop for mistakes in the definition and for what is not yet supported.
    """
    checked = load(Path(config), facts_of(data) | dict(widths or {}))
    assert checked.network is not None
    training, _ = settle(checked.training, {"batch": batch})
    return compile_network(checked.network, [entry], training.batch, training, Options(target, precision))


def generate(
    dataset: str,
    source: PathLike,
    output: PathLike,
    features: PathLike,
    samples: PathLike,
    **options: Any,
) -> Conversion:
    """A NetCDF data set and its index files from text or columns (dsstne.md 8.5 to 8.8).

    options: the other fields of runtime.convert.Request (create, merge, analog, columns, strict, ...).
    """
    from nnlang.runtime.convert import Request, convert

    return convert(Request(dataset, Path(source), Path(output), Path(features), Path(samples), **options))


def train(
    config: PathLike,
    inputs: Sequence[PathLike],
    outputs: Sequence[PathLike],
    model: PathLike,
    *,
    resume: bool = False,
    labels: Mapping[str, tuple[str, ...]] | None = None,
    observer: Observer | None = None,
    device: str | None = None,
    precision: str | None = None,
    validate: PathLike | Sequence[PathLike] = (),
    metric: str | None = None,
    patience: int = 0,
    validate_every: int = 1,
    **settings: Any,
) -> TrainResult:
    """Trains a definition on data set files and writes the model.

    device: cuda, cpu or interpret, by default a GPU where there is one; precision: fp32, tf32, tf32x3 or bf16, of its
    products. validate: a folder of `nnlang data split`, or data set files; then the model written is that of the best
    epoch by `metric` (such as ndcg@100 or auc), and the training ends after `patience` measurements in a row without a
    better one (0: never early). settings: fields of nnlang.network.Training (epochs, batch, optimizer, alpha, lambda_,
    mu, seed, ...); they override the definition's TrainingParameters. Raises Stop: definition (2), data (3), memory
    (4), device (5), divergence (6), disk (7); ValueError for a metric that is none.
    """
    from nnlang.runtime.devices import find
    from nnlang.runtime.session import prepare
    from nnlang.runtime.train import train as run
    from nnlang.runtime.validation import validation_of

    by = measures.metric(metric) if metric is not None else None
    if isinstance(by, str):
        raise ValueError(f"metric {metric!r}: {by}")
    session = prepare(Path(config), [Path(p) for p in (*inputs, *outputs)], settings)
    session = replace(session, labels={**session.labels, **(labels or {})})
    place, validation = find(device, precision), None
    if places := [Path(p) for p in ([validate] if isinstance(validate, str | os.PathLike) else validate)]:
        validation, _ = validation_of(session, places, by, patience=patience, every=validate_every, device=place)
    return run(
        session.network,
        session.datasets,
        session.settings,
        output=Path(model),
        definition=session.text,
        labels=session.labels,
        resume=resume,
        observer=observer,
        device=place,
        validation=validation,
    )


def predict(
    model: PathLike | Model,
    signals: PathLike,
    output: PathLike,
    *,
    device: str | None = None,
    mesh: Mesh | None = None,
    **options: Any,
) -> Prediction:
    """Recommendations for the samples of a text, written to a file; needs neither training data nor definition.

    device: as in `train`; mesh: of nnlang.runtime.mesh.join, in processes that share the work and all call this (then
    give the model as a file: each reads its part); options: the other fields of runtime.predict.Request (k, filter,
    filter_mode, input_index, output_index, parallel, ...).
    """
    from nnlang.runtime.devices import find
    from nnlang.runtime.mesh import ALONE_MESH
    from nnlang.runtime.predict import Request
    from nnlang.runtime.predict import predict as run

    return run(model, Request(signals, output, **options), device=find(device), mesh=mesh or ALONE_MESH)


def evaluate(
    model: PathLike | Model, signals: PathLike, held_out: PathLike, *, device: str | None = None, **options: Any
) -> Evaluation:
    """How well a model finds held-out entries, beside baselines; the result's `record()` is the whole as JSON.

    device: as in `train`; options: k, or metrics (texts such as "ndcg@100"; ValueError for one that is none); batch,
    layer, analog, input_index, output_index; baselines, train, resampling and about of runtime.evaluate.judge_texts.
    """
    from nnlang.runtime.devices import find
    from nnlang.runtime.evaluate import evaluate as run

    if "metrics" in options:
        options["metrics"] = [_ranked(text) for text in options["metrics"]]
    return run(_model(model), Path(signals), Path(held_out), device=find(device), **options)


def _ranked(text: str) -> measures.Metric:
    found = measures.metric(text)
    if isinstance(found, str) or not found.measure.ranked:
        reason = found if isinstance(found, str) else "it judges no ranked lists"
        raise ValueError(f"metric {text!r}: {reason}")
    return found


def _model(model: PathLike | Model) -> Model:
    from nnlang.runtime import model as models

    return models.load(model) if isinstance(model, str | os.PathLike) else model
