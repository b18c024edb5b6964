"""What looks wrong in data though it can be read: each kind is a row with its words and its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import data as codes
from nnlang.diagnostics import Diagnostic, Place
from nnlang.runtime.cuts import Flags
from nnlang.runtime.metrics import Floats, Rows
from nnlang.runtime.times import OWN, Unit, look_like_times, unit

_MOST_ROWS = 0.8  # of the users have an item that stands out
_FEW = 10  # users: with fewer nothing is said of shares
_ODD_ENDS = re.compile("^[\\s\ufeff\"'`]|[\\s\ufeff\"'`]$")
_LIKE_FLOAT = re.compile(r"[0-9]+\.0+")
_HEADS = re.compile(
    r"(user|customer|member|visitor|client|account|session|reviewer|sample|row)s?([ _-]?(id|name|key|index|no|nr))?",
    re.IGNORECASE,
)
_NUMERIC = 0.95  # of the other users are named by numbers where the first name is taken for a column's head


@dataclass(frozen=True)
class Kind:
    """One row: what is odd, and what to do about it."""

    words: str
    remedy: str


KINDS = {
    "header_as_data": Kind(
        "lines that look like the names of columns, read as data",
        "take the line out, or read the text as a table with `--columns`",
    ),
    "odd_ends": Kind(
        "names that begin or end with a space, a quote or a byte order mark",
        "strip them: `a` and ` a` are two names",
    ),
    "numbers_as_floats": Kind(
        "names that are whole numbers written as floats",
        "write them as integers, so that they match other files: `12` and `12.0` are two names",
    ),
    "values_like_times": Kind(
        "values that look like times ({unit} since 1970)",
        "`--second time` reads them as times where a split needs them; as values they make no sense",
    ),
    "negative_values": Kind(
        "negative values",
        "check what they mean; indicator data take them for presence, `--min-value 0` leaves them out",
    ),
    "constant_values": Kind(
        "values that are all the same", "they say nothing: leave them out (`-t indicator`), presence is what counts"
    ),
    "times_of_zero": Kind(
        "times that are 0, which is the year 1970", "find the times of these entries, or leave the entries out"
    ),
    "other_time_units": Kind(
        "times of another size than the others ({unit})",
        "bring all times to one unit: seconds and milliseconds do not mix",
    ),
    "times_all_equal": Kind(
        "users all of whose entries have one time (of those with two or more)",
        "what came last is not known of them: split by holdout, or by windows of time, rather than by last",
    ),
    "dominant_items": Kind(
        "items that most users have ({share} or more)",
        "such an item says little of a user: leave it out unless that is meant",
    ),
    "users_with_one_item": Kind(
        "users with a single item",
        "nothing can be held out of them; protocol strong leaves users with few items out (`--min-items`)",
    ),
    "items_of_one_user": Kind(
        "items that a single user has",
        "nothing can be learnt of them; leaving out rare items makes the network smaller",
    ),
}


@dataclass(frozen=True)
class Suspicion:
    """One finding: its kind (a key of KINDS), how often, an example, and facts for the words."""

    kind: str
    count: int
    example: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """What is odd, without count and example."""
        return KINDS[self.kind].words.format(**dict(self.facts))

    def diagnostic(self, path: str) -> Diagnostic:
        """The finding for people (NN499)."""
        example = f", such as {self.example}" if self.example else ""
        facts = {"what": self.words, "count": f"{self.count:,}", "example": example}
        return Diagnostic(codes.SUSPICIOUS, Place(path), facts, KINDS[self.kind].remedy)

    def record(self) -> dict[str, object]:
        """The finding for machines."""
        return {
            "kind": self.kind, "what": self.words, "count": self.count, "example": self.example,
            "remedy": KINDS[self.kind].remedy,
        }  # fmt: skip


@dataclass(frozen=True)
class View:
    """What is looked at: rows of users with their items; names are empty where only numbers are known.

    `numbers` are values of entries, `times` their times, each None where there are none.
    """

    rows: Rows
    users: Sequence[str] = ()
    items: Sequence[str] = ()
    numbers: Floats | None = None
    times: Floats | None = None

    def user(self, number: int) -> str:
        """A user, as people name it."""
        return f"user `{self.users[number]}`" if len(self.users) else f"row {number}"

    def item(self, number: int) -> str:
        """An item, as people name it."""
        return f"item `{self.items[number]}`" if len(self.items) else f"column {number}"

    def entry(self, place: int) -> str:
        """An entry, as people name it."""
        row = int(np.searchsorted(self.rows.start, place, "right")) - 1
        return f"{self.item(int(self.rows.index[place]))} of {self.user(row)}"


def suspicions(view: View) -> list[Suspicion]:
    """What looks wrong, in the order of KINDS."""
    found = [one for look in _LOOKS for one in look(view)]
    order = list(KINDS)
    return sorted(found, key=lambda one: order.index(one.kind))


def _names(view: View) -> Iterator[Suspicion]:
    """Names that are odd, of users and of items."""
    if len(view.users) and (head := _head(view.users)):
        yield Suspicion("header_as_data", 1, f"user `{head}`")
    for kind, form in (("odd_ends", _ODD_ENDS.search), ("numbers_as_floats", _LIKE_FLOAT.fullmatch)):
        odd = [f"user `{name}`" for name in view.users if form(name)]
        odd += [f"item `{name}`" for name in view.items if form(name)]
        if odd:
            yield Suspicion(kind, len(odd), odd[0])


def _head(users: Sequence[str]) -> str:
    """The first user's name where it looks like that of a column."""
    first, others = users[0], users[1:]
    if _HEADS.fullmatch(first.strip(" \"'\ufeff")):
        return first
    numeric = sum(1 for name in others if name.isdecimal())
    is_odd = len(others) >= _FEW and numeric >= _NUMERIC * len(others) and not any(c.isdigit() for c in first)
    return first if is_odd else ""


