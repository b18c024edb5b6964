"""Text or columns in, a DSSTNE data file and its index files out (dsstne.md 8.5 to 8.8).

Rows stand in the order of sample numbers, and row number and sample number agree: a sample of a loaded index that the
input does not name gets an empty row. The data file and the index files take their names together, when all are whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnlang.codes import data as codes
from nnlang.codes import usage as usage_codes
from nnlang.diagnostics import Code, Diagnostic, Place, Stop, stop
from nnlang.runtime import indexfile, tabular, textdata
from nnlang.runtime.blocks import blocks, inputs, total_bytes
from nnlang.runtime.datawriter import size, writer
from nnlang.runtime.files import Writer, atomic_write_all, check_target, distinct, exists, is_hdf5
from nnlang.runtime.hdf import is_model
from nnlang.runtime.rows import Rows, Table
from nnlang.runtime.skipped import Skipped
from nnlang.runtime.stored import BOOLEAN, FLOAT, NAME, SPARSE, UINT, StoredSet
from nnlang.runtime.textdata import Parsed
from nnlang.runtime.vocabulary import Vocabulary

WIDTH_STEP = 128

Progress = Callable[[int, int, int], None]  # bytes read, bytes in all, lines so far


@dataclass(frozen=True)
class Request:
    """What to convert. `create` starts a new feature index, `merge` adds to one, neither: new features are dropped."""

    name: str
    input: Path
    output: Path
    features: Path
    samples: Path
    create: bool = False
    merge: bool = False
    analog: bool = False
    strict: bool = False
    columns: tuple[str, ...] = ()  # user, item[, rating[, time]]: the input is a table with a delimiter
    delimiter: str = ""  # found out from the first line where empty
    least: float | None = None  # entries with a smaller value are left out


@dataclass(frozen=True)
class Conversion:
    """What a conversion did; `notices` are its warnings and notes."""

    samples: int
    features: int
    entries: int
    width: int
    lines: int
    bad_lines: int
    largest_feature: int
    seconds: float
    bytes: int
    written: tuple[str, ...]
    notices: tuple[Diagnostic, ...] = ()


def convert(request: Request, progress: Progress = lambda done, total, lines: None) -> Conversion:
    """Convert as asked and write the files; raises `Stop` for wrong requests, wrong inputs and full disks.

    Measured on one core of an EPYC server: 303 MB of text with 19.8 million entries in 2.2 s and 0.6 GB (indicator).
    Memory holds the entries (4 bytes each, analog 8) about four times while the file is written and read back.
    """
    begin = time.perf_counter()
    check(request)
    paths = inputs(request.input)
    rows = Rows(_samples(request), _features(request), add=request.create or request.merge)
    known = rows.samples.size, rows.features.size
    total, findings = total_bytes(paths), Skipped(request.strict)
    take = rows.take_pairs if request.columns else rows.take
    for parsed in _parsed(request, paths):
        findings.take(parsed)
        take(parsed)
        progress(parsed.block.done, total, rows.lines + findings.count)
    table = rows.grouped() if request.columns else rows.table()
    _check_content(request, rows, table, findings)
    stored = stored_set(request, rows.features, table)
    written = _write(request, rows, known, stored)
    return Conversion(
        samples=table.rows,
        features=rows.features.size,
        entries=len(table.index),
        width=stored.dims[0],
        lines=rows.lines,
        bad_lines=findings.count,
        largest_feature=int(table.index.max()),
        seconds=time.perf_counter() - begin,
        bytes=total,
        written=written,
        notices=(*findings.all(), *_notices(request, rows)),
    )


def convert_for(names: Sequence[str], text: Path, folder: Path, *, analog: bool) -> list[Path]:
    """Data sets of these names, `0.nc` and on, made in `folder` from one text; they share its `features`, `samples`."""
    files = [folder / f"{number}.nc" for number in range(len(names))]
    for number, (name, file) in enumerate(zip(names, files, strict=True)):
        convert(Request(name, text, file, folder / "features", folder / "samples", create=not number, analog=analog))
    return files


def check(request: Request) -> None:
    """Raise `Stop` for a request that cannot be met, before anything is read."""
    if not NAME.fullmatch(request.name):
        raise stop(codes.BAD_NAME, name=request.name)
    if request.create and request.merge:
        raise stop(codes.CREATE_AND_MERGE)
    if len(request.delimiter) > 1:
        raise stop(codes.BAD_DELIMITER, given=request.delimiter)
    distinct(output=request.output, feature_index=request.features, sample_index=request.samples, input=request.input)
    for path in (request.output, request.features, request.samples):
        check_target(path)
    _check_kinds(request)
    if request.least is not None and not math.isfinite(request.least):
        reason = "it takes a finite number"
        raise stop(usage_codes.BAD_VALUE, option="--min-value", value=request.least, reason=reason, command="generate")
    if len(request.columns) == 2 and (request.analog or request.least is not None):
        raise stop(codes.RATING_NEEDED, flag="-t analog" if request.analog else "--min-value")


def _check_kinds(request: Request) -> None:
    """Raise `Stop` (NN473) where the data set or its index would take the place of another kind of file."""
    output, features = request.output, request.features
    found = "a model" if is_model(output) else "no data set"
    if output.is_file() and output.stat().st_size and (found == "a model" or not is_hdf5(output)):
        raise stop(codes.OTHER_KIND, Place(str(output)), path=output, found=found, new="a data set")
    if request.create and not indexfile.looks_like_one(features):
        raise stop(codes.OTHER_KIND, Place(str(features)), path=features, found="no index file", new="an index")


def width_for(features: int) -> int:
    """The width of a data set of so many features: the next multiple of 128."""
    return -(-features // WIDTH_STEP) * WIDTH_STEP


def stored_set(request: Request, features: Vocabulary, table: Table) -> StoredSet:
    """The data set in DSSTNE's form; entries of a row stay in the order of the text."""
    arrays = {
        "sparseStart": table.offsets[:-1],
        "sparseEnd": table.offsets[1:],
        "sparseIndex": table.index,
        "labels": np.frombuffer(_labels(features), np.uint8),
    }
    if request.analog and table.values is not None:
        arrays["sparseData"] = table.values
    attributes = SPARSE if request.analog else SPARSE | BOOLEAN
    return StoredSet(
        name=request.name,
        attributes=attributes,
        kind=0,
        data_type=FLOAT if request.analog else UINT,
        dims=(width_for(features.size),),
        examples=table.rows,
        unique=table.rows,
        arrays=arrays,  # type: ignore[arg-type]
    )


