"""Metrics against plain Python written from the definitions, the holdout, and rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.measures import Metric, metric
from nnlang.runtime.metrics import PER_USER, Rows, holdout, mean_of, novelty, per_user, score


def rows(*lists: list[int]) -> Rows:
    start = np.cumsum([0, *(len(one) for one in lists)])
    return Rows(start.astype(np.int64), np.array([f for one in lists for f in one], dtype=np.int64))


def padded(lists: list[list[int]], width: int) -> np.ndarray:
    return np.array([[*one, *[-1] * (width - len(one))] for one in lists], dtype=np.int64).reshape(len(lists), width)


def named(text: str) -> Metric:
    found = metric(text)
    assert isinstance(found, Metric)
    return found


def plainly(name: str, k: int, ranked: list[int], relevant: list[int]) -> float:
    """A measure of one list, term by term as docs/evaluation.md writes it."""
    wanted, listed = set(relevant), ranked[:k]
    right = [item in wanted and item not in listed[:place] for place, item in enumerate(listed)]
    size, most = len(wanted), min(k, len(wanted))
    if name == "precision":
        return sum(right) / k
    if name == "recall":
        return sum(right) / size
    if name == "recall_min":
        return sum(right) / most
    if name == "ndcg":
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(right) if hit)
        return gain / sum(1 / math.log2(place + 2) for place in range(most))
    if name == "map":
        return sum(sum(right[: place + 1]) / (place + 1) for place, hit in enumerate(right) if hit) / most
    if name == "mrr":
        return next((1 / (place + 1) for place, hit in enumerate(right) if hit), 0.0)
    assert name == "hit"
    return float(any(right))


lists_of_features = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5)
KS = (1, 2, 3, 5, 12)  # 12 is beyond the ten items that there are


@given(lists_of_features, st.data())
def test_every_measure_equals_plain_python(relevant: list[list[int]], data: st.DataObject) -> None:
    width = data.draw(st.integers(0, 10))
    ranked = [data.draw(st.lists(st.integers(0, 9), max_size=width)) for _ in relevant]  # doubled items too
    asked = [named(f"{name}@{k}") for name in PER_USER for k in KS]
    got = per_user(padded(ranked, width), rows(*relevant), asked)
    assert list(got) == [str(one) for one in asked]
    for one in asked:
        for user, wanted in enumerate(relevant):
            value = got[str(one)][user]
            if not wanted:
                assert math.isnan(value)
            else:
                expected = plainly(one.measure.name, one.k or 0, ranked[user], wanted)
                assert value == pytest.approx(expected, abs=1e-12), (str(one), ranked[user], wanted)


@given(lists_of_features, st.data(), st.booleans())
def test_scores_equal_a_plain_loop(relevant: list[list[int]], data: st.DataObject, truncate: bool) -> None:
    k = 4
    ranked = [data.draw(st.permutations(range(10)))[: data.draw(st.integers(0, k))] for _ in relevant]
    got = score(padded(ranked, k), rows(*relevant), 10, truncate=truncate)
    judged = [(r, set(t)) for r, t in zip(ranked, relevant, strict=True) if t]
    assert got.users == len(judged)
    for n in range(1, k + 1):
        precision = recall = ndcg = 0.0
        for r, wanted in judged:
            right = [f in wanted for f in r[:n]]
            ideal = min(n, len(wanted)) if truncate else len(wanted)
            precision += sum(right) / n / len(judged)
            recall += sum(right) / len(wanted) / len(judged)
            gain = sum(1 / math.log2(i + 2) for i, hit in enumerate(right) if hit)
            ndcg += gain / sum(1 / math.log2(i + 2) for i in range(ideal)) / len(judged)
        assert math.isclose(got.precision[n - 1], precision, abs_tol=1e-12)
        assert math.isclose(got.recall[n - 1], recall, abs_tol=1e-12)
        assert math.isclose(got.ndcg[n - 1], ndcg, abs_tol=1e-12)


def test_coverage_counts_distinct_features() -> None:
    ranked = np.array([[0, 1], [1, -1]], dtype=np.int64)
    assert score(ranked, rows([0], [1]), 8).coverage == 0.25


def test_novelty_is_the_mean_surprise_of_a_list() -> None:
    ranked = np.array([[0, 1, 2], [1, -1, -1], [-1, -1, -1]], dtype=np.int64)
    found = novelty(ranked, np.array([8, 2, 0]), 8, 2)
    assert found[:2].tolist() == [1.0, 2.0]  # -log2(8/8) = 0 and -log2(2/8) = 2; nobody's item counts as one user's
    assert math.isnan(found[2])
    assert novelty(ranked[:1], np.array([8, 2, 0]), 8, 3).tolist() == pytest.approx([(0 + 2 + 3) / 3])


def test_means_leave_out_users_without_a_value() -> None:
    assert mean_of(np.array([1.0, np.nan, 2.0])) == 1.5
    assert math.isnan(mean_of(np.array([np.nan])))


@given(lists_of_features)
def test_distinct_keeps_the_last_value_of_each_feature(lists: list[list[int]]) -> None:
    plain = rows(*lists)
    one = Rows(plain.start, plain.index, np.arange(len(plain.index), dtype=np.float32)).distinct()
    assert one.values is not None
    position = 0
    for user, wanted in enumerate(lists):
        last = {feature: position + i for i, feature in enumerate(wanted)}
        position += len(wanted)
        mine = slice(one.start[user], one.start[user + 1])
        assert dict(zip(one.index[mine].tolist(), one.values[mine].tolist(), strict=True)) == last


@given(st.lists(st.integers(0, 30), min_size=1, max_size=10), st.integers(0, 5))
def test_holdout_takes_a_fifth_and_at_least_one_of_two(sizes: list[int], seed: int) -> None:
    whole = rows(*[list(range(n)) for n in sizes])
    kept, held = holdout(whole, 0.2, seed)
    for user, size in enumerate(sizes):
        out = held.index[held.start[user] : held.start[user + 1]].tolist()
        stay = kept.index[kept.start[user] : kept.start[user + 1]].tolist()
        assert sorted(out + stay) == list(range(size))
        assert len(out) == (max(1, round(size * 0.2)) if size >= 2 else 0)
    again = holdout(whole, 0.2, seed)[1]
    assert again.index.tolist() == held.index.tolist()


def test_take_reorders_users() -> None:
    taken = rows([1, 2], [], [3]).take(np.array([2, 0, 1]))
    assert taken.start.tolist() == [0, 1, 3, 3]
    assert taken.index.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ndcg@0", "lists are from 1 to 10,000 long, as in `ndcg@100`"),
        ("ndcg@", "lists are from 1 to 10,000 long, as in `ndcg@100`"),
        ("recall@10001", "lists are from 1 to 10,000 long"),
        ("recall@999999", "lists are from 1 to 10,000 long"),
        ("auc@3", "`auc` is not counted at a length of list"),
        ("auc@", "`auc` is not counted at a length of list"),
        ("ndgc@10", "it takes a measure such as ndcg@100"),
        ("", "it takes a measure such as ndcg@100"),
    ],
)
def test_what_is_no_metric_is_told_by_its_own_mistake(text: str, words: str) -> None:
    found = metric(text)
    assert isinstance(found, str)
    assert found.startswith(words)
