"""Sweep files: what is varied, how, and on which data; and the definitions that come of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from nnlang.diagnostics import Report
from nnlang.measures import Metric
from nnlang.schema import DEFINITION, SWEEP_DATA, SWEEP_SPLIT, Choice, Layers, Table, fold
from nnlang.source import Source, Span
from nnlang.sweeps.axes import Found, filled
from nnlang.sweeps.layers import repeated
from nnlang.sweeps.layout import definition_text
from nnlang.sweeps.paths import REPEAT, Item, Lost, Target, find, put, without_gaps
from nnlang.sweeps.space import Params, Space, canonical
from nnlang.syntax import DEFAULTS, Limits, read_source

Json = Any
_LAYERS = next(key for key in DEFINITION.keys if isinstance(key.type, Layers))

__all__ = ["Pruning", "Setting", "Sweep", "data_path", "definition_text", "is_sweep", "load_sweep", "setting"]


@dataclass(frozen=True)
class Pruning:
    """How trials that do badly are ended early; `method` is None, ASHA, Hyperband, Median or Percentile, as a text."""

    method: str
    first: int
    factor: int
    warmup: int
    interval: int
    percent: float


@dataclass(frozen=True)
class Setting:
    """What one combination is: a definition as a JSON tree; data and split by the field names of the schema.

    Paths in `data` are as they are written: `data_path` says which file is meant.
    """

    definition: Json
    data: dict[str, Json]
    split: dict[str, Json]


@dataclass(frozen=True)
class Sweep:
    """A sound sweep. `base` is the definition, TrainingParameters laid over; trials None is all of the grid."""

    source: Source
    name: str
    folder: Path
    definition: Path | None
    base: Json
    data: dict[str, Json]
    split: dict[str, Json]
    metric: Metric
    patience: int
    space: Space
    found: tuple[Found, ...]
    method: str
    trials: int | None
    seed: int
    seeds: str
    pruning: Pruning
    trees: Mapping[str, Json]  # definition, data and split as they are written
    alone: Json  # the definition as its own file has it, for lint to compare with; None where this file holds it
    spot: Span  # what makes the base differ from that: TrainingParameters, else Definition

    @cached_property
    def writes(self) -> tuple[tuple[str, Target, str], ...]:
        """Axis, where it leads and with which text, what holds others before what is inside it."""
        every = [
            (one.axis.name, target, text)
            for one in self.found
            for target, text in zip(one.targets, one.axis.texts or ("",) * len(one.targets), strict=True)
        ]
        return tuple(sorted(every, key=lambda write: len(write[1].steps)))

    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all that combinations follow from: base, data, split and space."""
        text = canonical([self.base, self.data, self.split, self.space.digest()])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_sweep(keys: Iterable[str]) -> bool:
    """Whether a text with these keys is a sweep file."""
    names = {fold(key) for key in keys}
    return "layers" not in names and bool(names & {"sweep", "axes"})


def load_sweep(
    path: str | PathLike[str], overrides: Mapping[str, Json] | None = None, limits: Limits = DEFAULTS
) -> Sweep:
    """The sweep of a file, or of a definition with `$sweep` in it; a `Stop` with all errors where it is not sound.

    overrides: values in place of those of the file: method, trials, seed, metric, ratings (a path, seen from the
    current folder), training (a mapping by the keys of TrainingParameters).
    """
    from nnlang.sweeps.sweepcheck import check_sweep

    report = Report()
    sweep = check_sweep(read_source(path, limits), report, limits, overrides)
    report.check()
    assert sweep is not None
    return sweep


def setting(sweep: Sweep, params: Params) -> Setting:
    """What a combination is; without any params the base itself. Nothing of the sweep is changed."""
    trees, copies, removed = dict(sweep.trees), dict[int, int](), list[Target]()
    listed: list[tuple[Target, Json]] = []  # lists that an axis put in the place of others, with the trees then
    gaps = False
    for name, target, text in sweep.writes:
        if name not in params or any(other.over(target) for other in removed):
            continue
        home = next((then for other, then in reversed(listed) if other.over(target)), None)
        if home is not None:  # what stood at its place in the base is elsewhere, or gone
            now = find(target.label, home)
            if isinstance(now, Lost):
                continue
            target = now
        value: Json = filled(text, params[name]) if text else params[name]
        if target.key is REPEAT or (target.is_layer and value is None):
            place = target.layer or 0
            copies[place] = min(copies.get(place, 1_000), int(value or 0)) if value != 1 else copies.get(place, 1)
            continue
        if value is None:
            removed.append(target)
            gaps = gaps or isinstance(target.steps[-1], Item)
        trees = put(trees, target.steps, value)
        if isinstance(value, list):
            listed.append((target, trees))
    definition = trees["definition"]
    if any(count != 1 for count in copies.values()):
        key = next(name for name in definition if DEFINITION.find(name) is _LAYERS)
        definition = {**definition, key: repeated(definition[key], copies)}
    if gaps:
        definition = without_gaps(definition)
    return Setting(definition, by_field(SWEEP_DATA, trees["data"]), by_field(SWEEP_SPLIT, trees["split"]))


def by_field(table: Table, tree: Mapping[str, Json] | None) -> dict[str, Json]:
    """The values of an object by the field names of its table, words of enumerations in small letters."""
    found = {}
    for name, value in (tree or {}).items():
        key = table.find(name)
        if key is not None:
            option = key.type.find(value) if isinstance(key.type, Choice) and isinstance(value, str) else None
            found[key.field] = value if option is None else option.value
    return found


def data_path(sweep: Sweep, text: str) -> Path:
    """The file that a path in `Data` means: one seen from the sweep file's folder."""
    return sweep.folder / text
