"""Splitting texts and judging models and baselines, against what the definition of the measures says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.network import DataFacts
from nnlang.runtime import judging, library
from nnlang.runtime.baselines import item_knn, popularity
from nnlang.runtime.dataset import DataSet, sparse_set
from nnlang.runtime.ease import LAMBDAS, ease
from nnlang.runtime.evaluate import Options, evaluate, judge, judge_texts, measure, split
from nnlang.runtime.exposure import Exposure, collapse
from nnlang.runtime.intervals import Resampling
from nnlang.runtime.metrics import PER_USER, Rows
from nnlang.runtime.model import Model
from nnlang.source import Source
from tests.data_fixtures import movielens  # noqa: F401 - a fixture
from tests.test_metrics import KS, named, plainly, rows

ITEMS = ("a", "b", "c", "d")
DEFINITION = """{ "Version": 0.8, "Name": "next", "Kind": "FeedForward", "Layers": [
  { "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true },
  { "Kind": "Output", "Type": "FullyConnected", "DataSet": "output", "N": "auto", "Sparse": true } ] }"""


def following(labels: tuple[str, ...] = ITEMS) -> Model:
    """A model that recommends the item after each one that a user has: a -> b -> c -> d -> a."""
    facts = {n: DataFacts(n, 4, 4, sparse=True, boolean=True, entries=4) for n in ("input", "output")}
    network = check(Source("next.json", DEFINITION), facts, need_shapes=True).network
    assert network is not None
    after = np.roll(np.eye(4, dtype=np.float32), 1, axis=1) * 4
    return Model(network, {0: after}, {0: np.zeros(4, np.float32)}, labels={"input": labels, "output": labels})


def constant(units: int) -> Model:
    """A model that ranks the items i0, i1, ... alike for everybody, the last first."""
    facts = {n: DataFacts(n, 4, units, sparse=True, boolean=True, entries=4) for n in ("input", "output")}
    network = check(Source("same.json", DEFINITION), facts, need_shapes=True).network
    assert network is not None
    labels = tuple(f"i{number}" for number in range(units))
    weights, bias = np.zeros((units, units), np.float32), np.linspace(-1, 1, units, dtype=np.float32)
    return Model(network, {0: weights}, {0: bias}, labels={"input": labels, "output": labels})


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


def random_case(seed: int, users: int = 60, items: int = 30) -> tuple[Rows, Rows, Rows]:
    """(training rows of other users, what is known, what is held out), some of it unknown to training."""
    random = np.random.default_rng(seed)

    def some(most: int, width: int) -> list[int]:
        return random.choice(width, size=int(random.integers(0, most)), replace=False).tolist()

    train = [some(8, items) for _ in range(users)]
    known = [some(items, items) if user % 7 == 0 else some(6, items) for user in range(users)]
    held = [[i for i in some(7, items + 3) if i not in own] or [items + 1] for own in known]
    return rows(*train), rows(*known), rows(*held)


@pytest.mark.parametrize("batch", [7, 1000])
def test_judging_equals_plain_python(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    train, known, held = random_case(1)
    monkeypatch.setattr(judging, "_CELLS", 100)  # so that measures are taken in pieces too
    rankers = [popularity(train, 30), item_knn(train, 30, 4, 1.0), ease(train, 30, 2.0)]
    asked = [named(f"{name}@{k}") for name in (*PER_USER, "coverage", "novelty") for k in KS]
    found = judge(rankers, known, held, asked, items=30, train=train, batch=batch, resampling=Resampling(50))
    counts = np.bincount(train.index, minlength=30)
    for ranker, got in zip(rankers, found.rankers, strict=True):
        lists = np.concatenate(list(ranker.ranked(known, 12, 1000))).tolist()
        for one in asked:
            name, k = one.measure.name, one.k or 0
            if name == "coverage":
                assert got.means[str(one)] == len({i for row in lists for i in row[:k] if i >= 0}) / 30
                continue
            for user, row in enumerate(lists):
                wanted = held.index[held.start[user] : held.start[user + 1]].tolist()
                if name == "novelty":
                    surprises = [-np.log2(max(1, counts[i]) / train.count) for i in row[:k] if i >= 0]
                    expected = float(np.mean(surprises)) if surprises else float("nan")
                else:
                    expected = plainly(name, k, row, wanted)
                assert got.values[str(one)][user] == pytest.approx(expected, abs=1e-12, nan_ok=True)
            assert got.intervals[str(one)].low <= got.means[str(one)] <= got.intervals[str(one)].high


def test_comparisons_are_of_the_same_users() -> None:
    train, known, held = random_case(2)
    rankers = [popularity(train, 30), item_knn(train, 30), popularity(train, 30)]
    found = judge(rankers, known, held, [named("ndcg@5"), named("coverage@5")], items=30, train=train)
    other, same = found.comparisons
    ours, first = found.rankers[1].values["ndcg@5"], found.rankers[0].values["ndcg@5"]
    assert other.difference == pytest.approx((ours - first).mean())
    assert other.interval.low < other.difference < other.interval.high
    assert (other.wins, other.ties, other.losses) == ((ours > first).sum(), (ours == first).sum(), (ours < first).sum())
    assert (same.difference, same.p, same.ties, same.interval.low) == (0.0, 1.0, found.users, 0.0)
    again = judge(rankers, known, held, [named("ndcg@5"), named("coverage@5")], items=30, train=train, batch=3)
    times = [{**one, "seconds": 0} for one in again.record()["rankers"]]
    assert times == [{**one, "seconds": 0} for one in found.record()["rankers"]]
    with pytest.raises(ValueError, match="without a held-out entry"):
        judge(rankers, known, rows(*[[]] * 60), [named("ndcg@5")], items=30, train=train)


def test_models_of_other_label_orders_are_judged_on_the_same_items(tmp_path: Path) -> None:
    known, held = write(tmp_path, "known", "u\ta\nv\tb\nw\tz\n"), write(tmp_path, "held", "u\tb\nv\tc\nw\ta\n")
    models = {"one": following(), "same": following(), "other": following(("d", "c", "b", "a"))}
    found = judge_texts(models, known, held, metrics=[named("mrr@3"), named("coverage@1")])
    one, same, other, popular = found.rankers
    assert one.values["mrr@3"].tolist() == same.values["mrr@3"].tolist()
    assert one.values["mrr@3"][:2].tolist() == [1.0, 1.0]
    assert other.values["mrr@3"][:2].tolist() == [1 / 3, 1 / 3]  # a -> d, then ties by its own numbers: c, b
    assert (popular.name, found.features) == ("popularity", 5)  # z is known to nobody's outputs, but people have it
    assert [c.name for c in found.comparisons] == ["same", "other", "popularity"]
    assert found.notices[0].code.code == "NN756"
    with pytest.raises(KeyError):
        found.ranker("nobody")


def test_features_that_only_feed_the_model_are_not_recommended(tmp_path: Path) -> None:
    model = following()
    model.labels["input"] = ("a", "b", "c", "woman")
    known = write(tmp_path, "known", "u\ta:woman\nv\tb:woman\nw\twoman\n")
    held = write(tmp_path, "held", "u\tb\nv\tc\nw\ta\n")
    found = judge_texts({"model": model}, known, held, baselines=["popularity", "knn", "ease"])
    assert found.features == 4
    for name in ("popularity", "knn", "ease"):
        assert found.ranker(name).exposure.counts.sum() == 3 + 3 + 4  # everything that a user lacks, and no `woman`


def test_baselines_learn_from_other_users(tmp_path: Path) -> None:
    train = write(tmp_path, "train", "x\tb:c\ny\tb:c\nz\ta:d\n")
    known, held = write(tmp_path, "known", "u\tb\nv\ta\n"), write(tmp_path, "held", "u\tc\nv\td\n")
    options = Options(groups=write(tmp_path, "groups", "z\tG\nv\tG\nx\tH\n"), neighbours=2, shrink=0.0)
    found = judge_texts(
        {"model": following()}, known, held, train=train, metrics=[named("mrr@1")],
        baselines=["popularity", "group", "knn", "ease"], options=options, resampling=None,
    )  # fmt: skip
    by_kind = {one.kind: one.values["mrr@1"].tolist() for one in found.rankers}
    assert by_kind == {
        "model": [1.0, 0.0], "popularity": [1.0, 0.0], "group": [1.0, 1.0], "knn": [1.0, 1.0], "ease": [1.0, 1.0],
    }  # fmt: skip
    assert found.about["train_users"] == 3
    assert found.comparisons == ()
    assert [notice.code.code for notice in found.notices] == ["NN766"]


def test_items_that_nobody_learnt_are_recommended_by_nobody(tmp_path: Path) -> None:
    train = write(tmp_path, "train", "x\tb:c\ny\tb:c\nz\ta:d\n")
    known, held = write(tmp_path, "known", "u\tnew:b\nv\ta:other\n"), write(tmp_path, "held", "u\tother\nv\td\n")
    found = judge_texts({}, known, held, train=train, baselines=["popularity", "knn", "ease"], resampling=None)
    assert found.features == 4
    for one in found.rankers:
        assert one.exposure.counts.tolist() == [1, 2, 1, 2]  # b, c, a, d less what each has


def test_the_library_takes_metrics_as_texts(tmp_path: Path) -> None:
    known, held = write(tmp_path, "known", "u\ta\nv\tb\n"), write(tmp_path, "held", "u\tb\nv\tc\n")
    found = library.evaluate(following(), known, held, metrics=["mrr@2", "hit@1"], baselines=["ease"])
    assert found.rankers[0].means == {"mrr@2": 1.0, "hit@1": 1.0}
    assert found.ranker("ease").kind == "ease"
    for wrong in ("mmr", "auc"):
        with pytest.raises(ValueError, match=wrong):
            library.evaluate(following(), known, held, metrics=[wrong])


def shown(items: int, *lists: list[int]) -> Exposure:
    flat = [item for one in lists for item in one]
    return Exposure(np.bincount(np.array(flat, np.int64), minlength=items), len(lists), len(lists[0]))


def test_likeness_is_the_mean_overlap_of_two_lists() -> None:
    lists = [[0, 1], [1, 2], [5, 6]]
    pairs = [len({*one} & {*other}) / 2 for i, one in enumerate(lists) for other in lists[:i]]
    assert shown(9, *lists).likeness == pytest.approx(np.mean(pairs))
    assert shown(9, [0, 1]).likeness == 0.0


def test_lists_have_collapsed_where_users_differ_no_more_than_by_what_they_have() -> None:
    popular = shown(200, *([0, 1, 2, 3, user % 9] for user in range(60)))
    same, own = shown(200, *[[9, 8, 7, 6, 5]] * 60), shown(200, *([user, 61, 62, 63, 64] for user in range(60)))
    assert "two users share 100%" in collapse(same, popular)
    assert collapse(own, popular) == ""
    assert collapse(shown(200, *[[9, 8, 7, 6, 5]] * 49), popular) == ""  # too few users to say so
    assert collapse(shown(49, *[[9, 8, 7, 6, 5]] * 60), popular) == ""  # lists as long as that are alike anyway
    wide = shown(5000, *([user * 5 + i for i in range(5)] for user in range(60)))
    few = shown(5000, *([i + 5 * (user % 6) for i in range(5)] for user in range(60)))
    assert "they cover 0.60% of the items, those of popularity 6.00%" in collapse(few, wide)


def test_ease_and_knn_beat_popularity_on_movielens(movielens: Path, tmp_path: Path) -> None:  # noqa: F811
    kept, held = tmp_path / "kept", tmp_path / "held"
    split(movielens / "ratings_1024.txt", kept, held, 0.2, 1)
    wanted, options = [named("ndcg@100")], Options(ease_lambda=300.0)
    found = judge_texts({}, kept, held, metrics=wanted, baselines=["popularity", "knn", "ease"], options=options)
    means = {one.kind: one.means["ndcg@100"] for one in found.rankers}
    assert means["popularity"] < 0.25
    assert means["knn"] > 0.36
    assert means["ease"] > 0.40
    assert found.comparisons[1].p < 0.01


@pytest.mark.full
def test_the_lambda_tried_on_movielens_is_the_best_on_what_was_held_out(movielens: Path, tmp_path: Path) -> None:  # noqa: F811
    kept, held = tmp_path / "kept", tmp_path / "held"
    split(movielens / "ratings_1024.txt", kept, held, 0.2, 1)
    means = {}
    for lambda_ in (None, *LAMBDAS):
        options = Options(ease_lambda=lambda_)
        found = judge_texts({}, kept, held, metrics=[named("ndcg@100")], baselines=["ease"], options=options)
        means[found.rankers[0].name] = found.rankers[0].means["ndcg@100"]
    assert next(iter(means)) == max(means, key=lambda name: means[name])
