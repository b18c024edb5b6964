"""The demo end to end on a smaller sample: everything that it prints, and that its definition is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.cli.demo import DEFINITION
from nnlang.definition import check
from nnlang.source import Source


def test_the_demo_definition_has_nothing_to_complain_about() -> None:
    assert check(Source("demo", DEFINITION), need_shapes=False).report.diagnostics == []


def test_the_demo_beats_popularity_and_shows_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"
    assert run_command(["demo", "-o", str(folder), "--users", "600", "--items", "300", "--entries", "18000"]) == 0
    out = capsys.readouterr().out
    ours, popular = next(line.split()[1:3] for line in out.splitlines() if "precision@10" in line)
    assert float(ours) > 1.3 * float(popular)
    assert sum(line.startswith("  u0") for line in out.splitlines()) == 5
    assert "nnlang predict -n model.nc" in out
    assert len((folder / "recs").read_text().splitlines()) == 600
