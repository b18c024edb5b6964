"""Decimal numbers out of text, an array of them at a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.vocabulary import PADDING, Bytes, Positions

_EXACT_DIGITS = (
    15  # an integer of so many digits and a power of ten up to 22 are exact doubles: one division rounds right
)
_POWERS = np.array([10.0**n for n in range(_EXACT_DIGITS + 1)])

_ALL, _ZEROS, _SIXES, _HIGH, _THREES, _LOW, _PAIRS, _FOURS = (
    np.uint64(int(word * (16 // len(word)), 16)) for word in ("FF", "30", "06", "F0", "33", "0F", "00FF", "0000FFFF")
)


def numbers(text: Bytes, start: Positions, length: Positions) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The value of each piece text[start : start + length] and whether it is a finite decimal number.

    Equal, bit for bit, to Python's `float` (without its underscores, `nan` and `infinity`). `text` ends in `PADDING`
    zero bytes. Up to 16 digits are read a word at a time, a sign and a point column by column, other forms one by one.
    """
    if not len(start):
        return np.empty(0), np.empty(0, bool)
    result, good = _whole(text, start, length)
    if not good.all():
        rest = np.flatnonzero(~good)
        result[rest], good[rest] = _decimal(text, start[rest], length[rest])
    return result, good


def _whole(text: Bytes, start: Positions, length: Positions) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of pieces that are 1 to 16 digits (below 2**53 or rounded once: exact in int64, then converted)."""
    words = np.ndarray((len(text) - PADDING + 1,), np.dtype("<u8"), text, strides=(1,))
    low, good = _eight_digits(words, start + np.maximum(length - 8, 0), np.minimum(length, 8))
    good &= (length > 0) & (length <= 16)
    long = np.flatnonzero(good & (length > 8))
    value = low.astype(np.int64)
    if len(long):
        high, fine = _eight_digits(words, start[long], length[long] - 8)
        value[long] += high.astype(np.int64) * 100_000_000
        good[long] = fine
    return value.astype(np.float64), good


def _eight_digits(
    words: NDArray[np.uint64], at: Positions, length: Positions
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number spelled by up to eight characters at each position, and whether they are digits.

    The characters are shifted to the end of a word that begins with zeros, pairs of digits are joined by one
    multiplication, then pairs of pairs: 12 operations on whole arrays instead of four a character.
    """
    shift = np.uint64(64) - (np.maximum(length, 1) * 8).astype(np.uint64)
    word = (words[at] << shift) | (_ZEROS & ~(_ALL << shift))
    good = ((word & _HIGH) | (((word + _SIXES) & _HIGH) >> np.uint64(4))) == _THREES
    word = (word & _LOW) * np.uint64(2561) >> np.uint64(8)
    word = (word & _PAIRS) * np.uint64(6553601) >> np.uint64(16)
    return (word & _FOURS) * np.uint64(42949672960001) >> np.uint64(32), good


def _decimal(text: Bytes, start: Positions, length: Positions) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of any pieces; digits with a sign and a point are read column by column for all together."""
    first = text[start]
    signed = (first == ord("-")) | (first == ord("+"))
    value, digits = np.zeros(len(start), np.int64), np.zeros(len(start), np.int64)
    point = np.full(len(start), -1, np.int64)  # digits before the decimal point, -1 without one
    plain = (length > 0) & (length <= _EXACT_DIGITS + 2)
    for column in range(int(min(length.max(), _EXACT_DIGITS + 2))):
        character = text[np.minimum(start + column, len(text) - 1)]
        inside = length > column
        digit = character - np.uint8(48)
        is_digit = inside & (digit < 10)
        is_point = inside & (character == ord(".")) & (point < 0)
        plain &= ~inside | is_digit | is_point | (signed if column == 0 else False)
        value = np.where(is_digit, value * 10 + digit, value)
        digits += is_digit
        point = np.where(is_point, digits, point)
    plain &= (digits > 0) & (digits <= _EXACT_DIGITS)
    fraction = np.where((point >= 0) & plain, digits - point, 0)
    result = value / _POWERS[fraction]
    result = np.where(first == ord("-"), -result, result)
    return _with_rare_forms(text, start, length, result, plain)


def _with_rare_forms(
    text: Bytes, start: Positions, length: Positions, result: NDArray[np.float64], plain: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    good = plain.copy()
    for i in np.flatnonzero(~plain).tolist():
        number = parse(text[start[i] : start[i] + length[i]].tobytes())
        if number is not None:
            result[i], good[i] = number, True
    return result, good


def parse(piece: bytes) -> float | None:
    """The finite number that `piece` spells, or None."""
    try:
        number = float(piece) if b"_" not in piece else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
