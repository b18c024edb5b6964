"""The whole front: whatever is thrown at it becomes a network or findings, never an exception, and soon."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from nnlang import schema
from nnlang.definition import check
from nnlang.diagnostics import render
from nnlang.network import DataFacts, Kind, LayerType, Network
from nnlang.schema import Choice, Flag, Many, Number, Record, Text
from nnlang.source import Source

TEXTS = [p.read_text(encoding="utf-8") for p in sorted(Path("examples").glob("*/*.json"))]
SCRAPS = ["", '"', "{", "}", "[", "]", ",", ":", "\\", "\n", "x", "1", "/*", "//", "#", "\ud800", "\x00"]
SETS = ("in", "out", "input", "output", "gl_input", "gl_output")


def _facts(rng: random.Random) -> dict[str, DataFacts]:
    if rng.random() < 0.4:
        return {}
    flags = {name: (rng.random() < 0.5, rng.random() < 0.5) for name in SETS}
    return {n: DataFacts(n, 10, rng.choice((8, 128)), sparse=s, boolean=b) for n, (s, b) in flags.items()}


def _sound(text: str, rng: random.Random) -> Network | None:
    """What a text means; fails unless exactly one of a network and errors came out, and both can be printed."""
    start = time.perf_counter()
    result = check(Source("x.json", text), _facts(rng), need_shapes=rng.random() < 0.5)
    assert (result.network is None) == bool(result.report.errors)
    render(result.report.sorted())
    if result.network is not None and result.definition is not None:
        _consistent(result.network)
        assert result.network.dump()
        assert result.definition.dump()
    assert time.perf_counter() - start < 2
    return result.network


def _consistent(network: Network) -> None:
    for index, layer in enumerate(network.layers):
        assert layer.index == index
        assert all(s < index for s in (*layer.sources, *layer.skips))
        assert all(
            network.layers[s].units == layer.units or 0 in (layer.units, network.layers[s].units) for s in layer.skips
        )
        assert (layer.kind is Kind.INPUT) == (not layer.sources and not layer.skips)
        weighted = layer.kind is not Kind.INPUT and layer.type is not LayerType.POOLING
        assert len(network.weights_into(layer)) == (len(layer.sources) if weighted else 0)
    for weight in network.weights:
        owner = weight if weight.owner is None else network.weights[weight.owner]
        assert owner.owner is None
        ours, theirs = network.shape(weight), network.shape(owner)
        assert 0 in (*ours, *theirs) or ours == (theirs[::-1] if weight.transposed else theirs)


def _mutated(rng: random.Random) -> str:
    text = rng.choice(TEXTS)
    for _ in range(rng.randint(1, 4)):
        values = list(re.finditer(r':\s*("[^"]*"|[\d.-]+|true|false)', text))
        if rng.random() < 0.5 and values:
            place = rng.choice(values)
            text = text[: place.start(1)] + json.dumps(_any(rng)) + text[place.end(1) :]
        else:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(SCRAPS) + text[at + rng.randint(0, 6) :]
    return text


def _any(rng: random.Random) -> Any:
    choice = rng.choice((schema.ACTIVATION, schema.LAYER_KIND, schema.LAYER_TYPE, schema.POOLING, schema.SCHEME))
    return rng.choice(
        ["auto", "Hidden", "", 0, -1, 1e30, True, None, [], {}, [1, 2], rng.choice(choice.options).spelling]
    )


def _value(kind: schema.ValueType, rng: random.Random, names: list[str]) -> Any:
    """A value that the schema allows."""
    match kind:
        case Text():
            return rng.choice(names)
        case Flag():
            return rng.random() < 0.5
        case Number():
            low, high = max(kind.low, -4), min(kind.high, 6)
            return rng.randint(int(low), int(high)) if kind.integer else round(rng.uniform(low, high * 0.99), 3)
        case Choice():
            return rng.choice(kind.accepted).spelling
        case Many(of, most):
            if kind.word and rng.random() < 0.3:
                return kind.word
            return [_value(of, rng, names) for _ in range(rng.randint(1, most or 3))]
        case Record(table):
            return {k.name: _value(k.type, rng, names) for k in table.keys if k.required or rng.random() < 0.5}
    raise AssertionError(kind)


def _layer(place: int, count: int, rng: random.Random) -> dict[str, Any]:
    kind = "I" if place == 0 else "O" if place == count - 1 else rng.choice("IHHHO")
    type_ = rng.choice(("FullyConnected", "FullyConnected", "Convolutional", "Pooling"))
    layer: dict[str, Any] = {"Name": f"L{place}", "Kind": {"I": "Input", "H": "Hidden", "O": "Output"}[kind], "N": 8}
    if kind != "I":
        layer["Type"] = type_
    earlier = [f"L{i}" for i in range(max(1, place))]
    names = {"Source": earlier, "Skip": earlier, "DataSet": ["in"], "SharedWeights": [*earlier, f"L{place}"]}
    for key in schema.LAYER.keys:
        wanted = key.name in ("DataSet", "Function") or rng.random() < 0.15
        if (
            wanted
            and kind in key.kinds
            and type_[0] in key.types
            and key.name not in ("Name", "Kind", "Type", "Activation")
        ):
            layer[key.name] = _value(key.type, rng, names.get(key.name, earlier))
    return layer


def _generated(rng: random.Random) -> str:
    count = rng.randint(2, 6)
    layers = [_layer(i, count, rng) for i in range(count)]
    return json.dumps({"ErrorFunction": rng.choice(("L1", "L2", "CrossEntropy")), "Layers": layers})


@pytest.mark.parametrize("seed", range(4))
def test_mutated_definitions(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        _sound(_mutated(rng), rng)


@pytest.mark.parametrize("seed", range(4))
def test_generated_definitions(seed: int) -> None:
    rng = random.Random(seed)
    assert sum(_sound(_generated(rng), rng) is not None for _ in range(200)) > 10


@pytest.mark.full
def test_many_definitions() -> None:
    rng = random.Random(12134)
    for _ in range(50_000):
        _sound(_mutated(rng), rng)
        _sound(_generated(rng), rng)


def test_the_front_needs_no_torch_and_no_numpy() -> None:
    import subprocess
    import sys

    code = "import sys, nnlang.definition, nnlang.job; print({'torch', 'numpy', 'typer'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
