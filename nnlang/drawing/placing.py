"""Where points stand within their rows: near the median of their neighbours, in order, never too close.

Each sweep solves every row exactly: the places nearest to the wished ones, in the sense of least squares, that keep the
order and the distances (isotonic regression by pooling adjacent violators).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from statistics import median_low

from nnlang.drawing.web import Web

_SWEEPS, _ROUNDS = 10, 3
_BOX, _PASSING = 1e6, 1.0  # boxes stand where their chains are straight, long edges give way
_GAPS = {2: 32.0, 1: 22.0, 0: 14.0}  # between neighbours of which so many are boxes
_LABELS = 16.0  # between neighbours where one is a label


def settle(wished: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to the wished ones (weighted least squares) whose steps are at least `gaps`, one fewer."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for wish, weight, offset in zip(wished, weights, offsets, strict=True):
        mean, count = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, more, several = blocks.pop()
            mean = (mean * weight + other * more) / (weight + more)
            weight, count = weight + more, count + several
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def placed(web: Web, rows: Sequence[Sequence[int]]) -> list[float]:
    """The place across of each point's middle; the sweep whose segments lean least is kept, then edges straightened."""
    gaps = [[_distance(web, a, b) for a, b in pairwise(row)] for row in rows]
    weights = _weights(web)
    where = [0.0] * len(web.sizes)
    for row, apart in zip(rows, gaps, strict=True):
        _settle_row(row, weights, apart, where, [0.0] * len(row))
    best, least = list(where), _lean(web, where)
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        others = web.before if down else web.after
        for number in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            wished = [_median(web, point, others[point], where) for point in rows[number]]
            _settle_row(rows[number], weights, gaps[number], where, wished)
        lean = _lean(web, where)
        if lean < least - 0.5:
            best, least = list(where), lean
    for _ in range(_ROUNDS):
        _straighten(web, rows, gaps, best)
        for row, apart in zip(rows[1::2], gaps[1::2], strict=True):  # labels
            _settle_row(row, weights, apart, best, [_beside(web, point, best) for point in row])
    return best


def _weights(web: Web) -> list[float]:
    """How much each point counts where two want one place: what joins boxes of neighbouring rows as much as they."""
    found = [_BOX] * web.boxes + [_PASSING] * (len(web.sizes) - web.boxes)
    for chain in web.chains:
        if len(chain) == 3 and not web.light[chain[1]]:
            found[chain[1]] = _BOX
    return found


def _beside(web: Web, label: int, where: Sequence[float]) -> float:
    """Where a label stands best: in line with the end of its edge at which fewer edges meet, else between both."""
    (above,), (below,) = web.before[label], web.after[label]
    meet = len(web.after[above]) - len(web.before[below])
    if meet == 0:
        return (where[above] + where[below]) / 2
    return where[below] if meet > 0 else where[above]


def _straighten(web: Web, rows: Sequence[Sequence[int]], gaps: Sequence[Sequence[float]], where: list[float]) -> None:
    """Put the passing points of each long edge on one line, the label last in it too, where neighbours leave room."""
    place = {point: i for row in rows for i, point in enumerate(row)}

    def room(point: int) -> tuple[float, float]:
        row, i = web.row_of[point], place[point]
        low = where[rows[row][i - 1]] + gaps[row][i - 1] if i else -inf
        high = where[rows[row][i + 1]] - gaps[row][i] if i + 1 < len(rows[row]) else inf
        return low, high

    for chain in web.chains:
        for points in (chain[1:-1], chain[1:-2]):
            if len(points) < 2:
                break
            rooms = [room(point) for point in points]
            low, high = max(r[0] for r in rooms), min(r[1] for r in rooms)
            if low <= high:
                straight = max(low, min(high, median_low([where[point] for point in points])))
                for point in points:
                    where[point] = straight
                break


def _settle_row(
    row: Sequence[int], weights: Sequence[float], gaps: Sequence[float], where: list[float], wished: Sequence[float]
) -> None:
    for point, place in zip(row, settle(wished, [weights[point] for point in row], gaps), strict=True):
        where[point] = place


def _distance(web: Web, first: int, second: int) -> float:
    """The least distance between the middles of two neighbours in a row."""
    boxes = (first < web.boxes) + (second < web.boxes)
    widths = web.sizes[first][0] + web.sizes[second][0]
    return widths / 2 + (_LABELS if widths and not boxes else _GAPS[boxes])


def _median(web: Web, point: int, others: Sequence[int], where: Sequence[float]) -> float:
    """The median place of a point's neighbours, light ones only where there are no others; its own without any."""
    heavy = [other for other in others if not web.light[other]] or others
    places = sorted(where[other] for other in heavy)
    if not places:
        return where[point]
    half = len(places) // 2
    return places[half] if len(places) % 2 else (places[half - 1] + places[half]) / 2


def _lean(web: Web, where: Sequence[float]) -> float:
    """How far the segments are from straight, those between boxes and labels more than those that only pass."""
    total = 0.0
    for upper, others in enumerate(web.after):
        for lower in others:
            weight = 0.5 if web.light[upper] or web.light[lower] else 1.0
            total += weight * abs(where[upper] - where[lower])
    return total
