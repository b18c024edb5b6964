"""What an event log adds up to: every event taken in order, by the coordinator as it writes and by everybody who reads.

sweep        the head: what must stay the same, and the total
asked        a trial has its number and parameters
segment      a process trains it from one epoch to another (None: to the end)
measured     values of epochs, where there are more than the next event can hold
reported     it waits at a rung, with the values of its epochs so far
decided      it goes on, or is pruned
finished     it is done
failed       it ended with an error
interrupted  its process ended before it could report; it will go on from its checkpoint
extended     another total, other axes
opened       a coordinator took the sweep up; closed: it let go of it
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.measures import Metric, metric
from nnlang.search.study import DONE, Params, State, Study, Trial, refusal

KINDS = {state.value: state for state in (State.FAILED, State.DIVERGED, State.MEMORY, State.TIME)}


@dataclass
class Entry:
    """A trial as far as the log has come. `rungs` holds the best value at each rung where it has waited."""

    number: int
    params: Params
    seed: int = 0
    state: State = State.WAITING
    values: list[tuple[int, float]] = field(default_factory=list)
    rungs: dict[int, float] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    error: str = ""
    lost: int = 0  # how often its process ended by itself before it could report

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in DONE

    def best(self, metric: Metric) -> tuple[int, float] | None:
        """The first epoch with the best value, and that value; None where no number was measured."""
        found: tuple[int, float] | None = None
        for epoch, value in self.values:
            if metric.better(value, math.nan if found is None else found[1]):
                found = epoch, value
        return found

    def record(self, metric: Metric) -> Trial:
        """The trial as others see it."""
        at = self.best(metric)
        return Trial(
            self.number, self.state, dict(self.params), self.seed, tuple(self.values),
            None if at is None else at[1], 0 if at is None else at[0], self.epochs, self.seconds, self.error,
        )  # fmt: skip


@dataclass
class History:
    """The state of a sweep. `decisions` are (trial, rung, value) in the order in which they fell."""

    head: dict[str, Any] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    decisions: list[tuple[int, int, float]] = field(default_factory=list)
    order: list[tuple[str, int]] = field(default_factory=list)  # what happened to trials, for samplers that learn

    @property
    def metric(self) -> Metric:
        """What trials are judged by."""
        found = metric(str(self.head.get("metric", "")))
        assert isinstance(found, Metric), found
        return found

    @property
    def total(self) -> int:
        """How many trials are wanted beside the base."""
        return int(self.head["total"])

    def take(self, event: Mapping[str, Any]) -> None:
        """Let an event happen; raises KeyError, TypeError or ValueError for one that makes no sense."""
        _HAPPENS[event["event"]](self, event)

    def study(self, folder: Path) -> Study:
        """The sweep as others see it; trials by number."""
        found, head = self.metric, self.head
        trials = tuple(self.entries[number].record(found) for number in sorted(self.entries))
        return Study(folder, head["name"], found, head["method"], self.total, tuple(head["axes"]), trials)


def replay(events: Iterable[Mapping[str, Any]], path: Path) -> History:
    """What the events of the log at `path` add up to; raises `Stop` (NN783) where they make no sense."""
    history = History()
    for number, event in enumerate(events, 1):
        try:
            history.take(event)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise _senseless(path, number, error) from error
    if not history.head:
        raise refusal(codes.NO_SWEEP, path.parent, reason="its event log has not begun")
    return history


def _senseless(path: Path, number: int, error: Exception) -> Stop:
    reason = f"the event makes no sense ({type(error).__name__}: {error})"
    return stop(codes.LOG_DAMAGED, Place(str(path), line=number), reason=reason)


def _begins(history: History, event: Mapping[str, Any]) -> None:
    if history.head:
        raise ValueError("the sweep begins twice")
    history.head = {k: v for k, v in event.items() if k not in ("n", "event")}
    int(event["total"]), list(event["axes"]), str(event["name"]), str(event["method"]), history.metric


def _extended(history: History, event: Mapping[str, Any]) -> None:
    history.head |= {key: event[key] for key in ("total", "space", "axes", "shape", "ends") if key in event}


def _asked(history: History, event: Mapping[str, Any]) -> None:
    number = int(event["number"])
    if number in history.entries:
        raise ValueError(f"trial {number} is asked twice")
    history.entries[number] = Entry(number, dict(event["params"]), int(event["seed"]))
    history.order.append(("asked", number))


def _segment(history: History, event: Mapping[str, Any]) -> None:
    _open(history, event).state = State.RUNNING


def _reported(history: History, event: Mapping[str, Any]) -> None:
    entry = _open(history, event)
    _count(entry, event)
    entry.state = State.PAUSED
    found = entry.best(history.metric)
    entry.rungs[int(event["epoch"])] = math.nan if found is None else found[1]


def _decided(history: History, event: Mapping[str, Any]) -> None:
    entry = _open(history, event)
    epoch = int(event["epoch"])
    history.decisions.append((entry.number, epoch, entry.rungs[epoch]))
    history.order.append(("decided", entry.number))
    entry.state = {"go": State.WAITING, "prune": State.PRUNED}[event["decision"]]
    if entry.done:
        history.order.append(("done", entry.number))


def _measured(history: History, event: Mapping[str, Any]) -> None:
    _count(_open(history, event), event)


def _finished(history: History, event: Mapping[str, Any]) -> None:
    entry = _open(history, event)
    _count(entry, event)
    entry.state = State.FINISHED
    history.order.append(("done", entry.number))


def _failed(history: History, event: Mapping[str, Any]) -> None:
    entry = _open(history, event)
    _count(entry, event)
    entry.state, entry.error = KINDS[event["kind"]], str(event["error"])
    history.order.append(("done", entry.number))


def _interrupted(history: History, event: Mapping[str, Any]) -> None:
    entry = _open(history, event)
    _count(entry, event)
    entry.state = State.WAITING
    entry.lost += bool(event.get("lost"))


def _nothing(history: History, event: Mapping[str, Any]) -> None:
    pass


def _open(history: History, event: Mapping[str, Any]) -> Entry:
    entry = history.entries[int(event["number"])]
    if entry.done:
        raise ValueError(f"trial {entry.number} was done before")
    return entry


def _count(entry: Entry, event: Mapping[str, Any]) -> None:
    """Takes what a process reported: the values of epochs that were not told before, NaN written as null."""
    last = entry.values[-1][0] if entry.values else 0
    told = [(int(e), math.nan if v is None else float(v)) for e, v in event.get("values") or ()]
    entry.values += [(epoch, value) for epoch, value in told if epoch > last]
    entry.epochs = int(event.get("epochs", entry.epochs))
    entry.seconds += float(event.get("seconds", 0.0))


_HAPPENS: dict[str, Callable[[History, Mapping[str, Any]], None]] = {
    "sweep": _begins,
    "extended": _extended,
    "asked": _asked,
    "segment": _segment,
    "measured": _measured,
    "reported": _reported,
    "decided": _decided,
    "finished": _finished,
    "failed": _failed,
    "interrupted": _interrupted,
    "opened": _nothing,
    "closed": _nothing,
}
