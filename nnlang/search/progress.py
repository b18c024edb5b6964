"""How far running trials are, as their metrics files tell; for people who look, decisions never hang on it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from nnlang.search.history import History
from nnlang.search.study import State
from nnlang.search.trial import MODEL, folder_of

_TAIL = 4096


def progress(folder: Path, history: History) -> dict[int, tuple[int, float | None]]:
    """Epoch and last value of the metric of every running trial."""
    name = str(history.metric)
    running = (entry.number for entry in history.entries.values() if entry.state is State.RUNNING)
    return {number: _last(folder_of(folder, number) / f"{MODEL}.metrics.jsonl", name) for number in running}


def _last(path: Path, metric: str) -> tuple[int, float | None]:
    """The last epoch of a metrics file, and the last value of the metric in it."""
    epoch, value = 0, None
    for line in _tail(path).splitlines():
        with suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and isinstance(told.get("epoch"), int):
                epoch = max(epoch, told["epoch"])
                value = told.get(metric, value)
    return epoch, value if isinstance(value, float | int) else None


def _tail(path: Path) -> str:
    with suppress(OSError), path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - _TAIL))
        return stream.read().decode("utf-8", "replace")
    return ""
