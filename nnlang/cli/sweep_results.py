"""`nnlang sweep status|show|best|export|compare`: what a sweep came to, also while it runs."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlang.cli import options, sweep_test
from nnlang.cli import show as screen
from nnlang.codes import sweeping as codes
from nnlang.codes import usage as usage_codes
from nnlang.diagnostics import stop
from nnlang.measures import Metric
from nnlang.search.study import DONE, State, Study, Trial, refusal

if TYPE_CHECKING:
    from nnlang.search.history import History

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The sweep's folder.", readable=False)]
_LAST = 20  # lines of a trial's log that are shown


def status(folder: Folder, json: options.Json = False) -> None:
    """Say how far a sweep is, also while it runs.

    \b
    nnlang sweep status first
    """
    from nnlang.search.advice import again
    from nnlang.search.events import is_running
    from nnlang.search.progress import progress

    history, study = known(folder)
    counts = Counter(t.state.value for t in study.trials if t.number)
    done = sum(1 for t in study.trials if t.number and t.state in DONE)
    running, at = is_running(folder), progress(folder, history)
    best = study.best
    if json:
        screen.record({
            "event": "status", "name": study.name, "running": running, "total": study.total, "done": done,
            "states": dict(sorted(counts.items())), "metric": str(study.metric),
            "best": None if best is None else record_of(best, study.metric),
            "trials": [{"number": n, "epoch": e, "value": v} for n, (e, v) in sorted(at.items())],
        })  # fmt: skip
        return
    shown = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none asked yet"
    screen.say(f"sweep     {study.name}, {study.method}, {study.metric}")
    screen.say(f"trials    {done:,} of {study.total:,} done ({shown})")
    screen.say(f"best      {_best_words(study)}")
    for number, (epoch, value) in sorted(at.items()):
        words = "" if value is None else f", {study.metric} {value:.4f}"
        screen.say(f"running   trial {number}: epoch {epoch}{words}")
    if not running and done < study.total:
        screen.say("nobody runs it now: go on with\n  " + again(history.head.get("command", ()), folder))


def _best_words(study: Study) -> str:
    best, base = study.best, study.base
    if best is None or best.value is None:
        return "no trial has finished yet"
    words = f"{study.metric} {best.value:.4f}, trial {best.number}, epoch {best.best_epoch}"
    if base is not None and base.value is not None and base.number != best.number:
        words += f" (base {base.value:.4f})"
    return words


def known(folder: Path) -> tuple[History, Study]:
    """What the event log of a folder tells; raises `Stop` where there is none."""
    from nnlang.search.events import NAME, read
    from nnlang.search.history import replay

    history = replay(read(folder / NAME).items, folder / NAME)
    return history, history.study(folder)


def show(
    folder: Folder,
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="One trial.", min=0)] = None,
    json: options.Json = False,
) -> None:
    """Show all trials, best first; or one: its parameters, its values by epoch, the end of its log.

    \b
    nnlang sweep show first
    nnlang sweep show first 17
    """
    history, study = known(folder)
    if number is not None:
        _show_one(study, trial_of(study, number), json)
    elif json:
        for trial in ordered(study):
            screen.record({"event": "trial", **record_of(trial, study.metric)})
    else:
        table(study)
        advise(history, study)


def advise(history: History, study: Study) -> None:
    """Print what to beware of, and which axes to widen; nothing where there is no such thing."""
    from nnlang.search.advice import edges, parts

    count = parts(study)
    if count > 1:
        screen.say(
            f"trials were judged on {count} validation parts: a better value may come of an easier part; "
            "compare trials of one part"
        )
    elif study.best is not None:
        for line in edges(study.best.params, history.head.get("ends", {})):
            screen.say(line)


def trial_of(study: Study, number: int) -> Trial:
    """The trial of a number; raises `Stop` (NN793) where there is none."""
    for trial in study.trials:
        if trial.number == number:
            return trial
    raise refusal(codes.NO_SUCH_TRIAL, study.folder, number=number, reason="is not there (yet)")


def _show_one(study: Study, trial: Trial, as_json: bool) -> None:
    from nnlang.search.server import log_tail
    from nnlang.search.trial import folder_of

    folder = folder_of(study.folder, trial.number)
    log = log_tail(folder).splitlines()[-_LAST:]
    if as_json:
        curve = [[epoch, _plain(value)] for epoch, value in trial.values]
        screen.record({"event": "trial", **record_of(trial, study.metric), "values": curve, "log": log})
        return
    facts = [("state", trial.state.value), ("epochs", trial.epochs), ("seconds", f"{trial.seconds:.1f}")]
    if trial.value is not None:
        facts.append((f"best {study.metric}", f"{trial.value:.4f} after epoch {trial.best_epoch}"))
    facts += [(name, text(value)) for name, value in trial.params.items()]
    screen.table(f"trial {trial.number}" + (" (the base definition)" if not trial.number else ""), ("", ""), facts)
    if trial.values:
        screen.table("", ("epoch", str(study.metric)), [(epoch, float(value)) for epoch, value in trial.values])
    if trial.error:
        screen.say(f"\n{trial.error}")
    if log:
        screen.say(f"\nthe end of {folder / 'log.txt'}:")
        for line in log:
            screen.say(f"  {line}")


def ordered(study: Study) -> list[Trial]:
    """All trials in the order of tables: finished ones best first, then the others by state and number."""
    ranked = study.ranked()
    first = {trial.number for trial in ranked}
    states = list(State)
    rest = [trial for trial in study.trials if trial.number not in first]
    return ranked + sorted(rest, key=lambda t: (states.index(t.state), t.number))


def table(study: Study, most: int | None = None) -> None:
    """Print the trials, at most so many; the base is always there."""
    trials = ordered(study)
    shown = trials if most is None else [t for i, t in enumerate(trials) if i < most or t.number == 0]
    rows = [
        (
            "base" if not t.number else str(t.number),
            t.state.value,
            "-" if t.value is None else f"{t.value:.4f}",
            t.best_epoch,
            t.epochs,
            *(text(t.params[axis]) if axis in t.params else "-" for axis in study.axes),
        )
        for t in shown
    ]
    title = f"{study.name}: {sum(1 for t in trials if t.number):,} of {study.total:,} trials, and the base"
    heads = short(study.axes)
    screen.table(title, ("trial", "state", str(study.metric), "at epoch", "epochs", *heads), rows)
    if len(shown) < len(trials):
        screen.say(f"  and {len(trials) - len(shown):,} more: nnlang sweep show {shlex.quote(str(study.folder))}")


def short(axes: Sequence[str]) -> list[str]:
    """The names of axes by as many of their last parts as tell them apart: `Hidden.N`, `p`."""

    def end(axis: str, parts: int) -> str:
        return ".".join(axis.split(".")[-parts:])

    def least(axis: str) -> str:
        most = len(axis.split("."))
        ends = (end(axis, n) for n in range(1, most) if [end(a, n) for a in axes].count(end(axis, n)) == 1)
        return next(ends, axis)

    return [least(axis) for axis in axes]


def text(value: Any) -> str:
    """A parameter as people read it."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value)


