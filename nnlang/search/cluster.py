"""Segments on the workers of dask.distributed: JSON in, JSON out, a trial server beside every thread of a worker.

Dask runs what it is sent, and asks nobody who sends: so its sockets are on this machine alone, or encrypted and
known to both sides (tls), or somebody said that the network is closed. All workers see the sweep's folder under the
same path.
"""

from __future__ import annotations

import ipaddress
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Stop, stop
from nnlang.search import segment as wire
from nnlang.search.executors import Server, environment, lost
from nnlang.search.segment import Reply, Segment

SERVERS = "_nnlang_servers"  # the attribute of a worker that holds its trial servers, by sweep and thread
LOOK = 2.0  # seconds until the workers are counted again
WAIT = 30.0  # seconds for the scheduler to answer, and for a first worker


@dataclass(frozen=True)
class Keys:
    """Files of certificates and keys for tls."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def check_address(address: str, insecure: bool) -> None:
    """Raise `Stop` (NN789) for an address that is neither on this machine nor encrypted."""
    if insecure or address.startswith("tls://") or _is_here(address):
        return
    raise stop(codes.INSECURE_SCHEDULER, address=address)


def _is_here(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class Cluster:
    """The workers of a scheduler, or of one that is started here (`address` is `dask`)."""

    def __init__(self, address: str, jobs: int, keys: Keys | None = None) -> None:
        self._cluster: Any = None
        self._done: Queue[tuple[Segment, Any]] = Queue()
        self._running: dict[int, tuple[Segment, Any]] = {}
        self._token = uuid4().hex  # other coordinators may have servers on the same workers
        self._client = self._connected(address, jobs, keys or Keys())
        self._places, self._asked = self._workers(), time.monotonic()

    @property
    def places(self) -> int:
        """How many tasks the workers take at once: they may come and go while the sweep runs."""
        if time.monotonic() - self._asked > LOOK:
            self._places, self._asked = self._threads(), time.monotonic()
        return self._places

    def submit(self, asked: Segment) -> None:
        """Give a segment to whichever worker is free."""
        words = wire.text(asked), self._token
        future = self._client.submit(run_segment, *words, pure=False, retries=0, key=self._name(asked))
        self._running[asked.number] = asked, future
        future.add_done_callback(lambda done: self._done.put((asked, done)))

    def wait(self, timeout: float) -> list[Reply]:
        """The replies that came; a worker that is gone answers that its segment is lost."""
        found: list[Reply] = []
        with suppress(Empty):
            while True:
                asked, future = self._done.get(timeout=0 if found else timeout)
                self._running.pop(asked.number, None)
                found.append(_reply(asked, future))
                future.release()
        return found

    def stop(self) -> None:
        """Tell all that run to write a checkpoint and end."""
        with suppress(Exception):  # a worker that is gone runs nothing
            self._client.run(stop_servers, self._token)

    def close(self) -> None:
        """End the servers; and the workers, where they were started here."""
        with suppress(Exception):
            self._client.run(end_servers, self._token)
        with suppress(Exception):
            self._client.close(timeout=5)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=5)

    def _connected(self, address: str, jobs: int, keys: Keys) -> Any:
        import dask
        import distributed

        made: Any = distributed  # it has no types

        dask.config.set({"distributed.scheduler.allowed-failures": 0})  # what to do next is for the coordinator to say
        try:
            if address == "dask":
                self._cluster = made.LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                    silence_logs=50,
                    env=environment(jobs, 0),
                )
                client = made.Client(self._cluster, timeout=WAIT)
                client.run(leave_terminal)
                return client
            security = made.Security(
                tls_ca_file=_text(keys.ca),
                tls_client_cert=_text(keys.certificate),
                tls_client_key=_text(keys.key),
                require_encryption=address.startswith("tls://"),
            )
            return made.Client(address, timeout=WAIT, security=security)
        except (OSError, ValueError, RuntimeError, TimeoutError) as error:
            raise _unusable(address, str(error) or type(error).__name__) from error

    def _workers(self) -> int:
        """How many tasks the workers take at once, as soon as there is one."""
        address = str(self._client.scheduler.address)
        try:
            self._client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError as error:
            raise _unusable(address, f"it has had no worker for {WAIT:.0f} s") from error
        return self._threads()

    def _threads(self) -> int:
        try:
            return int(sum(self._client.nthreads().values()))
        except Exception as error:  # of many kinds, all of which mean that nothing can be had from it any more
            raise _unusable(str(self._client.scheduler), f"it is gone ({type(error).__name__})") from error

    @staticmethod
    def _name(asked: Segment) -> str:
        return f"trial-{asked.number}-{uuid4().hex}"


def _unusable(address: str, reason: str) -> Stop:
    return stop(codes.NO_SCHEDULER, address=address, reason=reason)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _reply(asked: Segment, future: Any) -> Reply:
    if future.status == "finished":
        return wire.reply(future.result())
    if future.cancelled():
        return lost(asked, "the scheduler is gone")
    error = future.exception()
    return lost(asked, f"its worker is gone ({type(error).__name__})")


def leave_terminal() -> None:
    """On a worker of our own: Ctrl-C is for the coordinator, who passes it on."""
    os.setpgid(0, 0)


def run_segment(text: str, token: str) -> str:
    """What a worker does: hands a segment to its trial server, and answers what that answers."""
    from distributed import get_worker

    servers = _servers(get_worker(), token)
    server = servers.get(threading.get_ident())
    if server is None:
        server = servers[threading.get_ident()] = Server({})
    asked = wire.segment(text)
    server.ask(asked)
    while True:
        reply, there = server.read()
        if reply is not None:
            return wire.text(reply)
        if not there:
            del servers[threading.get_ident()]
            status = server.end()
            return wire.text(lost(asked, f"its server ended with {wire.ending(status)}"))


def _servers(worker: Any, token: str) -> dict[int, Server]:
    """The trial servers of a sweep on a worker, by thread: a worker may run several tasks at once."""
    found: dict[int, Server] = worker.__dict__.setdefault(SERVERS, {}).setdefault(token, {})
    return found


def stop_servers(token: str, dask_worker: Any) -> None:
    """On a worker: tell a sweep's trial servers to end what they do."""
    for server in _servers(dask_worker, token).values():
        if server.asked is not None:
            server.stop()


def end_servers(token: str, dask_worker: Any) -> None:
    """On a worker: end a sweep's trial servers."""
    servers = _servers(dask_worker, token)
    while servers:
        servers.popitem()[1].end()
