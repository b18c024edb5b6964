"""A split on the disk: DSSTNE's text form of each part, and `split.json`, which says how it was made.

Values of the data stay, times do not: the texts are what `nnlang generate` converts and what judges read as lists.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.runtime.files import Writer, atomic_write_all, check_room, file_digest, write_text
from nnlang.runtime.interactions import Interactions
from nnlang.runtime.metrics import Ints, Rows
from nnlang.runtime.protocols import Part, Split
from nnlang.runtime.signals import encoded
from nnlang.version import __version__

ABOUT = "split.json"
PARTS = ("train", "validation_known", "validation_held", "test_known", "test_held")
FORM = 1

_UNFIT = re.compile(r"[:,\r]")
_BOM = b"\xef\xbb\xbf"
_LARGEST_ABOUT = 1 << 20  # bytes; ours are about 2 kB
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOLDS = {"protocol": dict, "sources": list, "counts": dict, "left_out": dict, "facts": dict}
_COUNTED = {"users", "items", "entries"}

Pair = tuple[Path, Path]


@dataclass(frozen=True)
class SplitFiles:
    """The texts of a split, checked against what was written; pairs are (known, held). `about` is its split.json."""

    train: Path
    validation: Pair | None
    test: Pair
    about: dict[str, Any]


def write_split(split: Split, data: Interactions, folder: str | os.PathLike[str]) -> dict[str, dict[str, int]]:
    """Write the texts of a split and its split.json into a folder; returns users, items and entries of each text.

    All files take their names together, when all are whole; parts of an earlier split that this one lacks go. Raises
    `Stop` where an item's name cannot stand in the text form (NN498) and where the disk says no.
    """
    target = Path(folder)
    rows = _rows(split)
    _check_labels(data, rows)
    _make_folder(target)
    users, items = [encoded(u) for u in data.users], [encoded(i) for i in data.items]
    digests: dict[str, str] = {}
    writes: list[tuple[Path, Writer]] = [
        (target / name, _text_writer(name, digests, users, items, numbers, part))
        for name, (numbers, part) in rows.items()
    ]
    found = counts(split)
    about = {
        "nnlang-split": FORM,
        "version": __version__,
        "protocol": split.protocol.record(),
        "sources": [asdict(source) for source in data.sources],
        "reading": read_as(data),
        "users": len(data.users),
        "items": len(data.items),
        "entries": len(data.rows.index),
        "counts": found,
        "left_out": dict(split.left_out),
        "facts": dict(split.facts),
    }
    writes.append(
        (target / ABOUT, lambda path: write_text(path, [json.dumps(about | {"sha256": digests}, indent=2), "\n"]))
    )
    check_room(target / ABOUT, _needed(users, items, rows))
    atomic_write_all(writes)
    for name in PARTS:
        if name not in rows:
            with suppress(OSError):
                (target / name).unlink(missing_ok=True)
    return found


def read_as(data: Interactions) -> dict[str, object]:
    """How the sources were read, by the names of options, and how many entries fell below the least value."""
    if data.form is None:
        return {}
    below = {"entries_below_min_value": data.tally.below} if data.form.least is not None else {}
    return data.form.record() | below


def counts(split: Split) -> dict[str, dict[str, int]]:
    """How many users, distinct items and entries each text of a split holds."""
    return {
        name: {"users": len(users), "items": len(np.unique(part.index)), "entries": len(part.index)}
        for name, (users, part) in _rows(split).items()
    }


def read_split(folder: str | os.PathLike[str]) -> SplitFiles:
    """The texts of a split that `write_split` wrote; raises `Stop` (NN497) where one is missing or has changed."""
    target = Path(folder)
    about = _about(target)
    digests = about["sha256"]
    for name, digest in digests.items():
        path = target / name
        try:
            found = file_digest(path) if path.is_file() else ""
        except OSError as error:
            raise _bad(target, f"`{name}` cannot be read ({error.strerror})") from error
        if found != digest:
            raise _bad(target, f"`{name}` has changed since it was written" if found else f"`{name}` is missing")
    validation = (target / "validation_known", target / "validation_held") if "validation_held" in digests else None
    return SplitFiles(target / "train", validation, (target / "test_known", target / "test_held"), about)


def _rows(split: Split) -> dict[str, tuple[Ints, Rows]]:
    """The rows of each text, and whose they are."""
    found = {"train": (split.train_users, split.train)}
    parts: dict[str, Part | None] = {"validation": split.validation, "test": split.test}
    for name, part in parts.items():
        if part is not None:
            found |= {f"{name}_known": (part.users, part.known), f"{name}_held": (part.users, part.held)}
    return found


def _check_labels(data: Interactions, rows: Mapping[str, tuple[Ints, Rows]]) -> None:
    unfit = [number for number, item in enumerate(data.items) if _UNFIT.search(item)]
    if not unfit:
        return
    used = np.unique(np.concatenate([part.index for _, part in rows.values()]))
    unfit = np.intersect1d(unfit, used).tolist()
    if unfit:
        place = Place(data.sources[0].name) if data.sources else None
        raise stop(codes.UNFIT_LABEL, place, count=len(unfit), example=data.items[unfit[0]])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        help = "a folder is made here, and a file has its name: take another" if folder.is_file() else None
        raise stop(file_codes.NOT_WRITABLE, Place(str(folder)), path=folder, reason=reason, help=help) from error


def _text_writer(
    name: str, digests: dict[str, str], users: list[bytes], items: list[bytes], numbers: Ints, rows: Rows
) -> Writer:
    """Writes one text and notes its digest."""

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            stream.writelines(_lines([users[u] for u in numbers.tolist()], items, rows))
        digests[name] = file_digest(path)

    return write


def _lines(users: list[bytes], items: list[bytes], rows: Rows) -> Iterator[bytes]:
    """The lines of a text; a user of whom nothing is known has a line too."""
    if users and users[0].startswith(_BOM):
        yield _BOM  # readers drop one mark, a label's own must stay
    bounds = rows.start.tolist()
    name: Callable[[int], bytes] = items.__getitem__
    for row, user in enumerate(users):
        here = slice(bounds[row], bounds[row + 1])
        names = map(name, rows.index[here].tolist())
        if rows.values is None:
            yield user + b"\t" + b":".join(names) + b"\n"
        else:
            pairs = zip(names, rows.values[here].tolist(), strict=True)
            yield user + b"\t" + b":".join(b"%s,%s" % (item, _number(value)) for item, value in pairs) + b"\n"


def _number(value: float) -> bytes:
    """A float32 as the shortest text that reads back to it."""
    return str(np.float32(value)).encode()


def _needed(users: list[bytes], items: list[bytes], rows: Mapping[str, tuple[Ints, Rows]]) -> int:
    """The bytes of all texts, values at their longest: what the disk must have room for."""
    item_sizes = np.array([len(item) for item in items], np.int64)
    user_sizes = np.array([len(user) for user in users], np.int64)
    sizes = (
        int(user_sizes[numbers].sum()) + 2 * len(numbers) + int(item_sizes[part.index].sum()) + len(part.index)
        + (0 if part.values is None else 16 * len(part.index))
        for numbers, part in rows.values()
    )  # fmt: skip
    return sum(sizes)


def _about(folder: Path) -> dict[str, Any]:
    """The content of split.json; raises `Stop` (NN497) where there is none of ours."""
    path = folder / ABOUT
    try:
        if not path.is_file():
            raise _none(folder)
        if path.stat().st_size > _LARGEST_ABOUT:
            raise _bad(folder, "its split.json is far too large")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise _bad(folder, f"its split.json cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _bad(folder, "its split.json is no JSON") from error
    if not isinstance(found, dict) or found.get("nnlang-split") != FORM:
        raise _bad(folder, f"its split.json is not one that this version reads (nnlang-split: {FORM})")
    digests = found.get("sha256")
    needed = {"train", "test_known", "test_held"}
    if (
        not isinstance(digests, dict)
        or not needed <= set(digests) <= set(PARTS)
        or ("validation_known" in digests) != ("validation_held" in digests)
        or not all(isinstance(d, str) and _SHA256.fullmatch(d) for d in digests.values())
        or not _says_all(found)
    ):
        raise _bad(folder, "its split.json does not name the texts of a split")
    return found


def _says_all(about: Mapping[str, Any]) -> bool:
    """Whether the rest of a split.json has the form that we write."""
    if not all(isinstance(about.get(name), kind) for name, kind in _HOLDS.items()):
        return False
    counts = about["counts"].values()
    return (
        all(isinstance(part, dict) and part.keys() >= _COUNTED and _are(int, part.values()) for part in counts)
        and all(isinstance(source, dict) and _are(str, source.values()) for source in about["sources"])
        and all(source.keys() == {"name", "sha256"} for source in about["sources"])
        and _are(int, about["left_out"].values())
        and _are((int, float, str), about["facts"].values())
    )


def _are(kind: type | tuple[type, ...], values: Iterable[object]) -> bool:
    return all(isinstance(value, kind) for value in values)


def _none(folder: Path) -> Stop:
    """That a folder is no split at all, or is not there."""
    reason = "there is no split.json in it" if folder.is_dir() else "there is no such folder"
    help = "check the spelling and the folder you are in; `nnlang data split RATINGS -o DIR` makes a split"
    return stop(codes.BAD_SPLIT, Place(str(folder)), path=folder, reason=reason, help=help)


def _bad(folder: Path, reason: str) -> Stop:
    return stop(codes.BAD_SPLIT, Place(str(folder)), path=folder, reason=reason)
