"""Reading ratings against a plain reader of lines: texts, folders and tables, values, times, duplicates."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.codes import usage as usage_codes
from nnlang.diagnostics import Code, Stop
from nnlang.runtime import interactions
from nnlang.runtime.interactions import Interactions, read_interactions

Entry = tuple[str, str, float | None, float | None]  # user, item, value, time


def test_a_user_without_items_before_one_with_a_million(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "_PIECE", 4)
    path = tmp_path / "ratings.txt"
    path.write_text("none\t\nall\tf:e:d:c:b:a:a\n")
    assert [item for _, item, _, _ in entries(read_interactions(path))] == ["f", "e", "d", "c", "b", "a"]


def entries(data: Interactions) -> list[Entry]:
    """What was read, in its order."""
    values, times = data.rows.values, data.times
    return [
        (
            data.users[user],
            data.items[item],
            None if values is None else float(values[place]),
            None if times is None else float(times[place]),
        )
        for place, (user, item) in enumerate(zip(data.rows.owners.tolist(), data.rows.index.tolist(), strict=True))
    ]


def plain(lines: list[tuple[str, list[tuple[str, int | None]]]]) -> dict[str, dict[str, int | None]]:
    """The latest number of each item of each user's last line; an entry without a number comes before all times."""
    found: dict[str, dict[str, int | None]] = {}
    for user, points in lines:
        row: dict[str, int | None] = {}
        for item, number in points:
            known = row.get(item)
            row[item] = (
                number if item not in row or known is None or (number is not None and number >= known) else known
            )
        found[user] = row
    return found


POINTS = st.lists(st.tuples(st.sampled_from("abcde"), st.none() | st.integers(0, 3)), max_size=6)
LINES = st.lists(st.tuples(st.sampled_from(["u1", "u2", "u3"]), POINTS), min_size=1, max_size=6)


@given(LINES)
def test_times_of_a_text_equal_those_of_a_plain_reader(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, list[tuple[str, int | None]]]]
) -> None:
    path = tmp_path_factory.mktemp("text") / "ratings"
    shown = (":".join(i if n is None else f"{i},{n}" for i, n in points) for _, points in lines)
    path.write_text("".join(f"{user}\t{text}\n" for (user, _), text in zip(lines, shown, strict=True)))
    wanted = plain(lines)
    if not any(wanted.values()):
        with pytest.raises(Stop):
            read_interactions(path, second="time")
        return
    data = read_interactions(path, second="time")
    found: dict[str, dict[str, int | None]] = {user: {} for user in data.users}
    for user, item, value, time in entries(data):
        assert value is None
        found[user][item] = None if time is None or math.isnan(time) else int(time)
    assert found == wanted
    assert data.users == tuple(dict.fromkeys(user for user, _ in lines))
    assert all(
        (np.diff(data.rows.index[a:b]) > 0).all() for a, b in zip(data.rows.start, data.rows.start[1:], strict=False)
    )
    assert data.tally.replaced == len(lines) - len(wanted)


ROWS = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abc"), st.integers(1, 5), st.integers(0, 4)), min_size=1
)


@given(ROWS, st.booleans())
def test_a_table_keeps_the_latest_of_equal_entries(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int, int]], header: bool
) -> None:
    path = tmp_path_factory.mktemp("table") / "ratings.csv"
    head = "user,item,rating,time\n" if header else ""
    path.write_text(head + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in rows))
    columns = ("user", "item", "rating", "time") if header else ("1", "2", "3", "4")
    data = read_interactions(path, columns=columns, second="value")
    wanted: dict[tuple[str, str], tuple[int, int]] = {}
    for user, item, rating, time in rows:
        if (user, item) not in wanted or time >= wanted[user, item][1]:
            wanted[user, item] = (rating, time)
    assert {(u, i): (r, t) for u, i, r, t in entries(data)} == wanted
    assert data.tally.repeated == len(rows) - len(wanted)


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_pieces_of_any_size_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    path = tmp_path / "ratings"
    path.write_text("u1\tb,2:a,1:b,9:b,3\nu2\t\nu3\tc,4:a,5:c,1\n")
    monkeypatch.setattr(interactions, "_PIECE", piece)
    assert entries(read_interactions(path, second="time")) == [
        ("u1", "b", None, 9), ("u1", "a", None, 1), ("u3", "a", None, 5), ("u3", "c", None, 4),
    ]  # fmt: skip
    last = read_interactions(path, second="value")
    assert entries(last)[0] == ("u1", "b", 3.0, None)
    assert last.tally.repeated == 3


