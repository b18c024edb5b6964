"""Splitting texts and judging models, against what the definition of the measures says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.network import DataFacts
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.evaluate import evaluate, measure, split
from nnlang.runtime.model import Model
from nnlang.source import Source

ITEMS = ("a", "b", "c", "d")
DEFINITION = """{ "Version": 0.8, "Name": "next", "Kind": "FeedForward", "Layers": [
  { "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true },
  { "Kind": "Output", "Type": "FullyConnected", "DataSet": "output", "N": "auto", "Sparse": true } ] }"""


def following() -> Model:
    """A model that recommends the item after each one that a user has: a -> b -> c -> d -> a."""
    facts = {n: DataFacts(n, 4, 4, sparse=True, boolean=True, entries=4) for n in ("input", "output")}
    network = check(Source("next.json", DEFINITION), facts, need_shapes=True).network
    assert network is not None
    after = np.roll(np.eye(4, dtype=np.float32), 1, axis=1) * 4
    return Model(network, {0: after}, {0: np.zeros(4, np.float32)}, labels={"input": ITEMS, "output": ITEMS})


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_perfect_model_beside_popularity(tmp_path: Path) -> None:
    known = write(tmp_path, "known", "u\ta\nv\tb\nw\tb\n")
    held = write(tmp_path, "held", "v\tc\nu\tb\nw\tc:new\nstranger\ta\n")
    found = evaluate(following(), known, held, k=1)
    assert (found.users, found.features, found.k) == (3, 4, 1)
    assert found.model.precision.tolist() == [1.0]
    assert found.model.recall.tolist() == pytest.approx([(1 + 1 + 0.5) / 3])  # `new` can only be missed
    assert found.model.coverage == 0.5
    # The most popular item is b, which v and w have: they get a.
    assert found.popularity.precision.tolist() == pytest.approx([1 / 3])


def test_lists_longer_than_there_are_features(tmp_path: Path) -> None:
    known, held = write(tmp_path, "known", "u\ta\n"), write(tmp_path, "held", "u\tb\n")
    precision = evaluate(following(), known, held, k=9).model.precision
    assert precision.tolist() == pytest.approx([1 / n for n in range(1, 10)])


def test_nothing_to_judge_stops(tmp_path: Path) -> None:
    known, held = write(tmp_path, "known", "u\ta\n"), write(tmp_path, "held", "v\tb\n")
    with pytest.raises(Stop, match="NN464"):
        evaluate(following(), known, held)


def test_split_writes_two_disjoint_texts(tmp_path: Path) -> None:
    ratings = write(tmp_path, "ratings", "u\ta,3:b,4:c,5:d,2:a,1\nv\ta,2\n")
    found = split(ratings, tmp_path / "kept", tmp_path / "held", 0.25, 1, values=True)
    assert (found.users, found.kept, found.held) == (2, 4, 1)
    kept, held = (tmp_path / "kept").read_text(), (tmp_path / "held").read_text()
    points = [point for line in (kept + held).splitlines() for point in line.split("\t")[1].split(":")]
    assert sorted(points) == ["a,1.0", "a,2.0", "b,4.0", "c,5.0", "d,2.0"]
    assert held.startswith("u\t")
    split(ratings, tmp_path / "kept2", tmp_path / "held2", 0.25, 1, values=True)
    assert (tmp_path / "held2").read_text() == held


def data(name: str, *rows: list[int]) -> DataSet:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return sparse_set(name, offsets, [i for row in rows for i in row], width=4)


def test_measure_takes_the_targets_of_each_example() -> None:
    sets = {"input": data("input", [0], [1], [2]), "output": data("output", [1], [2, 3], [])}
    found = measure(following(), sets, k=2, batch=2)
    assert found.users == 2
    assert found.precision.tolist() == pytest.approx([1.0, 0.5])
    assert found.recall.tolist() == pytest.approx([0.75, 0.75])
    ideal = 1 + 1 / np.log2(3)
    assert found.ndcg.tolist() == pytest.approx([(1 + 1 / ideal) / 2] * 2)


@pytest.mark.parametrize("missing", ["input", "output"])
def test_measure_names_the_data_set_that_is_missing(missing: str) -> None:
    sets = {"input": data("input", [0]), "output": data("output", [1])}
    del sets[missing]
    with pytest.raises(Stop, match=f"NN709.*{missing}"):
        measure(following(), sets)
