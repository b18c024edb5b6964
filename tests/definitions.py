"""Draws definitions from the language's table: sound ones, and ones with every kind of mistake in keys and values.

`definitions` draws a definition as data, `text` (of tests/sound.py) writes it as one of its many JSON texts.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from nnlang import schema
from nnlang.schema import Choice, Flag, Key, Layers, Many, Number, Record, Table, Text, ValueType
from nnlang.schema.foreign import KEYS
from tests.sound import Json, cased, of_type, sound, spelling, text, value

__all__ = ["MISTAKES", "ODD", "definitions", "sound", "text"]

CONTROL = "\x00\x07\n\r\t\x1f\x7f\x85\x9f"
ODD: tuple[Json, ...] = (
    None, True, False, 0, -0.0, -1, 1, 2, 1.0, 1.5, 256.0, 65_535, 65_536, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**39,
    0.6999, 0.6998, 0.99999999, 1000, 1000.5, 1e-300, 1e30, 1.1e30, 3.4028234663852886e38, 3.5e38, -3.4e38, -3.5e38,
    1e300, "", " ", "a", "auto", "AUTO", "Auto ", "256", "0.8", "0.7", "0.6999", "0.69989", "0.69", "1000", "1000.0",
    "1000.1", "1e3", "+1", "-1", " 1", "01", "1.", ".5", "nan", "inf", "true", "Relu", "relu", "RELU", "Input",
    "hidden", "Pooling", "POOLING", "Target", "SMCE", "Cross Entropy", "CrossEntropy\n", "\u212aind", "Max", "MaxOut",
    "LCN", "Gaussian", "SGD", "Train", "FeedForward", "x" * 128, "x" * 129, "😀" * 128, "😀" * 129, "x" * 4096, "a\x85",
    [], [1], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5], ["a"], ["a", "b"], ["auto"], [""], [None], [[1]], [1.5], [True],
    ["a", 1], {}, {"p": 0.5}, {"P": 1}, {"p": 0.5, "beta": 1}, {"k": 2}, {"nope": 1}, [{}], {"Name": "a"}, [{"N": 1}],
)  # fmt: skip


def definitions(random: Random) -> Json:
    """A definition, about as often sound as with mistakes in it (one to three of `MISTAKES`)."""
    drawn = sound(random)
    if random.random() < 0.47:
        return drawn
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        drawn = MISTAKES[random.choice(list(MISTAKES))](random, drawn)
    return drawn


@dataclass(frozen=True)
class Slot:
    """One member of an object inside a definition, and the row of the table that it stands for."""

    holder: dict[str, Json]
    name: str
    key: Key
    table: Table


def slots(thing: Json, table: Table = schema.DEFINITION) -> Iterator[Slot]:
    """Every member that the tables know, at any depth."""
    for name, found in list(thing.items()) if isinstance(thing, dict) else ():
        key = table.find(name)
        if key is None:
            continue
        yield Slot(thing, name, key, table)
        kind = key.type.of if isinstance(key.type, Many) else key.type
        below = schema.LAYER if isinstance(kind, Layers) else kind.table if isinstance(kind, Record) else None
        for item in found if isinstance(found, list) else [found]:
            if below is not None:
                yield from slots(item, below)


def objects(thing: Json) -> list[tuple[dict[str, Json], Table]]:
    """Every object with its table, the definition itself first; layers without members are left out."""
    found: list[tuple[dict[str, Json], Table]] = [(thing, schema.DEFINITION)] if isinstance(thing, dict) else []
    for slot in slots(thing):
        if all(slot.holder is not holder for holder, _ in found):
            found.append((slot.holder, slot.table))
    return found


Mistake = Callable[[Random, Json], Json]


def in_a_slot(change: Callable[[Random, Slot], None], fits: Callable[[Key], object] = lambda key: True) -> Mistake:
    """A mistake in one member, of those whose key fits; nothing is changed where none does."""

    def mistake(random: Random, thing: Json) -> Json:
        made = copy.deepcopy(thing)
        if found := [slot for slot in slots(made) if fits(slot.key)]:
            change(random, random.choice(found))
        return made

    return mistake


def in_an_object(change: Callable[[Random, dict[str, Json], Table], None]) -> Mistake:
    """A mistake in one object: the definition, a layer, one of the objects inside."""

    def mistake(random: Random, thing: Json) -> Json:
        made = copy.deepcopy(thing)
        if found := objects(made):
            change(random, *random.choice(found))
        return made

    return mistake


def put(draw: Callable[[Random, Slot], Json]) -> Callable[[Random, Slot], None]:
    """The change that puts a drawn value in the place of a member's."""

    def change(random: Random, slot: Slot) -> None:
        slot.holder[slot.name] = draw(random, slot)

    return change


