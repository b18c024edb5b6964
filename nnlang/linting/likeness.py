"""What a finding is known by while lines move: its code, and its message less the places that it names."""

from __future__ import annotations

import re

from nnlang.diagnostics import Diagnostic

_PLACE = re.compile(r"\b\d+:\d+\b")  # the line and column of something else


def likeness(d: Diagnostic) -> tuple[str, str]:
    """The code and the placeless message of a finding: equal for findings that only their lines tell apart."""
    return d.code.code, placeless(d.message)


def placeless(message: str) -> str:
    """A message without the lines and columns that it names."""
    return _PLACE.sub("", message)
