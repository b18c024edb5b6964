"""How a table of users and items is cut for learning and judging: the five protocols on plain arrays.

A cut says of every entry which parts it belongs to. All random choices follow the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.metrics import Floats, Ints, Rows, holdout
from nnlang.runtime.sorting import row_ranks

Flags = NDArray[np.bool_]

_VALIDATION, _USERS, _TIES, _FOLDS = range(1, 5)  # what a seed is used for besides holding out test entries


@dataclass(frozen=True)
class Cut:
    """Which entries are learnt from, which are known and which are held out: bool [entries] each.

    `left_out` counts what belongs to no part, `facts` says what else is worth knowing, both by name.
    """

    train: Flags
    test_known: Flags
    test_held: Flags
    validation_known: Flags | None = None
    validation_held: Flags | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    facts: dict[str, float | str] = field(default_factory=dict)


def by_share(rows: Rows, fraction: float, validation: float, seed: int) -> Cut:
    """A share of each user's entries is held out (metrics.holdout), then a share of what is kept for validation."""
    kept, held = holdout(_places(rows), fraction, seed)
    return _kept_and_held(len(rows.index), kept, held.index, validation, seed)


def by_user(
    rows: Rows, fraction: float, validation: float, seed: int, users: float, least: int, fold: tuple[int, int] | None
) -> Cut:
    """Whole users are held out: strong generalisation (Liang et al. 2018, arXiv 1802.05814, section 4.1).

    Of the users with `least` items, `users` are drawn for the test (below 1 a share, else so many), or those of one
    `fold` (number, folds), then `validation` of the others. Entries of items that no training user has are dropped.
    """
    few = rows.lengths < least
    drawn = np.random.default_rng((seed, _USERS)).permutation(np.flatnonzero(~few))
    tests = drawn[: _size(users, len(drawn))] if fold is None else drawn[fold[0] :: fold[1]]
    others = drawn[len(tests) :] if fold is None else np.delete(drawn, slice(fold[0], None, fold[1]))
    checks = others[: _size(validation, len(drawn))]
    learns = np.zeros(rows.count, bool)
    learns[others[len(checks) :]] = True
    train = np.repeat(learns, rows.lengths)
    items = np.zeros(int(rows.index.max(initial=-1)) + 1, bool)
    items[rows.index[train]] = True
    left_out = {"users_with_few_items": int(np.count_nonzero(few)), "their_entries": int(rows.lengths[few].sum())}
    known, held = _folded_in(rows, np.sort(tests), items, fraction, seed, left_out)
    if not validation:
        return Cut(train, known, held, left_out=left_out)
    return Cut(
        train, known, held,
        *_folded_in(rows, np.sort(checks), items, fraction, _derived(seed, _VALIDATION), left_out),
        left_out=left_out,
    )  # fmt: skip


def last(rows: Rows, times: Floats, validation: int, seed: int) -> Cut:
    """Each user's latest entry is held out, and the `validation` before it; every user keeps one to learn from.

    Of entries at the same time the seed chooses.
    """
    size = len(rows.index)
    keys = np.random.default_rng((seed, _TIES)).random(size)
    lengths = rows.lengths
    left = np.repeat(lengths, lengths) - 1 - row_ranks(rows.start, keys, times)  # entries of the user that come later
    held = (left == 0) & np.repeat(lengths >= 2, lengths)
    middle = (left >= 1) & (left <= validation) & (left <= np.repeat(lengths, lengths) - 2)
    train = ~held & ~middle
    latest = np.full(rows.count, np.nan)
    latest[rows.owners[held]] = times[held]
    tied = np.bincount(rows.owners[~held & (times == np.repeat(latest, lengths))], minlength=rows.count)
    facts: dict[str, float | str] = {"users_whose_latest_time_is_shared": int(np.count_nonzero(tied))}
    left_out = {"users_with_one_entry": int(np.count_nonzero(lengths == 1))}
    known, middle_held = (train, middle) if validation else (None, None)
    return Cut(train, ~held, held, known, middle_held, left_out, facts)


