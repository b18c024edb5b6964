"""How layers are mended (NN3 to NN6): sizes, shared weights, numbers that are better written than left to defaults."""

from __future__ import annotations

import json
from collections.abc import Callable

from nnlang.diagnostics import Diagnostic
from nnlang.rules.fixes import place, remove_key, remove_key_unsafely
from nnlang.rules.members import beside, item_at, member_at, named, object_at, without
from nnlang.rules.rule import Edit, Fix
from nnlang.syntax import Node


def auto_size(d: Diagnostic, root: Node | None) -> Fix | None:
    """`"N": "auto"` for an Input or Output layer without a size; DSSTNE took it for one unit."""
    layer = object_at(root, place(d)[1])
    if layer is None or not layer.members or '"auto"' not in d.remedy or named(layer, "n"):
        return None
    head = named(layer, "name", "kind") or layer.members[-1]
    return Fix('write "N": "auto"', (beside(head, '"N": "auto"'),), safe=False)


def take_size(d: Diagnostic, root: Node | None) -> Fix | None:
    """`"auto"` in place of a size that its data set contradicts."""
    found = member_at(root, place(d)[1])
    if found is None or found[1].name.value.lower() != "n" or named(found[0], "type"):
        return None
    return Fix('write "N": "auto"', (Edit(found[1].value.span, '"auto"'),), safe=False)


def take_data(d: Diagnostic, root: Node | None) -> Fix | None:
    """The nearest name of a data set at hand."""
    near = str(d.facts.get("near") or "")
    words = json.dumps(near, ensure_ascii=False)
    return Fix(f"use data set `{near}`", (Edit(place(d)[1], words),), safe=False) if near else None


def feature_maps(d: Diagnostic, root: Node | None) -> Fix | None:
    """The last size of a list, which are the feature maps, in place of the list."""
    maps = str(d.facts["maps"])
    return Fix(f'write "N": {maps}', (Edit(place(d)[1], maps),), safe=False)


def transpose(d: Diagnostic, root: Node | None) -> Fix | None:
    """Shared weights the other way round, where only that fits."""
    turn, entry = str(d.facts["turn"]), object_at(root, place(d)[1])
    if not turn or entry is None:
        return None
    written = named(entry, "transposed", "transpose")
    text = f'"Transposed": {turn}'
    edit = Edit(written.value.span, turn) if written else beside(entry.members[-1], text)
    return Fix(f"write {text}", (edit,), safe=False)


def owner(d: Diagnostic, root: Node | None) -> Fix | None:
    """The weights at the end of a chain of shared ones; they are the same matrix, unless the chain turns it."""
    source, target = str(d.facts["owner_source"]), str(d.facts["owner_target"])
    entry = object_at(root, place(d)[1])
    if entry is None or not source or d.facts.get("turned"):
        return None
    values = ((named(entry, "sourceinputlayer"), source), (named(entry, "sourceoutputlayer"), target))
    edits = tuple(Edit(m.value.span, json.dumps(name, ensure_ascii=False)) for m, name in values if m)
    return Fix(f"share the weights from `{source}` to `{target}`", edits, safe=False)


def remove_entry(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without one entry of SharedWeights; without the key where it is the only one."""
    source, span, _ = place(d)
    entry = object_at(root, span)
    if entry is None:
        return None
    listed = item_at(root, entry.span)
    if listed is not None and len(listed[0].items) > 1:
        edit = without(source, [item.span for item in listed[0].items], listed[1])
        return Fix("remove this entry", (edit,), safe=False)
    held = member_at(root, listed[0].span if listed else entry.span)
    if held is None:
        return None
    members = held[0].members
    edit = without(source, [m.span for m in members], members.index(held[1]))
    return Fix(f"remove `{held[1].name.value}`", (edit,), safe=False)


def remove_idle(d: Diagnostic, root: Node | None) -> Fix | None:
    """Without a key that has no effect.

    Unsafe for a Type, which decides which keys a layer may have, and where what would give the key its effect was left
    out: a ReluSlope without an Activation shows that LRelu was meant.
    """
    fix = remove_key(d, root)
    return fix and Fix(fix.title, fix.edits, safe=d.facts["key"] != "Type" and bool(d.facts["decided"]))


def take_effect(d: Diagnostic, root: Node | None) -> Fix | None:
    """The ErrorFunction whose parameters are written, where there is none; else without the parameters. Never safe."""
    found, function = member_at(root, place(d)[1]), str(d.facts.get("add") or "")
    if found is None or not function:
        return remove_key_unsafely(d, root)
    text = f'"ErrorFunction": "{function}"'
    return Fix(f"write {text}", (beside(found[1], text),), safe=False)


def written_out(key: str, value: str) -> Callable[[Diagnostic, Node | None], Fix | None]:
    """Writes the number that a layer computes with, so that it computes the same in DSSTNE."""

    def fix(d: Diagnostic, root: Node | None) -> Fix | None:
        found = member_at(root, place(d)[1])
        return found and Fix(f'write "{key}": {value}', (beside(found[1], f'"{key}": {value}'),))

    return fix
