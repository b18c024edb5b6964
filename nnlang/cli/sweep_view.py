"""What people see while a sweep runs: on a terminal a live picture, everywhere a line for each trial that ends."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nnlang.cli import show
from nnlang.diagnostics import printable
from nnlang.measures import Metric
from nnlang.search.study import DONE, State, Study, Trial

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

Running = Mapping[int, tuple[int, float | None]]

_PAUSE = 0.2  # seconds between pictures
_SETTINGS = 60  # characters of a trial's settings
_ROWS = 16  # running trials that are shown


class LiveView:
    """The progress of a sweep of `total` trials beside the base, judged by `metric`; a context manager.

    The first `update` says where the sweep stands; from then on every trial that ends has its line, in both forms.
    """

    def __init__(self, total: int, metric: Metric) -> None:
        self._total, self._metric = total, metric
        self._told: set[int] | None = None
        self._begun, self._ended, self._next = time.monotonic(), 0, 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if show.terminal(sys.stdout):
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, study: Study, running: Running) -> None:
        """Show the study as far as it is known; `running` gives epoch and last value of the trials at work."""
        done = [trial for trial in study.trials if trial.state in DONE]
        if self._told is None:
            self._told = {trial.number for trial in done}
        new = [trial for trial in done if trial.number not in self._told]
        best = study.best
        for trial in new:
            self._told.add(trial.number)
            self.log(trial_line(trial, self._metric, self._total, trial == best))
        self._ended += len(new)
        if self._live is not None and (new or time.monotonic() >= self._next):
            self._next = time.monotonic() + _PAUSE
            self._live.update(picture(study, running, self._left(study)), refresh=True)

    def log(self, line: str) -> None:
        """One line, above the picture."""
        if self._live is None:
            show.say(line)
            return
        from rich.text import Text

        self._live.console.print(Text(line))

    def _left(self, study: Study) -> float | None:
        """The seconds that the rest will take at the pace so far; None until a trial has ended."""
        counted = sum(trial.number > 0 and trial.state in DONE for trial in study.trials)
        if not self._ended:
            return None
        return (time.monotonic() - self._begun) / self._ended * max(study.total - counted, 0)


def trial_line(trial: Trial, metric: Metric, total: int, best: bool) -> str:
    """The line of a trial that has ended: number, what became of it, value, cost, settings.

    What went wrong stands in the warning before it.
    """
    width = len(str(total))
    name = "base".ljust(6 + 2 * width + 1) if trial.number == 0 else f"trial {trial.number:>{width}}/{total}"
    parts = [name, trial.state.value.ljust(8)]
    if trial.value is not None:
        parts.append(f"{metric} {trial.value:.5f} (epoch {trial.best_epoch}{', best so far' if best else ''})")
    parts.append(f"{trial.epochs} epochs, {trial.seconds:.1f} s")
    return "  ".join((*parts, printable(settings(trial)))).rstrip()


def settings(trial: Trial) -> str:
    """The settings of a trial in a line, by the last words of their names."""
    told = ", ".join(f"{name.rpartition('.')[2]}={_short(value)}" for name, value in trial.params.items())
    return told if len(told) <= _SETTINGS else told[: _SETTINGS - 3] + "..."


def picture(study: Study, running: Running, left: float | None) -> Group:
    """The trials at work, and a line on the whole sweep."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    for column in ("right", "right", "right", "left"):
        rows.add_column(justify=column)
    by_number = {trial.number: trial for trial in study.trials}
    for number, (epoch, value) in sorted(running.items())[:_ROWS]:
        words = settings(by_number[number]) if number in by_number else ""
        told = "" if value is None else f"{study.metric} {value:.5f}"
        cells = ("base" if number == 0 else f"trial {number}", f"epoch {epoch}", told, printable(words))
        rows.add_row(*(Text(cell) for cell in cells))
    return Group(rows, Text(whole_line(study, len(running), left)))


def whole_line(study: Study, running: int, left: float | None) -> str:
    """How far the sweep is: counts by state, the best so far, the time that is left."""
    counts = Counter(trial.state for trial in study.trials if trial.number)
    ended = sum(counts[state] for state in DONE)
    told = [f"{ended}/{study.total} done", f"{running} running"]
    told += [f"{counts[state]} {state.value}" for state in State if state in DONE and counts[state]]
    best = study.best
    if best is not None and best.value is not None:
        name = "base" if best.number == 0 else f"trial {best.number}"
        told.append(f"best {best.value:.5f} ({name})")
    if left is not None:
        told.append(f"about {_time(left)} left")
    return ", ".join(told)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
