"""The facts of data set files; h5py and numpy are imported only where there is a file to read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nnlang.network import DataFacts


def facts_of(files: Iterable[str | os.PathLike[str]]) -> dict[str, DataFacts]:
    """The facts of every data set in some files, by name; raises `Stop` as reading them does."""
    paths = list(files)
    if not paths:
        return {}
    from nnlang.runtime.dataset import read_all

    return {name: data.facts for name, data in read_all(paths).items()}
