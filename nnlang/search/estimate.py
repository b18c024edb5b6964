"""What the definitions of a sweep would cost, computed from a sample of them; nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from statistics import median

from nnlang.compiler import footprint
from nnlang.definition import check
from nnlang.diagnostics import Stop
from nnlang.network import DataFacts, Network, Training
from nnlang.settings import settle
from nnlang.source import Source
from nnlang.sweeps.covering import covering
from nnlang.sweeps.layout import definition_text
from nnlang.sweeps.space import Params
from nnlang.sweeps.sweepfile import Sweep, setting

WIDTH, EXAMPLES, ENTRIES = 27_278, 138_493, 144  # of data sets that nobody named: those of MovieLens 20M
SAMPLE = 24


@dataclass(frozen=True)
class Estimate:
    """The smallest, the median and the largest of a sample, by name; `assumed` are data sets taken to be that wide."""

    rows: Mapping[str, tuple[float, float, float]]
    sampled: int
    failed: int  # of the sample, what cannot be costed
    assumed: tuple[str, ...]


def estimate(sweep: Sweep, facts: Mapping[str, DataFacts]) -> Estimate:
    """Parameters, bytes held in training, and floating point operations of the sweep's definitions.

    facts: data sets at hand, by name; others that are needed are assumed as large as MovieLens 20M.
    """
    known, assumed, costs, failed = dict(facts), dict[str, None](), [], 0
    for params in sample(sweep):
        found = _cost(sweep, params, known, assumed)
        failed += found is None
        costs += [] if found is None else [found]
    names = costs[0] if costs else ()
    rows = {name: _spread([cost[name] for cost in costs]) for name in names}
    return Estimate(rows, len(costs), failed, tuple(assumed))


def sample(sweep: Sweep, most: int = SAMPLE) -> list[Params]:
    """Some combinations, spread evenly over those that hold every value, the base first; a function of the sweep."""
    every = [params for params, _, _ in covering(sweep.space, sweep.seed) if params is not None]
    Random(sweep.seed).shuffle(every)
    return [{}, *every[: most - 1]]


def _cost(
    sweep: Sweep, params: Params, known: dict[str, DataFacts], assumed: dict[str, None]
) -> dict[str, float] | None:
    """The costs of one combination; None where it is not sound or cannot be compiled yet."""
    source = Source("combination.json", definition_text(setting(sweep, params).definition))
    first = check(source, known, need_shapes=False)
    if first.network is None:
        return None
    for name in _lacking(first.network, known):
        assumed[name] = None
        known[name] = DataFacts(
            name, EXAMPLES, WIDTH, sparse=True, boolean=True, entries=EXAMPLES * ENTRIES, assumed=True
        )
    checked = check(source, known, need_shapes=False)
    if checked.network is None:
        return None
    training: Training = settle(checked.training, {})[0]
    try:
        cost = footprint(checked.network, training)
    except Stop:
        return None
    examples = max((f.examples for f in checked.network.data), default=EXAMPLES)
    steps = -(-examples // training.batch)
    return {
        "parameters": cost.parameters,
        "memory": cost.memory,
        "operations of an epoch": cost.flops * steps,
        "operations of a training": cost.flops * steps * training.epochs,
    }


def _lacking(network: Network, known: Mapping[str, DataFacts]) -> Iterable[str]:
    """The data sets that nothing is known of and that sizes depend on."""
    layers = (*network.inputs, *network.outputs)
    return dict.fromkeys(layer.dataset for layer in layers if layer.dataset not in known and not layer.units)


def _spread(numbers: list[float]) -> tuple[float, float, float]:
    return min(numbers), median(numbers), max(numbers)
