"""`[tool.nnlang.lint]` of pyproject.toml, or `[lint]` of nnlang.toml: found, read, every key and value checked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nnlang.codes import catalogue
from nnlang.codes import usage as codes
from nnlang.diagnostics import Code, Diagnostic, Place, Report, Stop, at
from nnlang.linting.settings import LEVELS, Settings, over
from nnlang.source import Source, Span
from nnlang.suggest import closest, did_you_mean
from nnlang.syntax import read_source

Form = Literal["text", "json", "jsonl", "github", "gitlab", "sarif", "junit"]
FORMS: tuple[Form, ...] = ("text", "json", "jsonl", "github", "gitlab", "sarif", "junit")
# The files that may hold a configuration, in the order of their rank in one folder, each with its table.
TABLES: Mapping[str, tuple[str, ...]] = {"nnlang.toml": ("lint",), "pyproject.toml": ("tool", "nnlang", "lint")}
_PREFIX = re.compile(r"NN\d{0,3}")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) *(?:([KMGT])(i?)B?|B)?", re.IGNORECASE | re.ASCII)
_NEVER = ("none", "never", "off", "no", "false")
_LEAST = 1_000_000  # bytes, of a number without a unit
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
# Python's own reader takes minutes for one key of 100,000 parts.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){64}""")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
SIZES = 'a size such as "24GB", "80GiB" or "512MB"'
SELECTORS = 'a list of codes or their beginnings, such as ["NN5", "NN301"]'


@dataclass(frozen=True)
class Config:
    """What a configuration file says: its path, and the values of its keys, those alone that are written.

    Paths are as seen from where the command runs; globs are to be seen from `folder`, a key that is always there.
    Sizes are bytes.
    """

    path: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


class UnfitError(ValueError):
    """A value that a key cannot take: `reason`, and what it takes."""

    def __init__(self, value: object, reason: str, expected: str, code: Code = codes.BAD_SETTING) -> None:
        super().__init__(f"{value!r}: {reason}; it takes {expected}" if isinstance(value, str | float) else reason)
        self.value, self.reason, self.expected, self.code = value, reason, expected, code


def find(folder: str) -> str | None:
    """The configuration file nearest to a folder, upwards; a pyproject.toml without `[tool.nnlang]` is passed over."""
    try:
        here = os.path.abspath(folder)
    except FileNotFoundError:  # the current folder has been removed
        return None
    while True:
        for name in TABLES:
            path = os.path.join(here, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or _has_table(path)):
                return os.path.relpath(path, folder)
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def _has_table(path: str) -> bool:
    """Whether a pyproject.toml speaks of nnlang; one that is no TOML is passed over where it does not name it."""
    source = _text(path)
    return "nnlang" in source.text and _table(_toml(source), TABLES["pyproject.toml"][:-1]) is not None


def load(path: str) -> Config:
    """The configuration that a file holds; raises `Stop` (NN771 to NN774) with everything wrong in it."""
    source = _text(path)
    names = TABLES["pyproject.toml" if os.path.basename(path) == "pyproject.toml" else "nnlang.toml"]
    above = _table(_toml(source), names[:-1])
    if above is None:
        return Config(path)
    report = Report()
    _strangers(source, names[:-1], _as_table(source, names[:-1], above), names[-1:], report)
    table = _as_table(source, names, above.get(names[-1], {}))
    _strangers(source, names, table, tuple(KEYS), report)
    values = {}
    for key in table.keys() & KEYS.keys():
        try:
            values[key] = KEYS[key](table[key])
        except UnfitError as error:
            report.diagnostics.append(_unfit(source, names, key, error))
    report.check()
    return Config(path, _seen_from_here(values, os.path.dirname(path)))