def test_times_are_exact(tmp_path: Path) -> None:
    (tmp_path / "ratings").write_text("u1\ta,1112486027:b,1112486028123\n")
    data = read_interactions(tmp_path / "ratings", second="time")
    assert data.times is not None
    assert data.times.tolist() == [1112486027.0, 1112486028123.0]


def test_a_third_column_may_be_a_time(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("who,what,when\nu1,a,1112486027\nu1,b,1112486028\n")
    data = read_interactions(tmp_path / "log.csv", columns=("who", "what", "when"), second="time")
    assert entries(data) == [("u1", "a", None, 1112486027.0), ("u1", "b", None, 1112486028.0)]


def test_a_folder_of_parts_some_compressed(tmp_path: Path) -> None:
    (tmp_path / "part-0").write_text("u1\ta:b\n")
    (tmp_path / "part-1.gz").write_bytes(gzip.compress(b"u2\tb\n"))
    data = read_interactions(tmp_path)
    assert [entry[:2] for entry in entries(data)] == [("u1", "a"), ("u1", "b"), ("u2", "b")]
    assert [source.name for source in data.sources] == ["part-0", "part-1.gz"]
    assert data.sources[0].sha256 == hashlib.sha256(b"u1\ta:b\n").hexdigest()


def test_small_values_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "ratings").write_text("u1\ta,5:b,1:c,4\n")
    data = read_interactions(tmp_path / "ratings", least=4)
    assert entries(data) == [("u1", "a", None, None), ("u1", "c", None, None)]
    kept = read_interactions(tmp_path / "ratings", least=4, second="value")
    assert entries(kept) == [("u1", "a", 5.0, None), ("u1", "c", 4.0, None)]


def test_what_was_met_is_told(tmp_path: Path) -> None:
    (tmp_path / "ratings").write_text("u1\ta,1:a,2\nno tab\nu2\tb\nu1\tc,1,2\n")
    data = read_interactions(tmp_path / "ratings", second="value")
    assert [d.code for d in data.notices] == [
        codes.LINE_SKIPPED, codes.REPLACED_ROWS, codes.BARE_FEATURES, codes.EXTRA_VALUES,
    ]  # fmt: skip
    assert (data.tally.lines, data.tally.skipped) == (3, 1)


WRONG: dict[str, tuple[dict[str, object], Code]] = {
    "no such kind": ({"second": "rating"}, usage_codes.BAD_VALUE),
    "no finite least": ({"least": math.inf, "second": "value"}, usage_codes.BAD_VALUE),
    "a least time": ({"least": 4.0, "second": "time"}, codes.RATING_NEEDED),
    "no third column for values": ({"columns": ("1", "2"), "second": "value"}, codes.RATING_NEEDED),
    "no third column for times": ({"columns": ("1", "2"), "second": "time"}, usage_codes.BAD_VALUE),
    "a long delimiter": ({"columns": ("1", "2"), "delimiter": "::"}, codes.BAD_DELIMITER),
    "a bad line, strictly": ({"strict": True}, codes.BAD_LINE),
    "nothing large enough": ({"least": 9.0, "second": "value"}, codes.NO_ENTRIES),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told(tmp_path: Path, case: str) -> None:
    (tmp_path / "ratings").write_text("u1\ta,5\nno tab\n")
    given, code = WRONG[case]
    with pytest.raises(Stop) as stopped:
        read_interactions(tmp_path / "ratings", **given)  # type: ignore[arg-type]
    assert stopped.value.diagnostics[0].code is code
    assert stopped.value.diagnostics[0].remedy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("userId,movieId,rating\n1,2,3\n", "`--columns userId,movieId,rating`"),
        ("1;2;3;4\n", "`--columns 1,2,3,4`"),
        ("just words\n", "`--columns user,item,rating`"),
    ],
)
def test_a_table_for_a_text_is_told_how_to_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "ratings").write_text(text)
    with pytest.raises(Stop) as stopped:
        read_interactions(tmp_path / "ratings")
    assert said in stopped.value.diagnostics[0].remedy
