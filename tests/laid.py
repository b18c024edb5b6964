"""Examples laid over devices that are not there: what the tests of the planner share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnlang.codegen.machines import H200
from nnlang.codegen.pipeline import Options
from nnlang.definition import load
from nnlang.network import DataFacts, Network, Optimizer, Training
from nnlang.placement import Placement
from nnlang.planner import Choice, choose, parse

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FAQ, DEEP, TIED = "many_devices/faq.json", "dsstne/benchmark.json", "dsstne/tied_weights.json"
GPU = Options("cuda:90", "tf32")
RMSPROP = Training(Optimizer.RMSPROP, batch=256)


def facts(units: int, *names: str) -> dict[str, DataFacts]:
    """Sparse Boolean data sets of 144 entries a row."""
    return {n: DataFacts(n, 1000, units, sparse=True, boolean=True, entries=144_000) for n in names}


def example(name: str, units: int) -> Network:
    """An example whose data sets have so many units."""
    network = load(EXAMPLES / name, facts(units, "gl_input", "gl_output", "input", "output")).network
    assert network is not None
    return network


def chosen(network: Network, ranks: int, wish: str = "auto", memory: float = 0, exact: bool = False) -> Choice:
    """What is chosen for H200s with so much memory."""
    machine = replace(H200, memory=memory)
    return choose(network, RMSPROP, ranks, machine, parse(wish), replace(GPU, exact=exact))


def names(network: Network, placement: Placement) -> list[str]:
    """The split layers."""
    return [layer.name for layer in network.layers if layer.index in placement.split]
