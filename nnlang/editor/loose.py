"""A tree of any text, however broken: what people have typed so far, with the brackets that they have yet to close.

The reader (nnlang/syntax.py) says what is wrong with a text; this says what it most likely is about, and never fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nnlang.source import Span
from nnlang.syntax import unescape

# As in the grammar: a string that is not closed leaves the commas and brackets at the end of its line to the line. At
# the end of the text all belongs to it: there somebody is typing. What repeats never gives back what it took (`*+`), so
# no text takes more than one look at each of its characters.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\ufeff]++)
      | (?P<comment>//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|\#[^\r\n]*+)
      | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*+"|'[^'\r\n]*+')
      | (?P<open>["'](?:[^\\\r\n]|\\[^\r\n])*+\\?\Z|["'](?:[^\r\n,\]} \t]|[,\]} \t]++(?=[^\r\n]))*+)
      | (?P<word>[^ \t\r\n{}\[\],:"'/\#\ufeff]++|/)
      | (?P<sign>[{}\[\],:])""",
    re.VERBOSE,
)


@dataclass(slots=True)
class Word:
    """A string, a number, a literal, or whatever stands where one of them would; `text` as it is written."""

    text: str
    span: Span
    closed: bool = True  # a string has both its quotes

    @property
    def value(self) -> str:
        """What a string says, without its quotes."""
        if self.text[:1] not in ('"', "'"):
            return self.text
        return unescape(self.text[1:-1] if self.closed else self.text[1:])


@dataclass(slots=True)
class Pair:
    """One member of an object, as far as it is written."""

    key: Word
    colon: int | None = None
    value: Word | Group | None = None
    over: bool = False  # a comma has come


@dataclass(slots=True)
class Group:
    """An object or a list. `key` is the name under which it stands in its holder, empty in a list."""

    is_object: bool
    start: int
    end: int  # where it ends, or where something else made an end of it
    holder: Group | None = None
    key: str = ""
    closed: bool = False
    pairs: list[Pair] = field(default_factory=list)
    items: list[Word | Group] = field(default_factory=list)

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    def words(self) -> Iterator[Word]:
        """The words of a list."""
        yield from (item for item in self.items if isinstance(item, Word))

    def get(self, *keys: str) -> Word | Group | None:
        """The value of the first member that has one of these names, in any letter case."""
        wanted = {key.lower() for key in keys}
        return next((p.value for p in self.pairs if p.key.value.lower() in wanted), None)


@dataclass(slots=True)
class Tree:
    """A text's groups by where they start, those still open at its end, its comments, and what its last token was."""

    text: str
    root: Group | None = None
    groups: dict[int, Group] = field(default_factory=dict)
    open: list[Group] = field(default_factory=list)
    depths: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})  # of objects, of lists
    comments: list[Span] = field(default_factory=list)
    last: str = ""  # the kind of the last token that is no space: a sign, "key", "value", "item", "end", "comment"
    before: str = ""  # the same of the last one that is no comment either
    end: int = 0  # where the last one of these ends
    final: Word | None = None  # the last word


def grow(text: str) -> Tree:
    """The tree of a text."""
    tree = Tree(text)
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "space":
            continue
        tree.last = "comment"
        if kind == "comment":
            tree.comments.append(Span(*found.span()))
        elif kind == "sign":
            _sign(tree, found[0], found.start())
            tree.last, tree.end = tree.before, found.end()
        else:
            _word(tree, Word(found[0], Span(*found.span()), kind != "open"))
            tree.last, tree.end = tree.before, found.end()
    for group in tree.open:
        group.end = len(text)
    return tree


def _sign(tree: Tree, sign: str, place: int) -> None:
    here = tree.open[-1] if tree.open else None
    last = here.pairs[-1] if here is not None and here.is_object and here.pairs else None
    if sign in "{[":
        _opened(tree, Group(sign == "{", place, place + 1))
    elif sign in "}]":
        _closed(tree, sign == "}", place)
        sign = "end"
    elif last is not None and here is not None:
        _parted(here, last, sign, place, tree.before)
    tree.before = sign


def _parted(here: Group, last: Pair, sign: str, place: int, before: str) -> None:
    """A comma or a colon after the last member of an object; what was taken for a value may have been the next key."""
    if sign == ",":
        last.over = True
    elif last.colon is None:
        last.colon = place
    elif before == "value" and isinstance(last.value, Word):
        here.pairs.append(Pair(last.value, place))
        last.value = None


def _opened(tree: Tree, group: Group) -> None:
    """An object where a key should stand, in an object of a list, is the next one of the list."""
    tree.groups[group.start] = group
    here = tree.open[-1] if tree.open else None
    home = here.holder if here is not None else None
    in_list = home is not None and not home.is_object
    if here is not None and in_list and here.is_object and group.is_object and not _awaits(here):
        here.end = group.start
        _pop(tree)
        here = home
    group.holder = here
    if here is None:
        tree.root = tree.root or group
    elif not here.is_object:
        here.items.append(group)
    elif _awaits(here):
        here.pairs[-1].value = group
        group.key = here.pairs[-1].key.value
    tree.open.append(group)
    tree.depths[group.is_object] += 1


def _pop(tree: Tree) -> Group:
    group = tree.open.pop()
    tree.depths[group.is_object] -= 1
    return group


def _awaits(here: Group) -> bool:
    """Whether the last member of an object has no value yet, but a colon."""
    last = here.pairs[-1] if here.pairs else None
    return last is not None and last.colon is not None and last.value is None and not last.over


def _closed(tree: Tree, is_object: bool, place: int) -> None:
    """Close the innermost group of this kind, and with it what was left open inside; a stray bracket closes nothing."""
    if not tree.depths[is_object]:
        return
    while tree.open:
        group = _pop(tree)
        group.closed = group.is_object == is_object
        group.end = place + group.closed
        if group.closed:
            return


def _word(tree: Tree, word: Word) -> None:
    tree.final = word
    here = tree.open[-1] if tree.open else None
    tree.before = "value"
    if here is None:
        return
    if not here.is_object:
        here.items.append(word)
        tree.before = "item"
    elif _awaits(here):
        here.pairs[-1].value = word
    else:
        here.pairs.append(Pair(word))
        tree.before = "key"


def following(text: str, offset: int) -> str:
    """The next character that is neither space nor in a comment; empty at the end of the text."""
    while found := _TOKEN.match(text, offset):
        if found.lastgroup not in ("space", "comment"):
            return found[0][0]
        offset = found.end()
    return ""
