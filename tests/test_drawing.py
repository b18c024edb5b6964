"""The layout of drawings: nothing lies on anything else, on random networks; widths; the exactness of each row."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.drawing import vector
from nnlang.drawing.column import column
from nnlang.drawing.layout import Layout, Point, layered
from nnlang.drawing.ordering import crossings, ordered
from nnlang.drawing.picture import describe
from nnlang.drawing.placing import settle
from nnlang.drawing.web import Link, Size, passing, weave
from nnlang.drawing.widths import fitted, lines, width
from tests import networks

Area = tuple[float, float, float, float]  # left, top, right, bottom


def drawing(seed: int) -> tuple[list[Size], list[Link]]:
    """A random network: boxes of random sizes, every one but the first with one to four sources before it."""
    draw = random.Random(seed)
    count = draw.randint(1, 25)
    sizes = [(draw.uniform(60, 300), draw.uniform(40, 120)) for _ in range(count)]
    links = []
    near = draw.choice((1, 3, 30))
    for target in range(1, count):
        for source in sorted({max(0, target - draw.randint(1, near)) for _ in range(draw.choice((1, 1, 2, 4)))}):
            light = draw.random() < 0.2
            label = (0.0, 0.0) if light else (draw.uniform(30, 200), draw.choice((17.0, 32.0)))
            links.append(Link(source, target, label, light))
    return sizes, links


def area(middle: Point, size: Size) -> Area:
    """The rectangle of some size around a point."""
    return middle[0] - size[0] / 2, middle[1] - size[1] / 2, middle[0] + size[0] / 2, middle[1] + size[1] / 2


def overlap(one: Area, other: Area, slack: float = 0.2) -> bool:
    """Whether two rectangles share more than their rounding."""
    a, b = slack, slack
    return one[0] + a < other[2] and other[0] + a < one[2] and one[1] + b < other[3] and other[1] + b < one[3]


def points(path: str) -> Iterator[Point]:
    """Points along SVG path data, a few pixels apart."""
    at: Point = (0.0, 0.0)
    for command, text in re.findall(r"([MLCQHV])([-\d., ]+)", path):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", text)]
        if command == "H":
            numbers = [numbers[0], at[1]]
        elif command == "V":
            numbers = [at[0], numbers[0]]
        ends = [at, *zip(numbers[::2], numbers[1::2], strict=True)]
        if command == "M":
            ends = ends[1:]
        steps = 40
        yield from (bezier(ends, i / steps) for i in range(steps + 1))
        at = ends[-1]


def bezier(ends: list[Point], t: float) -> Point:
    """De Casteljau's point of a curve of any degree."""
    while len(ends) > 1:
        ends = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(ends)]
    return ends[0]


def check(layout: Layout, sizes: list[Size], links: list[Link]) -> None:
    """No box lies on a box, no label on a box or label, no edge on a box or another's label; all within the drawing."""
    boxes = [area(m, s) for m, s in zip(layout.boxes, sizes, strict=True)]
    labels = {i: area(r.label, links[i].label) for i, r in enumerate(layout.routes) if r.label is not None}
    places = [*boxes, *labels.values()]
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]
    whole = (-0.1, -0.1, layout.width + 0.1, layout.height + 0.1)
    assert all(a[0] >= whole[0] and a[1] >= whole[1] and a[2] <= whole[2] and a[3] <= whole[3] for a in places)
    for i, route in enumerate(layout.routes):
        way = list(points(route.path))
        assert on_edge(way[0], boxes[links[i].source])
        assert on_edge(route.tip, boxes[links[i].target])
        assert abs(way[-1][0] - route.tip[0]) < 0.2 and abs(way[-1][1] - route.tip[1]) < 0.2
        others = [*boxes, *(place for other, place in labels.items() if other != i)]
        for x, y in way:
            assert whole[0] <= x <= whole[2] and whole[1] <= y <= whole[3]
            assert not any(overlap((x, y, x, y), other, 0.3) for other in others), (i, x, y)


def on_edge(point: Point, box: Area) -> bool:
    """Whether a point lies on the border of a rectangle."""
    x, y = point
    inside = box[0] - 0.2 <= x <= box[2] + 0.2 and box[1] - 0.2 <= y <= box[3] + 0.2
    return inside and min(abs(x - box[0]), abs(x - box[2]), abs(y - box[1]), abs(y - box[3])) < 0.2


@pytest.mark.parametrize("flow", ["down", "right"])
@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 3000), marks=pytest.mark.full)])
def test_nothing_lies_on_anything(seeds: range, flow: str) -> None:
    for seed in seeds:
        sizes, links = drawing(seed)
        check(layered(sizes, links, flow), sizes, links)


