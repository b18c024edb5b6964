"""The language's table as JSON Schema 2020-12, for editors and for checkers in other languages.

A file is valid exactly when `nnlang lint` finds no NN1 or NN2 error in it, but for what a schema does not see: the text
itself (comments, the length of literals), one spelling of a key written twice, and, from the 65th layer on, which layer
is the last (nnlang/schema/layer_schema.py). Spellings of DSSTNE's documents are valid, since lint only warns of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nnlang.schema import layer_schema, step_schema
from nnlang.schema.choices import COMMAND
from nnlang.schema.definition import DEFINITION, LAYER
from nnlang.schema.describe import defaults, description, inner
from nnlang.schema.preparation import PREPARATION
from nnlang.schema.sweep import SWEEP
from nnlang.schema.training import JOB, TRAINING
from nnlang.schema.types import Table
from nnlang.schema.value_schema import Json, apart, has, in_any_case, refused, spelled, value

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Language:
    """One kind of file: its table, its words, and rules between keys that no table holds."""

    table: Table
    title: str
    words: str
    rules: Callable[[], list[Json]] = list


def _train_needs_epochs() -> list[Json]:
    """A job that trains says for how long."""
    settings = next(key for key in JOB.keys if inner(key) is TRAINING)
    command = next(key for key in JOB.keys if key.type is COMMAND)
    train = next(option for option in COMMAND.options if option.value == "Train")
    epochs = next(key for key in TRAINING.keys if key.field == "epochs")
    trains = {"patternProperties": {in_any_case(command.spellings): {"pattern": in_any_case(train.spellings)}}}
    needed = {"patternProperties": {in_any_case(settings.spellings): _required(epochs.name, epochs.spellings)}}
    return [
        {
            "if": {"allOf": [has(command.spellings), trains]},
            "then": {"allOf": [_required(settings.name, settings.spellings), needed]},
        }
    ]


# Every kind of file that has a schema.
LANGUAGES: dict[str, Language] = {
    "definition": Language(
        DEFINITION,
        "LNDL: a network definition",
        "A network in LNDL, DSSTNE's network definition language. Keys and enumerated values are read in any letter "
        "case, names as they are written. A layer that gives no Kind is an Input layer where it is the first of the "
        "list, an Output layer where it is the last, a Hidden layer in between; this schema knows the last one of up "
        f"to {layer_schema.EXACT} layers and takes the keys of both kinds beyond. Left to `nnlang lint`: comments, "
        "one key written twice, names of layers, shapes.",
    ),
    "job": Language(
        JOB,
        "A job file of DSSTNE",
        "What `nnlang run` does: train, predict or validate, with which files and settings. Keys and enumerated values "
        "are read in any letter case. Left to `nnlang lint`: comments, one key written twice.",
        _train_needs_epochs,
    ),
    "sweep": Language(
        SWEEP,
        "A sweep file",
        "A base definition, the axes along which it varies, and how combinations are chosen, trained and judged. Keys "
        "and enumerated values are read in any letter case. Left to `nnlang lint`: where paths lead, whether values go "
        "there, conditions and constraints, comments, one key written twice.",
    ),
}


def json_schema(language: str) -> Json:
    """The JSON Schema of one of `LANGUAGES`, as data; the order of its members is that of the tables."""
    row = LANGUAGES[language]
    root = table_schema(row.table, "#", language)
    definitions = {name: table_schema(table, f"#/$defs/{name}", language) for name, table in _inside(row.table)}
    if row.table is DEFINITION:
        definitions |= layer_schema.definitions(rows(LAYER, "#/$defs/layer", language))
    if rules := row.rules():
        root["allOf"] = [*root.get("allOf", []), *rules]
    head = {"$schema": DIALECT, "$id": f"urn:nnlang:schema:{language}", "title": row.title, "description": row.words}
    return {**head, **root, "$defs": definitions}


def _inside(table: Table) -> Iterator[tuple[str, Table]]:
    """The tables of the objects inside those of a table, each once, by their names."""
    homes = (table, LAYER) if table is DEFINITION else (table,)
    found = (inner(key) for home in homes for key in home.keys)
    yield from {t.what.strip("`").removeprefix("an "): t for t in found if t is not None}.items()


def table_schema(table: Table, where: str, language: str) -> Json:
    """The objects of one table; `where` is the pointer to what this returns."""
    made: Json = {"type": "object"}
    made["properties"] = rows(table, where, language) | {name: refused(reason) for name, reason in table.reasons}
    made["patternProperties"] = {
        in_any_case(key.spellings): {"$ref": f"{where}/properties/{key.name}"} for key in table.keys
    }
    made["additionalProperties"] = False
    conditions = [_required(key.name, key.spellings) for key in table.keys if key.required]
    conditions += apart(table.keys)
    conditions += step_schema.conditions() if table is PREPARATION else []
    return made | ({"allOf": conditions} if conditions else {})


def rows(table: Table, where: str, language: str) -> Json:
    """Every spelling of every key of a table that an editor may offer, with its value and its words."""
    given, made = defaults(table, language), {}
    for key in table.keys:
        default = given.get(key.field)
        made[key.name] = {"description": description(key, default), **value(key)}
        if default is not None:
            made[key.name]["default"] = default
        made |= spelled(key, f"{where}/properties/{key.name}")
    return made


def _required(name: str, spellings: tuple[str, ...]) -> Json:
    """An object that has a key: said plainly for those who read errors, and then for any letter case."""
    return {"anyOf": [{"required": [name]}, has(spellings)]}


def text(schema: object, width: int = 120) -> str:
    """A schema as people read it: what fits on a line of `width` characters stands on one; ends with a newline."""
    return _laid_out(schema, "", width - 2) + "\n"


def _laid_out(node: Any, pad: str, width: int) -> str:
    flat = json.dumps(node, ensure_ascii=False)
    if len(pad) + len(flat) <= width or not isinstance(node, dict | list):
        return flat
    deeper = pad + "  "
    if isinstance(node, dict):
        members = [f"{json.dumps(name)}: " for name in node]
        lines = [m + _laid_out(v, deeper, width - len(m)) for m, v in zip(members, node.values(), strict=True)]
        return "{\n" + ",\n".join(deeper + line for line in lines) + f"\n{pad}}}"
    lines = [""]
    for item in (_laid_out(item, deeper, width) for item in node):
        joined = f"{lines[-1]}, {item}" if lines[-1] else item
        fits = "\n" not in joined and len(joined) + len(deeper) <= width
        lines[-1:] = [joined] if fits or not lines[-1] else [lines[-1], item]
    return "[\n" + ",\n".join(deeper + line for line in lines) + f"\n{pad}]"
