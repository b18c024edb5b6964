"""How findings about keys and values are mended (NN2): from the finding and the tree of the text."""

from __future__ import annotations

import json
import unicodedata

from nnlang import schema
from nnlang.diagnostics import Diagnostic
from nnlang.rules.fixes import place, remove_key, remove_key_unsafely, unquote_where_told
from nnlang.rules.members import member_at
from nnlang.rules.rule import Edit, Fix
from nnlang.schema import Table
from nnlang.schema.foreign import foreign_key
from nnlang.syntax import Node

_MEMBERS = 200  # of an object; more than any table has keys, so what a longer one means is not for a fix to say
_TABLES = {table.what: table for table in (*schema.TABLES, schema.JOB, schema.PREDICTION, *schema.SWEEP_TABLES)}


def respell(d: Diagnostic, root: Node | None) -> Fix | None:
    """The nearest key in place of one that is not known; safe where it is one slip away and no other key is.

    None where the object has that key already: which of the two counts is not for us to say.
    """
    near = str(d.facts.get("near") or "")
    table = _TABLES.get(str(d.facts["what"]))
    if not near or table is None or _has(d, root, table, near):
        return None
    return Fix(f"write `{near}`", (Edit(place(d)[1], json.dumps(near)),), safe=bool(d.facts.get("sure")))


def _has(d: Diagnostic, root: Node | None, table: Table, name: str) -> bool:
    """Whether the object that holds a finding's key has another key already, in any spelling, or by a foreign name."""
    found = member_at(root, place(d)[1])
    key = table.find(name)
    if found is None or len(found[0].members) > _MEMBERS:
        return True
    others = [m.name.value for m in found[0].members if m is not found[1]]
    foreign = (row.called for word in others if (row := foreign_key(table, word)) and row.called)
    return any(table.find(word) is key for word in (*others, *foreign))


def remove_second(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without a key that is written twice, where both say the same; which of two values is meant nobody can know."""
    source, span, _ = place(d)
    found = member_at(root, span)
    first = (
        next((m for m in found[0].members if _position(d, m.name.span.start) == d.facts["first"]), None)
        if found
        else None
    )
    if found is None or first is None:
        return None
    values = {source.text[m.value.span.start : m.value.span.end] for m in (found[1], first)}
    return remove_key(d, root) if len(values) == 1 else None


def _position(d: Diagnostic, start: int) -> str:
    return "{}:{}".format(*place(d)[0].position(start))


def respell_value(d: Diagnostic, root: Node | None) -> Fix | None:
    """The nearest word of an enumeration, safe where it is one slip away and no other is; or a number unquoted."""
    bare, near = unquote_where_told(d, root), str(d.facts.get("near") or "")
    if bare is not None or not near:
        return bare
    return Fix(f'write "{near}"', (Edit(place(d)[1], json.dumps(near)),), safe=bool(d.facts.get("sure")))


def remove_controls(d: Diagnostic, root: Node | None) -> Fix | None:
    """A text without its control characters; None where nothing is left of it."""
    _, span, text = place(d)
    left = "".join(c for c in json.loads(text) if unicodedata.category(c) != "Cc")
    if not left.strip():
        return None
    return Fix("remove the control characters", (Edit(span, json.dumps(left, ensure_ascii=False)),), safe=False)


def remove_empty(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without a key whose list or text is empty, so that its default holds; None for keys that have to be there."""
    found = member_at(root, place(d)[1])
    if found is None:
        return None
    key = found[1].name.value
    if any((row := table.find(key)) and row.required for table in _TABLES.values()):
        return None
    return remove_key_unsafely(d, root)
