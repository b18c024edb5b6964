"""Beginning a sweep in a folder, and taking one up again: what must be the same, what may be extended."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Place, stop
from nnlang.search.advice import again, ends
from nnlang.search.events import LOCK, NAME, Log
from nnlang.search.history import History, replay
from nnlang.search.study import refusal
from nnlang.search.workplace import Workplace, make_folder
from nnlang.sweeps.space import Space, canonical
from nnlang.sweeps.sweepfile import Sweep, definition_text
from nnlang.version import __version__

COPY = "sweep.json"
_PACKAGES = ("torch", "optuna", "numpy", "scipy", "cmaes", "distributed")
# What makes trials comparable, by its key in the log, in the words for people.
SAME = {
    "metric": "the metric",
    "definition": "the base definition",
    "data": "the data or their split",
    "method": "the method",
    "seed": "the seed",
    "seeds": "Seeds",
    "patience": "the patience",
    "pruning": "the pruning",
    "synchronous": "--synchronous",
}


def check_folder(folder: Path, resume: bool, command: Sequence[str]) -> None:
    """Make a sweep's folder where it is to begin; raises `Stop`: a sweep or other things there, nothing to resume."""
    log = folder / NAME
    if resume:
        if not log.is_file():
            reason = "there is no event log" if folder.is_dir() else "there is no such folder"
            raise refusal(codes.NO_SWEEP, folder, reason=reason)
        return
    make_folder(folder)
    if log.exists() and log.stat().st_size:
        words = again(["nnlang", *command], folder)
        raise stop(codes.SWEEP_EXISTS, Place(str(folder)), path=folder, what="a sweep", command=words)
    ours = (NAME, LOCK, COPY)  # left by one that ended before it began
    others = [entry.name for entry in os.scandir(folder) if entry.name not in ours]
    if others:
        help = "give a folder that is not there yet, or an empty one, to -o"
        what = f"other things (such as `{min(others)}`)"
        raise stop(codes.SWEEP_EXISTS, Place(str(folder)), path=folder, what=what, command="", help=help)


def begin(log: Log, sweep: Sweep, place: Workplace, command: Sequence[str], synchronous: bool) -> History:
    """The history of a new sweep, its head written to the log; a copy of the sweep file is kept beside it."""
    from nnlang.runtime.files import atomic_text

    head = identity(sweep, place, synchronous) | described(sweep.space)
    atomic_text(place.folder / COPY, [sweep.source.text])
    history = History()
    history.take(
        log.append(
            "sweep",
            name=sweep.name,
            total=total_of(sweep, history),
            command=["nnlang", *command],
            versions=versions(),
            **head,
        )
    )
    return history


def take_up(log: Log, sweep: Sweep, place: Workplace, synchronous: bool, extend: bool) -> History:
    """The history of a sweep that is gone on with; raises `Stop` where it is another (NN785) or has other axes (NN784).

    Another total is no other sweep; trials that were asked stay, however few are wanted now. With `extend` other axes
    are accepted, and written down.
    """
    from nnlang.runtime.files import atomic_text

    path = place.folder / NAME
    history = replay(log.items, path)
    now = identity(sweep, place, synchronous)
    for key, words in SAME.items():
        then, here = history.head.get(key), json.loads(json.dumps(now[key]))
        if then != here:
            raise stop(codes.SWEEP_CHANGED, Place(str(path)), what=words, then=_told(then, here), now=_told(here, then))
    changed = history.head["space"] != sweep.space.digest()
    if changed and not extend:
        what = changes(history.head["shape"], shape(sweep.space))
        raise stop(codes.SPACE_CHANGED, Place(str(path)), what=what)
    total = max(total_of(sweep, history), len(history.entries) - 1)
    if changed or total != history.total:
        history.take(log.append("extended", total=total, **(described(sweep.space) if changed else {})))
        atomic_text(place.folder / COPY, [sweep.source.text])
    history.take(log.append("opened", versions=versions()))
    return history


def identity(sweep: Sweep, place: Workplace, synchronous: bool) -> dict[str, Any]:
    """What makes trials of a sweep comparable, by the keys of SAME."""
    return {
        "definition": hashlib.sha256(definition_text(sweep.base).encode()).hexdigest()[:16],
        "data": place.describe(),
        "metric": str(sweep.metric),
        "method": sweep.method,
        "seed": sweep.seed,
        "seeds": sweep.seeds,
        "patience": sweep.patience,
        "pruning": asdict(sweep.pruning),
        "synchronous": synchronous,
    }


def total_of(sweep: Sweep, history: History) -> int:
    """How many trials there are to be beside the base; without `Trials` all of the grid, and those asked before it."""
    if sweep.trials is not None and sweep.method != "Grid":
        return sweep.trials
    asked = [entry.params for number, entry in history.entries.items() if number]
    elsewhere = sum(not sweep.space.holds(params) for params in asked)
    wanted = None if sweep.trials is None else max(0, sweep.trials - elsewhere)
    return elsewhere + sum(1 for _ in islice(sweep.space.combinations(), wanted))


def described(space: Space) -> dict[str, Any]:
    """The axes as the log tells of them: their names, digests to compare, the ends of those that are numbers."""
    names = [axis.name for axis in space.axes]
    return {"axes": names, "space": space.digest(), "shape": shape(space), "ends": ends(space)}


def shape(space: Space) -> dict[str, str]:
    """A digest of each axis, and of the constraints, to say later which of them is another."""
    found = {axis.name: _short(axis.record()) for axis in space.axes}
    return found | {"constraints": _short([c.record() for c in space.constraints])}


def _short(record: Any) -> str:
    return hashlib.sha256(canonical(record).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In words: which axes came, went, or have other values."""
    told = [f"axis `{name}` is new" for name in now if name not in then]
    told += [f"axis `{name}` is gone" for name in then if name not in now]
    for name in now:
        if name in then and now[name] != then[name]:
            told.append("the constraints differ" if name == "constraints" else f"axis `{name}` has other values")
    return ", ".join(told) or "their order differs"


def versions() -> dict[str, str]:
    """The versions of what results hang on."""
    found = {"nnlang": __version__, "python": sys.version.partition(" ")[0]}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _told(value: Any, other: Any) -> str:
    """A value in words; of an object what the other has not so."""
    if isinstance(value, dict) and isinstance(other, dict):
        value = {key: inner for key, inner in value.items() if key not in other or other[key] != inner}
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
