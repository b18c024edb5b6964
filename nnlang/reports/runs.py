"""What a training wrote as it went: the lines of `<model>.metrics.jsonl`, by epoch, and the definition in the model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnlang.codes import reporting as codes
from nnlang.diagnostics import Diagnostic, Place, Stop, stop
from nnlang.measures import Metric, metric
from nnlang.reports.evidence import finite
from nnlang.reports.plots import number

NUMBERS = ("error", "training_error", "regularization_error", "seconds", "samples_per_second")
_PLAIN = {"event", "epoch", *NUMBERS}


@dataclass(frozen=True)
class Run:
    """One training: per epoch its numbers, per metric the values of the epochs that were judged, ascending.

    `copies` are the epochs whose model stands beside the last one; `definition` is "" where it is not known.
    """

    name: str
    epochs: Mapping[int, Mapping[str, float | None]]
    judged: Mapping[str, Mapping[int, float | None]]
    copies: tuple[int, ...] = ()
    definition: str = ""

    def curve(self, what: str) -> list[tuple[int, float | None]]:
        """One of the numbers over the epochs."""
        return [(epoch, found.get(what)) for epoch, found in self.epochs.items()]

    def best(self, name: str) -> tuple[int, float] | None:
        """The first epoch with the best value of a metric, None where there is none or its way is not known."""
        known = metric(name)
        found: tuple[int, float] | None = None
        for epoch, value in self.judged.get(name, {}).items():
            better = (
                isinstance(known, Metric) and value is not None and (found is None or known.better(value, found[1]))
            )
            if better and value is not None:
                found = epoch, value
        return found


def metrics_path(model: str | os.PathLike[str]) -> Path:
    """Where the training of a model writes its numbers; a metrics file itself may be given as well."""
    given = os.fspath(model)
    return Path(given if given.endswith(".metrics.jsonl") else f"{given}.metrics.jsonl")


def read_runs(models: Sequence[Path]) -> tuple[list[Run], list[Diagnostic]]:
    """The trainings of these models; raises `Stop` (NN796, NN797) where one has nothing to draw."""
    notices: list[Diagnostic] = []
    return [read_run(model, notices) for model in models], notices


def read_run(model: Path, notices: list[Diagnostic]) -> Run:
    """The training of a model. A model file that cannot be read is a warning: the curves are there without it."""
    path = metrics_path(model)
    lines = _lines(path)
    epochs: dict[int, dict[str, float | None]] = {}
    judged: dict[str, dict[int, float | None]] = {}
    for line in lines:
        epoch = line["epoch"]
        if line.get("event", "epoch") == "epoch":
            epochs[epoch] = {what: _value(line.get(what)) for what in NUMBERS}
        else:
            for name in (key for key in line if key not in _PLAIN):
                judged.setdefault(name, {})[epoch] = _value(line[name])
    file = Path(str(path).removesuffix(".metrics.jsonl"))
    return Run(
        file.name,
        dict(sorted(epochs.items())),
        {name: dict(sorted(values.items())) for name, values in judged.items()},
        _copies(file),
        _definition(file, notices),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise stop(codes.NO_METRICS, Place(str(path)), path=path) from error
    except OSError as error:
        raise stop(codes.BAD_METRICS, Place(str(path)), path=path, reason=error.strerror or str(error)) from error
    found = [line for line in map(_line, text.splitlines()) if line is not None]
    if not found:
        reason = "it is empty" if not text.strip() else "no line of it is an epoch's"
        raise stop(codes.BAD_METRICS, Place(str(path)), path=path, reason=reason)
    return found


def _line(text: str) -> dict[str, Any] | None:
    """The object of a line, None for what a crash cut off, or what is none of ours."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    epoch = found.get("epoch") if isinstance(found, dict) else None
    return found if isinstance(epoch, int) and not isinstance(epoch, bool) and 0 <= epoch < 1 << 53 else None


def _value(found: Any) -> float | None:
    return number(found) if finite(found) else None


def _copies(model: Path) -> tuple[int, ...]:
    """The epochs of the copies that stay, under DSSTNE's names: `gl.nc10.nc` (dsstne.md 9.6)."""
    form = re.compile(re.escape(model.name) + r"([0-9]{1,9})\.nc")
    try:
        names = os.listdir(model.parent)
    except OSError:
        return ()
    return tuple(sorted(int(match[1]) for name in names if (match := form.fullmatch(name))))


def _definition(model: Path, notices: list[Diagnostic]) -> str:
    """The definition that a model carries; "" for one that is not there yet, or that cannot be read, with a warning."""
    if not model.is_file():
        return ""
    from nnlang.runtime.model import load

    try:
        return load(model).definition
    except Stop as error:
        facts = {"path": model, "reason": error.diagnostics[0].message}
        notices.append(Diagnostic(codes.NOT_IN_THE_REPORT, Place(str(model)), facts, "the curves do not depend on it"))
        return ""
