"""Bootstrap intervals: that they hold what they promise, on drawn data, and do not hang on how they are computed."""

from __future__ import annotations

import numpy as np
import pytest

from nnlang.runtime import intervals
from nnlang.runtime.intervals import Resampling, interval_of, resampled_means, two_sided


def test_intervals_cover_the_true_mean_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    covered, experiments = 0, 400
    for number in range(experiments):
        values = random.gamma(0.7, 1.0, (200, 1))  # as skewed as NDCG of many users; its mean is 0.7
        found = interval_of(resampled_means(values, Resampling(300, seed=number))[:, 0], 0.95)
        covered += found.low <= 0.7 <= found.high
    assert 0.91 <= covered / experiments <= 0.975


def test_p_is_small_as_often_as_it_says_where_nothing_differs() -> None:
    random = np.random.default_rng(6)
    ps = []
    for number in range(400):
        differences = resampled_means(random.standard_normal((150, 1)), Resampling(300, seed=number))[:, 0]
        ps.append(two_sided(differences))
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.09
    assert 0.15 <= np.mean(np.array(ps) <= 0.2) <= 0.27


def test_means_are_those_of_the_users_drawn() -> None:
    values = np.random.default_rng(1).random((7, 2))
    random = np.random.default_rng(3)
    expected = [values[random.integers(0, 7, 7)].mean(axis=0) for _ in range(20)]
    assert resampled_means(values, Resampling(20, seed=3)) == pytest.approx(np.array(expected), abs=1e-12)


def test_users_without_a_value_are_drawn_and_not_counted() -> None:
    values = np.array([[1.0, 5.0], [np.nan, 5.0], [3.0, 5.0], [2.0, 5.0]])
    random = np.random.default_rng(0)
    drawn = [values[random.integers(0, 4, 4), 0] for _ in range(50)]
    got = resampled_means(values, Resampling(50, seed=0))
    expected = [np.nan if np.isnan(one).all() else np.nanmean(one) for one in drawn]
    assert got[:, 0] == pytest.approx(np.array(expected), abs=1e-12, nan_ok=True)
    assert (got[:, 1] == 5.0).all()


def test_neither_blocks_nor_threads_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).random((1000, 3))
    whole = resampled_means(values, Resampling(64, seed=9))
    monkeypatch.setattr(intervals, "_BLOCK", 7000)
    assert resampled_means(values, Resampling(64, seed=9)).tobytes() == whole.tobytes()
    one = resampled_means(values[:, 1:2], Resampling(64, seed=9))
    assert one[:, 0].tobytes() == whole[:, 1].tobytes()  # a column's numbers hang on no other column
    assert np.abs(whole.mean(axis=0) - values.mean(axis=0)).max() < 0.01


def test_equal_values_have_an_interval_of_no_width() -> None:
    found = resampled_means(np.full((30, 1), 0.25), Resampling(100))[:, 0]
    assert interval_of(found, 0.95) == intervals.Interval(0.25, 0.25)
    assert two_sided(found - found) == 1.0
    assert two_sided(found) == pytest.approx(2 / 101)


def test_an_interval_of_nothing_is_no_number() -> None:
    found = interval_of(resampled_means(np.full((3, 1), np.nan), Resampling(10))[:, 0], 0.95)
    assert np.isnan(found.low)
    assert np.isnan(found.high)
