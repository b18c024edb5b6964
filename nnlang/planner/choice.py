"""The placement that is taken, and why: the fastest that fits, by computed times; of equally fast ones the simplest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnlang.codegen.machines import MACHINES, Machine
from nnlang.codegen.pipeline import Options
from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop, bytes_text, stop
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.planner.candidates import MOST, Mesh, cannot_split, leanest, meshes, search
from nnlang.planner.estimate import Estimate, Estimator, estimator
from nnlang.planner.wish import Wish, asked, parse

TIE = 1.02  # times that differ by less are taken as equal: the model knows no better
SHOWN = 4  # alternatives


@dataclass(frozen=True)
class Reason:
    """Why a layer is split or whole: what was asked, why it cannot be, or what the other would cost.

    slower: times as long a step would take the other way; more: bytes that a device would hold more.
    """

    layer: int
    split: bool
    asked: bool = False
    cannot: str = ""
    slower: float = 0.0
    more: int = 0


@dataclass(frozen=True)
class Choice:
    """What was chosen for how many devices of which kind, one reason a layer, other placements, and one device alone.

    Alternatives are the best of other kinds, best first; those that do not fit stand last.
    """

    network: Network
    training: Training
    machine: Machine
    estimate: Estimate
    alone: Estimate
    reasons: tuple[Reason, ...]
    alternatives: tuple[Estimate, ...]

    @property
    def placement(self) -> Placement:
        """How the network is laid over the ranks."""
        return self.estimate.placement


def choose(network: Network, training: Training, ranks: int, machine: Machine, wish: Wish, options: Options) -> Choice:
    """The placement of a network over ranks of a machine, within what is wished for.

    Raises Stop where it cannot be so (NN812 to NN814), and where no placement fits the devices' memory (NN810, exit 4).
    """
    forced = asked(wish, network)
    estimate = estimator(network, training, machine, options)
    looked = _candidates(network, training, ranks, machine, wish, forced, options.exact, estimate)
    if not looked:
        raise _impossible(network, training, ranks, wish, forced, options.exact)
    best = _best([estimate(p) for p in looked], machine)
    if not best.fits(machine.memory):
        raise _too_small(network, training, ranks, machine, wish, forced, estimate, best)
    others = dict.fromkeys(looked)
    if wish != Wish() and ranks > 1:
        free = _candidates(network, training, ranks, machine, Wish(), {}, options.exact, estimate)
        others |= dict.fromkeys([_best([estimate(p) for p in free], machine).placement] if free else [])
    alone = estimate(Placement(exact=options.exact))
    reasons = tuple(_reasons(network, best, forced, estimate))
    rest = _alternatives([estimate(p) for p in others], best, machine)
    return Choice(network, training, machine, best, alone, reasons, rest)


def choose_for(
    network: Network,
    training: Training,
    ranks: int,
    device_kind: str,
    exact: bool = False,
    wish_text: str | None = None,
    memory: int | None = None,
) -> Placement:
    """The placement for ranks on devices of a kind: cpu, interpret, cuda, or a target such as cuda:90.

    memory: bytes of one device; None leaves the runtime to find out. Raises Stop as `choose` does.
    """
    target = {"cuda": "cuda:90", "hip": "hip:gfx942"}.get(device_kind, device_kind)
    machine = replace(MACHINES[target], memory=memory or 0)
    options = Options(target, "fp32" if target in ("cpu", "interpret") else "tf32", exact=exact)
    return choose(network, training, ranks, machine, parse(wish_text), options).placement


def _candidates(
    network: Network,
    training: Training,
    ranks: int,
    machine: Machine,
    wish: Wish,
    forced: dict[int, bool],
    exact: bool,
    estimate: Estimator,
) -> list[Placement]:
    def score(placement: Placement) -> tuple[object, ...]:
        found = estimate(placement)
        return not found.fits(machine.memory), found.seconds, found.memory.total

    laid = meshes(ranks, wish.groups(ranks), training.batch, exact)
    return [p for mesh in laid for p in search(network, mesh, forced, exact, score)]


def _best(found: list[Estimate], machine: Machine) -> Estimate:
    fitting = [e for e in found if e.fits(machine.memory)]
    if not fitting:
        return min(found, key=lambda e: e.memory.total)
    fastest = min(e.seconds for e in fitting)
    return min((e for e in fitting if e.seconds <= TIE * fastest), key=_complexity)


def _complexity(found: Estimate) -> tuple[object, ...]:
    placement = found.placement
    return (placement.model > 1) + (placement.data > 1), len(placement.split), found.seconds, sorted(placement.split)


def _reasons(network: Network, best: Estimate, forced: dict[int, bool], estimate: Estimator) -> Iterator[Reason]:
    placement = best.placement
    for layer in network.layers:
        number, split = layer.index, layer.index in placement.split
        cannot = cannot_split(layer.units, placement.model, placement.exact) if placement.model > 1 else ""
        other = placement.split ^ {number}
        if number in forced or cannot or not other or placement.model == 1:
            yield Reason(number, split, number in forced, cannot or "")
            continue
        flipped = estimate(replace(placement, split=other))
        more = flipped.memory.total - best.memory.total
        yield Reason(number, split, slower=flipped.seconds / best.seconds, more=more)


def _alternatives(found: list[Estimate], best: Estimate, machine: Machine) -> tuple[Estimate, ...]:
    """The best other placement of each mesh, and the runner-up of each, best first."""
    by_mesh: dict[Mesh, list[Estimate]] = {}
    for e in sorted(found, key=lambda e: (not e.fits(machine.memory), e.seconds)):
        if e.placement != best.placement:
            by_mesh.setdefault((e.placement.model, e.placement.data), []).append(e)
    firsts = [group[0] for group in by_mesh.values()]
    seconds = [e for group in by_mesh.values() for e in group[1:2]]
    kept = [*firsts, *seconds][:SHOWN]
    return tuple(sorted(kept, key=lambda e: (not e.fits(machine.memory), e.seconds)))


def _impossible(
    network: Network, training: Training, ranks: int, wish: Wish, forced: dict[int, bool], exact: bool
) -> Stop:
    """Why there is no placement at all."""
    groups, devices = wish.groups(ranks), many(ranks)
    if groups is not None and (ranks % groups or groups > training.batch):
        reason = f"{groups} groups of equal size cannot be made of them"
        if groups > training.batch:
            reason = f"a batch of {training.batch} rows is too small for {groups} groups"
        return stop(codes.CANNOT_LAY_OUT, devices=devices, reason=reason, remedy=f"data=N takes a divisor of {ranks}")
    if exact and groups not in (None, 1):
        reason = "--deterministic excludes sharing the rows of a batch, whose sums would depend on how many share them"
        return stop(codes.CANNOT_LAY_OUT, devices=devices, reason=reason, remedy="leave `data` out of --parallel")
    model = ranks // (groups or 1)
    for number, split in forced.items():
        layer = network.layers[number]
        reason = cannot_split(layer.units, model, exact) if model > 1 else "every device has rows of its own"
        if split and reason:
            return stop(codes.CANNOT_SPLIT, name=layer.name, wish="split", reason=reason)
    reasons = {x.name: cannot_split(x.units, model, exact) for x in network.layers}
    name = max(network.layers, key=lambda x: x.units).name
    reason = f"no layer may be split; {name}: {reasons[name] or 'it is to be whole'}"
    remedy = "take fewer devices" + (", or leave --deterministic out" if exact else "")
    return stop(codes.CANNOT_LAY_OUT, devices=devices, reason=reason, remedy=remedy)


def _too_small(
    network: Network,
    training: Training,
    ranks: int,
    machine: Machine,
    wish: Wish,
    forced: dict[int, bool],
    estimate: Estimator,
    best: Estimate,
) -> Stop:
    """What training takes on devices that are too small, and how many would do."""

    def fitting(count: int) -> Estimate | None:
        laid = meshes(count, wish.groups(count), training.batch, best.placement.exact)
        found = (estimate(p) for mesh in laid for p in leanest(network, mesh, forced, best.placement.exact))
        return next((e for e in found if e.fits(machine.memory)), None)

    enough = _fewest(ranks, lambda count: fitting(count) is not None)
    if enough is None:
        held = bytes_text(best.memory.buffers + best.memory.batch)
        remedy = f"no number of devices would do: a batch alone takes {held} on each; take a smaller one with -b"
        remedy = remedy if wish.groups(ranks) != ranks else "every device holds all weights: leave --parallel data out"
    else:
        found = fitting(enough)
        assert found is not None
        remedy = f"--devices {enough} would do, with {bytes_text(found.memory.total)} on each"
    needed, memory = bytes_text(best.memory.total), bytes_text(machine.memory)
    each = "it" if ranks == 1 else "each"
    return stop(codes.DEVICES_TOO_SMALL, devices=many(ranks), needed=needed, each=each, memory=memory, remedy=remedy)


def _fewest(ranks: int, enough: object) -> int | None:
    """The smallest number of ranks beyond some that are enough, by doubling and halving; None up to MOST."""
    assert callable(enough)
    few, many_ = ranks, 2 * ranks
    while not enough(many_):
        few, many_ = many_, 2 * many_
        if many_ > MOST:
            return None
    while many_ - few > 1:
        middle = (few + many_) // 2
        few, many_ = (few, middle) if enough(middle) else (middle, many_)
    return many_


def many(ranks: int) -> str:
    """A number of devices in words."""
    return "one device" if ranks == 1 else f"{ranks} devices"