def _labels(features: Vocabulary) -> bytes:
    """The labels in the order of their numbers, so that a model trained on the file can name what it recommends."""
    found = [b""] * features.size
    for label, number in features.items():
        found[number] = label
    return b"\n".join(found)


def _parsed(request: Request, paths: list[Path]) -> Iterator[Parsed]:
    if request.columns:
        return tabular.parsed(
            paths, request.columns, request.delimiter, needs_rating=request.analog, least=request.least
        )
    values = request.analog or request.least is not None
    return (_kept(textdata.parse(block, values=values), request) for block in blocks(paths))


def _kept(parsed: Parsed, request: Request) -> Parsed:
    return parsed if request.least is None else textdata.at_least(parsed, request.least, request.analog)


def _samples(request: Request) -> Vocabulary:
    return indexfile.read(request.samples) if exists(request.samples) else Vocabulary()


def _features(request: Request) -> Vocabulary:
    if request.create:
        return Vocabulary()
    if not exists(request.features):
        raise stop(codes.NO_INDEX, Place(str(request.features)), path=request.features)
    return indexfile.read(request.features)


def _check_content(request: Request, rows: Rows, table: Table, findings: Skipped) -> None:
    if not rows.lines and (findings.count or request.least is None):
        words = stop(codes.NO_ROWS, Place(str(request.input)), path=request.input, bad=findings.count)
        raise Stop(*words.diagnostics, *findings.all())
    if not len(table.index):
        hint = "check the input"
        if rows.unknown:
            hint = "add new features to the index with -m, or start a new index with -c"
        elif request.least is not None:
            hint = f"no entry has a value of {request.least:g} or more: lower --min-value"
        raise stop(codes.NO_ENTRIES, Place(str(request.input)), path=request.input, samples=table.rows, hint=hint)


def _write(request: Request, rows: Rows, known: tuple[int, int], stored: StoredSet) -> tuple[str, ...]:
    writes: list[tuple[Path, Writer]] = [(request.output, writer([stored]))]
    if request.create or rows.features.size > known[1]:
        writes.append((request.features, _content(indexfile.text(rows.features))))
    if rows.samples.size > known[0]:
        writes.append((request.samples, _content(indexfile.text(rows.samples))))
    atomic_write_all(writes, needed=size([stored]))
    return tuple(str(path) for path, _ in writes)


def _content(content: bytes) -> Writer:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _notices(request: Request, rows: Rows) -> list[Diagnostic]:
    place = Place(str(request.input))
    twice: dict[str, object] = (
        {"done": "the last one counts"} if request.columns else {"done": "both were written, readers take one"}
    )
    facts: tuple[tuple[Code, int, dict[str, object]], ...] = (
        (codes.UNKNOWN_FEATURES, rows.unknown, {"index": request.features}),
        (codes.REPLACED_ROWS, rows.replaced, {}),
        (codes.BARE_FEATURES, rows.bare, {}),
        (codes.EXTRA_VALUES, rows.extra, {}),
        (codes.DUPLICATE_ENTRIES, rows.duplicates, twice),
        (codes.EMPTY_ROWS, rows.absent, {"index": request.samples}),
    )
    return [Diagnostic(code, place, {"count": count, **more}) for code, count, more in facts if count]
