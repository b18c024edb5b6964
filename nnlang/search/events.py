"""The event log of a sweep, `events.jsonl`: the truth about it, append-only, one JSON object a line.

Each line has a sequence number and the CRC-32 of the rest. One process writes, which the lock on the folder guards;
every line is on the disk before the next thing happens (reliability.md 6).
"""

from __future__ import annotations

import io
import json
import os
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Diagnostic, Place, Stop, stop
from nnlang.search.study import refusal

NAME, LOCK = "events.jsonl", "coordinator.lock"
LINE_LIMIT = 64 * 1024
TRIES = 4
_END = len(',"crc":"00000000"}')

Event = dict[str, Any]


@dataclass(frozen=True)
class Events:
    """The events of a log in order, how many bytes of it are whole lines, and what a crash left behind them."""

    items: tuple[Event, ...]
    whole: int = 0
    torn: bytes = b""


def line(number: int, event: Mapping[str, Any]) -> str:
    """The line of an event; raises ValueError for one that is longer than a line may be."""
    text = json.dumps({"n": number, **event}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))[:-1]
    made = f'{text},"crc":"{zlib.crc32(text.encode()):08x}"}}\n'
    if len(made) > LINE_LIMIT:
        raise ValueError(f"an event of {len(made):,} bytes; a line has {LINE_LIMIT:,} at most")
    return made


def parsed(text: bytes) -> Event | None:
    """The event of a whole line; None where the line is not as it was written."""
    if not text.endswith(b'"}\n') or text[-_END - 1 : -_END + 7] != b',"crc":"':
        return None
    body = text[: -_END - 1]
    if f"{zlib.crc32(body):08x}".encode() != text[-_END + 7 : -3]:
        return None
    with suppress(ValueError, RecursionError):
        found = json.loads(body + b"}")
        return found if isinstance(found, dict) else None
    return None


def read(path: Path) -> Events:
    """The events of a log, whoever is writing it; raises `Stop`: no such sweep (2), damage in the middle (3).

    A last line that is not whole is what a crash, or a writer at this moment, left of it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise refusal(codes.NO_SWEEP, path.parent, reason="there is no event log") from error
    except OSError as error:
        raise _damaged(path, None, error.strerror or str(error)) from error
    items: list[Event] = []
    lines = list(io.BytesIO(content))
    whole = 0
    for number, text in enumerate(lines, 1):
        event = parsed(text)
        if event is None and number == len(lines):
            return Events(tuple(items), whole, text)
        if event is None:
            raise _damaged(path, number, "the line is not as it was written (its checksum differs)")
        if event.get("n") != number:
            raise _damaged(path, number, f"the line says that it is number {event.get('n')}")
        items.append(event)
        whole += len(text)
    return Events(tuple(items), whole)


def _damaged(path: Path, number: int | None, reason: str) -> Stop:
    return stop(codes.LOG_DAMAGED, Place(str(path), line=number), reason=reason)


class Log:
    """The log as its one writer holds it: opened, repaired, appended to. Use it inside `locked`."""

    def __init__(self, path: Path) -> None:
        found = read(path) if path.exists() else Events(())
        self.items = found.items
        self.notices: tuple[Diagnostic, ...] = ()
        self._path, self._next = path, len(found.items) + 1
        with self._writing():
            if found.torn:
                copy = path.with_name(path.name + ".torn")
                with copy.open("ab") as kept:
                    kept.write(found.torn)
                os.truncate(path, found.whole)
                self.notices = (Diagnostic(codes.LOG_TORN, Place(str(path)), {"path": path, "copy": copy}),)
            self._stream = path.open("ab", buffering=0)

    def append(self, event: str, /, **facts: Any) -> Event:
        """Add an event; it is on the disk when this returns. Raises `Stop` (7) where that cannot be."""
        made = {"event": event, "time": round(time.time(), 3), **facts}
        with self._writing():
            content = line(self._next, made).encode()
            written = self._stream.write(content)
            if written != len(content):
                raise OSError("no room is left on the disk")
            os.fsync(self._stream.fileno())
        self._next += 1
        return made

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise stop(codes.UNWRITABLE, Place(str(self._path)), path=self._path, reason=reason) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While it lasts, no other coordinator runs the sweep of this folder; raises `Stop` (NN782) where one does."""
    path = folder / LOCK
    try:
        stream = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise stop(codes.UNWRITABLE, Place(str(path)), path=path, reason=error.strerror or str(error)) from error
    with stream:
        if not any(_taken(stream) for _ in range(TRIES)):
            stream.seek(0)
            owner = stream.read(200).strip() or "another process"
            raise refusal(codes.SWEEP_BUSY, folder, owner=owner)
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        stream.flush()
        yield


def _taken(stream: IO[str]) -> bool:
    """Whether the lock is ours now; it waits a moment, for `is_running` holds the lock as long as it looks."""
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        time.sleep(0.05)
        return False
    return True


def is_running(folder: Path) -> bool:
    """Whether a coordinator runs the sweep of this folder now, as far as this machine can tell."""
    import fcntl

    with suppress(OSError), (folder / LOCK).open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
