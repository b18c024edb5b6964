"""Text signals against known labels, and what filter files do to scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nnlang.runtime.filters import FilterMode, read_filter
from nnlang.runtime.metrics import Rows
from nnlang.runtime.signals import Signals, read_signals, vocabulary
from nnlang.runtime.vocabulary import Vocabulary

LABELS = ("a", "b", "", "c")
GONE = float("-inf")


def lists(rows: Rows) -> list[list[int]]:
    return [rows.index[a:b].tolist() for a, b in zip(rows.start[:-1], rows.start[1:], strict=True)]


def signals(folder: Path, text: str, **options: bool) -> Signals:
    path = folder / "signals"
    path.write_text(text)
    return read_signals(path, vocabulary(LABELS), **options)


def test_samples_stand_in_order_of_first_appearance_and_the_last_line_counts(tmp_path: Path) -> None:
    found = signals(tmp_path, "z\ta:b\ny\tc\n\nz\tc:a\nx\t\n")
    assert found.samples == ("z", "y", "x")
    assert lists(found.rows) == [[3, 0], [3], []]


def test_unknown_features_are_counted_and_one_is_named(tmp_path: Path) -> None:
    found = signals(tmp_path, "u\ta:nope:b\nv\tnope,3:other\n")
    assert (found.entries, found.unknown, found.example) == (5, 3, "nope")
    assert lists(found.rows) == [[0, 1], []]


def test_values_are_kept_where_asked_for(tmp_path: Path) -> None:
    found = signals(tmp_path, "u\ta,2.5:x,9:b\n", values=True)
    assert found.rows.values is not None
    assert found.rows.values.tolist() == [2.5, 0.0]


def test_bad_lines_are_listed_and_left_out(tmp_path: Path) -> None:
    found = signals(tmp_path, "no tab\nu\ta\n")
    assert found.samples == ("u",)
    assert [(line, count) for _, line, _ in found.bad for count in [found.bad_count]] == [(1, 1)]


def test_samples_without_lines_have_empty_rows(tmp_path: Path) -> None:
    path = tmp_path / "filter"
    path.write_text("w\ta\nv\tb:c\n")
    found = read_signals(path, vocabulary(LABELS), samples=Vocabulary([b"u", b"v"]))
    assert lists(found.rows) == [[], [1, 3]]
    assert found.entries == 2


def test_add_numbers_new_features_after_the_known(tmp_path: Path) -> None:
    known = vocabulary(LABELS)
    path = tmp_path / "text"
    path.write_text("u\tnew:a:newer\n")
    assert lists(read_signals(path, known, add=True).rows) == [[4, 0, 5]]


def filtered(folder: Path, text: str, mode: FilterMode) -> list[list[float]]:
    path = folder / "filter"
    path.write_text(text)
    found, _ = read_filter(path, vocabulary(LABELS), Vocabulary([b"u", b"v"]), mode)
    scores = torch.full((2, 4), 0.5)
    found.apply(scores, 0)
    return scores.tolist()


@pytest.mark.parametrize("text", ["v\ta:c\n", "v\ta,1:c,0.5\n", "v\ta,1112486027:c,1094785740\n", "v\tb\nv\ta:c\n"])
def test_remove_looks_at_no_value(tmp_path: Path, text: str) -> None:
    assert filtered(tmp_path, text, FilterMode.REMOVE) == [[0.5] * 4, [GONE, 0.5, 0.5, GONE]]


def test_scale_multiplies_and_removes_at_zero_or_without_value(tmp_path: Path) -> None:
    scores = filtered(tmp_path, "u\ta,2:b,0\nv\tc:nope,3\n", FilterMode.SCALE)
    assert scores == [[1.0, GONE, 0.5, 0.5], [0.5, 0.5, 0.5, GONE]]


def test_scale_counts_a_feature_once(tmp_path: Path) -> None:
    assert filtered(tmp_path, "u\ta,2:a,3\n", FilterMode.SCALE)[0] == [1.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(("value", "times"), [("1112486027", True), ("0.5", False)])
def test_times_are_noticed(tmp_path: Path, value: str, times: bool) -> None:
    path = tmp_path / "filter"
    path.write_text(f"u\ta,{value}\n")
    found, _ = read_filter(path, vocabulary(LABELS), Vocabulary([b"u"]), FilterMode.SCALE)
    assert found.has_times is times


def test_apply_takes_the_rows_of_its_batch(tmp_path: Path) -> None:
    path = tmp_path / "filter"
    path.write_text("u\ta\nv\tb\n")
    found, _ = read_filter(path, vocabulary(LABELS), Vocabulary([b"u", b"v"]), FilterMode.REMOVE)
    scores = torch.zeros(1, 4)
    found.apply(scores, 1)
    assert np.isneginf(scores.numpy()).tolist() == [[False, True, False, False]]
