"""Are the recommendations any good: held-out entries of each user, judged beside the popularity baseline."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from nnlang.codes import data as data_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Diagnostic, Place, Report, stop
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.files import atomic_text
from nnlang.runtime.filters import Filter, FilterMode
from nnlang.runtime.metrics import Ints, Rows, Scores, holdout, popularity, score
from nnlang.runtime.model import Model
from nnlang.runtime.predict import (
    Recommender,
    Wanted,
    input_layer,
    is_analog,
    judge_signals,
    labels_of,
    output_layer,
    signal_set,
    unlabelled,
)
from nnlang.runtime.recs import Top
from nnlang.runtime.signals import decoded, encoded, read_signals, vocabulary
from nnlang.runtime.vocabulary import Vocabulary

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Evaluation:
    """How the model and the popularity baseline find held-out entries; both leave out what a user is known to have.

    `users` have a held-out entry; `features` could be recommended; the scores hold values at 1..k.
    """

    model: Scores
    popularity: Scores
    users: int
    features: int
    k: int
    notices: tuple[Diagnostic, ...] = ()


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
) -> Evaluation:
    """Judge a model on the entries of `held`, given those of `known`, both texts of `sample TAB feature:feature`.

    `known` is what the model sees of each user, what is never recommended, and what popularity is counted on. Features
    that only `held` names count as missed. Users without a held-out entry are not judged.
    """
    report = Report()
    source, (target, inner) = input_layer(model, None), output_layer(model, layer)
    if inner:
        outputs_of = ", ".join(output.name for output in model.network.outputs)
        raise stop(codes.WHICH_LAYER, reason=f"layer `{target.name}` is no output layer", layers=outputs_of)
    inputs = labels_of(model, source, input_index, report, "input", "--input-index")
    outputs = labels_of(model, target, output_index, report, "output", "--output-index")
    uses_values = analog if analog is not None else is_analog(model, source)
    signals = read_signals(known, vocabulary(inputs), values=uses_values)
    judge_signals(known, signals, report)
    samples = Vocabulary([encoded(sample) for sample in signals.samples])
    seen = read_signals(known, vocabulary(outputs), samples=samples).rows.distinct()
    relevant = read_signals(held, vocabulary(outputs), samples=samples, add=True).rows
    judged = np.flatnonzero(relevant.lengths)
    if not len(judged):
        hint = f"it must name samples that `{known}` names too"
        raise stop(data_codes.NO_ENTRIES, Place(str(held)), path=held, samples=0, hint=hint)
    removed = Filter(seen.take(judged), FilterMode.REMOVE)
    names = [signals.samples[user] for user in judged.tolist()]
    shown = signal_set(source, signals.rows.take(judged), uses_values)
    wanted = Wanted(k, unlabelled(outputs, target), removed, names)
    ranked = _ranked(Recommender(model, batch, device).best({shown.name: shown}, target, wanted), len(judged), k)
    found = judge(ranked, seen, relevant, judged, features=sum(1 for name in outputs if name))
    return replace(found, notices=tuple(report.diagnostics))


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


def judge(ranked: Ints, seen: Rows, relevant: Rows, judged: Ints, features: int) -> Evaluation:
    """Scores of ranked lists [judged users, k] and of popularity counted on `seen` of all users."""
    wanted = relevant.take(judged)
    baseline = popularity(seen, seen.take(judged), int(seen.index.max(initial=0)) + 1, ranked.shape[1])
    return Evaluation(
        model=score(ranked, wanted, features),
        popularity=score(baseline, wanted, features),
        users=len(judged),
        features=features,
        k=ranked.shape[1],
    )
