"""Sums, maxima and gathers over real processes, beside one process and beside float64; what they send is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnlang.codegen import grid
from nnlang.diagnostics import DEVICE, Stop
from nnlang.runtime.collective import ALONE, heard, tree_sum
from nnlang.runtime.kernels import Tree
from tests.rank_server import Server, digest, numbers

COUNTS = st.integers(0, 40) | st.sampled_from([255, 256, 1023, 4099])
SHARED = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=[4, pytest.param(8, marks=pytest.mark.full)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(request.param)
    yield made
    made.close()


@SHARED
@given(data=st.data(), seed=st.integers(0, 99), count=COUNTS, dtype=st.sampled_from(["float32", "float64"]))
def test_exact_sums_are_those_of_the_tree(
    server: Server, data: st.DataObject, seed: int, count: int, dtype: str
) -> None:
    ranks = data.draw(st.integers(2, server.ranks))
    piece = data.draw(st.sampled_from([1 << 22, max(16, count // 3)]))
    found = server.ask("add", seed=seed, count=count, dtype=dtype, ranks=ranks, exact=True, piece=piece)[:ranks]
    assert {(x["bits"], x["again"], x["tree"]) for x in found} == {(found[0]["tree"],) * 3}
    assert all(x["near"] and x["max"] for x in found)
    size = {"float32": 4, "float64": 8}[dtype]
    assert {x["sent"] for x in found} == {2 * (ranks - 1) * -(-count // ranks) * size}


@SHARED
@given(data=st.data(), seed=st.integers(0, 99), count=COUNTS)
def test_other_sums_have_the_same_bits_on_all_ranks(server: Server, data: st.DataObject, seed: int, count: int) -> None:
    ranks = data.draw(st.integers(2, server.ranks))
    found = server.ask("add", seed=seed, count=count, dtype="float32", ranks=ranks, exact=False, piece=1 << 22)[:ranks]
    assert len({x["bits"] for x in found}) == 1 and all(x["near"] and x["max"] for x in found)
    assert {x["sent"] for x in found} == {2 * (ranks - 1) * -(-count // ranks) * 4}


@SHARED
@given(seed=st.integers(0, 99), depth=st.integers(0, 3), count=st.integers(1, 300))
def test_bits_do_not_depend_on_the_number_of_ranks(server: Server, seed: int, depth: int, count: int) -> None:
    leaves = server.ranks << depth
    bits = set()
    for ranks in (2, 4, 8):
        found = (
            server.ask("subtrees", seed=seed, leaves=leaves, count=count, ranks=ranks) if ranks <= server.ranks else []
        )
        bits |= {x[name] for x in found[:ranks] for name in ("bits", "tree")}
    assert len(bits) == 1


@SHARED
@given(data=st.data(), seed=st.integers(0, 9), rows=st.integers(0, 5), units=st.integers(512, 5000))
def test_units_are_gathered_by_parts(server: Server, data: st.DataObject, seed: int, rows: int, units: int) -> None:
    ranks = data.draw(st.integers(2, server.ranks))
    found = server.ask("gather", seed=seed, rows=rows, units=units, ranks=ranks)[:ranks]
    if grid.parts(units, ranks) is None:
        assert found == [{}] * ranks
        return
    assert all(x["same"] for x in found)
    assert {x["sent"] for x in found} == {(ranks - 1) * rows * found[0]["most"] * 4}


@given(seed=st.integers(0, 99), parts=st.integers(1, 40))
def test_the_tree_over_ranks_is_that_of_leaves(seed: int, parts: int) -> None:
    rows = torch.stack([numbers(seed, i, 7) for i in range(parts)])
    tree = Tree()
    tree.add_all(rows.clone())
    assert digest(tree_sum(rows.clone())) == digest(tree.total())


def test_alone_everything_is_there_and_nothing_is_sent() -> None:
    x, out = torch.tensor([[1.0, 2.0]]), torch.empty(1, 2)
    assert ALONE.sum(x) is x and ALONE.max(x) is x and torch.equal(ALONE.gather(x, out), x)
    ALONE.start_sum(x)()
    assert torch.equal(x, out) and (ALONE.rank, ALONE.size, ALONE.sent) == (0, 1, 0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[a/b.cc:5] Connection closed by peer [127.0.0.1]:9. Check it.", "Connection closed by peer [127.0.0.1]:9"),
        ("[a/b.cc:5] Timed out waiting 9ms for recv\nmore", "Timed out waiting 9ms for recv"),
        ("NCCL error in: somewhere", "NCCL error in: somewhere"),
    ],
)
def test_a_rank_that_is_gone_is_a_finding(said: str, told: str) -> None:
    with pytest.raises(Stop) as stopped, heard():
        raise RuntimeError(said)
    assert stopped.value.exit_code == DEVICE
    assert stopped.value.diagnostics[0].facts["reason"] == told


def test_a_mistake_of_ours_stays_one() -> None:
    with pytest.raises(RuntimeError, match="Invalid scalar type"), heard():
        raise RuntimeError("Invalid scalar type")
