"""The tuning table: how large the tiles of each kind of kernel are. An explicit input; it never changes a bit.

What would change bits is no tile: steps of a contraction (BK), leaves, pieces and grains follow from the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

BK = 32  # of a contraction in one step: four tf32 instructions; sums run through it in order


@dataclass(frozen=True)
class Tile:
    """Rows and columns of what one program computes, its warps and the stages of its software pipeline."""

    BM: int
    BN: int
    warps: int = 4
    stages: int = 3

    def over(self, columns: int) -> Tile:
        """As many elements, but no more columns than there are: what is narrow takes more rows instead."""
        least = 1 << max(4, (columns - 1).bit_length())
        return self if least >= self.BN else replace(self, BM=self.BM * (self.BN // least), BN=least)


Tiles = Mapping[str, Tile]

# Chosen by the registers and spills that the compiler reports; a measured table comes from `nnlang tune`.
DEFAULTS: Tiles = {
    "linear": Tile(64, 64, 8, 3),
    "linear_update": Tile(64, 64, 8, 3),
    "walk_logits": Tile(128, 64, 8, 3),
    "walk_back": Tile(128, 128, 8, 3),
    "walk_update": Tile(128, 64, 8, 3),
    "pieces": Tile(4, 128, 4, 1),
    "rows": Tile(2, 128, 4, 1),
    "units": Tile(8, 256, 4, 1),
    "elements": Tile(8, 256, 4, 1),
}

LARGEST = 1 << 16  # elements of a tile: beyond them compilers take minutes, and registers are long full
PRODUCTS = ("linear", "linear_update", "walk_logits", "walk_back", "walk_update")
SMALLEST = {"BM": 64, "BN": 64, "warps": 4}  # of a product: the matrix instructions of every tile are then the same


class MalformedError(ValueError):
    """A tuning table that is none; the text says what is wrong with it."""


def read(text: str) -> Tiles:
    """The table of a JSON text over the defaults; raises MalformedError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise MalformedError(f"it is no JSON ({error})") from error
    if not isinstance(given, dict):
        raise MalformedError("it is no object of tiles by kind")
    return {**DEFAULTS, **{kind: _tile(kind, row) for kind, row in given.items()}}


def _tile(kind: str, row: object) -> Tile:
    if kind not in DEFAULTS:
        raise MalformedError(f"`{kind}` is no kind of kernel: {', '.join(DEFAULTS)}")
    names = set(Tile.__dataclass_fields__)
    if not isinstance(row, dict) or set(row) - names:
        raise MalformedError(f"a tile has {', '.join(sorted(names))}, `{kind}` has something else")
    for name, value in row.items():
        most = 8 if name == "stages" or (name == "warps" and kind in PRODUCTS) else 32 if name == "warps" else 1024
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise MalformedError(f"`{name}` of `{kind}` is an integer from 1 to {most}")
        if name != "stages" and value & (value - 1):
            raise MalformedError(f"`{name}` of `{kind}` is a power of two")
        if kind in PRODUCTS and value < SMALLEST.get(name, 1):
            raise MalformedError(f"`{name}` of `{kind}` is at least {SMALLEST[name]}")
    tile = Tile(**{**asdict(DEFAULTS[kind]), **row})
    if tile.BM * tile.BN > LARGEST:
        raise MalformedError(f"`{kind}` is {tile.BM} x {tile.BN}, no program holds more than {LARGEST} elements")
    return tile


def text(tiles: Tiles) -> str:
    """The table as JSON, a line a kind."""
    rows = (f"  {json.dumps(kind)}: {json.dumps(asdict(tile))}" for kind, tile in tiles.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"
