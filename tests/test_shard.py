"""The shard pass: programs of all ranks together compute what one program does; what they send is what plans say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nnlang.codegen import grid
from nnlang.codegen.cost import ELEMENT
from nnlang.codegen.grid import is_exact, leaf, parts
from nnlang.compiler import linked, splittable, structure
from nnlang.lower import lower
from nnlang.network import Network, Training
from nnlang.ops import Axis, Result
from nnlang.placement import Placement
from nnlang.runtime.interpreter import Evaluated
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.program import Program, feed_for
from tests.drawn import SEED, cases, interpreted, numbers_of, states_of, trainings
from tests.oracle_cases import Case
from tests.programs import datasets
from tests.ranks import meshed
from tests.test_passes import COMPILED, same

Value = tuple[tuple[Axis, ...], torch.Tensor]
ENTRIES = ("predict", "step", "gradient", "evaluate")
ANY = list(HealthCheck)


@pytest.fixture(scope="module", autouse=True)
def small_leaves() -> object:
    """Leaves of one unit, so that layers of a handful of units can be split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "SMALLEST", 1)
        patch.setattr(grid, "ALIGN", 1)
        yield


def over(case: Case, entry: str, training: Training, placement: Placement, dtype: torch.dtype) -> Evaluated:
    """What the ranks of a placement give and write together, put side by side."""
    rows = len(next(iter(case.inputs.values())))

    def work(mesh: Mesh) -> tuple[list[Value], list[Value]]:
        ids = np.array_split(np.arange(rows), placement.data)[placement.data_rank(mesh.rank)]
        batch = -(-rows // placement.data)
        program = Program(case.network, [entry], batch, training, dtype, placement=placement, mesh=mesh)
        low = program.compiled.lowered[entry]
        whole = states_of(case, lower(case.network, entry, structure(training)))
        for info, start in zip(low.states, whole.values(), strict=True):
            mine = start[tuple(slice(a.first, a.first + (a.size or 0)) for a in info.axes)]
            program.states[info].copy_(mine.t() if info.transposed else mine)
        part = feed_for(program, entry, datasets(case)).batch(ids)
        results = program.run(entry, part, numbers_of(case, training) | {"inv": 1 / rows}, seed=SEED)
        if len(ids) == batch:
            assert mesh.sent == program.compiled.plans[entry].wire * dtype.itemsize // ELEMENT
        types = [r.type.axes for r in low.roots if isinstance(r, Result)]
        states = [(i.axes, program.states[i].t() if i.transposed else program.states[i]) for i in low.states]
        return list(zip(types, (r.clone() for r in results), strict=True)), states

    ranks = meshed(placement, work)
    results = [_joined([r[0][i] for r in ranks], placement) for i in range(len(ranks[0][0]))]
    states = [_joined([r[1][i] for r in ranks], placement) for i in range(len(ranks[0][1]))]
    return Evaluated(dict(enumerate(results)), dict(enumerate(states)))


def _joined(found: list[Value], placement: Placement) -> torch.Tensor:
    """A value of which each rank has its units, each group its rows; what several have must be equal."""
    groups = []
    for d in range(placement.data):
        mine = found[d * placement.model : (d + 1) * placement.model]
        split = [i for i, a in enumerate(mine[0][0]) if a.is_split]
        if split:
            groups.append(torch.cat([t for _, t in mine], split[0]))
        else:
            assert all(torch.equal(t, mine[0][1]) for _, t in mine)
            groups.append(mine[0][1])
    axes = found[0][0]
    if placement.data > 1 and axes and axes[0].name == "batch":
        return torch.cat(groups)
    assert all(torch.equal(g, groups[0]) for g in groups)
    return groups[0]


def legal(network: Network, wanted: frozenset[int], placement: Placement) -> Placement:
    """The placement with what of `wanted` can be split."""
    split = wanted & splittable(network, placement.model, exact=placement.exact)
    for group in linked(network):
        if not group <= split:
            split -= group
    return replace(placement, split=split)


MESHES = st.sampled_from(((2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (2, 2)))
WANTED = st.frozensets(st.integers(0, 8))
DRAWN = given(cases(), trainings(), st.sampled_from(ENTRIES), MESHES, st.booleans(), WANTED)


@DRAWN
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=ANY)
def test_ranks_together_mean_what_one_does(
    case: Case, training: Training, entry: str, mesh: tuple[int, int], exact: bool, wanted: frozenset[int]
) -> None:
    check(case, training, entry, mesh, exact, wanted)


@pytest.mark.full
@DRAWN
@settings(max_examples=600, deadline=None, suppress_health_check=ANY)
def test_ranks_together_mean_what_one_does_in_full(
    case: Case, training: Training, entry: str, mesh: tuple[int, int], exact: bool, wanted: frozenset[int]
) -> None:
    check(case, training, entry, mesh, exact, wanted)


def check(
    case: Case, training: Training, entry: str, mesh: tuple[int, int], exact: bool, wanted: frozenset[int]
) -> None:
    """One case of the property: on a mesh of so many model and data ranks, with what of `wanted` can be split."""
    model, data = mesh
    assume(data == 1 or entry in ("step", "evaluate"))
    placement = legal(case.network, wanted, Placement(model, data, exact=exact and data == 1))
    low = lower(case.network, entry, structure(training))
    same(over(case, entry, training, placement, torch.float64), interpreted(case, low, low.roots, training), COMPILED)


@given(units=st.integers(1, 200_000), ranks=st.integers(1, 64), small=st.sampled_from((1, 256)))
def test_parts_are_whole_leaves_of_all_units(units: int, ranks: int, small: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "SMALLEST", small)
        patch.setattr(grid, "ALIGN", 1 if small == 1 else 64)
        dealt, size = parts(units, ranks), leaf(units)
        if dealt is None:
            assert -(-units // size) < ranks and not is_exact(units, ranks)
            return
        assert len(dealt) == ranks and dealt[0][0] == 0 and dealt[-1][1] == units
        assert all(last > first and first % size == 0 for first, last in dealt)
        assert all(a[1] == b[0] for a, b in pairwise(dealt))
        if is_exact(units, ranks) and ranks > 1:
            widths = {last - first for first, last in dealt[:-1]}
            (width,) = widths
            assert (width // size) & (width // size - 1) == 0, "a whole subtree"
            assert width % grid.gather_leaf(units) == 0, "whole leaves of sparse rows"
