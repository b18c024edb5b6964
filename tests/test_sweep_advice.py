"""What is told after a sweep: how to go on, which axes are too short, which values do not compare, how large it is."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from nnlang.diagnostics import Stop
from nnlang.measures import Metric, metric
from nnlang.search.advice import again, edges, ends, parts, sizes
from nnlang.search.afterwards import paired
from nnlang.search.begin import total_of
from nnlang.search.history import Entry, History
from nnlang.search.study import State, Study, Trial
from nnlang.search.trial import folder_of
from nnlang.search.workplace import Limits, Workplace
from nnlang.sweeps.sweepfile import load_sweep
from tests.sweeps import written


def ndcg() -> Metric:
    """The metric of the studies here."""
    found = metric("ndcg@5")
    assert isinstance(found, Metric)
    return found


@pytest.mark.parametrize(
    "words",
    [
        "nnlang sweep run s.json -r 'a b' -o old --jobs 2",
        "nnlang sweep run s.json -oold -r 'a b' --jobs 2 --resume",
        "nnlang sweep run --output=old s.json -r 'a b' --jobs 2",
        "nnlang sweep run --output old s.json -r 'a b' --jobs 2",
    ],
)
def test_the_command_that_goes_on_names_the_folder_where_it_is(words: str) -> None:
    told = again(shlex.split(words), Path("new place"))
    assert told == "nnlang sweep run s.json -r 'a b' --jobs 2 -o 'new place' --resume"


def test_a_winner_at_the_end_of_an_axis_is_told(tmp_path: Path) -> None:
    axes: dict[str, Any] = {
        "Layers.Hidden.N": [4, 8, 16],
        "Layers.Hidden.Activation": ["Tanh", "Sigmoid", "Relu"],
        "Layers.Hidden.Repeat": {"Integer": [0, 3]},
        "Denoising.p": {"Uniform": [0.1, 0.6]},
        "training.alpha": {"LogUniform": [0.001, 0.1]},
        "training.MiniBatch": [16, 32],
        "split.seed": [1, 2, 3],
    }
    found = ends(load_sweep(written(tmp_path, Axes=axes, Trials=2)).space)
    assert set(found) == {"Layers.Hidden.N", "Layers.Hidden.Repeat", "Denoising.p", "training.alpha"}
    middle = {"Layers.Hidden.N": 8, "Layers.Hidden.Repeat": 0, "Denoising.p": 0.3, "training.alpha": 0.01}
    assert edges(middle, found) == []
    told = edges(middle | {"Layers.Hidden.N": 16, "Denoising.p": 0.595, "training.alpha": 0.00101}, found)
    assert told == [
        "Layers.Hidden.N: the best is the largest value, 16: widen the axis",
        "Denoising.p: the best, 0.595, is beside the largest value, 0.6: widen the axis",
        "training.alpha: the best, 0.00101, is beside the smallest value, 0.001: widen the axis",
    ]


def study(folder: Path, splits: list[str], values: list[list[float | None]]) -> Study:
    """A study of finished trials on these splits, with these values by user."""
    trials = []
    for number, (split, by_user) in enumerate(zip(splits, values, strict=True)):
        place = folder_of(folder, number)
        place.mkdir(parents=True)
        (place / "trial.json").write_text(json.dumps({"split": split}), encoding="utf-8")
        (place / "validation.json").write_text(json.dumps({"values": by_user}), encoding="utf-8")
        (place / "model.nc").write_bytes(b"x" * 10)
        trials.append(Trial(number, State.FINISHED, values=((1, 0.5),), value=0.5))
    return Study(folder, "s", ndcg(), "Grid", 3, (), tuple(trials))


def test_trials_of_different_parts_are_not_compared(tmp_path: Path) -> None:
    made = study(tmp_path, ["a", "a", "b"], [[1.0, 0.5], [0.5, None], [1.0, 1.0]])
    assert parts(made) == 2
    assert paired(made, made.trials[0], made.trials[1])["users"] == 1
    with pytest.raises(Stop, match="another validation part than trial 0"):
        paired(made, made.trials[0], made.trials[2])
    whole, models, count = sizes(tmp_path)
    assert (models, count) == (30, 3) and whole > 30


def test_trials_without_a_user_in_common_are_not_compared(tmp_path: Path) -> None:
    made = study(tmp_path, ["a", "a"], [[1.0, None], [None, 1.0]])
    with pytest.raises(Stop, match="no user"):
        paired(made, made.trials[0], made.trials[1])


def test_what_was_no_number_never_wins() -> None:
    nan = float("nan")
    entries = [
        Entry(n, {}, state=State.FINISHED, values=[(1, nan), (2, v)]) for n, v in enumerate((nan, 0.1, nan, 0.2))
    ]
    assert [e.best(ndcg()) for e in entries] == [None, (2, 0.1), None, (2, 0.2)]
    made = Study(Path(), "s", ndcg(), "Grid", 3, (), tuple(e.record(ndcg()) for e in entries))
    assert [t.number for t in made.ranked()] == [3, 1] and made.trials[0].value is None


def test_a_grid_is_not_counted_beyond_what_is_wanted(tmp_path: Path) -> None:
    axes = {"Layers.Hidden.N": {"Integer": [1, 10**4]}, "training.MiniBatch": {"Integer": [1, 10**4]}}
    sweep = load_sweep(written(tmp_path, Axes=axes, Method="Grid", Trials=7))
    assert total_of(sweep, History()) == 7


def test_a_definition_of_a_trial_has_the_seed_of_its_own(tmp_path: Path) -> None:
    sweep = load_sweep(written(tmp_path, Seeds="Own"))
    place = Workplace(sweep, tmp_path / "out", "", Limits())
    place.prepare(1, {"Layers.Hidden.N": 4})
    made = json.loads((tmp_path / "out/trials/0001/definition.json").read_bytes())
    assert made["TrainingParameters"]["RandomSeed"] == place.seed_of(1, {})


def test_data_that_change_while_it_runs_are_refused(tmp_path: Path) -> None:
    sweep = load_sweep(written(tmp_path))
    ratings = tmp_path / "ratings.txt"
    place = Workplace(sweep, tmp_path / "out", "", Limits())
    place.prepare(0, {})
    text = ratings.read_text(encoding="utf-8")
    ratings.write_text(text + "one more\ti1:i2:i3:i4\n", encoding="utf-8")
    with pytest.raises(Stop, match="NN785") as found:
        place.prepare(1, {})
    assert "ratings.txt" in str(found.value)
    with pytest.raises(Stop, match="NN785") as found:  # and so does who comes later, for trials that have begun
        Workplace(sweep, tmp_path / "out", "", Limits()).prepare(0, {})
    assert "the data of trial 0" in str(found.value)
