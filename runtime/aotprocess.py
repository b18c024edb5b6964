"""A process that compiles kernels (aotworker), from the side of who asks it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Timer
from typing import IO

PATIENCE = 120  # seconds for one kernel: usual are one or two, those of absurd tiles take hours
COMMAND = (sys.executable, "-P", "-m", "nnlang.runtime.aotworker")


class Failed(Exception):  # noqa: N818 - it says what happened
    """A kernel did not compile; the text says why."""


class Worker:
    """A process that starts when it is first asked, and ends where a kernel fails.

    request: the line that it begins with, the module and the target.
    """

    def __init__(self, request: Mapping[str, object]) -> None:
        self._request = request
        self._process: subprocess.Popen[str] | None = None
        self._told: IO[bytes]  # what the process writes to standard error

    def ask(self, request: Mapping[str, object]) -> str:
        """The line that answers a request; raises Failed."""
        requests = [request] if self._process else [self._request, request]
        process = self._process = self._process or self._started()
        before, start = os.fstat(self._told.fileno()).st_size, time.monotonic()
        alarm = Timer(PATIENCE, self.kill)
        alarm.start()
        answer = _exchanged(process, requests)
        alarm.cancel()
        if answer:
            return answer
        status, told = process.wait(), os.pread(self._told.fileno(), 1 << 20, before).decode(errors="replace")
        self.close()
        late = time.monotonic() - start >= PATIENCE
        raise Failed(f"the compiler was not done after {PATIENCE} seconds" if late else reason(status, told))

    def _started(self) -> subprocess.Popen[str]:
        self._told, pipe = TemporaryFile(), subprocess.PIPE  # noqa: SIM115 - closed with the process
        return subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=self._told, encoding="utf-8", process_group=0)

    def kill(self) -> None:
        """Ends the process, and the assembler that it may have started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Forgets the process, when nobody waits for its answer; the next request starts another."""
        if self._process is not None:
            self.kill()
            with suppress(BrokenPipeError), self._process, self._told:
                self._process = None


def _exchanged(process: subprocess.Popen[str], requests: Sequence[Mapping[str, object]]) -> str:
    """The line that a process answers; nothing where it has died."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.writelines(json.dumps(request) + "\n" for request in requests)
        process.stdin.flush()
        return process.stdout.readline()
    return ""


def reason(status: int, told: str) -> str:
    """The compiler's first complaint: what MLIR or the assembler call an error, else the last line."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    first = next(
        (line for line in lines if re.search(r"(?<!PTXAS )\b(?:error|fatal)\s*:", line)), lines[-1] if lines else ""
    )
    died = f"the compiler died of signal {-status}" if status < 0 else ""
    return ": ".join(filter(None, (died, first))) or "the compiler said nothing"
