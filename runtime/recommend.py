"""A model at work on examples, batch by batch: scores and the best units, on one device or on ranks that share them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from nnlang.codegen.grid import parts
from nnlang.codegen.triton.top import MOST
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop
from nnlang.lower import FILTER, Ranking
from nnlang.network import DataFacts, Kind, Layer, Network
from nnlang.runtime import merge
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.filters import Filter
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.model import Model, load
from nnlang.runtime.preparation import prepared
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.recs import NotFinite, Top, chosen, top

Facts = Mapping[str, DataFacts]
DataSets = Mapping[str, DataSet]


@dataclass(frozen=True)
class Wanted:
    """What is recommended: the k best after the filter, never units of `hidden`; `samples` name the examples.

    For a rank of several: hidden units and the filter's are counted from its first unit, the filter has its rows, and
    samples are those of all ranks, on the first.
    """

    k: int
    hidden: Tensor
    removed: Filter | None
    samples: Sequence[str]

    def of(self, scores: Tensor, first: int) -> Top:
        """The best of scores [rows, units] of samples first, first + 1, ..., which are changed."""
        if len(self.hidden):
            scores[:, self.hidden.to(scores.device)] = float("-inf")
        if self.removed is not None:
            self.removed.apply(scores, first)
        return top(scores, self.k)

    def told(self, found: Callable[[], Top], first: int) -> Top:
        """The best of samples first, first + 1, ...; Stop for one whose scores are not finite."""
        try:
            return found()
        except NotFinite as error:
            raise stop(codes.SCORES_NOT_FINITE, sample=self.samples[first + error.row]) from error


@dataclass(frozen=True)
class _Job:
    """One target to be scored: the network for these data sets, the batches, and which units each rank has."""

    network: Network
    target: Layer
    datasets: DataSets
    rota: merge.Rota
    spans: Sequence[tuple[int, int]]  # of the ranks of a group; of the first alone where all have all units
    mine: tuple[int, int]


class Recommender:
    """A model ready to score batches of examples.

    mesh: the ranks that share the work, laid for a placement, each of which makes one and calls the same. path: the
    file that the weights are read from, of each rank its part, where `model` is without. whole: the facts of all
    examples, where a rank is given but its own.
    """

    def __init__(
        self,
        model: Model,
        batch: int,
        device: Device = CPU,
        mesh: Mesh = ALONE_MESH,
        path: str | os.PathLike[str] | None = None,
        whole: Facts | None = None,
    ) -> None:
        self._model, self._batch, self._device = model, batch, device
        self._mesh, self._path, self._whole = mesh, path, whole

    def scores(self, datasets: DataSets, target: Layer) -> Iterator[tuple[int, Tensor]]:
        """(number of the first example, float32 [examples, units]) of each batch of the data sets of the input layers.

        The model's preparation steps are applied to them first, as in `best`. The tensor stands on the device and may
        be changed; it is valid until the next one. Only the first of several ranks gets anything.
        """
        job = self._job(datasets, target)
        widths = [last - first for first, last in job.spans]
        for first, found in merge.together(self._mesh, job.rota, widths, self._scores(job)):
            yield first, found[0] if len(found) == 1 else torch.cat([x.cpu() for x in found], 1)

    def best(self, datasets: DataSets, target: Layer, wanted: Wanted) -> Iterator[tuple[int, Top]]:
        """(number of the first example, its best and those of the next ones) of each batch; Stop for bad scores.

        A device chooses where it computes, and all scores of a batch never exist, unless k is beyond what it can rank.
        Of several ranks each chooses among its units, and the first gets the best of all.
        """
        k, job = min(wanted.k, target.units), self._job(datasets, target)
        lists = self._chosen if self._device.kind == "cpu" or k > MOST else self._ranked
        widths = [2 * min(k, last - first) for first, last in job.spans]
        for first, found in merge.together(self._mesh, job.rota, widths, lists(job, wanted, k)):
            yield first, wanted.told(partial(chosen, merge.merged(found, k)), first)

    def _scores(self, job: _Job) -> Iterator[Tensor]:
        program = self._program(job.datasets, job.target)
        with program.watched():
            for part in self._parts(program, "predict", job.datasets):
                yield program.predict(part)[job.target.name]

    def _chosen(self, job: _Job, wanted: Wanted, k: int) -> Iterator[Tensor]:
        """The best of this rank's units, packed, from all its scores."""
        unit, last = job.mine
        local, first = replace(wanted, k=min(k, last - unit)), 0
        for scores in self._scores(job):
            yield merge.packed(partial(local.of, scores, first), len(scores), local.k, unit)
            first += len(scores)

    def _ranked(self, job: _Job, wanted: Wanted, k: int) -> Iterator[Tensor]:
        """The best of this rank's units, packed, chosen where the scores are."""
        removed = None if wanted.removed is None else wanted.removed.data_set(job.target.units)
        stored = "" if removed is None else "boolean" if removed.facts.boolean else "analog"
        unit, last = job.mine
        program = self._program(job.datasets, job.target, Ranking(job.target.index, min(k, last - unit), stored))
        program.hide(wanted.hidden)
        if removed is not None and last - unit < job.target.units:
            removed = replace(removed, part=job.mine)
        given = {**job.datasets, **({FILTER: removed} if removed else {})}
        with program.watched():
            for part in self._parts(program, "recommend", given):
                yield program.recommend(part).to("cpu", copy=True)

    def _parts(self, program: Program, entry: str, datasets: DataSets) -> Iterator[object]:
        """The batches of this rank."""
        if all(data.facts.examples for data in datasets.values()):
            yield from program.parts(feed_for(program, entry, datasets))

    def _job(self, datasets: DataSets, target: Layer) -> _Job:
        placement = self._mesh.placement
        sets = {name: prepared(self._model, data) for name, data in datasets.items()}
        facts = self._whole or {name: data.facts for name, data in sets.items()}
        network = _bound(exposed(self._model.network, target), facts)
        examples = max(facts[layer.dataset].examples for layer in network.inputs)
        size = min(self._batch, max(16, examples))  # one user needs no buffers for a thousand
        spans = spans_of(target, self._mesh)
        mine = spans[placement.model_rank(self._mesh.rank) if len(spans) > 1 else 0]
        return _Job(network, target, sets, merge.Rota(examples, size, placement.data), spans, mine)

    def _program(self, datasets: DataSets, target: Layer, ranking: Ranking | None = None) -> Program:
        job, entry = self._job(datasets, target), "recommend" if ranking else "predict"
        made = Program(
            job.network, [entry], job.rota.size,
            device=self._device, ranking=ranking, placement=self._mesh.placement, mesh=self._mesh,
        )  # fmt: skip
        made.load(self._model if self._path is None else load(self._path, made.spans()))
        self._mesh.barrier()  # in a batch no rank waits long for another, and files are not read equally fast
        return made


def spans_of(layer: Layer, mesh: Mesh) -> Sequence[tuple[int, int]]:
    """The units (first, last + 1) of each rank of a group, of one alone where all have all of them."""
    placement = mesh.placement
    dealt = parts(layer.units, placement.model) if layer.index in placement.split else None
    return dealt or [(0, layer.units)]


def _bound(network: Network, facts: Facts) -> Network:
    """The network as one for these data sets: how they are stored is theirs to say, DSSTNE's models do not know it."""
    known = {found.name: found for found in network.data} | dict(facts)
    return replace(network, data=tuple(known.values()))


def exposed(network: Network, target: Layer) -> Network:
    """The network with `target` among its outputs, so that predicting returns its units."""
    if target.kind is Kind.OUTPUT:
        return network
    shown = replace(target, kind=Kind.OUTPUT, sparseness=None)
    return replace(network, layers=tuple(shown if layer is target else layer for layer in network.layers))
