"""What data hold, in numbers that people look at before they train: data sets, texts and tables of ratings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from nnlang.diagnostics import Diagnostic
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.files import is_hdf5
from nnlang.runtime.interactions import Interactions, Progress, read_interactions
from nnlang.runtime.metrics import Floats, Rows
from nnlang.runtime.suspicions import Suspicion, View, suspicions, users_at_one_time
from nnlang.runtime.times import OWN, Unit, date, look_like_times, unit

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.99, 1.0)
_STEPS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


@dataclass(frozen=True)
class Description:
    """Facts by name; of sparse data how many entries stand in a row and in a column (quantiles, mean, empty ones); of
    data with values their quantiles and mean; what looks wrong. A data set's columns count where an entry stands: the
    width is rounded up to 128."""

    name: str
    facts: dict[str, str | int | float]
    quantiles: tuple[float, ...] = QUANTILES
    spread: dict[str, tuple[int | float, ...]] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    suspicions: tuple[Suspicion, ...] = ()

    def record(self) -> dict[str, object]:
        """The description for machines."""
        return asdict(self) | {"suspicions": [one.record() for one in self.suspicions]}


def describe(data: DataSet) -> Description:
    """The description of a data set; one pass over its entries."""
    facts = data.facts
    shape = " x ".join(str(n) for n in (facts.width, facts.height, facts.length)[: facts.dimensions])
    form = ("sparse" if facts.sparse else "dense") + (" boolean" if facts.boolean else " analog")
    marks = [word for word, is_set in (("weighted", facts.weighted), ("indexed", data.row is not None)) if is_set]
    named: dict[str, str | int | float] = {
        "form": ", ".join([form, *marks]),
        "examples": facts.examples,
        "distinct rows": facts.unique,
        "units": facts.width if facts.dimensions == 1 else shape,
    }
    if data.index is None or data.start is None or data.end is None:
        values = () if facts.boolean or data.dense is None else _numbers(data.dense)
        return Description(data.name, {**named, "sha256": data.sha256}, values=values)
    rows = data.end - data.start
    columns = np.bincount(data.index, minlength=facts.units)
    used = int(np.count_nonzero(columns))
    merged = sum(int(str(d.facts["count"])) for d in data.notices)
    numbers = None if data.values is None else data.values.astype(np.float64)
    view = View(Rows(np.append(data.start, data.end[-1:]), data.index.astype(np.int64)), numbers=numbers)
    return Description(
        data.name,
        {**named, "columns used": used, "entries": facts.entries, "density": facts.density,
         "duplicates merged": merged, "sha256": data.sha256},
        spread={"row": _counts(rows, 0), "column in use": _counts(columns[columns > 0], facts.units - used)},
        values=() if data.values is None else _numbers(data.values),
        suspicions=tuple(suspicions(view)),
    )  # fmt: skip


def is_data_set(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as NetCDF files do, of the version that we read or an older one."""
    if is_hdf5(path):
        return True
    with suppress(OSError), open(path, "rb") as stream:
        return stream.read(3) == b"CDF"
    return False


def describe_ratings(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] = (),
    delimiter: str = "",
    second: str | None = None,
    progress: Progress = lambda done, total, lines: None,
) -> tuple[Description, tuple[Diagnostic, ...]]:
    """The description of a text or a table of ratings (interactions.read_interactions), and what reading it found.

    Without `second` the number after an item (or in a third column) is taken for a time where nine of ten look like
    one, else for a value. Raises `Stop` for what cannot be read.
    """
    reading = second or ("time" if len(columns) in (0, 3) else "value" if len(columns) == 4 else "none")
    data = read_interactions(path, columns=columns, delimiter=delimiter, second=reading, progress=progress)
    numbers = None if data.rows.values is None else data.rows.values.astype(np.float64)
    times = data.times
    guessed = second is None and reading == "time"
    if guessed and times is not None and not look_like_times(times):
        numbers, times = (None if np.isnan(times).all() else times), None
    found = _described(os.fspath(path), data, numbers, times, bool(columns))
    if guessed and times is not None:
        example = f"{times[0]:.15g} ({date(float(times[0]), unit(times))})"
        told = Suspicion("values_like_times", len(times), example, (("unit", unit(times).name),))
        found = replace(found, suspicions=(told, *found.suspicions))
    return found, data.notices


def _described(
    path: str, data: Interactions, numbers: Floats | None, times: Floats | None, is_table: bool
) -> Description:
    rows, tally = data.rows, data.tally
    per_item = np.bincount(rows.index, minlength=len(data.items))
    users, items = int(np.count_nonzero(rows.lengths)), int(np.count_nonzero(per_item))
    facts: dict[str, str | int | float] = {
        "users": users,
        "items": items,
        "entries": len(rows.index),
        "density": len(rows.index) / max(1, users * items),
        "lines": tally.lines + tally.skipped,
        "lines skipped": tally.skipped,
        "lines replaced by a later one of the user": tally.replaced,
        f"duplicates {'between' if is_table else 'within'} lines": tally.repeated,
        "numbers": "times" if times is not None else "none" if numbers is None else "values",
    }
    for given in (numbers, times):
        if given is not None and np.isnan(given).any():
            facts["entries without a number"] = int(np.count_nonzero(np.isnan(given)))
    if times is not None:
        facts |= _time_facts(rows, times)
    view = View(rows, data.users, data.items, numbers, times)
    return Description(
        path,
        {**facts, **{f"sha256 of {source.name}": source.sha256 for source in data.sources[:1]}},
        spread={
            "user": _counts(rows.lengths[rows.lengths > 0], rows.count - users),
            "item": _counts(per_item[per_item > 0], len(data.items) - items),
        },
        values=() if numbers is None else _numbers(numbers[~np.isnan(numbers)]),
        suspicions=tuple(suspicions(view)),
    )


def _time_facts(rows: Rows, times: Floats) -> dict[str, str | int | float]:
    """The range of times, how fine they are, how many users have no order in time."""
    known = times[~np.isnan(times)]
    if not len(known):
        return {}
    found = unit(known)
    several = rows.lengths > 1
    return {
        "unit of times": found.name,
        "first": date(float(known.min()), found),
        "last": date(float(known.max()), found),
        "days": round((float(known.max()) - float(known.min())) / found.per_day, 3),
        "resolution": _resolution(known, found),
        "users at one time": int(np.count_nonzero(users_at_one_time(rows, times) & several)),
    }


def _resolution(times: Floats, found: Unit) -> str:
    """The largest step that all times are made of, in words."""
    if (times != np.floor(times)).any() or np.abs(times).max() >= 2.0**53:
        return "fractions"
    step = int(np.gcd.reduce((times - times.min()).astype(np.int64)))
    if not step:
        return "one time only"
    per_second = found.per_day / 86_400
    for size, name in _STEPS if found is not OWN else ():
        if step % (size * per_second) == 0:
            return name
    return f"{step} {found.name}" if step > 1 else found.name


def _counts(counts: ArrayLike, unseen: int) -> tuple[int | float, ...]:
    array = np.asarray(counts)
    if not array.size:
        return (*(0 for _ in QUANTILES), 0.0, unseen)
    points = (int(q) for q in np.quantile(array, QUANTILES, method="nearest"))
    return (*points, float(array.mean()), unseen + int(np.count_nonzero(array == 0)))


def _numbers(values: ArrayLike) -> tuple[float, ...]:
    array = np.asarray(values, np.float64).ravel()
    if not array.size:
        return ()
    return (*(float(q) for q in np.quantile(array, QUANTILES, method="nearest")), float(array.mean()))
