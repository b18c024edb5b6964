"""Sessions of ranks: each reads its part of the data, and all have the same definition, settings, data and layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnlang.diagnostics import Stop
from nnlang.placement import ALONE, Placement
from nnlang.runtime.dataset import read_all, sparse_set, write
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.session import Session, prepare
from nnlang.runtime.slices import sliced
from nnlang.runtime.train import TrainResult, train
from tests.ranks import ThreadMesh, meshed
from tests.wide import WIDE, data, gap, laid, net, rows_of

DEFINITION = """{"Version": 0.9, "Name": "wide", "Kind": "FeedForward", "ErrorFunction": "CrossEntropy", %s "Layers": [
  {"Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true},
  {"Name": "Hidden", "Kind": "Hidden", "N": 8, "Activation": "Sigmoid"},
  {"Name": "Output", "Kind": "Output", "N": "auto", "DataSet": "%s", "Activation": "Sigmoid"}]}"""


def prepared(folder: Path, placement: Placement, prepare_as: str = "", target: str = "output") -> list[Session]:
    """The sessions of the ranks of a placement, on files in a folder."""
    config = folder / "config.json"
    config.write_text(DEFINITION % (prepare_as, target))
    files = [folder / f"{name}.nc" for name in data()]
    for file, one in zip(files, data().values(), strict=True):
        write(file, [replace(one, labels=tuple(f"film {i}" for i in range(WIDE)))])

    def work(mesh: Mesh) -> Session:
        return prepare(config, files, {"epochs": 1, "batch": 16}, mesh=mesh, choose=lambda *_: placement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadMesh, "lay", lambda self, wanted: self)  # it was laid when it was made
        return meshed(placement, work)


def test_each_rank_reads_its_part(tmp_path: Path) -> None:
    placement = laid(net(), 4)
    found = prepared(tmp_path, placement)
    whole = read_all([tmp_path / "input.nc", tmp_path / "output.nc"])
    for rank, session in enumerate(found):
        assert session.placement == placement and session.network == found[0].network
        for name, one in session.datasets.items():
            first, last = 512 * rank, min(WIDE, 512 * (rank + 1))
            wanted = sliced(whole[name], first, last)
            assert one.part == (first, last) and one.sha256 == wanted.sha256
            assert np.array_equal(one.index, wanted.index) and np.array_equal(one.lengths, wanted.lengths)
    assert len(found[0].labels["input"]) == WIDE and not found[1].labels
    (alone,) = [prepare(tmp_path / "config.json", [Path(d.path) for d in whole.values()], {"epochs": 1, "batch": 16})]
    assert found[0].network == alone.network and found[0].labels == alone.labels


@pytest.mark.parametrize(
    ("step", "target"),
    [("", "input"), ('"Preparation": [{"Step": "TopFrequency", "DataSet": "input", "N": 900}],', "output")],
)
def test_whole_sets_where_parts_will_not_do(tmp_path: Path, step: str, target: str) -> None:
    """A data set of which two layers need other units; one that is to be prepared."""
    placement = Placement(2, 1, frozenset([0]), exact=True)
    found = prepared(tmp_path, placement, step, target)
    assert all(session.datasets["input"].part is None for session in found)

    def work(mesh: Mesh) -> TrainResult:
        session = found[mesh.rank]
        given = {"output": tmp_path / "many.nc", "mesh": mesh}
        return train(session.network, session.datasets, session.settings, **given)  # type: ignore[arg-type]

    meshed(placement, work)
    one = found[0]
    train(
        one.network,
        one.datasets,
        one.settings,
        output=tmp_path / "one.nc",
        mesh=ALONE_MESH.lay(replace(ALONE, exact=True)),
    )
    assert gap(tmp_path / "many.nc", tmp_path / "one.nc") == 0


@pytest.mark.parametrize("what", ["definition", "settings", "data set `input`", "split layers"])
def test_ranks_that_differ_are_told(tmp_path: Path, what: str) -> None:
    placement = laid(net(), 2)
    prepared(tmp_path, placement)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.json", "input.nc", "output.nc"):
        (other / name).write_bytes((tmp_path / name).read_bytes())
    if what == "definition":
        (other / "config.json").write_text((tmp_path / "config.json").read_text() + " ")
    if what == "data set `input`":
        write(other / "input.nc", [sparse_set("input", *rows_of(WIDE, 4), width=WIDE)])

    def work(mesh: Mesh) -> str:
        folder = tmp_path if mesh.is_first else other
        settings = {"epochs": 1, "batch": 16, "seed": mesh.rank + 1 if what == "settings" else 1}
        split = placement if mesh.is_first or what != "split layers" else replace(placement, split=frozenset([0]))
        files = [folder / "input.nc", folder / "output.nc"]
        with pytest.raises(Stop) as stopped:
            prepare(folder / "config.json", files, settings, mesh=mesh, choose=lambda *_: split)
        assert stopped.value.diagnostics[0].code.code == "NN802"
        return str(stopped.value.diagnostics[0].facts["what"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadMesh, "lay", lambda self, wanted: self)
        assert meshed(placement, work) == [what, what]
