"""`nnlang format`: definitions, job files and sweep files laid out in one way, every comment kept."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from nnlang.cli import rewrite, show
from nnlang.cli.patch import patch
from nnlang.codes import syntax as codes
from nnlang.diagnostics import DISK, FINDINGS, OK, Report, Stop, printable
from nnlang.formatter import format_text
from nnlang.linting.files import STDIN, definitions
from nnlang.syntax import read_source


class _Outcome(NamedTuple):
    """What became of one file: whether it changed or would change, or why it was left alone."""

    changed: bool = False
    error: Stop | None = None

    @property
    def exit_code(self) -> int:
        """0, 1 for a file that cannot be read, 7 for one that cannot be written."""
        if self.error is None:
            return OK
        return DISK if self.error.exit_code == DISK else FINDINGS

    @property
    def unread(self) -> bool:
        """Whether there was nothing to lay out: no such file, or none that can be read."""
        return self.error is not None and all(d.code is codes.CANNOT_READ for d in self.error.diagnostics)


def format(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Files, folders of them or globs; - is stdin, to stdout.", readable=False
        ),
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing, print what would change; exit code 1.")] = False,
) -> None:
    """Lay definitions out in one way: two spaces, one member a line, short objects on one line, 120 columns.

    \b
    nnlang format config.json             rewrite a file
    nnlang format examples/ --check       in CI: is all laid out as it should be?
    nnlang format config.json --diff      what would change
    nnlang format - < config.json         to standard output, as editors ask for it

    Keys stay in their order, numbers and strings as they are written, comments with what they speak of; all lines end
    as the first one does. A line that a `// nnlang: ignore[...]` speaks of is never broken. Works for job files and
    sweep files as well.

    Exit code 0 when all is laid out, 1 when a file has syntax errors, or would change under --check or --diff.
    """
    named = list(definitions(paths, command="format"))
    writes = not (check or diff)
    outcomes = [_outcome(path, writes, diff) for path in named]
    show.findings([d for outcome in outcomes if outcome.error for d in outcome.error.diagnostics])
    exit_code = max(outcome.exit_code for outcome in outcomes)
    if not writes and any(outcome.changed for outcome in outcomes):
        exit_code = max(exit_code, FINDINGS)
    if not writes or named != [Path(STDIN)]:  # there, standard output holds the text alone, and no more is to say
        (show.tell if diff or Path(STDIN) in named else show.say)(_summary(outcomes, writes, paths))
    raise typer.Exit(exit_code)


def _outcome(path: Path, writes: bool, diff: bool) -> _Outcome:
    try:
        return _Outcome(_changes(path, writes, diff))
    except Stop as error:
        return _Outcome(error=error)


def _changes(path: Path, writes: bool, diff: bool) -> bool:
    """Lay one file or standard input out, write it where it is to be written, and tell whether that changes it."""
    source, report = read_source(path), Report()
    text = format_text(source, report)
    if text is None:
        raise Stop(*report.sorted())
    if writes and str(path) == STDIN:
        rewrite.put(text)
    elif text == source.text:
        return False
    elif writes:
        rewrite.replace(path, text)
        show.say(f"reformatted {printable(source.name)}")
    elif diff:
        rewrite.put("".join(patch(printable(source.name), source.text, text)))
    else:
        show.say(f"would reformat {printable(source.name)}")
    return text != source.text


def _summary(outcomes: list[_Outcome], writes: bool, paths: list[Path]) -> str:
    """How many files became what; under --check and --diff, the command that would do it."""
    changed = sum(outcome.changed for outcome in outcomes)
    failed = sum(outcome.error is not None for outcome in outcomes)
    unread = sum(outcome.unread for outcome in outcomes)
    counts = (
        (changed, "reformatted" if writes else "would be reformatted"),
        (len(outcomes) - changed - failed, "unchanged" if writes else "laid out already"),
        (failed - unread, "left alone"),
        (unread, "not read"),
    )
    told = ", ".join(f"{number} file{'s' * (number != 1)} {what}" for number, what in counts if number)
    if writes or not changed:
        return told
    return f"{told}; `nnlang format {printable(shlex.join(map(str, paths)))}` does it"
