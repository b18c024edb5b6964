"""What is asked of a process that trains, and what it answers: plain JSON both ways."""

from __future__ import annotations

import json
import math
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

NO_ROOM = "no room"


@dataclass(frozen=True)
class Segment:
    """A piece of a trial's training, to a rung or to the end. Paths are absolute; all machines share them."""

    number: int
    folder: str
    files: tuple[str, ...]
    metric: str
    features: tuple[tuple[str, str], ...] = ()  # index files by role: input, output
    known: str = ""  # texts of the validation part ...
    held: str = ""
    validation: tuple[str, ...] = ()  # ... or data set files
    seed: int | None = None
    pause: int | None = None
    patience: int = 0
    checkpoint_seconds: float = 5.0
    memory: int | None = None  # bytes
    seconds: float | None = None  # of wall clock that are left to the trial
    device: str = ""


@dataclass(frozen=True)
class Reply:
    """How a segment ended. `values` are all epochs' so far; `seconds` of training since the last reply of the trial.

    outcome: finished, paused, interrupted (it was told to), lost (its process is gone), no room (its files cannot be
    written: the trial is not to blame), or why it failed in the words of `State`: failed, diverged, out of memory, out
    of time.
    """

    number: int
    outcome: str
    epochs: int = 0
    values: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def text(item: Segment | Reply) -> str:
    """One line of JSON; what is not a number is null."""
    return json.dumps(_plain(asdict(item)), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
    return value


def segment(line: str | bytes) -> Segment:
    """The segment of a line of JSON."""
    told: dict[str, Any] = json.loads(line)
    pairs = tuple((str(a), str(b)) for a, b in told.pop("features"))
    told |= {key: tuple(told[key]) for key in ("files", "validation")}
    return Segment(**told, features=pairs)


def reply(line: str | bytes) -> Reply:
    """The reply of a line of JSON."""
    told = json.loads(line)
    values = tuple((int(e), math.nan if v is None else float(v)) for e, v in told.pop("values"))
    return Reply(**told, values=values)


def ending(status: int) -> str:
    """How a process ended, in words: its exit code, or the signal that a negative one stands for."""
    with suppress(ValueError):
        return signal.Signals(-status).name if status < 0 else f"exit code {status}"
    return f"signal {-status}"
