"""A sweep from its file to its last trial: the folder is locked, the log is opened, begun or taken up, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nnlang.diagnostics import Diagnostic
from nnlang.search.advice import again
from nnlang.search.begin import begin, check_folder, take_up
from nnlang.search.coordinator import Coordinator, Policy, View
from nnlang.search.events import NAME, Log, locked
from nnlang.search.executors import Executor
from nnlang.search.history import History
from nnlang.search.workplace import Limits, Workplace
from nnlang.sweeps.sweepfile import Sweep, load_sweep

_PACKAGES = {"QMC": ("scipy",), "TPE": ("optuna",), "CMAES": ("optuna", "cmaes"), "GP": ("optuna", "scipy")}
LEAST_FAILURES = 5  # so many trials, or a fifth of all, may fail where nobody says how many


@dataclass(frozen=True)
class Plan:
    """What a run is asked for. `overrides` replace what the sweep file says (sweepfile.load_sweep)."""

    file: Path
    folder: Path
    resume: bool = False
    extend: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    command: Sequence[str] = ()  # the words that began it, for people who come later


def run(
    plan: Plan,
    executor: Callable[[], Executor],
    watching: Callable[[History, Path], AbstractContextManager[View]],
    interrupted: Callable[[], bool] = lambda: False,
    notice: Callable[[Diagnostic], None] = lambda notice: None,
) -> None:
    """Begin or take up a sweep, and run it to its end.

    executor: makes the machines, when they are needed; watching: makes the view, given the history so far and the
    folder. Raises `Stop`: a wrong sweep file or folder (2), damaged log (3), disk (7), too many failures (1),
    interrupted (130).
    """
    command = plan.command or ("sweep", "run", str(plan.file), "-o", str(plan.folder))
    sweep = load_sweep(plan.file, plan.overrides)
    check_packages(sweep, plan.policy.synchronous)
    check_folder(plan.folder, plan.resume, command)
    with locked(plan.folder), _opened(plan.folder.resolve() / NAME) as log:
        for told in log.notices:
            notice(told)
        place = Workplace(sweep, plan.folder, again(["nnlang", *command], plan.folder), plan.limits)
        place.check()
        known = take_up(log, sweep, place, plan.policy.synchronous, plan.extend) if log.items else None
        with closing(executor()) as machines:  # first: where there are none, no new sweep is begun
            history = known or begin(log, sweep, place, command, plan.policy.synchronous)
            with watching(history, place.folder) as view:
                policy = _limited(plan.policy, history)
                _conduct(Coordinator(sweep, log, history, place, machines, policy, view), interrupted)
        log.append("closed")


def check_packages(sweep: Sweep, synchronous: bool) -> None:
    """Raise ModuleNotFoundError where a package is missing that the sweep would need hours later."""
    needed = ["torch", *_PACKAGES.get(sweep.method, ())]
    if sweep.pruning.method != "None" and not synchronous:
        needed.append("optuna")
    for name in needed:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _limited(policy: Policy, history: History) -> Policy:
    if policy.max_failures is not None:
        return policy
    return replace(policy, max_failures=max(LEAST_FAILURES, history.total // 5))


def _conduct(coordinator: Coordinator, interrupted: Callable[[], bool]) -> None:
    try:
        coordinator.run(interrupted)
    except KeyboardInterrupt as error:  # somebody did not want to wait for the checkpoints
        raise coordinator.interruption() from error


@contextmanager
def _opened(path: Path) -> Iterator[Log]:
    log = Log(path)
    try:
        yield log
    finally:
        log.close()
