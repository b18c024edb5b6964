"""Deterministic mode: 1, 2 and 4 processes train the same weights and optimiser states, bit for bit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.exact_ranks import COMMAND, NETWORKS, OUTPUTS

ROOT = Path(__file__).parent.parent


def test_ranks_train_the_same_bits(tmp_path: Path) -> None:
    check(tmp_path, "some", len(OUTPUTS), (1, 4))


@pytest.mark.full
def test_ranks_train_the_same_bits_in_full(tmp_path: Path) -> None:
    check(tmp_path, "all", len(OUTPUTS) * len(NETWORKS), (1, 2, 4))


def check(folder: Path, which: str, count: int, sizes: tuple[int, ...]) -> None:
    """Trains with one rank and with several, prints what came out, and compares."""
    found = {}
    for size in sizes:
        done = subprocess.run(
            [*COMMAND, str(folder), str(size), which],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found[size] = (folder / f"{size}.txt").read_text().splitlines()
    for lines in zip(*found.values(), strict=True):
        for size, line in zip(found, lines, strict=True):
            print(f"{size} rank(s): {line}")
    assert len(found[1]) == count
    plain = {size: [re.sub(r" \[.*\]", "", line) for line in lines] for size, lines in found.items()}
    assert all(lines == plain[1] for lines in plain.values())
    assert all(("[-]" in line) == (size == 1) for size, lines in found.items() for line in lines)
