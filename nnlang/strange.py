"""What to say about keys and values that are not known where they stand: misplaced, or brought from other tools."""

from __future__ import annotations

import re
from typing import Any

from nnlang import schema
from nnlang.codes import keys as codes
from nnlang.diagnostics import Code
from nnlang.schema import Choice, Flag, Many, Number, Table, ValueType, expects
from nnlang.schema.foreign import Foreign, foreign_key, foreign_value

# Where keys that are looked for in the wrong place belong.
_HOMES = (
    (schema.DEFINITION, "the definition's top level, beside Layers"),
    (schema.LAYER, "a layer, inside Layers"),
    (schema.TRAINING, "TrainingParameters"),
    (schema.WEIGHT_INIT, "WeightInit of a layer"),
    (schema.SHARED_WEIGHTS, "SharedWeights of a layer"),
    (schema.SMCE, "ScaledMarginalCrossEntropy, at the top level"),
)

_UNQUOTED = re.compile(r"-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")

Told = tuple[Code, dict[str, Any]]


def strange_key(table: Table, word: str) -> Told | None:
    """The code and the facts for a word that is no key of a table; None where nothing is known of it."""
    if reason := table.reason(word):
        return codes.UNSUPPORTED_KEY, {"reason": reason}
    if row := foreign_key(table, word):
        return _called(row, codes.UNKNOWN_KEY, codes.UNSUPPORTED_KEY)
    others = [(other, where) for other, where in _HOMES if other is not table]
    if home := next((where for other, where in others if other.find(word)), None):
        return codes.KEY_ELSEWHERE, {"where": home}
    found = ((foreign_key(other, word), where) for other, where in others)
    row, where = next(((row, where) for row, where in found if row), (None, ""))
    if row is None:
        return None
    if not row.called:
        return codes.UNSUPPORTED_KEY, {"reason": row.note}
    return codes.KEY_ELSEWHERE, {"where": where, "help": f"it is called `{row.called}` here and belongs in {where}"}


def strange_value(kind: Choice, word: str) -> Told | None:
    """The same for a word that is no value of an enumeration."""
    row = foreign_value(kind, word)
    return _called(row, codes.UNKNOWN_VALUE, codes.UNSUPPORTED_VALUE) if row else None


def _called(row: Foreign, unknown: Code, unsupported: Code) -> Told:
    if not row.called:
        return unsupported, {"reason": row.note}
    return unknown, {"help": row.help, "near": row.called, "sure": row.same}


def within(kind: Number, value: float) -> str | None:
    """What to write for a number that is too large, if there is more to say than the range."""
    if kind.high == 1 and value >= 2 and kind.holds(value / 100):
        return f"write {expects(kind)}: {value / 100:g} for {value:g} percent"
    return f"write at most {kind.high:.15g}" if value > kind.high and not kind.below else None


def is_quoted(kind: ValueType, text: str) -> bool:
    """Whether a string holds what a key of this type takes without quotes."""
    match kind:
        case Number():
            return _UNQUOTED.fullmatch(text) is not None
        case Flag():
            return text in ("true", "false")
        case Many(of):
            return is_quoted(of, text)
    return False
