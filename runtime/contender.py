"""A trained model as a ranker of items: which of its features are which items, and its best lists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnlang.codes import usage as codes
from nnlang.diagnostics import Report, stop
from nnlang.network import Layer
from nnlang.runtime.baselines import padded
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.filters import Filter, FilterMode
from nnlang.runtime.metrics import Ints, Rows
from nnlang.runtime.model import Model
from nnlang.runtime.predict import (
    Recommender,
    Wanted,
    input_layer,
    is_analog,
    labels_of,
    output_layer,
    signal_set,
    unlabelled,
)

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Contender:
    """A model that is to be judged on texts: the layers that text goes through, and the labels of their units.

    `analog` says whether values of the text count; labels are "" for units without one.
    """

    name: str
    model: Model
    source: Layer
    target: Layer
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    analog: bool


def contender(
    name: str,
    model: Model,
    report: Report,
    *,
    layer: str | None = None,
    analog: bool | None = None,
    input_index: Path_ | None = None,
    output_index: Path_ | None = None,
) -> Contender:
    """The model with its labels; raises `Stop` where text cannot feed it, or labels are missing or others."""
    source, (target, inner) = input_layer(model, None), output_layer(model, layer)
    if inner:
        outputs_of = ", ".join(output.name for output in model.network.outputs)
        raise stop(codes.WHICH_LAYER, reason=f"layer `{target.name}` is no output layer", layers=outputs_of)
    inputs = labels_of(model, source, input_index, report, "input", "--input-index")
    outputs = labels_of(model, target, output_index, report, "output", "--output-index")
    values = analog if analog is not None else is_analog(model, source)
    return Contender(name, model, source, target, inputs, outputs, values)


def unit_of(labels: Sequence[str], items: Mapping[str, int]) -> Ints:
    """The unit that has each item's label, -1 for none, int64 [items]; of units with one label the last counts."""
    found = np.full(len(items), -1, np.int64)
    units = {label: unit for unit, label in enumerate(labels) if label}
    both = [(items[label], unit) for label, unit in units.items() if label in items]
    if both:
        numbers, places = np.array(both, np.int64).T
        found[numbers] = places
    return found


def renumbered(rows: Rows, numbers: Ints) -> Rows:
    """The rows with entry i replaced by numbers[i], entries without a number (-1) left out."""
    index = numbers[rows.index]
    return Rows(rows.start, index, rows.values).keep(index >= 0)


@dataclass(frozen=True)
class ModelRanker:
    """A contender that ranks the items of `items` (label -> number); `users` name the users of what is known.

    Ties go to the lower unit of the model. Every label of its outputs is an item.
    """

    contender: Contender
    items: Mapping[str, int]
    users: Sequence[str]
    device: Device = CPU

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.contender.name

    def ranked(self, known: Rows, k: int, batch: int) -> Iterator[Ints]:
        """As `Ranker.ranked`; raises `Stop` (NN755) for scores that are not finite."""
        model, source, target = self.contender.model, self.contender.source, self.contender.target
        seen = renumbered(Rows(known.start, known.index), unit_of(self.contender.outputs, self.items)).distinct()
        signals = renumbered(known, unit_of(self.contender.inputs, self.items))
        shown = signal_set(source, signals, self.contender.analog)
        hidden = unlabelled(self.contender.outputs, target)
        wanted = Wanted(k, hidden, Filter(seen, FilterMode.REMOVE), self.users)
        item_of = np.full(target.units + 1, -1, np.int64)  # the last is for empty places
        named = self.contender.outputs[: target.units]
        item_of[: len(named)] = [self.items[label] if label else -1 for label in named]
        for _, found in Recommender(model, batch, self.device).best({shown.name: shown}, target, wanted):
            yield padded(item_of[found.feature], k)
