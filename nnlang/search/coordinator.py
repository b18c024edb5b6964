"""Running a sweep: asks for trials, hands out their segments, decides at rungs, writes down all that happens.

The event log is the only state: what is held here is what the log adds up to (history.py), so that taking a sweep up
again is reading it. Trials are asked one by one as places become free; with `synchronous` in cohorts (the whole sweep,
or COHORT trials where the sampler learns), whose rungs are complete before anything is decided or learnt.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import DISK, Diagnostic, Place, Stop, render, stop
from nnlang.search import pruning
from nnlang.search import segment as wire
from nnlang.search.events import Log
from nnlang.search.executors import Executor
from nnlang.search.history import KINDS, Entry, History
from nnlang.search.pruning import Pruner
from nnlang.search.sampling import LEARNING, sampler
from nnlang.search.segment import Reply
from nnlang.search.study import State, refusal
from nnlang.search.trial import ERROR_LENGTH, folder_of
from nnlang.search.workplace import Workplace
from nnlang.sweeps.sweepfile import Sweep

COHORT = 8  # trials that a learning sampler answers together under `synchronous`: never a function of --jobs
MOST_VALUES = 1000  # in one line of the log
WAIT = 0.25  # seconds between looks at the world
PATIENCE = 10.0  # seconds for running trials to write their checkpoints when somebody interrupts


@dataclass(frozen=True)
class Policy:
    """What to do when trials fail: how many may, how often a lost process is started again."""

    max_failures: int | None = None
    max_retries: int = 3
    synchronous: bool = False


@dataclass(frozen=True)
class View:
    """Whom to tell: `changed` after every event and now and then, `notice` of what a person should read at once."""

    changed: Callable[[History], None] = lambda history: None
    notice: Callable[[Diagnostic], None] = lambda notice: None


class Coordinator:
    """One run of a sweep, from what its log says to its total."""

    def __init__(
        self, sweep: Sweep, log: Log, history: History, place: Workplace, executor: Executor, policy: Policy, view: View
    ) -> None:
        self.sweep, self.history = sweep, history
        self._log, self._place, self._executor, self._policy, self._view = log, place, executor, policy, view
        self._running: set[int] = set()
        self._exhausted = False  # a grid has given its last combination
        self._ended: Stop | None = None  # why no more is begun
        self._cohort = COHORT if policy.synchronous and sweep.method in LEARNING else 0  # 0: all are one
        known = in_cohorts(history, self._cohort) if self._cohort else history
        self._learnt = max((number for what, number in known.order if what == "done"), default=0)
        self._sampler = sampler(sweep.method, sweep.space, sweep.seed, sweep.metric, known)
        self._pruner: Pruner | None = None
        if sweep.pruning.method != "None" and not policy.synchronous:
            self._pruner = Pruner(sweep.pruning, place.epochs_of_base(), sweep.metric, str(history.head["name"]))
            self._pruner.replay(history)

    def run(self, interrupted: Callable[[], bool]) -> None:
        """Go on until all trials are done; raises `Stop`: interrupted (130), too many failures (1), the disk (7)."""
        self._recover()
        while self._running or self._ended is not None or not self._is_over():
            self._heed(interrupted)
            self._settle()
            self._fill()
            if self._ended is not None:
                self._stop()
                self._view.changed(self.history)
                raise self._ended
            replies = self._executor.wait(WAIT)
            self._heed(interrupted)  # what was lost to the same signal is nobody's fault
            for reply in replies:
                self._take(reply)
            self._view.changed(self.history)
        self._place.tidy(self.history)
        self._view.changed(self.history)
        self._check_finished()

    def _heed(self, interrupted: Callable[[], bool]) -> None:
        if self._ended is None and interrupted():
            self._ended = self.interruption()

    def _check_finished(self) -> None:
        """Raise `Stop` where there is nothing to choose from: of all trials beside the base none could be trained."""
        ends = [entry.state.value in KINDS for number, entry in self.history.entries.items() if number]
        if ends and all(ends):
            raise self._too_many(len(ends), "all of them")

    def _is_over(self) -> bool:
        asked = len(self.history.entries) > self.history.total or self._exhausted
        return asked and all(entry.done for entry in self.history.entries.values())

    def interruption(self) -> Stop:
        """What to tell whoever interrupted it."""
        done = sum(entry.done for number, entry in self.history.entries.items() if number)
        return stop(codes.SWEEP_INTERRUPTED, done=done, total=self.history.total, command=self._place.again)

    def _write(self, event: str, **facts: object) -> None:
        self.history.take(self._log.append(event, **facts))

    def _recover(self) -> None:
        """What ran when the last coordinator ended goes on from its checkpoint; what waits at a rung is decided.

        What a trial that is done does not need was perhaps not let go of.
        """
        for entry in self._entries(State.RUNNING):
            self._write("interrupted", number=entry.number, reason="the coordinator ended", lost=False)
        if not self._policy.synchronous:
            for entry in self._entries(State.PAUSED):
                self._decide(entry)
        self._place.tidy(self.history)

    def _entries(self, state: State) -> list[Entry]:
        return [self.history.entries[n] for n in sorted(self.history.entries) if self.history.entries[n].state is state]

    def _fill(self) -> None:
        """Give work to every free place."""
        while self._ended is None and len(self._running) < self._executor.places:
            entry = self._next()
            if entry is None:
                return
            self._start(entry)

    def _next(self) -> Entry | None:
        """The trial to go on with: the furthest that waits, else a new one."""
        waiting = [entry for entry in self._entries(State.WAITING) if entry.number not in self._running]
        if waiting:
            return max(waiting, key=lambda entry: (entry.epochs, -entry.number))
        return self._asked()

    def _asked(self) -> Entry | None:
        """A new trial: the base, then as many as are wanted; under `synchronous` a cohort only after the one before."""
        number = len(self.history.entries)
        if number > self.history.total or self._exhausted or not self._may_ask(number):
            return None
        params = self._sampler.ask(number) if number else {}
        if params is None:
            self._exhausted = True
            return None
        self._write("asked", number=number, params=params, seed=self._place.seed_of(number, params))
        return self.history.entries[number]

    def _may_ask(self, number: int) -> bool:
        if not self._cohort or number == 0:
            return True
        first = (number - 1) // self._cohort * self._cohort + 1  # of its cohort
        return all(self.history.entries[n].done for n in range(1, first))

    def _start(self, entry: Entry) -> None:
        try:
            prepared = self._place.prepare(entry.number, entry.params)
        except Stop as error:
            changed = codes.SWEEP_CHANGED in [d.code for d in error.diagnostics]
            if entry.number == 0 or error.exit_code == DISK or changed:
                self._ended = error
            else:
                facts: dict[str, object] = {"number": entry.number, "epochs": entry.epochs}
                self._fail(entry, State.FAILED, render(error.diagnostics)[:ERROR_LENGTH], facts)
            return
        until = None
        if entry.number:
            until = pruning.next_rung(self.sweep.pruning, prepared.epochs, max(entry.rungs, default=0))
        self._write("segment", number=entry.number, begin=entry.epochs, until=until)
        self._running.add(entry.number)
        self._executor.submit(self._place.segment(entry, prepared, until))

    def _take(self, reply: Reply) -> None:
        """Write down how a segment ended, and decide what follows where that hangs on nobody else."""
        self._running.discard(reply.number)
        entry = self.history.entries[reply.number]
        values = self._new_values(entry, reply)
        facts: dict[str, object] = {
            "number": reply.number,
            "epochs": max(reply.epochs, entry.epochs),
            "seconds": round(reply.seconds, 3),
            "values": values,
        }
        match reply.outcome:
            case "paused":
                self._write("reported", epoch=max(reply.epochs, 1), **facts)
                if not self._policy.synchronous:
                    self._decide(entry)
            case "finished":
                self._place.note(entry, reply)
                self._write("finished", **facts)
                self._done(entry)
            case "interrupted" | "lost" | wire.NO_ROOM:
                self._lost(entry, reply)
            case kind:
                self._fail(entry, State(kind), reply.error, facts)

    def _new_values(self, entry: Entry, reply: Reply) -> list[list[float | None]]:
        """The values that the log does not hold yet; of very many all but the last are written down at once."""
        last = entry.values[-1][0] if entry.values else 0
        new: list[list[float | None]] = [[e, None if math.isnan(v) else v] for e, v in reply.values if e > last]
        while len(new) > MOST_VALUES:
            self._write("measured", number=entry.number, values=new[:MOST_VALUES], epochs=entry.epochs)
            new = new[MOST_VALUES:]
        return new

    def _lost(self, entry: Entry, reply: Reply) -> None:
        lost = reply.outcome == "lost" and self._ended is None
        told: dict[str, object] = {"number": entry.number, "seconds": round(reply.seconds, 3), "lost": lost}
        self._write("interrupted", reason=reply.error or "it was told to end", **told)
        if reply.outcome == wire.NO_ROOM:
            place = Place(str(folder_of(self._place.folder, entry.number)))
            reason = reply.error.partition("\n")[0]
            self._ended = stop(codes.UNWRITABLE, place, path=place.file, reason=reason)
        elif entry.lost > self._policy.max_retries:
            facts: dict[str, object] = {"number": entry.number, "epochs": entry.epochs}
            self._fail(entry, State.FAILED, f"{reply.error}, {entry.lost} times", facts)

    def _fail(self, entry: Entry, kind: State, error: str, facts: dict[str, object]) -> None:
        assert kind.value in KINDS
        self._write("failed", kind=kind.value, error=error, **facts)
        first = next((line for line in error.splitlines() if line.strip()), "no reason was given")
        log = folder_of(self._place.folder, entry.number) / "log.txt"
        told = {"number": entry.number, "kind": kind.value, "reason": first.strip(), "log": log}
        self._view.notice(Diagnostic(codes.TRIAL_FAILED, None, told))
        self._done(entry)
        failures = sum(e.state.value in KINDS for e in self.history.entries.values())
        limit = self._policy.max_failures
        if self._ended is None and limit is not None and failures > limit:
            self._ended = self._too_many(failures, f"--max-failures {limit}" if limit else "--fail-fast")

    def _too_many(self, count: int, limit: str) -> Stop:
        number = max(n for n, entry in self.history.entries.items() if entry.state.value in KINDS)
        return refusal(codes.TOO_MANY_FAILURES, self._place.folder, count=count, limit=limit, number=number)

    def _stop(self) -> None:
        """Tell all that run to write a checkpoint and end, and wait for them a while."""
        self._executor.stop()
        until = time.monotonic() + PATIENCE
        while self._running and time.monotonic() < until:
            for reply in self._executor.wait(WAIT):
                self._take(reply)
        for number in sorted(self._running):
            self._write("interrupted", number=number, reason="it did not end in time", lost=False)
        self._running.clear()

    def _done(self, entry: Entry) -> None:
        """What learns learns of it; under `synchronous` only when its whole cohort is done, in the order of numbers."""
        self._place.tidy(self.history)
        if not entry.number or self._policy.synchronous:
            return
        self._sampler.tell(entry)
        if self._pruner is not None:
            self._pruner.tell(entry)

    def _decide(self, entry: Entry) -> None:
        """Decide on a trial as it comes."""
        epoch = max(entry.rungs)
        goes_on = self._pruner is None or self._pruner.goes_on(entry.number, epoch, entry.rungs[epoch])
        self._write("decided", number=entry.number, epoch=epoch, decision="go" if goes_on else "prune")
        if entry.done:
            self._done(entry)

    def _settle(self) -> None:
        """Under `synchronous`: decide on a rung that is complete, learn from a cohort that is done."""
        if not self._policy.synchronous or self._running or self._entries(State.WAITING) or self._lacks():
            return
        paused = self._entries(State.PAUSED)
        if paused:
            self._decide_together(paused)
        if not self._entries(State.WAITING) and not self._entries(State.PAUSED):
            for number in range(self._learnt + 1, len(self.history.entries)):
                self._sampler.tell(self.history.entries[number])
                self._learnt = number

    def _lacks(self) -> bool:
        """Whether the present cohort is to get more trials."""
        last = len(self.history.entries) - 1
        if last >= self.history.total or self._exhausted:
            return False
        return last <= 0 or not self._cohort or last % self._cohort != 0

    def _decide_together(self, paused: Iterable[Entry]) -> None:
        """Decide on all that wait at the lowest rung, by the values of all of the cohort that came so far."""
        waiting = list(paused)
        rung = min(max(entry.rungs) for entry in waiting)
        first, last = self._members(waiting[0].number)
        values = []
        for number in range(first, last):
            entry = self.history.entries[number]
            best = entry.best(self.sweep.metric)
            if rung in entry.rungs:
                values.append((number, entry.rungs[rung]))
            elif entry.state is State.FINISHED and best is not None:
                values.append((number, best[1]))
        kept = pruning.best_of_rung(self.sweep.pruning, self.sweep.metric, rung, values)
        for entry in waiting:
            if max(entry.rungs) == rung:
                decision = "go" if entry.number in kept else "prune"
                self._write("decided", number=entry.number, epoch=rung, decision=decision)
        self._place.tidy(self.history)

    def _members(self, number: int) -> tuple[int, int]:
        """The first trial of a cohort, and the one after its last."""
        known = len(self.history.entries)
        if not self._cohort:
            return 1, known
        first = (number - 1) // self._cohort * self._cohort + 1
        return first, min(first + self._cohort, known)


def in_cohorts(history: History, cohort: int) -> History:
    """The history as cohorts see it: all of one are asked before any of it is known to be done, by their numbers."""
    order: list[tuple[str, int]] = []
    last = len(history.entries) - 1
    for first in range(1, last + 1, cohort):
        members = range(first, min(first + cohort, last + 1))
        order += [("asked", number) for number in members]
        if len(members) == cohort and all(history.entries[number].done for number in members):
            order += [("done", number) for number in members]
    return replace(history, order=order)
