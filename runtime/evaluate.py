"""Are the recommendations any good: held-out entries of each user, judged beside baselines for the same users."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nnlang.codes import data as data_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, Report, stop
from nnlang.measures import Metric
from nnlang.runtime import ease
from nnlang.runtime.baselines import NEIGHBOURS, SHRINK, GroupPopularity, Ranker, item_counts, item_knn, popularity
from nnlang.runtime.contender import ModelRanker, contender
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.exam import Exam, digest_of, read_exam, read_groups
from nnlang.runtime.files import atomic_text
from nnlang.runtime.intervals import USUAL, Resampling
from nnlang.runtime.judging import Evaluation, Judged, Progress, judge, usual_metrics
from nnlang.runtime.metrics import Ints, Rows, Scores, holdout, score
from nnlang.runtime.model import Model
from nnlang.runtime.predict import Recommender, Wanted, output_layer
from nnlang.runtime.recs import Top
from nnlang.runtime.signals import decoded, read_signals
from nnlang.runtime.vocabulary import Vocabulary

__all__ = [
    "BASELINES", "Evaluation", "Judged", "Options", "Split", "evaluate", "judge", "judge_texts", "measure", "split"
]  # fmt: skip

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Options:
    """How models and baselines are asked: users at a time; the output layer; whether values of the texts count (None
    asks the model); index files for models without labels; and the baselines' own settings.

    `groups` names a text `user TAB group`. `ease_lambda` is a number above 0, "auto" (tried on a part of the training
    users' entries) or None: tried where the data are small, 500 where not. `seed` is that of the trying.
    """

    batch: int = 1024
    layer: str | None = None
    analog: bool | None = None
    input_index: Path_ | None = None
    output_index: Path_ | None = None
    groups: Path_ | None = None
    neighbours: int = NEIGHBOURS
    shrink: float = SHRINK
    ease_lambda: float | str | None = None
    seed: int = 1


@dataclass(frozen=True)
class _Asked:
    """What a baseline is fitted for."""

    exam: Exam
    options: Options
    k: int
    report: Report


def _popularity(asked: _Asked) -> Ranker:
    return popularity(asked.exam.train, asked.exam.items)


def _group(asked: _Asked) -> Ranker:
    exam, path = asked.exam, asked.options.groups
    if path is None:
        raise stop(codes.MISSING_OPTION, command="evaluate", option="--groups, a text of lines `user TAB group`")
    groups = read_groups(path, exam.users, exam.train_users, asked.report)
    return GroupPopularity(exam.train, item_counts(exam.train, exam.items), *groups)


def _knn(asked: _Asked) -> Ranker:
    return item_knn(asked.exam.train, asked.exam.items, asked.options.neighbours, asked.options.shrink)


def _ease(asked: _Asked) -> Ranker:
    wanted, exam, seed = asked.options.ease_lambda, asked.exam, asked.options.seed
    find = {"auto": ease.tried, None: ease.suited}
    lambda_ = wanted if isinstance(wanted, float) else find[wanted](exam.train, exam.items, asked.k, seed)
    return ease.ease(exam.train, exam.items, lambda_)


# The baselines by the names that people give; in the order of the table.
BASELINES: dict[str, Callable[[_Asked], Ranker]] = {
    "popularity": _popularity,
    "group": _group,
    "knn": _knn,
    "ease": _ease,
}


def judge_texts(
    models: Mapping[str, Model],
    known: Path_,
    held: Path_,
    *,
    train: Path_ | None = None,
    metrics: Sequence[Metric] | None = None,
    baselines: Sequence[str] = ("popularity",),
    options: Options = Options(),
    resampling: Resampling | None = USUAL,
    about: Mapping[str, Any] | None = None,
    device: Device = CPU,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Judge models and baselines on the entries of `held`, given those of `known`, texts `sample TAB feature:feature`.

    models: name in tables -> model; all others are compared with the first. `known` is what a ranker sees of each user
    and what is never recommended; baselines learn from `train`, or from `known` of all its users. baselines: names of
    BASELINES. Features that only `held` names count as missed; users without a held-out entry are not judged.
    Metrics are of ranked lists: precision, recall, NDCG and coverage at 10 unless given. Raises `Stop` for texts,
    models and settings that cannot be used.
    """
    report = Report()
    wanted = tuple(metrics) if metrics is not None else usual_metrics(10)
    chosen = {
        "layer": options.layer, "analog": options.analog,
        "input_index": options.input_index, "output_index": options.output_index,
    }  # fmt: skip
    contenders = [contender(name, model, report, **chosen) for name, model in models.items()]  # type: ignore[arg-type]
    exam = read_exam(contenders, known, held, train, report)
    asked = _Asked(exam, options, max(metric.k or 0 for metric in wanted), report)
    rankers: list[Ranker] = [ModelRanker(one, exam.numbers, exam.users, device) for one in contenders]
    rankers += [BASELINES[name](asked) for name in baselines]
    found = judge(
        rankers, exam.known, exam.held, wanted, items=exam.items, train=exam.train,
        kinds=["model"] * len(models) + list(baselines), batch=options.batch, resampling=resampling, progress=progress,
    )  # fmt: skip
    facts = {**_facts(exam, known, held, train), **(about or {})}
    return replace(found, about=facts, notices=(*report.diagnostics, *found.notices))


def _facts(exam: Exam, known: Path_, held: Path_, train: Path_ | None) -> dict[str, Any]:
    """What was judged, so that somebody else can judge the same."""
    facts: dict[str, Any] = {
        "known": {**digest_of(known), "entries": len(exam.known.index)},
        "held": {**digest_of(held), "entries": len(exam.held.index)},
    }
    if train is not None:
        facts["train"] = digest_of(train)
    return facts | {"train_users": exam.train.count, "train_entries": len(exam.train.index)}


def evaluate(
    model: Model,
    known: Path_,
    held: Path_,
    *,
    k: int = 10,
    batch: int = 1024,
    layer: str | None = None,
    analog: bool | None = None,
    input_index: Path_ | None = None,
    output_index: Path_ | None = None,
    device: Device = CPU,
    **further: Any,
) -> Evaluation:
    """Judge one model beside popularity, with lists of k; `further` are settings of `judge_texts` (metrics, ...)."""
    options = Options(batch, layer, analog, input_index, output_index)
    further.setdefault("metrics", usual_metrics(k))
    return judge_texts({"model": model}, known, held, options=options, device=device, **further)


@dataclass(frozen=True)
class Split:
    """What `split` wrote: users, entries kept, entries held out."""

    users: int
    kept: int
    held: int


def split(ratings: Path_, kept: Path_, held: Path_, fraction: float, seed: int, *, values: bool = False) -> Split:
    """Write each user's entries to two texts, `fraction` of them (seeded, at least one of two) to `held`.

    Features that a user names twice count once. With `values` the values are written too.
    """
    features = Vocabulary()
    found = read_signals(ratings, features, values=values, add=True)
    if not len(found.rows.index):
        raise stop(data_codes.NO_ROWS, Place(str(ratings)), path=ratings, bad=found.bad_count)
    stay, out = holdout(found.rows.distinct(), fraction, seed)
    if not len(out.index):
        hint = "no user has two entries, so that one could be held out"
        raise stop(data_codes.NO_ENTRIES, Place(str(ratings)), path=ratings, samples=len(found.samples), hint=hint)
    labels = [decoded(label) for label, _ in features.items()]
    atomic_text(kept, _lines(found.samples, labels, stay))
    atomic_text(held, _lines(found.samples, labels, out))
    return Split(len(found.samples), len(stay.index), len(out.index))


def _lines(samples: tuple[str, ...], labels: list[str], rows: Rows) -> Iterator[str]:
    values = rows.values.tolist() if rows.values is not None else None
    for user, sample in enumerate(samples):
        here = range(int(rows.start[user]), int(rows.start[user + 1]))
        points = (labels[rows.index[i]] + (f",{values[i]!r}" if values is not None else "") for i in here)
        if here:
            yield f"{sample}\t{':'.join(points)}\n"


def measure(
    model: Model, datasets: Mapping[str, DataSet], *, k: int = 10, batch: int = 1024, device: Device = CPU
) -> Scores:
    """Precision, recall and NDCG of a model on examples that bring their own targets, as DSSTNE's jobs count them.

    Nothing is left out of the recommendations, and the ideal is the list of all relevant features (dsstne.md 10.4).
    Raises `Stop` where the data lack a set that the model's input or output layers read, or targets are dense.
    """
    target, _ = output_layer(model, None)
    for layer in (*model.network.inputs, target):
        if layer.dataset not in datasets:
            found = ", ".join(datasets) or "nothing"
            reason = f"no file holds data set `{layer.dataset}` of layer `{layer.name}` (found: {found})"
            raise stop(codes.JOB_DATA, command="Predict", reason=reason)
    targets = datasets[target.dataset]
    if targets.start is None or targets.end is None or targets.index is None:
        raise stop(codes.JOB_DATA, command="Predict", reason=f"data set `{target.dataset}` is dense")
    rows = Rows(np.append(targets.start, targets.end[-1:]), targets.index.astype(np.int64))
    relevant = rows if targets.row is None else rows.take(targets.row)
    inputs = {layer.dataset: datasets[layer.dataset] for layer in model.network.inputs}
    names = [str(example) for example in range(relevant.count)]
    wanted = Wanted(k, torch.empty(0, dtype=torch.int64), None, names)
    ranked = _ranked(Recommender(model, batch, device).best(inputs, target, wanted), relevant.count, k)
    return score(ranked, relevant, target.units, truncate=False)


def _ranked(batches: Iterator[tuple[int, Top]], count: int, k: int) -> Ints:
    """The best k of each example, int64 [count, k], -1 in empty places."""
    ranked = np.full((count, k), -1, dtype=np.int64)
    for first, found in batches:
        rows, width = found.feature.shape
        ranked[first : first + rows, :width] = found.feature
    return ranked
