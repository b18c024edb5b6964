"""The text form against a plain reader of lines, on any bytes and any division into blocks."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Stop
from nnlang.runtime import blocks, textdata
from nnlang.runtime.numerals import numbers
from nnlang.runtime.textdata import NO_SAMPLE, NO_TAB, NOT_A_NUMBER, NUL, SECOND_TAB
from nnlang.runtime.vocabulary import PADDING, Vocabulary

Line = tuple[bytes, list[tuple[bytes, float]]]


def plain(data: bytes, values: bool) -> tuple[list[Line], list[tuple[int, int]]]:
    """The good lines and the bad ones, as dsstne.md 8.6 says it, character by character."""
    good, bad = [], []
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = raw.removesuffix(b"\r")
        if not line:
            continue
        sample, tab, rest = line.partition(b"\t")
        points = [p.split(b",") for p in rest.split(b":")]
        found = [(p[0], _number(p[1]) if len(p) > 1 and p[1] else 0.0) for p in points if p[0]]
        if b"\0" in line:
            bad.append((number, NUL))
        elif not tab:
            bad.append((number, NO_TAB))
        elif b"\t" in rest:
            bad.append((number, SECOND_TAB))
        elif not sample:
            bad.append((number, NO_SAMPLE))
        elif values and any(math.isnan(v) for _, v in found):
            bad.append((number, NOT_A_NUMBER))
        else:
            good.append((sample, found))
    return good, bad


def _number(piece: bytes) -> float:
    try:
        number = float(piece) if b"_" not in piece else math.nan
    except ValueError:
        return math.nan
    with np.errstate(over="ignore"):
        return number if math.isfinite(np.float32(number)) else math.nan


def read(path: Path, values: bool, size: int) -> tuple[list[Line], list[tuple[int, int]]]:
    good: list[Line] = []
    bad: list[tuple[int, int]] = []
    for block in blocks.blocks([path], size):
        parsed = textdata.parse(block, values=values)
        bad += parsed.bad
        text = parsed.text.tobytes()
        for i, (start, length) in enumerate(zip(parsed.sample_start, parsed.sample_length, strict=True)):
            points = range(parsed.offsets[i], parsed.offsets[i + 1])
            labels = [text[parsed.start[p] : parsed.start[p] + parsed.length[p]] for p in points]
            numbers = [0.0 if parsed.values is None else float(parsed.values[p]) for p in points]
            good.append((text[start : start + length], list(zip(labels, numbers, strict=True))))
    return good, bad


PIECE = st.sampled_from(
    [b"a", b"b", b"longer than eight", b"1", b"-2.5", b"1e3", b"1e99", b".", b"nan", b"0x1", b"", b"7_0"]
)
TEXT = st.lists(st.sampled_from([b"\t", b":", b",", b"\n", b"\r", b"\r\n", b"\0"]) | PIECE, max_size=40).map(b"".join)


@example(data=b"", values=False, size=5)
@example(data=b"\r", values=False, size=5)
@example(data=b"\ta,\r\t", values=True, size=1)
@example(data=b"u\ta,1:b,2:,3::c\n\nx:y,z\ta\r\n", values=True, size=5)
@given(data=TEXT, values=st.booleans(), size=st.integers(1, 50))
def test_blocks_read_as_lines_do(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, values: bool, size: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "text"
    path.write_bytes(data)
    good, bad = read(path, values, size)
    wanted, wrong = plain(data, values)
    assert [(s, [(f, np.float32(v) if values else 0.0) for f, v in p]) for s, p in wanted] == good
    assert wrong == bad


@given(st.lists(st.floats().map(repr) | st.integers().map(str) | st.from_regex(r"\A[-+0-9.eE_]{0,20}\Z"), min_size=1))
def test_numbers_are_pythons(pieces: list[str]) -> None:
    spelled = [p.encode() for p in pieces]
    length = np.array([len(p) for p in spelled])
    text = np.frombuffer(b"".join(spelled) + bytes(PADDING), np.uint8)
    value, good = numbers(text, np.cumsum(length) - length, length)
    for piece, found, is_good in zip(pieces, value.tolist(), good.tolist(), strict=True):
        wanted = _double(piece)
        assert is_good == math.isfinite(wanted)
        if is_good:
            assert (found, math.copysign(1, found)) == (wanted, math.copysign(1, wanted))


def _double(piece: str) -> float:
    try:
        return float(piece) if "_" not in piece else math.nan
    except ValueError:
        return math.nan


LABELS = st.lists(st.binary(min_size=1, max_size=30).map(lambda b: b.replace(b"\0", b"x")), min_size=1)


@given(given_labels=LABELS, cut=st.integers(1, 10))
def test_labels_are_numbered_as_they_come(given_labels: list[bytes], cut: int) -> None:
    wanted: dict[bytes, int] = {}
    vocabulary = Vocabulary()
    for begin in range(0, len(given_labels), cut):
        labels = given_labels[begin : begin + cut]
        length = np.array([len(label) for label in labels])
        text = np.frombuffer(b"".join(labels) + bytes(PADDING), np.uint8)
        start = np.cumsum(length) - length
        before = vocabulary.numbers(text, start, length, add=False).tolist()
        assert before == [wanted.get(label, -1) for label in labels]
        after = vocabulary.numbers(text, start, length, add=True).tolist()
        assert after == [wanted.setdefault(label, len(wanted)) for label in labels]
    assert vocabulary.items() == list(wanted.items())


def test_many_labels_with_common_beginnings() -> None:
    labels = [b"a common beginning of %d" % (i * 7919) for i in range(20_000)]
    vocabulary = Vocabulary(labels)
    length = np.array([len(label) for label in labels])
    text = np.frombuffer(b"".join(labels) + bytes(PADDING), np.uint8)
    assert vocabulary.numbers(text, np.cumsum(length) - length, length, add=False).tolist() == list(range(20_000))


def test_packed_text_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"v\tb\n"))
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfu\ta")
    (tmp_path / ".hidden").write_bytes(b"w\tc\n")
    (tmp_path / "folder").mkdir()
    found = [b.data for b in blocks.blocks(blocks.inputs(tmp_path))]
    assert found == [b"u\ta\n", b"v\tb\n"]


def test_line_numbers_go_on_over_blocks(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"u\ta\n" * 10 + b"bad\n" + b"u\ta\n" * 10 + b"worse")
    assert read(path, False, 7)[1] == [(11, NO_TAB), (22, NO_TAB)]


def test_damaged_packing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"u\ta\n" * 1000)[:-9])
    with pytest.raises(Stop) as stopped:
        list(blocks.blocks([path]))
    assert stopped.value.diagnostics[0].code is file_codes.NOT_READABLE


def test_a_line_without_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LINE_LIMIT", 100)
    path = tmp_path / "text"
    path.write_bytes(b"x" * 200)
    with pytest.raises(Stop) as stopped:
        list(blocks.blocks([path], 10))
    assert stopped.value.diagnostics[0].code is codes.LINE_TOO_LONG
