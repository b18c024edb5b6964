"""The points of a layered drawing: boxes in rows by the longest path, and points where longer edges pass a row.

Rows of boxes are the even ones; the odd ones between them hold the labels of edges, so that a label never lies on a box
or on another label. Sizes are (across, along): along is the way that values flow, down or to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Size = tuple[float, float]  # across, along


@dataclass(frozen=True)
class Link:
    """One edge to draw, by the numbers of its boxes, with the size of its label (0, 0 for none)."""

    source: int
    target: int
    label: Size = (0.0, 0.0)
    light: bool = False  # an edge that need not be straight for the others' sake


@dataclass
class Web:
    """Points with their sizes and rows, joined by segments from row to row; the first points are the boxes."""

    sizes: list[Size]
    row_of: list[int]
    boxes: int
    chains: list[list[int]] = field(default_factory=list)  # of each link: source, passing points, target
    light: list[bool] = field(default_factory=list)  # of each point
    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)

    @property
    def rows(self) -> list[list[int]]:
        """The points of each row, in the order of their making."""
        rows: list[list[int]] = [[] for _ in range(max(self.row_of, default=-1) + 1)]
        for point, row in enumerate(self.row_of):
            rows[row].append(point)
        return rows


def depths(count: int, links: Sequence[Link]) -> list[int]:
    """The longest path to each box; boxes are numbered so that links go from smaller to larger numbers."""
    found = [0] * count
    for link in sorted(links, key=lambda link: link.source):
        found[link.target] = max(found[link.target], found[link.source] + 1)
    return found


def passing(count: int, links: Sequence[Link]) -> int:
    """How many points a web of these links has besides its boxes."""
    depth = depths(count, links)
    return sum(2 * (depth[link.target] - depth[link.source]) - 1 for link in links)


def weave(sizes: Sequence[Size], links: Sequence[Link]) -> Web:
    """The web of boxes with some sizes; every link passes each row between its ends, its label the last of them."""
    rows = [2 * depth for depth in depths(len(sizes), links)]
    web = Web(list(sizes), rows, len(sizes), light=[False] * len(sizes))
    for link in links:
        first, last = rows[link.source], rows[link.target]
        chain = [link.source]
        for row in range(first + 1, last):
            chain.append(len(web.sizes))
            web.sizes.append(link.label if row == last - 1 else (0.0, 0.0))
            web.row_of.append(row)
            web.light.append(link.light)
        web.chains.append([*chain, link.target])
    _join(web)
    return web


def _join(web: Web) -> None:
    web.before, web.after = [[] for _ in web.sizes], [[] for _ in web.sizes]
    for chain in web.chains:
        for upper, lower in pairwise(chain):
            web.after[upper].append(lower)
            web.before[lower].append(upper)
