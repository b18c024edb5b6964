"""A choice in words and numbers, as rows of tables and as one record; everything in them is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nnlang.diagnostics import bytes_text
from nnlang.network import Weight
from nnlang.planner.choice import TIE, WORTH, Choice, Reason, divides_data
from nnlang.planner.estimate import Estimate
from nnlang.planner.refusals import many
from nnlang.settings import spelled

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A title, the heads of columns, rows of texts, those of numbers padded to one width."""

    title: str
    heads: Cells
    rows: tuple[Cells, ...]


def tables(choice: Choice) -> list[Table]:
    """The decision for people: layers with reasons, matrices, memory of the fullest device, times of a step."""
    names = {layer.index: layer.name for layer in choice.network.layers}
    layers = tuple(
        (names[r.layer], f"{choice.network.layers[r.layer].units:,}", _form(r.split), _why(choice, r))
        for r in choice.reasons
    )
    shapes = tuple((m["name"], m["whole"], m["form"], m["local"]) for m in matrices(choice))
    return [
        Table("layers", ("layer", "units", "is", "because"), _padded(layers, (1,))),
        Table("matrices", ("from, to", "whole", "held by", "on each device"), _padded(shapes, (1, 3))),
        Table("memory of the fullest device", ("", ""), _padded(_memory_rows(choice), (1,))),
        Table("a step, computed", _TIMES, _padded(_time_rows(choice), (1, 2, 3, 4, 5))),
    ]


def _padded(rows: tuple[Cells, ...], right: tuple[int, ...]) -> tuple[Cells, ...]:
    """The rows with the texts of some columns padded from the left."""
    widths = {i: max(len(row[i]) for row in rows) for i in right}
    return tuple(tuple(text.rjust(widths.get(i, 0)) for i, text in enumerate(row)) for row in rows)


_TIMES = ("placement", "time", "times as long", "memory", "sent by each", "exchanges")


def heading(choice: Choice) -> str:
    """What is laid over what."""
    training, memory = choice.training, choice.machine.memory
    ranks = choice.placement.ranks
    size = f" with {bytes_text(memory)}{' each' if ranks > 1 else ''}" if memory else ""
    what = f"{many(ranks)}{size} ({choice.machine.name})"
    return f"{what}, batch {training.batch:,}, {spelled(training.optimizer)}{_exactly(choice)}: {_mesh(choice)}"


def notes(choice: Choice) -> list[str]:
    """What is to be said beside the tables, a sentence each."""
    e, alone, ranks = choice.estimate, choice.alone, choice.placement.ranks
    told = []
    if e.exchange:
        compute, exchange, hidden = (time_text(s) for s in (e.compute, e.exchange, e.hidden))
        passing = f", of which {hidden} pass while weights are updated" if e.hidden else ""
        told.append(f"a step computes for {compute}; exchanges take {exchange}{passing}")
    same = [x for x in choice.alternatives if x.placement.data == e.placement.data and x.fits(choice.machine.memory)]
    worth = divides_data(choice.network, e.placement)
    if worth and any(e.seconds / WORTH <= x.seconds < e.seconds / TIE for x in same):
        told.append("less than a quarter is no reason to leave the usual placement, which divides data sets too")
    if ranks > 1 and alone.fits(choice.machine.memory) and alone.seconds <= e.seconds:
        told.append("one device holds it and is no slower")
    return told


def record(choice: Choice) -> dict[str, object]:
    """The decision for machines: bytes, seconds, numbers of units."""
    layers = [
        {
            "layer": choice.network.layers[r.layer].name,
            "units": choice.network.layers[r.layer].units,
            "split": r.split,
            "asked": r.asked,
            "because": _why(choice, r),
        }
        for r in choice.reasons
    ]
    return {
        "stage": "placement",
        "devices": choice.placement.ranks,
        "machine": choice.machine.name,
        "device_memory": choice.machine.memory or None,
        "batch": choice.training.batch,
        "layers": layers,
        "matrices": matrices(choice),
        "chosen": _figures(choice, choice.estimate),
        "alone": _figures(choice, choice.alone),
        "alternatives": [_figures(choice, e) for e in choice.alternatives],
    }


def matrices(choice: Choice) -> list[dict[str, str]]:
    """Of each unshared matrix: the edges that use it, its shape, how it is held, the shape of a device's part."""
    network, found = choice.network, []
    for state in choice.estimate.states:
        if (state.owner, state.part) != ("weight", ""):
            continue
        owner = network.weights[state.index]
        source, target = state.axes
        form = "rows" if source.is_split else "columns" if target.is_split else "every device"
        found.append(
            {
                "name": ", ".join(_edge(choice, user) for user in network.users(owner)),
                "whole": _shape(source.total, target.total),
                "form": form,
                "local": _shape(source.size or 0, target.size or 0),
            }
        )
    return found