def test_nothing_lies_on_anything_in_a_column() -> None:
    for seed in range(40):
        sizes, links = drawing(seed)
        bare = [Link(link.source, link.target) for link in links]
        layout = column(sizes, bare)
        check(layout, sizes, bare)
        upright = [
            (round(x, 1), min(y for _, y in way), max(y for _, y in way))
            for route in layout.routes
            if route.way == "left"
            for way in [list(points(route.path))]
            for x in [max(x for x, _ in way)]
        ]
        shared = [(a, b) for a, b in combinations(upright, 2) if a[0] == b[0] and a[1] < b[2] and b[1] < a[2]]
        assert shared == [], "two edges in one lane at once"


def test_chains_are_straight() -> None:
    sizes = [(100.0 + 7 * (i % 3), 60.0) for i in range(30)]
    links = [Link(i, i + 1, (60.0, 17.0)) for i in range(29)]
    skips = [Link(i, i + 3, light=True) for i in range(0, 27, 3)]
    layout = layered(sizes, [*links, *skips], "down")
    assert max(x for x, _ in layout.boxes) - min(x for x, _ in layout.boxes) < 0.1
    assert all("C" not in route.path for route in layout.routes[: len(links)])


def test_a_fan_stands_even() -> None:
    sizes = [(140.0, 60.0)] * 9
    links = [*(Link(0, i, (60.0, 17.0)) for i in range(1, 8)), *(Link(i, 8, (60.0, 17.0)) for i in range(1, 8))]
    layout = layered(sizes, links, "down")
    assert layout.boxes[0][0] == pytest.approx(layout.boxes[4][0], abs=0.1)
    assert layout.boxes[8][0] == pytest.approx(layout.boxes[4][0], abs=0.1)
    assert crossings_of(layout) == 0


def crossings_of(layout: Layout) -> int:
    """How many pairs of labels stand in another order than the boxes that they lead to; for a fan."""
    places = [route.label[0] for route in layout.routes[:7] if route.label]
    return sum(a > b for a, b in combinations(places, 2))


def test_wide_networks_are_drawn_to_the_right() -> None:
    inner = [networks.hidden(f"Expert{i}", 8, "Input") for i in range(30)]
    out = networks.output("Output", 20, *(f"Expert{i}" for i in range(30)))
    wide = describe(networks.build("wide", [networks.source("Input", 20), *inner, out]))
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', vector.svg(wide))
    assert size and float(size[1]) < 1500 < float(size[2])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000))
def test_crossings_are_counted(seed: int) -> None:
    draw = random.Random(seed)
    sizes, links = drawing(seed)
    web = weave(sizes, links)
    rows = web.rows
    for row in rows:
        draw.shuffle(row)
    places = [0] * len(web.sizes)
    for row in rows:
        for place, point in enumerate(row):
            places[point] = place
    segments = [(web.row_of[a], places[a], places[b]) for a, after in enumerate(web.after) for b in after]
    pairs = combinations(segments, 2)
    assert crossings(web, rows, places) == sum(a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0 for a, b in pairs)
    assert len(web.sizes) - len(sizes) == passing(len(sizes), links)
    assert [sorted(row) for row in ordered(web)] == web.rows


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(1, 9), st.integers(0, 90)), min_size=1, max_size=8))
def test_rows_settle_at_the_nearest_places(points: list[tuple[int, int, int]]) -> None:
    """Feasible, and no better place in the direction of any pushed group: the conditions of the least squares."""
    wished, weights, gaps = [p[0] for p in points], [p[1] for p in points], [p[2] for p in points][1:]
    found = settle(wished, weights, gaps)
    slack = [b - a - gap for (a, b), gap in zip(pairwise(found), gaps, strict=True)]
    assert all(s > -1e-6 for s in slack)
    push = 0.0  # the force that the left part hands on to the next point: none across a gap, never a pull
    for i, (place, wish, weight) in enumerate(zip(found, wished, weights, strict=True)):
        push += weight * (wish - place)
        if i == len(slack) or slack[i] > 1e-6:
            assert push == pytest.approx(0, abs=1e-5)
            push = 0.0
        else:
            assert push > -1e-5


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=130), st.floats(20, 400), st.booleans())
def test_texts_fit(text: str, room: float, bold: bool) -> None:
    found = fitted(text, room, 12, bold=bold)
    assert width(found, 12, bold=bold) <= room
    assert found == text or "…" in found
    assert found == text or width(text, 12, bold=bold) > room


def test_items_are_set_into_lines() -> None:
    assert lines(("one", "two", "three"), 75, 12) == ["one · two", "three"]
    assert lines((), 60, 12) == []


def test_lines_of_boxes_fit() -> None:
    for make in networks.ALL:
        for box in describe(make()).boxes:
            card = vector.card(box)
            assert all(width(line, 11.5) + 20 <= card.width for line in card.lines[2:])
            assert width(card.lines[1], 14, bold=True) + 20 <= card.width
