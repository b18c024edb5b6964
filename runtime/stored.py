"""A data set as its file holds it (dsstne.md 8.1): bits, element types, raw arrays, before any meaning is applied."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SPARSE, BOOLEAN, IGNORE_ZERO, INDEXED, WEIGHTED = 1, 2, 32, 64, 128  # attribute bits, dsstne.md 0.3
UINT, INT, LLINT, ULLINT, FLOAT, DOUBLE, RGB8, RGB16, UCHAR, CHAR = range(10)  # data types, dsstne.md 0.3

MAX_SETS = 1024
NAME = re.compile(r"(?!-)(?!\.{1,2}\Z)[A-Za-z0-9_.\- ]{1,128}")

IN_MEMORY: dict[int, np.dtype[Any]] = {
    UINT: np.dtype(np.int64),
    INT: np.dtype(np.int64),
    LLINT: np.dtype(np.int64),
    ULLINT: np.dtype(np.int64),
    FLOAT: np.dtype(np.float32),
    DOUBLE: np.dtype(np.float64),
    RGB8: np.dtype(np.uint8),
    RGB16: np.dtype(np.int64),
    UCHAR: np.dtype(np.uint8),
    CHAR: np.dtype(np.int8),
}
ON_DISK: dict[np.dtype[Any], int] = {
    np.dtype(np.int64): LLINT,
    np.dtype(np.float32): FLOAT,
    np.dtype(np.float64): DOUBLE,
    np.dtype(np.uint8): UCHAR,
    np.dtype(np.int8): CHAR,
}


@dataclass(frozen=True)
class StoredSet:
    """One data set of a file. Arrays by the file's names without number: sparseStart, sparseEnd, sparseIndex,
    sparseData, data, dataWeight, index; those that the attributes do not ask for are absent. Ours is `labels`: bytes,
    the labels of the features in the order of their numbers with line feeds between them.
    """

    name: str
    attributes: int
    kind: int
    data_type: int
    dims: tuple[int, ...]  # width, height, length: as many as the file's `dimensions`
    examples: int
    unique: int
    arrays: dict[str, Array] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return int(np.prod(self.dims, dtype=object))

    def has(self, bit: int) -> bool:
        """Whether an attribute bit is set."""
        return bool(self.attributes & bit)
