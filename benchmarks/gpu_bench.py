"""What `benchmarks/gpu.py` times: training steps of all contenders in turn, each launch of a step, predicting."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from gpu_machine import Machine
from gpu_ours import Predictor, Trainer, floor, time_launches
from gpu_peers import PEERS, Batches, Peer, batches
from gpu_report import Found, Launches, Predicted, Row, Table
from workloads import BATCH, ITEMS, USERS, WORKLOADS, Data, resolved, settings, synthetic

from nnlang.codegen.plan import Plan
from nnlang.network import Kind, Network, Training
from nnlang.runtime import devices
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.devices import Device
from nnlang.runtime.model import Model

PRECISIONS = ("tf32", "fp32", "tf32x3", "bf16")
WINDOW = 64  # batches that a contender trains in a round: two graphs of ours
EPOCHS = 3  # of ours that are run whole
RESERVE = 90  # seconds for what comes after a contender: none is begun with less left
PREDICTED = 4096  # users a batch at predict
TINY = 8  # units of a hidden layer in a dry run


@dataclass(frozen=True)
class Problem:
    """A workload with its data on the device, of which `count` whole batches are timed, and its first weights."""

    name: str
    title: str
    network: Network
    settings: Training
    plan: Plan  # of a step
    data: Data
    sets: Mapping[str, DataSet]
    feed: Any
    held: int  # bytes of the feed
    start: Model
    batches: int  # of an epoch
    count: int


@dataclass
class Contender:
    """A row under way: what trains the timed batches, and a whole epoch where that is timed too."""

    row: Row
    run: Callable[[], object]
    epoch: Callable[[], object] | None = None


@dataclass
class Bench:
    """The measurements of one run of the command, each of which adds to what was found."""

    machine: Machine
    found: Found
    rounds: int
    quick: bool
    until: float  # on the monotonic clock
    problems: dict[str, Problem] = field(default_factory=dict)

    @cached_property
    def data(self) -> Data:
        """The users and their items."""
        return synthetic(24, items=96) if self.machine.dry else synthetic(USERS)

    def device(self, precision: str) -> Device:
        """Where ours runs, in a precision."""
        return devices.find("interpret" if self.machine.dry else "cuda", precision)

    def problem(self, name: str) -> Problem:
        """A workload at the size of this run; made once."""
        if name in self.problems:
            return self.problems[name]
        work, dry = WORKLOADS[name], self.machine.dry
        items, batch = (96, 16) if dry else (ITEMS, BATCH)
        offsets, index = self.data["offsets"], self.data["index"]
        sets = {n: sparse_set(n, offsets, index, width=items) for n in ("gl_input", "gl_output")}
        network = resolved(work.definition, {n: s.facts for n, s in sets.items()})
        network = shrunk(network) if dry else network
        how = settings(work, batch)
        trainer = Trainer(network, how, self.device(self.precisions[0]))
        start = trainer.program.store(Model(network, {}, {}))
        before, feed = self.machine.held(), trainer.feed(sets)
        trainer.read(feed)
        whole, rest = divmod(len(offsets) - 1, batch)
        title = f"{' -> '.join(f'{x.units:,}' for x in network.layers)}, {work.optimizer}, batch {batch}"
        held, counts = self.machine.held() - before, (whole + (rest > 0), min(WINDOW, whole))
        self.problems[name] = Problem(
            name, title, network, how, trainer.plan, self.data, sets, feed, held, start, *counts
        )
        return self.problems[name]

    @property
    def precisions(self) -> tuple[str, ...]:
        """What ours is timed in, the default first."""
        return ("fp32",) if self.machine.dry else PRECISIONS[:1] if self.quick else PRECISIONS

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Whom ours is compared with."""
        return {
            k: v for k, v in PEERS.items() if not (self.quick and (v.dense or v.half or v.way == "reduce-overhead"))
        }

    @property
    def warm_up(self) -> int:
        """Trainings before one is timed: kernel by kernel, then the capture of graphs, then what is to be timed."""
        return 1 if self.machine.dry else 3

    def trainer(self, given: Problem, precision: str) -> Trainer:
        """Our training of a workload."""
        trainer = Trainer(given.network, given.settings, self.device(precision), given.start)
        trainer.read(given.feed)
        return trainer

    def compare(self, name: str) -> None:
        """The contenders of a workload, in turn on the same batches; then whole epochs of ours."""
        given = self.problem(name)
        padded = batches(given.data, given.settings.batch, given.network, given.count, self.machine.device)
        plan, entries = given.plan, 2 * 4 * len(given.data["index"]) / given.batches  # input and target, 4 bytes each
        least = 2 * plan.state_bytes + entries
        table = Table(name, given.title, given.batches, given.held, plan.flops, plan.bytes, least)
        self.found.tables.append(table)
        contenders: list[Contender] = []
        for precision in self.precisions:
            row = Row("nnlang", precision, ours=True)
            contenders += self.begin(table, row, partial(self.ours, given))
        for label, peer in self.peers.items():
            row = Row(label, "bf16" if peer.half else "tf32", ours=False)
            contenders += self.begin(table, row, partial(self.peer, given, padded, peer))
        for turn in range(1 if self.machine.dry else self.rounds):
            for i in range(len(contenders)):
                one = contenders[(i + turn) % len(contenders)]
                one.row.ms.append(self.machine.timed(one.run) / given.count)
        for one in contenders:
            if one.epoch is not None:
                times = 1 if self.machine.dry else EPOCHS
                one.row.epochs = [self.machine.clocked(one.epoch) / 1e3 for _ in range(times)]
            one.row.floor = floor(self.machine, table.flops, table.least, one.row.precision)
            print(f"{name}  {one.row.name:48} {one.row.precision:7} {one.row.middle:9.4f} ms/batch", flush=True)

    def begin(self, table: Table, row: Row, prepare: Callable[[Row], Contender]) -> list[Contender]:
        """A contender, warm; none where it fails or there is no time, which its row then says."""
        table.rows.append(row)
        if time.monotonic() > self.until - RESERVE:
            row.failure = "left out: no time"
            return []
        began, held = time.monotonic(), self.machine.held()
        try:
            contender = prepare(row)
            contender.run()
            self.machine.wait()
        except Exception as error:  # a contender that fails is a row that says so, whatever it failed with
            row.failure = f"failed: {type(error).__name__}: {error}".partition("\n")[0].replace("|", "/")
            print(f"{table.name}  {row.name} {row.precision}: {row.failure}", flush=True)
            return []
        row.memory = self.machine.most() - held
        print(f"{table.name}  {row.name} {row.precision}: ready in {time.monotonic() - began:.1f} s", flush=True)
        return [contender]

    def ours(self, given: Problem, row: Row) -> Contender:
        """nnlang in a precision."""
        trainer = self.trainer(given, row.precision)
        for _ in range(self.warm_up):
            trainer.train()
        return Contender(row, lambda: trainer.train(given.count), trainer.train)

    def peer(self, given: Problem, padded: Batches, peer: Peer, row: Row) -> Contender:
        """PyTorch in one of its ways."""
        step = peer.prepare(given.network, given.settings, padded, self.machine)
        return Contender(row, lambda: [step(b) for b in range(given.count)])

    def late(self, what: str) -> bool:
        """Whether there is no time left for something, which is then noted."""
        if time.monotonic() < self.until - RESERVE / 3:
            return False
        self.found.notes.append(f"Left out, no time: {what}.")
        return True

    def launches(self, name: str) -> None:
        """Each launch of a workload's step alone, in the default precision."""
        if self.late(f"the launches of {name}"):
            return
        given, precision = self.problem(name), self.precisions[0]
        trainer = self.trainer(given, precision)
        for _ in range(self.warm_up):
            trainer.train(given.count)
        step = self.machine.timed(lambda: trainer.train(given.count)) * 1e3 / given.count
        rows = time_launches(self.machine, trainer, precision)
        self.found.launches.append(Launches(name, precision, step, rows))

    def predict(self, name: str) -> None:
        """Users a second of a workload's model, in the default precision."""
        if self.late(f"predicting with {name}"):
            return
        given, precision, dry = self.problem(name), self.precisions[0], self.machine.dry
        batch = 16 if dry else PREDICTED
        predictor = Predictor(given.network, given.start, given.sets, self.device(precision), batch)
        users = len(given.data["offsets"]) - 1
        predictor.run()
        rates = [users / self.machine.clocked(predictor.run) * 1e3 for _ in range(1 if dry else self.rounds)]
        plan = predictor.program.compiled.plans["recommend"]
        least = floor(self.machine, plan.flops, plan.bytes, precision)
        self.found.predicted.append(Predicted(name, precision, batch, users, least, rates))


def shrunk(network: Network) -> Network:
    """The network with tiny hidden layers."""
    tiny = {x.index: replace(x, dims=(TINY, 1, 1, 1)) for x in network.layers if x.kind is Kind.HIDDEN}
    return replace(network, layers=tuple(tiny.get(x.index, x) for x in network.layers))
