"""Tuning: a table that is measured, kinds that a network has none of, tiles that cannot run; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnlang.cli import run_command
from nnlang.codegen.triton import tiles
from nnlang.codegen.triton.tiles import DEFAULTS, Tile
from nnlang.codes import training as codes
from nnlang.diagnostics import stop
from nnlang.network import Network, Training
from nnlang.runtime import tune
from nnlang.runtime.devices import Device
from tests import tiny
from tests.kernels import device

FEW = {
    "elements": (Tile(8, 64, 4, 1), Tile(2, 64, 4, 1)),
    "pieces": (Tile(8, 64, 4, 1),),  # of sparse rows, which this network runs dense
    "linear_update": (Tile(64, 64, 4, 2), Tile(128, 256, 4, 2)),
    "walk_update": (),
}


def test_the_fastest_tile_of_each_kind_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = tiny.datasets(examples=4)
    trials: list[tune.Trial] = []
    monkeypatch.setattr(tune, "WARM", 0)
    monkeypatch.setattr(tune, "TIMED", 1)

    measured = tune.seconds

    def seconds(network: Network, sets: Any, settings: Training, device: Device) -> float:
        if device.options.tiles["linear_update"].BN == 256:  # what a GPU says of a tile that asks for too much
            raise stop(codes.DEVICE_FAILED, device="gpu", reason="out of resource: shared memory")
        return measured(network, sets, settings, device)

    monkeypatch.setattr(tune, "seconds", seconds)

    def note(trial: tune.Trial, done: int, total: int) -> None:
        assert (done, total) == (len(trials) + 1, 4)
        trials.append(trial)

    table = tune.tune(tiny.network(sets), sets, tiny.settings(), device(), note, FEW)
    assert set(table) == set(DEFAULTS)
    for kind in ("elements", "linear_update", "pieces"):
        taken = [t.tile for t in trials if t.kind == kind and t.best]
        assert table[kind] == (taken[-1] if taken else DEFAULTS[kind])
    refused = next(t for t in trials if t.tile.BN == 256)
    assert refused.seconds is None and "shared memory" in refused.reason and not refused.best
    assert all(t.seconds and t.seconds > 0 for t in trials if t is not refused)
    assert tiles.read(tiles.text(table)) == table


def test_the_committed_candidates_are_tables() -> None:
    for kind, found in tune.CANDIDATES.items():
        for tile in found:
            assert tiles.read(tiles.text({kind: tile}))[kind] == tile


def test_a_cpu_has_no_tiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tune", "-c", "x.json", "-i", "a.nc", "-o", "b.nc", "-t", str(tmp_path / "t.json"), "--device", "cpu"]
    assert run_command(words) == 5
    assert "tiles are those of a GPU's kernels" in capsys.readouterr().err


def test_a_table_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.json"
    table.write_text("{}")
    words = ["tune", "-c", "x.json", "-i", "a.nc", "-o", "b.nc", "-t", str(table), "--device", "interpret"]
    assert run_command(words) == 2
    assert "--overwrite" in capsys.readouterr().err and table.read_text() == "{}"
