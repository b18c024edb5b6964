"""The demo's sample: the same from the same seed, and with tastes that a model can find."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnlang.runtime.convert import Request, convert
from nnlang.runtime.sample import Sample, taste_groups


def test_the_seed_says_all() -> None:
    first, again, other = (taste_groups(100, 200, 2000, seed=s) for s in (1, 1, 2))
    assert list(first.lines()) == list(again.lines())
    assert list(first.lines()) != list(other.lines())


def test_sizes_and_names() -> None:
    sample = taste_groups()
    assert (len(sample.users), len(sample.items)) == (2000, 3000)
    assert abs(len(sample.index) - 100_000) < 1000
    assert (sample.users[0], sample.items[0], sample.items[12]) == ("u0001", "jazz-001", "jazz-002")
    assert len(set(sample.items)) == 3000
    counts = np.diff(sample.offsets)
    assert counts.min() >= 10
    for u in range(0, 2000, 100):
        taken = sample.index[sample.offsets[u] : sample.offsets[u + 1]]
        assert (np.diff(taken) > 0).all()


def test_the_text_converts(tmp_path: Path) -> None:
    sample = taste_groups(50, 100, 1000, groups=4)
    sample.write(tmp_path / "text")
    done = convert(Request("gl", tmp_path / "text", tmp_path / "gl.nc", tmp_path / "f", tmp_path / "s", create=True))
    assert (done.samples, done.entries, done.notices) == (50, len(sample.index), ())


def _precision(hidden: np.ndarray, score: np.ndarray, seen: np.ndarray) -> float:
    best = np.argsort(-np.where(seen, -1.0, score), axis=1, kind="stable")[:, :10]
    return float(np.take_along_axis(hidden, best, 1).mean())


def _table(sample: Sample) -> np.ndarray:
    table = np.zeros((len(sample.users), len(sample.items)), bool)
    table[np.repeat(np.arange(len(sample.users)), np.diff(sample.offsets)), sample.index] = True
    return table


def test_tastes_beat_popularity() -> None:
    """Neighbours of items find what was held out at least twice as often as popularity does."""
    sample = taste_groups(800, 800, 30_000)
    table = _table(sample)
    hidden = table & (np.random.default_rng(0).random(table.shape) < 0.2)
    seen = table & ~hidden
    known = seen.astype(np.float32)
    together = known.T @ known
    size = np.sqrt(np.maximum(1, np.diag(together)))
    near = together / size / size[:, None]
    np.fill_diagonal(near, 0)
    popular = _precision(hidden, np.broadcast_to(known.sum(0), known.shape), seen)
    assert _precision(hidden, known @ near, seen) > 2 * popular