def leaf(key: Key) -> ValueType:
    """The type of a key, or of the elements that it takes."""
    return key.type.of if isinstance(key.type, Many) else key.type


def beyond(random: Random, slot: Slot) -> Json:
    """A number out of its range, by a little or by much."""
    kind = leaf(slot.key)
    assert isinstance(kind, Number)
    step = 1 if kind.integer else 1e-6
    low = kind.low - step if abs(kind.low) < 1e6 else kind.low * 1.001
    high = kind.high if kind.below else kind.high + step if kind.high < 1e6 else kind.high * 1.001
    wrong = random.choice((low, high, -1e39, 1e39, 10**40))
    return [1, wrong] if isinstance(slot.key.type, Many) and random.random() < 0.5 else wrong


def long_list(random: Random, slot: Slot) -> Json:
    """One element more than are allowed."""
    kind = slot.key.type
    assert isinstance(kind, Many)
    return [of_type(random, kind.of)] * ((kind.most or 1_024) + 1)


def rename(name: Callable[[Random, Slot], str]) -> Callable[[Random, Slot], None]:
    """The change that gives a member another name."""

    def change(random: Random, slot: Slot) -> None:
        new, found = name(random, slot), slot.holder.pop(slot.name)
        if new.lower() not in map(str.lower, slot.holder):
            slot.holder[new] = found

    return change


def mistyped(random: Random, word: str) -> str:
    """The word with a slip of the hand in it."""
    place = random.randrange(len(word) + 1)
    letter = random.choice("aeXz1 _\n\u212a")
    return random.choice((word[:place] + word[place + 1 :], word[:place] + letter + word[place:], word + letter))


def put_key(of: Callable[[Random, Table], Key | None]) -> Callable[[Random, dict[str, Json], Table], None]:
    """The change that puts a key with a sound value into an object where it may not belong."""

    def change(random: Random, holder: dict[str, Json], table: Table) -> None:
        if key := of(random, table):
            name = spelling(random, key.spellings)
            held = next((n for n in holder if n.lower() == name.lower()), name)  # letter case alone makes no second key
            holder[held] = value(random, key)

    return change


def foreign(random: Random, table: Table) -> Key:
    """Any key of any table."""
    return random.choice(random.choice((*schema.TABLES, schema.LAYER, schema.JOB)).keys)


def own(random: Random, table: Table) -> Key:
    """Any key of the same table: of a layer one for other kinds, perhaps; or the same key once more."""
    return random.choice(table.keys)


def twice(random: Random, slot: Slot) -> None:
    """The same key in another spelling."""
    for other in slot.key.spellings:
        if other.lower() != slot.name.lower():
            slot.holder[cased(random, other)] = value(random, slot.key)


def odd_step(fields: dict[str, Json]) -> Mistake:
    """A step of a preparation that lacks what it needs, or has what it does not take."""

    def mistake(random: Random, thing: Json) -> Json:
        if not isinstance(thing, dict):
            return thing
        name = next((n for n in thing if n.lower() == "preparation"), "Preparation")
        return {**thing, name: [{"Step": random.choice(("TopFrequency", "kcore", "TFIDF"))} | fields]}

    return mistake


def odd_layers(random: Random, thing: Json) -> Json:
    """No layers, layers that are none, or no object at all."""
    layers_of = next((name for name in thing if name.lower() == "layers"), "Layers") if isinstance(thing, dict) else ""
    wrong = random.choice(([], None, "Input", 3, [[]], [None], [{"N": 1}, 5], [[{"N": 1}]]))
    whole = random.choice(([], [thing], None, "Layers", 5, True))
    return {**thing, layers_of: wrong} if layers_of and random.random() < 0.7 else whole


