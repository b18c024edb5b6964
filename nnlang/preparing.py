"""What `Preparation` means: its steps checked against each other and the layers, and what they make of data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nnlang import ast
from nnlang.codes import keys as key_codes
from nnlang.codes import names as codes
from nnlang.diagnostics import Report, at
from nnlang.network import DataFacts, Kind, Preparation
from nnlang.schema.preparation import OWN, STEPS, keys, spelling, takers
from nnlang.schema.types import expects, fold
from nnlang.source import Span
from nnlang.suggest import did_you_mean
from nnlang.syntax import ObjectNode

if TYPE_CHECKING:
    from nnlang.topology import Topology

_PLAIN = ("name", "least", "norm", "n", "users", "items")  # fields whose written values are taken as they are


def check_step(values: Mapping[str, Any], node: ObjectNode, fault: Callable[..., None]) -> None:
    """Reports keys of a decoded step that it does not take, and that it has none of those that it needs."""
    step = values["step"].value
    row = STEPS[step]
    for key in keys(tuple(OWN.difference(row.takes))):
        if key.field in values:
            facts = {"key": key.name, "step": spelling(step), "steps": takers(key.field)}
            fault(key_codes.STEP_KEY, values[key.field].key, **facts)
    needed = keys(row.needs)
    spelled = {fold(spelling) for key in needed for spelling in key.spellings}
    tried = any(fold(member.name.value) in spelled for member in node.members)  # what is wrong with it is told already
    if needed and not tried:
        facts = {"keys": " or ".join(f"`{key.name}`" for key in needed), "expected": expects(needed[0].type)}
        fault(key_codes.STEP_NEEDS, Span(node.span.start, node.span.start + 1), step=spelling(step), **facts)


def preparation(
    definition: ast.Definition, topology: Topology, data: Mapping[str, DataFacts], report: Report
) -> tuple[Preparation, ...]:
    """The steps of a definition with the data sets that each acts on; what cannot be is reported."""
    steps = definition.preparation or ()
    _check_names(definition, steps, report)
    made = []
    for step in steps:
        written = {name: getattr(step, name) for name in _PLAIN}
        values = {name: value.value for name, value in written.items() if value is not None}
        datasets = _acted_on(definition, topology, step, data, report)
        made.append(Preparation(step.step.value, datasets=datasets, **values))
    return tuple(made)


def prepared_facts(steps: Iterable[Preparation], data: Mapping[str, DataFacts]) -> dict[str, DataFacts]:
    """The facts of data sets as they are after some steps; how many entries go is known once the data are read."""
    found = dict(data)
    for step in steps:
        leaves = STEPS[step.step].leaves
        for name in step.datasets:
            if name in found and leaves != "as it was":
                found[name] = replace(found[name], boolean=leaves == "indicators")
    return found


def _check_names(definition: ast.Definition, steps: Iterable[ast.Preparation], report: Report) -> None:
    first: dict[str, Span] = {}
    for name in (step.name for step in steps if step.name):
        if name.value in first:
            place = "{}:{}".format(*definition.source.position(first[name.value].start))
            report(codes.DUPLICATE_STEP, at(definition.source, name.span), name=name.value, first=place)
        first.setdefault(name.value, name.span)


def _acted_on(
    definition: ast.Definition, topology: Topology, step: ast.Preparation, data: Mapping[str, DataFacts], report: Report
) -> tuple[str, ...]:
    """The data sets that a step acts on, in the order of the layers."""

    def refuse(what: str, reason: str, **words: Any) -> tuple[str, ...]:
        place = step.dataset.span if step.dataset else step.step.span
        facts = {"step": spelling(step.step.value), "what": what, "reason": reason}
        report(codes.STEP_DATA, at(definition.source, place), **facts, **words)
        return ()

    inputs, outputs = (_bound(definition, topology, kind) for kind in (Kind.INPUT, Kind.OUTPUT))
    dense = {name for name in inputs if name in data and not data[name].assumed and not data[name].sparse}
    named = step.dataset.value if step.dataset else None
    if named is not None and named not in inputs:
        return refuse(f"data set `{named}`", "no Input layer takes it", help=did_you_mean(named, inputs))
    if named in dense:
        return refuse(f"data set `{named}`", "it is dense, and steps act on the stored entries of sparse data sets")
    chosen = tuple(name for name in inputs if name not in dense) if named is None else (named,)
    if not chosen:
        return refuse("the input", "no Input layer takes a sparse data set")
    if shared := next((name for name in chosen if name in outputs), None):
        reason = "an Output layer is compared with it, and targets are not prepared"
        return refuse(f"data set `{shared}`", reason, help="give the targets a data set of their own, of the same rows")
    return chosen


def _bound(definition: ast.Definition, topology: Topology, kind: Kind) -> tuple[str, ...]:
    """The data sets of the layers of a kind."""
    layers = (layer for layer, found in zip(definition.layers, topology.kinds, strict=True) if found is kind)
    return tuple(dict.fromkeys(layer.dataset.value for layer in layers if layer.dataset))
