"""The placements that are possible: meshes of ranks, layers whose units can be split, and the search among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations

from nnlang.codegen.grid import MOST_EXACT, is_exact, leaf, parts
from nnlang.compiler import linked, splittable
from nnlang.network import Kind, Network
from nnlang.placement import Placement

_EXACT = tuple(2**i for i in range(1, MOST_EXACT.bit_length()))
FEW = 3  # layers that are open up to which every combination is looked at

Mesh = tuple[int, int]  # ranks that share layers, groups that share rows
Score = Callable[[Placement], tuple[object, ...]]  # smaller is better


def meshes(ranks: int, groups: int | None, batch: int, exact: bool) -> list[Mesh]:
    """The ways to lay ranks out, those with the fewest groups first; groups: how many it shall be, None for any."""
    counts = range(1, min(ranks, batch) + 1) if groups is None else (groups,)
    return [(ranks // d, d) for d in counts if ranks % d == 0 and d <= batch and not (exact and d > 1)]


def cannot_split(network: Network, number: int, ranks: int, exact: bool) -> str | None:
    """Why a layer's units cannot be split over some ranks; None where they can."""
    if number in splittable(network, ranks, exact=exact):
        return None
    units = network.layers[number].units
    count = -(-units // leaf(units))
    if parts(units, ranks) is None:
        blocks = "one block" if count == 1 else f"{count} blocks"
        return f"its {units:,} units are summed in {blocks}, and {ranks} devices need one each"
    if not is_exact(units, ranks):
        if ranks not in _EXACT:
            return f"--deterministic splits over {', '.join(map(str, _EXACT))} devices, not over {ranks}"
        share = (1 << (count - 1).bit_length()) // ranks
        return f"--deterministic gives {share} of its {count} blocks to a device: the last would have none"
    return "--deterministic: an output sums over its units, which one device does in one piece"


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


def around(network: Network, start: Placement, forced: dict[int, bool], score: Score) -> list[Placement]:
    """The placements of a mesh that a search from one looks at: all where few layers are open, else a descent."""
    known = groups(network, start.model, start.exact)
    fixed = _joined(g for g in known if any(forced.get(i) for i in g))
    free = [g for g in _open(known, forced) if not g <= fixed]
    if len(free) <= FEW:
        chosen = (fixed | _joined(some) for n in range(len(free) + 1) for some in combinations(free, n))
        return [replace(start, split=split) for split in chosen if split]
    seen: dict[Placement, None] = {}
    while True:
        steps = [replace(start, split=start.split ^ group) for group in free if start.split != group]
        seen |= dict.fromkeys(steps)
        best = min(steps, key=score)
        if score(best) >= score(start):
            return list(seen)
        start = best


def _open(known: list[frozenset[int]], forced: dict[int, bool]) -> list[frozenset[int]]:
    """The groups that nobody wants whole."""
    return [g for g in known if all(forced.get(i, True) for i in g)]


def _joined(groups: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*groups)
