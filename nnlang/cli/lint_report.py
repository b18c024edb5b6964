"""What `nnlang lint` tells: findings for people or machines, a table of codes, the summary, the next command."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from nnlang.cli import rewrite, show
from nnlang.cli.lint_options import Chosen
from nnlang.diagnostics import Severity, printable, render
from nnlang.linting.check import Finding
from nnlang.linting.settings import LEVELS

_NAMED = 20  # files that were mended before an interrupt
Results = Sequence[tuple[str, Sequence[Finding]]]  # the name of a file, what is found in it


@dataclass(frozen=True)
class Told:
    """What there is to tell: findings that are left, by file; those that were mended; those that are known."""

    results: Results
    mended: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    known: int = 0
    stale: int = 0
    recorded: bool = False  # the baseline was written


def tell(told: Told, chosen: Chosen) -> None:
    """Findings to standard output or to a file, then what people want to know besides.

    Where standard output holds something else, a text that was mended or a diff, findings and summary go to standard
    error; where machines read it, the summary is left out.
    """
    flags, level = chosen.flags, chosen.settings.fail_level
    if flags.output_file is not None:
        from nnlang.runtime.files import atomic_text

        atomic_text(flags.output_file, [_text(told, chosen.form, level)])
    elif chosen.form != "text":
        rewrite.put(_text(told, chosen.form, level))
        return
    elif not flags.statistics:
        _findings(told, sys.stderr if chosen.text_out else sys.stdout)
    if flags.statistics:
        _statistics(told)
    for line in _lines(told, chosen):
        (show.tell if chosen.text_out else show.say)(line)


def stopped(told: Told, files: int) -> None:
    """What was done when the user broke off, to standard error."""
    names = [printable(name) for name in told.mended]
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    mended = f", {len(names):,} mended: {', '.join([*names[:_NAMED], *more])}" if names else ""
    show.tell(f"interrupted after {len(told.results):,} of {_count(files, 'file')}{mended}")


def _text(told: Told, form: str, level: Severity) -> str:
    """The findings in one of the forms, whole."""
    if form == "text":
        return "".join(f"{render(f.diagnostic for f in found)}\n\n" for _, found in told.results if found)
    from nnlang.linting.formats import FORMATS, Result

    return FORMATS[form]([Result(name, tuple(found), level) for name, found in told.results])


def _findings(told: Told, stream: TextIO) -> None:
    found = [f.diagnostic for _, found in told.results for f in found]
    if not found:
        return
    try:
        show.findings(found, stream)
        print(file=stream, flush=True)
    except BrokenPipeError:  # whoever read it has enough; the exit code stays what it is
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _statistics(told: Told) -> None:
    """How often each code was found, the most frequent first."""
    found = _all(told)
    names = {f.diagnostic.code.code: f.diagnostic.code.name for f in found}
    counts = Counter(f.diagnostic.code.code for f in found)
    ways = {f.diagnostic.code.code: "--fix" if f.fix.safe else "--unsafe-fixes" for f in found if f.fix is not None}
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    if rows:
        show.table("", ("code", "name", "count", "mended by"), [(c, names[c], n, ways.get(c, "")) for c, n in rows])


def _lines(told: Told, chosen: Chosen) -> Iterator[str]:
    """The summary, line by line."""
    verb = "would mend" if chosen.flags.diff else "mended"
    for name, findings in told.mended.items():
        counts = Counter(f"{f.diagnostic.code.code} {f.diagnostic.code.name}" for f in findings)
        kinds = ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in sorted(counts.items()))
        yield f"{verb} {printable(name)}: {kinds}"
    yield _summary(told, chosen)
    if chosen.baseline is not None:
        yield from _of_baseline(told, printable(chosen.baseline))
    worst = max(_all(told), key=lambda f: LEVELS.index(f.diagnostic.code.severity), default=None)
    if worst is not None:
        yield f"`nnlang explain {worst.diagnostic.code.code}` says more about {worst.diagnostic.code.name}"


def _summary(told: Told, chosen: Chosen) -> str:
    found = _all(told)
    counts = Counter(f.diagnostic.code.severity for f in found)
    words = ", ".join(_count(counts[level], level) for level in reversed(LEVELS) if counts[level])
    left = " left" if words and told.mended and not chosen.flags.diff else ""
    text = f"{_count(len(told.results), 'file')} checked: {words or 'nothing to say'}{left}"
    safe = sum(f.fix is not None and f.fix.safe for f in found)
    unsafe = sum(f.fix is not None and not f.fix.safe for f in found)
    if chosen.flags.diff or not (safe or unsafe):
        return text
    if not safe:
        return f"{text}; {unsafe} can be mended by --fix --unsafe-fixes"
    return f"{text}; {safe} can be mended by --fix" + (f", {unsafe} more by --unsafe-fixes" if unsafe else "")


def _of_baseline(told: Told, name: str) -> Iterator[str]:
    if told.recorded:
        yield f"{name} written: {_count(told.known, 'known finding')}"
    elif told.known:
        yield f"{_count(told.known, 'known finding')} in {name} not told"
    if told.stale:
        ones = "entry" if told.stale == 1 else "entries"
        yield f"{told.stale:,} stale {ones} in {name}: what is gone, --update-baseline removes"


def _all(told: Told) -> list[Finding]:
    return [f for _, found in told.results for f in found]


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' if number != 1 else ''}"
