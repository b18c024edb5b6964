"""Plans: buffers share no memory while both are alive, operands are there when they are read, costs are right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlang.codegen import grid
from nnlang.codegen.plan import Plan
from nnlang.codegen.schedule import reads
from nnlang.codegen.select import UPDATE_ELEMENTS
from nnlang.compiler import compile_network
from nnlang.lower import ENTRIES
from nnlang.network import Activation, ErrorFunction, Loss, Optimizer, Training
from nnlang.ops import Assign, Clip, Op, State, Update, Walk
from nnlang.runtime.block import Slot
from nnlang.runtime.executor import CpuExecutor
from nnlang.runtime.program import Program, feed_for
from tests import networks
from tests.drawn import cases, trainings
from tests.networks import bind, build, hidden, output, source
from tests.oracle_cases import Case
from tests.tiny import groups

SGD = Training(optimizer=Optimizer.SGD, lambda_=0.0)


def written(op: Op) -> set[Op]:
    """The states that a launch writes."""
    match op:
        case Update(states=states):
            return set(states)
        case Assign(state=state):
            return {state}
        case Walk(updates=updates):
            return {s for u in updates for s in written(u)}
    return set()


def sound(plan: Plan) -> None:
    """What must hold for every plan."""
    for b in plan.buffers:
        assert 0 <= b.first <= b.last and plan.slots[b.slot] >= b.elements(plan.batch)
    for i, b in enumerate(plan.buffers):
        for c in plan.buffers[i + 1 :]:
            if b.slot == c.slot:
                assert b.last < c.first or c.last < b.first, (b.name, c.name)
    stored = {b.op: b for b in plan.buffers}
    launched = {x.op: x.number for x in plan.launches}
    finished: dict[Op, int] = {}
    for launch in plan.launches:
        for x in reads(launch.op):
            if x in stored:
                assert stored[x].first < launch.number <= stored[x].last, (launch.name, stored[x].name)
            elif not isinstance(x, State):
                assert launched[x] < launch.number, launch.name
            elif not isinstance(launch.op, Clip):
                assert finished.get(x, launch.number) == launch.number, f"{launch.name} reads a state after its update"
        finished |= dict.fromkeys(written(launch.op), launch.number)
    assert [x.number for x in plan.launches] == list(range(len(plan.launches)))
    assert all(x.cost.flops >= 0 and x.cost.bytes > 0 for x in plan.launches)


@given(case=cases(), training=trainings(), batch=st.sampled_from((1, 7, 256)))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_plans_of_random_networks_are_sound(case: Case, training: Training, batch: int) -> None:
    for plan in compile_network(case.network, ENTRIES, batch, training).plans.values():
        sound(plan)


@pytest.mark.full
@given(case=cases(), training=trainings(), batch=st.sampled_from((1, 7, 256)))
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_plans_of_many_random_networks_are_sound(case: Case, training: Training, batch: int) -> None:
    for plan in compile_network(case.network, ENTRIES, batch, training).plans.values():
        sound(plan)


def test_results_live_to_the_end() -> None:
    plan = compile_network(networks.two_inputs(), ["predict"], 8).plans["predict"]
    ends = [b for b in plan.buffers if b.last == len(plan.launches)]
    assert len(ends) == 2 and len({b.slot for b in ends}) == 2


def test_dead_buffers_are_used_again() -> None:
    rows = [source("In", 8), *(hidden(f"H{i}", 8, f"H{i - 1}" if i else "In") for i in range(20))]
    net = build("deep", [*rows, output("Out", 8, "H19")])
    plan = compile_network(net, ["predict"], 16).plans["predict"]
    assert len(plan.buffers) >= 21 and len(plan.slots) <= 3


def dense(m: int) -> Plan:
    """4 -> 8 Sigmoid -> 2 Linear with L2, predicted."""
    rows = [
        source("In", 4),
        hidden("Hidden", 8, "In"),
        output("Out", 2, "Hidden", activation=Activation.LINEAR),
    ]
    net = build("dense", rows, loss=Loss(ErrorFunction.L2))
    known = [networks.facts(n, w, sparse=False, boolean=False, entries=0) for n, w in (("in", 4), ("out", 2))]
    return compile_network(bind(net, *known), ["predict"], m, SGD).plans["predict"]


@pytest.mark.parametrize("m", [1, 16, 100])
def test_flops_and_bytes_of_a_network_computed_by_hand(m: int) -> None:
    plan = dense(m)
    first, second = plan.launches
    assert (first.kind, second.kind) == ("linear", "linear")
    assert first.cost.flops == 2 * m * 8 * 4 + 2 * m * 8  # the product, then bias and sigmoid
    assert second.cost.flops == 2 * m * 2 * 8 + m * 2
    assert first.cost.bytes == 4 * (m * 4 + 4 * 8 + 8 + m * 8)
    assert second.cost.bytes == 4 * (m * 8 + 8 * 2 + 2 + m * 2)
    assert plan.flops == first.cost.flops + second.cost.flops
    assert plan.state_bytes == 4 * (4 * 8 + 8 + 8 * 2 + 2) and plan.feed_bytes == 4 * m * 4
    assert sum(plan.slots) == m * 8 + m * 2 and plan.scratch == 0
    assert plan.peak_memory == plan.state_bytes + plan.feed_bytes + 4 * m * 10


def test_a_walk_costs_its_three_products() -> None:
    m, k, n = 32, 16, 3000
    net = networks.one_hidden(100, k, n)
    plan = compile_network(net, ["step"], m, SGD).plans["step"]
    (walk,) = [x for x in plan.launches if x.kind == "walk"]
    assert 3 * 2 * m * k * n <= walk.cost.flops <= 3 * 2 * m * k * n + 40 * (m * n + k * n)
    assert walk.cost.bytes >= 2 * 4 * k * n


def program(optimizer: Optimizer, n: int = 3000, m: int = 64) -> tuple[Program, Plan, object]:
    """A step of a wide network that has run, with its plan and its batch."""
    sets = {name: groups(name, m, n) for name in ("input", "output")}
    net = bind(networks.one_hidden(n, 32, n), *(d.facts for d in sets.values()))
    made = Program(net, ["step"], m, Training(optimizer=optimizer))
    made.initialise(1)
    batch = feed_for(made, "step", sets).consecutive(0, m)
    made.run("step", batch, {"alpha": 0.1, "correction": 1.0, "correction1": 1.0})
    return made, made.compiled.plans["step"], batch


def held(tensors: object) -> int:
    """Bytes of tensors, each counted once."""
    found = {t.data_ptr(): t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor)}  # type: ignore[attr-defined]
    return sum(found.values())


@pytest.mark.parametrize("optimizer", [Optimizer.SGD, Optimizer.NESTEROV, Optimizer.ADAM], ids=lambda o: o.name.lower())
def test_the_memory_counted_is_the_memory_taken(optimizer: Optimizer) -> None:
    made, plan, batch = program(optimizer)
    assert held(made.states.values()) == plan.state_bytes
    executor = made.executor
    assert isinstance(executor, CpuExecutor)
    assert held(executor.arenas["step"]) == 4 * sum(plan.slots)
    assert held(executor.tiles.values()) <= plan.scratch
    slots = batch.slots  # type: ignore[attr-defined]
    fed = held(getattr(s, f) for s in slots for f in Slot.__dataclass_fields__)
    total = held(made.states.values()) + held(executor.arenas["step"]) + held(executor.tiles.values()) + fed
    assert total <= plan.peak_memory


@given(units=st.integers(1, 1 << 26))
@settings(max_examples=300, deadline=None)
def test_leaves_cover_a_layer_in_at_most_64_parts(units: int) -> None:
    size = grid.leaf(units)
    assert -(-units // size) <= grid.LEAVES
    assert size == units or (size % grid.ALIGN == 0 and 4 * size >= 3 * grid.SMALLEST)
    gathered = grid.gather_leaf(units)
    assert -(-units // gathered) <= grid.GATHER_LEAVES


@given(units=st.integers(1, 1 << 24), per_unit=st.integers(4, 1 << 16), budget=st.integers(1 << 10, 1 << 26))
@settings(max_examples=300, deadline=None)
def test_chunks_are_powers_of_two_that_stay_in_the_budget(units: int, per_unit: int, budget: int) -> None:
    count = grid.leaves_per_chunk(units, per_unit, budget, 16)
    assert count in (1, 2, 4, 8, 16)
    assert count == 1 or count * grid.leaf(units) * per_unit <= budget
    assert count == 16 or 2 * count * grid.leaf(units) * per_unit > budget


@pytest.mark.parametrize("units", [40, 511, 512, 3000, 30_000, 300_000])
def test_chunks_of_launches_keep_their_limits(units: int) -> None:
    adam = Training(optimizer=Optimizer.ADAM)
    plan, again = (
        compile_network(networks.one_hidden(units, 128, units), ["step"], 256, adam).plans["step"] for _ in "ab"
    )
    assert plan.dump() == again.dump()
    for launch in plan.launches:
        if launch.kind == "walk":
            leaf = grid.leaf(units)
            assert launch.chunk % leaf == 0 and launch.chunk <= 16 * leaf
            assert launch.chunk == leaf or launch.chunk * 4 * (128 * 4 + 2 * 256) <= 16 << 20
        if launch.kind == "segment_sum_update":
            assert launch.chunk == units or (launch.chunk * 128 <= UPDATE_ELEMENTS and launch.chunk % 64 == 0)
