"""`python -m tests.sweep_crashes FOLDER KILLS CASE:VICTIM ...`: sweeps whose processes are killed; prints JSON lines.

Coordinators and servers are forks of this process, which has everything imported and has computed nothing yet. What is
orphaned becomes a child of this process (PR_SET_CHILD_SUBREAPER), so that whatever is left behind is seen.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import nnlang.runtime.convert
import nnlang.runtime.protocols
import nnlang.runtime.splitfiles
import nnlang.runtime.training  # noqa: F401 - before the forks
from nnlang.diagnostics import Stop
from nnlang.search import server
from nnlang.search.coordinator import Policy, View
from nnlang.search.executors import Local, Server
from nnlang.search.running import Plan, run
from nnlang.search.workplace import Limits
from tests.sweeps import final, written

ASHA = {"Method": "ASHA", "First": 1, "Factor": 2}
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "random": ({"Trials": 4}, False),
    "grid": ({"Method": "Grid", "Trials": None, "Axes": {"Layers.Hidden.N": [2, 4], "Denoising.p": [0.1, 0.3]}}, False),
    "qmc": ({"Method": "QMC", "Trials": 4}, False),
    "asha": ({"Trials": 6, "Pruning": ASHA}, True),
}
_PR_SET_CHILD_SUBREAPER = 36


class Forked:
    """A process that is a fork, as `subprocess.Popen` shows one."""

    def __init__(self) -> None:
        there, stdin = os.pipe()
        stdout, back = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            with suppress(BaseException):
                os.setsid()
                os.dup2(there, 0)
                os.dup2(back, 1)
                os.closerange(3, 256)
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                code = server.main()
            os._exit(code)
        os.close(there)
        os.close(back)
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb", buffering=0)
        os.set_inheritable(stdin, False)

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("server", timeout or 0)
            time.sleep(0.005)

    def kill(self) -> None:
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


class ForkedServer(Server):
    """A trial server that is a fork of this process: it need not import everything again."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process: Any = Forked()
        self.asked = None
        self._rest = b""


def sweep(file: Path, folder: Path, case: str, jobs: int = 2) -> None:
    """A coordinator's life: begin, or take up what is there."""
    synchronous = CASES[case][1]
    log = folder / "events.jsonl"
    resume = log.exists() and log.stat().st_size > 0
    policy = Policy(None, 10**6, synchronous)
    plan = Plan(file, folder, resume, limits=Limits(checkpoint_seconds=0.05), policy=policy)
    run(plan, lambda: Local(jobs, start=ForkedServer), lambda history, path: nullcontext(View()))


def forked(work: Callable[[], None]) -> int:
    """The process that does the work."""
    child = os.fork()
    if child:
        return child
    code = 0
    try:
        work()
    except Stop as error:
        code = error.exit_code
        traceback.print_exc()
    except BaseException:
        traceback.print_exc()
        code = 70
    os._exit(code)


def waited(child: int) -> int:
    """How a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass
class Told:
    """What the test judges."""

    kills: int = 0
    sweeps: int = 0
    same: int = 0  # sweeps whose final table is that of the undisturbed one
    left: int = 0  # processes that were still there 5 s after their coordinator was gone
    slowest: float = 0.0  # seconds until they were gone
    cut: int = 0  # trials that a kill hit while they ran


def gone(told: Told) -> None:
    """Waits until no process is left below this one."""
    began = time.monotonic()
    while time.monotonic() - began < 5:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not psutil.Process().children(recursive=True):
            break
        time.sleep(0.005)
    told.slowest = max(told.slowest, round(time.monotonic() - began, 3))
    left = psutil.Process().children(recursive=True)
    told.left += len(left)
    for process in left:
        process.kill()


def killed_coordinator(child: int, chance: random.Random, span: float, told: Told) -> int | None:
    """Kills the coordinator at a random time; how it ended, None where it was killed."""
    time.sleep(chance.uniform(0, span))
    os.kill(child, signal.SIGKILL)
    status = waited(child)
    gone(told)
    if status == -signal.SIGKILL:
        told.kills += 1
        return None
    return status


def killed_server(child: int, chance: random.Random, span: float, told: Told) -> int | None:
    """Kills servers of a coordinator, one at a time, until it ends; how it ended."""
    while True:
        until = time.monotonic() + chance.uniform(0.02, span / 2)
        while time.monotonic() < until:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                gone(told)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        with suppress(psutil.Error, IndexError, ValueError):
            servers = psutil.Process(child).children()
            chance.choice(servers).kill()
            told.kills += 1


VICTIMS = {"coordinator": killed_coordinator, "server": killed_server}


def killed(folder: Path, case: str, victim: str, kills: int) -> dict[str, Any]:
    """All sweeps of a case."""
    told, chance = Told(), random.Random(kills)
    file = written(folder / "files", **CASES[case][0])
    began = time.monotonic()
    assert waited(forked(lambda: sweep(file, folder / "straight", case, 1))) == 0
    span = time.monotonic() - began
    wanted = final(folder / "straight")
    while told.kills < kills:
        told.sweeps += 1
        work = folder / str(told.sweeps)
        status: int | None = None
        while status is None:
            child = forked(lambda work=work: sweep(file, work, case))  # type: ignore[misc]
            status = VICTIMS[victim](child, chance, 0.6 * span, told)
        assert status == 0, status
        text = (work / "events.jsonl").read_text(encoding="utf-8")
        told.cut += text.count('"event":"interrupted"')
        told.same += final(work) == wanted
    return vars(told)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for words in sys.argv[3:]:
        case, _, victim = words.partition(":")
        print(json.dumps(killed(Path(sys.argv[1]) / case / victim, case, victim, int(sys.argv[2]))), flush=True)
