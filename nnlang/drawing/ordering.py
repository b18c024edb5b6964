"""The order of points within rows: barycentre sweeps down and up, the order with the fewest crossings is kept."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

from nnlang.drawing.web import Web

_SWEEPS = 12  # pairs of sweeps; drawings of 30 layers stand still after four


def ordered(web: Web) -> list[list[int]]:
    """The points of each row from first to last, such that few segments cross."""
    rows = web.rows
    places = _places(rows, len(web.sizes))
    best, fewest = [list(row) for row in rows], crossings(web, rows, places)
    for _ in range(_SWEEPS):
        if not fewest:
            break
        for row in rows[1:]:
            _sort(row, web.before, places)
        for row in rows[-2::-1]:
            _sort(row, web.after, places)
        count = crossings(web, rows, places)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def crossings(web: Web, rows: Sequence[Sequence[int]], places: Sequence[int]) -> int:
    """How many pairs of segments cross."""
    count = 0
    for row in rows:
        seen: list[int] = []
        for point in row:
            ends = sorted(places[other] for other in web.after[point])
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _places(rows: Sequence[Sequence[int]], count: int) -> list[int]:
    places = [0] * count
    for row in rows:
        for place, point in enumerate(row):
            places[point] = place
    return places


def _sort(row: list[int], others: Sequence[Sequence[int]], places: list[int]) -> None:
    """Order a row by the mean places of the neighbours; points without neighbours stay where they are."""
    means = {p: sum(places[o] for o in others[p]) / len(others[p]) if others[p] else float(places[p]) for p in row}
    row.sort(key=lambda point: means[point])
    for place, point in enumerate(row):
        places[point] = place
