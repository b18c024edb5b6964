"""How far outputs are from targets of their own: error, accuracy, AUC and RMSE, a batch at a time.

What a unit should be is what training compares it with: 1 or 0 for stored and other units of a sparse Boolean set,
the values of an analog one, equal shares of a SoftMax over several classes, one unit of a set of class numbers, else
the number itself (bytes scaled as in training). Where a sparse set ignores zeros, only stored units count. Units that a
layer has beyond its data set count for the error alone, weights of examples too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import training as codes
from nnlang.diagnostics import stop
from nnlang.loss import CLASSES
from nnlang.lower import Slot
from nnlang.measures import Metric
from nnlang.network import Activation, ErrorFunction, Layer, Loss, Network, Training
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.feed import dense_rows, examples_of, lengths_of, positions
from nnlang.runtime.model import Model
from nnlang.runtime.predict import output_layer
from nnlang.runtime.preparation import prepared
from nnlang.runtime.program import Program, feed_for

MARGINS = (ErrorFunction.HINGE, ErrorFunction.L2_HINGE)  # targets are -1 and 1
_SLICE = 1 << 22  # scores ranked at a time


@dataclass(frozen=True)
class Side:
    """When an example or a unit is right: `by_class`, the highest unit, or each unit's side of a threshold."""

    by_class: bool
    threshold: float

    def __str__(self) -> str:
        return "the highest unit is the class" if self.by_class else f"units on the right side of {self.threshold:g}"


def side_of(layer: Layer, data: DataSet, loss: Loss) -> Side:
    """How accuracy judges an output layer, and which of its units should be on.

    By class where targets are class numbers, or SoftMax makes the units shares of one whole. Else the threshold is 0
    for margins and where an activation that falls below 0 has dense targets that do, else 0.5.
    """
    by_class = (data.facts.boolean and not data.facts.sparse) or layer.activation is Activation.SOFTMAX
    signed = data.dense is not None and not data.facts.boolean and data.dense.min(initial=0) < 0
    below = layer.activation not in (Activation.SIGMOID, Activation.SOFTMAX, Activation.RELU, Activation.SOFTPLUS)
    return Side(by_class, 0.0 if loss.function in MARGINS or (signed and below) else 0.5)


def never() -> bool:
    """Nobody interrupts."""
    return False


def measure(
    model: Model,
    datasets: Mapping[str, DataSet],
    metrics: Sequence[Metric],
    *,
    batch: int = 1024,
    device: Device = CPU,
    layer: str | None = None,
) -> dict[str, float]:
    """The metrics of a model on examples that bring their own targets, by name; nan where one is not defined.

    error: what training makes smaller, mean over examples, of all output layers, without noise and regularisation.
    accuracy: the share that `side_of` says is right. auc: the chance that a unit which should be on scores above one
    that should not, over all units of all examples, ties half. rmse: over all units. The last three are those of one
    output layer. Memory: a few batches of units, and for auc 4 bytes for each unit that should be on; auc goes through
    the data twice. Raises `Stop` where a data set is missing or does not fit.
    """
    sets = bound(model, datasets, output_layer(model, layer)[0])
    return Pointwise(model, sets, metrics, batch=batch, device=device, layer=layer).measure(model)


def bound(model: Model, datasets: Mapping[str, DataSet], target: Layer) -> dict[str, DataSet]:
    """The data sets of input and output layers; Stop where one is missing or differs in rows, `target` is no output."""
    network, found = model.network, ", ".join(datasets) or "none"
    if target not in network.outputs:
        raise stop(codes.NOT_TO_VALIDATE, what=f"layer `{target.name}`", reason="it is no output layer")
    for layer in (*network.inputs, *network.outputs):
        if layer.dataset not in datasets:
            reason = f"no file holds data set `{layer.dataset}` of layer `{layer.name}` (found: {found})"
            help = f"give a file that holds `{layer.dataset}`, made from what was held out"
            raise stop(codes.NOT_TO_VALIDATE, what="the network", reason=reason, help=help)
    sets = {layer.dataset: datasets[layer.dataset] for layer in (*network.inputs, *network.outputs)}
    examples_of(list(sets.values()))
    return sets


