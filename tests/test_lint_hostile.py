"""Lint on damaged definitions: it ends, soon, with findings or without, and its fixes never make a text worse."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nnlang.linting.check import MOST, lint
from nnlang.linting.edits import mended, set_back
from nnlang.linting.settings import Settings
from nnlang.network import DataFacts
from nnlang.source import Source
from tests.definitions import definitions
from tests.test_planted import TEXT

EXAMPLES = tuple(p.read_text(encoding="utf-8") for p in sorted(Path("examples").rglob("*.json")))
EVERYTHING = Settings(extend_select=("NN",), memory=24_000_000_000)
DATA = {name: DataFacts(name, 100, 64, sparse=True, boolean=True, entries=400) for name in ("gl_input", "gl_output")}
SIGNS = (
    *'{}[],:"',
    "//",
    "/*",
    "*/",
    "\n",
    "\\",
    "'",
    "\x00",
    "\ufeff",
    "\u202e",
    "\U0001f600",
    "e9",
    "-",
    "null",
    "1e999",
)
WORDS = ("N", "Source", "Kind", "Output", "auto", "Input", "nnlang: ignore[NN5]", "// nnlang: ignore[", "Layers")


def _cut(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.randrange(1, 40) :]


def _sign(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + rng.choice(SIGNS) * rng.choice((1, 1, 1, 3)) + text[start + rng.choice((0, 1)) :]


def _word(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + rng.choice(WORDS) + text[start:]


def _moved(text: str, rng: random.Random) -> str:
    a, b, c = sorted(rng.randrange(len(text) + 1) for _ in range(3))
    return text[:a] + text[b:c] + text[a:b] + text[c:]


def _doubled(text: str, rng: random.Random) -> str:
    a, b = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return text[:b] + text[a:b] * rng.choice((1, 1, 1, 5)) + text[b:]


def _lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    rng.shuffle(lines)
    return "\n".join(lines)


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (_cut, _sign, _sign, _sign, _word, _moved, _doubled, _lines)


def mutated(rng: random.Random) -> str:
    """A sound or generated definition with one to four changes."""
    text = rng.choice((*EXAMPLES, TEXT)) if rng.random() < 0.8 else json.dumps(definitions(rng))
    for _ in range(rng.choice((1, 1, 2, 4))):
        text = rng.choice(CHANGES)(text, rng)
    return text


def slowest(seed: int, count: int) -> float:
    """Lints texts with every rule, some with data; every so often mends them. Seconds of the slowest."""
    rng, worst = random.Random(seed), 0.0
    for number in range(count):
        text = mutated(rng)
        source, data = Source("config.json", text), DATA if rng.random() < 0.3 else {}
        start = time.perf_counter()
        found = lint(source, EVERYTHING, data)
        worst = max(worst, time.perf_counter() - start)
        assert len(found) <= MOST + 1
        for finding in found:
            assert finding.diagnostic.message
        if number % 10 == 0:
            _mends(source, data)
    return worst


def _mends(source: Source, data: dict[str, DataFacts]) -> None:
    for unsafe in (False, True):
        after, _ = mended(source, lambda s: lint(s, EVERYTHING, data), unsafe=unsafe)
        assert not set_back(lint(source, EVERYTHING, data), lint(after, EVERYTHING, data))


@pytest.mark.parametrize("seed", range(4))
def test_mutated_definitions_end_in_findings(seed: int) -> None:
    assert slowest(seed, 250) < 1


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 140))
def test_two_hundred_thousand_mutated_definitions(seed: int) -> None:
    assert slowest(seed, 5_000) < 1
