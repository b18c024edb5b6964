"""`python -m nnlang.search.server`: trains segments, one after the other, each in a fork of this process.

One JSON line a command on standard input: a segment, or `{"stop": true}` for the one under way; one a reply on standard
output. Data sets are read here once and shared by the forks; this process computes nothing, so that a fork
finds a torch without threads and without a device. At the end of the input (whoever asked is gone) it ends, and its
child with it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nnlang.diagnostics import Stop
from nnlang.search import segment as wire
from nnlang.search import trial
from nnlang.search.segment import Reply, Segment
from nnlang.search.study import State

if TYPE_CHECKING:
    from nnlang.runtime.dataset import DataSet

GRACE = 10.0  # seconds from the wish to end to the order
KEPT = 4  # sets of files whose data stay in memory
_PR_SET_PDEATHSIG = 1
_NO_MEMORY = ("bad_alloc", "annot allocate memory", "Thread creation failed", "out of memory")


class Gone(Exception):  # noqa: N818 - it says what it does
    """Whoever asked is gone."""


class Commands:
    """The lines of standard input, as they come."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self._rest = descriptor, b""

    def next(self, timeout: float | None) -> dict[str, object] | None:
        """The next command, None where none came in time; raises Gone at the end."""
        until = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self.descriptor], [], [], left)[0]:
                return None
            more = os.read(self.descriptor, 1 << 16)
            if not more:
                raise Gone
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, object] = json.loads(text)
        return found

    @property
    def waiting(self) -> bool:
        """Whether a command was read together with the one before it."""
        return b"\n" in self._rest


class Data:
    """Data sets by their files, each read once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Mapping[str, DataSet]] = OrderedDict()

    def __call__(self, files: tuple[str, ...]) -> Mapping[str, DataSet]:
        """The data sets of the files; raises `Stop` for what cannot be read."""
        from nnlang.runtime.dataset import read_all

        if files not in self._kept:
            self._kept[files] = read_all(files)
        self._kept.move_to_end(files)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[files]


@dataclass
class Child:
    """A fork that trains: its process, the pipe of its reply, and what was done to end it."""

    pid: int
    pipe: int
    began: float
    told: bytes = b""
    reason: str = ""  # why it was told to end: stop, time
    ended: float = 0.0  # when it was


def main() -> int:
    """Serve until the input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever prints does not print among the replies
    import nnlang.runtime.training  # noqa: F401 - once, before the forks

    commands, data = Commands(0), Data()
    gc.freeze()  # so that counting references in the forks copies less
    try:
        while True:
            told = commands.next(None)
            if told is not None and "number" in told:
                made = serve(wire.segment(json.dumps(told)), commands, data)
                os.write(answers, (wire.text(made) + "\n").encode())
    except Gone:
        return 0


def serve(asked: Segment, commands: Commands, data: Data) -> Reply:
    """Train a segment in a fork and wait for it."""
    try:
        for files in (asked.files, asked.validation):
            if files:
                data(files)
    except Stop as error:
        return Reply(asked.number, State.FAILED.value, error=str(error)[: trial.ERROR_LENGTH])
    before = killed_for_memory()
    child = _forked(asked, data)
    try:
        _attend(child, asked, commands)
    except Gone:
        with suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        raise
    status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    os.close(child.pipe)
    return judged(asked, child, status, killed_for_memory() > before)


def _attend(child: Child, asked: Segment, commands: Commands) -> None:
    """Watches until the child closes its pipe; ends it when it is told to, or when its time is over."""
    while True:
        now = time.monotonic()
        if not child.reason and asked.seconds is not None and now - child.began > asked.seconds:
            _end(child, "time")
        if child.reason and now - child.ended > GRACE:
            with suppress(OSError):
                os.kill(child.pid, signal.SIGKILL)
        wait = 0.0 if commands.waiting else 0.2
        ready, _, _ = select.select([child.pipe, commands.descriptor], [], [], wait)
        if commands.waiting or commands.descriptor in ready:
            told = commands.next(0)
            if told is not None and "stop" in told and not child.reason:
                _end(child, "stop")
        if child.pipe in ready:
            more = os.read(child.pipe, 1 << 16)
            if not more:
                return
            child.told += more


