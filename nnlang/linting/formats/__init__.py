"""The forms in which lint speaks to machines, by name; the exit code never depends on the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from nnlang.linting.formats.github import commands
from nnlang.linting.formats.gitlab import issues
from nnlang.linting.formats.junit import suites
from nnlang.linting.formats.records import json_array, json_lines
from nnlang.linting.formats.result import Result
from nnlang.linting.formats.sarif import log

__all__ = ["FORMATS", "Result"]

FORMATS: Mapping[str, Callable[[Sequence[Result]], str]] = MappingProxyType(
    {
        "json": json_array,
        "jsonl": json_lines,
        "github": commands,
        "gitlab": issues,
        "sarif": log,
        "junit": suites,
    }
)
