"""Sweep files changed at random: whatever stands in them, there are findings or combinations, never a traceback."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nnlang.diagnostics import Report, render
from nnlang.linting.check import lint
from nnlang.source import Source
from nnlang.sweeps.covering import covering
from nnlang.sweeps.sweepcheck import check_sweep
from nnlang.sweeps.sweepfile import definition_text, setting

ERRORS = Path(__file__).parent / "sweepfile_errors"
BASE = json.loads((ERRORS / "base.json").read_text())
FILES = [*sorted(ERRORS.glob("NN*.json")), *sorted((ERRORS.parent.parent / "examples" / "sweeps").glob("*.json"))]
TREES = [json.loads(re.sub(r"(?m)^\s*//.*$", "", path.read_text(encoding="utf-8"))) for path in FILES]
SOUND = [tree for path, tree in zip(FILES, TREES, strict=True) if path.stem[:4] in ("NN54", "movi", "swee")]
VALUES: list[Any] = [
    None, True, 0, 1, -1, 0.5, 1e300, 10**30, "", "x", "Layers.Hidden.N", [], [1, 2], [[]], {}, [None], {"N": 1},
    {"Choice": [1, 2]}, {"Uniform": [0, 1]}, {"Integer": [1, 10**9]}, {"When": {"x": [1]}}, {"Name": 3}, ["a", "b"],
    {"$sweep": [1]}, {"$sweep": {}}, {"$sweep": []}, {"$sweep": {"LogUniform": [0, 1]}}, "Layers..N", "training",
]  # fmt: skip
NAMES = [
    "Layers.Hidden.Repeat", "Layers.0", "Layers.Hidden", "Preparation.a", "Preparation", "Layers", "Name", "training",
    "Layers.Output.Name", "split.fold", "Layers.Input.DataSet", "Definition", "Axes", "Choice", "$sweep", "Path",
    "Text", "When", "Constraints",
]  # fmt: skip


def places(tree: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every way from the root to something in a tree."""
    yield way
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield from places(tree[key], (*way, key))


def put(tree: Any, way: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value at the end of a way."""
    if not way:
        return value
    made = tree.copy()
    made[way[0]] = put(tree[way[0]], way[1:], value)
    return made


def renamed(tree: Any, way: tuple[Any, ...], name: str) -> Any:
    """The tree with the last key of a way called otherwise."""
    if len(way) == 1:
        return {name if key == way[0] else key: value for key, value in tree.items()}
    return put(tree, way[:1], renamed(tree[way[0]], way[1:], name))


def changed(random: Random) -> Any:
    """A sweep file with a few changes."""
    tree = random.choice(SOUND if random.random() < 0.6 else TREES)
    if random.random() < 0.3 and "Definition" in tree:
        tree = {**tree, "Definition": BASE}
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        way = random.choice(list(places(tree)))
        if random.random() < 0.3 and way and isinstance(way[-1], str):
            tree = renamed(tree, way, random.choice(NAMES))
        else:
            tree = put(tree, way, random.choice(VALUES) if random.random() < 0.7 else random.choice(TREES))
    return tree


def tried(seeds: range) -> Counter[str]:
    """Looks at changed files, and at what sound ones make; how often each code was found."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        source = Source("sweep.json", json.dumps(changed(Random(seed))))
        found = [finding.diagnostic for finding in lint(source)]
        assert render(found) or not found
        counts.update(d.code.code for d in found)
        sweep = check_sweep(source, report := Report())
        assert (sweep is None) == bool(report.errors)
        for params, _, _ in islice(covering(sweep.space, 1), 5) if sweep is not None else ():
            if params is not None:
                assert sweep.space.holds(params)
                assert json.loads(definition_text(setting(sweep, params).definition))
                counts["sound"] += 1
    return counts


def test_changed_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    counts = tried(range(500))
    assert len(counts) > 20 and counts["sound"] > 25


@pytest.mark.full
@pytest.mark.timeout(900)
def test_20_000_changed_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    assert len(tried(range(20_000))) > 30
