"""Metrics against a plain loop, the split, and the popularity baseline."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnlang.runtime.metrics import Rows, holdout, popularity, score


def rows(*lists: list[int]) -> Rows:
    start = np.cumsum([0, *(len(one) for one in lists)])
    return Rows(start.astype(np.int64), np.array([f for one in lists for f in one], dtype=np.int64))


lists_of_features = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=5)


@given(lists_of_features, st.data(), st.booleans())
def test_scores_equal_a_plain_loop(relevant: list[list[int]], data: st.DataObject, truncate: bool) -> None:
    k = 4
    ranked = [data.draw(st.permutations(range(10)))[: data.draw(st.integers(0, k))] for _ in relevant]
    padded = np.array([[*r, *[-1] * (k - len(r))] for r in ranked], dtype=np.int64)
    got = score(padded, rows(*relevant), 10, truncate=truncate)
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


def test_popularity_leaves_out_what_a_user_has_seen() -> None:
    train = rows([1, 2, 3], [1, 2], [1, 4])
    ranked = popularity(train, rows([1, 2], [], [0, 1, 2, 3, 4]), 5, 3)
    assert ranked.tolist() == [[3, 4, 0], [1, 2, 3], [-1, -1, -1]]


def test_take_reorders_users() -> None:
    taken = rows([1, 2], [], [3]).take(np.array([2, 0, 1]))
    assert taken.start.tolist() == [0, 1, 3, 3]
    assert taken.index.tolist() == [3, 1, 2]
