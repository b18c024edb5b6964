"""Damages a data file in many ways and reads each: `python -m tests.mutations SEED_FILE COUNT FIRST`.

Prints how many were read and how many refused. A crash, a hang (alarm) or an exception that is no `Stop` ends it.
"""

from __future__ import annotations

import faulthandler
import sys
import tempfile
from pathlib import Path

import numpy as np

from nnlang.diagnostics import Stop
from nnlang.runtime import datacheck
from nnlang.runtime.dataset import DataSet, read

_EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content with bytes changed, a word set to an extreme, a block moved, or the end cut off."""
    data = bytearray(content)
    place = int(random.integers(8, len(data) - 64))
    match int(random.integers(5)):
        case 0 | 1:
            for _ in range(int(random.integers(1, 32))):
                data[int(random.integers(8, len(data)))] = int(random.integers(256))
        case 2:
            data[place : place + 4] = int(random.choice(_EXTREMES)).to_bytes(4, "little")
        case 3:
            length = int(random.integers(1, 64))
            other = int(random.integers(8, len(data) - 64))
            data[place : place + length] = data[other : other + length]
        case _:
            del data[place:]
    return bytes(data)


def check(data: DataSet) -> None:
    """Raise AssertionError for a data set that was accepted but would do harm."""
    facts = data.facts
    if data.index is not None:
        assert data.start is not None and data.end is not None
        assert len(data.start) == len(data.end) == facts.unique
        assert (data.start <= data.end).all() and data.end.max() <= len(data.index) == facts.entries
        assert data.index.min(initial=0) >= 0 and data.index.max(initial=0) < facts.units
        assert data.values is None or (len(data.values) == facts.entries and np.isfinite(data.values).all())
    elif facts.boolean:
        assert data.dense is not None and data.dense.shape == (facts.unique,) and data.dense.max() < facts.units
    else:
        assert data.dense is not None and data.dense.shape == (facts.unique, facts.units)
    assert data.weight is None or (data.weight.shape == (facts.examples,) and np.isfinite(data.weight).all())
    assert data.row is None or (data.row.shape == (facts.examples,) and data.row.max() < facts.unique)


def main(seed_file: str, count: int, first: int) -> None:
    """Read `count` damaged forms of the file, those of the seeds from `first` on."""
    datacheck.check = lambda path, deadline=0.0: False  # this process is the one that may fall over
    content = Path(seed_file).read_bytes()
    accepted = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.nc"
        for seed in range(first, first + count):
            faulthandler.dump_traceback_later(5, exit=True)
            path.write_bytes(mutated(content, np.random.default_rng(seed)))
            try:
                for data in read(path, memory=1 << 28):
                    check(data)
                accepted += 1
            except Stop:
                refused += 1
    faulthandler.cancel_dump_traceback_later()
    print(accepted, refused)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
