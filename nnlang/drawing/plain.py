"""A network as aligned plain text, a line a layer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence, Set

from nnlang.drawing.picture import Box, Picture

_NAME, _LIST = 40, 4  # columns of a name, names of a list
_HEADS = ("layer", "kind", "shape", "activation", "sources", "options", "data", "parameters")
_RIGHT = {"shape", "parameters"}


def text(picture: Picture) -> str:
    """Title, totals and a table; columns that would be empty are left out, names that are long are shortened."""
    shared: dict[int, set[str]] = {}
    for edge in picture.edges:
        if edge.shared:
            shared.setdefault(edge.target, set()).add(picture.boxes[edge.source].name)
    rows = [_row(box, shared.get(number, set())) for number, box in enumerate(picture.boxes)]
    kept = [i for i in range(len(_HEADS)) if any(row[i] for row in rows)]
    table = [[row[i] for i in kept] for row in (_HEADS, *rows)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    right = [_HEADS[i] in _RIGHT for i in kept]
    lines = [picture.title, ", ".join(picture.facts), ""]
    for cells in table:
        padded = (_padded(cell, w, r) for cell, w, r in zip(cells, widths, right, strict=True))
        lines.append(("  " + "  ".join(padded)).rstrip())
    return "\n".join(lines) + "\n"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _row(box: Box, shared: Set[str]) -> tuple[str, ...]:
    sources = [_short(name) + " (shared)" * (name in shared) for name in box.sources]
    skips = [f"+ {_short(name)}" for name in box.skips]
    return (
        _short(box.name),
        _plain(box.kind),
        _plain(box.shape),
        box.activation,
        _listed([*sources, *skips]),
        ", ".join(box.options),
        ", ".join((_short(box.data[0]), *box.data[1:])) if box.data else "",
        box.number,
    )


def _plain(words: str) -> str:
    """Words of ours in ASCII, which every terminal has."""
    return words.replace("×", "x")


def _short(name: str) -> str:
    if columns(name) <= _NAME:
        return name
    head, tail = name, name[-8:]
    while columns(head) + 3 + columns(tail) > _NAME:
        head = head[:-1]
    return f"{head}...{tail}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LIST
    return ", ".join((*names[:_LIST], f"{more:,} more")) if more > 0 else ", ".join(names)


def _padded(cell: str, width: int, right: bool) -> str:
    space = " " * (width - columns(cell))
    return space + cell if right else cell + space
