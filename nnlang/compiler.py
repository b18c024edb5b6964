"""The road from a network to a module, in one straight function; every stage can be printed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from nnlang.codegen import pipeline
from nnlang.codegen.cost import ELEMENT
from nnlang.codegen.grid import is_exact, parts
from nnlang.codegen.pipeline import Options
from nnlang.codegen.plan import Plan
from nnlang.dumping import dump
from nnlang.lower import Lowered, Ranking, Structure, lower
from nnlang.network import Footprint, Kind, Network, Training
from nnlang.ops import Axis, Type
from nnlang.passes import Optimised, optimise
from nnlang.passes.exact import exact_formulas
from nnlang.passes.shard import Sharding, shard, sparse_axes
from nnlang.placement import ALONE, Placement
from nnlang.verify import verify

LEARNED = frozenset((("weight", ""), ("bias", ""), ("bn", "scale"), ("bn", "bias")))  # owners and parts of states


@dataclass(frozen=True)
class Compiled:
    """What compiling gave, by entry point: operations, plans; the module's text, and the key of its structure."""

    lowered: dict[str, Lowered]
    optimised: dict[str, Optimised]
    plans: dict[str, Plan]
    source: str
    key: str
    placement: Placement = ALONE
    rank: int = 0


def structure(training: Training) -> Structure:
    """What of a training's settings is compiled."""
    return Structure(training.optimizer, training.lambda_ != 0, training.lambda1 != 0)


def compile_network(
    network: Network,
    entries: Sequence[str],
    batch: int,
    training: Training | None = None,
    options: Options | None = None,
    ranking: Ranking | None = None,
    placement: Placement = ALONE,
    rank: int = 0,
) -> Compiled:
    """A network's entry points, compiled for a target (the CPU). Raises Stop for what is not yet supported.

    entries: any of predict, step, gradient, evaluate; `step` needs the training's settings. Sources: design.md 1, 4.
    recommend needs a ranking, and a target other than the CPU, which ranks what predict gives. With a placement it is
    the program of one of its ranks, and the batch is that rank's rows.
    """
    shape = replace(structure(training or Training()), ranking=ranking)
    options = replace(options or Options(), exact=placement.exact)
    lowered = {name: _sharded(lower(network, name, shape), network, placement, rank) for name in entries}
    optimised = {name: optimise(low.roots, low.pool, verify) for name, low in lowered.items()}
    steps = [_entry(low, optimised[name]) for name, low in lowered.items()]
    plans = {e.name: pipeline.plan(e, batch, options) for e in steps}
    source = pipeline.emit(steps, plans, options)
    return Compiled(lowered, optimised, plans, source, structure_key(optimised, options), placement, rank)


def splittable(network: Network, ranks: int, *, exact: bool = False) -> frozenset[int]:
    """The layers whose units can be split over so many ranks; exact: for the bits of one rank.

    On one rank an output's sums over its sources are not made in leaves, but where those are sparse rows.
    """
    found = [layer for layer in network.layers if ranks > 1 and parts(layer.units, ranks) is not None]
    if exact:
        sources = {w.source for w in network.weights if network.layers[w.target].kind is Kind.OUTPUT}
        sources -= {layer.index for layer in network.inputs if (facts := network.facts(layer)) and facts.sparse}
        found = [layer for layer in found if is_exact(layer.units, ranks) and layer.index not in sources]
    return frozenset(layer.index for layer in found)


def linked(network: Network) -> list[frozenset[int]]:
    """The groups of layers that are split together or not at all, since they share a matrix along that axis."""
    groups: list[frozenset[int]] = [frozenset([layer.index]) for layer in network.layers]
    for weight in network.weights:
        if weight.owner is None:
            continue
        owner = network.weights[weight.owner]
        ends = (weight.target, weight.source) if weight.transposed else (weight.source, weight.target)
        for pair in zip(ends, (owner.source, owner.target), strict=True):
            joined = [g for g in groups if g.intersection(pair)]
            groups = [g for g in groups if g not in joined] + [frozenset().union(*joined)]
    return groups


