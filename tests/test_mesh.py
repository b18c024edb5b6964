"""The mesh over real processes: what is shared, who adds up with whom, what comes together on the first rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.codes import ranks as codes
from nnlang.diagnostics import USAGE, Stop
from nnlang.placement import ALONE
from nnlang.runtime.mesh import ALONE_MESH, join
from nnlang.runtime.world import World, in_ranks, world
from tests.rank_server import Server

RANKS = 4
FACTS = {
    "definition": "0a1b",
    "settings": "batch 256",
    "data set gl_input": "9f" * 32,
    "nnlang": "1.0",
    "torch": "2.13",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(RANKS)
    yield made
    made.close()


@settings(deadline=None, max_examples=15)
@given(values=st.lists(JSON, min_size=RANKS, max_size=RANKS))
def test_values_are_shared(server: Server, values: list[Any]) -> None:
    assert server.ask("control", *values) == [{"shared": values[0], "everyone": values}] * RANKS


@pytest.mark.parametrize("length", [0, 502, 503, 100_000])
def test_values_of_every_length_are_shared(server: Server, length: int) -> None:
    values = ["x" * (length + rank) for rank in range(RANKS)]
    assert server.ask("control", *values) == [{"shared": values[0], "everyone": values}] * RANKS


@pytest.mark.parametrize(
    ("model", "groups", "others"),
    [(4, [15] * 4, [1, 2, 4, 8]), (2, [3, 3, 12, 12], [5, 10, 5, 10]), (1, [1, 2, 4, 8], [15] * 4)],
)
def test_ranks_lie_in_groups(server: Server, model: int, groups: list[int], others: list[int]) -> None:
    found = server.ask("lay", model=model)
    assert [x["model"] for x in found] == groups and [x["data"] for x in found] == others
    assert [x["sizes"] for x in found] == [[model, RANKS // model]] * RANKS
    assert [x["ranks"] for x in found] == [[rank % model, rank // model] for rank in range(RANKS)]


@pytest.mark.parametrize(
    ("shape", "dim", "model"),
    [((2100, 3), 0, 4), ((3, 2100), 1, 4), ((2100,), 0, 2), ((1024, 4100), 0, 4), ((5000, 1024), 1, 4)],
)
def test_parts_come_together_on_the_first_rank(server: Server, shape: tuple[int, ...], dim: int, model: int) -> None:
    found = server.ask("collect", shape=list(shape), dim=dim, model=model)
    assert [x["same"] for x in found] == [True, None, None, None]


def test_ranks_agree(server: Server) -> None:
    assert server.ask("agree", *[FACTS] * RANKS) == [""] * RANKS


@pytest.mark.parametrize("what", FACTS)
@pytest.mark.parametrize("rank", [0, 2])
def test_what_differs_is_told_on_every_rank(server: Server, what: str, rank: int) -> None:
    facts: list[dict[str, str]] = [FACTS] * RANKS
    facts[rank] = FACTS | {what: "other"}
    found = server.ask("agree", *facts)
    assert len(set(found)) == 1 and found[0].startswith(f"{USAGE} error[NN802]")
    assert f"the same {what}: " in found[0] and "`other`" in found[0]
    assert f"on rank {rank or 1}\n" in found[0]


def test_a_fact_that_one_rank_alone_has_is_told(server: Server) -> None:
    assert "the same more: " in server.ask("agree", FACTS, FACTS, FACTS | {"more": "x"}, FACTS)[3]


def test_alone_nothing_is_asked_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    mesh = join().lay(ALONE)
    assert mesh == ALONE_MESH and mesh.is_first and not in_ranks()
    assert mesh.share({"a": 1}) == {"a": 1} and mesh.everyone(3) == [3]
    whole = mesh.collect(torch.arange(6.0).view(2, 3), 1, [(0, 3)])
    assert whole is not None and np.array_equal(whole, [[0, 1, 2], [3, 4, 5]])
    mesh.agree(FACTS)
    mesh.barrier()
    mesh.close()
    assert (mesh.model.size, mesh.data.size, mesh.sent) == (1, 1, 0)


TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "a", "MASTER_PORT": "1",
    "TORCHELASTIC_RESTART_COUNT": "2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "there"),
    [
        ({}, World()),
        ({"RANK": "0"}, World()),
        ({"RANK": "0", "WORLD_SIZE": "1"}, World()),
        (TORCHRUN, World(5, 8, 1, 4, 2)),
        ({"RANK": "1", "WORLD_SIZE": "2", "NNLANG_RANKS": "/x"}, World(1, 2, folder="/x")),
    ],
)
def test_the_environment_says_which_rank_this_is(environment: dict[str, str], there: World) -> None:
    assert world(environment) == there


@pytest.mark.parametrize(
    ("name", "value"),
    [("RANK", "8"), ("RANK", "-1"), ("RANK", ""), ("RANK", "x"), ("RANK", "\u0663"), ("WORLD_SIZE", "0"),
     ("WORLD_SIZE", "9" * 30), ("LOCAL_RANK", "4"), ("LOCAL_WORLD_SIZE", "9"), ("TORCHELASTIC_RESTART_COUNT", "no"),
     ("MASTER_ADDR", None), ("MASTER_PORT", None)],
)  # fmt: skip
def test_nonsense_in_the_environment_is_told(name: str, value: str | None) -> None:
    given_ = TORCHRUN | ({} if value is None else {name: value})
    if value is None:
        del given_[name]
    with pytest.raises(Stop) as stopped:
        world(given_)
    found = stopped.value.diagnostics[0]
    assert found.code is codes.BAD_WORLD and str(found.facts["name"]) in (name, "MASTER_ADDR")
