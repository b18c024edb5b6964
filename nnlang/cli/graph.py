"""`nnlang graph`: a definition drawn; needs neither torch nor, unless they are given, data."""

from __future__ import annotations

import io
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from nnlang.cli import options, show
from nnlang.definition import load
from nnlang.diagnostics import printable
from nnlang.drawing import FORMS, draw
from nnlang.network import DataFacts, Network
from nnlang.runtime.facts import facts_of
from nnlang.suggest import did_you_mean

_STDOUT = Path("-")
_OF_PIXELS = ("png", "pdf")  # suffixes of what other programs make of an .svg


def graph(
    definition: Annotated[
        Path, typer.Argument(metavar="FILE", help="The network definition; - is stdin.", readable=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The drawing to write; - prints it.", readable=False),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help=f"{', '.join(FORMS)} [as the suffix of -o].")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Data set file that gives sizes.", readable=False),
    ] = None,
    width: options.Widths = None,
) -> None:
    """Draw a definition: its layers with shapes, activations and parameter counts, and what feeds what.

    \b
    nnlang graph config.json
    nnlang graph config.json -o config.svg
    nnlang graph config.json -o config.html --data gl_input.nc --data gl_output.nc
    nnlang graph config.json -o - --format mmd --width gl_input=27278 --width gl_output=27278

    svg and html need no other program, mmd is for Mermaid (README files), dot for Graphviz, txt for a terminal, the
    form that appears without -o. Sizes that only data sets know stay open: give --data or --width.
    """
    chosen = _form(output, form)
    facts = _facts(data or [], width)
    checked = load(definition, facts, need_shapes=False)
    assert checked.network is not None
    show.findings(checked.report.sorted())
    drawing = draw(checked.network, chosen)
    if output is None or output == _STDOUT:
        _print(drawing)
    else:
        _write(drawing, definition, output)
    if output != _STDOUT and not (output is None and form):
        _next(definition, output, checked.network, bool(facts))


def _form(output: Path | None, form: str | None) -> str:
    """What to draw: as `--format` says, else as the suffix does; text for a terminal. `Stop` for what is none."""
    known = ", ".join(FORMS)
    if form is not None:
        if form not in FORMS:
            raise options.refused("--format", form, f"it takes {known}", did_you_mean(form, FORMS), "graph")
        return form
    if output is None:
        return "txt"
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in FORMS:
        return suffix
    suffixes = ", ".join(f".{name}" for name in FORMS)
    reason = "its name does not say in which form" if output == _STDOUT else f"drawings end in {suffixes}"
    help = f"say what to draw with --format: {known}"
    if suffix in _OF_PIXELS:
        drawn = shlex.quote(str(output.with_suffix(".svg")))
        help = f"draw {drawn}; a browser prints it, and `rsvg-convert -f {suffix} {drawn}` makes a .{suffix} of it"
    raise options.refused("-o", output, reason, help, "graph")


def _facts(data: list[Path], width: list[str] | None) -> dict[str, DataFacts]:
    """The facts of the data sets; of those that are only named, the width and nothing invented."""
    facts = facts_of(data)
    examples = next((known.examples for known in facts.values()), 0)
    named = options.widths(width, "graph")
    return facts | {name: replace(named[name], examples=examples, entries=0) for name in named}


def _print(drawing: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what the drawing is in, whatever the terminal speaks
    show.say(drawing.removesuffix("\n"))


def _write(drawing: str, definition: Path, output: Path) -> None:
    from nnlang.runtime.files import atomic_text, distinct

    distinct(definition=None if definition == _STDOUT else definition, drawing=output)
    atomic_text(output, [drawing])
    show.say(f"wrote {printable(str(output))}")


def _next(definition: Path, output: Path | None, network: Network, sized: bool) -> None:
    """What to type next: a drawing after the text, sizes where they are open."""
    words = ["nnlang", "graph", str(definition)]
    if not sized and any(layer.units == 0 for layer in network.layers):
        named = dict.fromkeys(layer.dataset for layer in network.layers if layer.dataset and not layer.units)
        more = [word for name in named for word in ("--width", f"{name}=N")]
        show.tell(f"sizes are open: {_line([*words, *(['-o', str(output)] if output else []), *more])}")
        show.tell("  or --data FILE for the data sets themselves")
    if output is None and definition != _STDOUT:
        show.tell(f"next: {_line([*words, '-o', definition.stem + '.svg'])}")


def _line(words: list[str]) -> str:
    return printable(shlex.join(words))
