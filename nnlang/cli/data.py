"""`nnlang data`: get public collections, and see what a data set holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import show
from nnlang.cli.options import Json

if TYPE_CHECKING:
    from nnlang.runtime.describe import Description

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Get public collections; see what a data set holds."
)


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
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A data set file (NetCDF).", readable=False)],
    as_json: Json = False,
) -> None:
    """Print what a data set holds: sizes, density, how entries spread over rows and columns.

    \b
      nnlang data describe gl_input.nc
    """
    from nnlang.runtime.dataset import read
    from nnlang.runtime.describe import describe as description

    for data in read(path):
        show.findings(data.notices)
        found = description(data)
        if as_json:
            show.record(found.record())
        else:
            _tell(found)


def _tell(found: Description) -> None:
    show.table(f"data set {found.name}", ("what", "value"), list(found.facts.items()))
    if found.spread:
        columns = ("entries", *(f"{q:.0%}" for q in found.quantiles), "mean", "empty")
        show.table("", columns, [(f"per {what}", *values) for what, values in found.spread.items()])
    if found.values:
        show.table("", ("", *(f"{q:.0%}" for q in found.quantiles), "mean"), [("value", *found.values)])