def _edge(choice: Choice, weight: Weight) -> str:
    source, target = (choice.network.layers[i].name for i in (weight.source, weight.target))
    return f"{source} to {target}" + (" (transposed)" if weight.transposed else "")


def _shape(rows: int, columns: int) -> str:
    return f"{rows:,} x {columns:,}"


def _form(split: bool) -> str:
    return "split" if split else "whole"


def _exactly(choice: Choice) -> str:
    return ", deterministic" if choice.placement.exact else ""


def _mesh(choice: Choice) -> str:
    placement, batch = choice.placement, choice.training.batch
    rows = math.ceil(batch / placement.data)
    if placement.ranks == 1:
        return "all on one device"
    if placement.data == 1:
        return "all have all rows, and share the layers that are split"
    if placement.model == 1:
        return f"each has all layers, and {rows:,} of the rows"
    return f"{placement.data} groups of {placement.model}; one has {rows:,} of the rows, and shares the split layers"


def _why(choice: Choice, reason: Reason) -> str:
    placement = choice.placement
    if reason.asked:
        return "--parallel asks for it"
    if reason.cannot:
        return reason.cannot
    if placement.ranks == 1:
        return "there is one device"
    if placement.model == 1:
        return "the devices share the rows"
    if not reason.slower:
        return "nothing else is split"
    return f"{_form(not reason.split)}, a step would take {_ratio(reason.slower)}, a device {_difference(reason.more)}"


def _ratio(times: float) -> str:
    if abs(times - 1) < 0.005:
        return "as long"
    return f"{times:.2f} times as long" if times < 10 else f"{times:.0f} times as long"


def _difference(more: int) -> str:
    if abs(more) < 1000:
        return "as much memory"
    return f"{bytes_text(abs(more))} {'more' if more > 0 else 'less'}"


def _memory_rows(choice: Choice) -> tuple[Cells, ...]:
    memory, most = choice.estimate.memory, choice.machine.memory
    rows = [
        ("weights", bytes_text(memory.weights)),
        ("optimizer's state", bytes_text(memory.state)),
        ("what a step stores", bytes_text(memory.buffers)),
        ("a batch of data", bytes_text(memory.batch)),
        ("in all", bytes_text(memory.total)),
    ]
    return tuple(rows + ([("of", bytes_text(most))] if most else []))


def _time_rows(choice: Choice) -> tuple[Cells, ...]:
    listed = [choice.estimate, *choice.alternatives]
    listed += [choice.alone] if choice.alone not in listed else []
    return tuple(_time_row(choice, e, "this: " if e is choice.estimate else "") for e in listed)


def _time_row(choice: Choice, e: Estimate, mark: str) -> Cells:
    ratio = e.seconds / choice.estimate.seconds
    memory = bytes_text(e.memory.total) + ("" if e.fits(choice.machine.memory) else ", too much")
    sent = bytes_text(e.plan.wire) if e.plan.wire else "-"
    return mark + placed(choice, e), time_text(e.seconds), f"{ratio:.2f}", memory, sent, str(e.plan.collectives or "-")


def placed(choice: Choice, e: Estimate) -> str:
    """A placement as --parallel would ask for it."""
    placement = e.placement
    names = [x.name for x in choice.network.layers if x.index in placement.split]
    if placement.ranks == 1:
        return "one device"
    groups = f"data={placement.data}" if placement.model > 1 else "data"
    return ",".join(([groups] if placement.data > 1 else []) + [f"{name}=split" for name in names])


def time_text(seconds: float) -> str:
    """Seconds for people, with three digits: `152 us`, `2.53 ms`, `32.1 s`."""
    unit, factor = next(((u, f) for u, f in (("us", 1e6), ("ms", 1e3)) if seconds * f < 999.5), ("s", 1.0))
    value = seconds * factor
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {unit}"


def _figures(choice: Choice, e: Estimate) -> Mapping[str, object]:
    placement, memory = e.placement, e.memory
    return {
        "parallel": placed(choice, e),
        "model": placement.model,
        "data": placement.data,
        "split": [x.name for x in choice.network.layers if x.index in placement.split],
        "exact": placement.exact,
        "seconds": e.seconds,
        "compute": e.compute,
        "exchange": e.exchange,
        "hidden": e.hidden,
        "wire": e.plan.wire,
        "collectives": e.plan.collectives,
        "memory": {
            "weights": memory.weights,
            "state": memory.state,
            "buffers": memory.buffers,
            "batch": memory.batch,
            "total": memory.total,
        },
        "fits": e.fits(choice.machine.memory),
    }
