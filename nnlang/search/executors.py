"""Where segments run: trial servers on this machine, one a job. The cluster's executor has the same four functions.

submit(segment)      give it to a free place
wait(timeout)        replies that have come, in the order in which they came
stop()               tell all that run to write a checkpoint and end
close()              end everything
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from nnlang.search import segment as wire
from nnlang.search.segment import Reply, Segment

STOP = b'{"stop":true}\n'


class Executor(Protocol):
    """What the coordinator sees of machines."""

    @property
    def places(self) -> int:
        """How many segments run at once."""

    def submit(self, asked: Segment) -> None:
        """Begin a segment; only where fewer run than there are places."""

    def wait(self, timeout: float) -> list[Reply]:
        """The replies that came, after at most `timeout` seconds."""

    def stop(self) -> None:
        """Tell all that run to write a checkpoint and end."""

    def close(self) -> None:
        """End everything at once."""


class Server:
    """A trial server process and what it is doing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "nnlang.search.server"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to pass on
            env={**os.environ, **environment},
        )
        self.asked: Segment | None = None
        self._rest = b""

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def fileno(self) -> int:
        """What it answers on."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def ask(self, asked: Segment) -> None:
        """Give it a segment."""
        self.asked = asked
        self._write((wire.text(asked) + "\n").encode())

    def stop(self) -> None:
        """Tell it to end what it does, after a checkpoint."""
        self._write(STOP)

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # where it is gone, its answers end, which is seen there
            self._process.stdin.write(content)
            self._process.stdin.flush()

    def read(self) -> tuple[Reply | None, bool]:
        """The reply that has come (None: not whole yet), and whether the process is there still; blocks for bytes."""
        more = os.read(self.fileno(), 1 << 16)
        self._rest += more
        if b"\n" in self._rest:
            text, _, self._rest = self._rest.partition(b"\n")
            self.asked = None
            return wire.reply(text), True
        return None, bool(more)

    def end(self) -> int:
        """End it and its child; how it ended."""
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        try:
            return self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Local:
    """Trial servers on this machine, started when they are first needed."""

    def __init__(
        self, jobs: int, devices: Sequence[str] = (), start: Callable[[Mapping[str, str]], Server] | None = None
    ) -> None:
        self.places, self._start = jobs, start or Server
        self._slots: list[Server | None] = [None] * jobs
        self._devices = tuple(devices)
        self._selector = selectors.DefaultSelector()

    def submit(self, asked: Segment) -> None:
        """Begin a segment on the first free server."""
        slot = next(i for i, server in enumerate(self._slots) if server is None or server.asked is None)
        server = self._slots[slot]
        if server is None:
            server = self._slots[slot] = self._start(environment(self.places, slot, self._devices))
            self._selector.register(server, selectors.EVENT_READ, slot)
        server.ask(asked)

    def wait(self, timeout: float) -> list[Reply]:
        """The replies that came; a server that is gone answers that its segment is lost, the next one is another."""
        found = []
        for key, _ in self._selector.select(timeout) if self._selector.get_map() else []:
            server = self._slots[key.data]
            assert server is not None
            asked = server.asked
            reply, there = server.read()
            if reply is not None:
                found.append(reply)
            if not there:
                self._selector.unregister(server)
                self._slots[key.data] = None
                status = server.end()
                if asked is not None:
                    found.append(lost(asked, f"its server ended with {wire.ending(status)}"))
        return found

    def stop(self) -> None:
        """Tell all that run to write a checkpoint and end."""
        for server in self._slots:
            if server is not None and server.asked is not None:
                server.stop()

    def close(self) -> None:
        """End all servers, and their children with them."""
        for server in self._slots:
            if server is not None:
                server.end()
        self._slots = [None] * self.places
        self._selector.close()


def lost(asked: Segment, why: str) -> Reply:
    """The reply for a segment whose process is gone."""
    return Reply(asked.number, "lost", error=why)


def environment(jobs: int, slot: int, devices: Sequence[str] = ()) -> dict[str, str]:
    """What a server finds: its share of the cores, and the one device that is its own."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    found = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}
    if devices:
        found["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    return found
