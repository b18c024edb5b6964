"""Index files: `label TAB number`, one a line, the numbers of samples or features (dsstne.md 8.7)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from nnlang.codes import data as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.runtime.files import atomic_write, exists, read_bytes
from nnlang.runtime.vocabulary import Vocabulary

_NUMBER = re.compile(rb"[0-9]{1,10}")
_LARGEST = 2**31 - 2
_GAPS = 1_000_000  # numbers without a label cost memory: some are normal, a stray number of 2 billion is a mistake
_BOM = b"\xef\xbb\xbf"


def read(path: str | os.PathLike[str]) -> Vocabulary:
    """The labels and numbers of an index file; raises `Stop` (NN475) with the line for anything not well formed.

    Numbers may stand in any order and may leave gaps, as in files that were cut down; labels and numbers are distinct.
    """
    labels, numbers = [], []
    seen: dict[bytes, int] = {}
    lines_of: dict[int, int] = {}
    for line, (label, number) in enumerate(_pairs(path), 1):
        if label in seen:
            raise _bad(path, line, f"its label stands on line {seen[label]} already")
        if number in lines_of:
            raise _bad(path, line, f"its number stands on line {lines_of[number]} already")
        seen[label] = lines_of[number] = line
        labels.append(label)
        numbers.append(number)
    if numbers and max(numbers) > _GAPS + 100 * len(numbers):
        raise _bad(
            path, lines_of[max(numbers)], f"its number {max(numbers)} is far too large for {len(numbers)} labels"
        )
    return Vocabulary(labels, numbers)


def looks_like_one(path: Path) -> bool:
    """Whether what stands at `path`, if anything does, may be replaced by an index file: its first line is of one."""
    if not exists(path) or not path.is_file():
        return True
    with path.open("rb") as stream:
        line = stream.readline(1 << 16).removeprefix(_BOM).rstrip(b"\r\n")
    fields = line.split(b"\t")
    return not line or (len(fields) == 2 and _NUMBER.fullmatch(fields[1]) is not None)


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Label by number, as text; the empty string where a number has none. Undecodable bytes become surrogates."""
    vocabulary = read(path)
    labels = [""] * vocabulary.size
    for label, number in vocabulary.items():
        labels[number] = label.decode("utf-8", "surrogateescape")
    return tuple(labels)


def text(vocabulary: Vocabulary) -> bytes:
    """The content of the index file of a vocabulary, in the order of numbers (DSSTNE: of a hash table)."""
    content = b"".join(b"%s\t%d\n" % item for item in vocabulary.items())
    return _BOM + content if content.startswith(_BOM) else content  # readers drop one mark, a label's own must stay


def write(path: str | os.PathLike[str], vocabulary: Vocabulary) -> None:
    """Write the index file of a vocabulary, whole or not at all."""
    content = text(vocabulary)
    atomic_write(path, lambda ready: _write(ready, content), needed=len(content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _pairs(path: str | os.PathLike[str]) -> Iterator[tuple[bytes, int]]:
    lines = read_bytes(path).removeprefix(_BOM).split(b"\n")
    if not lines[-1]:
        lines.pop()
    for line, content in enumerate(lines, 1):
        fields = content.removesuffix(b"\r").split(b"\t")
        if len(fields) != 2:
            raise _bad(path, line, "it is not two fields with one TAB between")
        label, number = fields
        if not label or b"\0" in label:
            raise _bad(path, line, "the label is empty" if not label else "the label holds a NUL byte")
        if not _NUMBER.fullmatch(number) or int(number) > _LARGEST:
            raise _bad(path, line, f"`{number.decode(errors='replace')[:40]}` is not a number from 0 to {_LARGEST}")
        yield label, int(number)


def _bad(path: str | os.PathLike[str], line: int, reason: str) -> Stop:
    return stop(codes.BAD_INDEX_LINE, Place(os.fspath(path), line=line), reason=reason)
