"""Where everything stands in a drawing: the boxes' middles, the edges' paths, the labels, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nnlang.drawing.ordering import ordered
from nnlang.drawing.placing import placed, settle
from nnlang.drawing.web import Link, Size, Web, weave

Point = tuple[float, float]  # x, y


@dataclass(frozen=True)
class Route:
    """The way of one edge: SVG path data, the tip of its arrow, where that points, and the middle of its label."""

    path: str
    tip: Point
    way: str  # "down", "right" or "left"
    label: Point | None


@dataclass(frozen=True)
class Layout:
    """A drawing's size, the middle of each box, the route of each link."""

    width: float
    height: float
    boxes: tuple[Point, ...]
    routes: tuple[Route, ...]


_APART = (16.0, 22.0)  # from a row of boxes to the labels, from there to the next boxes (room for an arrow)
_LEAN, _MOST = 0.10, 70.0  # rows stand further apart where edges go far across
_EDGE, _PORTS = 14.0, 14.0  # least distance of an edge's end from the box's corner, and of two ends


def number(value: float) -> str:
    """A coordinate: one decimal, none where it is zero."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # never "-0"


def layered(sizes: Sequence[Size], links: Sequence[Link], flow: str) -> Layout:
    """Boxes in rows (columns where `flow` is "right"), edges as curves between the rows and straight through them.

    sizes: width and height of each box, of labels likewise; "down" draws inputs above, "right" at the left.
    """
    turned = flow == "right"
    web = weave([_turn(s) if turned else s for s in sizes], [_turned(link) if turned else link for link in links])
    rows = ordered(web)
    across = placed(web, rows)
    left = min((across[p] - web.sizes[p][0] / 2 for p in range(len(across))), default=0.0)
    across = [place - left for place in across]
    ends = _ends(web, across)
    bands = _bands(web, rows, across, ends)
    middles = [(bands[r][0] + bands[r][1]) / 2 for r in web.row_of]
    routes = tuple(_route(web, number, across, bands, ends[number], turned) for number in range(len(links)))
    size = (max((across[p] + web.sizes[p][0] / 2 for p in range(len(across))), default=0.0), bands[-1][1])
    width, height = _turn(size) if turned else size
    points = [(across[p], middles[p]) for p in range(web.boxes)]
    return Layout(width, height, tuple(map(_turn, points) if turned else points), routes)


def _turn(pair: Size) -> Size:
    return pair[1], pair[0]


def _turned(link: Link) -> Link:
    return Link(link.source, link.target, _turn(link.label), link.light)


def _ends(web: Web, across: Sequence[float]) -> list[tuple[float, float]]:
    """Where across each chain leaves its first box and enters its last."""
    leaving: list[list[int]] = [[] for _ in range(web.boxes)]
    entering: list[list[int]] = [[] for _ in range(web.boxes)]
    for number, chain in enumerate(web.chains):
        leaving[chain[0]].append(number)
        entering[chain[-1]].append(number)
    starts, stops = [0.0] * len(web.chains), [0.0] * len(web.chains)
    for box in range(web.boxes):
        for numbers, side, found in ((leaving[box], 1, starts), (entering[box], -2, stops)):
            numbers.sort(key=lambda n, side=side: across[web.chains[n][side]])  # type: ignore[misc]
            wished = [across[web.chains[n][side]] for n in numbers]
            for n, place in zip(numbers, _ports(across[box], web.sizes[box][0] / 2, wished), strict=True):
                found[n] = place
    return list(zip(starts, stops, strict=True))


def _ports(middle: float, half: float, wished: Sequence[float]) -> list[float]:
    """Places on one side of a box for edges that come from some places, in their order; one alone is in the middle."""
    if len(wished) < 2:
        return [middle] * len(wished)
    usable = max(1.0, half - _EDGE)
    reach = max(abs(w - middle) for w in wished)
    scale = min(1.0, usable / reach) if reach else 1.0
    gap = min(_PORTS, 2 * usable / (len(wished) - 1))
    gaps = [gap] * (len(wished) - 1)
    weights = [100.0 if abs(w - middle) < 1 else 1.0 for w in wished]  # what can be straight stays so
    places = settle([(w - middle) * scale for w in wished], weights, gaps)
    span = gap * (len(wished) - 1)
    inside = (max(i * gap - usable, min(place, usable - span + i * gap)) for i, place in enumerate(places))
    return [middle + place for place in inside]


def _bands(
    web: Web, rows: Sequence[Sequence[int]], across: Sequence[float], ends: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Beginning and end along the flow of each row."""
    furthest = [0.0] * len(rows)
    for chain, (start, stop) in zip(web.chains, ends, strict=True):
        places = [start, *(across[p] for p in chain[1:-1]), stop]
        for row, (a, b) in enumerate(pairwise(places), web.row_of[chain[0]]):
            furthest[row] = max(furthest[row], abs(a - b))
    bands, at = [], 0.0
    for row, points in enumerate(rows):
        size = max(web.sizes[p][1] for p in points) if points else 0.0
        bands.append((at, at + size))
        at += size + _APART[row % 2] + min(_MOST, _LEAN * furthest[row])
    return bands


def _route(
    web: Web,
    number: int,
    across: Sequence[float],
    bands: Sequence[tuple[float, float]],
    ends: tuple[float, float],
    turned: bool,
) -> Route:
    chain = web.chains[number]
    first, last = chain[0], chain[-1]
    places = [ends[0], *(across[p] for p in chain[1:-1]), ends[1]]
    spans = [bands[web.row_of[p]] for p in chain]
    spans[0] = (_middle(spans[0]) + web.sizes[first][1] / 2, spans[0][1])
    spans[-1] = (spans[-1][0], _middle(spans[-1]) - web.sizes[last][1] / 2)
    label = chain[-2]
    at = (across[label], _middle(bands[web.row_of[label]])) if web.sizes[label] != (0.0, 0.0) else None
    tip = (places[-1], spans[-1][1])
    if turned:
        return Route(_path(places, spans, turned), _turn(tip), "right", _turn(at) if at else None)
    return Route(_path(places, spans, turned), tip, "down", at)


def _middle(span: tuple[float, float]) -> float:
    return (span[0] + span[1]) / 2


def _path(places: Sequence[float], spans: Sequence[tuple[float, float]], turned: bool) -> str:
    """Straight through each row's span, and from one to the next by a curve that begins and ends along the flow."""

    def point(across: float, along: float) -> str:
        x, y = (along, across) if turned else (across, along)
        return f"{number(x)},{number(y)}"

    parts = [f"M{point(places[0], spans[0][0])}"]
    drawn = places[0]  # a straight run goes on until something leans
    for i in range(len(places) - 1):
        (_, leave), (enter, _) = spans[i], spans[i + 1]
        if abs(places[i + 1] - drawn) < 0.05:
            continue
        half = (leave + enter) / 2
        parts.append(f"L{point(drawn, leave)}")
        parts.append(f"C{point(drawn, half)} {point(places[i + 1], half)} {point(places[i + 1], enter)}")
        drawn = places[i + 1]
    return "".join((*parts, f"L{point(drawn, spans[-1][1])}"))
