"""What a row of the language's table consists of: a key, and the kind of value that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

FLOAT_MAX = 3.4028234663852886e38  # the largest float32
INT_MAX = 2**31 - 1


def fold(word: str) -> str:
    """The word in small letters; one with letters beyond ASCII as it is (the Kelvin sign is no k)."""
    return word.lower() if word.isascii() else word


class Status(Enum):
    """What DSSTNE made of a key or value (dsstne.md, top)."""

    IMPLEMENTED = "works in DSSTNE"
    PARSED = "read by DSSTNE, without effect there"
    DOCUMENTED = "in DSSTNE's documents, refused by its parser"
    OURS = "not in DSSTNE's definitions"


@dataclass(frozen=True)
class Text:
    """A string: a name, or a path."""

    what: str = "a text"
    empty: bool = False  # whether "" is allowed
    name: bool = True  # names are shorter than other texts


@dataclass(frozen=True)
class Flag:
    """`true` or `false`."""


@dataclass(frozen=True)
class Number:
    """A finite 32-bit float in [low, high], or in [low, high) where `below` is set."""

    low: float = -FLOAT_MAX
    high: float = FLOAT_MAX
    below: bool = False
    integer: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies in the range."""
        return self.low <= value and (value < self.high if self.below else value <= self.high)


@dataclass(frozen=True)
class Option:
    """One value of an enumeration. `reason` says why it is refused; empty means that it is accepted."""

    spelling: str
    value: object
    words: str = ""
    aliases: tuple[str, ...] = ()
    documented: tuple[str, ...] = ()  # spellings that only DSSTNE's documents know
    status: Status = Status.IMPLEMENTED
    reason: str = ""
    computed: bool = True  # False: understood and checked, but no kernel computes it yet

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.spelling, *self.aliases, *self.documented)


@dataclass(frozen=True)
class Choice:
    """One word out of a few, in any letter case."""

    what: str
    options: tuple[Option, ...]

    def find(self, word: str) -> Option | None:
        """The option that a word in any letter case stands for."""
        return self._by_word.get(fold(word))

    @cached_property
    def _by_word(self) -> Mapping[str, Option]:
        return {s.lower(): o for o in reversed(self.options) for s in o.spellings}  # the first of two counts

    @property
    def accepted(self) -> tuple[Option, ...]:
        return tuple(o for o in self.options if not o.reason)

    def spellings(self) -> tuple[str, ...]:
        """Every spelling that may be suggested."""
        return tuple(s for o in self.accepted for s in o.spellings)


@dataclass(frozen=True)
class Many:
    """One value, or an array of them: at most `most`, or as many as `syntax.Limits.sources` allows."""

    of: Text | Number | Record
    most: int | None = None
    word: str = ""  # a word that may stand in place of the values, such as "auto"
    empty: bool = False  # whether `[]` is allowed


@dataclass(frozen=True)
class Record:
    """An object with the keys of one table."""

    table: Table


@dataclass(frozen=True)
class Layers:
    """The list of layers, or one layer."""


@dataclass(frozen=True)
class Tree:
    """A JSON value of some forms, read on by whoever knows what stands in it; `inside`: of objects under any key."""

    what: str
    forms: tuple[str, ...]  # such as "an object", "a list", "a string"
    inside: Table | None = None


ValueType = Text | Flag | Number | Choice | Many | Record | Layers | Tree


@dataclass(frozen=True)
class Key:
    """One row of the language: its spellings, its type, its default, where it stands and what it means."""

    name: str
    field: str  # of the dataclass in nnlang.ast
    type: ValueType
    words: str
    default: object = None  # None: nothing stands for it
    aliases: tuple[str, ...] = ()
    documented: tuple[str, ...] = ()  # spellings that only DSSTNE's documents know
    status: Status = Status.IMPLEMENTED
    required: bool = False
    kinds: str = "IHOT"  # layer kinds that take it, by their first letters; layers only
    types: str = "FCP"  # layer types that take it, likewise
    spare: str = ""  # "bool", "string": a documented type of value that is read too (decode says how)
    pattern: str = ""  # of the strings that are read, where `spare` is "string"
    computed: bool = True  # False: of layers that are understood and checked, but that no kernel computes yet

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.aliases, *self.documented)


@dataclass(frozen=True)
class Table:
    """The keys of one kind of object. `reasons` holds keys that people know from elsewhere and why they are refused."""

    what: str
    keys: tuple[Key, ...]
    reasons: tuple[tuple[str, str], ...] = ()

    def find(self, word: str) -> Key | None:
        """The key that a word in any letter case stands for."""
        return self._by_word.get(fold(word))

    @cached_property
    def _by_word(self) -> Mapping[str, Key]:
        return {s.lower(): k for k in reversed(self.keys) for s in k.spellings}  # the first of two counts

    def reason(self, word: str) -> str:
        """Why a well-known key is refused here; empty where it is not known."""
        return next((why for name, why in self.reasons if name.lower() == word.lower()), "")

    def spellings(self) -> Iterator[str]:
        """Every spelling of every key."""
        for key in self.keys:
            yield from key.spellings

    def default(self, field: str) -> object:
        """The default of one field: the one place where defaults are written."""
        return next(key.default for key in self.keys if key.field == field)


def expects(kind: ValueType) -> str:
    """What a value of this type looks like, in words that follow "takes" or "write"."""
    match kind:
        case Text():
            return f"{kind.what} in double quotes"
        case Flag():
            return "true or false"
        case Number():
            return _range(kind)
        case Choice():
            return "one of " + ", ".join(o.spelling for o in kind.accepted)
        case Many(of, most, word=word):
            return expects(of) + _listed(most) + (f', or "{word}"' if word else "")
        case Record(table):
            return "an object with " + ", ".join(key.name for key in table.keys)
        case Tree(what):
            return what
    return "a list of layers"


def _listed(most: int | None) -> str:
    return ", or a list of them" if most is None else f", or a list of at most {most}"


def _range(number: Number) -> str:
    noun = "an integer" if number.integer else "a number"
    low = None if number.low == -FLOAT_MAX else f"{number.low:g}"
    high = None if number.high in (FLOAT_MAX, INT_MAX, 2**63 - 1) else f"{number.high:g}"
    if low is None:
        return noun
    if high is None:
        return f"{noun}, {low} or more"
    return f"{noun} from {low} to below {high}" if number.below else f"{noun} from {low} to {high}"
