"""Small trainings over ranks that are threads of this process, for the ways of training that deal out examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nnlang.diagnostics import Diagnostic
from nnlang.network import Network, Optimizer, Training
from nnlang.placement import Placement
from nnlang.runtime.brake import Brake
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.executor import At
from nnlang.runtime.mesh import ALONE_MESH
from nnlang.runtime.model import Model
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.steps import CpuSteps, Outcome
from nnlang.runtime.ways import Way
from nnlang.runtime.world import SINGLE
from tests import tiny
from tests.networks import bind, build, hidden, output, source
from tests.ranks import Thread, together

T = TypeVar("T")


class ThreadMesh:
    """A mesh whose ranks are threads: what the ways of training ask of a mesh."""

    def __init__(self, told: list[Any], ranks: Thread) -> None:
        self.rank, self.size, self.data, self.is_first = ranks.rank, ranks.size, ranks, ranks.rank == 0
        self.world = SINGLE
        self._told, self._meeting = told, ranks._meeting.barrier

    def everyone(self, value: Any) -> list[Any]:
        self._told[self.rank] = json.dumps(value)
        self._meeting.wait()
        found = [json.loads(text) for text in self._told]
        self._meeting.wait()
        return found

    def share(self, value: Any = None) -> Any:
        return self.everyone(value)[0]

    def barrier(self) -> None:
        self.everyone(None)

    def agree(self, facts: Mapping[str, str]) -> None:
        told = self.everyone(dict(facts))
        assert all(theirs == told[0] for theirs in told)


def meshes(ranks: int, work: Callable[[Any], T]) -> list[T]:
    """What so many ranks give."""
    if ranks == 1:
        return [work(ALONE_MESH)]
    told: list[Any] = [None] * ranks
    return together(ranks, lambda rank, thread: work(ThreadMesh(told, thread)))


@dataclass
class Trained:
    """What a rank's training gave."""

    program: Program
    outcomes: list[Outcome]
    notes: list[Diagnostic] = field(default_factory=list)
    sent: int = 0
    stops: list[int] = field(default_factory=list)

    @property
    def states(self) -> dict[str, NDArray[Any]]:
        return tiny.arrays(self.model)

    @property
    def model(self) -> Model:
        return self.program.store(Model(self.program.network, {}, {}))


@dataclass(frozen=True)
class Problem:
    """A network, data and settings to train with."""

    network: Network
    sets: Mapping[str, DataSet]
    training: Training

    def run(self, way: Way, ranks: int = 1, hurry: Callable[[], bool] = lambda: False, **more: Any) -> list[Trained]:
        """Trains, every rank as nnlang.runtime.train does; `begin` is a model to go on from, `epochs` which ones."""
        return meshes(ranks, lambda mesh: self._rank(way, mesh, hurry, **more))

    def _rank(
        self,
        way: Way,
        mesh: Any,
        hurry: Callable[[], bool],
        begin: Model | None = None,
        epochs: range | None = None,
        device: Device = CPU,
    ) -> Trained:
        batch = min(self.training.batch, next(iter(self.sets.values())).facts.examples)
        program = way.program(self.network, self.training, batch, device, Placement(data=mesh.size), mesh)
        program.initialise(self.training.seed)
        if begin is not None:
            program.load(begin)
        feed = feed_for(program, way.entry, self.sets, shuffled=True)
        done = Trained(program, [])
        steps = way.steps(program, feed, Brake(), mesh, hurry, done.notes.append)
        count = way.batches(feed.examples, batch)
        for epoch in epochs or range(self.training.epochs):
            order = np.random.default_rng(epoch).permutation(feed.examples)
            first = 0
            for part in steps.parts(order, 0):
                done.outcomes += steps.launch(part, At(self.training.seed, epoch, epoch * count + first))()
                first += part.count
                done.stops.append(first)
            assert first == count
        done.sent = mesh.data.sent
        return done


def plain(**rest: Any) -> Problem:
    """A network without anything random or of whole batches; SGD; batches that every number of ranks divides."""
    sets = tiny.datasets(examples=32)
    rows = [source("Input", 12, sparse=True), hidden("Hidden", 6, "Input"), output("Output", 12, "Hidden")]
    network = bind(build("plain", rows), *(d.facts for d in sets.values()))
    given_ = {"optimizer": Optimizer.SGD, "epochs": 3, "batch": 8, "alpha": 0.3, "lambda_": 1e-3, **rest}
    return Problem(network, sets, Training(**given_))


def noisy(**rest: Any) -> Problem:
    """Denoising, dropout, batch normalisation, Adam; the last batch is too small for four ranks."""
    sets = tiny.datasets(examples=19)
    return Problem(tiny.network(sets), sets, tiny.settings(batch=8, **rest))


def whole(problem: Problem) -> Program:
    """The same training on one rank, batch by batch."""
    program = Program(problem.network, ["step"], problem.training.batch, problem.training)
    program.initialise(problem.training.seed)
    feed = feed_for(program, "step", problem.sets, shuffled=True)
    steps, size, at = CpuSteps(program, Brake()), problem.training.batch, 0
    for epoch in range(problem.training.epochs):
        order = np.random.default_rng(epoch).permutation(feed.examples)
        for begin in range(0, feed.examples, size):
            steps.launch(feed.batch(order[begin : begin + size]), At(problem.training.seed, epoch, at))
            at += 1
    return program


def apart_by(found: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> float:
    """The largest ||found - expected|| / ||expected|| of all arrays."""
    assert found.keys() == expected.keys()
    return max(
        float(np.linalg.norm(found[k] - expected[k]) / max(1e-12, np.linalg.norm(expected[k]))) for k in expected
    )
