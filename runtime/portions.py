"""What each of several ranks gets of a prediction: its units of the network, its examples and entries, its filter.

The first rank alone reads texts and labels; the others get their part of what it has understood.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlang.network import DataFacts, Kind, Layer, Network, Training
from nnlang.placement import Placement
from nnlang.planner.candidates import leanest
from nnlang.planner.refusals import impossible
from nnlang.planner.wish import asked, parse
from nnlang.runtime import container, fitted, merge, modelrecord
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devices import Device
from nnlang.runtime.filters import Filter, FilterMode
from nnlang.runtime.merge import Rota
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.metrics import Rows
from nnlang.runtime.model import Model, load_network
from nnlang.runtime.preparation import prepared, taken
from nnlang.runtime.recommend import spans_of
from nnlang.runtime.record import decode, encode
from nnlang.runtime.slices import sliced
from nnlang.runtime.versions import versions

_ROWS = ("start", "end", "index", "values", "lengths")
_FILTER = ("start", "index", "values")


@dataclass(frozen=True)
class Portion:
    """What a rank works on. whole: facts of all examples; inputs: its examples, of a split layer its units.

    hidden: units that are never recommended; they and the filter's are counted from the rank's first unit.
    """

    whole: DataFacts
    inputs: DataSet
    hidden: torch.Tensor
    removed: Filter | None = None


def described(path: str | os.PathLike[str], *, labels: bool) -> tuple[Model, str]:
    """The model in a file but for its weights, and the SHA-256 of what it holds; raises `Stop` as `model.load` does."""
    network = load_network(path)
    with container.reading(Path(path)) as file:
        record = modelrecord.unpack(file)
        if record is None:
            return Model(network, {}, {}), _digest(encode(network))
        known = modelrecord.read_labels(file, record) if labels else {}
        digest = _digest([encode(network), dict(record.digests), record.preparation])
        return Model(network, {}, {}, labels=known, preparation=record.preparation), digest


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def agree(mesh: Mesh, model: str, command: Mapping[str, object], device: Device) -> None:
    """Raises Stop (NN802) where ranks have other models, commands or versions."""
    if mesh.size > 1:
        known = versions(device)
        told = {"model": model, "command": json.dumps(command, default=str), "device": device.kind}
        mesh.agree({**told, **{f"version of {name}": known[name] for name in ("nnlang", "torch")}})


def laid(mesh: Mesh, network: Network, parallel: str | None, exact: bool, batch: int) -> Mesh:
    """The ranks laid out for scoring with a network.

    Sums follow one tree where that may give the bits of one device, whatever `exact` says of leaves.
    """
    placement = placed(network, mesh.size, parallel, exact, batch)
    return replace(mesh.lay(replace(placement, exact=True)), placement=placement)


def placed(network: Network, ranks: int, parallel: str | None, exact: bool, batch: int) -> Placement:
    """How ranks share out the work of scoring; parallel: as `--parallel` says it.

    Unless something is asked for, as many ranks as can share the units of the inputs or the outputs, and groups of such
    take batches in turns. Raises Stop (NN811 to NN814) for what cannot be.
    """
    wish = parse(parallel)
    forced, groups = asked(wish, network), wish.groups(ranks)
    ends = frozenset(layer.index for layer in network.layers if layer.kind is not Kind.HIDDEN)
    counts = range(1, ranks + 1) if groups is None else (groups,)
    for count in counts:
        found = leanest(network, (ranks // count, count), forced, exact) if ranks % count == 0 else []
        if found and (count in (ranks, groups) or forced or found[0].split & ends):
            return found[0]
    raise impossible(network, Training(batch=max(batch, ranks)), ranks, groups, forced, exact=False)


def deal(mesh: Mesh, source: Layer, target: Layer, batch: int, given: Portion | None, model: Model) -> Portion:
    """The portion of each rank, of that of all together, which the first rank gives.

    The model's preparation steps are applied on the way.
    """
    if given is None:
        return _received(mesh, fitted.read(model.preparation, source.dataset))
    inputs = prepared(model, given.inputs)
    given = replace(given, whole=inputs.facts, inputs=inputs)
    if mesh.size == 1:
        return given
    rota = Rota(inputs.facts.examples, min(batch, max(16, inputs.facts.examples)), mesh.placement.data)
    portions = _portions(mesh, source, target, rota, given)
    mine = next(portions)
    for rank, portion in enumerate(portions, 1):
        _send(mesh, portion, rank)
    return mine


def _portions(mesh: Mesh, source: Layer, target: Layer, rota: Rota, given: Portion) -> Iterator[Portion]:
    """The portions by rank, each made when it is asked for."""
    placement = mesh.placement
    read, scored = spans_of(source, mesh), spans_of(target, mesh)
    for group in range(placement.data):
        ids = rota.of(group)
        inputs = given.inputs if rota.groups == 1 else taken(given.inputs, ids)
        removed = given.removed and replace(given.removed, rows=given.removed.rows.take(ids))
        for place in range(placement.model):
            first, last = scored[place if len(scored) > 1 else 0]
            hidden = given.hidden[(given.hidden >= first) & (given.hidden < last)] - first
            own = sliced(inputs, *read[place]) if len(read) > 1 else inputs
            yield Portion(given.whole, own, hidden, removed and _within(removed, first, last))


def _within(found: Filter, first: int, last: int) -> Filter:
    """What a filter says of the units first..last-1, counted from the first."""
    kept = found.rows.keep((found.rows.index >= first) & (found.rows.index < last))
    return replace(found, rows=replace(kept, index=kept.index - first))


def _send(mesh: Mesh, portion: Portion, rank: int) -> None:
    """Sends a portion to a rank: a head of JSON, then arrays."""
    inputs, removed = portion.inputs, portion.removed
    arrays: dict[str, NDArray[Any] | None] = {name: getattr(inputs, name) for name in _ROWS}
    arrays["hidden"] = portion.hidden.numpy()
    if removed is not None:
        arrays |= {f"filter {name}": getattr(removed.rows, name) for name in _FILTER}
    there = {name: np.ascontiguousarray(x) for name, x in arrays.items() if x is not None}
    head = {
        "whole": encode(portion.whole),
        "examples": inputs.facts.examples,
        "part": inputs.part,
        "mode": removed.mode.value if removed is not None else None,
        "arrays": [[name, x.dtype.str, len(x)] for name, x in there.items()],
    }
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    messages: list[NDArray[Any]] = [np.array([len(text)], np.int64), text, *there.values()]
    for x in messages:
        merge.send(mesh, torch.from_numpy(x.copy()), rank)


def _received(mesh: Mesh, steps: fitted.Prepared | None) -> Portion:
    """The portion that the first rank has sent, its inputs being through the model's steps already."""
    (length,) = _array(mesh, "<i8", 1)
    head = json.loads(_array(mesh, "|u1", int(length)).tobytes())
    arrays = {name: _array(mesh, kind, count) for name, kind, count in head["arrays"]}
    whole, examples, part = decode(DataFacts, head["whole"]), head["examples"], head["part"]
    facts = replace(whole, examples=examples, unique=examples)
    rows: dict[str, Any] = {name: arrays.get(name) for name in _ROWS}
    inputs = DataSet(whole.name, facts, prepared=steps, part=tuple(part) if part else None, **rows)
    removed = None
    if head["mode"] is not None:
        start, index, values = (arrays.get(f"filter {name}") for name in _FILTER)
        assert start is not None and index is not None
        removed = Filter(Rows(start, index, values), FilterMode(head["mode"]))
    return Portion(whole, inputs, torch.from_numpy(arrays["hidden"]), removed)


def _array(mesh: Mesh, kind: str, count: int) -> NDArray[Any]:
    return merge.receive(mesh, torch.from_numpy(np.empty(count, np.dtype(kind))), 0).numpy()
