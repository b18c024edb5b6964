"""What describing says of ratings and data sets: numbers against plain counting, and each kind of suspicion."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.diagnostics import Stop, render
from nnlang.runtime.dataset import sparse_set
from nnlang.runtime.describe import Description, describe, describe_ratings, is_data_set
from nnlang.runtime.suspicions import KINDS, Suspicion
from nnlang.runtime.times import OWN, date, look_like_times, unit
from tests.data_fixtures import SPARSE_BOOLEAN, movielens, netcdf  # noqa: F401 - a fixture


def described(folder: Path, text: str, **reading: object) -> Description:
    """The description of a text."""
    (folder / "ratings").write_text(text, encoding="utf-8")
    return describe_ratings(folder / "ratings", **reading)[0]  # type: ignore[arg-type]


def lines(users: int, numbers: str = "", each: int = 4) -> str:
    """Users with a few of twelve items each; every item has several users, none has most."""
    rows = (
        (f"{u}", (f"i{(u + 3 * i) % 12}{numbers.format(n=u * each + i)}" for i in range(each))) for u in range(users)
    )
    return "".join(f"{user}\t{':'.join(items)}\n" for user, items in rows)


@given(st.lists(st.lists(st.integers(0, 8), max_size=6), min_size=1, max_size=8))
def test_counts_equal_plain_counting(tmp_path_factory: pytest.TempPathFactory, rows: list[list[int]]) -> None:
    if not any(rows):
        return
    text = "".join(f"u{n}\t{':'.join(f'i{i}' for i in row)}\n" for n, row in enumerate(rows))
    found = described(tmp_path_factory.mktemp("text"), text)
    distinct = [set(row) for row in rows if row]
    items = Counter(i for row in distinct for i in row)
    entries = sum(map(len, distinct))
    assert found.facts["users"] == len(distinct)
    assert found.facts["items"] == len(items)
    assert found.facts["entries"] == entries
    assert found.facts["density"] == entries / (len(distinct) * len(items))
    assert found.facts["duplicates within lines"] == sum(map(len, rows)) - entries
    assert found.spread["user"][0] == min(map(len, distinct))
    assert found.spread["user"][5:] == (max(map(len, distinct)), entries / len(distinct), len(rows) - len(distinct))
    assert found.spread["item"][5] == max(items.values())
    counted = {one.kind: one.count for one in found.suspicions}
    assert counted.get("users_with_one_item", 0) == sum(len(row) == 1 for row in distinct)
    assert counted.get("items_of_one_user", 0) == sum(count == 1 for count in items.values())


T = 1_112_486_027
TIME = {"second": "time"}
TIMES = ",11124860{n:02d}"
SUSPECTED: dict[str, tuple[str, dict[str, object], int, str]] = {
    "header_as_data": ("userId\ti1:i2\n" + lines(24), {}, 1, "user `userId`"),
    "odd_ends": (lines(24).replace("i3", " i3") + "'x'\ti1:i2\n", {}, 2, "user `'x'`"),
    "numbers_as_floats": (lines(24).replace("i3", "3.0"), {}, 1, "item `3.0`"),
    "values_like_times": (lines(24, TIMES), {}, 96, "1112486000 (2005-04-02 23:53:20)"),
    "negative_values": (lines(24, ",{n}") + "x\ti1,-2.5:i2,3\n", {}, 1, "-2.5 (item `i1` of user `x`)"),
    "constant_values": (lines(24, ",1"), {}, 96, "1"),
    "times_of_zero": (lines(24, TIMES) + f"x\ti1,0:i2,{T}\n", TIME, 1, "item `i1` of user `x`"),
    "other_time_units": (lines(24, TIMES) + f"x\ti1,{T}000:i2,{T}\n", TIME, 1, f"{T}000 (item `i1` of user `x`)"),
    "times_all_equal": ("".join(f"{u}\ti{u % 5},{T}:i{u % 5 + 1},{T}\n" for u in range(20)), TIME, 20, "user `0`"),
    "dominant_items": ("".join(f"{u}\tall:i{u % 5}\n" for u in range(20)), {}, 1, "item `all` (20 of 20 users)"),
    "users_with_one_item": (lines(24) + "x\ti1\n", {}, 1, "user `x`"),
    "items_of_one_user": (lines(24) + "x\ti1:rare\n", {}, 1, "item `rare`"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_suspicion_is_told_with_number_example_and_remedy(tmp_path: Path, kind: str) -> None:
    text, reading, count, example = SUSPECTED[kind]
    found = described(tmp_path, text, **reading)
    assert [one.kind for one in found.suspicions] == [kind]
    (one,) = found.suspicions
    assert one.count == count
    assert one.example == example
    shown = render([one.diagnostic("ratings")])
    assert shown.startswith(f"warning[NN499]: {one.words}: {count:,}, such as {one.example}")
    assert KINDS[kind].remedy in shown


@pytest.mark.parametrize("numbers", ["", ",{n}", ",3.5{n}"])
def test_sound_data_are_not_suspected(tmp_path: Path, numbers: str) -> None:
    assert described(tmp_path, lines(24, numbers)).suspicions == ()


def test_sound_times_are_not_suspected_where_they_are_called_so(tmp_path: Path) -> None:
    found = described(tmp_path, lines(24, ",11124860{n:02d}"), second="time")
    assert found.suspicions == ()
    assert found.facts["numbers"] == "times"


def test_times_are_told_as_people_read_them(tmp_path: Path) -> None:
    found = described(tmp_path, "u1\ta,1400000040:b,1400086440\nu2\ta,1400172840:b,1400172840\n")
    expected = {
        "unit of times": "seconds", "first": "2014-05-13 16:54:00", "last": "2014-05-15 16:54:00", "days": 2.0,
        "resolution": "days", "users at one time": 1,
    }  # fmt: skip
    assert {name: found.facts[name] for name in expected} == expected
    assert [one.kind for one in found.suspicions] == ["values_like_times"]
    assert found.suspicions[0].example == "1400000040 (2014-05-13 16:54:00)"


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ("1400000040 1400000050", "10 seconds"),
        ("1400000040 1400000041", "seconds"),
        ("1400000040 1400003640", "hours"),
        ("1400000040000 1400000100000", "minutes"),
        ("1400000040 1400000040", "one time only"),
        ("1400000040.5 1400000041", "fractions"),
        ("3 9", "6 units of their own"),
    ],
)
def test_how_fine_times_are(tmp_path: Path, times: str, words: str) -> None:
    first, second = times.split()
    assert described(tmp_path, f"u\ta,{first}:b,{second}\n", second="time").facts["resolution"] == words


def test_values_have_quantiles_and_missing_ones_are_counted(tmp_path: Path) -> None:
    found = described(tmp_path, "u1\ta,1:b,2.5\nu2\ta,4:b\n")
    assert [found.values[at] for at in (0, 2, 5, 6)] == [1.0, 2.5, 4.0, 2.5]
    assert found.facts["entries without a number"] == 1
    assert described(tmp_path, "u1\ta:b\n").facts["numbers"] == "none"


def test_a_table_counts_what_stands_twice(tmp_path: Path) -> None:
    text = "user,item,rating,time\n1,a,3,1400000000\n1,b,4,1400000000\n1,a,5,1400000001\n2,a,-1,1400000000\n"
    found = described(tmp_path, text, columns=("user", "item", "rating", "time"))
    assert found.facts["duplicates between lines"] == 1
    assert found.values[0] == -1.0
    assert found.facts["first"] == "2014-05-13 16:53:20"
    assert [one.kind for one in found.suspicions] == ["negative_values", "users_with_one_item", "items_of_one_user"]
    third = described(tmp_path, text, columns=("user", "item", "time"))
    assert third.facts["numbers"] == "times"


def test_a_data_set_is_suspected_too(tmp_path: Path) -> None:
    data = sparse_set("x", [0, 2, 3], [0, 1, 0], [5.0, -1.0, 2.0], width=128)
    found = describe(data)
    assert [(one.kind, one.example) for one in found.suspicions] == [
        ("negative_values", "-1 (column 1 of row 0)"),
        ("users_with_one_item", "row 1"),
        ("items_of_one_user", "column 1"),
    ]
    assert found.record()["suspicions"] == [one.record() for one in found.suspicions]


def test_what_a_data_set_is(tmp_path: Path) -> None:
    assert is_data_set(netcdf(tmp_path / "x.nc", SPARSE_BOOLEAN))
    (tmp_path / "old.nc").write_bytes(b"CDF\x01" + bytes(10))
    (tmp_path / "text").write_text("u\ta\n")
    assert is_data_set(tmp_path / "old.nc")
    assert not is_data_set(tmp_path / "text")
    assert not is_data_set(tmp_path / "nowhere")
    with pytest.raises(Stop):
        describe_ratings(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ([1, 2, 730], OWN.name),
        ([2003, 2004], OWN.name),
        ([T, T + 1, math.nan], "seconds"),
        ([T * 1e3], "milliseconds"),
        ([T * 1e6], "microseconds"),
        ([T * 1e9], "nanoseconds"),
    ],
)
def test_the_size_of_times_tells_their_unit(numbers: list[float], name: str) -> None:
    found = unit(np.array(numbers))
    assert found.name == name
    assert look_like_times(np.array(numbers)) == (name != OWN.name)
    assert name == OWN.name or date(numbers[0], found) == "2005-04-02 23:53:47"


def test_numbers_that_are_no_times() -> None:
    assert not look_like_times(np.array([]))
    assert not look_like_times(np.array([math.nan]))
    assert not look_like_times(np.array([T + 0.5, T + 0.25]))
    assert not look_like_times(np.array([T, 1e30, 3.0]))


def test_the_words_of_every_kind_can_be_filled() -> None:
    facts = (("unit", "seconds"), ("share", "80%"))
    assert all("{" not in Suspicion(kind, 1, facts=facts).words for kind in KINDS)


def test_real_ratings(movielens: Path) -> None:  # noqa: F811
    found, notices = describe_ratings(movielens / "ratings_1024.txt")
    assert notices == ()
    assert (found.facts["users"], found.facts["items"], found.facts["entries"]) == (1024, 9734, 153511)
    assert [one.kind for one in found.suspicions] == ["values_like_times", "items_of_one_user"]
