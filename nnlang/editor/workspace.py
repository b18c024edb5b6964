"""The settings that lint has in a folder: those of its nnlang.toml or pyproject.toml, as on the command line."""

from __future__ import annotations

import os.path

from nnlang.diagnostics import Stop
from nnlang.linting.config import find, load
from nnlang.linting.files import matches, seen_from
from nnlang.linting.settings import Settings, over


def settings_of(folder: str) -> tuple[Settings, str]:
    """The settings for the texts of a folder, and what is wrong with their file: then they are the usual ones.

    Data sets and baselines that the file names are left alone: the server opens no other file.
    """
    try:
        path = find(folder)
        values = load(os.path.normpath(os.path.join(folder, path))).values if path else {}
    except Stop as error:
        return Settings(), "; ".join(f"{d.place}: {d.message}" for d in error.diagnostics)
    return over(values, {}), ""


def is_excluded(name: str, settings: Settings) -> bool:
    """Whether a file is one that lint passes over."""
    path = seen_from(settings.excluded_from, name)
    return any(matches(path, glob) for glob in settings.exclude)
