"""Index files: DSSTNE's facts (dsstne.md 15.2), what is refused, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.diagnostics import Stop
from nnlang.runtime import indexfile
from nnlang.runtime.vocabulary import Vocabulary

FIVE = b"110510\t26743\n121019\t26740\n121017\t26739\n106401\t26736\n104307\t26734\n"
LABEL = st.binary(min_size=1, max_size=30).filter(lambda b: not set(b) & set(b"\t\n\r\0"))


def test_the_file_of_dsstnes_test(tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_bytes(FIVE)
    found = indexfile.read(path)
    assert len(found) == 5
    assert dict(found.items())[b"110510"] == 26743
    assert found.size == 26744
    assert indexfile.read_labels(path)[26734] == "104307"
    assert indexfile.read_labels(path)[0] == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"110510\t7\n", "label stands on line 1"),
        (b"new\t26743\n", "number stands on line 1"),
        (b"\t7\n", "label is empty"),
        (b"no tab\n", "two fields"),
        (b"a\t7\tmore\n", "two fields"),
        (b"\n", "two fields"),
        (b"a\t-7\n", "not a number"),
        (b"a\tx\n", "not a number"),
        (b"a\t\n", "not a number"),
        (b"a\t9999999999\n", "not a number"),
        (b"a\t0x7\n", "not a number"),
        (b"a\t2000000000\n", "far too large"),
        ("a\t٣\n".encode(), "not a number"),
        (b"a\0b\t7\n", "NUL"),
    ],
)
def test_bad_lines_are_told_with_their_number(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "index"
    path.write_bytes(FIVE + line)
    with pytest.raises(Stop) as stopped:
        indexfile.read(path)
    found = stopped.value.diagnostics[0]
    assert found.code is codes.BAD_INDEX_LINE
    assert str(found.place).endswith("index:6")
    assert reason in found.message


def test_marks_and_carriage_returns_are_no_part_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_bytes(b"\xef\xbb\xbfa\t0\r\nb\t1\r\n")
    assert indexfile.read_labels(path) == ("a", "b")


@example(labels=[b"\xef\xbb\xbf"])
@given(labels=st.lists(LABEL, min_size=1, max_size=20, unique=True))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, labels: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("index") / "index"
    indexfile.write(path, Vocabulary(labels))
    found = indexfile.read(path)
    assert [label for label, _ in found.items()] == labels
    assert indexfile.text(found) == path.read_bytes()
