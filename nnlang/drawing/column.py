"""The layout of large networks: one column of boxes in propagation order, every longer edge in a lane beside it.

One pass over boxes and edges, in n log n; no edge crosses a box. Labels have no place here.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from nnlang.drawing.layout import Layout, Point, Route, number
from nnlang.drawing.web import Link, Size

_APART, _LANE, _MARGIN, _ROUND = 36.0, 8.0, 18.0, 6.0


def column(sizes: Sequence[Size], links: Sequence[Link]) -> Layout:
    """Boxes below each other; an edge to the next box is straight, others leave and come back at the right."""
    widest = max((width for width, _ in sizes), default=0.0)
    middles, at = [], 0.0
    for _, height in sizes:
        middles.append((widest / 2, at + height / 2))
        at += height + _APART
    lanes = _lanes(links)
    ends = _sides(sizes, middles, links)
    right = widest + _MARGIN
    routes = []
    for i, link in enumerate(links):
        if lanes[i] < 0:
            routes.append(_straight(middles, sizes, link))
        else:
            routes.append(_aside(right + _LANE * lanes[i], ends[i], middles, sizes, link))
    width = right + _LANE * (max(lanes, default=0) + 1)
    return Layout(width, max(0.0, at - _APART), tuple(middles), tuple(routes))


def _lanes(links: Sequence[Link]) -> list[int]:
    """The lane of each link, the innermost that is free from its source to its target; -1 for what needs none."""
    lanes = [-1] * len(links)
    direct: set[tuple[int, int]] = set()
    free: list[int] = []
    busy: list[tuple[int, int]] = []  # the box at which a lane becomes free, the lane
    used = 0
    for i in sorted(range(len(links)), key=lambda i: (links[i].source, links[i].target, i)):
        link = links[i]
        ends = (link.source, link.target)
        if link.target == link.source + 1 and ends not in direct:
            direct.add(ends)
            continue
        while busy and busy[0][0] <= link.source:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lanes[i] = heapq.heappop(free)
        else:
            lanes[i], used = used, used + 1
        heapq.heappush(busy, (link.target, lanes[i]))
    return lanes


def _sides(sizes: Sequence[Size], middles: Sequence[Point], links: Sequence[Link]) -> list[tuple[float, float]]:
    """The heights at which each link leaves (lower half of its source) and comes back (upper half of its target)."""
    leaving, entering = [0] * len(sizes), [0] * len(sizes)
    for link in links:
        leaving[link.source] += 1
        entering[link.target] += 1
    left, entered = [0] * len(sizes), [0] * len(sizes)
    ends = []
    for link in links:
        left[link.source] += 1
        entered[link.target] += 1
        down = left[link.source] / (leaving[link.source] + 1) * sizes[link.source][1] / 2
        up = entered[link.target] / (entering[link.target] + 1) * sizes[link.target][1] / 2
        ends.append((middles[link.source][1] + down, middles[link.target][1] - up))
    return ends


def _straight(middles: Sequence[Point], sizes: Sequence[Size], link: Link) -> Route:
    x = middles[link.source][0]
    top = middles[link.source][1] + sizes[link.source][1] / 2
    end = middles[link.target][1] - sizes[link.target][1] / 2
    return Route(f"M{number(x)},{number(top)}V{number(end)}", (x, end), "down", None)


def _aside(
    lane: float, ends: tuple[float, float], middles: Sequence[Point], sizes: Sequence[Size], link: Link
) -> Route:
    first = middles[link.source][0] + sizes[link.source][0] / 2
    last = middles[link.target][0] + sizes[link.target][0] / 2
    y, end = ends
    turn = f"Q{number(lane)},{number(y)} {number(lane)},{number(y + _ROUND)}"
    back = f"Q{number(lane)},{number(end)} {number(lane - _ROUND)},{number(end)}"
    path = f"M{number(first)},{number(y)}H{number(lane - _ROUND)}{turn}V{number(end - _ROUND)}{back}H{number(last)}"
    return Route(path, (last, end), "left", None)
