"""A row of the table in words: what editors show beside a key, what `explain` prints, each fact once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum

from nnlang.network import Training
from nnlang.schema.choices import OPTIMIZER
from nnlang.schema.definition import DEFINITION, LAYER
from nnlang.schema.sweep import SWEEP
from nnlang.schema.training import JOB, JOB_CHECKPOINT_NAME, JOB_DEFAULTS, JOB_RESULTS, TRAINING
from nnlang.schema.types import Choice, Key, Many, Option, Record, Status, Table, Tree, expects

_FILES = {"a job": "a job file", "a sweep": "a sweep file"}
_DSSTNE = {
    Status.PARSED: "reads it, without effect",
    Status.DOCUMENTED: "names it in its documents, its parser refuses it",
    Status.OURS: "does not know it",
}
KINDS = {"I": "Input", "H": "Hidden", "O": "Output"}
_SPARES = {
    "string": 'a string such as "0.8" is read too, with a warning: DSSTNE\'s documents allow it, its parser aborts',
    "bool": "true or false is read too, with a warning: whether this layer takes the network's penalty",
}


def defaults(table: Table, language: str) -> dict[str, object]:
    """The defaults of a table's fields in a definition or a job file, as one writes them; without one, left out."""
    known: dict[str, object] = {key.field: key.default for key in table.keys}
    if table is TRAINING and language == "definition":
        known = {**known, **{field: _spelled(value) for field, value in vars(Training()).items()}}
    elif table is TRAINING:
        known = {**known, **dict(JOB_DEFAULTS), "results": JOB_RESULTS, "checkpoint_name": JOB_CHECKPOINT_NAME}
    return {field: value for field, value in known.items() if value is not None}


def _spelled(value: object) -> object:
    if isinstance(value, Enum):
        return next(option.spelling for option in OPTIMIZER.options if option.value is value)
    return value


def facts(key: Key, default: object = None) -> Iterator[tuple[str, str]]:
    """What there is to say about a key beside its meaning: pairs of a heading and words."""
    takes = expects(key.type)
    if key.spare in _SPARES:
        takes += f"; {_SPARES[key.spare]}"
    yield "takes", takes
    if key.required:
        yield "required", "yes"
    if default is not None:
        yield "default", written(default)
    if key.aliases:
        yield "also written", ", ".join(key.aliases)
    if key.documented:
        yield "in DSSTNE's documents", ", ".join(key.documented) + " (read with a warning)"
    if layers := layer_kinds(key):
        yield "goes with", layers
    if status := status_words(key.status):
        yield "DSSTNE", status
    if not key.computed:
        yield "computed", NOT_COMPUTED


NOT_COMPUTED = "not yet: nnlang reads and checks such layers, and stops when it should train them (NN730)"


def status_words(status: Status) -> str:
    """What DSSTNE made of a key or value; empty where it works there."""
    return _DSSTNE.get(status, "")


def layer_kinds(key: Key) -> str:
    """The layers that take the key of a layer, in words; empty where all do, as for every key of another table."""
    kinds = [word for letter, word in KINDS.items() if letter in key.kinds]
    pooling = key.types == "P"
    if len(kinds) == len(KINDS) and not pooling:
        return ""
    return " and ".join(kinds) + " layers" + (' of "Type": "Pooling"' if pooling else "")


def description(key: Key, default: object = None) -> str:
    """A key in one paragraph."""
    rest = (f"{heading[0].upper()}{heading[1:]}: {words}." for heading, words in facts(key, default))
    return " ".join((key.words, *rest))


def option_words(option: Option) -> str:
    """One value of an enumeration in words: meaning, other spellings, what DSSTNE made of it."""
    if option.reason:
        return f"not supported: {option.reason}"
    parts = [option.words]
    if option.aliases:
        parts.append("also written " + ", ".join(option.aliases))
    if option.documented:
        parts.append("in DSSTNE's documents " + ", ".join(option.documented))
    if status := status_words(option.status):
        parts.append(f"DSSTNE {status}")
    if not option.computed:
        parts.append("not computed yet (NN730)")
    return "; ".join(parts)


def written(value: object) -> str:
    """A value as one writes it in a definition, words without their quotes."""
    if isinstance(value, str):
        return value or '""'
    return f"{value:.7g}" if isinstance(value, float) else json.dumps(value)


def place(table: Table) -> str:
    """Where the keys of a table stand, in words: `a layer`, `WeightInit of a layer`."""
    holders = [home for home in (DEFINITION, LAYER, JOB, SWEEP) if any(inner(key) is table for key in home.keys)]
    names = [_FILES.get(home.what, home.what) for home in holders]
    within = " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"{table.what.strip('`')} of {within}" if holders else _FILES.get(table.what, table.what)


def inner(key: Key) -> Table | None:
    """The table of the objects that a key takes, None where it takes no object."""
    kind = key.type.of if isinstance(key.type, Many) else key.type
    if isinstance(kind, Tree):
        return kind.inside
    return kind.table if isinstance(kind, Record) else None


def choice(key: Key) -> Choice | None:
    """The enumeration that a key takes, None where it takes something else."""
    return key.type if isinstance(key.type, Choice) else None
