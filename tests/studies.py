"""Sweeps made in memory from a seed, with the folder that a report reads; no training took place."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nnlang.measures import Metric, metric
from nnlang.reports.evidence import trial_folder
from nnlang.search.study import Params, State, Study, Trial

RUNGS = (2, 6, 18)
USERS = 200
AXES = ("Layers.Hidden.N", "Layers.Hidden.Activation", "Denoising.p", "training.optimizer", "training.alpha")


def ndcg() -> Metric:
    """What the made sweeps are judged by."""
    found = metric("ndcg@100")
    assert isinstance(found, Metric)
    return found


def drawn(random: random.Random) -> dict[str, Any]:
    """Settings of a trial; the learning rate is an axis of Adam alone."""
    optimizer = random.choice(["SGD", "Adam"])
    params: dict[str, Any] = {
        "Layers.Hidden.N": random.choice([64, 128, 256, 512]),
        "Layers.Hidden.Activation": random.choice(["Tanh", "SoftSign", "Sigmoid"]),
        "Denoising.p": random.uniform(0.1, 0.7),
        "training.optimizer": optimizer,
    }
    return params | ({"training.alpha": 10 ** random.uniform(-4, -2)} if optimizer == "Adam" else {})


def worth(params: Params) -> float:
    """What the settings reach in the end, noise aside."""
    size = math.log2(params.get("Layers.Hidden.N", 128)) / 40
    return 0.2 + size - 0.15 * (params.get("Denoising.p", 0.2) - 0.35) ** 2 + 0.02 * ("training.alpha" in params)


def study(
    folder: Path, trials: int, seed: int = 7, *, draw: Callable[[random.Random], dict[str, Any]] = drawn
) -> Study:
    """A sweep of so many trials beside the base: most pruned at a rung, one in thirty failed."""
    source = random.Random(seed)
    made = [trial(0, {}, 30, State.FINISHED, source)]
    for number in range(1, trials + 1):
        params = draw(source)
        luck = source.random()
        if luck < 0.03:
            made.append(Trial(number, State.DIVERGED, params, 1, (), None, 0, 1, 0.4, "the error is not a number"))
        elif luck < 0.6:
            made.append(trial(number, params, source.choice(RUNGS), State.PRUNED, source))
        else:
            made.append(trial(number, params, 30, State.FINISHED, source))
    return Study(folder, "movielens", ndcg(), "TPE", trials, AXES, tuple(made))


def trial(number: int, params: Params, epochs: int, state: State, source: random.Random) -> Trial:
    """A trial that learns as trials do."""
    end, noise = worth(params), source.gauss(0, 0.006)
    values = tuple((e, (end + noise) * (1 - math.exp(-e / 4)) + source.gauss(0, 0.0015)) for e in range(1, epochs + 1))
    at, best = max(values, key=lambda pair: pair[1])
    seconds = epochs * (0.4 + params.get("Layers.Hidden.N", 128) / 400)
    return Trial(number, state, params, 1, values, best, at, epochs, seconds)


def definition(params: Params) -> str:
    """The definition of a trial, as text."""
    hidden = {"Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 128}
    hidden |= {"Activation": params.get("Layers.Hidden.Activation", "Sigmoid"), "Sparse": True}
    hidden["N"] = params.get("Layers.Hidden.N", 128)
    tree = {
        "Version": 0.8,
        "Name": "AE",
        "Kind": "FeedForward",
        "Denoising": {"p": round(params.get("Denoising.p", 0.2), 4)},
        "Layers": [{"Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": True}, hidden],
    }
    return json.dumps(tree, indent=2) + "\n"


def furnish(made: Study) -> None:
    """Write what a folder of the sweep holds: definitions, values by user, parameters, test, sweep file, two events."""
    source = random.Random(1)
    for one in made.trials:
        folder = trial_folder(made.folder, one.number)
        folder.mkdir(parents=True)
        (folder / "definition.json").write_text(definition(one.params))
        size = int(one.params.get("Layers.Hidden.N", 128))
        (folder / "trial.json").write_text(json.dumps({"parameters": size * 2_000 + 1_000 + size}))
        if one.state is State.FINISHED and one.value is not None:
            spread = [source.gauss(0, 0.15) for _ in range(USERS)]
            off = sum(spread) / USERS
            values = [one.value + x - off for x in spread]
            (folder / "validation.json").write_text(json.dumps({"metric": "ndcg@100", "values": values}))
    axes = {"training.alpha": {"LogUniform": [1e-4, 1e-2]}, "Denoising.p": {"Uniform": [0.1, 0.7]}}
    (made.folder / "sweep.json").write_text("// made\n" + json.dumps({"Sweep": "movielens", "Axes": axes}))
    head = {"event": "sweep", "n": 1, "time": 1000.0, "seed": 7, "versions": {"nnlang": "0.1", "optuna": "5.0.0"}}
    lines = [head, {"event": "closed", "n": 2, "time": 1754.5}]
    (made.folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made.folder / "test.json").write_text(json.dumps(judged()))


def judged() -> dict[str, Any]:
    """The judgement of a test part."""

    def cell(mean: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - 0.011, "high": mean + 0.011}

    rows: list[tuple[str, str, float]] = [
        ("winner", "winner (trial 17)", 0.412),
        ("base", "base definition", 0.389),
        ("baseline", "popularity", 0.231),
        ("baseline", "item-kNN", 0.352),
        ("baseline", "EASE", 0.421),
    ]
    paired: Mapping[str, Any] = {
        "one": "winner (trial 17)", "other": "base definition",
        "difference": 0.023, "low": 0.014, "high": 0.032, "wins": 120, "ties": 20, "losses": 60,
    }  # fmt: skip
    return {
        "metrics": ["ndcg@100", "recall@20"],
        "rows": [
            {"name": name, "kind": kind, "values": {"ndcg@100": cell(mean), "recall@20": cell(mean * 0.8)}}
            for kind, name, mean in rows
        ],
        "paired": {"ndcg@100": [paired]},
        "protocol": {"name": "strong", "seed": 1, "fraction": 0.2},
        "users": 610,
        "resamples": 1000,
    }
