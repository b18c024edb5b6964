"""Baselines against their definitions, written with dense matrices: popularity, groups, item-kNN, EASE both ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nnlang.diagnostics import MEMORY, Stop
from nnlang.runtime import baselines, ease, gram
from nnlang.runtime.baselines import GroupPopularity, Ranker, first_unseen, item_counts, item_knn, popularity
from nnlang.runtime.ease import ItemEase, UserEase
from nnlang.runtime.gram import gram_blocks, transposed
from nnlang.runtime.metrics import Ints, Rows
from tests.test_metrics import rows

Matrix = NDArray[np.float64]


def drawn(users: int, items: int, seed: int = 0, share: float = 0.3) -> tuple[Matrix, Rows]:
    """Indicators as a matrix and as rows; user 0 has nothing, item 1 nobody has."""
    x = (np.random.default_rng(seed).random((users, items)) < share).astype(np.float64)
    x[0], x[:, 1] = 0, 0
    return x, rows(*(np.flatnonzero(user).tolist() for user in x))


def lists_of(ranker: Ranker, known: Rows, k: int, batch: int = 1000) -> Ints:
    return np.concatenate(list(ranker.ranked(known, k, batch)))


def best(scores: Matrix, x: Matrix, k: int) -> list[list[int]]:
    """The best k of each row that it does not have, ties to the lower number, by sorting."""
    found = []
    for row, own in zip(scores, x, strict=True):
        order = sorted(np.flatnonzero(own == 0).tolist(), key=lambda item: (-row[item], item))[:k]
        found.append(order + [-1] * (k - len(order)))
    return found


def test_popularity_leaves_out_what_a_user_has_seen() -> None:
    train = rows([1, 2, 3], [1, 2], [1, 4])
    known = rows([1, 2], [], [0, 1, 2, 3, 4], [4, 1, 4])
    found = lists_of(popularity(train, 5), known, 3)
    assert found.tolist() == [[3, 4, 0], [1, 2, 3], [-1, -1, -1], [2, 3, 0]]


@given(st.lists(st.lists(st.integers(0, 8), max_size=12), min_size=1, max_size=6), st.integers(1, 12), st.randoms())
def test_first_unseen_equals_going_down_the_order(lists: list[list[int]], k: int, random: object) -> None:
    order = np.random.default_rng(len(lists)).permutation(7)  # 7 and 8 are no items of this order
    found = first_unseen(order, rows(*lists), k)
    for known, got in zip(lists, found.tolist(), strict=True):
        left = [item for item in order.tolist() if item not in known][:k]
        assert got == left + [-1] * (k - len(left))


def test_batches_do_not_show() -> None:
    _, train = drawn(40, 25)
    groups = np.arange(40) % 3 - 1
    rankers = [
        popularity(train, 25), item_knn(train, 25, 5, 2.0),
        ease.ease(train, 25, 3.0), ease.ease(train, 25, 3.0, by="users"),
        GroupPopularity(train, item_counts(train, 25), groups, groups),
    ]  # fmt: skip
    for ranker in rankers:
        whole = lists_of(ranker, train, 6)
        assert lists_of(ranker, train, 6, batch=7).tolist() == whole.tolist()
        assert [len(part) for part in ranker.ranked(train, 6, 16)] == [16, 16, 8]


def test_group_popularity_is_that_of_ones_own_group(monkeypatch: pytest.MonkeyPatch) -> None:
    train = rows([0, 1], [1], [1, 2], [3], [3, 4])
    of_train, of_users = np.array([0, 0, 0, 1, 1]), np.array([0, 1, -1, 5, 0])
    ranker = GroupPopularity(train, item_counts(train, 6), of_train, of_users)
    known = rows([1], [], [], [], [0, 1, 2, 3])
    expected = [
        [0, 2, 3, 4],  # 0 and 2 once in the group; then by all: 3 twice, 4 once
        [3, 4, 1, 0],
        [1, 3, 0, 2],  # no group: what is popular overall
        [1, 3, 0, 2],  # a group without training users
        [4, 5, -1, -1],
    ]
    assert lists_of(ranker, known, 4).tolist() == expected
    monkeypatch.setattr(baselines, "_ORDERS", 0)
    again = GroupPopularity(train, item_counts(train, 6), of_train, of_users)
    assert lists_of(again, known, 4, batch=2).tolist() == expected


@pytest.mark.parametrize("pairs", [1, 50, 1 << 20])
def test_gram_blocks_count_users_in_common(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    x, train = drawn(30, 17)
    monkeypatch.setattr(gram, "_BLOCK", 17 * 4)
    monkeypatch.setattr(gram, "_PAIRS", pairs)
    parts = list(gram_blocks(train, 17))
    assert [first for first, _ in parts] == [0, 4, 8, 12, 16]
    assert (np.concatenate([part for _, part in parts]) == x.T @ x).all()
    users = transposed(train, 17)
    assert (np.concatenate([part for _, part in gram_blocks(users, 30)]) == x @ x.T).all()
    assert transposed(rows([0, 9], [9]), 5).start.tolist() == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("neighbours", "shrink"), [(4, 0.0), (4, 10.0), (100, 3.0)])
def test_item_knn_equals_the_dense_form(neighbours: int, shrink: float) -> None:
    x, train = drawn(60, 22, seed=3)
    norms = np.sqrt((x**2).sum(axis=0))
    near = x.T @ x / np.maximum(np.outer(norms, norms) + shrink, 1e-300)
    np.fill_diagonal(near, 0)
    kept = np.zeros_like(near)
    for target in range(22):  # an item keeps its most similar ones
        chosen = sorted(range(22), key=lambda item: (-near[target, item], item))[:neighbours]
        kept[chosen, target] = near[target, chosen].astype(np.float32)
    assert lists_of(item_knn(train, 22, neighbours, shrink), train, 8).tolist() == best(x @ kept, x, 8)


def closed_form(x: Matrix, lambda_: float) -> Matrix:
    """B of Steck 2019, equation 8, by a plain inverse."""
    inverse = np.linalg.inv(x.T @ x + lambda_ * np.eye(x.shape[1]))
    weights = np.eye(x.shape[1]) - inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("by", ["items", "users"])
@pytest.mark.parametrize(("users", "items"), [(60, 20), (20, 60), (35, 35)])
def test_ease_equals_the_closed_form_to_1e_8(users: int, items: int, by: str) -> None:
    x, train = drawn(users, items, seed=users)
    for lambda_ in (0.5, 20.0, 1000.0):
        found = ease.ease(train, items, lambda_, by=by)
        assert isinstance(found, ItemEase if by == "items" else UserEase)
        expected = x @ closed_form(x, lambda_)
        assert np.abs(found.scores(train).numpy() - expected).max() < 1e-8
        stranger = rows([0, 2, 5], [], [3])  # fold-in of users who did not train
        y = np.zeros((3, items))
        y[0, [0, 2, 5]] = y[2, 3] = 1
        assert np.abs(found.scores(stranger).numpy() - y @ closed_form(x, lambda_)).max() < 1e-8
        assert lists_of(found, train, 5).tolist() == best(found.scores(train).numpy(), x, 5)


def test_ease_takes_the_smaller_side_and_needs_no_order_or_uniqueness() -> None:
    x, train = drawn(12, 30)
    assert isinstance(ease.ease(train, 30, 1.0), UserEase)
    assert isinstance(ease.ease(train, 8, 1.0), ItemEase)  # entries of items from 8 on are left out
    tangled = rows(*([*reversed(np.flatnonzero(user).tolist())] * 2 for user in x))
    one, other = (ease.ease(rows_, 30, 1.0).scores(train) for rows_ in (tangled, train))
    assert float((one - other).abs().max()) < 1e-12


@pytest.mark.parametrize("by", ["items", "users"])
def test_nothing_to_learn_from_ranks_by_number(by: str) -> None:
    nothing, known = rows([], []), rows([0], [])
    for ranker in (ease.ease(nothing, 4, 1.0, by=by), item_knn(nothing, 4), popularity(nothing, 4)):
        assert lists_of(ranker, known, 2).tolist() == [[1, 2], [0, 1]]


def test_ease_in_float32_ranks_nearly_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    _, train = drawn(300, 40, seed=4)
    exact = {by: ease.ease(train, 40, 50.0, by=by) for by in ("items", "users")}
    monkeypatch.setattr(ease, "DOUBLE_MOST", 10)
    for by, one in exact.items():
        single = ease.ease(train, 40, 50.0, by=by)
        assert str(single.scores(train).dtype) == "torch.float32"
        assert float((single.scores(train) - one.scores(train)).abs().max()) < 1e-4


def test_ease_without_memory_is_told_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "available_memory", lambda: 1000)
    with pytest.raises(Stop, match="NN764") as stop:
        ease.ease(drawn(30, 17)[1], 17, 1.0)
    assert stop.value.exit_code == MEMORY
    assert ease.needed_memory(27278) == 4 * 4 * 27278**2 // 3
    assert ease.needed_memory(12000, several=True) == 10 * 8 * 12000**2 // 3


@pytest.mark.parametrize("side", [0, 1, 5, 97])
def test_inverses_by_halves_are_inverses(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "_LEAF", 4)
    x = np.random.default_rng(side).random((side, side))
    matrix = x @ x.T + np.eye(side)
    found = torch.from_numpy(matrix.copy())
    ease._invert(found)
    assert np.abs(found.numpy() @ matrix - np.eye(side)).max(initial=0.0) < 1e-9


@pytest.mark.parametrize("by", ["items", "users"])
@pytest.mark.parametrize(("double_most", "lambda_"), [(10, 1e-7), (10, 1e39), (1000, 1e-30)])
def test_a_lambda_that_rounding_drowns_is_refused(
    by: str, double_most: int, lambda_: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _ = drawn(300, 40)
    x[:, 7], x[:, 8:30] = x[:, 6], x[:, 30:39].repeat(3, axis=1)[:, :22]  # items of the same users: no inverse without
    monkeypatch.setattr(ease, "DOUBLE_MOST", double_most)
    with pytest.raises(Stop, match=r"NN703.*--ease-lambda"):
        ease.ease(rows(*(np.flatnonzero(user).tolist() for user in x)), 40, lambda_, by=by)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_lambda_tried_is_a_function_of_data_and_seed(seed: int) -> None:
    _, train = drawn(25, 12, seed=seed % 7)
    first = ease.tried(train, 12, 5, seed)
    assert first in ease.LAMBDAS
    assert ease.tried(train, 12, 5, seed) == first


def test_small_data_are_tried_and_large_ones_take_the_known_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    _, train = drawn(25, 12)
    assert ease.suited(train, 12, 5, 1) == ease.tried(train, 12, 5, 1)
    monkeypatch.setattr(ease, "TRIED_MOST", 11)
    assert ease.suited(train, 12, 5, 1) == ease.LAMBDA
    assert ease.tried(rows([1], [2]), 12, 5, 1) == ease.LAMBDA  # nothing to hold out
