"""Source texts: offsets to lines and columns, whatever the line ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.source import Source, Span

TEXT = "ab\ncd\r\n\nü€\n"


@pytest.mark.parametrize(
    ("offset", "position"),
    [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (5, (2, 3)), (7, (3, 1)), (8, (4, 1)), (9, (4, 2)), (11, (5, 1))],
)
def test_position(offset: int, position: tuple[int, int]) -> None:
    assert Source("x", TEXT).position(offset) == position


def test_lines_come_without_their_ends() -> None:
    assert [Source("x", TEXT).line(n) for n in range(1, 6)] == ["ab", "cd", "", "ü€", ""]


def test_spans_join() -> None:
    assert Span(1, 2).to(Span(5, 7)) == Span(1, 7)


@given(st.text(alphabet="ab\n\r", max_size=30), st.data())
def test_positions_name_the_character(text: str, data: st.DataObject) -> None:
    source = Source("x", text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = source.position(offset)
    assert line == text.count("\n", 0, offset) + 1
    assert column == offset - (text.rfind("\n", 0, offset) + 1) + 1
