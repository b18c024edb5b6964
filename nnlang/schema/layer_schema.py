"""Layers as JSON Schema: which keys go with which kind, and the kind of a layer that gives none, by its place."""

from __future__ import annotations

from nnlang.network import Kind, LayerType
from nnlang.schema.choices import LAYER_KIND, LAYER_TYPE
from nnlang.schema.definition import LAYER
from nnlang.schema.describe import layer_kinds
from nnlang.schema.types import Key, Option
from nnlang.schema.value_schema import Json, apart, has, in_any_case, refused

EXACT = 64  # up to this length of the list the last layer is known
MOST = 10_000  # layers, as syntax.Limits has it

_KINDS = {"I": "inputLayer", "H": "hiddenLayer", "O": "outputLayer"}
_KIND_KEY = next(key for key in LAYER.keys if key.type is LAYER_KIND)
_TYPE_KEY = next(key for key in LAYER.keys if key.type is LAYER_TYPE)


def definitions(rows: Json) -> Json:
    """The `$defs` of layers: the keys of all, the three kinds, the three places in the list, the list."""
    return {
        "layer": {"properties": rows},
        **{name: _kind(letter, rows) for letter, name in _KINDS.items()},
        "firstLayer": _by_kind("I"),
        "innerLayer": _by_kind("H"),
        "lastLayer": _by_kind("O"),
        "laterLayer": {
            "if": has(_KIND_KEY.spellings),
            "then": _by_kind("H"),
            "else": {"anyOf": [_ref("hiddenLayer"), _ref("outputLayer")]},
        },
        "layers": {
            "type": ["array", "object"],
            "if": {"type": "array"},
            "then": _ref("layerList"),
            "else": _ref("firstLayer"),
        },
        "layerList": _list(),
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _kind(letter: str, rows: Json) -> Json:
    """A layer of one kind: the keys that go with it and no other."""
    keys = [key for key in LAYER.keys if letter in key.kinds]
    mine = {spelling for key in keys for spelling in key.spellings}
    row = "#/$defs/layer/properties/"
    conditions = (
        [_typed(key) for key in keys if key.types != "FCP"] + apart(keys) + ([_pooled()] if letter == "H" else [])
    )
    marks = ("deprecated", "deprecationMessage", "doNotSuggest")
    own = {
        name: {"$ref": row + name, **{mark: rows[name][mark] for mark in marks if mark in rows[name]}}
        for name in rows
        if name in mine
    }
    others = {key.name: f"{key.name} goes with {layer_kinds(key)}" for key in LAYER.keys if key not in keys}
    return {
        "type": "object",
        "properties": own | {name: refused(why) for name, why in (*others.items(), *LAYER.reasons)},
        "patternProperties": {in_any_case(key.spellings): {"$ref": row + key.name} for key in keys},
        "additionalProperties": False,
        **({"allOf": conditions} if conditions else {}),
    }


def _typed(key: Key) -> Json:
    """A layer that has this key only if it is of a type that takes it."""
    types = tuple(s for o in LAYER_TYPE.accepted if _letter(o) in key.types for s in o.spellings)
    kinds = tuple(s for o in LAYER_KIND.accepted if _letter(o) == "P" and "P" in key.types for s in o.spellings)
    words = {"errorMessage": f"{key.name} goes with layers of Type {' or '.join(types)}."}
    of_type = {**has(_TYPE_KEY.spellings), **_says(_TYPE_KEY, types), **words}
    of_kind = {**has(_KIND_KEY.spellings), **_says(_KIND_KEY, kinds), **words}
    return {"if": has(key.spellings), "then": {"anyOf": [of_type, of_kind]}}


def _pooled() -> Json:
    """A layer of the Kind Pooling has no Type but that."""
    kinds, types = (
        tuple(s for o in c.accepted if _letter(o) == "P" for s in o.spellings) for c in (LAYER_KIND, LAYER_TYPE)
    )
    is_pooling = {**has(_KIND_KEY.spellings), **_says(_KIND_KEY, kinds)}
    words = {"errorMessage": f"a layer of Kind {kinds[0]} is of Type {types[0]}."}
    return {"if": is_pooling, "then": {**_says(_TYPE_KEY, types), **words}}


def _says(key: Key, spellings: tuple[str, ...]) -> Json:
    """An object that has no such key, or one of these words for it."""
    return {"patternProperties": {in_any_case(key.spellings): {"pattern": in_any_case(spellings)}}}


def _letter(option: Option) -> str:
    """The first letter of a kind or type; the kind that stands for hidden layers of type Pooling has the type's."""
    return option.value.name[0] if isinstance(option.value, Kind | LayerType) else "P"


def _by_kind(default: str) -> Json:
    """A layer by the Kind that it gives, of a default kind where it gives none."""
    first, second, third = (default, *(letter for letter in _KINDS if letter != default))
    inner = {"if": _is(second), "then": _ref(_KINDS[second]), "else": _ref(_KINDS[third])}
    return {"if": _is(first), "then": _ref(_KINDS[first]), "else": inner}


def _is(letter: str) -> Json:
    meant = {letter, "P"} if letter == "H" else {letter}
    return _says(_KIND_KEY, tuple(s for o in LAYER_KIND.accepted if _letter(o) in meant for s in o.spellings))


def _list() -> Json:
    """The list of layers. JSON Schema cannot point at the last one of a list, so there is a rule for every length.

    A rule looks at one place k: where the list is no longer than k, that layer, if any, is the last; else an inner one.
    """

    def at(place: int, name: str) -> Json:
        return {"prefixItems": [{}] * (place - 1) + [_ref(name)]}

    rules = [
        {"if": {"maxItems": place}, "then": at(place, "lastLayer"), "else": at(place, "innerLayer")}
        for place in range(2, EXACT + 1)
    ]
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST,
        "prefixItems": [_ref("firstLayer")] + [{}] * (EXACT - 1),
        "items": _ref("laterLayer"),
        "allOf": rules,
    }