def _values(view: View) -> Iterator[Suspicion]:
    numbers = view.numbers
    if numbers is None or not len(numbers):
        return
    known = numbers[~np.isnan(numbers)]
    if look_like_times(numbers):
        example = f"{numbers[0]:.15g} ({view.entry(0)})"
        yield Suspicion("values_like_times", len(known), example, (("unit", unit(known).name),))
    yield from _entries(view, "negative_values", numbers < 0, numbers)
    if len(known) > 1 and (known == known[0]).all():
        yield Suspicion("constant_values", len(known), f"{known[0]:.15g}")


def _times(view: View) -> Iterator[Suspicion]:
    times = view.times
    if times is None:
        return
    found = unit(times)
    if found is not OWN:
        zero = times == 0
        yield from _entries(view, "times_of_zero", zero, None)
        odd = ~zero & ~np.isnan(times) & _of_another_size(times, found)
        yield from _entries(view, "other_time_units", odd, times, (("unit", found.name),))
    several = view.rows.lengths > 1
    equal = users_at_one_time(view.rows, times) & several
    if np.count_nonzero(equal) * 2 > np.count_nonzero(several):
        example = view.user(int(np.argmax(equal)))
        yield Suspicion("times_all_equal", int(np.count_nonzero(equal)), example)


def _of_another_size(times: Floats, found: Unit) -> Flags:
    return (times < found.least / 10) | (times >= 100 * found.least)


def users_at_one_time(rows: Rows, times: Floats) -> Flags:
    """Of each user whether all entries have one time, bool [users]; an entry without a time equals none."""
    changes = np.concatenate(([0], np.cumsum(times[1:] != times[:-1]), [0]))
    filled = np.flatnonzero(rows.lengths)
    same = np.zeros(rows.count, bool)
    same[filled] = changes[rows.start[filled + 1] - 1] == changes[rows.start[filled]]
    return same


def _counts(view: View) -> Iterator[Suspicion]:
    """Users with little, items that too many or too few have."""
    users = np.count_nonzero(view.rows.lengths)
    per_item = np.bincount(view.rows.index)
    most = per_item >= max(1, _MOST_ROWS * users)
    if users >= _FEW and most.any():
        item = int(np.argmax(per_item))
        example = f"{view.item(item)} ({per_item[item]:,} of {users:,} users)"
        count = int(np.count_nonzero(most))
        yield Suspicion("dominant_items", count, example, (("share", f"{_MOST_ROWS:.0%}"),))
    for kind, flags, name in (
        ("users_with_one_item", view.rows.lengths == 1, view.user),
        ("items_of_one_user", per_item == 1, view.item),
    ):
        if flags.any():
            yield Suspicion(kind, int(np.count_nonzero(flags)), name(int(np.argmax(flags))))


def _entries(
    view: View,
    kind: str,
    odd: Flags,
    numbers: NDArray[np.float64] | None,
    facts: tuple[tuple[str, str], ...] = (),
) -> Iterator[Suspicion]:
    """The finding on entries, if there are any; the first is the example, with its number."""
    if odd.any():
        first = int(np.argmax(odd))
        number = f"{numbers[first]:.15g} " if numbers is not None else ""
        example = f"{number}({view.entry(first)})" if number else view.entry(first)
        yield Suspicion(kind, int(np.count_nonzero(odd)), example, facts)


_LOOKS: tuple[Callable[[View], Iterator[Suspicion]], ...] = (_names, _values, _times, _counts)