def _as_table(source: Source, names: Sequence[str], found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Stop(_bad(source, f"`{_title(names)}` is no table"))
    return found


def _strangers(
    source: Source, names: Sequence[str], table: dict[str, Any], known: Sequence[str], report: Report
) -> None:
    """Report the keys of a table that nobody reads, as many as one may want to mend at once."""
    for key in [key for key in table if key not in known][:20]:
        help = did_you_mean(key, known)
        if key in KEYS:
            help = f"write it under [{'.'.join((*names, 'lint'))}]"
        report(codes.UNKNOWN_SETTING, _place(source, names, key), help=help, table=_title(names), key=key[:80])


def _title(names: Sequence[str]) -> str:
    return f"[{'.'.join(names)}]" if names else "nnlang.toml"


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The settings that some keys give; raises `ValueError` for an unknown key or a value that it cannot take."""
    if unknown := [key for key in values if key not in _OF_TEXTS]:
        raise ValueError(f"lint has no setting {unknown[0]}; it has {', '.join(_OF_TEXTS)}")
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return over({key: KEYS[key](value) for key, value in plain.items()}, {})


def _text(path: str) -> Source:
    try:
        return read_source(path)
    except Stop as error:
        reason = "; ".join(d.message for d in error.diagnostics)
        raise Stop(Diagnostic(codes.BAD_CONFIGURATION, Place(path), {"path": path, "reason": reason})) from None


def _toml(source: Source) -> dict[str, Any]:
    if found := _LONG_KEY.search(source.text):
        raise Stop(_bad(source, "a key has more than 64 parts", at(source, Span(found.start(), found.start() + 1))))
    import tomllib

    try:
        return tomllib.loads(source.text.replace("\r\n", "\n"))
    except RecursionError:
        raise Stop(_bad(source, "it is nested too deeply")) from None
    except ValueError as error:  # numbers with too many digits are no TOMLDecodeError
        raise Stop(_no_toml(source, str(error))) from None


def _no_toml(source: Source, words: str) -> Diagnostic:
    where = _AT.search(words)
    reason = f"it is no TOML: {_AT.sub('', words).strip()}"
    if where is None:
        return _bad(source, reason)
    begin = _offset(source, int(where[1]), int(where[2]))
    return _bad(source, reason, at(source, Span(begin, begin + 1)))


def _offset(source: Source, line: int, column: int) -> int:
    """The offset of a place in a text whose line ends may be of two characters."""
    lines = source.text.split("\n")
    return sum(len(text) + 1 for text in lines[: line - 1]) + min(column - 1, len(lines[line - 1]))


def _bad(source: Source, reason: str, place: Place | None = None) -> Diagnostic:
    facts: dict[str, object] = {"path": source.name, "reason": reason}
    return Diagnostic(codes.BAD_CONFIGURATION, place or Place(source.name), facts)


def _table(found: Any, names: Sequence[str]) -> Any:
    for name in names:
        if not isinstance(found, dict):
            return found
        if name not in found:
            return None
        found = found[name]
    return found


def _unfit(source: Source, names: Sequence[str], key: str, error: UnfitError) -> Diagnostic:
    """The finding for a value that a key cannot take, at the value where it can be found in the text."""
    place = _place(source, names, key, error.value)
    shown = _shown(error.value)
    facts = {"key": f"`{key}`", "value": shown, "reason": error.reason, "expected": error.expected}
    help = None
    if error.code is codes.UNKNOWN_RULE:
        help = near_code(shown)
    return Diagnostic(error.code, place, facts, help)


def _shown(value: object) -> str:
    """A value as it may be printed: short, whatever its size and depth."""
    match value:
        case bool():
            return str(value).lower()
        case int() if abs(value) > 2**63:
            return "a number of many digits"
        case list():
            return "[...]"
        case dict():
            return "{...}"
    return str(value)[:80]


def _place(source: Source, names: Sequence[str], key: str, value: object = None) -> Place:
    """Where a key of a table stands, or a text that belongs to it; the whole file where the search finds nothing."""
    if len(key) > 200:
        return Place(source.name)
    table = r"\s*\.\s*".join(map(re.escape, names))
    title = rf"^[ \t]*\[\s*{table}\s*\]" if names else r"\A"
    head = re.search(title, source.text, re.MULTILINE)
    dot = r"\s*\.\s*" if names else ""
    own = rf"^[ \t]*\[\s*{table}{dot}({_spelled(key)})\s*[.\]]"
    line = rf"^[ \t]*(?:{table}\s*\.\s*)?({_spelled(key)})\s*[=.]"
    found = re.compile(own, re.MULTILINE).search(source.text)
    found = re.compile(line, re.MULTILINE).search(source.text, head.end() if head else 0) or found
    if found is None:
        return Place(source.name)
    span = Span(*found.span(1))
    if isinstance(value, str) and value:
        inner = re.compile(rf"(?<![\w-])(?:{_spelled(value)})(?![\w-])").search(source.text, span.end)
        span = Span(*inner.span()) if inner else span
    return at(source, span)


def _spelled(word: str) -> str:
    """The pattern of a word of TOML: bare, or in quotes of either kind."""
    return "|".join(map(re.escape, (f'"{word}"', f"'{word}'", word)))


def _seen_from_here(values: dict[str, Any], folder: str) -> dict[str, Any]:
    """Paths in a configuration are relative to its folder."""
    if "baseline" in values:
        values["baseline"] = os.path.join(folder, values["baseline"])
    if "data" in values:
        values["data"] = tuple(os.path.join(folder, path) for path in values["data"])
    return {**values, "folder": folder or "."}


def selector(text: object) -> str:
    """A code or the beginning of one: `NN5`, `nn502`, or `unused-layer`, the name of the finding.

    Raises `UnfitError` where no code begins so and no finding has this name.
    """
    if not isinstance(text, str):
        raise UnfitError(text, "it is no text", SELECTORS)
    found = _names().get(text.lower(), text.upper())
    if not _PREFIX.fullmatch(found) or not any(code.startswith(found) for code in catalogue()):
        raise UnfitError(text, "no code begins so", SELECTORS, codes.UNKNOWN_RULE)
    return found


def _names() -> dict[str, str]:
    return {code.name: code.code for code in catalogue().values()}


def near_code(word: str) -> str | None:
    """The question which code was meant: one by its letters, or by the name of its finding; None where none is near."""
    names = _names()
    families = dict.fromkeys(code[:length] for code in catalogue() for length in (2, 3, 4))
    near = closest(word.upper(), (*catalogue(), *families))
    return f"did you mean `{near}`?" if near else did_you_mean(word, names)


def size(value: object) -> int:
    """Bytes of `24GB` (powers of 1000), `24GiB` (powers of 1024), `80G` (as GB) or a plain number of bytes.

    A plain number below a megabyte is none: it was meant in another unit.
    """
    if isinstance(value, int) and 0 < value < _LEAST and value is not True:
        meant = f'"{value}GB"' if value < 1_000 else f'"{value}MB"'
        raise UnfitError(str(value), "it has no unit, and no device has so few bytes", meant)
    if isinstance(value, int) and 0 < value < 2**63 and value is not True:
        return value
    if isinstance(value, str) and (plain := value.strip()).isascii() and plain.isdigit() and len(plain) < 19:
        return size(int(plain))
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnfitError(value, "it is no amount of memory", SIZES)
    base = 1024 if found[3] else 1000
    amount = float(found[1]) if "." in found[1] else int(found[1])
    bytes_ = int(amount * base ** _POWERS[(found[2] or "").lower()])
    if not 0 < bytes_ < 2**63:
        raise UnfitError(value, "no device has so little or so much", SIZES)
    return bytes_


def level(value: object) -> str:
    """A severity; raises `UnfitError` for another word."""
    if isinstance(value, str) and value.lower() in _NEVER:
        raise UnfitError(value, "it takes error, warning, note", '"error", the highest; below it nothing fails')
    return _one_of(value, LEVELS[::-1])


def form(value: object) -> str:
    """The name of an output form; raises `UnfitError` for another word."""
    return _one_of(value, FORMS)


def _one_of(value: object, words: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in words:
        near = closest(value, words) if isinstance(value, str) else None
        meant = f'"{near}"' if near else " or ".join((", ".join(f'"{w}"' for w in words[:-1]), f'"{words[-1]}"'))
        raise UnfitError(value, f"it takes {', '.join(words)}", meant)
    return value


def batch(value: object) -> int:
    """Examples in a batch; raises `UnfitError` for anything but a whole number from 1 on."""
    if type(value) is not int or not 0 < value < 2**31:
        raise UnfitError(value, "it takes a whole number from 1 to 2147483647", "a number such as 1024")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnfitError(value, "it takes true or false", "true or false")
    return value


def _text_of(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise UnfitError(value, "it is no name of a file", 'a path such as "baseline.json"')
    return value


def _texts(value: object, expected: str = 'a list of globs, such as ["old/*"]') -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UnfitError(value, "it is no list", expected)
    if wrong := [item for item in value if not isinstance(item, str) or not item]:
        raise UnfitError(wrong[0], "it is no text" if wrong[0] != "" else "it is empty", expected)
    return tuple(value)


def _paths(value: object) -> tuple[str, ...]:
    return tuple(map(_text_of, _texts(value, 'a list of paths, such as ["gl_input.nc"]')))


def _selectors(value: object) -> tuple[str, ...]:
    return tuple(map(selector, dict.fromkeys(_texts(value, SELECTORS))))


def _by_glob(value: object) -> dict[str, tuple[str, ...]]:
    return {glob: _selectors(rules) for glob, rules in _mapping(value, '{ "old/*" = ["NN5"] }').items()}


def _by_code(value: object) -> dict[str, str]:
    return {selector(code): level(word) for code, word in _mapping(value, '{ NN502 = "error" }').items()}


def _mapping(value: object, example: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UnfitError(value, "it is no table", f"a table such as {example}")
    return value


KEYS: Mapping[str, Callable[[object], Any]] = {
    "select": _selectors,
    "extend-select": _selectors,
    "ignore": _selectors,
    "per-file-ignores": _by_glob,
    "severity": _by_code,
    "exclude": _texts,
    "gpu-memory": size,
    "batch": batch,
    "strict-json": _flag,
    "fail-level": level,
    "output-format": form,
    "baseline": _text_of,
    "data": _paths,
}
# Those that say what is found in one text; the others are about files and about how findings are told.
_OF_TEXTS = ("select", "extend-select", "ignore", "per-file-ignores", "severity", "gpu-memory", "batch", "strict-json")
