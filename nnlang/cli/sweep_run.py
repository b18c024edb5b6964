"""`nnlang sweep run`: trials of a sweep as processes, here or on a cluster; and the commands on what came of it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nnlang.cli import options, sweep_test
from nnlang.cli import show as screen
from nnlang.cli import sweep_options as own
from nnlang.cli.sweep_results import advise, best, compare, export, finalists, known, record_of, show, status, table
from nnlang.codes import usage as usage_codes
from nnlang.diagnostics import bytes_text, printable, render, stop

if TYPE_CHECKING:
    from nnlang.search.coordinator import View
    from nnlang.search.executors import Executor
    from nnlang.search.history import History

__all__ = ["best", "compare", "export", "run", "show", "status"]


def run(
    sweep: own.File,
    output: own.Folder,
    resume: own.Resume = False,
    extend: own.Extend = False,
    jobs: own.Jobs = 1,
    scheduler: own.Scheduler = None,
    tls_ca: own.TlsCa = None,
    tls_cert: own.TlsCert = None,
    tls_key: own.TlsKey = None,
    insecure: own.Insecure = False,
    synchronous: own.Synchronous = False,
    trials: own.Trials = None,
    seed: own.Seed = None,
    metric: own.Metric = None,
    method: own.Method = None,
    ratings: own.Ratings = None,
    max_failures: own.MaxFailures = None,
    fail_fast: own.FailFast = False,
    max_retries: own.MaxRetries = 3,
    trial_time: own.TrialTime = None,
    trial_memory: own.TrialMemory = None,
    keep: own.Keep = None,
    device: options.Device = None,
    devices: own.Devices = None,
    test: own.Test = True,
    json: options.Json = False,
) -> None:
    """Run the trials of a sweep; stop it at any time, go on with --resume.

    \b
    nnlang sweep run sweep.json -o first --jobs 4
    nnlang sweep run sweep.json -o first --jobs 4 --resume
    nnlang sweep run sweep.json -o first --scheduler tls://head:8786 --tls-ca ca.pem --tls-cert c.pem --tls-key k.pem

    Every trial is a process with its own folder, log and checkpoints. The base definition is trial 0. At the end base
    and winner are judged on the test part, beside popularity, item-kNN and EASE.
    Look at it, also while it runs: nnlang sweep status DIR, show DIR, best DIR; a page: nnlang sweep report DIR.
    """
    from nnlang.runtime.interrupts import interruptible
    from nnlang.search.coordinator import Policy
    from nnlang.search.running import Plan
    from nnlang.search.running import run as start
    from nnlang.search.workplace import Limits

    check(jobs, fail_fast and max_failures is not None, device if scheduler is None else None)
    given = {"trials": trials, "seed": seed, "metric": metric, "method": method, "ratings": ratings}
    overrides = {key: value for key, value in given.items() if value is not None}
    limits = Limits(seconds(trial_time), size(trial_memory), device or "", keep=keep)
    policy = Policy(0 if fail_fast else max_failures, max_retries, synchronous)
    command = sys.argv[1:] if sys.argv[1:3] == ["sweep", "run"] else ()
    plan = Plan(sweep, output, resume, extend, overrides, limits, policy, command)
    slots = tuple(filter(None, (devices or "").split(",")))
    places = Places(jobs, scheduler, (tls_ca, tls_cert, tls_key), insecure, slots)
    with interruptible(_stopping) as interrupted:
        start(plan, places.executor, partial(view, as_json=json), interrupted, lambda told: screen.findings([told]))
    conclude(output, device, test, json)


def check(jobs: int, both: bool, device: str | None) -> None:
    """Raise `Stop` for a system without forks, for options that cannot be, and for a device that is not here."""
    if not hasattr(os, "fork"):
        raise stop(usage_codes.BAD_USAGE, reason="trials are forks, which this system lacks", command="sweep run")
    options.positive("--jobs", jobs, "sweep run", 1024)
    if both:
        raise stop(usage_codes.CANNOT_COMBINE, first="--fail-fast", second="--max-failures")
    if device is not None:
        options.device(device, command="sweep run")


@dataclass(frozen=True)
class Places:
    """Where trials are to run."""

    jobs: int
    scheduler: str | None
    keys: tuple[Path | None, Path | None, Path | None]
    insecure: bool
    devices: tuple[str, ...]

    def executor(self) -> Executor:
        """The executor; raises `Stop` for a scheduler that cannot or must not be used."""
        from nnlang.search.executors import Local

        if self.scheduler is None:
            return Local(self.jobs, self.devices)
        from nnlang.search.cluster import Cluster, Keys, check_address

        if self.scheduler != "dask":
            check_address(self.scheduler, self.insecure)
        return Cluster(self.scheduler, self.jobs, Keys(*self.keys))


@contextmanager
def view(history: History, folder: Path, *, as_json: bool) -> Iterator[View]:
    """What is told while it runs: a live view on a terminal, a line a trial elsewhere, an object a trial as JSON."""
    from nnlang.search.coordinator import View
    from nnlang.search.progress import progress

    if as_json:
        yield View(_records(history), lambda notice: screen.findings([notice]))
        return
    from nnlang.cli.sweep_view import LiveView

    with LiveView(history.total, history.metric) as live:
        rested = 0.0

        def changed(now: History) -> None:
            nonlocal rested
            began = time.monotonic()
            if began >= rested:
                live.update(now.study(folder), progress(folder, now))
                rested = began + 10 * (time.monotonic() - began)  # of ten thousand trials it takes a while

        changed(history)
        try:
            yield View(changed, lambda told: live.log(render([told])))
        finally:
            live.update(history.study(folder), {})  # what ended while it rested


def _records(history: History) -> Callable[[History], None]:
    """Prints a JSON object for every trial that is done since it was asked last."""
    told = {number for number, entry in history.entries.items() if entry.done}

    def tell(now: History) -> None:
        for number, entry in sorted(now.entries.items()):
            if entry.done and number not in told:
                told.add(number)
                screen.record({"event": "trial", **record_of(entry.record(now.metric), now.metric)})

    return tell


def _stopping() -> None:
    screen.tell("telling the running trials to write a checkpoint; once more to stop at once")


def conclude(folder: Path, device: str | None, test: bool, as_json: bool) -> None:
    """Tell what came of it, judge base and winner on the test part, say what to do next."""
    from nnlang.search.afterwards import has_test

    history, study = known(folder)
    if not as_json:
        table(study, most=10)
        advise(history, study)
    winner, name = study.best, shlex.quote(str(folder))
    if test and winner is not None and has_test(study, winner):
        try:
            sweep_test.judged(study, finalists(study, winner), device, as_json, keep=True)
        except KeyboardInterrupt:
            screen.tell(f"all trials are done; judge the winner with:\n  nnlang sweep best {name} --test")
            raise
    if not as_json:
        screen.say(f"\n{_size_words(folder)}")
        if winner is not None:
            screen.say(f"The winning definition, and everything in one page:\n  nnlang sweep best {name} -o best.json")
            screen.say(f"  nnlang sweep report {name} -o report.html")


def _size_words(folder: Path) -> str:
    from nnlang.search.advice import sizes

    whole, models, count = sizes(folder)
    words = f"{printable(str(folder))} takes {bytes_text(whole)}, {bytes_text(models)} of it for {count:,} models"
    return words + (" (--keep 3 keeps the base's and those of the best three)" if count > 4 else "")


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def seconds(text: str | None) -> float | None:
    """The seconds of a time such as 90, 30m or 2h; raises `Stop` for anything else."""
    return _quantity("--trial-time", text, _UNITS, "a time such as 90, 30m or 2h")


def size(text: str | None) -> int | None:
    """The bytes of a size such as 800M or 4G; raises `Stop` for anything else."""
    upper = None if text is None else text.upper().removesuffix("B").removesuffix("I")
    found = _quantity("--trial-memory", upper, {k: float(v) for k, v in _SIZES.items()}, "a size such as 800M or 4G")
    return None if found is None else int(found)


def _quantity(option: str, text: str | None, units: dict[str, float], words: str) -> float | None:
    if text is None:
        return None
    number = text.rstrip("".join(units))
    unit = text[len(number) :]
    try:
        found = float(number) * units[unit]
    except (ValueError, KeyError) as error:
        raise options.refused(option, text, f"it takes {words}", command="sweep run") from error
    if not 0 < found < float("inf"):
        raise options.refused(option, text, f"it takes {words}, above 0", command="sweep run")
    return found
