"""The road from a network to a module, in one straight function; every stage can be printed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from nnlang.codegen import pipeline
from nnlang.codegen.cost import ELEMENT
from nnlang.codegen.pipeline import Options
from nnlang.codegen.plan import Plan
from nnlang.lower import Lowered, Ranking, Structure, lower
from nnlang.network import Footprint, Network, Training
from nnlang.ops import dump
from nnlang.passes import Optimised, optimise
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
) -> Compiled:
    """A network's entry points, compiled for a target (the CPU). Raises Stop for what is not yet supported.

    entries: any of predict, step, gradient, evaluate; `step` needs the training's settings. Sources: design.md 1, 4.
    recommend needs a ranking, and a target other than the CPU, which ranks what predict gives.
    """
    shape, options = replace(structure(training or Training()), ranking=ranking), options or Options()
    lowered = {name: lower(network, name, shape) for name in entries}
    optimised = {name: optimise(low.roots, low.pool, verify) for name, low in lowered.items()}
    steps = [_entry(low, optimised[name]) for name, low in lowered.items()]
    plans = {e.name: pipeline.plan(e, batch, options) for e in steps}
    source = pipeline.emit(steps, plans, options)
    return Compiled(lowered, optimised, plans, source, structure_key(optimised, options))


def _entry(low: Lowered, done: Optimised) -> pipeline.Entry:
    transposed = frozenset(i for i, s in enumerate(low.states) if s.transposed)
    return pipeline.Entry(low.entry, done.roots, transposed, done.declined)


def footprint(network: Network, training: Training) -> Footprint:
    """What a training step takes at the training's batch size, from the plan of a GPU; sizes must be known.

    Bytes are those of float32 weights; nothing is emitted or run. Raises Stop for what is not yet supported.
    """
    low = lower(network, "step", structure(training))
    done = optimise(low.roots, low.pool)
    plan = pipeline.plan(_entry(low, done), training.batch, Options("cuda:90"))
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
) -> dict[str, str]:
    """The texts of the later stages of one entry point: network, ir, each pass, opt, plan, source."""
    compiled = compile_network(network, [entry], batch, training, options)
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
