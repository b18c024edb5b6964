"""The settings that lint has in a folder: those of its nnlang.toml or pyproject.toml, as on the command line."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Any

from nnlang.diagnostics import Stop
from nnlang.linting.config import find, load
from nnlang.linting.files import matches
from nnlang.linting.settings import Settings

# What the keys of a configuration are called in Settings. Data sets and baselines are files that the server leaves
# alone; forms of output have no meaning in it.
_FIELDS: Mapping[str, str] = {
    "select": "select",
    "extend-select": "extend_select",
    "ignore": "ignore",
    "per-file-ignores": "per_file_ignores",
    "severity": "severity",
    "exclude": "exclude",
    "gpu-memory": "memory",
    "batch": "batch",
    "strict-json": "strict",
}


def settings_of(folder: str) -> tuple[Settings, str]:
    """The settings for the texts of a folder, and what is wrong with their file: then they are the usual ones."""
    try:
        path = find(folder)
        values: Mapping[str, Any] = load(_joined(folder, path)).values if path else {}
    except Stop as error:
        return Settings(), "; ".join(f"{d.place}: {d.message}" for d in error.diagnostics)
    known = {_FIELDS[key]: value for key, value in values.items() if key in _FIELDS}
    return Settings(**known), ""


def _joined(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, path))


def is_excluded(name: str, settings: Settings) -> bool:
    """Whether a file is one that lint passes over."""
    path = name.replace("\\", "/")
    return any(matches(path, glob) for glob in settings.exclude)
