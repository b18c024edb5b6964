"""Times as they stand in data: numbers whose size tells their unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

_YEAR_9999 = 253_402_300_799  # seconds


@dataclass(frozen=True)
class Unit:
    """One unit: its name, how many are in a day, and the size from which numbers are taken for it."""

    name: str
    per_day: float
    least: float


# Unix times from 1973 on; the borders are three digits apart, as the units are.
UNITS = (
    Unit("nanoseconds", 86_400e9, 1e17),
    Unit("microseconds", 86_400e6, 1e14),
    Unit("milliseconds", 86_400e3, 1e11),
    Unit("seconds", 86_400.0, 1e8),
)
OWN = Unit("units of their own", 1.0, 0.0)  # day 1, day 2, ...: a window of 7 is one of 7 such units


def named(name: str) -> Unit:
    """The unit of that name, their own for any other."""
    return next((row for row in UNITS if row.name == name), OWN)


def unit(times: NDArray[np.float64]) -> Unit:
    """The unit of times, by the size of their median; NaN is left aside."""
    known = times[~np.isnan(times)]
    middle = abs(float(np.median(known))) if len(known) else 0.0
    return next((row for row in UNITS if middle >= row.least), OWN)


def look_like_times(numbers: NDArray[np.float64]) -> bool:
    """Whether nine of ten numbers are whole and as large as Unix times from 1973 to 5138, in one unit."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return False
    found = unit(known)
    if found is OWN:
        return False
    fits = (known >= found.least) & (known < 1000 * found.least) & (known == np.floor(known))
    return bool(np.count_nonzero(fits) >= 0.9 * len(known))


def date(time: float, found: Unit) -> str:
    """The day and time of a number in that unit, in UTC; the number itself where it is no Unix time."""
    seconds = time / found.per_day * 86_400
    if found is OWN or not 0 <= seconds <= _YEAR_9999:
        return f"{time:.15g}"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
