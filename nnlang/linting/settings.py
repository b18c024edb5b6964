"""What lint is asked for: rules, severities, limits, from flags and from `[tool.nnlang.lint]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nnlang.diagnostics import Severity
from nnlang.linting.files import matches, seen_from
from nnlang.rules import RULES

LEVELS: tuple[Severity, ...] = ("note", "warning", "error")  # from the least


@dataclass(frozen=True)
class Settings:
    """One lint's choices. Codes are given by prefix: `NN5` is all advice, `NN502` one rule."""

    select: tuple[str, ...] = ()  # in place of the rules on by default; empty: these
    extend_select: tuple[str, ...] = ()  # besides
    ignore: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by glob
    severity: Mapping[str, Severity] = field(default_factory=dict)  # by prefix
    ignored_from: str = "."  # the folder that these globs are seen from
    exclude: tuple[str, ...] = ()  # globs of files and folders to pass over
    excluded_from: str = "."
    memory: int | None = None  # bytes of one device
    batch: int | None = None
    strict: bool = False  # plain JSON: no comments, no byte order mark
    fail_level: Severity = "warning"

    def takes(self, code: str) -> bool:
        """Whether findings of a code are wanted; what keeps a text from being read is told in any case."""
        rule = RULES.get(code)
        if rule is not None and _unreadable(code, rule.code.severity):
            return True
        wanted, refused = _longest(code, (*self.select, *self.extend_select)), _longest(code, self.ignore)
        if wanted is None and not self.select:
            wanted = 0 if rule is None or rule.default else None
        return wanted is not None and (refused is None or wanted > refused)

    def ignored_in(self, name: str) -> tuple[str, ...]:
        """The prefixes that are ignored in a file, by the globs of per_file_ignores."""
        if not self.per_file_ignores:
            return ()
        path = seen_from(self.ignored_from, name)
        globs = self.per_file_ignores.items()
        return tuple(p for glob, prefixes in globs for p in prefixes if matches(path, glob))

    def severity_of(self, code: str, default: Severity) -> Severity:
        """The severity of a code: that of its longest prefix in the settings, else the rule's own.

        What keeps a text from being read stays an error.
        """
        length = None if _unreadable(code, default) else _longest(code, self.severity)
        return default if length is None else next(s for p, s in self.severity.items() if code[:length] == p)


def _unreadable(code: str, severity: Severity) -> bool:
    """Whether a finding says that a text could not be read."""
    return code.startswith("NN1") and severity == "error"


def _longest(code: str, prefixes: Mapping[str, object] | tuple[str, ...]) -> int | None:
    """The length of the longest prefix that a code begins with."""
    return max((len(p) for p in prefixes if code.startswith(p)), default=None)


def at_least(severity: Severity, level: Severity) -> bool:
    """Whether a severity is a level or above it."""
    return LEVELS.index(severity) >= LEVELS.index(level)


def over(file: Mapping[str, Any], flags: Mapping[str, Any]) -> Settings:
    """The settings that a configuration file and flags give together, both by the keys of the file.

    `folder` of the file is the folder that its globs are seen from; those of flags are seen from the current one.
    A flag replaces the key of its name, but for these: `select` begins anew, so that `extend-select` and `ignore` of
    the file do not count; without it, `ignore` and `extend-select` add to the file's, and win over what it says of the
    same codes.
    """
    below = {k: v for k, v in file.items() if "select" not in flags or k not in ("extend-select", "ignore")}
    extend, ignore = flags.get("extend-select", ()), flags.get("ignore", ())
    wanted = (*below.get("select", ()), *below.get("extend-select", ()))
    again = () if "select" in flags else tuple(p for p in wanted if p.startswith(ignore)) if ignore else ()
    kept = tuple(p for p in below.get("ignore", ()) if not (extend and p.startswith(extend)))
    merged, folder = {**below, **flags}, file.get("folder", ".")
    return Settings(
        select=merged.get("select", ()),
        extend_select=(*below.get("extend-select", ()), *extend),
        ignore=(*kept, *ignore, *again),
        per_file_ignores=merged.get("per-file-ignores", {}),
        ignored_from="." if "per-file-ignores" in flags else folder,
        severity=merged.get("severity", {}),
        exclude=merged.get("exclude", ()),
        excluded_from="." if "exclude" in flags else folder,
        memory=merged.get("gpu-memory"),
        batch=merged.get("batch"),
        strict=merged.get("strict-json", False),
        fail_level=merged.get("fail-level", "warning"),
    )
