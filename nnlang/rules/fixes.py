"""How findings are mended: each function gives a Fix for one finding, or None where the text around it forbids one."""

from __future__ import annotations

import json
import re

from nnlang import schema
from nnlang.diagnostics import Diagnostic
from nnlang.directives import IGNORE
from nnlang.network import LayerType
from nnlang.rules.members import comment_at, item_at, member_at, named, without
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source, Span
from nnlang.syntax import Node, StringNode

NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def place(d: Diagnostic) -> tuple[Source, Span, str]:
    """The source, span and text of a finding that stands in a text."""
    assert d.place is not None and d.place.source is not None and d.place.span is not None
    source, span = d.place.source, d.place.span
    return source, span, source.text[span.start : span.end]


def rename(d: Diagnostic, root: Node | None) -> Fix | None:
    """The nearest name of a layer; never safe, since it decides where numbers flow."""
    span, near = place(d)[1], str(d.facts.get("near") or "")
    if listed := str(d.facts.get("listed") or ""):
        text = listed if item_at(root, span) else f"[{listed}]"
        return Fix(f"write [{listed}]", (Edit(span, text),), safe=False)
    return Fix(f"use layer `{near}`", (Edit(span, _quoted(near)),), safe=False) if near else None


def canonical_key(d: Diagnostic, root: Node | None) -> Fix | None:
    """The name that the key has, in place of another spelling."""
    name = str(d.facts["name"])
    return Fix(f"write `{name}`", (Edit(place(d)[1], _quoted(name)),))


def documented_value(d: Diagnostic, root: Node | None) -> Fix | None:
    """The word that DSSTNE's parser takes, in place of its documents' word."""
    span = place(d)[1]
    found = member_at(root, span)
    if found is None or not isinstance(found[1].value, StringNode):
        return None
    if found[1].name.value.lower() != "kind":
        word = found[1].value.value
        options = (o for c in _CHOICES if (o := c.find(word)) and word.lower() in _low(o.documented))
        option = next(options, None)
        return Fix(f"write `{option.spelling}`", (Edit(span, _quoted(option.spelling)),)) if option else None
    typed = named(found[0], "type")
    if typed is None:
        return Fix('write "Hidden", "Type": "Pooling"', (Edit(span, '"Hidden", "Type": "Pooling"'),))
    word = typed.value.value if isinstance(typed.value, StringNode) else ""
    option = schema.LAYER_TYPE.find(word)
    if option is None or option.value is not LayerType.POOLING:
        return None
    edits = (Edit(span, '"Hidden"'), Edit(typed.value.span, '"Pooling"'))
    return Fix('write "Hidden", and "Pooling" as its Type', edits)


_CHOICES = (schema.LAYER_TYPE, schema.ERROR_FUNCTION, schema.ACTIVATION, schema.POOLING)


def _low(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


def unquote(d: Diagnostic, root: Node | None) -> Fix | None:
    """A number or a boolean without the quotes around it."""
    _, span, text = place(d)
    inside = text[1:-1]
    if not text.startswith('"') or not (NUMBER.fullmatch(inside) or inside in ("true", "false")):
        return None
    return Fix(f"write {inside} without quotes", (Edit(span, inside),))


def unquote_where_told(d: Diagnostic, root: Node | None) -> Fix | None:
    """The same, where the finding says that a bare value is what is wanted here."""
    return unquote(d, root) if d.remedy.endswith("without quotes") else None


def boolean_penalty(d: Diagnostic, root: Node | None) -> Fix | None:
    """`Sparse` in place of a boolean SparsenessPenalty, unless the layer has both."""
    _, span, text = place(d)
    found = member_at(root, span)
    if found is None or named(found[0], "sparse"):
        return None
    return Fix(f'write "Sparse": {text}', (Edit(found[1].span, f'"Sparse": {text}'),))


def remove_key(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without the key that has no effect, its value and one comma."""
    source, span, _ = place(d)
    found = member_at(root, span)
    if found is None:
        return None
    members = found[0].members
    edit = without(source, [m.span for m in members], members.index(found[1]))
    return Fix(f"remove `{found[1].name.value}`", (edit,))


def remove_key_unsafely(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without the key, though it meant something."""
    fix = remove_key(d, root)
    return fix and Fix(fix.title, fix.edits, safe=False)


def remove_repeated(d: Diagnostic, root: Node | None) -> Fix | None:
    """A list without the name that it holds twice; unsafe, since another name may have been meant."""
    source, span, text = place(d)
    found = item_at(root, span)
    if found is None:
        return None
    edit = without(source, [item.span for item in found[0].items], found[1])
    return Fix(f"name {text} once", (edit,), safe=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_LINE_END = re.compile(r"\r?\n")


def unsuppress(d: Diagnostic, root: Node | None) -> Fix | None:
    """A comment without the code that it suppresses for nothing; without the comment where that was all it named."""
    source, span, word = place(d)
    held = comment_at(source, root, span)
    found = IGNORE.search(source.text, held.start, held.end) if held else None
    if held is None or found is None or not found.start(2) <= span.start < found.end(2):
        return None
    left = [w.strip() for w in found[2].split(",") if w.strip() != word]
    if left:
        return Fix(f"leave out {word}", (Edit(Span(*found.span(2)), ", ".join(left)),))
    if source.text.startswith("/*", held.start):
        return None
    begin = source.text.rfind("\n", 0, held.start) + 1
    before = source.text[begin : held.start].rstrip(" \t")
    line_end = None if before else _LINE_END.match(source.text, held.end)
    end = line_end.end() if line_end else held.end
    return Fix("remove the comment", (Edit(Span(begin + len(before), end), ""),))
