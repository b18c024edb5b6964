"""Judging a model while it is trained: what is measured after an epoch, which epoch is best, when to end early."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import data as data_codes
from nnlang.codes import training as codes
from nnlang.codes import usage as usage_codes
from nnlang.diagnostics import Diagnostic, Place, Report, Stop, stop
from nnlang.lower import Ranking
from nnlang.measures import Metric, metric
from nnlang.network import Layer
from nnlang.runtime import pointwise
from nnlang.runtime.dataset import DataSet, read_all
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.filters import Filter, FilterMode
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.metrics import Ints, Rows, mean_of, per_user
from nnlang.runtime.model import Model
from nnlang.runtime.pointwise import never
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
from nnlang.runtime.preparation import recorded
from nnlang.runtime.program import Program
from nnlang.runtime.session import Session
from nnlang.runtime.signals import encoded, read_signals, vocabulary
from nnlang.runtime.vocabulary import Vocabulary

History = Sequence[tuple[int, float | None]]  # (epoch, value), ascending; None for what was no number
Floats = NDArray[np.float64]
PerUser = Callable[[Model], Mapping[str, Floats]]


class Measure(Protocol):
    """Measures a model; `interrupted` is asked after every batch, and a yes gives {}."""

    def __call__(self, model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
        """What was measured, by the names of the metrics."""


@dataclass(frozen=True)
class Validation:
    """How a training is judged on the way: by `metric`, one of what `measure` gives, after every `every` epochs.

    It ends early after `patience` measurements in a row that were not better (0: never). `data` tells apart what is
    judged on. per_user: of ranked lists, the values of every judged user, float64 [users], in the order of the text.
    """

    metric: Metric
    measure: Measure
    patience: int = 0
    every: int = 1
    data: str = ""
    per_user: PerUser | None = None

    @property
    def judged(self) -> str:
        """What values must have in common to be compared."""
        return f"{self.metric} on data {self.data[:12]}" if self.data else str(self.metric)

    def due(self, epoch: int) -> bool:
        """Whether the model is measured after this epoch (from 1)."""
        return epoch > 0 and epoch % self.every == 0

    def best(self, history: History) -> tuple[int, float] | None:
        """The first of the best values, with its epoch; None where nothing was a number."""
        found: tuple[int, float] | None = None
        for epoch, value in history:
            if value is not None and (found is None or self.metric.better(value, found[1])):
                found = epoch, value
        return found

    def stale(self, history: History) -> int:
        """How many of the last values were not better than the best one before them."""
        best = self.best(history)
        return sum(1 for epoch, _ in history if best is None or epoch > best[0])

    def exhausted(self, history: History) -> bool:
        """Whether nothing has got better for so long that the training ends."""
        return 0 < self.patience <= self.stale(history)


def shared(found: Validation | None, mesh: Mesh) -> Validation | None:
    """The first rank's validation for all ranks: the others know how it judges, and it alone measures."""
    facts = mesh.share(None if found is None else [str(found.metric), found.patience, found.every, found.data])
    if mesh.is_first or facts is None:
        return found if mesh.is_first else None
    text, patience, every, data = facts
    return Validation(_metric(text), _elsewhere, patience, every, data)


