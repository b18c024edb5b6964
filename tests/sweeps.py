"""A tiny sweep for tests: planted ratings, a definition and a sweep file in a folder; commands as people run them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from nnlang.search.study import Study, load

ROOT = Path(__file__).resolve().parent.parent
USERS, ITEMS, GROUPS = 60, 40, 4
EPOCHS = 6

BASE: dict[str, Any] = {
    "Name": "tiny",
    "ErrorFunction": "ScaledMarginalCrossEntropy",
    "ShuffleIndices": True,
    "Layers": [
        {"Name": "Input", "DataSet": "gl_input", "N": "auto", "Sparse": True},
        {"Name": "Hidden", "N": 8, "Activation": "Sigmoid"},
        {"Name": "Output", "DataSet": "gl_output", "N": "auto", "Activation": "Sigmoid"},
    ],
    "TrainingParameters": {"Epochs": EPOCHS, "MiniBatch": 16, "Alpha": 0.05, "Optimizer": "Adam"},
}
SWEEP: dict[str, Any] = {
    "Sweep": "tiny",
    "Definition": "base.json",
    "Data": {"Ratings": "ratings.txt"},
    "Split": {"Protocol": "Holdout", "Fraction": 0.2, "Validation": 0.2, "Seed": 1},
    "Metric": "ndcg@5",
    "Axes": {
        "Layers.Hidden.N": [4, 8],
        "Layers.Hidden.Activation": ["Tanh", "Sigmoid"],
        "training.alpha": {"LogUniform": [0.001, 0.1]},
    },
    "Method": "Random",
    "Trials": 6,
    "RandomSeed": 7,
}


def ratings(path: Path, seed: int = 3) -> None:
    """Users of four groups who mostly have the items of their group."""
    chance = random.Random(seed)
    lines = []
    for user in range(USERS):
        group = user % GROUPS
        had = [i for i in range(ITEMS) if chance.random() < (0.6 if i % GROUPS == group else 0.08)]
        chance.shuffle(had)
        lines.append(f"u{user}\t" + ":".join(f"i{item}" for item in had))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def written(folder: Path, **changes: Any) -> Path:
    """The sweep file, with the changes, in a folder with all that it names; changes of None take a key out."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings(folder / "ratings.txt")
    (folder / "base.json").write_text(json.dumps(BASE), encoding="utf-8")
    content = {key: value for key, value in (SWEEP | changes).items() if value is not None}
    path = folder / "sweep.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def command(*words: str | Path) -> list[str]:
    """The words that run nnlang."""
    return [sys.executable, "-m", "nnlang", *map(str, words)]


def environment() -> dict[str, str]:
    """One thread a process: the machine is small."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def ran(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command that was run, with the exit code that it must have."""
    done = subprocess.run(
        command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def final(folder: Path) -> list[tuple[Any, ...]]:
    """The final table of a sweep, all of it but seconds."""
    study: Study = load(folder)
    return [
        (t.number, t.state.value, dict(t.params), t.seed, t.values, t.value, t.best_epoch, t.epochs, t.error)
        for t in study.trials
    ]
