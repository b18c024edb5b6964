"""`nnlang sweep generate`: the combinations of a sweep as definitions, or what they would be and cost."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.cli.lint_options import Data
from nnlang.codes import usage as codes
from nnlang.diagnostics import Stop, bytes_text, stop

if TYPE_CHECKING:
    from nnlang.network import DataFacts
    from nnlang.search.estimate import Estimate
    from nnlang.sweeps.sweepfile import Sweep

_SHOWN = 4  # combinations at either end of a dry run


def generate(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A sweep file, or a definition with $sweep in it.", readable=False),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="A new folder for them.", readable=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what there would be.")] = False,
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="Grid, Random or QMC, in place of the file's.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="How many, in place of the file's.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="In place of the file's RandomSeed.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="Refuse more than so many.")] = 1_000_000,
    check: Annotated[
        int, typer.Option("--check", metavar="N", help="Lint so many drawn ones, beside one of each value.")
    ] = 50,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace numbered definitions and manifest in DIR.")
    ] = False,
    data: Data = None,
    width: options.Widths = None,
    as_json: options.Json = False,
) -> None:
    """Write every combination of a sweep as a numbered definition, with a manifest (JSONL) of what each is.

    \b
    nnlang sweep generate sweep.json --dry-run
    nnlang sweep generate sweep.json -o configs
    nnlang sweep generate sweep.json -o configs --method Random --trials 1000 --seed 7
    nnlang sweep generate config.json -o configs       a definition with "N": { "$sweep": [128, 256] }

    Before anything is written, a combination with each value of each axis goes through lint, and --check N drawn ones;
    an error stops it. Equal files, methods and seeds give equal bytes. DIR/manifest.jsonl is written last: its first
    line says what the definitions follow from, the others each one's number, file, params, data and split. Comments
    of the base definition are not kept.

    --dry-run lists combinations, and what they cost, computed from a sample; --width NAME=N and --data FILE say how
    large data sets are, others are assumed as large as MovieLens 20M.
    """
    from nnlang.runtime.facts import facts_of
    from nnlang.sweeps.sweepfile import load_sweep

    for option, value, least in (("--limit", limit, 1), ("--check", check, 0)):
        if value < least:
            raise options.refused(option, value, f"it takes an integer from {least}", command="sweep")
    if output is None and not dry_run:
        raise stop(codes.MISSING_OPTION, command="sweep generate", option="-o DIR, or --dry-run")
    given = {n: v for n, v in (("method", method), ("trials", trials), ("seed", seed)) if v is not None}
    again = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    sweep = load_sweep(path, given)
    facts = facts_of(data or []) | options.widths(width, "sweep")
    if output is None or dry_run:
        _dry(sweep, limit, facts, again, as_json)
        return
    _written(sweep, output, limit=limit, check=check, overwrite=overwrite, facts=facts, again=again, as_json=as_json)


def _written(
    sweep: Sweep,
    output: Path,
    *,
    limit: int,
    check: int,
    overwrite: bool,
    facts: dict[str, DataFacts],
    again: Sequence[str],
    as_json: bool,
) -> None:
    """Write them; `again` are the options that stand in place of the file's own values."""
    from nnlang.search.generate import MANIFEST, counted, generate

    count = counted(sweep, limit)
    _linted(sweep, check, facts)
    bar = show.Bar(f"writing {output}")
    try:
        generate(sweep, output, limit=limit, overwrite=overwrite, progress=bar)
    except (KeyboardInterrupt, SystemExit):
        bar.clear()
        show.tell(f"{output} holds some definitions and no manifest; --overwrite begins anew")
        raise
    finally:
        bar.clear()
    if as_json:
        show.record({"folder": str(output), "count": count, "manifest": str(output / MANIFEST)})
        return
    show.say(f"wrote {count:,} definitions to {output}, and what each of them is to {output / MANIFEST}")
    ratings = [] if sweep.data else ["-r", "ratings.txt"]
    show.say("next: " + shlex.join(["nnlang", "sweep", "run", sweep.source.name, "-o", "tried", *again, *ratings]))