def _elsewhere(model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
    raise AssertionError("the first rank measures")


class _Kept(Recommender):
    """A recommender that is compiled once, and then takes the numbers of one model after another."""

    _program_kept: Program | None = None

    def take(self, model: Model) -> None:
        """Scores with this model from now on; the network must be the first one's."""
        self._model = model

    def _program(self, datasets: Mapping[str, DataSet], target: Layer, ranking: Ranking | None = None) -> Program:
        if self._program_kept is None:
            self._program_kept = super()._program(datasets, target, ranking)
        else:
            self._program_kept.load(self._model)
        return self._program_kept


@dataclass(frozen=True)
class _Lists:
    """Ranked lists of a model for some examples, and what they should have found."""

    recommender: _Kept
    inputs: Mapping[str, DataSet]
    target: Layer
    wanted: Wanted
    relevant: Rows
    metrics: tuple[Metric, ...]
    features: int

    def ranked(self, model: Model, interrupted: Callable[[], bool]) -> Ints | None:
        """The best k of each example, int64 [examples, k], -1 in empty places; None where somebody interrupts."""
        self.recommender.take(model)
        ranked = np.full((self.relevant.count, self.wanted.k), -1, dtype=np.int64)
        for first, found in self.recommender.best(self.inputs, self.target, self.wanted):
            rows, width = found.feature.shape
            ranked[first : first + rows, :width] = found.feature
            if interrupted():
                return None
        return ranked

    def measure(self, model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
        """The means over the examples, and what is counted over all lists; nan where scores are not finite."""
        try:
            ranked = self.ranked(model, interrupted)
        except Stop as stopped:
            if stopped.diagnostics[0].code is not usage_codes.SCORES_NOT_FINITE:
                raise
            return {str(one): math.nan for one in self.metrics}
        if ranked is None:
            return {}
        found = {name: mean_of(values) for name, values in self._values(ranked).items()}
        for one in self.metrics:
            if one.measure.name == "coverage":
                listed = np.unique(ranked[:, : one.k])
                found[str(one)] = float((listed >= 0).sum()) / max(1, self.features)
        return {str(one): found[str(one)] for one in self.metrics}

    def per_user(self, model: Model) -> Mapping[str, Floats]:
        """The values of every example."""
        ranked = self.ranked(model, never)
        assert ranked is not None
        return self._values(ranked)

    def _values(self, ranked: Ints) -> dict[str, Floats]:
        return per_user(ranked, self.relevant, [one for one in self.metrics if one.measure.name != "coverage"])


def blank(session: Session) -> Model:
    """The model that a session will train, without its numbers: what a validation is built from."""
    made = Model(session.network, {}, {}, labels=dict(session.labels), definition=session.text)
    made.preparation = recorded(session.datasets)
    return made


def ranking_validation(
    model: Model,
    known: Path,
    held: Path,
    metric: Metric,
    *,
    more: Sequence[Metric] = (),
    patience: int = 0,
    every: int = 1,
    layer: str | None = None,
    batch: int = 1024,
    device: Device = CPU,
    report: Report | None = None,
) -> Validation:
    """Judges by ranked lists: the held-out entries of the users of `held`, given those of `known`, as evaluate does.

    model: one like those that will be measured (`blank`), of which network, labels and preparation count. What is known
    of a user is never recommended; features that the model does not know count as missed. Texts are read at once, and
    what is odd about them goes to `report`; the program is compiled at the first measurement. Raises `Stop` where the
    texts do not fit the model.
    """
    metrics = _distinct(metric, more)
    _check_ranked(metrics, str(held))
    report = report if report is not None else Report()
    source, (target, inner) = input_layer(model, None), output_layer(model, layer)
    if inner:
        raise stop(codes.NOT_TO_VALIDATE, what=f"layer `{target.name}`", reason="it is no output layer")
    inputs = labels_of(model, source, None, report, "input", "--input-index")
    outputs = labels_of(model, target, None, report, "output", "--output-index")
    uses_values = is_analog(model, source)
    signals = read_signals(known, vocabulary(inputs), values=uses_values)
    judge_signals(known, signals, report)
    samples = Vocabulary([encoded(sample) for sample in signals.samples])
    seen = signals.rows if inputs == outputs else read_signals(known, vocabulary(outputs), samples=samples).rows
    relevant = read_signals(held, vocabulary(outputs), samples=samples, add=True).rows.distinct()
    judged = np.flatnonzero(relevant.lengths)
    if not len(judged):
        hint = f"it must name samples that `{known}` names too"
        raise stop(data_codes.NO_ENTRIES, Place(str(held)), path=held, samples=0, hint=hint)
    names = [signals.samples[user] for user in judged.tolist()]
    shown, wanted = signals.rows.take(judged), relevant.take(judged)
    seen = replace(seen.take(judged), values=None).distinct()
    removed = Filter(seen, FilterMode.REMOVE)
    lists = _Lists(
        _Kept(model, batch, device),
        {source.dataset: signal_set(source, shown, uses_values)},
        target,
        Wanted(_longest(metrics), unlabelled(outputs, target), removed, names),
        wanted,
        metrics,
        sum(1 for name in outputs if name),
    )
    data = _digest([*_arrays(shown), *_arrays(seen), *_arrays(wanted)], names)
    return Validation(metric, lists.measure, patience, every, data, lists.per_user)


def set_validation(
    model: Model,
    datasets: Mapping[str, DataSet],
    metric: Metric,
    *,
    more: Sequence[Metric] = (),
    patience: int = 0,
    every: int = 1,
    layer: str | None = None,
    batch: int = 1024,
    device: Device = CPU,
) -> Validation:
    """Judges by data sets that bring their own targets, bound by name as those of the training are.

    Measures of ranked lists need sparse targets; nothing is left out of the lists, as in DSSTNE's jobs. Raises `Stop`
    where a set is missing or does not fit.
    """
    metrics = _distinct(metric, more)
    target, _ = output_layer(model, layer)
    sets = dict(pointwise.bound(model, datasets, target))
    parts: list[Measure] = []
    if by_unit := [one for one in metrics if not one.measure.ranked]:
        parts.append(pointwise.Pointwise(model, sets, by_unit, batch=batch, device=device, layer=layer).measure)
    lists = None
    if ranked := tuple(one for one in metrics if one.measure.ranked):
        lists = _set_lists(model, sets, target, ranked, batch, device)
        parts.append(lists.measure)

    def measure(model: Model, interrupted: Callable[[], bool] = never) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for part in parts:
            told = part(model, interrupted)
            if not told:
                return {}
            found |= told
        return {str(one): found[str(one)] for one in metrics}

    data = _digest([], [f"{name} {sets[name].sha256}" for name in sorted(sets)])
    return Validation(metric, measure, patience, every, data, lists.per_user if lists else None)


def _set_lists(
    model: Model, sets: Mapping[str, DataSet], target: Layer, metrics: tuple[Metric, ...], batch: int, device: Device
) -> _Lists:
    _check_ranked(metrics, f"data set `{target.dataset}`")
    targets = sets[target.dataset]
    if targets.start is None or targets.end is None or targets.index is None:
        reason = f"`{metrics[0]}` judges ranked lists, and data set `{target.dataset}` is dense"
        help = "judge it by --metric error, accuracy, auc or rmse"
        raise stop(codes.NOT_TO_VALIDATE, what="the output", reason=reason, help=help)
    rows = Rows(np.append(targets.start, targets.end[-1:]), targets.index.astype(np.int64))
    relevant = rows if targets.row is None else rows.take(targets.row)
    inputs = {layer.dataset: sets[layer.dataset] for layer in model.network.inputs}
    names = [str(example) for example in range(relevant.count)]
    wanted = Wanted(_longest(metrics), torch.empty(0, dtype=torch.int64), None, names)
    units = targets.facts.units
    return _Lists(_Kept(model, batch, device), inputs, target, wanted, relevant, metrics, units)


def validation_of(
    session: Session,
    places: Sequence[Path],
    by: Metric | None = None,
    *,
    patience: int = 0,
    every: int = 1,
    device: Device = CPU,
) -> tuple[Validation, Sequence[Diagnostic]]:
    """The validation that `--validate` means, and what is odd about it: a folder of `nnlang data split`, or data sets.

    by: ndcg@10 for a folder and the error for data sets unless given. Raises `Stop`.
    """
    model, report = blank(session), Report()
    folders = [place for place in places if place.is_dir()]
    if not folders:
        chosen = by if by is not None else _metric("error")
        sets = read_all(places)
        return set_validation(model, sets, chosen, patience=patience, every=every, device=device), ()
    if len(places) > 1:
        help = "give one folder of `nnlang data split`, or data set files"
        reason = f"`{folders[0]}` is a folder, and stands alone"
        raise stop(codes.NOT_TO_VALIDATE, what="a mixture", reason=reason, help=help)
    from nnlang.runtime.splitfiles import read_split

    found = read_split(folders[0])
    if found.validation is None:
        place, what, help = Place(str(folders[0])), f"`{folders[0]}`", "split anew with --validation 0.1"
        raise stop(codes.NOT_TO_VALIDATE, place, what=what, reason="its split has no validation part", help=help)
    chosen = by if by is not None else _metric("ndcg@10")
    made = ranking_validation(
        model, *found.validation, chosen, patience=patience, every=every, device=device, report=report
    )
    return made, report.diagnostics


def _metric(text: str) -> Metric:
    found = metric(text)
    assert isinstance(found, Metric)
    return found


def _distinct(first: Metric, more: Sequence[Metric]) -> tuple[Metric, ...]:
    return tuple({str(one): one for one in (first, *more)}.values())


def _check_ranked(metrics: Sequence[Metric], where: str) -> None:
    """Raise `Stop` for measures that ranked lists do not have."""
    for one in metrics:
        if not one.measure.ranked:
            help = "a measure of ranked lists such as ndcg@100, or data set files to --validate"
            reason = "lists of items have no such measure"
            raise stop(codes.NOT_TO_VALIDATE, what=f"`{one}` of {where}", reason=reason, help=help)
        if one.measure.name == "novelty":
            help = "--metric coverage@10 judges lists as a whole; `nnlang evaluate` tells novelty"
            raise stop(codes.NOT_TO_VALIDATE, what=f"`{one}`", reason="more of it is not a better model", help=help)


def _longest(metrics: Sequence[Metric]) -> int:
    return max(one.k or 1 for one in metrics)


def _arrays(rows: Rows) -> list[NDArray[np.generic]]:
    return [rows.start, rows.index, *([] if rows.values is None else [rows.values])]


def _digest(arrays: Sequence[NDArray[np.generic]], names: Sequence[str]) -> str:
    """The SHA-256 of what is judged on."""
    found = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape"))
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
