"""What people see: findings, tables, progress. With rich on a terminal, plain aligned text everywhere else."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from nnlang.diagnostics import Diagnostic, printable, render

if TYPE_CHECKING:
    from nnlang.runtime.train import Event

_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "help": "32"}
_HEAD = re.compile(r"^(error|warning|note)(\[NN\d{3}\])(:.*)$", re.MULTILINE)
_HELP = re.compile(r"^(  = )(help)(: .*)$", re.MULTILINE)


def terminal(stream: TextIO) -> bool:
    """Whether people look at this stream: a terminal, and colours not declined (NO_COLOR, TERM=dumb)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def findings(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Write findings to standard error unless another stream is given, in colour on a terminal."""
    text, stream = render(diagnostics), stream or sys.stderr
    if not text:
        return
    if terminal(stream):
        text = _HEAD.sub(lambda m: f"\x1b[{_STYLES[m[1]]}m{m[1]}{m[2]}\x1b[0;1m{m[3]}\x1b[0m", text)
        text = _HELP.sub(lambda m: f"{m[1]}\x1b[{_STYLES['help']}m{m[2]}\x1b[0m{m[3]}", text)
    print(text, file=stream)


def say(text: str = "") -> None:
    """One line of result, to standard output; whoever closes the pipe has enough, and the work goes on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Standard output leads nowhere from now on: whoever read it has enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """One line about the run, to standard error, so that results can be piped."""
    print(text, file=sys.stderr, flush=True)


def record(item: Mapping[str, object]) -> None:
    """One JSON object on one line, for machines, to standard output."""
    say(json_text(item))


def json_text(item: Mapping[str, object]) -> str:
    """A JSON object on one line."""
    return json.dumps(item)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table to standard output; cells that are not text stand to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    right = [bool(body) and all(is_right for _, is_right in column) for column in zip(*body, strict=True)]
    right = right or [False] * len(columns)
    cells = [[text for text, _ in row] for row in body]
    if terminal(sys.stdout):
        _rich_table(title, columns, cells, right)
        return
    say(plain_table(title, columns, cells, right))


def plain_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """The table as aligned text: title, heads, one line a row."""
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(columns)]
    lines = [title] if title else []
    for row in (columns, *cells) if any(columns) else cells:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        lines.append(("  " + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> tuple[str, bool]:
    if isinstance(value, str):
        return printable(value), False
    if isinstance(value, float):
        return f"{value:.4f}", True
    return f"{value:,}" if isinstance(value, int) else str(value), True


def _rich_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", title_style="bold", show_header=any(columns))
    for head, is_right in zip(columns, right, strict=True):
        made.add_column(head, justify="right" if is_right else "left")
    for row in cells:
        made.add_row(*(Text(text) for text in row))
    Console().print(made)


def json_view(event: Event) -> None:
    """An observer of a training that prints a JSON object an epoch, and one for each validation."""
    from nnlang.runtime.metricsfile import record as line_of

    line = line_of(event)
    if line is not None:
        record(line)


class Bar:
    """A progress bar on one line of a terminal; nothing anywhere else."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._live = terminal(sys.stderr)
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Draw it at `done` of `total`, twenty times a second at most."""
        if not self._live or not total or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.05
        filled = round(30 * done / total)
        text = f"{self.what} [{'━' * filled}{' ' * (30 - filled)}] {done / total:4.0%}"
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take it off the screen."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def validation_line(event: Event, epochs: int) -> str:
    """What was measured after an epoch, on one line; the best so far is marked."""
    told = "  ".join(f"{name} {value:.6g}" for name, value in event.measures.items())
    mark = "  best so far" if event.best else ""
    return f"{'':>{len(f'epoch {epochs}/{epochs}')}}  {told}  {event.seconds:.2f} s{mark}"


class EpochView:
    """The progress of a training: a bar on a terminal, and a line an epoch."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._bar = Bar("")

    def __call__(self, event: Event) -> None:
        """Show one event of the training."""
        if event.kind == "batch":
            self._bar.what = f"epoch {event.epoch}/{self._epochs}"
            self._bar(event.batch, event.batches)
            return
        self._bar.clear()
        match event.kind:
            case "epoch":
                say(
                    f"epoch {event.epoch:>{len(str(self._epochs))}}/{self._epochs}  error {event.error:.6g}  "
                    f"(training {event.training_error:.6g}, regularization {event.regularization_error:.6g})  "
                    f"{event.seconds:.2f} s  {event.samples_per_second:,.0f} samples/s"
                )
            case "validation":
                say(validation_line(event, self._epochs))
            case "checkpoint":
                tell(f"checkpoint {event.path}")
