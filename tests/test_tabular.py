"""Tables of ratings: numpy's way and the csv module's way give the same, and what is wrong is told by line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.diagnostics import Stop
from nnlang.runtime import tabular
from nnlang.runtime.blocks import Block, blocks
from nnlang.runtime.textdata import COLUMNS, LABEL, NO_LABEL, OPEN_QUOTE, RATING, Parsed

HEADER = b"userId,movieId,rating,timestamp\n"


def pairs(parsed: Parsed) -> list[tuple[bytes, bytes, float]]:
    text = parsed.text.tobytes()
    return [
        (text[s : s + sl], text[f : f + fl], -1.0 if parsed.values is None else float(parsed.values[i]))
        for i, (s, sl, f, fl) in enumerate(
            zip(parsed.sample_start, parsed.sample_length, parsed.start, parsed.length, strict=True)
        )
    ]


def parse(data: bytes, columns: str, *, rating: bool = True, least: float | None = None, delimiter: str = "") -> Parsed:
    block = Block(Path("table"), 1, data, len(data))
    layout = tabular.find_layout(block, columns.split(","), delimiter)
    return tabular.parse(block, layout, needs_rating=rating, least=least)


def test_columns_are_found_by_name() -> None:
    found = parse(HEADER + b"1,10,3.5,7\n2,20,4,8\r\n\n", "movieId,userId,rating")
    assert pairs(found) == [(b"10", b"1", 3.5), (b"20", b"2", 4.0)]


def test_columns_are_found_by_number_where_there_is_no_header() -> None:
    found = parse(b"a\tx\t1\nb\ty\t2\n", "2,1", rating=False)
    assert pairs(found) == [(b"x", b"a", -1.0), (b"y", b"b", -1.0)]


def test_small_ratings_are_left_out() -> None:
    found = parse(HEADER + b"1,10,3.5,7\n2,20,4,8\n", "userId,movieId,rating", rating=False, least=4)
    assert pairs(found) == [(b"2", b"20", -1.0)]


def test_times_are_read() -> None:
    found = parse(HEADER + b"1,10,3.5,7\n", "userId,movieId,rating,timestamp")
    assert found.times is not None and found.times.tolist() == [7.0]


def test_bad_lines_are_listed() -> None:
    lines = b"1,10,x,7\n1,10\n1,10,1,2,3\n,10,1,1\n1,,1,1\n1,10,inf,1\n1,10,5,1\n1,10,1e39,1\n"
    found = parse(HEADER + lines, "userId,movieId,rating")
    wanted = [(2, RATING), (3, COLUMNS), (4, COLUMNS), (5, NO_LABEL), (6, NO_LABEL), (7, RATING), (9, RATING)]
    assert found.bad == tuple(wanted)
    assert pairs(found) == [(b"1", b"10", 5.0)]


def test_quoted_fields_are_read() -> None:
    lines = b'"1","Smith, ""J""",2,3\n"2,x,1,1\n"a\tb",x,1,1\n'
    found = parse(HEADER + lines, "userId,movieId,rating")
    assert pairs(found) == [(b"1", b'Smith, "J"', 2.0)]
    assert found.bad == ((3, OPEN_QUOTE), (4, LABEL))


FIELD = st.text(st.characters(exclude_characters='\n\r\0\t"', codec="utf-8"), max_size=12)
ROWS = st.lists(st.tuples(FIELD, FIELD, st.floats(-1e6, 1e6).map(lambda v: f"{v:.3f}")), min_size=1, max_size=20)


@given(rows=ROWS, delimiter=st.sampled_from(",;|"), size=st.integers(20, 200))
def test_both_ways_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str, size: int
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).writerows(
        [("user", "item", "rating"), *rows]
    )
    path = tmp_path_factory.mktemp("table") / "table"
    path.write_bytes(text.getvalue().encode())
    found = []
    for parsed in tabular.parsed([path], ("user", "item", "rating"), delimiter, needs_rating=True):
        found += pairs(parsed)
    wanted = [(u.encode(), i.encode(), float(np.float32(float(r)))) for u, i, r in rows if u and i]
    assert found == wanted


def test_every_file_may_begin_with_the_header(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(HEADER + name.encode() + b",1,1,1\n")
    files = [tmp_path / "a", tmp_path / "b"]
    found = [p for parsed in tabular.parsed(files, ("userId", "movieId"), needs_rating=False) for p in pairs(parsed)]
    assert [user for user, _, _ in found] == [b"a", b"b"]
    assert [b.line for b in blocks(files)] == [1, 1]


@pytest.mark.parametrize(
    ("columns", "code"),
    [("userId", codes.BAD_COLUMNS), ("userId,userId", codes.BAD_COLUMNS), ("userId,film", codes.NO_COLUMN),
     ("1,9", codes.NO_COLUMN), ("0,1", codes.NO_COLUMN), ("1,2,3,4,5", codes.BAD_COLUMNS)],
)  # fmt: skip
def test_columns_that_are_not_there(columns: str, code: object) -> None:
    with pytest.raises(Stop) as stopped:
        parse(HEADER, columns)
    assert stopped.value.diagnostics[0].code is code