def _end(child: Child, reason: str) -> None:
    child.reason, child.ended = reason, time.monotonic()
    with suppress(OSError):
        os.kill(child.pid, signal.SIGTERM)


def judged(asked: Segment, child: Child, status: int, no_memory: bool) -> Reply:
    """What a child came to: its reply, or what its end says."""
    if child.told.endswith(b"\n"):
        made = wire.reply(child.told)
        if made.outcome == "interrupted" and child.reason == "time":
            return replace(made, outcome=State.TIME.value, error=_over(asked))
        return made
    empty = Reply(asked.number, "lost", error=f"its process ended with {wire.ending(status)}")
    if child.reason == "time":
        return replace(empty, outcome=State.TIME.value, error=_over(asked))
    if child.reason == "stop":
        return replace(empty, outcome="interrupted")
    if no_memory and status == -signal.SIGKILL:
        return replace(empty, outcome=State.MEMORY.value, error="the system ended it: there is not enough memory")
    if asked.memory is not None and any(words in log_tail(Path(asked.folder)) for words in _NO_MEMORY):
        return replace(empty, outcome=State.MEMORY.value, error=f"it needs more than {asked.memory:,} bytes")
    if status > 0:
        return replace(empty, outcome=State.FAILED.value)
    return empty


def _over(asked: Segment) -> str:
    return f"it took longer than the {asked.seconds:.0f} s that were left to it"


def log_tail(folder: Path, length: int = 2000) -> str:
    """The end of what a trial's processes wrote."""
    with suppress(OSError), (folder / trial.LOG).open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - length))
        return stream.read().decode("utf-8", "replace")
    return ""


def killed_for_memory(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """How many processes the kernel has killed for want of memory in our control group, as far as it says."""
    found = 0
    with suppress(OSError, ValueError):
        for group in groups.read_text().splitlines():
            _, controllers, path = group.split(":", 2)
            if controllers in ("", "memory"):  # version 2; version 1
                place = root / controllers / path.lstrip("/")
                found += _count_in(place / "memory.events") + _count_in(place / "memory.oom_control")
    return found


def _count_in(path: Path) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            word, _, count = line.partition(" ")
            if word == "oom_kill":
                return int(count)
    return 0


def _forked(asked: Segment, data: Data) -> Child:
    mine, its = os.pipe()
    line, lifeline = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(its)
        os.close(line)
        os.close(lifeline) if sys.platform == "linux" else None
        return Child(pid, mine, time.monotonic())
    try:
        os.close(mine)
        os.close(lifeline)
        _die_with(parent, line)
        _into_log(Path(asked.folder))
        _work(asked, data, its)
    except OSError as error:
        _answer(its, Reply(asked.number, wire.NO_ROOM, error=f"its log cannot be written: {error}"))
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _work(asked: Segment, data: Data, pipe: int) -> NoReturn:
    try:
        _limit(asked)
        made = trial.run(asked, data)
    except Exception as error:
        traceback.print_exc()
        words = f"{type(error).__name__}: {error}"[: trial.ERROR_LENGTH]
        made = Reply(asked.number, State.FAILED.value, error=f"internal error: {words}")
    _answer(pipe, made)


def _answer(pipe: int, made: Reply) -> NoReturn:
    content = (wire.text(made) + "\n").encode()
    while content:
        content = content[os.write(pipe, content) :]
    with suppress(OSError):  # of a log on a full disk
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _limit(asked: Segment) -> None:
    import resource

    if asked.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (asked.memory, asked.memory))


def _into_log(folder: Path) -> None:
    """Standard output and error go to the trial's log, standard input is empty, signals do what they usually do."""
    log = os.open(folder / trial.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    empty = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, empty), (1, log), (2, log)):
        os.dup2(source, target)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _die_with(parent: int, lifeline: int) -> None:
    """This process ends when its parent does, however that ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        return

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
