"""Protocols as properties on drawn data: parts are disjoint and whole, and nothing comes from the future."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.diagnostics import Stop
from nnlang.runtime.interactions import Interactions, read_interactions
from nnlang.runtime.metrics import Rows, holdout
from nnlang.runtime.protocols import METHODS, Part, Protocol, Split, protocol_of, split
from nnlang.runtime.times import date, unit
from tests.data_fixtures import movielens  # noqa: F401 - a fixture

Pairs = set[tuple[int, int]]
SETTINGS = st.sampled_from(["holdout", "strong", "last", "windows", "entries", "users"])


def interactions(rows: list[list[int]], times: list[int] | None = None) -> Interactions:
    """Users with these items, and the times of all entries."""
    start = np.cumsum([0, *(len(row) for row in rows)])
    index = np.array([item for row in rows for item in sorted(row)], np.int64)
    users, items = (tuple(f"{letter}{n}" for n in range(size)) for letter, size in (("u", len(rows)), ("i", 12)))
    return Interactions(users, items, Rows(start, index), None if times is None else np.array(times, np.float64))


@st.composite
def drawn(draw: st.DrawFn) -> Interactions:
    """7 to 16 users with up to 9 of 12 items each, times with many ties."""
    rows = draw(st.lists(st.lists(st.integers(0, 11), unique=True, max_size=9), min_size=7, max_size=16))
    size = sum(map(len, rows))
    return interactions(rows, draw(st.lists(st.integers(0, 12), min_size=size, max_size=size)))


@st.composite
def protocols(draw: st.DrawFn) -> Protocol:
    """A protocol with numbers that it can have."""
    name = draw(SETTINGS)
    folds = draw(st.integers(2, 4))
    validation: st.SearchStrategy[float] = {
        "last": st.integers(0, 2),
        "strong": st.sampled_from([0, 0.3, 2]),
        "users": st.sampled_from([0, 0.3, 2]),
    }.get(name, st.sampled_from([0.0, 0.2, 0.5]))
    return Protocol(
        name="kfold" if name in ("entries", "users") else name,
        fraction=draw(st.sampled_from([0.2, 0.5])),
        validation=draw(validation),
        seed=draw(st.integers(0, 3)),
        users=draw(st.sampled_from([0.2, 2])),
        min_items=draw(st.integers(1, 4)),
        by=name if name in ("entries", "users") else "entries",
        folds=folds,
        windows=folds,
        fold=draw(st.integers(0, folds - 1)),
        window=draw(st.sampled_from([0.0, 2.0])),
    )


def pairs(users: np.ndarray, rows: Rows) -> Pairs:
    """The (user, item) of all entries."""
    return set(zip(users[rows.owners].tolist(), rows.index.tolist(), strict=True))


def parts(made: Split) -> dict[str, Pairs]:
    """The entries of each part by its name."""
    found = {"train": pairs(made.train_users, made.train), **part("test", made.test)}
    return found | (part("validation", made.validation) if made.validation is not None else {})


def part(name: str, given: Part) -> dict[str, Pairs]:
    """The entries of one part to judge on."""
    return {f"{name}_known": pairs(given.users, given.known), f"{name}_held": pairs(given.users, given.held)}


def times_of(data: Interactions) -> Mapping[tuple[int, int], float]:
    """The time of each (user, item)."""
    assert data.times is not None
    entries = zip(data.rows.owners.tolist(), data.rows.index.tolist(), strict=True)
    return dict(zip(entries, data.times.tolist(), strict=True))


def made_of(data: Interactions, protocol: Protocol) -> Split | None:
    """The split, None where a part of it would be empty."""
    try:
        return split(data, protocol)
    except Stop as stopped:
        if stopped.diagnostics[0].code is not codes.EMPTY_PART:
            raise
        return None


def assert_disjoint_and_whole(data: Interactions, protocol: Protocol) -> None:
    """What is held out is in no part that is seen, and what is in no part is counted."""
    made = made_of(data, protocol)
    if made is None:
        return
    found = parts(made)
    everything = set(zip(data.rows.owners.tolist(), data.rows.index.tolist(), strict=True))
    assert set().union(*found.values()) <= everything
    assert not found["test_held"] & (found["train"] | found["test_known"])
    if "validation_held" in found:
        assert not found["validation_held"] & (found["train"] | found["validation_known"] | found["test_held"])
    for one in (made.test, made.validation):
        assert one is None or (one.held.lengths > 0).all()
    assert (made.train.lengths > 0).all()
    counted = set().union(*(found.values())) if protocol.name != "windows" else (
        found["train"] | found["test_held"] | found.get("validation_held", set())
    )  # fmt: skip
    lost = sum(count for name, count in made.left_out.items() if "entries" in name)
    assert len(everything) - len(counted) == lost


@given(drawn(), protocols())
def test_parts_are_disjoint_and_whole(data: Interactions, protocol: Protocol) -> None:
    assert_disjoint_and_whole(data, protocol)


@pytest.mark.full
@pytest.mark.timeout(1200)
@settings(max_examples=4_000, deadline=None)
@given(drawn(), protocols())
def test_parts_are_disjoint_and_whole_many_times(data: Interactions, protocol: Protocol) -> None:
    assert_disjoint_and_whole(data, protocol)


@given(drawn(), protocols())
def test_a_split_is_a_function_of_data_and_protocol(data: Interactions, protocol: Protocol) -> None:
    one, other = made_of(data, protocol), made_of(data, replace(protocol))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert parts(one) == parts(other)
        assert one.left_out == other.left_out
        assert (np.diff(one.train_users) > 0).all()
        assert (np.diff(one.test.users) > 0).all()


@given(drawn(), protocols())
def test_the_test_part_does_not_depend_on_the_validation_part(data: Interactions, protocol: Protocol) -> None:
    """Nor do items that training lacks, which protocols by user leave out."""
    one, other = made_of(data, protocol), made_of(data, replace(protocol, validation=0))
    if one is None or other is None:
        return
    if protocol.name == "strong" or protocol.by == "users":
        assert set(one.test.users.tolist()) <= set(other.test.users.tolist())
    else:
        assert parts(one)["test_held"] == parts(other)["test_held"]
        assert parts(one)["test_known"] == parts(other)["test_known"]


@given(drawn(), st.integers(0, 5), st.floats(0.05, 0.9))
def test_holdout_is_todays(data: Interactions, seed: int, fraction: float) -> None:
    made = made_of(data, Protocol(fraction=fraction, seed=seed))
    kept, held = holdout(data.rows, fraction, seed)
    if made is not None:
        users = np.arange(data.rows.count)
        assert parts(made)["train"] == pairs(users, kept)
        assert parts(made)["test_held"] == pairs(users, held)


@given(drawn(), st.integers(0, 3), st.sampled_from([0, 0.2, 3]))
def test_strong_holds_whole_users_out(data: Interactions, seed: int, validation: float) -> None:
    made = made_of(data, Protocol("strong", seed=seed, users=2, min_items=2, validation=validation))
    if made is None:
        return
    groups = [made.train_users, made.test.users, *([made.validation.users] if made.validation else [])]
    assert len(np.unique(np.concatenate(groups))) == sum(map(len, groups))
    assert all((data.rows.lengths[group] >= 2).all() for group in groups)
    for one in (made.test, made.validation):
        if one is not None:
            assert np.isin(np.concatenate([one.known.index, one.held.index]), made.train.index).all()
            assert (one.known.lengths > 0).all()


@given(drawn(), st.integers(0, 2), st.integers(0, 3))
def test_last_holds_the_latest_out(data: Interactions, validation: int, seed: int) -> None:
    made = made_of(data, Protocol("last", validation=validation, seed=seed))
    if made is None:
        return
    times, found = times_of(data), parts(made)
    assert (made.test.held.lengths == 1).all()
    assert sorted(made.train_users.tolist()) == np.flatnonzero(data.rows.lengths).tolist()
    assert made.test.users.tolist() == np.flatnonzero(data.rows.lengths >= 2).tolist()
    middle = found.get("validation_held", set())
    for user in made.test.users.tolist():
        train, check, test = (
            [times[entry] for entry in chosen if entry[0] == user]
            for chosen in (found["train"], middle, found["test_held"])
        )
        assert max(train) <= min(check, default=max(train)) <= max(check, default=max(train)) <= test[0]
        assert len(check) == min(validation, data.rows.lengths[user] - 2)
    shared = sum(
        times[held] in [times[e] for e in times if e[0] == held[0] and e != held] for held in found["test_held"]
    )
    assert made.facts["users_whose_latest_time_is_shared"] == shared


@given(drawn(), st.integers(1, 4), st.integers(0, 3), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 1.0, 3.0]))
def test_windows_learn_nothing_of_the_future(
    data: Interactions, windows: int, fold: int, validation: float, window: float
) -> None:
    protocol = Protocol("windows", windows=windows, fold=min(fold, windows - 1), validation=validation, window=window)
    made = made_of(data, protocol)
    if made is None:
        return
    times, found = times_of(data), parts(made)
    latest = max(times[entry] for entry in found["train"])
    begin, until = float(made.facts["test_from"]), float(made.facts["test_until"])
    assert all(begin <= times[entry] <= until for entry in found["test_held"])
    assert all(times[entry] < begin for entry in found["test_known"])
    if "validation_held" in found:
        check = float(made.facts["validation_from"])
        assert latest < check
        assert all(check <= times[entry] < begin for entry in found["validation_held"])
        assert all(times[entry] < check for entry in found["validation_known"])
    assert latest < begin
    assert (made.test.known.lengths > 0).all()
    expected = {e for e in times if begin <= times[e] and (times[e] < until or until == max(times.values()))}
    users = {user for user, _ in times if any(times[e] < begin for e in times if e[0] == user)}
    assert found["test_held"] == {e for e in expected if e[0] in users}


@given(drawn(), st.integers(2, 5), st.integers(0, 3), st.sampled_from([0.0, 0.3]))
def test_folds_cover_every_entry_once(data: Interactions, folds: int, seed: int, validation: float) -> None:
    held: list[tuple[int, int]] = []
    for fold in range(folds):
        protocol = Protocol("kfold", folds=folds, fold=fold, seed=seed, validation=validation)
        made = made_of(data, protocol)
        if made is None:
            return
        sizes = np.zeros(data.rows.count, np.int64)
        sizes[made.test.users] = made.test.held.lengths
        assert (np.abs(sizes - data.rows.lengths / folds) < 1).all()
        held += parts(made)["test_held"]
    assert sorted(held) == sorted(zip(data.rows.owners.tolist(), data.rows.index.tolist(), strict=True))


@given(drawn(), st.integers(2, 4), st.integers(0, 3))
def test_folds_of_users_cover_every_user_once(data: Interactions, folds: int, seed: int) -> None:
    tested: list[int] = []
    learnt: list[int] = []
    for fold in range(folds):
        made = made_of(data, Protocol("kfold", by="users", folds=folds, fold=fold, seed=seed, min_items=2))
        if made is None:
            return
        tested += made.test.users.tolist()
        learnt += made.train_users.tolist()
    fit = np.flatnonzero(data.rows.lengths >= 2).tolist()
    assert len(set(tested)) == len(tested)
    assert set(tested) <= set(fit)
    assert sorted(learnt) == sorted(fit * (folds - 1))


def test_another_seed_gives_another_split() -> None:
    data = interactions([list(range(8))] * 20, [n % 3 for n in range(160)])
    for name in ("holdout", "strong", "last", "kfold"):
        found = [parts(split(data, Protocol(name, users=4, seed=seed)))["test_held"] for seed in (1, 2)]
        assert found[0] != found[1], name


def test_users_of_whom_nothing_is_known_are_counted() -> None:
    made = [split(interactions([[1], [2], [3], [4, 5]]), Protocol("kfold", folds=2, fold=fold)) for fold in (0, 1)]
    assert sum(int(m.facts.get("test_users_with_nothing_known", 0)) for m in made) == 3


def test_windows_are_as_long_as_asked() -> None:
    day = 86_400
    start = 1_400_000_000
    times = [start + n * day for n in range(10)]
    for scale in (1, 1000):
        data = interactions([list(range(10))], [time * scale for time in times])
        made = split(data, Protocol("windows", windows=2, window=2, fold=0))
        assert made.test.held.index.tolist() == [5, 6]
        assert made.train.index.tolist() == [0, 1, 2, 3, 4]
        assert made.left_out == {"entries_after_the_window": 3}
        last = split(data, Protocol("windows", windows=2, window=2, fold=1))
        assert last.test.held.index.tolist() == [7, 8, 9]
    assert unit(np.array(times) * 1e3).name == "milliseconds"
    assert date(times[0] * 1e3, unit(np.array(times) * 1e3)) == "2014-05-13 16:53:20"


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "no such protocol": ({"protocol": "hodlout"}, "did you mean `holdout`?"),
    "no protocol at all": ({"protocol": 3}, "write one of these"),
    "a share of one": ({"fraction": 1}, "it takes a share above 0 and below 1"),
    "a share of nothing": ({"fraction": float("nan")}, "it takes a share above 0 and below 1"),
    "a text for a number": ({"fraction": "0.2"}, "it takes a number"),
    "a truth for a number": ({"seed": True}, "it takes an integer"),
    "a seed below 0": ({"seed": -1}, "it takes an integer from 0"),
    "half a user": ({"protocol": "strong", "users": 2.5}, "a share of the users below 1, or a number"),
    "no users": ({"protocol": "strong", "users": 0}, "a share of the users below 1, or a number"),
    "a share of the last": ({"protocol": "last", "validation": 0.5}, "it takes how many entries of a user"),
    "all for validation": ({"validation": 1}, "it takes a share from 0 (none) to below 1"),
    "one fold": ({"protocol": "kfold", "folds": 1}, "it takes an integer from 2 to 1000"),
    "a fold too many": ({"protocol": "kfold", "folds": 3, "fold": 3}, "it takes an integer from 0 to one less"),
    "a window too many": ({"protocol": "windows", "windows": 3, "fold": 3}, "it takes an integer from 0 to one less"),
    "an endless window": ({"protocol": "windows", "window": float("inf")}, "it takes a number of days"),
    "folds of items": ({"protocol": "kfold", "by": "items"}, "it takes entries or users"),
    "a number of another": ({"protocol": "last", "fraction": 0.2}, "this protocol takes validation, seed"),
    "a share where entries are dealt": ({"protocol": "kfold", "fraction": 0.2}, "it counts where users are dealt"),
    "a number misspelled": ({"protocol": "windows", "windws": 2}, "did you mean `windows`?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_numbers_that_cannot_be_are_told(case: str) -> None:
    record, said = WRONG[case]
    with pytest.raises(Stop) as stopped:
        protocol_of(record)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.BAD_PROTOCOL
    assert said in told.message + told.remedy


@given(protocols())
def test_a_record_reads_back(protocol: Protocol) -> None:
    record = json.loads(json.dumps(protocol.record()))
    read = protocol_of(record)
    assert read.record() == record
    assert {name.title().replace("_", ""): value for name, value in record.items()}.keys() >= {"Protocol"}
    assert protocol_of({name.title().replace("_", ""): value for name, value in record.items()}) == read


def test_what_is_not_named_is_usual() -> None:
    assert protocol_of({}) == Protocol(validation=0.1)
    assert {name: protocol_of({"Protocol": name.title()}).validation for name in METHODS} == {
        "holdout": 0.1, "strong": 0.1, "last": 1, "windows": 0.1, "kfold": 0.1,
    }  # fmt: skip


def test_times_are_needed_of_every_entry() -> None:
    data = interactions([[1, 2], [3, 4]])
    unknown = replace(data, times=np.array([1.0, 2.0, 3.0, np.nan]))
    for lacking, said in ((data, "none were read"), (unknown, "1 have none, the first item `i4` of user `u1`")):
        with pytest.raises(Stop) as stopped:
            split(lacking, Protocol("last"))
        assert stopped.value.diagnostics[0].code is codes.NO_TIMES
        assert said in stopped.value.diagnostics[0].message


EMPTY: dict[str, tuple[Protocol, str]] = {
    "no second entry": (Protocol("holdout"), "test"),
    "no third entry": (Protocol("last", validation=1), "validation"),
    "all users held out": (Protocol("strong", users=4, min_items=1), "training"),
    "no user has so many": (Protocol("strong", min_items=9), "training"),
    "a window before all": (Protocol("windows", windows=2, window=99), "training"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_empty_parts_are_told(case: str) -> None:
    protocol, part = EMPTY[case]
    rows = [[1], [2], [3], [4]] if case == "no second entry" else [[1, 2], [1, 2], [1, 2], [1, 2]]
    data = interactions(rows, list(range(sum(map(len, rows)))))
    with pytest.raises(Stop) as stopped:
        split(data, protocol)
    assert stopped.value.diagnostics[0].code is codes.EMPTY_PART
    assert stopped.value.diagnostics[0].facts["part"] == part


def test_real_ratings_split_by_every_protocol(movielens: Path) -> None:  # noqa: F811
    data = read_interactions(movielens / "ratings_1024.txt", second="time")
    for name in METHODS:
        made = split(data, protocol_of({"protocol": name, **({"fold": 4} if name == "windows" else {})}))
        assert len(made.test.users) > 2, name
        assert made.validation is not None
