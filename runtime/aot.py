"""Kernels compiled ahead of time, for targets that need not be there: each launch of an entry point in its own process.

Which kernels an entry point launches, with what arguments, is found by running it on tensors without memory: the real
step block, slots and states on torch's `meta` device, recorders in place of the kernels. No signature is written twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from nnlang.codes import targets as codes
from nnlang.compiler import Compiled
from nnlang.diagnostics import Stop, stop
from nnlang.lower import Slot as SlotInfo
from nnlang.network import DataFacts
from nnlang.runtime import modules, slots
from nnlang.runtime.aotprocess import Failed, Worker
from nnlang.runtime.collective import Alone
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import DeviceExecutor, Groups
from nnlang.runtime.files import atomic_write, is_sealed, seal, write_text
from nnlang.runtime.resources import LIMITS

META = torch.device("meta")
INT32 = 2**31
ENTRIES = 64  # of a row of a data set that is not there: sizes of grids, which no kernel is compiled for

Argument = int | tuple[str, int, int]  # a number; or a tensor's type, address and size in bytes
Progress = Callable[[int, int], None]  # kernels done, kernels in all


@dataclass(frozen=True)
class Launch:
    """A kernel with the arguments of a launch, as far as what is compiled depends on them, and its constants."""

    kernel: str
    arguments: tuple[Argument, ...]
    options: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel: the text of each stage (ttir, ptx or amdgcn), the binary, shared memory in bytes.

    name: the kernel's, and `_2`, `_3` where launches differ in what is compiled. log: what the assembler said.
    """

    name: str
    target: str
    texts: Mapping[str, str]
    binary: bytes
    shared: int
    warps: int
    stages: int
    log: str


def launches(compiled: Compiled, entry: str, batch: int) -> list[Launch]:
    """What an entry point of a module launches at a batch size, each kind of launch once, in order."""
    module = modules.load(compiled.source)
    from triton.runtime.jit import JITFunction

    found: dict[Launch, None] = {}
    for name, kernel in list(vars(module).items()):
        if isinstance(kernel, JITFunction):
            setattr(module, name, _Recorder(name, kernel.params, found))
    low = compiled.lowered[entry]
    states = [torch.empty(s.shape[::-1] if s.transposed else s.shape, device=META) for s in low.states]
    executor = DeviceExecutor(module, compiled.plans, batch, Device(torch=META), Groups(_Absent(), _Absent()))
    data = [_slot(info, batch) for info in low.slots]
    executor.call(entry, states, data, executor.tables(entry, 1), 0)
    return list(found)


