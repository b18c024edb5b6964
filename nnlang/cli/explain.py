"""`nnlang explain`: the manual, offline: keys, values and codes, everything that a word means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.codes import usage as codes
from nnlang.diagnostics import Diagnostic, Stop
from nnlang.suggest import did_you_mean

if TYPE_CHECKING:
    from nnlang.manual import Entry

WIDTH = 100  # columns of the text


def explain(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="CODE|KEY|VALUE", help="What to explain; without any, all.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Explain keys and values of the language, and codes of findings.

    \b
    nnlang explain                       all keys by the objects they stand in, all families of codes
    nnlang explain Activation            a key: meaning, range, default, spellings, an example
    nnlang explain Layers.SparsenessPenalty WeightInit.Scale
    nnlang explain Nesterov              a value
    nnlang explain NN301 unknown-layer   a finding, by its code or its name
    nnlang explain NN5                   a family of findings

    Letter case makes no difference.
    """
    from nnlang.manual import look_up, overview

    found = [entry for articles in map(look_up, words or []) for entry in articles]
    if unknown := [word for word in words or [] if not look_up(word)]:
        raise Stop(*map(_unknown, unknown))
    entries = found if words else list(overview())
    if json:
        for entry in entries:
            show.record(asdict(entry))
        return
    show.say("\n\n".join("\n".join(_article(entry, brief=not words)) for entry in entries))
    if not words:
        show.say("\n`nnlang explain NAME` says more: a key, a value, a code such as NN301, a family such as NN5.")


def _unknown(word: str) -> Diagnostic:
    """The finding for a word that the manual does not know."""
    from nnlang.manual import words

    near = did_you_mean(word.rpartition(".")[2], words())
    return Diagnostic(codes.NOT_IN_THE_MANUAL, None, {"word": word[:60]}, near)


def _article(entry: Entry, *, brief: bool) -> Iterator[str]:
    """One article in lines; a brief one names what is inside without its words."""
    heading = f"{entry.name}, {entry.where}" if entry.where else entry.name
    yield from wrap(heading, WIDTH, subsequent_indent="  ")
    if brief and entry.kind == "table":
        yield from wrap(", ".join(name for name, _ in entry.rows), WIDTH, initial_indent="  ", subsequent_indent="  ")
        return
    if entry.words:
        yield ""
        yield from wrap(entry.words, WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _columns("", entry.facts)
    yield from _columns(entry.rows_title, entry.rows)
    for heading, text in entry.examples:
        yield from ("", f"  {heading}", *(f"    {line}".rstrip() for line in text.split("\n")))


def _columns(title: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Rows of a name and words, the words in a column of their own."""
    if not rows:
        return
    yield ""
    if title:
        yield f"  {title}"
    pad = " " * (4 if title else 2)
    column = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        lines = wrap(text, WIDTH, initial_indent=pad + name.ljust(column), subsequent_indent=pad + " " * column)
        yield from lines
