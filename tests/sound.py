"""Draws definitions without a mistake in any key or value, and writes data as one of its many JSON texts.

Names of layers need not lead anywhere: what a definition means is not drawn here, only how it is spelled.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from nnlang import schema
from nnlang.schema import Choice, Flag, Key, Layers, Many, Number, Record, Table, Text, ValueType
from nnlang.schema.preparation import STEPS

Json = Any
KINDS = {"I": "Input", "H": "Hidden", "O": "Output"}
LETTERS = "abcdeXYZ_09 -.é漢😀\u2028\u212a"


def sound(random: Random) -> Json:
    """A definition without a mistake in any key or value; every spelling that is read occurs."""
    made = members(random, schema.DEFINITION, 0.12)
    return shuffled(random, made)


def shuffled(random: Random, members: dict[str, Json]) -> dict[str, Json]:
    """The members in another order."""
    names = list(members)
    random.shuffle(names)
    return {name: members[name] for name in names}


def members(random: Random, table: Table, share: float, keys: tuple[Key, ...] | None = None) -> dict[str, Json]:
    """The members of an object of a table: the required ones, and of the others a share."""
    chosen = [key for key in keys or table.keys if key.required or random.random() < share]
    return {spelling(random, key.spellings): value(random, key) for key in chosen}


def spelling(random: Random, spellings: tuple[str, ...]) -> str:
    """One of the spellings of a word, most often the first, in some letter case."""
    word = spellings[0] if random.random() < 0.7 else random.choice(spellings)
    return cased(random, word) if random.random() < 0.3 else word


def cased(random: Random, word: str) -> str:
    """The word in other letter case."""
    each = "".join(random.choice((c.lower(), c.upper())) for c in word)
    return random.choice((word.lower(), word.upper(), word.swapcase(), each))


def value(random: Random, key: Key) -> Json:
    """A value that the key takes, of a type that only documents know included."""
    if key.spare == "bool" and random.random() < 0.3:
        return random.random() < 0.5
    if key.spare == "string" and random.random() < 0.3:
        return random.choice(("0.8", "0.7", "1", "0.6999", "0.69990001", "1000", "1000.00", "999.75", "12"))
    return of_type(random, key.type)


def of_type(random: Random, kind: ValueType) -> Json:
    """A value of a type."""
    match kind:
        case Text():
            return words(random, kind)
        case Flag():
            return random.random() < 0.5
        case Number():
            return number(random, kind)
        case Choice():
            option = random.choice(kind.accepted)
            return spelling(random, option.spellings)
        case Many():
            return several(random, kind)
        case Record(schema.PREPARATION):
            return step(random)
        case Record(table):
            return shuffled(random, members(random, table, 0.5))
        case Layers():
            return layers(random)


def step(random: Random) -> dict[str, Json]:
    """A step of a preparation with keys that go with it, one of those that it needs among them."""
    option = random.choice(schema.STEP.accepted)
    row = STEPS[option.value]  # type: ignore[index]
    needed = random.choice(row.needs) if row.needs else ""
    fields = ("name", "dataset", *row.takes)
    taken = {field for field in fields if field == needed or random.random() < 0.5}
    chosen = [key for key in schema.PREPARATION.keys if key.field in taken]
    made = {spelling(random, key.spellings): value(random, key) for key in chosen}
    return shuffled(random, made | {spelling(random, ("Step",)): spelling(random, option.spellings)})


def words(random: Random, kind: Text) -> str:
    """A text that its type allows, up to its greatest length."""
    most = 128 if kind.name else 4_096
    shortest = 0 if kind.empty else 1
    length = random.choice((shortest, 1, 2, 5, 9, 9, 9, 30, most if random.random() < 0.1 else 3))
    return "".join(random.choice(LETTERS) for _ in range(length))


def number(random: Random, kind: Number) -> float:
    """A number in its range, often at its edge, integers sometimes with a point."""
    if kind.integer:
        low, high = int(kind.low), int(kind.high)
        exact = random.choice((low, high, low + 1, random.randint(low, min(high, low + 300))))
        return float(exact) if random.random() < 0.2 and exact < 2**53 else exact
    edges = [kind.low, min(kind.high, kind.low + 1, 0.999999) if kind.below else kind.high]
    inside = [x for x in (0, 1, 0.5, 0.01, 1e-7, 0.9, 3.25, -2.5, 100) if kind.holds(x)]
    return random.choice((*edges, *inside, *inside))


def several(random: Random, kind: Many) -> Json:
    """One value, a list of them, or the word that may stand for them."""
    if kind.word and random.random() < 0.3:
        return spelling(random, (kind.word,))
    if random.random() < 0.4:
        return of_type(random, kind.of)
    count = random.randint(0 if kind.empty else 1, kind.most or 4)
    return [of_type(random, kind.of) for _ in range(count)]


def layers(random: Random) -> Json:
    """A list of layers of any length, the last place known or every Kind written; or one layer alone."""
    if random.random() < 0.05:
        return layer(random, "I")
    count = random.choice((1, 2, 3, 3, 3, 4, 5, 6, 8, random.choice((12, 40, 63, 64, 65, 66, 80))))
    share = 0.2 if count < 10 else 0.02
    return [layer(random, default_kind(place, count), share, state=count > 64) for place in range(count)]


def default_kind(place: int, count: int) -> str:
    """The letter of the kind of a layer that gives none."""
    return "I" if place == 0 else "O" if place == count - 1 else "H"


def layer(random: Random, default: str, share: float = 0.2, state: bool = False) -> dict[str, Json]:
    """A layer of a kind that goes with its place or is written; with `state` it is always written."""
    kind, pooling, made = default, False, {}
    if state or random.random() < 0.5:
        kind = random.choice("IHO") if random.random() < 0.3 else default
        pooling = kind == "H" and random.random() < 0.15
        made[spelling(random, ("Kind",))] = spelling(random, ("Pooling" if pooling else KINDS[kind],))
    if random.random() < 0.4:
        options = schema.LAYER_TYPE.accepted
        option = random.choice([o for o in options if o.spelling == "Pooling"] if pooling else options)
        pooling = pooling or option.spelling == "Pooling"
        made[spelling(random, ("Type",))] = spelling(random, option.spellings)
    keys = tuple(
        key
        for key in schema.LAYER.keys
        if kind in key.kinds and ("P" if pooling else "F") in key.types and key.name not in ("Kind", "Type")
    )
    return shuffled(random, made | members(random, schema.LAYER, share, keys))


def text(random: Random, thing: Json) -> str:
    """Data as one of its JSON texts: other white space, escapes, forms of numbers; it parses to equal data."""
    return _text(random, thing, random.choice(("", " ", "\n", "\n  ")))


def _text(random: Random, thing: Json, space: str) -> str:
    match thing:
        case dict():
            inside = (f"{_string(random, n)}:{space}{_text(random, v, space)}" for n, v in thing.items())
            return "{" + space + f",{space}".join(inside) + space + "}"
        case list():
            return "[" + f",{space}".join(_text(random, item, space) for item in thing) + "]"
        case str():
            return _string(random, thing)
        case int() if not isinstance(thing, bool) and random.random() < 0.1 and abs(thing) < 2**53:
            return random.choice((f"{thing}.0", f"{thing}e0", f"{thing}.00E+0"))
    return json.dumps(thing)


def _string(random: Random, word: str) -> str:
    """The word in quotes; escaped where that keeps the literal short."""
    plain = json.dumps(word, ensure_ascii=len(word) < 300 and random.random() < 0.3)
    if word.isascii() and word.isalnum() and len(word) < 20 and random.random() < 0.02:
        return '"' + "".join(f"\\u{ord(c):04x}" for c in word) + '"'
    return plain