def record_of(trial: Trial, metric: Metric) -> dict[str, Any]:
    """A trial for machines."""
    return {
        "number": trial.number,
        "state": trial.state.value,
        "metric": str(metric),
        "value": _plain(trial.value),
        "best_epoch": trial.best_epoch,
        "epochs": trial.epochs,
        "seconds": round(trial.seconds, 3),
        "seed": trial.seed,
        "params": dict(trial.params),
        "error": trial.error,
    }


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def best(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the definition there.", readable=False)
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Judge it, and the base, on the test part.")] = False,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Give the winning definition as a plain LNDL file.

    \b
    nnlang sweep best first -o best.json
    nnlang sweep best first --test
    """
    from nnlang.runtime.files import atomic_text
    from nnlang.search.trial import DEFINITION, folder_of

    _, study = known(folder)
    winner = study.best
    if winner is None:
        raise refusal(codes.NO_SUCH_TRIAL, folder, number=0, reason="has not finished, nor has any other")
    definition = (folder_of(folder, winner.number) / DEFINITION).read_text(encoding="utf-8")
    if output is not None:
        atomic_text(output, [definition])
    if json:
        screen.record({"event": "best", **record_of(winner, study.metric), "definition": definition})
    elif output is None and not test:
        screen.say(definition.rstrip("\n"))
    else:
        screen.say(f"best      {_best_words(study)}")
        if output is not None:
            screen.say(f"wrote {output}")
    if test:
        sweep_test.judged(study, finalists(study, winner), device, json, keep=True)


def finalists(study: Study, winner: Trial) -> list[Trial]:
    """The winner, and the base where that is another trial of the same split."""
    from nnlang.search.afterwards import split_of

    base = study.base
    if base is None or base.number == winner.number or base.state is not State.FINISHED:
        return [winner]
    return [winner, base] if split_of(study.folder, base) == split_of(study.folder, winner) else [winner]


FORMS = (".csv", ".jsonl")


def export(
    folder: Folder,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="trials.csv or trials.jsonl.", readable=False)
    ],
) -> None:
    """Write all trials as a table (CSV) or one JSON object a line, by number.

    \b
    nnlang sweep export first -o trials.csv
    """
    from nnlang.runtime.files import atomic_text

    _, study = known(folder)
    if output.suffix not in FORMS:
        reason = f"it takes a name that ends in {' or '.join(FORMS)}"
        raise stop(usage_codes.BAD_VALUE, option="-o", value=output, reason=reason, command="sweep export")
    records = [record_of(trial, study.metric) for trial in study.trials]
    atomic_text(output, _csv(study, records) if output.suffix == ".csv" else [json.dumps(r) + "\n" for r in records])
    screen.say(f"wrote {len(records):,} trials to {output}")


def _csv(study: Study, records: Sequence[Mapping[str, Any]]) -> list[str]:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = ("number", "state", "value", "best_epoch", "epochs", "seconds", "seed", "error")
    names = [str(study.metric) if column == "value" else column for column in columns]
    writer.writerow([*names, *study.axes])
    for record in records:
        own = [record[column] for column in columns]
        params = [text(record["params"][axis]) if axis in record["params"] else "" for axis in study.axes]
        writer.writerow(["" if cell is None else cell for cell in (*own, *params)])
    return [stream.getvalue()]


def compare(
    folder: Folder,
    one: Annotated[int, typer.Argument(metavar="A", help="A trial; 0 is the base.", min=0)],
    other: Annotated[int, typer.Argument(metavar="B", help="Another.", min=0)],
    test: Annotated[bool, typer.Option("--test", help="On the test part, not the validation part.")] = False,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Compare two trials user by user: the difference, its 95% interval, wins and losses.

    \b
    nnlang sweep compare first 17 0
    nnlang sweep compare first 17 0 --test
    """
    _, study = known(folder)
    trials = [trial_of(study, one), trial_of(study, other)]
    if test:
        sweep_test.judged(study, trials, device, json, keep=False, baselines=())
    else:
        sweep_test.compared(study, trials, json)
