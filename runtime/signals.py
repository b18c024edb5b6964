"""Lists of features in DSSTNE's text form, read against the labels that a model knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnlang.runtime.blocks import blocks, inputs
from nnlang.runtime.metrics import Rows
from nnlang.runtime.textdata import Parsed, parse
from nnlang.runtime.vocabulary import Vocabulary

_SHOWN = 5  # bad lines are counted; so many are kept to be shown


@dataclass(frozen=True)
class Signals:
    """The samples of a text in order of first appearance, and their known features.

    `entries` counts all points of the text, `unknown` those whose feature is not known (`example` is one of them),
    `bad` lists (path, line, index into textdata.REASONS) of the first lines that were left out, of `bad_count`.
    """

    samples: tuple[str, ...]
    rows: Rows
    entries: int = 0
    unknown: int = 0
    example: str = ""
    bad: tuple[tuple[str, int, int], ...] = ()
    bad_count: int = 0
    replaced: int = 0  # lines of a sample that a later one replaced


def vocabulary(labels: Sequence[str]) -> Vocabulary:
    """The numbers of labels by their place; empty labels mark numbers that have none."""
    known = [(number, encoded(label)) for number, label in enumerate(labels) if label]
    return Vocabulary([label for _, label in known], [number for number, _ in known])


def encoded(label: str) -> bytes:
    """The bytes of a label as they stand in a text file."""
    return label.encode("utf-8", "surrogateescape")


def decoded(label: bytes) -> str:
    """The label of bytes of a text file; bytes that are no UTF-8 survive the way back."""
    return label.decode("utf-8", "surrogateescape")


def read_signals(
    path: str | os.PathLike[str],
    features: Vocabulary,
    *,
    samples: Vocabulary | None = None,
    values: bool = False,
    add: bool = False,
) -> Signals:
    """The rows of a text file or folder (dsstne.md 8.6), with numbers as `features` gives them.

    With `samples`, only lines of these samples are read and rows stand in their order; a sample without a line has an
    empty row. A later line of a sample replaces an earlier one. `values` keeps the value of each point (0 where none is
    written), `add` gives unknown features the next numbers. Raises `Stop` for a file that cannot be read.
    """
    known = samples is not None
    reader = _Reader(features, samples if samples is not None else Vocabulary(), not known, values, add)
    for block in blocks(inputs(path)):
        reader.take(str(block.path), parse(block, values=values))
    return reader.finish()


class _Reader:
    """What has been read so far, in arrays of one block each."""

    def __init__(self, features: Vocabulary, samples: Vocabulary, new_samples: bool, values: bool, add: bool) -> None:
        self._features, self._samples = features, samples
        self._new_samples, self._values, self._add = new_samples, values, add
        self._owner: list[NDArray[np.int64]] = []
        self._count: list[NDArray[np.int64]] = []
        self._index: list[NDArray[np.int32]] = []
        self._value: list[NDArray[np.float32]] = []
        self._bad: list[tuple[str, int, int]] = []
        self._entries = self._unknown = self._bad_count = 0
        self._example = ""

    def take(self, path: str, parsed: Parsed) -> None:
        """Add the lines of one block."""
        self._bad_count += len(parsed.bad)
        self._bad += [(path, *bad) for bad in parsed.bad[: _SHOWN - len(self._bad)]]
        owner = self._samples.numbers(parsed.text, parsed.sample_start, parsed.sample_length, add=self._new_samples)
        wanted = np.repeat(owner >= 0, np.diff(parsed.offsets))
        start, length = parsed.start[wanted], parsed.length[wanted]
        index = self._features.numbers(parsed.text, start, length, add=self._add)
        known = index >= 0
        self._entries += len(index)
        self._unknown += len(index) - int(known.sum())
        if not self._example and not known.all():
            first = int(np.argmin(known))
            self._example = decoded(parsed.text[start[first] : start[first] + length[first]].tobytes())
        lines = np.repeat(np.arange(len(owner)), np.diff(parsed.offsets))[wanted][known]
        self._count.append(np.bincount(lines, minlength=len(owner)).astype(np.int64)[owner >= 0])
        self._owner.append(owner[owner >= 0])
        self._index.append(index[known].astype(np.int32))
        if parsed.values is not None:
            self._value.append(parsed.values[wanted][known])

    def finish(self) -> Signals:
        """All that was read, one row a sample."""
        owner = np.concatenate([np.empty(0, np.int64), *self._owner])
        counts = np.concatenate([np.zeros(1, np.int64), *self._count, np.zeros(1, np.int64)])
        index = np.concatenate([np.empty(0, np.int64), *self._index])
        values = np.concatenate([np.empty(0, np.float32), *self._value]) if self._values else None
        lines = Rows(np.cumsum(counts), index, values)  # the last line is empty, for samples that have none
        last = np.full(len(self._samples), len(owner), np.int64)
        last[owner] = np.arange(len(owner))  # numpy keeps the last of equal places
        return Signals(
            tuple(decoded(label) for label, _ in self._samples.items()),
            lines.take(last),
            self._entries,
            self._unknown,
            self._example,
            tuple(self._bad),
            self._bad_count,
            len(owner) - int(np.count_nonzero(last < len(owner))),
        )
