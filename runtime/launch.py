"""Ranks as processes of this machine: started together, watched, and ended together. Needs no torch, prints nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from typing import IO

from nnlang.codes import files
from nnlang.codes import ranks as codes
from nnlang.diagnostics import INTERRUPTED, Stop, stop
from nnlang.runtime.interrupts import NAMES, interruptible
from nnlang.runtime.world import ALIVE, STORE, World, world

GRACE = 4.0  # seconds that ranks have to end by themselves once one has failed
_LOOK = 0.02  # seconds from one look at the processes to the next
NNLANG = (sys.executable, "-P", "-m", "nnlang")
_ROOM = 1 << 18  # bytes that the messages of ranks which meet never take
_TAIL = 4096  # bytes of what a rank wrote last


@dataclass(frozen=True)
class Ended:
    """How ranks ended: the exit code for the command, and what one of them wrote that nobody has seen yet."""

    code: int
    text: str = ""


@dataclass
class _Crew:
    """The processes by rank, what they write (the first one writes to our own streams), and who failed, in order."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    outputs: list[IO[bytes] | None] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)


def start(count: int, arguments: Sequence[str], command: Sequence[str] = NNLANG) -> Ended:
    """Runs `nnlang <arguments>` (or another command) as `count` ranks of this machine, and returns when all have ended.

    The first rank has our input and output. A signal to stop is passed on to it, a second one ends all at once
    (KeyboardInterrupt). Raises Stop (NN800, 5) where a rank died, and where they have no place to meet (NN716, 7). To
    be called in a main thread.
    """
    crew = _Crew()
    with _meeting_place() as folder, ExitStack() as left:
        reading, writing = os.pipe()
        left.callback(os.close, writing)
        left.callback(_end, crew)
        with interruptible(lambda: _pass_on(crew)) as interrupted:
            try:
                for rank in range(count):
                    _start_one(crew, left, rank, (*command, *arguments), environment(rank, count, folder, reading))
            finally:
                os.close(reading)
            found = _watched(crew)
            if interrupted() and (found[0] is None or found[0] < 0):
                return Ended(INTERRUPTED, "interrupted")
        return _outcome(crew, found, Path(folder))


@contextmanager
def _meeting_place() -> Iterator[str]:
    """A folder where ranks find one another; torch tries without end to write there, so there must be room."""
    try:
        with ExitStack() as left:
            folder = left.enter_context(TemporaryDirectory(prefix="nnlang-ranks-"))
            with TemporaryFile(dir=folder) as file:
                file.write(bytes(_ROOM))
            kept = left.pop_all()
    except OSError as error:
        reason, help = error.strerror or str(error), "free some space there, or let TMPDIR name another folder"
        raise stop(files.NOT_WRITABLE, path="the folder for temporary files", reason=reason, help=help) from error
    with kept:
        yield folder


def environment(
    rank: int, count: int, folder: str, alive: int, given: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of one of our own ranks; `alive` is the end of a pipe that is closed when we are gone."""
    kept = {k: v for k, v in given.items() if not k.startswith("TORCHELASTIC_")}
    place = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count, ALIVE: alive}
    threads = {"OMP_NUM_THREADS": str(max(1, _cores() // count))}
    network = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {**threads, **network, **kept, STORE: folder, **{k: str(v) for k, v in place.items()}}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_one(crew: _Crew, left: ExitStack, rank: int, command: Sequence[str], given: Mapping[str, str]) -> None:
    """Starts a rank in a session of its own: what a terminal sends to us all would reach it twice."""
    output = left.enter_context(TemporaryFile()) if rank else None  # noqa: SIM115 - it is
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL if rank else None,
        stdout=output,
        stderr=output,
        env=dict(given),
        pass_fds=(int(given[ALIVE]),),
        start_new_session=True,
    )
    crew.processes.append(process)
    crew.outputs.append(output)


def _pass_on(crew: _Crew) -> None:
    """Passes a wish to stop on to the rank that decides."""
    if crew.processes:
        crew.processes[0].send_signal(signal.SIGINT)


def _watched(crew: _Crew) -> list[int | None]:
    """How each rank ended, when all have; None for one that has not in time after another failed."""
    end = float("inf")
    while True:
        found = [process.poll() for process in crew.processes]
        failed = [
            rank for rank, code in enumerate(found) if code and code != INTERRUPTED
        ]  # those did as they were told
        crew.failed += [rank for rank in failed if rank not in crew.failed]
        if None not in found or time.monotonic() > end:
            return found
        if crew.failed:
            end = min(end, time.monotonic() + GRACE)
        time.sleep(_LOOK)


def _end(crew: _Crew) -> None:
    """Leaves no process behind."""
    for process in crew.processes:
        if process.poll() is None:
            process.kill()
    for process in crew.processes:
        process.wait()


def _outcome(crew: _Crew, found: Sequence[int | None], folder: Path) -> Ended:
    """What to tell: the diagnosis of the rank that failed first, and not only because another was gone."""
    lost = {rank: path for rank in crew.failed if (path := folder / f"lost-{rank}").exists()}
    first = next((rank for rank in crew.failed if rank not in lost), None)
    if first is None:
        if not crew.failed:
            return Ended(next(filter(None, found), 0))
        raise stop(codes.LOST, reason=lost[crew.failed[0]].read_text(encoding="utf-8"))
    code, text = found[first], _written(crew.outputs[first])
    assert code
    if code > 0 and 0 not in lost and found[0] == code:
        return Ended(code)  # the first rank has told it
    if code < 0 or not text:
        raise _died(first, code, len(found))
    return Ended(code, text)


def _died(rank: int, code: int, ranks: int) -> Stop:
    """That a rank ended without a word."""
    how = f"ended with exit code {code} and said nothing" if code > 0 else f"was killed by {_signal(-code)}"
    remedy = "what was written before stands, and --resume goes on from the last checkpoint"
    if code == -signal.SIGKILL:
        remedy += "; if memory ran out, a smaller batch (-b) or more devices need less"
    return stop(codes.RANK_DIED, rank=rank, ranks=ranks, how=how, remedy=remedy)


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _written(output: IO[bytes] | None) -> str:
    """The last 4 kB that a rank wrote."""
    if output is None:
        return ""
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()


def attend() -> World:
    """This process's place; where it is a rank that we have started, it ends from now on when we are gone."""
    here = world()
    if here.size > 1 and here.folder and (alive := os.environ.get(ALIVE)):
        Thread(target=_end_with, args=(int(alive), here.folder), daemon=True).start()
    return here


def follow(here: World) -> None:
    """Leaves signals to stop to the first rank, which decides for all; to be called when all have met."""
    if not here.is_first:
        for name in NAMES:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end_with(alive: int, folder: str) -> None:
    """Ends this process at once when the other end of a pipe is closed: its files are whole at every moment."""
    while os.read(alive, 1):
        pass
    rmtree(folder, ignore_errors=True)  # what the process that is gone would have removed
    os._exit(INTERRUPTED)