class _Absent(Alone):
    """Ranks that are not there: nothing is sent, tensors without memory stay as they are."""

    def gather(self, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """What would hold every rank's part."""
        return out


class _Recorder:
    """Stands in a kernel's place and writes down how it is launched."""

    def __init__(self, name: str, params: Sequence[Any], found: dict[Launch, None]) -> None:
        self._name, self._params, self._found = name, params, found

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        return self._take

    def _take(self, *arguments: Any, **options: int) -> None:
        known = tuple(map(_argument, arguments, self._params))
        self._found[Launch(self._name, known, tuple(options.items()))] = None


def _argument(value: Any, param: Any) -> Argument:
    """An argument as the first of all those that are compiled alike: numbers by width, 1 and multiples of 16 apart."""
    if isinstance(value, torch.Tensor):
        address = int(value.storage_offset()) * value.element_size() % 16
        size = int(value.untyped_storage().nbytes())
        return str(value.dtype).removeprefix("torch."), address, INT32 if size >= INT32 else 0
    wide = 0 if -INT32 <= value < INT32 else 1 << 40
    if param.do_not_specialize:
        return wide + 2
    return wide + (16 if value % 16 == 0 else 1 if value == 1 else 2)


def _slot(info: SlotInfo, batch: int) -> slots.DeviceSlot:
    """The data of a bound layer for one batch, without memory."""
    sparse, analog = info.stored != "dense", info.stored == "analog"
    facts = DataFacts(info.dataset, batch, info.units, sparse=sparse, boolean=not analog, weighted=info.weighted)
    none = np.empty(0, np.float32)
    data = DataSet(info.dataset, facts, values=none if analog else None, weight=none if info.weighted else None)
    room = slots.Room(batch, 1, batch * ENTRIES)
    shapes = {**slots.loaded_shapes(info, data, room), **slots.derived_shapes(info, data, room, by_unit=True)}
    made = slots.make(info, shapes, torch.empty(batch, dtype=torch.int64, device=META), None)
    most = room.entries
    return replace(made, entry_capacity=most, row_piece_capacity=most, unit_piece_capacity=most)


def compile_launches(
    source: str, launches: Iterable[Launch], target: str, progress: Progress = lambda done, total: None
) -> list[Kernel]:
    """The kernels of a module's launches, compiled for `cuda:90` or the like in as many processes as there are cores.

    What was compiled before comes from the user's cache. Raises Stop (5) for a kernel that does not compile.
    """
    named = _named(launches)
    found = {}
    compiler = _Compiler(source, target, modules.folder("kernels"))
    with compiler, ThreadPoolExecutor(len(compiler.workers)) as pool:
        jobs = {pool.submit(compiler.kernel, name, launch): name for name, launch in named.items()}
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                found[jobs[job]] = job.result()
                progress(done, len(jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            compiler.end()
    return [found[name] for name in named]


def _named(launches: Iterable[Launch]) -> dict[str, Launch]:
    """The launches by the names of their kernels, those of the same kernel numbered from 2 on."""
    found: dict[str, Launch] = {}
    for launch in launches:
        same = sum(other.kernel == launch.kernel for other in found.values())
        found[f"{launch.kernel}_{same + 1}" if same else launch.kernel] = launch
    return found


class _Compiler:
    """Compiles kernels of one module for one target, by processes that start when they are needed."""

    def __init__(self, source: str, target: str, folder: Path) -> None:
        self._request = {"source": source, "target": _gpu(target)}
        self._target, self._folder = target, folder
        self.workers = [Worker(self._request) for _ in os.sched_getaffinity(0)]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self.workers:
            self._free.put(worker)

    def __enter__(self) -> None:
        return

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.close()

    def kernel(self, name: str, launch: Launch) -> Kernel:
        """The kernel of a launch, from the cache if it is there."""
        what = {"kernel": launch.kernel, "arguments": launch.arguments, "options": dict(launch.options)}
        path = self._folder / f"{_key({**self._request, **what})}.json"
        if not (path.is_file() and is_sealed(path)):
            answer = self._answer(name, what)
            atomic_write(path, lambda ready: _write(ready, answer))
        found = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        most = LIMITS[self._target].most_shared
        if found["shared"] > most:
            raise self._failed(name, f"it takes {found['shared']:,} bytes of shared memory, and there are {most:,}")
        found["texts"]["ttir"] = without_places(found["texts"]["ttir"])
        return Kernel(name, self._target, **{**found, "binary": base64.b64decode(found["binary"])})

    def _answer(self, name: str, request: Mapping[str, object]) -> str:
        worker = self._free.get()
        try:
            return worker.ask(request)
        except Failed as error:
            raise self._failed(name, str(error)) from None
        finally:
            self._free.put(worker)

    def _failed(self, name: str, reason: str) -> Stop:
        return stop(codes.KERNEL_FAILED, kernel=name, target=self._target, reason=reason)

    def end(self) -> None:
        """Ends the processes, whatever they are at."""
        for worker in self.workers:
            worker.kill()


def _key(request: Mapping[str, object]) -> str:
    """The digest of everything that a compiled kernel follows from."""
    functions = Path(__file__).with_name("language.py").read_text(encoding="utf-8")
    return hashlib.sha256(f"{json.dumps(request)} {version('triton')} {functions}".encode()).hexdigest()


def _write(ready: Path, answer: str) -> None:
    write_text(ready, [answer])
    seal(ready)


def _gpu(target: str) -> tuple[str, int | str, int]:
    """A target as Triton names it: kind, architecture, threads of a warp."""
    kind, _, name = target.partition(":")
    return ("cuda", int(name), 32) if kind == "cuda" else (kind, name, 64)


def without_places(text: str) -> str:
    """Intermediate text without the lines of the source, and so without the path of its file."""
    kept = (line for line in text.splitlines() if not line.startswith("#loc"))
    return "".join(re.sub(r" loc\((?:[^()]|\([^()]*\))*\)", "", line) + "\n" for line in kept)


__all__ = ["Kernel", "Launch", "compile_launches", "launches"]