def by_time(rows: Rows, times: Floats, validation: float, windows: int, width: float, fold: int) -> Cut:
    """What comes before a window of time is learnt from, what falls into it is held out.

    The windows are the last `windows` stretches of time, each `width` long, or so that the time before the first is as
    long as each of them where it is 0. `validation` is the share of the training time, at its end, that is set apart.
    """
    first, end = float(times.min(initial=np.inf)), float(times.max(initial=-np.inf))
    width = width or (end - first) / (windows + 1)
    begin, until = end - (windows - fold) * width, end - (windows - fold - 1) * width
    before = times < begin
    inside = ~before & ((times < until) | (fold == windows - 1))
    strange = inside & ~_user_has(rows, before)
    left_out = {
        "entries_after_the_window": int(np.count_nonzero(~before & ~inside)),
        "entries_of_users_not_seen_before": int(np.count_nonzero(strange)),
    }
    facts: dict[str, float | str] = {"test_from": begin, "test_until": min(until, end)}
    if not validation:
        return Cut(before, before, inside & ~strange, left_out=left_out, facts=facts)
    check = begin - validation * (begin - first)
    train = times < check
    middle = before & ~train
    novel = middle & ~_user_has(rows, train)
    left_out["validation_entries_of_users_not_seen_before"] = int(np.count_nonzero(novel))
    return Cut(train, before, inside & ~strange, train, middle & ~novel, left_out, {"validation_from": check, **facts})


def by_fold(rows: Rows, folds: int, fold: int, validation: float, seed: int) -> Cut:
    """Each user's entries are dealt into folds, one of which is held out; over all folds every entry is, once.

    A user's first entry goes into a fold of its own choosing, so that folds are of one size also where users have few.
    """
    random = np.random.default_rng((seed, _FOLDS))
    size = len(rows.index)
    dealt = row_ranks(rows.start, random.random(size))
    held = (dealt + np.repeat(random.integers(folds, size=rows.count), rows.lengths)) % folds == fold
    return _kept_and_held(size, _places(rows).keep(~held), np.flatnonzero(held), validation, seed)


def _places(rows: Rows) -> Rows:
    """The rows with the place of each entry instead of its item."""
    return Rows(rows.start, np.arange(len(rows.index), dtype=np.int64))


def _kept_and_held(size: int, kept: Rows, held: Ints, validation: float, seed: int) -> Cut:
    known = _flags(size, kept.index)
    if not validation:
        return Cut(known, known, _flags(size, held))
    stay, out = holdout(kept, validation, _derived(seed, _VALIDATION))
    train = _flags(size, stay.index)
    return Cut(train, known, _flags(size, held), train, _flags(size, out.index))


def _folded_in(
    rows: Rows, users: Ints, items: Flags, fraction: float, seed: int, left_out: dict[str, int]
) -> tuple[Flags, Flags]:
    """What is known and what is held out of some users; what cannot be judged is counted in `left_out`."""
    places = _places(rows).take(users)
    trained = items[rows.index[places.index]]
    _count(left_out, "entries_of_items_not_in_training", len(trained) - int(np.count_nonzero(trained)))
    places = places.keep(trained)
    alone = places.lengths < 2
    _count(left_out, "held_out_users_with_fewer_than_two_items", int(np.count_nonzero(alone)))
    _count(left_out, "their_single_entries", int(places.lengths[alone].sum()))
    known, held = holdout(places.take(np.flatnonzero(~alone)), fraction, seed)
    return _flags(len(rows.index), known.index), _flags(len(rows.index), held.index)


def _count(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more


def _flags(size: int, places: Ints) -> Flags:
    flags = np.zeros(size, bool)
    flags[places] = True
    return flags


def _user_has(rows: Rows, entries: Flags) -> Flags:
    """Of each entry whether its user has any of the chosen entries, bool [entries]."""
    sums = np.concatenate(([0], np.cumsum(entries)))
    return np.repeat(sums[rows.start[1:]] > sums[rows.start[:-1]], rows.lengths)


def _size(users: float, of: int) -> int:
    """How many users are meant: a share below 1, else a number; of a share at least one."""
    return max(1, round(users * of)) if 0 < users < 1 else int(users)


def _derived(seed: int, purpose: int) -> int:
    """Another seed, a function of this one, for draws that must not repeat the first ones."""
    return int(np.random.SeedSequence((seed, purpose)).generate_state(1)[0])