def refused(random: Random, slot: Slot) -> str:
    """A word that DSSTNE has or names and nobody computes; else one that nobody knows."""
    assert isinstance(slot.key.type, Choice)
    options = [s for o in slot.key.type.options if o.reason for s in o.spellings]
    return cased(random, random.choice(options or ["Nothing"]))


def reasons(random: Random, holder: dict[str, Json], table: Table) -> None:
    """A key that people know from elsewhere."""
    others = [word for row in KEYS.get(table.what, ()) for word in row.words.split()]
    names = [*(name for name, _ in table.reasons), *others] or ["Comment", "$schema", "//", ""]
    holder[random.choice(names)] = random.choice((1, "a", True))


def two_natures(random: Random, holder: dict[str, Json], table: Table) -> None:
    """A layer of the Kind Pooling and of another Type, or, now and then, of that one."""
    if table is schema.LAYER:
        for name in [n for n in holder if n.lower() in ("kind", "type")]:
            del holder[name]
        holder["Kind"] = cased(random, "Pooling")
        holder["Type"] = cased(random, random.choice(("FullyConnected", "Convolution", "Pooling")))


def forget(random: Random, slot: Slot) -> None:
    """Leave a member out."""
    del slot.holder[slot.name]


def of(*kinds: type) -> Callable[[Key], bool]:
    """Whether a key takes values, or elements, of one of these types."""
    return lambda key: isinstance(leaf(key), kinds)


def _control(random: Random, slot: Slot) -> str:
    return "a" * random.randint(0, 3) + random.choice(CONTROL) + "b"


MISTAKES: dict[str, Mistake] = {
    "odd value": in_a_slot(put(lambda random, slot: copy.deepcopy(random.choice(ODD)))),
    "value of another key": in_a_slot(put(lambda random, slot: value(random, foreign(random, slot.table)))),
    "out of range": in_a_slot(put(beyond), of(Number)),
    "fraction": in_a_slot(put(lambda random, slot: random.choice((1.5, 3.000001, 0.5))), of(Number)),
    "number in quotes": in_a_slot(
        put(lambda random, slot: json.dumps(of_type(random, leaf(slot.key)))), of(Number, Flag)
    ),
    "number for a flag": in_a_slot(put(lambda random, slot: random.choice((0, 1, "true"))), of(Flag)),
    "refused word": in_a_slot(put(refused), lambda key: isinstance(key.type, Choice)),
    "mistyped word": in_a_slot(
        put(lambda random, slot: mistyped(random, str(slot.holder[slot.name]))),
        lambda key: isinstance(key.type, Choice) or (isinstance(key.type, Many) and key.type.word),
    ),
    "control character": in_a_slot(put(_control), of(Text)),
    "empty text": in_a_slot(put(lambda random, slot: ""), of(Text)),
    "long text": in_a_slot(put(lambda random, slot: random.choice("x😀") * random.choice((129, 4_096))), of(Text)),
    "long list": in_a_slot(put(long_list), lambda key: isinstance(key.type, Many)),
    "empty list": in_a_slot(put(lambda random, slot: []), lambda key: isinstance(key.type, Many)),
    "list for one": in_a_slot(put(lambda random, slot: [slot.holder[slot.name]])),
    "object for one": in_a_slot(put(lambda random, slot: {slot.name: slot.holder[slot.name]})),
    "mistyped key": in_a_slot(rename(lambda random, slot: mistyped(random, slot.name))),
    "two spellings": in_a_slot(twice, lambda key: len(key.spellings) > 1),
    "forgotten key": in_a_slot(forget, lambda key: key.required),
    "key of elsewhere": in_an_object(put_key(foreign)),
    "key of another kind": in_an_object(put_key(own)),
    "known from elsewhere": in_an_object(reasons),
    "two natures": in_an_object(two_natures),
    "step without a number": odd_step({"DataSet": "a"}),
    "number of another step": odd_step({"NORM": "l1", "n": 3}),
    "odd layers": odd_layers,
}
