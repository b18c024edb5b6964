"""What a sweep's folder may hold beside its event log: definitions, values by user, the judgement of the test part."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nnlang.codes import reporting as codes
from nnlang.diagnostics import Diagnostic, Place, Report
from nnlang.search.study import Study, Trial
from nnlang.source import Source
from nnlang.syntax import Node, ObjectNode, parse

NORMAL = 1.959964  # of 95%
# Student's t of 95%, two-sided, by degrees of freedom from 1; beyond them the normal one is within 5%.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
_KINDS = ("LogUniform", "Uniform", "Integer", "Choice")


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95% interval, over `count` of what it is a mean of."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Evidence:
    """What is known beyond the study; everything may be missing. Trials are keys by their numbers.

    `users` are intervals over the users of a trial's validation part; `test` is the content of test.json.
    """

    kinds: Mapping[str, str]
    definitions: Mapping[int, str]
    users: Mapping[int, Interval]
    parameters: Mapping[int, int]
    test: Mapping[str, Any] | None
    head: Mapping[str, Any]
    elapsed: float | None
    notices: tuple[Diagnostic, ...] = ()


_NONE: Mapping[Any, Any] = MappingProxyType({})
NOTHING = Evidence(_NONE, _NONE, _NONE, _NONE, None, _NONE, None)


def gather(study: Study, judged: Iterable[Trial], best: Trial | None) -> Evidence:
    """What the folder of the study holds; values by user are read of the trials of `judged` alone.

    A file that cannot be used is a warning (NN798), and is left out.
    """
    folder, notices = study.folder, list[Diagnostic]()
    users = {t.number: found for t in judged if (found := _users(folder, t.number, notices)) is not None}
    counts = {t.number: count for t in study.trials if (count := _parameters(folder, t.number, notices)) is not None}
    wanted = {0, *([best.number] if best else [])}
    definitions = {n: text for n in sorted(wanted) if (text := _definition(folder, n, notices))}
    head, elapsed = _head(folder / "events.jsonl")
    test = _test(folder / "test.json", notices)
    kinds = _kinds(folder / "sweep.json", notices)
    return Evidence(kinds, definitions, users, counts, test, head, elapsed, tuple(notices))


def over_users(values: list[float]) -> Interval | None:
    """The mean of values by user with its interval by the normal law; None for fewer than two users."""
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    reach = NORMAL * statistics.stdev(values, mean) / math.sqrt(len(values))
    return Interval(mean, mean - reach, mean + reach, len(values))


def over_repeats(values: list[float]) -> Interval | None:
    """The mean of repeated trials with its interval by Student's law; None for fewer than two."""
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    law = _STUDENT[len(values) - 2] if len(values) - 2 < len(_STUDENT) else NORMAL
    reach = law * statistics.stdev(values, mean) / math.sqrt(len(values))
    return Interval(mean, mean - reach, mean + reach, len(values))


def trial_folder(folder: Path, number: int) -> Path:
    """Where the files of a trial are."""
    return folder / "trials" / f"{number:04d}"


def _users(folder: Path, number: int, notices: list[Diagnostic]) -> Interval | None:
    path = trial_folder(folder, number) / "validation.json"
    found = _json(path, notices)
    values = found.get("values") if isinstance(found, dict) else None
    if found is None:
        return None
    if not isinstance(values, list) or not all(value is None or finite(value) for value in values):
        _left_out(path, 'it has no list "values" of numbers', notices)
        return None
    return over_users([float(value) for value in values if value is not None])  # null: a user without held-out items


def _parameters(folder: Path, number: int, notices: list[Diagnostic]) -> int | None:
    found = _json(trial_folder(folder, number) / "trial.json", notices)
    count = found.get("parameters") if isinstance(found, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 < count < 1 << 53 else None


def _definition(folder: Path, number: int, notices: list[Diagnostic]) -> str:
    path = trial_folder(folder, number) / "definition.json"
    return _text(path, notices) or ""


def _head(path: Path) -> tuple[dict[str, Any], float | None]:
    """The first event, and the seconds from it to the last; the study itself has vouched for the log."""
    times: list[float] = []
    head: dict[str, Any] = {}
    try:
        with path.open("rb") as stream:
            for line in stream:
                event = json.loads(line)
                head = head or event
                times += [event["time"]] if finite(event.get("time")) else []
    except (OSError, ValueError, AttributeError, RecursionError):
        pass  # a line that is being written at this moment
    return head, times[-1] - times[0] if len(times) > 1 and times[-1] >= times[0] else None


def _test(path: Path, notices: list[Diagnostic]) -> Mapping[str, Any] | None:
    """The content of test.json in its form, None where it is not there or is none."""
    found = _json(path, notices)
    if found is None:
        return None
    reason = _unlike(found)
    if reason:
        _left_out(path, reason, notices)
        return None
    return dict(found)


def _unlike(found: Any) -> str:
    """What keeps a JSON value from being the judgement of a test part; "" where nothing does."""
    if not isinstance(found, dict):
        return "it is no object"
    metrics, rows = found.get("metrics"), found.get("rows")
    if not isinstance(metrics, list) or not metrics or not all(isinstance(m, str) for m in metrics):
        return 'it has no list "metrics" of texts'
    if not isinstance(rows, list) or not all(map(_is_named, rows)):
        return 'it has no list "rows" of objects with a "name"'
    for row in rows:
        values = row.get("values")
        if not isinstance(values, dict) or not all(_is_cell(values[m]) for m in metrics if m in values):
            return f'row `{row["name"]}` has no "values" with a "mean" each'
    return ""


def _is_named(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("name"), str)


def _is_cell(value: Any) -> bool:
    return isinstance(value, dict) and all(value.get(k) is None or finite(value[k]) for k in ("mean", "low", "high"))


def _kinds(path: Path, notices: list[Diagnostic]) -> dict[str, str]:
    """The kind of each axis of the sweep file that is an object with the kind as a key, such as LogUniform."""
    text = _text(path, notices)
    tree = None if text is None else parse(Source(str(path), text), Report())
    found: dict[str, str] = {}
    for name, axis in _members(_member(tree, "axes")):
        if isinstance(axis, ObjectNode):
            keys = {member.name.value.lower() for member in axis.members}
            known = [kind for kind in _KINDS if kind.lower() in keys]
            if known:
                found[name] = known[0]
    return found


def _member(node: Node | None, key: str) -> Node | None:
    return next((value for name, value in _members(node) if name.lower() == key), None)


def _members(node: Node | None) -> list[tuple[str, Node]]:
    return [(m.name.value, m.value) for m in node.members] if isinstance(node, ObjectNode) else []


def _json(path: Path, notices: list[Diagnostic]) -> Any:
    """The content of a JSON file, None where it is not there; what is none is a warning and None."""
    text = _text(path, notices)
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        _left_out(path, "it is no JSON", notices)
        return None


def _text(path: Path, notices: list[Diagnostic]) -> str | None:
    """The content of a file, None where it is not there; one that cannot be read is a warning and None."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        _left_out(path, error.strerror or str(error), notices)
        return None


def _left_out(path: Path, reason: str, notices: list[Diagnostic]) -> None:
    notices.append(Diagnostic(codes.NOT_IN_THE_REPORT, Place(str(path)), {"path": path, "reason": reason}))


def finite(value: Any) -> bool:
    """Whether a JSON value is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
