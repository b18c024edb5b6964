"""Baselines: findings that are known and borne for now, so that lint tells the new ones alone.

A finding is known by its file, its code, its message less the places that it names, and how many alike stand before
it: lines may move. What a run does not look for, because its rule is not selected or lacks its facts (`--data`), is
neither new nor gone.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.linting.check import Finding
from nnlang.linting.likeness import likeness, placeless
from nnlang.source import Source

VERSION = 1
Sought = Callable[[str, str], bool]  # whether findings of a code were looked for in a file


class Entry(NamedTuple):
    """What one finding is known by; `path` is relative to the baseline's folder, with forward slashes."""

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Baseline:
    """How many findings of each kind are known, for files below `folder`, the baseline's own."""

    folder: str
    known: Mapping[Entry, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sifted:
    """What a baseline leaves of findings: the new ones, how many were known, and how many entries are stale."""

    new: tuple[tuple[Finding, ...], ...]  # file by file
    known: int
    stale: int


def read_baseline(source: Source) -> Baseline:
    """The baseline that a text holds; raises `Stop` (NN776) for a text that is none."""
    try:
        found = json.loads(source.text)
    except RecursionError:
        raise _damaged(source, "it is nested too deeply") from None
    except ValueError as error:
        raise _damaged(source, f"it is no JSON ({error})") from None
    if not isinstance(found, dict) or not isinstance(found.get("findings"), list):
        raise _damaged(source, "it has no list of `findings`")
    if found.get("version") != VERSION:
        raise _damaged(source, f"its version is {str(found.get('version'))[:40]}, not {VERSION}")
    known: Counter[Entry] = Counter()
    for number, row in enumerate(found["findings"], 1):
        entry, count = _entry(source, number, row)
        known[entry] += count
    return Baseline(_folder(source.name), known)


def _entry(source: Source, number: int, row: Any) -> tuple[Entry, int]:
    if not isinstance(row, dict) or not {"path", "code", "message"} <= row.keys() <= {*Entry._fields, "count"}:
        raise _damaged(source, f"finding {number} is no object of path, code, message and count")
    count = row.get("count", 1)
    texts = [row[name] for name in Entry._fields]
    if not all(isinstance(text, str) for text in texts) or type(count) is not int or not 0 < count < 2**31:
        raise _damaged(source, f"finding {number} holds a value of another type")
    path, code, message = texts
    return Entry(path, code, placeless(message)), count


def _damaged(source: Source, reason: str) -> Stop:
    return stop(codes.BAD_BASELINE, Place(source.name), path=source.name, reason=reason)


def sift(baseline: Baseline, files: Sequence[tuple[str, Sequence[Finding]]], sought: Sought) -> Sifted:
    """The findings of some files (a path, and what was found there) without those that are known.

    An entry is stale where its file is gone, or was looked at and the finding, which was sought, is not there any more.
    """
    left = Counter(baseline.known)
    known, new = 0, []
    looked = dict[str, str]()
    for path, findings in files:
        name, fresh = relative(baseline.folder, path), []
        looked[name] = path
        for finding in findings:
            entry = _known_by(name, finding)
            if left[entry] > 0:
                left[entry] -= 1
                known += 1
            else:
                fresh.append(finding)
        new.append(tuple(fresh))
    stale = sum(n for entry, n in left.items() if n > 0 and _settled(baseline.folder, entry, looked, sought))
    return Sifted(tuple(new), known, stale)


def updated(baseline: Baseline, files: Iterable[tuple[str, Sequence[Finding]]], sought: Sought) -> Baseline:
    """The baseline in which what was found is known.

    Entries of files that were not looked at, and of rules that were not, stay as they are.
    """
    looked, known = dict[str, str](), Counter[Entry]()
    for path, findings in files:
        name = relative(baseline.folder, path)
        looked[name] = path
        known.update(_known_by(name, finding) for finding in findings)
    kept = {e: n for e, n in baseline.known.items() if not _settled(baseline.folder, e, looked, sought)}
    return Baseline(baseline.folder, {**kept, **known})


def text_of(baseline: Baseline) -> str:
    """A baseline as JSON: sorted, a finding a line, the same text for the same findings."""
    rows = [json.dumps({**entry._asdict(), "count": count}) for entry, count in sorted(baseline.known.items())]
    inner = "\n    " + ",\n    ".join(rows) + "\n  " if rows else ""
    return f'{{\n  "version": {VERSION},\n  "findings": [{inner}]\n}}\n'


def empty_baseline(path: str) -> Baseline:
    """The baseline of a file that is not there yet: nothing is known."""
    return Baseline(_folder(path))


def _known_by(name: str, finding: Finding) -> Entry:
    return Entry(name, *likeness(finding.diagnostic))


def relative(folder: str, path: str) -> str:
    """A path as the baseline of a folder has it."""
    try:
        return os.path.relpath(path, folder or ".").replace(os.sep, "/")
    except ValueError:  # another drive, or no name of a file
        return path


def _settled(folder: str, entry: Entry, looked: Mapping[str, str], sought: Sought) -> bool:
    """Whether we know if an entry still holds: its finding was sought in its file, or the file is not there any more.

    looked: the files that were looked at, by their names in the baseline.
    """
    if entry.path in looked:
        return sought(looked[entry.path], entry.code)
    return not os.path.lexists(os.path.join(folder, entry.path))


def _folder(path: str) -> str:
    return os.path.dirname(path) or "."
