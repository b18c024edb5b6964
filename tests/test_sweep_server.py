"""A trial server: segments in forks of it, their limits and their ends, whoever kills whom."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from nnlang.runtime.checkpoint import discard
from nnlang.runtime.model import load as load_model
from nnlang.search import segment as wire
from nnlang.search.executors import STOP, Server
from nnlang.search.history import Entry
from nnlang.search.segment import Reply, Segment
from nnlang.search.server import Child, judged, killed_for_memory
from nnlang.search.workplace import Limits, Workplace
from nnlang.sweeps.sweepfile import load_sweep
from tests.sweeps import BASE, EPOCHS, written
from tests.tiny import bits, equal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="trials are forks")
LONG = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server with two threads for its children."""
    made = Server({"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"})
    yield made
    made.end()


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Segment]:
    """Makes the segment of a trial: its number, changes of the definition's training parameters and of the segment."""
    sweep = load_sweep(written(tmp_path / "files"))

    def make(number: int, training: dict[str, Any] | None = None, **changes: Any) -> Segment:
        place = Workplace(sweep, tmp_path / "out", "", Limits(checkpoint_seconds=0.2))
        prepared = place.prepare(number, {})
        made = place.segment(Entry(number, {}, 1), prepared, None)
        if training:
            definition = BASE | {"TrainingParameters": BASE["TrainingParameters"] | training}
            (prepared.folder / "definition.json").write_text(json.dumps(definition), encoding="utf-8")
        return replace(made, **changes)

    return make


