"""Measures tiles: which of some candidates run a network's training step fastest on this device.

One kind of kernel after another, the others as they are by then; tiles never change a bit, so nothing else is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median

from nnlang.codegen.triton.tiles import PRODUCTS, Tile, Tiles
from nnlang.compiler import compile_network
from nnlang.diagnostics import Stop
from nnlang.network import Network, Training
from nnlang.runtime.brake import Brake
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At, DeviceExecutor
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.steps import GROUP, DeviceSteps

WARM, TIMED = 3, 5  # groups of steps: the first compiles, the second is recorded
GAIN = 0.99  # a candidate must take less than this share of the time to be taken

_SHAPES = ((64, 64, 4), (64, 128, 4), (128, 64, 4), (64, 128, 8), (128, 64, 8), (128, 128, 8), (128, 256, 8))
_FLAT = ((1, 256), (4, 128), (4, 256), (8, 256), (16, 256), (4, 512))
CANDIDATES: Mapping[str, tuple[Tile, ...]] = {
    **{kind: tuple(Tile(*shape, stages) for shape, stages in product(_SHAPES, (2, 3, 4))) for kind in PRODUCTS},
    **{
        kind: tuple(Tile(m, n, warps, 1) for (m, n), warps in product(_FLAT, (4, 8)))
        for kind in ("pieces", "rows", "units", "elements")
    },
}


@dataclass(frozen=True)
class Trial:
    """A tile of one kind: seconds of a step with it, or why it cannot be used; whether it is the best so far."""

    kind: str
    tile: Tile
    seconds: float | None
    reason: str = ""
    best: bool = False


Observer = Callable[[Trial, int, int], None]  # the trial, how many are done, how many there are


def tune(
    network: Network,
    datasets: Mapping[str, DataSet],
    settings: Training,
    device: Device,
    observer: Observer,
    candidates: Mapping[str, Sequence[Tile]] = CANDIDATES,
) -> Tiles:
    """The table of the fastest tiles for training a network on a device, beginning with the device's own table.

    Raises Stop where even the table that it begins with cannot run.
    """
    table = dict(device.options.tiles)
    kinds = [kind for kind in candidates if _matters(network, settings, device, kind)]
    best = seconds(network, datasets, settings, device)
    total, done = sum(len(candidates[kind]) for kind in kinds), 0
    for kind in kinds:
        for tile in candidates[kind]:
            done += 1
            trial = _trial(network, datasets, settings, _with(device, {**table, kind: tile}), (kind, tile))
            if trial.seconds is not None and trial.seconds < GAIN * best:
                best, table[kind] = trial.seconds, tile
                trial = replace(trial, best=True)
            observer(trial, done, total)
    return table


def _with(device: Device, tiles: Tiles) -> Device:
    return replace(device, options=replace(device.options, tiles=tiles))


def _matters(network: Network, settings: Training, device: Device, kind: str) -> bool:
    """Whether a network has kernels of a kind: another tile makes another module."""
    table = device.options.tiles
    other = {**table, kind: Tile(2 * table[kind].BM, table[kind].BN, table[kind].warps, table[kind].stages)}
    texts = (
        compile_network(network, ["step"], settings.batch, settings, _with(device, tiles).options).source
        for tiles in (table, other)
    )
    return len(set(texts)) == 2


def _trial(
    network: Network, datasets: Mapping[str, DataSet], settings: Training, device: Device, what: tuple[str, Tile]
) -> Trial:
    try:
        return Trial(*what, seconds(network, datasets, settings, device))
    except Stop as refusal:  # too much shared memory, too many registers: no tile for this device
        return Trial(*what, None, refusal.diagnostics[0].message)


def seconds(network: Network, datasets: Mapping[str, DataSet], settings: Training, device: Device) -> float:
    """Seconds of one training step on a device, the median of some groups of steps."""
    program = Program(network, ["step"], settings.batch, settings, device=device)
    assert isinstance(program.executor, DeviceExecutor)
    program.initialise(settings.seed)
    part = next(iter(program.parts(feed_for(program, "step", datasets), most=GROUP)))
    steps = DeviceSteps(program, program.executor, Brake())
    times = []
    with program.watched():
        for group in range(WARM + TIMED):
            began = time.perf_counter()
            steps.launch(part, At(settings.seed, 0, group * part.count))()
            times.append((time.perf_counter() - began) / part.count)
    return float(median(times[WARM:]))
