"""Laying networks over devices that are not there: wishes, choices, computed times."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codegen.grid import parts
from nnlang.codegen.machines import CPU, H200, MACHINES, Link, Machine, MalformedLinkError, with_link
from nnlang.codegen.pipeline import TARGETS, Options, precisions
from nnlang.codes import ranks as codes
from nnlang.compiler import linked, splittable
from nnlang.diagnostics import Code, Stop
from nnlang.network import Network
from nnlang.placement import Placement
from nnlang.planner import Wish, choose, choose_for, parse
from nnlang.planner.candidates import meshes
from nnlang.planner.choice import TIE, WORTH
from nnlang.planner.estimate import estimator, fullest
from nnlang.planner.words import placed
from tests import networks
from tests.laid import DEEP, FAQ, GPU, RMSPROP, TIED, chosen, example, names

FULL = pytest.mark.full


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        (None, Wish()),
        ("auto", Wish()),
        ("model", Wish(1)),
        ("data", Wish(0)),
        ("data=2", Wish(2)),
        (" data = 2 , Output = Split", Wish(2, {"Output": "split"})),
        ("A=rows,B=columns,C=whole", Wish(None, {"A": "rows", "B": "columns", "C": "whole"})),
        ("data=split", Wish(None, {"data": "split"})),
        ("a=b=split", Wish(None, {"a=b": "split"})),
    ],
)
def test_wishes_are_read(text: str | None, wish: Wish) -> None:
    assert parse(text) == wish


@pytest.mark.parametrize("text", [",", "data=", "data=0", "data=1e3", "=split", "data,model", "A=split,A=whole", "8"])
def test_texts_that_are_no_wish_are_refused(text: str) -> None:
    with pytest.raises(Stop, match="NN811"):
        parse(text)


@given(text=st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_wish_or_refused(text: str) -> None:
    found = stopped(lambda: parse(text))
    assert found is None or found is codes.BAD_WISH


def stopped(work: Callable[[], object]) -> Code | None:
    """The code that some work stops with; None where it does not."""
    try:
        work()
    except Stop as error:
        return error.diagnostics[0].code
    return None


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=FULL), pytest.param(6, marks=FULL)])
def test_what_was_chosen_can_be_asked_for(ranks: int) -> None:
    network = example(DEEP, 27_278)
    found = chosen(network, ranks)
    for estimate in (found.estimate, *found.alternatives):
        wish = placed(found, estimate) + "".join(
            f",{layer.name}=whole" for layer in network.layers if layer.index not in estimate.placement.split
        )
        wish += ",model" if estimate.placement.data == 1 else ""
        assert chosen(network, ranks, wish).placement == estimate.placement


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=FULL), pytest.param(8, marks=FULL)])
@pytest.mark.parametrize("target", ["cuda:90", "cpu"])
@pytest.mark.parametrize("name", ["movielens/config.json", DEEP, "dsstne/skip.json", TIED])
def test_wide_inputs_and_outputs_are_split_and_hidden_layers_whole(name: str, target: str, ranks: int) -> None:
    network = example(name, 27_278)
    placement = choose_for(network, RMSPROP, ranks, target)
    assert placement == Placement(ranks, 1, placement.split)
    assert names(network, placement) == ["Input", "Output"]


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_deterministic_placements_are_exact(ranks: int) -> None:
    network = example(DEEP, 27_278)
    placement = choose_for(network, RMSPROP, ranks, "cpu", exact=True)
    assert placement.exact and placement.data == 1 and placement.split <= splittable(network, ranks, exact=True)


def test_narrow_networks_share_rows() -> None:
    assert choose_for(networks.one_hidden(), RMSPROP, 2, "cpu") == Placement(1, 2)
    with pytest.raises(Stop, match="NN814"):
        choose_for(networks.one_hidden(), RMSPROP, 2, "cpu", exact=True)


def test_memory_of_a_device_is_a_share_of_that_of_one() -> None:
    found = chosen(example(FAQ, 8_000_000), 8)
    held, alone = found.estimate.memory, found.alone.memory
    assert held.weights == pytest.approx(alone.weights / 8, rel=0.001)
    assert held.state == pytest.approx(alone.state / 8, rel=0.001)
    assert found.estimate.plan.peak_memory == held.total


def test_bytes_on_the_wire_of_the_two_schemes() -> None:
    network = networks.one_hidden(27_278, 1024, 27_278)
    assert chosen(network, 4).estimate.plan.wire <= 3.2e6
    assert chosen(network, 4, "data").estimate.plan.wire == pytest.approx(335e6, rel=0.01)


def test_planning_eight_million_units_takes_less_than_two_seconds() -> None:
    network = example(FAQ, 8_000_000)
    began = time.perf_counter()
    chosen(network, 8, memory=24e9)
    assert time.perf_counter() - began < 2


def test_a_small_memory_splits_what_would_be_whole() -> None:
    network = example(DEEP, 27_278)
    usual = chosen(network, 4)
    assert names(network, usual.placement) == ["Input", "Output"]
    found = chosen(network, 4, memory=usual.estimate.memory.total - 1)
    assert found.estimate.memory.total < usual.estimate.memory.total
    assert found.placement.split > usual.placement.split and found.estimate.seconds > usual.estimate.seconds


def test_blocks_that_cannot_be_dealt_out_equally_are_said_so() -> None:
    with pytest.raises(Stop, match="gives 2 of its 13 blocks to a device: the last would have none"):
        chosen(networks.one_hidden(4100, 128, 4100), 8, exact=True)
    sample = networks.one_hidden(9724, 128, 9724)  # the items of the small MovieLens
    assert chosen(sample, 4, exact=True).placement.split


def test_the_fullest_rank_is_planned() -> None:
    network = networks.one_hidden(27_278, 128, 27_278)
    for ranks in (2, 3, 4, 5, 7, 8):
        dealt = parts(27_278, ranks)
        assert dealt is not None
        sizes = [last - first for first, last in dealt]
        assert sizes[fullest(network, Placement(ranks, 1, frozenset((0, 2))))] == max(sizes)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Network, int, bool, Machine]:
    """A small network of some kind and widths, a number of ranks, whether it is to be exact, a machine."""
    width = st.sampled_from([40, 512, 600, 1100, 3000])
    made = draw(
        st.sampled_from(
            [
                networks.one_hidden,
                lambda a, b, c: networks.three_hidden(a, (b, 600, b), c),
                lambda a, b, c: networks.two_inputs((a, 40), b, (c, 600)),
                networks.skip,
                lambda a, b, c: networks.shared_transposed(a, (b, 600), c),
            ]
        )
    )
    link = Link(draw(st.sampled_from([1e7, 1e9, 1e11])), draw(st.sampled_from([0.0, 1e-5, 1e-3])))
    machine = replace(draw(st.sampled_from([H200, CPU])), link=link, tree=link)
    return made(draw(width), draw(width), draw(width)), draw(st.integers(2, 8)), draw(st.booleans()), machine


def check_choice(question: tuple[Network, int, bool, Machine]) -> None:
    """What holds of every choice: legal, linked layers together, near the best of all placements that there are."""
    network, ranks, exact, machine = question
    options = replace(Options(), exact=exact) if machine.name == "cpu" else replace(GPU, exact=exact)
    if exact and not splittable(network, ranks, exact=True):
        assert stopped(lambda: choose(network, RMSPROP, ranks, machine, Wish(), options)) is codes.CANNOT_LAY_OUT
        return
    found = choose(network, RMSPROP, ranks, machine, Wish(), options)
    placement = found.placement
    assert placement.ranks == ranks and placement.exact == exact
    assert placement.split <= splittable(network, placement.model, exact=exact)
    assert all(g <= placement.split or not g & placement.split for g in linked(network))
    assert [r.split for r in found.reasons] == [x.index in placement.split for x in network.layers]
    best = min(e.seconds for e in (found.estimate, *found.alternatives))
    assert found.estimate.seconds <= max(WORTH, TIE) * best
    if len(network.layers) <= 4:
        assert found.estimate.seconds <= WORTH * TIE * least(network, ranks, machine, options)


def least(network: Network, ranks: int, machine: Machine, options: Options) -> float:
    """The shortest step of all placements of the meshes, one by one."""
    estimate = estimator(network, RMSPROP, machine, options)
    found = []
    for model, data in meshes(ranks, None, RMSPROP.batch, options.exact):
        legal = [g for g in linked(network) if g <= splittable(network, model, exact=options.exact)]
        for count in range(len(legal) + 1):
            for some in combinations(legal, count):
                if some or model == 1:
                    split = frozenset().union(*some)
                    found.append(estimate(Placement(model, data, split, options.exact)).seconds)
    return min(found)


@given(question=questions())
@settings(max_examples=12, deadline=None)
def test_choices_are_legal_and_near_the_best(question: tuple[Network, int, bool, Machine]) -> None:
    check_choice(question)


@pytest.mark.full
@pytest.mark.timeout(900)
@given(question=questions())
@settings(max_examples=150, deadline=None)
def test_many_choices_are_legal_and_near_the_best(question: tuple[Network, int, bool, Machine]) -> None:
    check_choice(question)


FREE = Link(math.inf, 0.0)
NOTHING = Machine("nothing", {"tf32": math.inf}, math.inf, 0, 0.0, FREE, FREE)
PAIR = Placement(4, 1, frozenset((0, 2)))


def timed(machine: Machine, placement: Placement = PAIR) -> tuple[float, float, float]:
    network = networks.one_hidden(27_278, 128, 27_278)
    found = estimator(network, RMSPROP, machine, GPU)(placement)
    return found.compute, found.exchange, found.hidden


def test_each_figure_of_a_machine_counts() -> None:
    plan = estimator(networks.one_hidden(27_278, 128, 27_278), RMSPROP, NOTHING, GPU)(PAIR).plan
    assert timed(NOTHING) == (0, 0, 0)
    assert timed(replace(NOTHING, launch=1.0))[0] == len(plan.launches)
    assert timed(replace(NOTHING, flops={"tf32": 1.0}))[0] == pytest.approx(plan.flops)
    assert timed(replace(NOTHING, bandwidth=1.0))[0] == pytest.approx(plan.bytes)
    assert timed(replace(NOTHING, link=Link(math.inf, 1.0)))[1] == plan.collectives
    assert timed(replace(NOTHING, link=Link(1.0, 0.0)))[1] == pytest.approx(plan.wire)
    assert timed(replace(NOTHING, tree=Link(1.0, 1.0)))[1] == 0


def test_a_deterministic_placement_goes_by_the_tree() -> None:
    exact = replace(PAIR, exact=True)
    assert timed(replace(NOTHING, link=Link(1.0, 1.0)), exact)[1] == 0
    assert timed(replace(NOTHING, tree=Link(math.inf, 1.0)), exact)[1] == 3


def test_the_input_delta_passes_under_the_last_update_and_no_more() -> None:
    slow = replace(NOTHING, bandwidth=1e9, link=Link(math.inf, 1.0))
    _, exchange, hidden = timed(slow)
    assert 0 < hidden < 1 < exchange
    quick = replace(slow, bandwidth=1.0)
    assert timed(quick)[2] == 1.0  # one of the three collectives is that of the input delta


def test_processes_of_one_machine_divide_its_rates() -> None:
    alone, shared = replace(H200, shared=False), replace(H200, shared=True)
    assert shared.rates("tf32", 4) == tuple(rate / 4 for rate in alone.rates("tf32", 4))
    assert not with_link(CPU, "10GB/s").shared


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_machine_with_its_precisions(target: str) -> None:
    assert MACHINES[target].flops.keys() >= set(precisions(target))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("25GB/s,30us", Link(25e9, 30e-6)),
        ("30 us, 25 GB/s", Link(25e9, 30e-6)),
        ("100Gbit/s", Link(12.5e9, H200.link.latency)),
        ("1.5ms", Link(H200.link.speed, 1.5e-3)),
        ("0s,500B/s", Link(500.0, 0.0)),
    ],
)
def test_links_are_read(text: str, link: Link) -> None:
    made = with_link(H200, text)
    assert (
        made.link == pytest.approx(link)
        if False
        else (made.link.speed, made.link.latency) == pytest.approx((link.speed, link.latency))
    )
    assert made.tree.speed == made.link.speed


@pytest.mark.parametrize("text", ["", "fast", "1GB/s,2GB/s", "1us,2us", "-1us", "0GB/s", "1GB", "nan us", "1e3GB/s"])
def test_texts_that_are_no_link_are_refused(text: str) -> None:
    with pytest.raises(MalformedLinkError):
        with_link(H200, text)
