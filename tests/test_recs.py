"""Top k with exact ties, and the texts that recommendations are written in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnlang.runtime.recs import (
    NotFinite,
    Precision,
    Top,
    dsstne_writer,
    json_writer,
    parse_precision,
    score_texts,
    top,
    units_text,
)

few_values = st.lists(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, -1.0, float("-inf")]), min_size=7, max_size=7), min_size=1, max_size=6
)


@given(few_values, st.integers(1, 9))
def test_top_is_the_stable_sort_by_score_then_feature(scores: list[list[float]], k: int) -> None:
    found = top(torch.tensor(scores), k)
    for row, features, values in zip(scores, found.feature.tolist(), found.score.tolist(), strict=True):
        wanted = sorted((f for f in range(7) if row[f] != float("-inf")), key=lambda f: (-row[f], f))[:k]
        assert [f for f in features if f >= 0] == wanted
        assert values[: len(wanted)] == [row[f] for f in wanted]
        assert features[len(wanted) :] == [-1] * (min(k, 7) - len(wanted))


def test_top_of_continuous_scores_equals_torch() -> None:
    scores = torch.rand(9, 300, generator=torch.Generator().manual_seed(1))
    values, index = torch.topk(scores, 12)
    found = top(scores, 12)
    assert found.feature.tolist() == index.tolist()
    assert found.score.tolist() == values.tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_top_refuses_what_is_not_finite(bad: float) -> None:
    scores = torch.zeros(3, 4)
    scores[1, 2] = bad
    with pytest.raises(NotFinite) as caught:
        top(scores, 2)
    assert caught.value.row == 1


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30), st.integers(0, 11)
)
def test_score_texts_are_those_of_printf(values: list[float], digits: int) -> None:
    scores = np.array([values * 5], dtype=np.float32)
    form = Precision(4, digits)
    assert score_texts(scores, form).tolist() == [[f"%4.{digits}f" % v for v in scores[0].tolist()]]


@pytest.mark.parametrize(
    ("text", "form"),
    [("4.3f", "%4.3f"), ("%7.5f", "%7.5f"), ("6", "%0.6f"), ("s", None), ("4.3f%s", None), ("4.3d", None), ("٣", None)],
)
def test_precision_is_two_numbers_and_nothing_else(text: str, form: str | None) -> None:
    found = parse_precision(text)
    assert (str(found) if found else None) == form


FOUND = Top(np.array([[2, 0], [1, -1]]), np.array([[0.9994, 0.25], [0.0625, 0]], dtype=np.float32))


def test_dsstne_form_ends_each_pair_with_a_colon() -> None:
    write = dsstne_writer(("a", "b", "c"), Precision())
    assert write(["u 1", "u2"], FOUND) == "u 1\tc,0.999:a,0.250:\nu2\tb,0.062:\n"


def test_json_form_is_one_object_a_line() -> None:
    lines = json_writer(("a", "b", "c"), Precision(0, 6))(["u\x01", "ü"], FOUND).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"sample": "u\x01", "recommendations": [{"feature": "c", "score": 0.9994}, {"feature": "a", "score": 0.25}]},
        {"sample": "ü", "recommendations": [{"feature": "b", "score": 0.0625}]},
    ]


def test_units_are_written_one_line_a_sample() -> None:
    assert units_text(["u"], np.array([[0.5, -1]], dtype=np.float32), Precision(0, 2)) == "u\t0.50\t-1.00\n"
