"""Feature preparation: fitted to the training data, stored with the model, applied alike in training and prediction.

`fit` learns the steps of a network in their order and gives the data sets after them; a data set carries what was
learnt for it (`DataSet.prepared`), a model keeps it as JSON (`recorded`), and `prepared` applies it to other data sets
of that name. There a row stays a row, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import data as codes
from nnlang.codes import names as name_codes
from nnlang.diagnostics import Diagnostic, Place, stop
from nnlang.network import Network, Preparation, Step
from nnlang.runtime import preparation_information as information
from nnlang.runtime import preparation_steps as steps
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.feed import examples_of
from nnlang.runtime.fitted import Fitted, Prepared, read, record
from nnlang.runtime.model import Model
from nnlang.runtime.preparation_steps import Entries, Learnt
from nnlang.schema import FLOAT_MAX
from nnlang.schema.preparation import spelling

Ints = NDArray[np.int64]
Labels = Mapping[str, tuple[str, ...]]

_ALIKE = 12  # decimal places of information; features that differ by less are taken as equals


def fit(
    network: Network, datasets: Mapping[str, DataSet], labels: Labels | None = None
) -> tuple[dict[str, DataSet], tuple[Diagnostic, ...]]:
    """The data sets of a training after the network's steps, and what there is to tell about them.

    Everything is learnt from these data sets. Examples that KCore drops are gone from all of them. labels: of the
    features, by data set, where the files do not hold them. Raises `Stop` (NN487, NN488) where nothing is left or
    targets cannot be counted with, and for data sets of different lengths. `sha256` stays that of the data given.
    """
    given = dict(datasets)
    known = [given[facts.name] for facts in network.data if facts.name in given]
    if not network.preparation or not known:
        return given, ()
    examples_of(known)
    run = _Fitting(network, given, labels or {}, {d.name: entries_of(d) for d in known if d.facts.sparse})
    for step in network.preparation:
        for name in step.datasets:
            if name in run.entries:
                run.step(step, name)
    for name, fitted in run.fitted.items():
        analog = not datasets[name].facts.boolean
        found = _with(run.datasets[name], run.entries[name])
        run.datasets[name] = replace(found, prepared=Prepared(analog, tuple(fitted)))
    return run.datasets, tuple(run.notices)


def apply(found: Prepared, dataset: DataSet) -> DataSet:
    """A data set after fitted steps: the same examples, each a function of its own entries alone.

    Raises `Stop` (NN315) for a dense one.
    """
    if not dataset.facts.sparse:
        reason = "it is dense, and steps act on the stored entries of sparse data sets"
        facts = {"step": spelling(found.steps[0].step.step), "what": f"data set `{dataset.name}`", "reason": reason}
        raise stop(name_codes.STEP_DATA, Place(dataset.path) if dataset.path else None, **facts)
    entries = entries_of(dataset)
    for fitted in found.steps:
        entries = steps.act(fitted, entries)
    return replace(_with(dataset, entries), prepared=found)


def prepared(model: Model, dataset: DataSet) -> DataSet:
    """The data set as the model was trained on it; unchanged where the model has no steps for it or it was prepared."""
    found = read(model.preparation, dataset.name)
    return dataset if found is None or dataset.prepared is not None else apply(found, dataset)


def recorded(datasets: Mapping[str, DataSet]) -> dict[str, Any]:
    """What `Model.preparation` holds for a training on these data sets; empty where there was no preparation."""
    return record({name: data.prepared for name, data in datasets.items() if data.prepared is not None})


def entries_of(data: DataSet) -> Entries:
    """The stored entries of a sparse data set, by unique rows."""
    assert data.start is not None and data.end is not None and data.index is not None
    lengths = data.end - data.start
    first = np.cumsum(lengths) - lengths
    where = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(data.start - first, lengths)
    values = None if data.values is None else data.values[where].astype(np.float64)
    row = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    return Entries(row, data.index[where].astype(np.int64), values, len(lengths), data.facts.units)


def _with(data: DataSet, entries: Entries) -> DataSet:
    """The data set with other entries in its rows; values beyond float32 become its greatest."""
    ends = np.cumsum(np.bincount(entries.row, minlength=entries.rows))
    values = None if entries.values is None else np.clip(entries.values, -FLOAT_MAX, FLOAT_MAX).astype(np.float32)
    facts = replace(data.facts, boolean=values is None, entries=len(entries.index))
    start = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
    return replace(data, facts=facts, start=start, end=ends, index=entries.index.astype(np.int32), values=values)


def taken(data: DataSet, examples: Ints) -> DataSet:
    """The data set of some of its examples, in this order."""
    weight = None if data.weight is None else data.weight[examples]
    facts = replace(data.facts, examples=len(examples))
    if data.row is not None:
        return replace(data, facts=facts, weight=weight, row=data.row[examples])
    data = replace(data, facts=replace(facts, unique=len(examples)), weight=weight)
    if data.dense is not None:
        return replace(data, dense=data.dense[examples])
    return _keeping(data, entries_of(data).take(examples))


def _keeping(data: DataSet, entries: Entries) -> DataSet:
    return replace(_with(data, entries), facts=replace(data.facts, entries=len(entries.index)))


@dataclass
class _Fitting:
    """A fit under way: the data sets, and the entries of the sparse ones as the steps so far left them."""

    network: Network
    datasets: dict[str, DataSet]
    labels: Labels
    entries: dict[str, Entries]
    fitted: dict[str, list[Fitted]] = field(default_factory=dict)
    notices: list[Diagnostic] = field(default_factory=list)

    def step(self, step: Preparation, name: str) -> None:
        """Learns one step on one data set, and takes it."""
        before, data = self.entries[name], self.datasets[name]
        learnt = self._learnt(step, data, before)
        fitted = Fitted(step, learnt.numbers)
        self.fitted.setdefault(name, []).append(fitted)
        told = [learnt.told] if learnt.told else []
        if learnt.rows is not None:
            told += self._drop(learnt.rows, data)
        self.entries[name] = steps.act(fitted, self.entries[name])
        whole, left = _count(data, before), _count(self.datasets[name], self.entries[name])
        if left < whole:
            told.append(f"{whole - left:,} of {whole:,} entries go")
        where = {"step": _called(step), "dataset": name}
        if (whole and not left) or not self.datasets[name].facts.examples:
            raise stop(codes.NOTHING_LEFT, _place(data), remedy=_REMEDIES[step.step], **where)
        if told:
            self.notices.append(Diagnostic(codes.PREPARED, _place(data), {**where, "told": "; ".join(told)}))

    def _learnt(self, step: Preparation, data: DataSet, entries: Entries) -> Learnt:
        if step.step is not Step.TOP_INFORMATION:
            return steps.fit(step, entries, _copies(data))
        rows = _by_example(data, entries)
        targets = dict.fromkeys(layer.dataset for layer in self.network.outputs)
        scores = sum((self._information(step, data, rows, name) for name in targets), np.zeros(entries.units))
        stored = np.bincount(rows.index, minlength=entries.units) > 0
        return Learnt({"kept": steps.best(np.round(scores, _ALIKE), step.n, stored)})

    def _information(self, step: Preparation, data: DataSet, rows: Entries, name: str) -> NDArray[np.float64]:
        """The information of each feature on the targets of one data set."""
        target = self.datasets.get(name)
        if target is None:
            return np.zeros(rows.units)
        if target.facts.sparse:
            return information.of_units(rows, _by_example(target, entries_of(target)), self._same(data, target))
        if not target.facts.boolean or target.dense is None:
            facts = {"step": _called(step), "dataset": name, "reason": "they are numbers, no classes and no features"}
            raise stop(codes.NO_INFORMATION, _place(target), **facts)
        return information.of_classes(rows, target.dense if target.row is None else target.dense[target.row])

    def _same(self, one: DataSet, other: DataSet) -> bool:
        """Whether feature f of one data set is feature f of the other: by their labels, or else by their widths."""
        first, second = (data.labels or self.labels.get(data.name) for data in (one, other))
        if first and second:
            return first == second
        return one.facts.units == other.facts.units

    def _drop(self, rows: NDArray[np.bool_], data: DataSet) -> Sequence[str]:
        """Takes the examples of other rows out of all data sets; says how many those are."""
        mine = rows if data.row is None else rows[data.row]
        if mine.all():
            return ()
        examples = data.facts.examples
        stay = np.flatnonzero(mine)
        for name, other in self.datasets.items():
            if other.facts.examples == examples:
                self.datasets[name] = taken(other, stay)
                if name in self.entries and other.row is None:
                    self.entries[name] = self.entries[name].take(stay)
        return (f"{examples - len(stay):,} of {examples:,} examples are not trained on",)


# What to do where a step leaves nothing.
_REMEDIES: Mapping[Step, str] = {
    Step.THRESHOLD: "choose a smaller Least; `nnlang data describe` shows the values",
    Step.K_CORE: "choose smaller Users and Items",
    Step.TOP_FREQUENCY: "leave the step out: no feature is stored",
    Step.TOP_INFORMATION: "leave the step out: no feature is stored",
}


def _called(step: Preparation) -> str:
    return f"{spelling(step.step)} `{step.name}`" if step.name else spelling(step.step)


def _place(data: DataSet) -> Place | None:
    return Place(data.path, part=f"data set {data.name}") if data.path else None


def _copies(data: DataSet) -> Ints:
    """How many examples each unique row is."""
    rows = data.facts.unique or data.facts.examples
    return np.ones(rows, np.int64) if data.row is None else np.bincount(data.row, minlength=rows)


def _count(data: DataSet, entries: Entries) -> int:
    """How many entries the examples of a data set have."""
    return int(_copies(data)[entries.row].sum())


def _by_example(data: DataSet, entries: Entries) -> Entries:
    return entries if data.row is None else entries.take(data.row)