class Pointwise:
    """What measures one model after another on the same data sets; programs are compiled once."""

    def __init__(
        self,
        model: Model,
        datasets: Mapping[str, DataSet],
        metrics: Sequence[Metric],
        *,
        batch: int = 1024,
        device: Device = CPU,
        layer: str | None = None,
    ) -> None:
        read = {layer.dataset for layer in model.network.inputs}
        sets = {name: prepared(model, data) if name in read else data for name, data in datasets.items()}
        facts = {known.name: known for known in model.network.data} | {n: d.facts for n, d in sets.items()}
        self._network = replace(model.network, data=tuple(facts.values()))
        self._datasets, self._metrics, self._device = sets, tuple(metrics), device
        self._target, _ = output_layer(model, layer)
        self._data = sets[self._target.dataset]
        self._examples = self._data.facts.examples
        self._batch = max(1, min(batch, self._examples))
        self._side = side_of(self._target, self._data, model.network.loss)
        self._programs: dict[str, Program] = {}

    def measure(self, model: Model, interrupted: Callable[[], bool] = never) -> dict[str, float]:
        """The metrics of a model, by name; {} where somebody interrupts."""
        names = {one.measure.name for one in self._metrics}
        found: dict[str, float] = {}
        if "error" in names:
            found["error"] = self._error(model, interrupted)
        if names - {"error"}:
            found |= self._by_unit(model, "auc" in names, interrupted)
        return {} if interrupted() else {str(one): found[one.measure.name] for one in self._metrics}

    def _error(self, model: Model, interrupted: Callable[[], bool]) -> float:
        total, program = 0.0, self._program("evaluate", model)
        with program.watched(), torch.inference_mode():
            for part in program.parts(feed_for(program, "evaluate", self._datasets)):
                total += float(program.run("evaluate", part)[0][: part.rows].double().sum())
                if interrupted():
                    break
        return total / max(1, self._examples)

    def _by_unit(self, model: Model, ranks: bool, interrupted: Callable[[], bool]) -> dict[str, float]:
        sums, on = _Sums(), []
        for scores, wanted in self._batches(model):
            sums.take(scores, wanted, self._side)
            on += [wanted.on_scores(scores)] if ranks else []
            if interrupted():
                return {}
        found = {"accuracy": sums.accuracy, "rmse": sums.rmse}
        return found | ({"auc": self._auc(model, torch.cat(on), interrupted)} if ranks else {})

    def _auc(self, model: Model, on: torch.Tensor, interrupted: Callable[[], bool]) -> float:
        """Exact: how many units that should be on stand above each one that should not, a batch at a time."""
        if not bool(torch.isfinite(on).all()):
            return math.nan
        on = on.sort().values
        twice, off = 0, 0
        for scores, wanted in self._batches(model):
            others = wanted.off_scores(scores)
            if not bool(torch.isfinite(others).all()) or interrupted():
                return math.nan
            off += len(others)
            for piece in torch.split(others, _SLICE):
                for right in (False, True):  # those below, and those below or equal
                    below = torch.bucketize(piece, on, out_int32=len(on) < 2**31, right=right)
                    twice += len(on) * len(piece) - int(below.sum(dtype=torch.int64))
        return twice / (2 * len(on) * off) if len(on) and off else math.nan

    def _batches(self, model: Model) -> Iterator[tuple[torch.Tensor, _Wanted]]:
        """float32 [examples, units] of the output layer, on the device, with what they should be."""
        program, first = self._program("predict", model), 0
        with program.watched():
            for part in program.parts(feed_for(program, "predict", self._datasets)):
                scores = program.predict(part)[self._target.name][:, : self._data.facts.units]
                ids = np.arange(first, first + part.rows)
                yield scores, _wanted(self._network, self._target, self._data, ids, self._side, scores.device)
                first += part.rows

    def _program(self, entry: str, model: Model) -> Program:
        if entry not in self._programs:
            training = Training() if entry == "evaluate" else None
            self._programs[entry] = Program(self._network, [entry], self._batch, training, device=self._device)
        self._programs[entry].load(model)
        return self._programs[entry]


