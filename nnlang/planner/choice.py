"""The placement that is taken, and why: the usual one unless another is much faster or the usual one does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nnlang.codegen.machines import MACHINES, Machine
from nnlang.codegen.pipeline import Options
from nnlang.compiler import linked
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.planner.candidates import Mesh, around, cannot_split, leanest, meshes
from nnlang.planner.estimate import Estimate, Estimator, estimator
from nnlang.planner.refusals import impossible, too_small
from nnlang.planner.wish import Wish, asked, parse

TIE = 1.02  # times that differ by less are taken as equal: the model knows no better
WORTH = 1.25  # what another placement must gain: the usual one divides memory and data too
NEAR = 1.5  # meshes whose usual placement takes longer, by the best one's, are not searched
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
    groups, exact = wish.groups(ranks), options.exact
    looked = _looked(network, training, ranks, machine, groups, forced, exact, estimate)
    if not looked:
        raise impossible(network, training, ranks, groups, forced, exact)
    best = _best(network, looked, machine, groups or 1)
    if not best.fits(machine.memory):
        raise too_small(network, training, ranks, machine, wish, forced, estimate, best)
    if wish != Wish():  # what would have been taken is an alternative
        free = _looked(network, training, ranks, machine, None, {}, exact, estimate)
        looked += [e for e in (_best(network, free, machine, 1),) if e not in looked] if free else []
    alone = estimate(Placement(exact=exact))
    reasons = tuple(_reasons(network, best, forced, estimate))
    return Choice(network, training, machine, best, alone, reasons, _alternatives(looked, best, machine))


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


def _looked(
    network: Network,
    training: Training,
    ranks: int,
    machine: Machine,
    groups: int | None,
    forced: dict[int, bool],
    exact: bool,
    estimate: Estimator,
) -> list[Estimate]:
    """What was looked at, the usual placement first; where something fits, slow meshes that share rows are left out."""

    def score(placement: Placement) -> tuple[object, ...]:
        found = estimate(placement)
        if found.fits(machine.memory):
            return False, found.seconds, found.memory.total
        return True, found.memory.total, found.seconds

    laid = (leanest(network, mesh, forced, exact) for mesh in meshes(ranks, groups, training.batch, exact))
    starts = [found for found in laid if found]
    seen = dict.fromkeys(p for found in starts for p in found)
    if not seen:
        return []
    least = score(min(seen, key=score))
    for found in starts:
        first = min(found, key=score)
        misses, seconds, _ = score(first)
        is_near = misses == least[0] and seconds <= NEAR * least[1]  # type: ignore[operator]
        if first.model > 1 and (first.data == 1 or least[0] or is_near):
            seen |= dict.fromkeys(around(network, first, forced, score))
    return [estimate(p) for p in seen]


def divides_data(network: Network, placement: Placement) -> bool:
    """Whether a device reads but its part of some data set."""
    return any(network.layers[number].dataset for number in placement.split)


def _best(network: Network, found: list[Estimate], machine: Machine, groups: int) -> Estimate:
    """The estimate to take, of which the first is that of the usual placement."""
    fitting = [e for e in found if e.fits(machine.memory)]
    if not fitting:
        return min(found, key=lambda e: e.memory.total)
    fastest, usual = min(e.seconds for e in fitting), found[0]
    is_worth = usual.seconds <= WORTH * fastest and divides_data(network, usual.placement)
    if usual in fitting and usual.placement.data == groups and is_worth:
        return usual
    return min((e for e in fitting if e.seconds <= TIE * fastest), key=_complexity)


def _complexity(found: Estimate) -> tuple[object, ...]:
    placement = found.placement
    return (placement.model > 1) + (placement.data > 1), len(placement.split), found.seconds, sorted(placement.split)


def _reasons(network: Network, best: Estimate, forced: dict[int, bool], estimate: Estimator) -> Iterator[Reason]:
    placement = best.placement
    together = {i: group for group in linked(network) for i in group}
    for layer in network.layers:
        number, group = layer.index, together[layer.index]
        split, other = number in placement.split, placement.split ^ group
        blocked = (cannot_split(network, i, placement.model, placement.exact) for i in sorted(group))
        cannot = next(filter(None, blocked), "") if placement.model > 1 else ""
        if group & forced.keys() or cannot or not other or placement.model == 1:
            yield Reason(number, split, bool(group & forced.keys()), cannot)
            continue
        flipped = estimate(replace(placement, split=other))
        more = flipped.memory.total - best.memory.total
        yield Reason(number, split, slower=flipped.seconds / best.seconds, more=more)


def _alternatives(found: list[Estimate], best: Estimate, machine: Machine) -> tuple[Estimate, ...]:
    """The best other placement of each mesh, then the runners-up, best first; what does not fit stands last."""

    def rank(e: Estimate) -> tuple[bool, float]:
        return not e.fits(machine.memory), e.seconds

    by_mesh: dict[Mesh, list[Estimate]] = {}
    for e in sorted(found, key=rank):
        if e.placement != best.placement:
            by_mesh.setdefault((e.placement.model, e.placement.data), []).append(e)
    firsts = [group[0] for group in by_mesh.values()]
    seconds = [e for group in by_mesh.values() for e in group[1:2]]
    return tuple(sorted([*firsts, *seconds][:SHOWN], key=rank))
