"""Why a network cannot be laid over some devices, and how many would do."""

from __future__ import annotations

from collections.abc import Callable

from nnlang.codegen.machines import Machine
from nnlang.codes import ranks as codes
from nnlang.compiler import linked
from nnlang.diagnostics import Stop, bytes_text, stop
from nnlang.network import Network, Training
from nnlang.planner.candidates import cannot_split, leanest, meshes
from nnlang.planner.estimate import Estimate, Estimator
from nnlang.planner.wish import Wish

MOST = 1024  # devices that are tried
_ONE, _DATA = "there is one device", "the devices share the rows of a batch, and each has all units"


def impossible(
    network: Network, training: Training, ranks: int, groups: int | None, forced: dict[int, bool], exact: bool
) -> Stop:
    """The Stop (NN813, NN814) where there is no placement at all; groups: how many shall share rows, None for any."""
    if groups is not None and (ranks % groups or groups > training.batch):
        reason = f"{groups} groups of equal size cannot be made of them"
        if groups > training.batch:
            reason = f"a batch of {training.batch} rows is too small for {groups} groups"
        return _no_layout(ranks, reason, f"data=N takes a divisor of {ranks}, the batch's rows at most")
    if exact and groups not in (None, 1):
        reason = "--deterministic excludes sharing the rows of a batch, whose sums would depend on how many share them"
        return _no_layout(ranks, reason, "leave `data` out of --parallel, or leave --deterministic out")
    model = ranks // (groups or 1)
    for number in sorted(i for i, split in forced.items() if split):
        against = _against(network, number, model, forced, exact, _ONE if ranks == 1 else _DATA)
        if against:
            return stop(codes.CANNOT_SPLIT, name=network.layers[number].name, wish="split", reason=against)
    widest = max(network.layers, key=lambda x: x.units)
    against = cannot_split(network, widest.index, model, exact)
    told = f"layer `{widest.name}` is the widest, and {against}" if against else "no layer is left to be split"
    return _no_layout(ranks, told, "take fewer devices" + (", or leave --deterministic out" if exact else ""))


def _against(network: Network, number: int, model: int, forced: dict[int, bool], exact: bool, alone: str) -> str | None:
    """Why a layer cannot be split over the model ranks, `alone` where there are none; None where it can."""
    if model == 1:
        return alone
    group = next(group for group in linked(network) if number in group)
    if whole := [network.layers[i].name for i in sorted(group) if forced.get(i) is False]:
        return f"it shares a matrix with layer `{whole[0]}`, which is to be whole"
    return cannot_split(network, number, model, exact)


def too_small(
    network: Network,
    training: Training,
    ranks: int,
    machine: Machine,
    wish: Wish,
    forced: dict[int, bool],
    estimate: Estimator,
    best: Estimate,
) -> Stop:
    """The Stop (NN810, exit 4) where devices are too small: what the leanest takes, how many would do."""
    exact = best.placement.exact

    def fitting(count: int) -> Estimate | None:
        laid = meshes(count, wish.groups(count), training.batch, exact)
        found = (estimate(p) for mesh in laid for p in leanest(network, mesh, forced, exact))
        return next((e for e in found if e.fits(machine.memory)), None)

    enough = _fewest(ranks, lambda count: fitting(count) is not None)
    found = fitting(enough) if enough else None
    if found:
        remedy = f"`--devices {enough}` would do, with {bytes_text(found.memory.total)} on each"
    elif wish.data == 0:
        remedy = "every device holds all weights where rows are shared: leave `data` out of --parallel"
    elif (held := best.memory.buffers + best.memory.batch) > machine.memory:
        remedy = f"no number of devices would do; a batch alone takes {bytes_text(held)}: take a smaller one with -b"
    else:
        guilty = "--deterministic" if exact else "--parallel" if forced else ""
        more = f": {guilty} keeps layers whole, leave it out" if guilty else f" (up to {MOST:,} were tried)"
        remedy = f"no number of devices would do{more}"
    needed, memory, each = bytes_text(best.memory.total), bytes_text(machine.memory), "" if ranks == 1 else " on each"
    return stop(codes.DEVICES_TOO_SMALL, devices=many(ranks), needed=needed, each=each, memory=memory, remedy=remedy)


def _fewest(ranks: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest number of ranks beyond some that are enough, by doubling and halving; None up to MOST."""
    few, more = ranks, 2 * ranks
    while not enough(more):
        few, more = more, 2 * more
        if more > MOST:
            return None
    while more - few > 1:
        middle = (few + more) // 2
        few, more = (few, middle) if enough(middle) else (middle, more)
    return more


def many(ranks: int) -> str:
    """A number of devices in words."""
    return "one device" if ranks == 1 else f"{ranks} devices"


def _no_layout(ranks: int, reason: str, remedy: str) -> Stop:
    return stop(codes.CANNOT_LAY_OUT, devices=many(ranks), reason=reason, remedy=remedy)
