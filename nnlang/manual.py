"""The manual: what there is to say about a key, a value or a code, as data and as Markdown; nothing but tables is read.

`look_up` finds everything that a word means; `hover_key`, `hover_value` and `hover_code` are what editors show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Literal

from nnlang import rules
from nnlang.codes import catalogue
from nnlang.diagnostics import Code
from nnlang.rules.rule import FAMILIES, Example
from nnlang.schema import (
    DEFINITION,
    JOB,
    LAYER,
    PREDICTION,
    SWEEP_TABLES,
    TABLES,
    Choice,
    Key,
    Layers,
    Many,
    Option,
    Table,
    fold,
)
from nnlang.schema.describe import (
    NOT_COMPUTED,
    choice,
    defaults,
    facts,
    inner,
    option_words,
    place,
    status_words,
    written,
)
from nnlang.schema.examples import example
from nnlang.schema.foreign import Foreign, foreign_key, foreign_value, foreign_words

EVERY_TABLE = (*TABLES, JOB, PREDICTION, *SWEEP_TABLES)
_LIST = next(key for key in DEFINITION.keys if isinstance(key.type, Layers))
_CODE = re.compile(r"NN\d{0,3}", re.IGNORECASE)
_BEGINS_WITH_A_WORD = re.compile(r"[a-z]{2,}[ ,]")  # and not with a formula
_TABLE_NAMES: Mapping[str, str] = {"a definition": "definition", "a layer": "layer", "a job": "job", "a sweep": "sweep"}


@dataclass(frozen=True)
class Entry:
    """One article. `where` is where the word stands; `rows` are the values or keys inside, or the codes of a family."""

    kind: Literal["key", "value", "code", "family", "refused", "foreign", "table"]
    name: str
    where: str
    words: str
    facts: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    rows_title: str = ""
    examples: tuple[tuple[str, str], ...] = ()  # heading and text


def look_up(word: str) -> tuple[Entry, ...]:
    """Every article on a word: a code or the start of one, the name of a rule, a key, a value, `Table.Key`."""
    if _CODE.fullmatch(word):
        return tuple(_coded(word.upper()))
    home, _, name = word.rpartition(".")
    found = [key_entry(table, key) for table, key in _keys(name) if not home or _is_table(table, home)]
    found += [value_entry(key, option) for key, option in _options(name) if not home or _is_key(key, home)]
    found += [_word_entry(table, key) for table, key in _words_for(name) if not home or _is_key(key, home)]
    if not home:
        found += [_refused(table, other, reason) for table, other, reason in _reasons(name)]
        known = {entry.kind for entry in found}
        found += (entry for kind, entry in _foreign(name) if not known or (kind == "key" and "key" not in known))
        found += [table_entry(table) for table in EVERY_TABLE if fold(name) == _TABLE_NAMES.get(table.what)]
        found += [code_entry(row) for row in catalogue().values() if row.name == fold(name)]
    return tuple(found)


def words() -> Iterator[str]:
    """Every word that `look_up` knows, for did-you-mean."""
    for table in EVERY_TABLE:
        yield from table.spellings()
        yield from (name for name, _ in table.reasons)
        for key in table.keys:
            yield from (s for option in _options_of(key) for s in option.spellings)
    yield from foreign_words()
    yield from catalogue()
    yield from (row.name for row in catalogue().values())


def overview() -> tuple[Entry, ...]:
    """The whole at a glance: an article for every table, with its keys, then one for the families of codes."""
    families = tuple((f"{prefix}xx", name) for prefix, name in FAMILIES.items())
    codes = Entry("family", "codes", "findings of `nnlang lint` and errors", "", rows=families, rows_title="families")
    return (*map(table_entry, EVERY_TABLE), codes)


# Keys and values


def key_entry(table: Table, key: Key) -> Entry:
    """The article on a key of a table."""
    usual = defaults(table, "definition").get(key.field)
    in_job = defaults(table, "job").get(key.field)
    told = tuple(facts(key, usual))
    if in_job != usual:
        told = (*told, ("default in a job file", written(in_job)))
    if refused := [option.spelling for option in _options_of(key) if option.reason]:
        told = (*told, ("refused", f"{', '.join(refused)}; `nnlang explain {refused[0]}` says why"))
    rows, title = _inside(key)
    return Entry(
        "key",
        key.name,
        f"a key of {place(table)}",
        key.words,
        told,
        rows,
        title,
        (("example", example(table, key)),),
    )


def _inside(key: Key) -> tuple[tuple[tuple[str, str], ...], str]:
    """What stands inside a value: the words of an enumeration, or the keys of an object."""
    if options := [option for option in _options_of(key) if not option.reason]:
        return tuple((option.spelling, option_words(option)) for option in options), "values"
    table = LAYER if key is _LIST else inner(key)
    return (tuple((k.name, k.words) for k in table.keys), "keys") if table else ((), "")


def value_entry(key: Key, option: Option) -> Entry:
    """The article on a value of an enumeration."""
    table = next(table for table in EVERY_TABLE if key in table.keys)
    meaning = option.words or option.reason
    told = [("supported", "no")] if option.reason else []
    if option.aliases:
        told.append(("also written", ", ".join(option.aliases)))
    if option.documented:
        told.append(("in DSSTNE's documents", ", ".join(option.documented) + " (read with a warning)"))
    if status := status_words(option.status):
        told.append(("DSSTNE", status))
    if not option.computed:
        told.append(("computed", NOT_COMPUTED))
    shown = () if option.reason else (("example", example(table, key, f'"{option.spelling}"')),)
    return Entry("value", option.spelling, _value_of(table, key), _sentence(meaning), tuple(told), examples=shown)


def _word_entry(table: Table, key: Key) -> Entry:
    """The article on a word that may stand in place of numbers."""
    word = key.type.word if isinstance(key.type, Many) else ""
    shown = (("example", example(table, key, f'"{word}"')),)
    return Entry("value", word, _value_of(table, key), key.words, examples=shown)


def _value_of(table: Table, key: Key) -> str:
    return f"a value of {key.name}, a key of {place(table)}"


def table_entry(table: Table) -> Entry:
    """The article on a table: its keys."""
    rows = tuple((key.name, key.words) for key in table.keys)
    return Entry("table", place(table), "", "", rows=rows, rows_title="keys")


def _refused(table: Table, name: str, reason: str) -> Entry:
    return Entry("refused", name, f"not a key of {place(table)}", _sentence(reason))


def _foreign(word: str) -> Iterator[tuple[str, Entry]]:
    """What a name that other tools give to a "key" or a "value" is called here, or why there is no such thing."""
    for table in EVERY_TABLE:
        if table.find(word) is None and (row := foreign_key(table, word)):
            yield "key", _foreign_entry(word, f"a key of {place(table)}", row)
    for key in dict.fromkeys(key for table in EVERY_TABLE for key in table.keys if choice(key)):
        kind = choice(key)
        if kind and kind.find(word) is None and (row := foreign_value(kind, word)):
            yield "value", _foreign_entry(word, f"a value of {key.name}", row)


def _foreign_entry(word: str, what: str, row: Foreign) -> Entry:
    more = f"; `nnlang explain {row.called}` says more" if row.called else ""
    said = row.help if row.called else f"there is no such thing: {row.note}"
    return Entry("foreign", word, f"in other tools; here {what}", _sentence(said + more))


def _sentence(text: str) -> str:
    """Words of a table as a sentence; a formula keeps its letter case."""
    begun = text[:1].upper() + text[1:] if _BEGINS_WITH_A_WORD.match(text) else text
    return begun if begun.endswith(".") else f"{begun}."


def _keys(word: str) -> Iterator[tuple[Table, Key]]:
    """A key in every table that has it, what a word in any spelling and letter case stands for."""
    found = ((table, table.find(word)) for table in EVERY_TABLE)
    yield from ((table, key) for table, key in found if key is not None)


def _options(word: str) -> Iterator[tuple[Key, Option]]:
    """A value in every key that takes it."""
    for table in EVERY_TABLE:
        for key in table.keys:
            kind = choice(key)
            option = kind.find(word) if kind else None
            if option is not None:
                yield key, option


def _words_for(word: str) -> Iterator[tuple[Table, Key]]:
    """Every key that takes this word in place of its values, such as "auto"."""
    for table in EVERY_TABLE:
        yield from ((table, k) for k in table.keys if isinstance(k.type, Many) and fold(word) == k.type.word != "")


def _options_of(key: Key) -> tuple[Option, ...]:
    return key.type.options if isinstance(key.type, Choice) else ()


def _reasons(word: str) -> Iterator[tuple[Table, str, str]]:
    for table in EVERY_TABLE:
        yield from ((table, name, reason) for name, reason in table.reasons if fold(name) == fold(word))


def _is_table(table: Table, home: str) -> bool:
    """Whether `Layers`, `WeightInit` or `Layers.WeightInit` means this table."""
    last = fold(home.rpartition(".")[2])
    holders = (key for other in EVERY_TABLE for key in other.keys if inner(key) is table)
    names = {fold(spelling) for key in holders for spelling in key.spellings}
    return last in names or last == _TABLE_NAMES.get(table.what) or (table is LAYER and last == fold(_LIST.name))


def _is_key(key: Key, home: str) -> bool:
    """Whether `Activation` or `Layers.Activation` means this key."""
    return fold(home.rpartition(".")[2]) in map(fold, key.spellings)


# Codes


def _coded(prefix: str) -> Iterator[Entry]:
    if prefix in catalogue():
        yield code_entry(catalogue()[prefix])
        return
    found = (row for code, row in catalogue().items() if code.startswith(prefix))
    rows = tuple((row.code, f"{row.name}: {readable(row.message)}") for row in found)
    if rows:
        words = ", ".join(name for family, name in FAMILIES.items() if prefix.startswith(family))
        yield Entry("family", prefix, "codes", _sentence(words) if words else "", rows=rows, rows_title="codes")


def code_entry(row: Code) -> Entry:
    """The article on a code: what the rule says of it where there is one, else the catalogue's words alone."""
    why, told, shown = _of_rule(row.code)
    if row.help:
        told = (("help", readable(row.help)), *told)
    family = next((name for prefix, name in FAMILIES.items() if row.code.startswith(prefix)), "")
    said = (("message", readable(row.message)), ("severity", row.severity))
    return Entry("code", f"{row.code} {row.name}", family, why, (*said, *told), examples=shown)


