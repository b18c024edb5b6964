"""From a trained model and lists of features to recommendations: no training data, no definition needed."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.codes import data as data_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Diagnostic, Place, Report, stop
from nnlang.network import Kind, Layer
from nnlang.runtime import indexfile
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.files import atomic_text, distinct
from nnlang.runtime.filters import Filter, FilterMode, read_filter
from nnlang.runtime.fitted import read
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.metrics import Rows
from nnlang.runtime.model import Model, load
from nnlang.runtime.portions import Portion, agree, deal, described, laid
from nnlang.runtime.recommend import Recommender, Wanted, exposed
from nnlang.runtime.recs import Precision, dsstne_writer, json_writer, units_text
from nnlang.runtime.signals import Signals, encoded, read_signals, vocabulary
from nnlang.runtime.textdata import REASONS
from nnlang.runtime.vocabulary import Vocabulary

__all__ = ["Prediction", "Progress", "Recommender", "Request", "Wanted", "predict"]

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Request:
    """What to predict and how to write it; the names of the flags of `nnlang predict`.

    `dataset` (or its name without `_input`) must be what the input layer reads, where it is given. `layer` is an Output
    layer whose k best are written, or with `raw` (for hidden layers always) all of whose units are. `analog` says
    whether values of the signals count; None asks the model. `json` and `header` change the form of the result, which
    is DSSTNE's otherwise. `parallel` says how ranks share the work, `deterministic` that sums go in leaves, for the
    same bits on 1, 2, 4 and 8 of them.
    """

    signals: Path_
    output: Path_
    dataset: str | None = None
    input_index: Path_ | None = None
    output_index: Path_ | None = None
    filter: Path_ | None = None
    filter_mode: FilterMode = FilterMode.REMOVE
    k: int = 100
    batch: int = 1024
    precision: Precision = field(default_factory=Precision)
    layer: str | None = None
    raw: bool = False
    analog: bool | None = None
    json: bool = False
    header: bool = False
    parallel: str | None = None
    deterministic: bool = False


COMMON = ("k", "batch", "layer", "raw", "parallel", "deterministic")  # of a request: what all ranks must be told alike


@dataclass(frozen=True)
class Prediction:
    """What was written: samples; recommendations, or units; entries of unknown features; samples without known ones."""

    samples: int
    written: int
    unknown: int
    nothing_known: int
    seconds: float
    notices: tuple[Diagnostic, ...] = ()


Progress = Callable[[int, int], None]  # samples done, samples in all


def predict(
    model: Model | Path_,
    request: Request,
    progress: Progress = lambda done, total: None,
    device: Device = CPU,
    mesh: Mesh = ALONE_MESH,
) -> Prediction:
    """Recommendations for every sample of a text, written whole or not at all (dsstne.md 10.2).

    Ties go to the lower feature number, units beyond the labels are never recommended, what a filter removes never
    appears. Raises `Stop` for anything wrong with model, signals, index files or filter.

    mesh: ranks that share the work, all of which call this; the first reads texts, writes and has the notices, and of a
    file of a model each reads its part.
    """
    begin = time.perf_counter()
    known, digest = _known(model, mesh)
    source = input_layer(known, request.dataset)
    target, raw = output_layer(known, request.layer, request.raw)
    _check(request, target, raw)
    agree(mesh, digest, {name: getattr(request, name) for name in COMMON}, device)
    network = exposed(known.network, target)
    mesh = laid(mesh, network, request.parallel, request.deterministic, request.batch)
    report = Report()
    given = _read(known, request, source, target, raw, report) if mesh.is_first else None
    portion = deal(mesh, source, target, request.batch, given.portion if given else None, known)
    path = None if mesh.size == 1 or isinstance(model, Model) else model
    recommender = Recommender(known, request.batch, device, mesh, path, {portion.whole.name: portion.whole})
    run = _Run(request, given, portion, recommender, target, progress)
    chunks = run.units() if raw else run.recommendations()
    if given is not None:
        atomic_text(request.output, chunks)
    else:
        deque(chunks, maxlen=0)
    told = mesh.share(given and (len(given.signals.samples), run.written, *given.lacking()))
    samples, written, unknown, nothing_known = told
    seconds = time.perf_counter() - begin
    return Prediction(samples, written, unknown, nothing_known, seconds, tuple(report.diagnostics))


def _known(model: Model | Path_, mesh: Mesh) -> tuple[Model, str]:
    """The model, of a file that ranks share without its weights; and what ranks compare."""
    if isinstance(model, Model):
        return model, ""
    return (load(model), "") if mesh.size == 1 else described(model, labels=mesh.is_first)


@dataclass(frozen=True)
class _Given:
    """What the texts say: the samples, the names of units, and what follows for the network."""

    signals: Signals
    names: Sequence[str]
    portion: Portion

    def lacking(self) -> tuple[int, int]:
        """Entries of unknown features, and samples without known ones."""
        return self.signals.unknown, int((self.signals.rows.lengths == 0).sum())


def _read(model: Model, request: Request, source: Layer, target: Layer, raw: bool, report: Report) -> _Given:
    """What the texts of a request say, with what is odd about them reported."""
    features = labels_of(model, source, request.input_index, report, "input", "-i")
    analog = request.analog if request.analog is not None else is_analog(model, source)
    signals = read_signals(request.signals, vocabulary(features), values=analog)
    judge_signals(request.signals, signals, report)
    inputs = signal_set(source, signals.rows, analog)
    if raw:
        return _Given(signals, (), Portion(inputs.facts, inputs, torch.empty(0, dtype=torch.int64)))
    names = labels_of(model, target, request.output_index, report, "output", "-o")
    removed = _filter(request, names, signals.samples, report)
    return _Given(signals, names, Portion(inputs.facts, inputs, unlabelled(names, target), removed))


def _filter(request: Request, names: Sequence[str], samples: Sequence[str], report: Report) -> Filter | None:
    """The filter for these samples, if one was given."""
    if request.filter is None:
        return None
    numbered = Vocabulary([encoded(sample) for sample in samples])
    found, text = read_filter(request.filter, vocabulary(names), numbered, request.filter_mode)
    judge_filter(request.filter, text, report)
    if found.has_times:
        report(codes.TIMES_AS_WEIGHTS, path=request.filter, value=f"{found.largest:.3g}")
    return found


@dataclass
class _Run:
    """One prediction under way: the chunks of text that it writes, and how much that was; on other ranks nothing."""

    request: Request
    given: _Given | None
    portion: Portion
    recommender: Recommender
    target: Layer
    progress: Progress
    written: int = 0

    def recommendations(self) -> Iterator[str]:
        """The text of the k best of each sample, a chunk a batch."""
        names = self.given.names if self.given else ()
        write = (json_writer if self.request.json else dsstne_writer)(names, self.request.precision)
        if self.request.header and not self.request.json:
            yield "sample\tfeature,score:\n"
        wanted = Wanted(self.request.k, self.portion.hidden, self.portion.removed, self._samples())
        for first, found in self.recommender.best(self._sets(), self.target, wanted):
            samples = self._samples()[first : first + len(found.feature)]
            self.written += int((found.feature >= 0).sum())
            yield write(samples, found)
            self.progress(first + len(samples), len(self._samples()))

    def units(self) -> Iterator[str]:
        """The text of all units of each sample, a chunk a batch."""
        if self.request.header:
            yield "sample\t" + "\t".join(str(unit) for unit in range(self.target.units)) + "\n"
        for first, scores in self.recommender.scores(self._sets(), self.target):
            samples = self._samples()[first : first + len(scores)]
            self.written += scores.numel()
            yield units_text(samples, scores.cpu().numpy(), self.request.precision)
            self.progress(first + len(samples), len(self._samples()))

    def _samples(self) -> Sequence[str]:
        return self.given.signals.samples if self.given else ()

    def _sets(self) -> dict[str, DataSet]:
        return {self.portion.inputs.name: self.portion.inputs}


def signal_set(layer: Layer, rows: Rows, analog: bool) -> DataSet:
    """Lists of features as a sparse data set for an input layer: Boolean, or with their values when `analog`."""
    x, y, z, _ = layer.dims
    values = (rows.values if rows.values is not None else np.ones(len(rows.index), np.float32)) if analog else None
    return sparse_set(
        layer.dataset,
        rows.start,
        rows.index,
        values,
        width=x,
        height=y,
        length=z,
        dimensions=max(1, layer.dimensions),
    )


def input_layer(model: Model, dataset: str | None) -> Layer:
    """The one Input layer that text can feed; `dataset` must be what it reads where it is given."""
    layers = model.network.inputs
    if len(layers) != 1:
        raise stop(
            codes.NOT_FOR_TEXT,
            reason=f"it has {len(layers)} input layers ({', '.join(layer.name for layer in layers)})",
            remedy="`nnlang run` with the command Predict takes a data set for each input layer",
        )
    layer = layers[0]
    if dataset is not None and layer.dataset not in (dataset, f"{dataset}_input"):
        expected = layer.dataset.removesuffix("_input")
        raise stop(
            codes.OTHER_PREFIX, prefix=dataset, asked=f"{dataset}_input", dataset=layer.dataset, expected=expected
        )
    return layer


def output_layer(model: Model, name: str | None, raw: bool = False) -> tuple[Layer, bool]:
    """The layer to write and whether all its units are: `name`, or `Output`, or the only Output layer there is."""
    network = model.network
    by_name = {layer.name: layer for layer in network.layers if layer.kind is not Kind.INPUT}
    outputs = network.outputs
    listed = ", ".join(layer.name for layer in outputs)
    if name is not None:
        if name not in by_name:
            raise stop(codes.WHICH_LAYER, reason=f"the model has no layer `{name}`", layers=", ".join(by_name))
        return by_name[name], raw or by_name[name].kind is not Kind.OUTPUT
    if len(outputs) == 1:
        return outputs[0], raw
    found = next((layer for layer in outputs if layer.name == "Output"), None)
    if found is None:
        raise stop(codes.WHICH_LAYER, reason=f"the model has {len(outputs)} output layers", layers=listed)
    return found, raw


def is_analog(model: Model, layer: Layer) -> bool:
    """Whether signals for this layer have values that count; False (indicators, as DSSTNE's) where it does not say.

    Where the data set was prepared, what counts is how it was before: steps make values of indicators themselves.
    """
    steps = read(model.preparation, layer.dataset)
    if steps is not None:
        return steps.analog
    facts = model.network.facts(layer)
    return facts is not None and not facts.boolean


def labels_of(model: Model, layer: Layer, path: Path_ | None, report: Report, role: str, flag: str) -> tuple[str, ...]:
    """The labels of a layer's units by number, at most as many as it has units; "" for numbers without one.

    An index file must agree with the labels that the model was trained with, where the model carries them.
    """
    trained = model.labels.get(layer.dataset, ())
    if path is None:
        if not trained:
            raise stop(codes.NO_LABELS, role=role, dataset=layer.dataset, flag=flag)
        return trained[: layer.units]
    given = indexfile.read_labels(path)
    for number, (theirs, ours) in enumerate(zip(given, trained, strict=False)):
        if theirs != ours and theirs and ours:
            where = Place(str(path))
            raise stop(codes.OTHER_LABELS, where, path=path, number=number, label=theirs, trained=ours, flag=flag)
    beyond = sum(1 for label in given[layer.units :] if label)
    if beyond:
        report(codes.LABELS_BEYOND, Place(str(path)), count=beyond, path=path, units=layer.units, layer=layer.name)
    return given[: layer.units]


def unlabelled(names: Sequence[str], layer: Layer) -> torch.Tensor:
    """The units of a layer that have no label, int64: padding of the width, which is never recommended."""
    named = np.zeros(layer.units, dtype=bool)
    named[: len(names)] = [bool(name) for name in names]
    units: NDArray[np.int64] = np.flatnonzero(~named).astype(np.int64)
    return torch.from_numpy(units)


def _check(request: Request, target: Layer, raw: bool) -> None:
    """Raise `Stop` for wishes that exclude each other, and for a result that would take the place of an input."""
    for purpose in ("signals", "filter", "input_index", "output_index"):
        distinct(output=request.output, **{purpose: getattr(request, purpose)})
    whole = "--raw" if request.raw else f"-l {target.name}, which is no output layer,"
    for first, second, both in (
        (whole, "--json", raw and request.json),
        (whole, "-f", raw and request.filter is not None),
        ("--json", "--header", request.json and request.header),
    ):
        if both:
            raise stop(codes.CANNOT_COMBINE, first=first, second=second)


def judge_signals(given: Path_, signals: Signals, report: Report, model: str = "the model") -> None:
    """Report what is odd about signals read from the text `given`; raises `Stop` (NN463) where there are none.

    model: what texts call it, where there are several.
    """
    path = Path(given)
    if not signals.samples:
        raise stop(data_codes.NO_ROWS, Place(str(path)), path=path, bad=signals.bad_count)
    _judge_lines(path, signals, report)
    if signals.unknown:
        entries, example = signals.entries, signals.example
        count = signals.unknown
        report(codes.UNKNOWN_FEATURES, count=count, total=entries, path=path, example=example, model=model)
    empty = np.flatnonzero(signals.rows.lengths == 0)
    if len(empty):
        total, example = len(signals.samples), signals.samples[int(empty[0])]
        report(codes.NOTHING_KNOWN, count=len(empty), total=total, example=example, model=model)


def judge_filter(given: Path_, text: Signals, report: Report) -> None:
    """Report a filter without effect, a mistake that nobody would see in the result; garbage raises `Stop` (NN463)."""
    path = Path(given)
    if text.bad_count and not text.entries:
        raise stop(data_codes.NO_ROWS, Place(str(path)), path=path, bad=text.bad_count)
    _judge_lines(path, text, report)
    if text.unknown == text.entries:
        reason = f"no feature in it is known, `{text.example}` for one" if text.entries else "it names no sample"
        report(data_codes.FILTER_IDLE, Place(str(path)), path=path, reason=reason)


def _judge_lines(path: Path, signals: Signals, report: Report) -> None:
    for file, line, reason in signals.bad:
        report(data_codes.LINE_SKIPPED, Place(file, line=line), reason=REASONS[reason], help="mend the line")
    if signals.bad_count > len(signals.bad):
        left = signals.bad_count - len(signals.bad)
        more = {"count": left, "place": f"after {file}:{line}"}
        report.diagnostics.append(Diagnostic(data_codes.MORE_LINES_SKIPPED, None, more))
    if signals.replaced:
        report(data_codes.REPLACED_ROWS, Place(str(path)), count=signals.replaced)
