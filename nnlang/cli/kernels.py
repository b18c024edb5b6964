"""The kernels of an entry point, compiled for a GPU that need not be there: files, a table of what they take."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from nnlang.cli import options, show
from nnlang.codes import targets as codes
from nnlang.compiler import compile_network
from nnlang.diagnostics import stop

if TYPE_CHECKING:
    from nnlang.codegen.pipeline import Options
    from nnlang.network import Network, Training
    from nnlang.runtime.aot import Kernel
    from nnlang.runtime.resources import Resources

COLUMNS = ("kernel", "registers", "shared", "spills", "stack", "warps", "stages", "matrix", "occupancy %")


def write(
    network: Network,
    training: Training,
    entry: str,
    chosen: Options,
    stages: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
) -> None:
    """Compile, and write each kernel's stages into files of a folder, with the table; without a folder print them."""
    if sys.platform != "linux":
        raise stop(codes.NOT_ON_THIS_SYSTEM, target=chosen.target, system=sys.platform)
    from nnlang.runtime import aot
    from nnlang.runtime.resources import resources

    compiled = compile_network(network, [entry], training.batch, training, chosen)
    view = Progress()
    kernels = aot.compile_launches(compiled.source, aot.launches(compiled, entry, training.batch), chosen.target, view)
    view.clear(f"{len(kernels)} kernels for {chosen.target}")
    if folder is None:
        _print(entry, kernels, stages, as_json)
        return
    _files(folder / entry, kernels, stages)
    facts = {"target": chosen.target, "precision": chosen.precision, "entry": entry, "batch": training.batch}
    taken = [resources(kernel) for kernel in kernels]
    _report(folder / "resources.json", facts, taken, as_json)


class Progress:
    """A bar on a terminal; elsewhere a line for every tenth of the kernels."""

    def __init__(self) -> None:
        self._bar = show.Bar("compiling")
        self._tenth = 0
        self._start = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Show that so many kernels are done."""
        self._bar(done, total)
        if not show.terminal(sys.stderr) and 10 * done // total > self._tenth:
            self._tenth = 10 * done // total
            show.tell(f"compiled {done} of {total} kernels")

    def clear(self, what: str) -> None:
        """Tell what was done in which time."""
        self._bar.clear()
        show.tell(f"{what} in {time.monotonic() - self._start:.1f} s")


def _print(entry: str, kernels: list[Kernel], stages: tuple[str, ...], as_json: bool) -> None:
    for kernel in kernels:
        for stage in stages:
            text = kernel.texts[stage]
            if as_json:
                show.record({"entry": entry, "kernel": kernel.name, "stage": stage, "text": text})
                continue
            show.say(f"======== {entry}/{kernel.name}.{stage}")
            show.say(text.rstrip("\n"))


def _files(folder: Path, kernels: list[Kernel], stages: tuple[str, ...]) -> None:
    from nnlang.runtime.files import atomic_write

    options.folder(folder)
    for kernel in kernels:
        for stage in stages:
            content = kernel.texts[stage].encode() if stage in kernel.texts else kernel.binary
            atomic_write(folder / f"{kernel.name}.{stage}", partial(_put, content))
    show.say(f"{folder}: {', '.join(stages)} of {len(kernels)} kernels")


def _put(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _report(path: Path, facts: dict[str, object], taken: list[Resources], as_json: bool) -> None:
    from nnlang.runtime.files import atomic_text

    rows = [asdict(row) for row in taken]
    atomic_text(path, [dumps({**facts, "kernels": rows}, indent=1), "\n"])
    show.say(str(path))
    if as_json:
        for row in rows:
            show.record({**facts, **row})
        return
    cells = [
        (r.kernel, r.registers, r.shared, r.spills, r.stack, r.warps, r.stages, r.matrix, round(100 * r.occupancy))
        for r in taken
    ]
    title = f"{facts['entry']} for {facts['target']} in {facts['precision']}, batch {facts['batch']}"
    show.table(f"{title}: bytes of a block, bytes and registers of a thread", COLUMNS, cells)
