"""`nnlang data split`: train, validation and test files by any protocol."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.cli.generate import reading
from nnlang.codes import data as data_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Diagnostic, Place, stop

if TYPE_CHECKING:
    from nnlang.runtime.interactions import Interactions
    from nnlang.runtime.protocols import Protocol, Split

_FEW = 30  # users; a part of fewer, of data with more than _FEW times as many, is told of
_MARKS = {"\\t": "\t", "tab": "\t"}

Ratings = Annotated[
    Path, typer.Argument(metavar="RATINGS", help="Text, table, .gz file or folder of such.", readable=False)
]
Folder = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write; made if need be.", readable=False)
]
Name = Annotated[str, typer.Option("--protocol", metavar="NAME", help="holdout, strong, last, windows or kfold.")]
Fraction = Annotated[
    float | None,
    typer.Option("--fraction", metavar="X", help="Share of a user's entries held out (not last, windows) [0.2]."),
]
Validation = Annotated[
    float | None,
    typer.Option(
        "--validation",
        metavar="X",
        help="The part to choose settings by, 0 for none: a share of what is kept (holdout, kfold), of the training "
        "time (windows), of the users or so many of them (strong), entries of a user (last) [0.1; last: 1].",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="What all choices follow from [1].")]
Users = Annotated[
    float | None,
    typer.Option("--users", metavar="X", help="strong: share of the users to hold out, or how many [0.1]."),
]
MinItems = Annotated[
    int | None,
    typer.Option("--min-items", metavar="N", help="strong, kfold by users: leave out users with fewer [5]."),
]
By = Annotated[str | None, typer.Option("--by", metavar="entries|users", help="kfold: what is dealt [entries].")]
Folds = Annotated[int | None, typer.Option("--folds", metavar="N", help="kfold: how many folds [5].")]
Fold = Annotated[
    int | None, typer.Option("--fold", metavar="I", help="kfold, windows: which one is the test, from 0 [0].")
]
Windows = Annotated[int | None, typer.Option("--windows", metavar="N", help="windows: how many windows [5].")]
Window = Annotated[
    float | None,
    typer.Option("--window", metavar="DAYS", help="windows: how long each is; 0 for equal parts of the time [0]."),
]
Second = Annotated[
    str | None,
    typer.Option(
        "--second",
        metavar="none|value|time",
        help="What the number after an item, or in a third column, is [none; time where the protocol needs it].",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first bad line instead of skipping it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")]


def split(
    ratings: Ratings,
    folder: Folder,
    protocol: Name = "holdout",
    fraction: Fraction = None,
    validation: Validation = None,
    seed: Seed = None,
    users: Users = None,
    min_items: MinItems = None,
    by: By = None,
    folds: Folds = None,
    fold: Fold = None,
    windows: Windows = None,
    window: Window = None,
    columns: options.Columns = None,
    delimiter: options.Delimiter = None,
    second: Second = None,
    least: options.Least = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write train, validation and test files by a protocol, the same ones for the same seed.

    \b
    A fifth of each user's entries, as in DSSTNE's 80/20:
      nnlang data split ratings.txt -o split
    Users that training never sees, ratings of 4 and more (Liang et al. 2018):
      nnlang data split ratings.csv --columns userId,movieId,rating --min-value 4 -o split \\
          --protocol strong --users 10000 --validation 10000
    What each user did last, from a text of `user TAB item,time:item,time`:
      nnlang data split ratings.txt -o split --protocol last
    The last of 12 windows of 30 days, learning from all that came before:
      nnlang data split ratings.csv --columns userId,movieId,rating,timestamp -o split \\
          --protocol windows --windows 12 --window 30 --fold 11
    The first of ten folds:
      nnlang data split ratings.txt -o split --protocol kfold --folds 10 --fold 0

    DIR then holds `train`, `validation_known`, `validation_held`, `test_known` and `test_held`, texts of one user a
    line, and `split.json`, which says how they were made and what was left out. Values stay with --second value.
    """
    from nnlang.runtime import protocols
    from nnlang.runtime.interactions import read_interactions
    from nnlang.runtime.splitfiles import write_split

    wanted = _protocol(
        protocol=protocol, fraction=fraction, validation=validation, seed=seed, users=users, min_items=min_items,
        by=by, folds=folds, fold=fold, windows=windows, window=window,
    )  # fmt: skip
    _check_folder(folder, overwrite)
    usual = "time" if protocols.METHODS[wanted.name].timed and columns is None else "none"
    data = read_interactions(
        ratings, columns=names(columns), delimiter=mark(delimiter), second=second or usual,
        least=least, strict=strict, progress=reading(),
    )  # fmt: skip
    show.findings(data.notices)
    made = protocols.split(data, wanted)
    counts = write_split(made, data, folder)
    (_record if as_json else _tell)(data, made, counts, folder)


def _protocol(**given: object) -> Protocol:
    """The protocol of those options that were given, checked."""
    from nnlang.runtime.protocols import protocol_of

    return protocol_of({name: value for name, value in given.items() if value is not None})


def names(columns: str | None) -> tuple[str, ...]:
    """The names of `--columns`, none where it was not given."""
    return tuple(name.strip() for name in columns.split(",")) if columns is not None else ()


