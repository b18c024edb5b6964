"""`nnlang generate`: text or columns -> a NetCDF data set with its index files, with generateNetCDF's flags."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.codes import data as codes
from nnlang.diagnostics import stop

if TYPE_CHECKING:
    from nnlang.runtime.convert import Conversion, Request

_TYPES = {"indicator": False, "analog": True}
_DELIMITERS = {"\\t": "\t", "tab": "\t"}

Name = Annotated[str, typer.Option("-d", "--dataset", metavar="NAME", help="Name of the data set.")]
Source = Annotated[
    Path, typer.Option("-i", "--input", metavar="PATH", help="Text file, .gz file or folder.", readable=False)
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="NetCDF file to write.", readable=False)]
Features = Annotated[Path, typer.Option("-f", "--features", metavar="FILE", help="Feature index.", readable=False)]
Samples = Annotated[
    Path,
    typer.Option(
        "-s", "--samples", metavar="FILE", help="Sample index; used if it exists, extended if needed.", readable=False
    ),
]
Create = Annotated[bool, typer.Option("-c", "--create", help="Start a new feature index.")]
Merge = Annotated[bool, typer.Option("-m", "--merge", help="Add new features to the existing feature index.")]
Type = Annotated[
    str, typer.Option("-t", "--type", metavar="indicator|analog", help="Whether a feature is there, or has a value.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first bad line instead of skipping it.")]


def generate(
    name: Name,
    source: Source,
    output: Output,
    features: Features,
    samples: Samples,
    create: Create = False,
    merge: Merge = False,
    kind: Type = "indicator",
    columns: options.Columns = None,
    delimiter: options.Delimiter = None,
    least: options.Least = None,
    strict: Strict = False,
    as_json: options.Json = False,
) -> None:
    """Make a data set (NetCDF) and its index files from text or from columns.

    The text has one sample a line, `user TAB item:item:item`, or with values `user TAB item,3.5:item,4`. The input is
    a file, also .gz, or a folder of such files.

    \b
    A first data set, items numbered from scratch:
      nnlang generate -d gl_input -i ratings.txt -o gl_input.nc -f features_input -s samples_input -c
    The output, with the same users:
      nnlang generate -d gl_output -i ratings.txt -o gl_output.nc -f features_output -s samples_input -c
    New data with the numbers of an earlier run; items that it does not know are dropped (-m adds them):
      nnlang generate -d gl_input -i new.txt -o new.nc -f features_input -s samples_new
    From a table with a header, ratings of 4 and more:
      nnlang generate -d gl_input -i ratings.csv --columns userId,movieId,rating --min-value 4 \\
          -o gl_input.nc -f features_input -s samples_input -c
    """
    from nnlang.runtime import convert

    if kind not in _TYPES:
        raise stop(codes.BAD_TYPE, given=kind)
    request = convert.Request(
        name, source, output, features, samples, create, merge, _TYPES[kind], strict,
        columns=tuple(c.strip() for c in columns.split(",")) if columns is not None else (),
        delimiter=_DELIMITERS.get(delimiter or "", delimiter or ""),
        least=least,
    )  # fmt: skip
    result = convert.convert(request, reading())
    show.findings(result.notices)
    if as_json:
        show.record(record(request, result))
    else:
        _tell(request, result)


def record(request: Request, result: Conversion) -> dict[str, object]:
    """The result for machines."""
    return {
        "event": "generate",
        "dataset": request.name,
        "type": "analog" if request.analog else "indicator",
        "samples": result.samples,
        "features": result.features,
        "entries": result.entries,
        "width": result.width,
        "lines": result.lines,
        "bad_lines": result.bad_lines,
        "seconds": round(result.seconds, 3),
        "megabytes_per_second": round(result.bytes / 1e6 / result.seconds, 1),
        "written": list(result.written),
        "notices": [{"code": d.code.code, "message": d.message} for d in result.notices],
    }


def _tell(request: Request, result: Conversion) -> None:
    rows: list[tuple[str, int | str]] = [
        ("samples", result.samples),
        ("features", result.features),
        ("width", result.width),
        ("entries", result.entries),
        ("bad lines", result.bad_lines),
        ("seconds", f"{result.seconds:.2f}"),
    ]
    show.table(f"data set {request.name} ({'analog' if request.analog else 'indicator'})", ("what", "number"), rows)
    for path in result.written:
        show.say(f"wrote {path}")
    show.say(f"next: nnlang data describe {request.output}")
    partner = (
        f"-i {request.output} -o OUTPUT.nc" if "output" not in request.name else f"-i INPUT.nc -o {request.output}"
    )
    show.say(f"      nnlang train -c config.json {partner} -n model.nc -b 256 -e 10")


def reading() -> Callable[[int, int, int], None]:
    """A bar on a terminal; elsewhere a line every 10 seconds, so that short runs stay quiet."""
    bar, last = show.Bar("reading"), time.monotonic()
    live = show.terminal(sys.stderr)

    def progress(done: int, total: int, lines: int) -> None:
        nonlocal last
        if live:
            bar(done, total)
            if done >= total:
                bar.clear()
        elif time.monotonic() - last > 10:
            last = time.monotonic()
            show.tell(f"reading: {done / max(1, total):.0%}, {lines} lines")

    return progress
