"""The facts of data set and model files; h5py and numpy are imported only where there is a file to read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nnlang.network import DataFacts
from nnlang.rules.rule import Saved


def facts_of(files: Iterable[str | os.PathLike[str]]) -> dict[str, DataFacts]:
    """The facts of every data set in some files, by name; raises `Stop` as reading them does."""
    paths = list(files)
    if not paths:
        return {}
    from nnlang.runtime.dataset import read_all

    return {name: data.facts for name, data in read_all(paths).items()}


def saved_of(path: str | os.PathLike[str] | None) -> Saved | None:
    """The network of a model file, for a definition to be held against; raises `Stop` as reading it does."""
    if path is None:
        return None
    from nnlang.runtime.model import load_network

    return Saved(os.fspath(path), load_network(path))
