"""Shared by all tests: golden texts, and `--bless` to write them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write golden files from what the code says now")


def pytest_configure(config: pytest.Config) -> None:
    """Kernels of the test process are interpreted; only `-m gpu` compiles them for the GPU (one process, one way)."""
    if config.getoption("markexpr") != "gpu":
        os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the file that holds what it should be; under `--bless` writes the file instead."""
    bless = bool(request.config.getoption("--bless"))

    def compare(path: Path, text: str) -> None:
        if bless:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path} is missing; look at the output and write it with --bless:\n{text}"
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; if that is meant, write it with --bless"

    return compare
