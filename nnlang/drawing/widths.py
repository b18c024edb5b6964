"""How wide texts are in a sans-serif font, in pixels: a little more than most fonts need, so that nothing overflows."""

from __future__ import annotations

import unicodedata
from functools import cache

# Hundredths of the font's size: what is wider of DejaVu Sans and Liberation Sans (which has Arial's and Helvetica's
# widths), regular or bold less _BOLD. Roboto, Segoe UI and San Francisco are narrower.
_GROUPS = {
    32: " 'ijl",
    36: ",./:;I\\|·",
    42: "!()-[]ft",
    51: '"*J`r',
    60: "?L_cksvxyz",
    64: "0123456789$FTabdeghnopqu{}",
    70: "ABEKPSVXYZ",
    76: "CHNRU",
    80: "DGOQ&",
    88: "M#+<=>^w~×−",
    104: "%Wm→…@ÆæŒœ©®¼½¾",
}
_WIDTHS = {character: width for width, group in _GROUPS.items() for character in group}
_BOLD = 1.14
ELLIPSIS = "…"


@cache
def _hundredths(character: str) -> int:
    """The width of one character in hundredths of the font's size: sums of them are exact everywhere."""
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 100 if ord(character) < 0x10000 else 140  # emoji are wider than ideographs
    if ord(character) < 0x180:
        return 80  # Latin letters with accents
    return 125 if unicodedata.category(character) == "Lu" else 100 if ord(character) < 0x500 else 120


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a text in a font of some size, both in pixels."""
    return sum(map(_hundredths, text)) / 100 * size * (_BOLD if bold else 1.0)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning and end as has room, with an ellipsis between."""
    if width(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:  # the most characters that have room
        count = (low + high + 1) // 2
        if width(_shortened(text, count), size, bold=bold) <= room:
            low = count
        else:
            high = count - 1
    return _shortened(text, low)


def _shortened(text: str, count: int) -> str:
    tail = count // 3
    return text[: count - tail] + ELLIPSIS + (text[-tail:] if tail else "")


def lines(items: tuple[str, ...], room: float, size: float, between: str = " · ") -> list[str]:
    """Items set one after the other into lines of some width; one that is wider than a line is shortened."""
    found: list[str] = []
    for item in items:
        shown = fitted(item, room, size)
        if found and width(found[-1] + between + shown, size) <= room:
            found[-1] += between + shown
        else:
            found.append(shown)
    return found