@dataclass(frozen=True)
class _Wanted:
    """What units of a batch should be, [rows, units]: numbers, which are on, and which count (None: all)."""

    values: torch.Tensor
    on: torch.Tensor
    counted: torch.Tensor | None

    def on_scores(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores of those that should be on, one after another."""
        return scores[self.on if self.counted is None else self.on & self.counted]

    def off_scores(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores of those that should not."""
        return scores[~self.on if self.counted is None else ~self.on & self.counted]


@dataclass
class _Sums:
    """What is summed over batches."""

    right: int = 0
    judged: int = 0
    squares: float = 0.0
    units: int = 0

    def take(self, scores: torch.Tensor, wanted: _Wanted, side: Side) -> None:
        """Adds a batch."""
        difference = scores.double() - wanted.values.double()
        if wanted.counted is not None:
            difference = difference[wanted.counted]
        self.squares, self.units = self.squares + float(difference.square().sum()), self.units + difference.numel()
        if side.by_class:
            best = wanted.values.amax(1)
            right = wanted.values.gather(1, scores.argmax(1, keepdim=True))[:, 0] == best
            self.right += int((right & (best > 0)).sum())
            self.judged += int((best > 0).sum())
            return
        right = (scores > side.threshold) == wanted.on
        if wanted.counted is not None:
            right = right[wanted.counted]
        self.right, self.judged = self.right + int(right.sum()), self.judged + right.numel()

    @property
    def accuracy(self) -> float:
        """The share of what is right."""
        return self.right / self.judged if self.judged and math.isfinite(self.squares) else math.nan

    @property
    def rmse(self) -> float:
        """The root of the mean square."""
        return math.sqrt(self.squares / self.units) if self.units and math.isfinite(self.squares) else math.nan


def _wanted(
    network: Network, layer: Layer, data: DataSet, ids: NDArray[np.int64], side: Side, device: torch.device
) -> _Wanted:
    units = data.facts.units
    if not data.facts.sparse:
        slot = Slot(layer.index, data.name, "target", "dense", units, data.facts.weighted)
        values = torch.from_numpy(dense_rows(slot, data, ids)).to(device)
        return _Wanted(values, values > (0.5 if data.facts.boolean else side.threshold), None)
    assert data.index is not None
    lengths, here = lengths_of(data, ids), positions(data, ids)
    at = (np.repeat(np.arange(len(ids)), lengths), data.index[here])
    numbers, stored = np.zeros((len(ids), units), np.float32), np.zeros((len(ids), units), bool)
    numbers[at], stored[at] = _stored(network, layer, data, lengths, here), True
    values = torch.from_numpy(numbers).to(device)
    return _Wanted(values, values > 0, torch.from_numpy(stored).to(device) if data.facts.ignore_zero else None)


def _stored(
    network: Network, layer: Layer, data: DataSet, lengths: NDArray[np.int64], here: NDArray[np.int64] | slice
) -> NDArray[np.float32]:
    """What stored entries are compared with, as nnlang.loss has it."""
    function, softmax = network.loss.function, layer.activation is Activation.SOFTMAX
    if softmax and data.values is None and function in CLASSES and data.weight is None:
        return np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    by_presence = function in CLASSES and function is not ErrorFunction.DSMCE and not softmax
    if data.values is None or by_presence:
        return np.ones(int(lengths.sum()), np.float32)
    return data.values[here]
