"""SVG without help of others: boxes with a title and lines, arrows with labels, light and dark, readable aloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape as _xml

from nnlang.drawing import palette
from nnlang.drawing.column import column
from nnlang.drawing.layout import Layout, Route, layered, number
from nnlang.drawing.picture import Box, Edge, Picture
from nnlang.drawing.web import Link, passing
from nnlang.drawing.widths import fitted, lines, width

LAYERS, POINTS = 300, 4_000  # above these a drawing is one column
_NARROW, _SLIM = 1_500.0, 1.6  # a drawing wider than this, and so much wider than high, is turned
_NAME, _TEXT, _LABEL, _TITLE = 14.0, 11.5, 11.0, 20.0  # sizes of type
_STEP, _PAD, _ROOM, _LEAST = 16.0, 12.0, 310.0, 132.0
_MARGIN, _HEAD, _FOOT = 28.0, 66.0, 30.0
_SKIP = "dashed: units that are added before the activation (Skip)"
_COLUMN = "a large network: one column in propagation order; hold the pointer on an edge for its matrix"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

# What is drawn: property, its colours by day and by night.
_PAINT = {
    "paper": ("fill", palette.PAPER),
    "ink": ("fill", palette.INK),
    "soft": ("fill", palette.SOFT),
    "line": ("stroke", palette.LINE),
    "tip": ("fill", palette.LINE),
    "skip": ("stroke", palette.SKIP),
    "hop": ("fill", palette.SKIP),
    "same": ("fill", palette.SHARED),
}


@dataclass(frozen=True)
class Card:
    """A box as it is set: its lines, and its size in pixels."""

    lines: tuple[str, ...]
    width: float
    height: float


def svg(picture: Picture) -> str:
    """The drawing as one SVG element. Up to 300 layers it is laid out in rows; above, in one column."""
    cards = [card(box) for box in picture.boxes]
    texts = [_label(edge) for edge in picture.edges]
    links = [Link(e.source, e.target, _label_size(text), e.skip) for e, text in zip(picture.edges, texts, strict=True)]
    large = len(cards) > LAYERS or passing(len(cards), links) > POINTS
    layout = _laid_out(cards, links, large)
    notes = [note for note, there in ((_SKIP, any(e.skip for e in picture.edges)), (_COLUMN, large)) if there]
    return "".join(_element(picture, cards, texts, layout, notes))


def _laid_out(cards: list[Card], links: list[Link], large: bool) -> Layout:
    sizes = [(card.width, card.height) for card in cards]
    if large:
        return column(sizes, links)
    down = layered(sizes, links, "down")
    if down.width <= max(_NARROW, _SLIM * down.height):
        return down
    right = layered(sizes, links, "right")
    return right if right.width < down.width else down


def card(box: Box) -> Card:
    """A box set into lines: kind, name, size and activation, options, data, parameters; as wide as the widest."""
    data = (f"data {box.data[0]}", *box.data[1:]) if box.data else ()
    groups = ((box.units, *filter(None, (box.activation,))), box.options, data)
    found = [line for group in groups for line in lines(group, _ROOM, _TEXT)]
    found += [box.learned] * box.weighted
    name = fitted(box.name, _ROOM, _NAME, bold=True)
    kind = fitted(box.kind, _ROOM, _LABEL)
    wide = max([width(kind, _LABEL), width(name, _NAME, bold=True), *(width(line, _TEXT) for line in found)])
    return Card((kind, name, *found), round(max(_LEAST, wide + 2 * _PAD)), 52 + _STEP * len(found))


def _label(edge: Edge) -> tuple[str, ...]:
    return tuple(fitted(line, _ROOM, _LABEL) for line in (edge.label, edge.shared) if line)


def _label_size(text: tuple[str, ...]) -> tuple[float, float]:
    if not text:
        return 0.0, 0.0
    return round(max(width(line, _LABEL) for line in text) + 8), 15.0 * len(text) + 2


def _element(
    picture: Picture, cards: list[Card], texts: list[tuple[str, ...]], layout: Layout, notes: list[str]
) -> Iterator[str]:
    title, facts = fitted(picture.title, 900, _TITLE, bold=True), " · ".join(picture.facts)
    head = max([width(title, _TITLE, bold=True), width(facts, _TEXT + 1), *(width(n, _LABEL) + 8 for n in notes)])
    wide = max(layout.width, head) + 2 * _MARGIN
    high = _HEAD + layout.height + 2 * _MARGIN + _FOOT * bool(notes) + 16 * max(0, len(notes) - 1)
    left, top = (wide - layout.width) / 2, _HEAD + _MARGIN
    w, h = number(wide), number(high)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" class="nnlang" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
    yield 'role="img" aria-labelledby="nnlang-title nnlang-desc">\n'
    yield f'<title id="nnlang-title">{escape(picture.title)}</title>\n'
    yield f'<desc id="nnlang-desc">{escape(picture.description)}</desc>\n'
    yield f"<style>{STYLE}</style>\n"
    yield f'<rect class="paper" width="{w}" height="{h}"/>\n'
    yield f'<text class="ink title" x="{number(_MARGIN)}" y="44">{escape(title)}</text>\n'
    yield f'<text class="soft facts" x="{number(_MARGIN)}" y="66">{escape(facts)}</text>\n'
    yield f'<g transform="translate({number(left)} {number(top)})">\n'
    for edge, route in zip(picture.edges, layout.routes, strict=True):
        yield _arrow(edge, route, picture)
    for edge, text, route in zip(picture.edges, texts, layout.routes, strict=True):
        if route.label is not None:
            yield _words(edge, text, *route.label)
    for box, card, middle in zip(picture.boxes, cards, layout.boxes, strict=True):
        yield _boxed(box, card, *middle)
    yield "</g>\n"
    for i, note in enumerate(notes):
        yield f'<text class="soft label" x="{number(_MARGIN)}" y="{number(high - 20 - 16 * (len(notes) - 1 - i))}">'
        yield f"{escape(note)}</text>\n"
    yield "</svg>\n"


def _arrow(edge: Edge, route: Route, picture: Picture) -> str:
    names = f"{picture.boxes[edge.source].name} → {picture.boxes[edge.target].name}"
    words = ", ".join(part for part in (names, edge.label, edge.shared, "skip" * edge.skip) if part)
    line, tip = ("skip", "hop") if edge.skip else ("line", "tip")
    x, y = route.tip
    a, b = _TIPS[route.way]
    head = f"M{number(x)},{number(y)}l{a}l{b}z"
    return (
        f'<g><title>{escape(words)}</title><path class="{line}" d="{route.path}"/>'
        f'<path class="{tip}" d="{head}"/></g>\n'
    )


_TIPS = {"down": ("-3.6,-8", "7.2,0"), "right": ("-8,-3.6", "0,7.2"), "left": ("8,-3.6", "0,7.2")}


def _words(edge: Edge, text: tuple[str, ...], x: float, y: float) -> str:
    wide, high = _label_size(text)
    parts = [
        f'<rect class="paper" x="{number(x - wide / 2)}" y="{number(y - high / 2)}" '
        f'width="{number(wide)}" height="{number(high)}"/>'
    ]
    for i, line in enumerate(text):
        colour = "same" if line.startswith("shared") and edge.shared else "soft"
        at = y + 4 + 15 * (i - (len(text) - 1) / 2)
        parts.append(f'<text class="{colour} label mid" x="{number(x)}" y="{number(at)}">{escape(line)}</text>')
    return "".join(parts) + "\n"


def _boxed(box: Box, card: Card, x: float, y: float) -> str:
    left, top = x - card.width / 2, y - card.height / 2
    size = f'width="{number(card.width)}" height="{number(card.height)}" rx="7"'
    parts = [
        f'<g><title>{escape(box.name)}</title><rect class="{box.role}" x="{number(left)}" y="{number(top)}" {size}/>',
        f'<text class="of-{box.role} label mid" x="{number(x)}" y="{number(top + 20)}">{escape(card.lines[0])}</text>',
        f'<text class="ink name mid" x="{number(x)}" y="{number(top + 38)}">{escape(card.lines[1])}</text>',
    ]
    for i, line in enumerate(card.lines[2:], 1):
        at = number(top + 40 + _STEP * i)
        parts.append(f'<text class="soft text mid" x="{number(x)}" y="{at}">{escape(line)}</text>')
    return "".join(parts) + "</g>\n"


def escape(text: str) -> str:
    """A text as it may stand between tags and in quoted attributes, of SVG and HTML alike."""
    return _xml(text, {'"': "&quot;", "'": "&#39;"})


def _style() -> str:
    day: list[str] = []
    night: list[str] = []
    for name, (what, colours) in _PAINT.items():
        for rules, colour in zip((day, night), colours, strict=True):
            rules.append(f".nnlang .{name}{{{what}:{colour}}}")
    for role, (line, fill, night_line, night_fill) in palette.ROLES.items():
        for rules, a, b in ((day, line, fill), (night, night_line, night_fill)):
            rules.append(f".nnlang .{role}{{stroke:{a};fill:{b}}}.nnlang .of-{role}{{fill:{a}}}")
    shapes = (
        f".nnlang text{{font-family:{_FONT};unicode-bidi:isolate}}",
        ".nnlang .mid{text-anchor:middle}",
        f".nnlang .title{{font-size:{_TITLE:g}px;font-weight:600}}",
        f".nnlang .name{{font-size:{_NAME:g}px;font-weight:600}}",
        f".nnlang .facts{{font-size:{_TEXT + 1:g}px}}",
        f".nnlang .text{{font-size:{_TEXT:g}px}}",
        f".nnlang .label{{font-size:{_LABEL:g}px}}",
        ".nnlang path{fill:none}",
        ".nnlang .line{stroke-width:1.4}",
        ".nnlang .skip{stroke-width:1.4;stroke-dasharray:5 4}",
        ".nnlang g rect{stroke-width:1.4}",
        ".nnlang g rect.paper{stroke:none}",
    )
    return "\n".join(("", *shapes, *day, "@media (prefers-color-scheme:dark){", *night, "}", ""))


STYLE = _style()