def _linted(sweep: Sweep, check: int, facts: dict[str, DataFacts]) -> None:
    """Raises `Stop` with the errors of combinations; warnings are told."""
    from nnlang.linting.check import lint
    from nnlang.linting.sweeps import combined

    found = list(combined(sweep, lambda source: [f.diagnostic for f in lint(source, None, facts)], more=check))
    if errors := [d for d in found if d.code.severity == "error"]:
        raise Stop(*errors)
    show.findings(found)


def _dry(sweep: Sweep, limit: int, facts: dict[str, DataFacts], again: Sequence[str], as_json: bool) -> None:
    """Tell what would be written, and what it would cost."""
    from nnlang.search.estimate import estimate
    from nnlang.search.generate import ADAPTIVE, counted, head, records

    adaptive = sweep.method in ADAPTIVE
    count = sweep.trials or 0 if adaptive else counted(sweep, limit)
    costs = estimate(sweep, facts)
    if as_json:
        show.record({**head(sweep, count), "estimate": _estimate_record(costs)})
        for line, _ in () if adaptive else records(sweep, count):
            show.record(line)
        return
    show.say(f"sweep {sweep.name}: {count:,} {'trials' if adaptive else 'definitions'}, {sweep.method}")
    show.table("", ("axis", "values", "when"), [_axis(sweep, name) for name in range(len(sweep.space.axes))])
    if adaptive:
        show.say(f"{sweep.method} chooses each by the results of those before; `nnlang sweep run` tries them out")
    else:
        _listed(sweep, count)
    _costs(costs)
    if not adaptive:
        show.say("next: " + shlex.join(["nnlang", "sweep", "generate", sweep.source.name, "-o", "configs", *again]))


def _axis(sweep: Sweep, place: int) -> Sequence[str]:
    """A row of the table of axes."""
    from nnlang.sweeps.axes import shown
    from nnlang.sweeps.space import Choice

    axis = sweep.space.axes[place]
    if isinstance(axis.kind, Choice):
        values = ", ".join(shown(value, 40) for value in axis.kind.values[:8])
        values += f", ... ({len(axis.kind.values)})" if len(axis.kind.values) > 8 else ""
    else:
        values = f"{type(axis.kind).__name__} {axis.kind.low:g} to {axis.kind.high:g}"
    when = "; ".join(f"{w.axis} {', '.join(shown(value, 40) for value in w.values)}" for w in axis.when)
    return axis.name, values, when


def _listed(sweep: Sweep, count: int) -> None:
    """The first and the last combinations."""
    from nnlang.linting.sweeps import combination
    from nnlang.search.generate import combinations, file_name

    stream = enumerate(combinations(sweep), 1)
    first = list(islice(stream, _SHOWN))
    last = deque(stream, maxlen=_SHOWN)
    for number, params in first:
        show.say(f"  {file_name(number, count)}  {combination(params)}")
    if count > len(first) + len(last):
        show.say(f"  ... {count - len(first) - len(last):,} more")
    for number, params in last:
        show.say(f"  {file_name(number, count)}  {combination(params)}")


_UNITS: dict[str, Callable[[float], str]] = {"memory": bytes_text, "parameters": lambda number: f"{number:,.0f}"}


def _costs(costs: Estimate) -> None:
    rows = [
        (name, *(_UNITS[name](value) if name in _UNITS else f"{value:,.4g}" for value in spread))
        for name, spread in costs.rows.items()
    ]
    title = f"cost of one, computed from {costs.sampled} of them, not measured"
    if rows:
        show.table(title, ("", "least", "median", "most"), rows)
    if costs.failed:
        show.say(f"{costs.failed} of the sample cannot be costed")
    if costs.assumed:
        show.say(f"assumed as large as MovieLens 20M: {', '.join(costs.assumed)}; --width NAME=N or --data FILE tells")


def _estimate_record(costs: Estimate) -> dict[str, object]:
    rows = {name: dict(zip(("least", "median", "most"), spread, strict=True)) for name, spread in costs.rows.items()}
    return {"computed": rows, "sampled": costs.sampled, "failed": costs.failed, "assumed": list(costs.assumed)}
