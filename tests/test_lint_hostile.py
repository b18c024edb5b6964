"""Lint on damaged definitions: it ends, soon, with findings or without, and its fixes never make a text worse."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnlang.definition import check
from nnlang.linting.check import MOST, lint
from nnlang.linting.edits import mended, set_back
from nnlang.linting.settings import Settings
from nnlang.network import DataFacts
from nnlang.rules.rule import Saved
from nnlang.source import Source
from tests.definitions import definitions
from tests.test_planted import TEXT

EXAMPLES = tuple(p.read_text(encoding="utf-8") for p in sorted(Path("examples").rglob("*.json")))
PLAIN = Settings(extend_select=("NN",))
EVERYTHING = Settings(extend_select=("NN",), memory=24_000_000_000)
DATA = {name: DataFacts(name, 100, 64, sparse=True, boolean=True, entries=400) for name in ("gl_input", "gl_output")}
WIDTHS = {name: replace(facts, width=27278, assumed=True) for name, facts in DATA.items()}
PART = {"gl_input": DATA["gl_input"]}
SMALL = tuple(
    Settings(extend_select=("NN",), memory=memory, batch=batch)
    for memory in (1, 1_000_000, 40_000_000)
    for batch in (1, 256, 2**31 - 1)
)
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
SIMPLE = (
    """{ "Layers": [ { "Name": "Input", "DataSet": "gl_input", "N": "auto" },
  { "Name": "Hidden", "N": 64 },
  { "Name": "Output", "DataSet": "gl_output", "N": "auto" } ] }""",
)
MEMBERS: tuple[dict[str, object], ...] = (
    {"Source": []},
    {"Source": [], "Skip": "Input"},
    {"WeightInit": {"Bias": -800}},
    {"WeightInit": {"Bias": 3e38, "Scheme": "Constant"}},
    {"WeightInit": {"Scheme": "Gaussian", "Scale": 3e38}},
    {"Kind": "Pooling"},
    {"Activation": "Linear"},
    {"DataSet": "gl_output"},
    {"N": 64},
)
NUMBERS = ("0", "1", "-1", "-800", "1e38", "-3e38", "1e-38", "2147483647", "0.999999", "1.5", "auto", "[]", "[4, 4]")
NUMBER = re.compile(r"(?<![\w.])-?\d+(\.\d+)?")
CODE = ("NN1", "NN", "NN5", "NN3", "NN404", "NN5, NN6", "NN999", "", "NN530", "NN430,NN431", "nn5")


def _saved() -> Saved:
    """A model with other layers than the definitions have, and some that are alike."""
    network = check(Source("saved.json", EXAMPLES[0].replace('"auto"', "64")), need_shapes=False).network
    assert network is not None
    return Saved("model.nc", network)


SAVED = _saved()


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


def _number(text: str, rng: random.Random) -> str:
    """Some number becomes one at the end of what can be written."""
    found = list(NUMBER.finditer(text))
    if not found:
        return text
    place = rng.choice(found)
    return text[: place.start()] + rng.choice(NUMBERS) + text[place.end() :]


def _member(text: str, rng: random.Random) -> str:
    """Some layer, or all but the first, read nothing, are added to something, begin at an end of the numbers."""
    try:
        thing = json.loads(text)
        layers = [layer for layer in thing["Layers"][1:] if isinstance(layer, dict)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return text
    if rng.random() < 0.3:
        thing["Layers"] = [*thing["Layers"][:1], *layers[-1:]]
    for layer in layers if rng.random() < 0.3 else layers[-1:]:
        layer.update(rng.choice(MEMBERS))
    return json.dumps(thing, indent=1)


def _directive(text: str, rng: random.Random) -> str:
    ends = [m.start() for m in re.finditer(r"\n|$", text)]
    end = rng.choice(ends)
    word = rng.choice(("ignore", "ignore-file", "ignored"))
    return f"{text[:end]} // nnlang: {word}[{rng.choice(CODE)}] reason{text[end:]}"


def _lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    rng.shuffle(lines)
    return "\n".join(lines)


TORN: tuple[Callable[[str, random.Random], str], ...] = (_cut, _sign, _sign, _sign, _word, _moved, _doubled, _lines)
WHOLE: tuple[Callable[[str, random.Random], str], ...] = (_number, _member, _member, _member, _directive)


def mutated(rng: random.Random) -> str:
    """A sound or generated definition with one to four changes; half of the time all of them leave it readable."""
    changes = WHOLE if rng.random() < 0.5 else TORN + WHOLE
    text = rng.choice((*EXAMPLES, *SIMPLE * 4, TEXT)) if rng.random() < 0.8 else json.dumps(definitions(rng))
    for _ in range(rng.choice((1, 1, 2, 4))):
        text = rng.choice(changes)(text, rng)
    return text


def slowest(seed: int, count: int) -> float:
    """Lints texts with every rule, some with data; every so often mends them. Seconds of the slowest."""
    rng, worst = random.Random(seed), 0.0
    for number in range(count):
        text = mutated(rng)
        source, data = Source("config.json", text), rng.choice((DATA, WIDTHS, PART, {}, {}))
        settings = rng.choice((EVERYTHING, *SMALL)) if rng.random() < 0.2 else PLAIN  # footprints take their time
        saved = rng.choice((None, None, SAVED))
        start = time.perf_counter()
        found = lint(source, settings, data, saved)
        worst = max(worst, time.perf_counter() - start)
        assert len(found) <= MOST + 1
        for finding in found:
            assert finding.diagnostic.message
        if number % 10 == 0:
            _mends(source, data)
    return worst


def _mends(source: Source, data: dict[str, DataFacts]) -> None:
    for unsafe in (False, True):
        after, _ = mended(source, lambda s: lint(s, PLAIN, data), unsafe=unsafe)
        before, now = lint(source, PLAIN, data), lint(after, PLAIN, data)
        assert not set_back(before, now, guessed=False)  # a safe step may bring more to light, never less to read


@pytest.mark.parametrize("seed", range(2))
def test_mutated_definitions_end_in_findings(seed: int) -> None:
    assert slowest(seed, 250) < 1


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 140))
def test_two_hundred_thousand_mutated_definitions(seed: int) -> None:
    assert slowest(seed, 5_000) < 1


_OUT = '{ "Name": "Output", "Kind": "Output", "N": 64, "DataSet": "gl_output"%s }'
_HIDDEN = '{ "Name": "Input", "DataSet": "gl_input", "N": 64 }, { "Name": "Hidden", "N": 64 }'
_INPUT = '{ "Name": "Input", "DataSet": "gl_input", "N": 64 }'


@pytest.mark.parametrize(
    ("layers", "memory"),
    [
        (f'{_INPUT}, {_OUT % """, "Source": [], "Skip": "Input" """}', None),
        (f'{_INPUT}, {_OUT % """, "Source": [], "Skip": "Input" """}', 1_000),
        (f'{_HIDDEN}, {_OUT % """, "WeightInit": { "Bias": -800 } """}', None),
        (f'{_HIDDEN}, {_OUT % """, "WeightInit": { "Bias": 3e38 } """}', None),
        (f'{_HIDDEN}, {_OUT % """, "WeightInit": { "Scale": 3e38, "Scheme": "Gaussian" } """}', 1),
    ],
)
@pytest.mark.parametrize("data", [{}, DATA, {name: replace(d, assumed=True) for name, d in DATA.items()}])
def test_numbers_at_their_ends(layers: str, memory: int | None, data: dict[str, DataFacts]) -> None:
    text = f'{{ "Layers": [ {layers} ] }}'
    found = lint(Source("a.json", text), Settings(extend_select=("NN",), memory=memory), data)
    assert all(finding.diagnostic.message for finding in found)
    assert bool(memory) == ("NN430" in {f.diagnostic.code.code for f in found})