def mark(delimiter: str | None) -> str:
    """The character that `--delimiter` means, empty where it was not given."""
    return _MARKS.get(delimiter or "", delimiter or "")


def _record(data: Interactions, made: Split, counts: dict[str, dict[str, int]], folder: Path) -> None:
    """Print the result for machines."""
    show.record({
        "event": "split",
        "folder": str(folder),
        **made.protocol.record(),
        "sources": [{"name": source.name, "sha256": source.sha256} for source in data.sources],
        "counts": counts,
        "left_out": dict(made.left_out),
        "facts": dict(made.facts),
        "notices": [{"code": d.code.code, "message": d.message} for d in data.notices],
    })  # fmt: skip


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Raise `Stop` where something of another purpose may stand in the folder."""
    try:
        filled = folder.is_dir() and any(folder.iterdir())
    except OSError:
        return  # writing tells what is wrong with it
    if filled and not overwrite:
        help = "write into it with --overwrite, or give another folder to -o"
        raise stop(codes.MODEL_EXISTS, Place(str(folder)), what="something", path=folder, help=help)


def _tell(data: Interactions, made: Split, counts: dict[str, dict[str, int]], folder: Path) -> None:
    """Print the counts, what was left out, and what to type next."""
    from nnlang.runtime.splitfiles import read_as

    _tell_counts(made.protocol, counts, made.left_out, made.facts, read_as(data))
    show.findings(_small_parts(made, len(data.users), folder))
    show.say(f"wrote {folder}")
    _say_next(folder, made.protocol, made.train.values is not None)


def describe(folder: Path, as_json: bool) -> None:
    """Print what a split on the disk holds, its texts checked: its split.json, or as people read it."""
    from nnlang.runtime.protocols import protocol_of
    from nnlang.runtime.splitfiles import read_split

    about = read_split(folder).about
    if as_json:
        show.record(about)
        return
    reading = about.get("reading")
    _tell_counts(
        protocol_of(about["protocol"]), about["counts"], about["left_out"], about["facts"],
        reading if isinstance(reading, dict) else {},
    )  # fmt: skip
    sources = [(source["name"], source["sha256"]) for source in about["sources"]]
    show.table("made from", ("text", "sha256"), sources)


def _tell_counts(
    protocol: Protocol,
    counts: Mapping[str, Mapping[str, int]],
    left_out: Mapping[str, int],
    facts: Mapping[str, float | str],
    reading: Mapping[str, object],
) -> None:
    from nnlang.runtime.protocols import LEFT_OUT, METHODS, numbers_of

    show.say(f"{protocol.name}: {METHODS[protocol.name].words}")
    show.say(
        "  "
        + ", ".join(
            f"{name} {getattr(protocol, name):g}" if name != "by" else f"by {protocol.by}"
            for name in numbers_of(protocol)
        )
    )
    below, least = reading.get("entries_below_min_value"), reading.get("min-value")
    if isinstance(below, int) and isinstance(least, int | float):
        show.say(f"  left out first, by --min-value {least:g}: {below:,} entries")
    rows = [(name, found["users"], found["items"], found["entries"]) for name, found in counts.items()]
    show.table("", ("text", "users", "items", "entries"), rows)
    if left_out:
        show.table(
            "left out", ("what", "number"), [(LEFT_OUT.get(name, name), count) for name, count in left_out.items()]
        )
    for fact in _facts(facts):
        show.say(fact)


def _small_parts(made: Split, users: int, folder: Path) -> list[Diagnostic]:
    """A warning for each part with so few of the users that its figures say little."""
    parts = {"validation": made.validation, "test": made.test}
    sizes = {f"users judged by the {name} part": len(part.users) for name, part in parts.items() if part is not None}
    told = f" of {users:,}"
    help = "figures of so few users say little: choose other numbers of the protocol, or another protocol"
    return [
        Diagnostic(data_codes.SUSPICIOUS, Place(str(folder)), {"what": what, "count": size, "example": told}, help)
        for what, size in sizes.items()
        if size < _FEW and size * _FEW < users
    ]


def _facts(facts: Mapping[str, float | str]) -> list[str]:
    """What else is worth knowing, a sentence each; times as dates."""
    from nnlang.runtime.protocols import FACTS
    from nnlang.runtime.times import date, named

    unit = named(str(facts.get("time_unit", "")))
    shown = []
    for name, fact in facts.items():
        is_time = name.endswith(("_from", "_until")) and not isinstance(fact, str)
        value = date(float(fact), unit) if is_time else f"{fact:,}" if isinstance(fact, int) else fact
        shown.append(f"{FACTS.get(name, name)}: {value}")
    return shown


def _say_next(folder: Path, protocol: Protocol, values: bool) -> None:
    named = shlex.quote(str(folder))
    shared = f"-i {shlex.quote(str(folder / 'train'))} -f features -s samples{' -t analog' if values else ''}"
    show.say(f"next: nnlang generate -d gl_input -o gl_input.nc {shared} -c")
    show.say(f"      nnlang generate -d gl_output -o gl_output.nc {shared}")
    validate = f" --validate {named}" if protocol.validation else ""
    show.say(f"      nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10{validate}")
    show.say(f"      nnlang evaluate -n gl.nc --split {named}")