def _of_rule(code: str) -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The paragraph of a lint rule, what else there is to say, and its examples; nothing where no rule has the code."""
    rule = rules.RULES.get(code)
    if rule is None:
        return "", (), ()
    told = []
    if not rule.default:
        told.append(("on by default", f"no; choose it with --extend-select {code}"))
    if rule.fix is not None:
        flags = "--fix" if rule.safe else "--fix --unsafe-fixes"
        told.append(("fix", f"`nnlang lint {flags}` can mend it"))
    examples = (("instead of", rule.bad), ("write", rule.good))
    return rule.why, tuple(told), tuple((_told_with(words, e), e.shown) for words, e in examples)


def _told_with(words: str, example: Example) -> str:
    """What is said before an example, with what is known beside it."""
    return f"{words} (with {example.known})" if example.known else words


def readable(template: str) -> str:
    """A template of the catalogue with placeholders that people read: layer `<name>` is not defined."""
    parts = Formatter().parse(template)
    return "".join(text + (f"<{name}>" if name is not None else "") for text, name, _, _ in parts)


# Markdown


def hover_key(table: Table, key: Key) -> str:
    """What an editor shows beside a key."""
    return markdown(key_entry(table, key))


def hover_value(key: Key, option: Option) -> str:
    """What an editor shows beside a value of an enumeration."""
    return markdown(value_entry(key, option))


def hover_code(code: str) -> str:
    """What an editor shows beside a finding; empty for a code that there is none of."""
    return markdown(code_entry(catalogue()[code])) if code in catalogue() else ""


def markdown(entry: Entry) -> str:
    """An article as Markdown: heading, meaning, facts, what is inside, examples."""
    blocks = [f"**{entry.name}** ({entry.where})" if entry.where else f"**{entry.name}**", _plain(entry.words)]
    blocks.append("\n".join(f"- {heading}: {_plain(text)}" for heading, text in entry.facts))
    blocks.append(_listed(entry.rows))
    blocks.extend(f"{heading}:\n\n```json\n{text}\n```" for heading, text in entry.examples)
    return "\n\n".join(block for block in blocks if block)


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- `{name}`: {_plain(words)}" for name, words in rows)


def _plain(text: str) -> str:
    """Words whose signs Markdown would take for its own; what stands in backquotes is left alone."""
    pieces = text.split("`")
    return "`".join(re.sub(r"([*_<>\[\]|\\])", r"\\\1", p) if n % 2 == 0 else p for n, p in enumerate(pieces))
