"""Types of values as JSON Schema, and the patterns by which it meets words in any letter case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

from nnlang.schema.describe import option_words
from nnlang.schema.types import Choice, Flag, Key, Layers, Many, Number, Option, Record, Status, Text, Tree, ValueType

Json = dict[str, Any]

# The limits of syntax.Limits that a value meets; a test holds the two together.
NAME, TEXT, LIST = 128, 4_096, 1_024
_CONTROL = "[\\u0000-\\u001f\\u007f-\\u009f]"


def in_any_case(spellings: tuple[str, ...]) -> str:
    """The pattern of words in any letter case: `^[Nn]$` of `N`."""
    words = ("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in spellings)
    joined = "|".join(words)
    return f"^({joined})$" if len(spellings) > 1 else f"^{joined}$"


def has(spellings: tuple[str, ...]) -> Json:
    """An object with a key that is one of these in any letter case."""
    return {"not": {"propertyNames": {"not": {"pattern": in_any_case(spellings)}}}}


def apart(keys: Iterable[Key]) -> list[Json]:
    """Objects that do not have one key in two spellings; two letter cases of one spelling escape them."""
    pairs = (pair for key in keys for pair in combinations(key.spellings, 2))
    return [
        {
            "not": {"allOf": [has((spelling,)) for spelling in pair]},
            "errorMessage": f"{pair[0]} and {pair[1]} are one key; remove one of them.",
        }
        for pair in pairs
    ]


def spelled(key: Key, target: str) -> Json:
    """The other spellings of a key: aliases are offered, those of DSSTNE's documents only understood."""
    found: Json = {alias: {"$ref": target} for alias in key.aliases}
    for word in key.documented:
        found[word] = {"$ref": target, **_documented(f"write {key.name}"), "doNotSuggest": True}
    return found


def refused(reason: str) -> Json:
    """A key that is known and has no place here; editors tell why."""
    words = f"{reason[0].upper()}{reason[1:]}."
    return {"description": words, "not": {}, "errorMessage": words, "doNotSuggest": True}


def _documented(advice: str) -> Json:
    """The marks of what only DSSTNE's documents know; editors tell them as a warning."""
    message = f"DSSTNE's documents have this form, its parser refuses it; {advice}."
    return {"deprecated": True, "deprecationMessage": message}


def value(key: Key) -> Json:
    """What a key takes."""
    takes = of_type(key.type)
    if key.spare == "bool":
        marks = _documented("write Sparse")
        return {"type": ["object", "boolean"], "if": {"type": "boolean"}, "then": marks, "else": takes}
    if key.spare == "string":
        takes |= {"type": ["number", "string"], "pattern": f"^({key.pattern})$"}
        return takes | {"if": {"type": "string"}, "then": _documented("write it without quotes")}
    return takes


def of_type(kind: ValueType) -> Json:
    """The values of one type."""
    match kind:
        case Text():
            return _text(kind)
        case Flag():
            return {"type": "boolean"}
        case Number():
            return _number(kind)
        case Choice():
            return _word(kind)
        case Many():
            return _many(kind)
        case Record(table):
            return {"$ref": f"#/$defs/{table.what.strip('`')}"}
        case Layers():
            return {"$ref": "#/$defs/layers"}
        case Tree():
            return _tree(kind)


def _tree(kind: Tree) -> Json:
    made: Json = {"type": [form.rpartition(" ")[2].replace("list", "array") for form in kind.forms]}
    if kind.inside is None:
        return made
    axis = {"$ref": f"#/$defs/{kind.inside.what.rpartition(' ')[2]}"}
    return made | {"additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, axis]}}


def _text(kind: Text) -> Json:
    least: Json = {} if kind.empty else {"minLength": 1}
    plain = {"not": {"pattern": _CONTROL}, "errorMessage": "A control character cannot stand here."}
    return {"type": "string", **least, "maxLength": NAME if kind.name else TEXT, "allOf": [plain]}


def _number(kind: Number) -> Json:
    most = "exclusiveMaximum" if kind.below else "maximum"
    return {"type": "integer" if kind.integer else "number", "minimum": kind.low, most: kind.high}


def _word(kind: Choice) -> Json:
    offered = [option for option in kind.accepted if option.status is not Status.DOCUMENTED]
    canonical = {"enum": [o.spelling for o in offered], "enumDescriptions": [option_words(o) for o in offered]}
    marked = [
        {"if": {"type": "string", "pattern": in_any_case(words)}, "then": _documented(advice)}
        for option in kind.accepted
        for words, advice in _documented_words(option)
    ]
    told: Json = {"allOf": marked} if marked else {}
    return {"type": "string", "anyOf": [canonical, {"pattern": in_any_case(kind.spellings())}], **told}


def _documented_words(option: Option) -> Iterator[tuple[tuple[str, ...], str]]:
    """The spellings of a value that only DSSTNE's documents know, with what to do about them."""
    if option.status is Status.DOCUMENTED:
        yield option.spellings, f"it means {option.words}"
    elif option.documented:
        yield option.documented, f"write {option.spelling}"


def _many(kind: Many) -> Json:
    one = of_type(kind.of)
    least: Json = {} if kind.empty else {"minItems": 1}
    listed = {"type": "array", "items": one, **least, "maxItems": LIST if kind.most is None else kind.most}
    word = [{"enum": [kind.word]}, {"type": "string", "pattern": in_any_case((kind.word,))}] if kind.word else []
    return {"anyOf": [one, *word, listed]}
