"""The placements that are possible: meshes of ranks, layers whose units can be split, and the search among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations

from nnlang.codegen.grid import MOST_EXACT, is_exact, leaf, parts
from nnlang.compiler import linked, splittable
from nnlang.network import Kind, Network
from nnlang.placement import Placement

FEW = 3  # layers that are open up to which every combination is looked at
MOST = 4096  # ranks

Mesh = tuple[int, int]  # ranks that share layers, groups that share rows
Score = Callable[[Placement], tuple[object, ...]]  # smaller is better


def meshes(ranks: int, groups: int | None, batch: int, exact: bool) -> list[Mesh]:
    """The ways to lay ranks out, those with the fewest groups first; groups: how many it shall be, None for any."""
    counts = range(1, min(ranks, batch) + 1) if groups is None else (groups,)
    return [(ranks // d, d) for d in counts if ranks % d == 0 and d <= batch and not (exact and d > 1)]


def cannot_split(units: int, ranks: int, exact: bool) -> str | None:
    """Why a layer's units cannot be split over some ranks; None where they can."""
    if parts(units, ranks) is None:
        count = -(-units // leaf(units))
        blocks = "one block" if count == 1 else f"{count} blocks"
        return f"its {units:,} units are {blocks} of at least 256, too few for {ranks} devices"
    if exact and not is_exact(units, ranks):
        known = f"{', '.join(str(2**i) for i in range(1, MOST_EXACT.bit_length() - 1))} and {MOST_EXACT}"
        return f"--deterministic splits over {known} devices, in equal parts of its blocks; these would not be"
    return None


def groups(network: Network, ranks: int, exact: bool) -> list[frozenset[int]]:
    """The layers that can be split, those that share a matrix along their units together."""
    legal = splittable(network, ranks, exact=exact)
    return [group for group in linked(network) if group <= legal]


def leanest(network: Network, mesh: Mesh, forced: dict[int, bool], exact: bool) -> list[Placement]:
    """The placements of a mesh that take little memory: wide inputs and outputs are split, or all layers that can be.

    The first is the usual one: matrices out of an input by rows, into an output by columns. None where what is asked
    for cannot be.
    """
    known = groups(network, mesh[0], exact)
    ends = frozenset(x.index for x in network.layers if x.kind is not Kind.HIDDEN)
    asked = {i for i, split in forced.items() if split}
    found = (_joined(g for g in known if all(forced.get(i, g & ends) for i in g)), _joined(_open(known, forced)))
    laid = (split for split in dict.fromkeys(found) if split >= asked and (split or mesh[0] == 1))
    return [Placement(*mesh, split, exact) for split in laid]


def search(network: Network, mesh: Mesh, forced: dict[int, bool], exact: bool, score: Score) -> list[Placement]:
    """The placements of a mesh that were looked at: all where few layers are open, else a descent layer by layer."""
    starts = leanest(network, mesh, forced, exact)
    if not starts or mesh[0] == 1:
        return starts
    known = groups(network, mesh[0], exact)
    fixed = _joined(g for g in known if any(forced.get(i) for i in g))
    free = [g for g in _open(known, forced) if not g <= fixed]
    if len(free) <= FEW:
        chosen = (fixed | _joined(some) for n in range(len(free) + 1) for some in combinations(free, n))
        return [Placement(*mesh, split, exact) for split in chosen if split]
    seen = dict.fromkeys(starts)
    best = min(starts, key=score)
    while True:
        flipped = (best.split ^ group for group in free)
        around = [Placement(*mesh, split, exact) for split in flipped if split]
        seen |= dict.fromkeys(around)
        step = min(around, key=score)
        if score(step) >= score(best):
            return list(seen)
        best = step


def _open(known: list[frozenset[int]], forced: dict[int, bool]) -> list[frozenset[int]]:
    """The groups that nobody wants whole."""
    return [g for g in known if all(forced.get(i, True) for i in g)]


def _joined(groups: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*groups)