def reply(server: Server, seconds: float = 60) -> Reply:
    """The next reply of a server."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([server], [], [], 0.5)[0]:
            found, there = server.read()
            if found is not None:
                return found
            assert there, "the server is gone"
    raise AssertionError("no reply came")


def begun(asked: Segment) -> psutil.Process:
    """Waits until a trial has done an epoch and written a checkpoint; the process that trains it."""
    metrics = Path(asked.folder) / "model.nc.metrics.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if list(Path(asked.folder).glob("model.nc.checkpoint.*")) and metrics.exists() and metrics.read_text():
            break
        time.sleep(0.01)
    return next(p for p in psutil.process_iter() if p.is_running() and _has(p, asked.folder))


def _has(process: psutil.Process, folder: str) -> bool:
    try:
        return any(file.path.startswith(folder) for file in process.open_files()) and process.pid != os.getpid()
    except psutil.Error:
        return False


def answered(server: Server, asked: Segment) -> Reply:
    """The reply to a segment."""
    server.ask(asked)
    return reply(server)


def test_a_trial_in_pieces_is_the_trial_in_one(server: Server, asked: Callable[..., Segment]) -> None:
    whole = answered(server, asked(1))
    assert (whole.outcome, whole.epochs, len(whole.values)) == ("finished", EPOCHS, EPOCHS)
    assert whole.facts["parameters"] > 0
    first = answered(server, asked(2, pause=2))
    assert (first.outcome, first.epochs, first.values) == ("paused", 2, whole.values[:2])
    assert answered(server, asked(2, pause=2)) == first
    second = answered(server, asked(2, pause=4))
    assert (second.outcome, second.epochs) == ("paused", 4)
    last = answered(server, asked(2))
    assert replace(last, number=1, seconds=0) == replace(whole, seconds=0)
    folders = [Path(asked(n).folder) for n in (1, 2)]
    assert equal(*(bits(folder / "model.nc") for folder in folders))
    values = [json.loads((folder / "validation.json").read_bytes()) for folder in folders]
    assert values[0] == values[1] and values[0]["metric"] == "ndcg@5"
    mean = sum(values[0]["values"]) / len(values[0]["values"])
    assert abs(mean - max(v for _, v in whole.values)) < 1e-12
    assert answered(server, asked(2)) == last
    assert not load_model(folders[0] / "model.nc").state
    discard(folders[1] / "model.nc")
    longer = answered(server, asked(2, {"Epochs": EPOCHS + 2}, pause=EPOCHS + 1))
    assert longer.outcome == "failed" and "NN738" in longer.error, "nobody goes on without the optimiser's state"


def test_the_server_computes_nothing_and_its_children_have_their_threads(
    server: Server, asked: Callable[..., Segment]
) -> None:
    segment = asked(1, {"Epochs": LONG})
    server.ask(segment)
    child = begun(segment)
    assert psutil.Process(server.pid).num_threads() == 1
    assert child.ppid() == server.pid
    server.stop()
    told = reply(server)
    assert told.outcome == "interrupted" and told.epochs > 0
    again = answered(server, asked(1, {"Epochs": told.epochs + 1}))
    assert again.outcome == "finished" and again.values[: len(told.values)] == told.values


def test_a_wish_to_end_that_comes_with_the_segment_is_heard(server: Server, asked: Callable[..., Segment]) -> None:
    segment = asked(1, {"Epochs": LONG})
    server.asked = segment
    server._write((wire.text(segment) + "\n").encode() + STOP)
    assert reply(server, 20).outcome == "interrupted"


def test_time_ends_a_trial_and_keeps_its_values(server: Server, asked: Callable[..., Segment]) -> None:
    told = answered(server, asked(1, {"Epochs": LONG}, seconds=1.0))
    assert told.outcome == "out of time" and told.values and "1 s" in told.error
    assert answered(server, asked(1, {"Epochs": LONG}, seconds=0.0)).outcome == "out of time"


def test_memory_ends_a_trial_not_its_server(server: Server, asked: Callable[..., Segment]) -> None:
    told = answered(server, asked(1, memory=40_000_000))
    assert told.outcome == "out of memory", told
    assert answered(server, asked(2)).outcome == "finished"


def test_divergence_has_its_name(server: Server, asked: Callable[..., Segment]) -> None:
    told = answered(server, asked(1, {"Alpha": 1e30, "Optimizer": "SGD"}))
    assert told.outcome == "diverged" and "NN73" in told.error


def test_what_is_wrong_with_a_trial_is_told(server: Server, asked: Callable[..., Segment]) -> None:
    segment = asked(1)
    (Path(segment.folder) / "definition.json").write_text("{", encoding="utf-8")
    told = answered(server, segment)
    assert told.outcome == "failed" and "NN1" in told.error
    told = answered(server, asked(2, files=("nowhere.nc",)))
    assert told.outcome == "failed" and "nowhere.nc" in told.error


def test_a_killed_trial_is_lost_and_goes_on(server: Server, asked: Callable[..., Segment]) -> None:
    segment = asked(1, {"Epochs": LONG})
    server.ask(segment)
    begun(segment).kill()
    told = reply(server)
    assert told.outcome == "lost" and "SIGKILL" in told.error
    epochs = len((Path(segment.folder) / "model.nc.metrics.jsonl").read_text().splitlines()) // 2 + 2
    done, straight = (answered(server, asked(number, {"Epochs": epochs})) for number in (1, 2))
    assert done.outcome == "finished" and straight.values == done.values and len(done.values) == epochs


def test_what_crosses_the_wire_comes_out_as_it_went_in(asked: Callable[..., Segment]) -> None:
    segment = asked(3, pause=2, memory=10, seconds=1.5)
    assert wire.segment(wire.text(segment)) == segment
    told = Reply(3, "paused", 2, ((1, 0.25), (2, 0.5)), 1.25, "x", {"parameters": 3})
    assert wire.reply(wire.text(told)) == told
    nothing = wire.reply(wire.text(Reply(1, "finished", 1, ((1, float("nan")),))))
    assert nothing.values[0][1] != nothing.values[0][1]


@pytest.mark.parametrize(
    ("group", "file"), [("0::/a", "a/memory.events"), ("4:memory:/a", "memory/a/memory.oom_control")]
)
def test_what_the_kernel_killed_for_memory_is_counted(tmp_path: Path, group: str, file: str) -> None:
    groups = tmp_path / "cgroup"
    groups.write_text(f"9:name=systemd:/\n{group}\n", encoding="utf-8")
    assert killed_for_memory(groups, tmp_path) == 0
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("oom 3\noom_kill 2\n", encoding="utf-8")
    assert killed_for_memory(groups, tmp_path) == 2


def test_a_trial_that_the_kernel_killed_for_memory_is_told_so(asked: Callable[..., Segment]) -> None:
    child = Child(1, 0, 0.0)
    assert judged(asked(1), child, -9, True).outcome == "out of memory"
    assert judged(asked(1), child, -9, False).outcome == "lost"
    assert judged(asked(1, seconds=2.0), replace(child, reason="time"), -9, True).outcome == "out of time"
