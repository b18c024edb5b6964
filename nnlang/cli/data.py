"""`nnlang data`: get public collections, see what data hold, split ratings for learning and judging."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import data_split, options, show
from nnlang.cli.generate import reading

if TYPE_CHECKING:
    from nnlang.runtime.describe import Description

_FORMS = {"density": ".4%", "days": ",.1f"}  # of facts that are no counts

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Get public collections; see what data hold; split ratings for learning and judging.",
)
app.command("split")(data_split.split)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The collection: ml-20m.")],
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where to put it; a folder of its name.", readable=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The zip or ratings.csv, fetched before: no network is needed.",
            readable=False,
        ),
    ] = None,
) -> None:
    """Download a public collection, checked and resumable, or take it from a file.

    \b
      nnlang data get ml-20m
      nnlang data get ml-20m --from ~/Downloads/ml-20m.zip -o movielens
    """
    from nnlang.runtime import download

    wanted = download.collection(name)
    target = folder or Path(name)
    show.say(wanted.about)
    show.say(f"Read the terms before you use it: {wanted.terms}")
    if source is not None:
        table = download.take(source, wanted, target)
    else:
        bar = show.Bar(f"downloading {name}")
        try:
            table = download.get(wanted, target, bar)
        finally:
            bar.clear()
    show.say(f"wrote {table}")
    show.say("next: nnlang generate -d gl_input -o gl_input.nc -f features_input -s samples_input -c \\")
    show.say(f"          -i {table} --columns userId,movieId,rating")


@app.command("describe")
def describe(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A data set (NetCDF), a text, a table, a split.", readable=False),
    ],
    columns: options.Columns = None,
    delimiter: options.Delimiter = None,
    second: Annotated[
        str | None,
        typer.Option(
            "--second",
            metavar="none|value|time",
            help="What the number after an item, or in a third column, is; found out unless given.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print what data hold: sizes, density, how entries spread over rows and columns, and what looks wrong.

    \b
      nnlang data describe gl_input.nc
      nnlang data describe ratings.txt
      nnlang data describe ratings.csv --columns userId,movieId,rating,timestamp
      nnlang data describe split

    \b
    What looks wrong is told with its number, an example and a remedy: values that look like times, names
    with spaces or quotes at their ends, a header read as data, users with one item, and more.
    """
    from nnlang.runtime.dataset import read
    from nnlang.runtime.describe import describe as description
    from nnlang.runtime.describe import describe_ratings, is_data_set

    if (path / "split.json").exists():
        data_split.describe(path, as_json)
        return
    if is_data_set(path):
        for data in read(path):
            show.findings(data.notices)
            _tell(description(data), f"data set {data.name}", str(path), as_json)
        return
    found, notices = describe_ratings(
        path, columns=data_split.names(columns), delimiter=data_split.mark(delimiter), second=second, progress=reading()
    )
    show.findings(notices)
    _tell(found, str(path), str(path), as_json)


def _tell(found: Description, title: str, path: str, as_json: bool) -> None:
    """Print a description: tables and findings for people, one object for machines."""
    if as_json:
        show.record(found.record())
        return
    show.table(title, ("what", "value"), [(name, _shown(name, fact)) for name, fact in found.facts.items()])
    if found.spread:
        columns = ("entries", *(f"{q:.0%}" for q in found.quantiles), "mean", "empty")
        show.table("", columns, [(f"per {what}", *values) for what, values in found.spread.items()])
    if found.values:
        show.table("", ("", *(f"{q:.0%}" for q in found.quantiles), "mean"), [("value", *found.values)])
    show.findings(one.diagnostic(path) for one in found.suspicions)


def _shown(name: str, fact: str | int | float) -> str | int:
    """A fact as people read it."""
    if isinstance(fact, float):
        return format(fact, _FORMS.get(name, ",.4g"))
    return fact