def _sharded(low: Lowered, network: Network, placement: Placement, rank: int) -> Lowered:
    """What one rank of a placement runs of an entry point, and the tables of what it holds."""
    if placement.exact:
        low.roots = exact_formulas(low.roots, low.pool)
    if placement.ranks == 1:
        return low
    assert placement.split <= splittable(network, placement.model, exact=placement.exact)
    assert all(g <= placement.split or not g & placement.split for g in linked(network))
    place, local = placement.model_rank(rank), dict[str, Axis]()
    for number in placement.split:
        units = network.layers[number].units
        dealt = parts(units, placement.model)
        assert dealt is not None
        first, last = dealt[place]
        local[f"unit{number}"] = Axis(f"unit{number}", last - first, units, first, placement.model)
    sharding = Sharding(local, sparse_axes(low.roots), placement.data)
    low.roots = shard(low.roots, low.pool, sharding)
    low.states = [replace(s, axes=sharding.type(Type(s.axes)).axes) for s in low.states]
    axes = [(s, local.get(f"unit{s.layer}")) for s in low.slots]
    low.slots = [replace(s, units=a.size or 0, first=a.first, whole=a.whole) if a else s for s, a in axes]
    return low


def _entry(low: Lowered, done: Optimised) -> pipeline.Entry:
    transposed = frozenset(i for i, s in enumerate(low.states) if s.transposed)
    return pipeline.Entry(low.entry, done.roots, transposed, done.declined)


def planned(
    network: Network,
    training: Training,
    options: Options,
    placement: Placement = ALONE,
    rank: int = 0,
    entry: str = "step",
) -> tuple[Lowered, Plan]:
    """What one rank of a placement holds and does in an entry point; nothing is emitted.

    The training's batch is that of all ranks together. Raises Stop for what is not yet supported.
    """
    low = _sharded(lower(network, entry, structure(training)), network, placement, rank)
    step = _entry(low, optimise(low.roots, low.pool))
    batch = -(-training.batch // placement.data)
    return low, pipeline.plan(step, batch, replace(options, exact=placement.exact))


def footprint(network: Network, training: Training) -> Footprint:
    """What a training step takes at the training's batch size, from the plan of a GPU; sizes must be known.

    Bytes are those of float32 weights; nothing is emitted or run. Raises Stop for what is not yet supported.
    """
    low, plan = planned(network, training, Options("cuda:90"))
    parameters = sum(prod(s.shape) for s in low.states if (s.owner, s.part) in LEARNED)
    weights = ELEMENT * parameters
    held = ELEMENT * sum(plan.slots) + plan.scratch
    return Footprint(
        training.batch, parameters, weights, plan.state_bytes - weights, held, plan.feed_bytes, plan.flops, plan.bytes
    )


def structure_key(optimised: Mapping[str, Optimised], options: Options) -> str:
    """The name of what is compiled: operations, shapes, target and tiles. Scalars and the batch size are not in it."""
    text = options.key + "".join(name + dump(done.roots) for name, done in optimised.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stages(
    network: Network,
    batch: int,
    training: Training | None = None,
    options: Options | None = None,
    entry: str = "step",
    placement: Placement = ALONE,
) -> dict[str, str]:
    """The texts of the later stages of one entry point: network, ir, each pass, opt, plan, source."""
    compiled = compile_network(network, [entry], batch, training, options, placement=placement)
    low, done = compiled.lowered[entry], compiled.optimised[entry]
    texts = {"network": network.dump(), "ir": _heading(low) + dump(low.roots)}
    texts |= {f"after {name}": dump(roots) for name, roots in done.after.items()}
    texts |= {"opt": _heading(low) + dump(done.roots), "plan": compiled.plans[entry].dump(), "source": compiled.source}
    return texts


def _heading(low: Lowered) -> str:
    lines = [f"entry {low.entry}"]
    lines += [
        f"slot {i} layer={s.layer} role={s.role} stored={s.stored} units={s.units}" for i, s in enumerate(low.slots)
    ]
    lines += [
        f"state {i} {s.owner} {s.index} {s.part or 'value'} {list(s.shape)}{' transposed' if s.transposed else ''}"
        for i, s in enumerate(low.states)
    ]
    return "\n".join(lines) + "\n"


def without_updates(network: Network) -> Network:
    """The network whose gradient is that of its error: without DeltaBoost, DeltaNorm and sparseness penalty."""
    layers = tuple(replace(layer, delta_norm=0.0, sparseness=None) for layer in network.layers)
    return replace(network, layers=layers, loss=replace(network.loss, boost_one=1.0, boost_zero=1.0))
