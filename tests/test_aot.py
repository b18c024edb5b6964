"""Kernels compiled ahead of time, with no GPU present: every skeleton for every target, and what `compile` writes."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnlang.cli import run_command
from nnlang.codegen import triton as skeleton_folder
from nnlang.codegen.pipeline import TARGETS, Options
from nnlang.codegen.triton.emit import LAUNCHES
from nnlang.compiler import Compiled, compile_network
from nnlang.diagnostics import DEVICE, DISK, USAGE, Stop
from nnlang.network import Activation, Network, Optimizer, Sparseness, Training
from nnlang.runtime import aot, aotprocess, modules
from nnlang.runtime.aot import Launch, compile_launches, without_places
from nnlang.runtime.resources import LIMITS, occupancy
from tests.networks import bind, build, facts, hidden, output, source

ROOT = Path(__file__).parent.parent
GPUS = TARGETS[1:-1]
ENTRIES = ("step", "gradient")
BATCH = 256


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of this file share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLANG_CACHE", str(cache))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)


def everything() -> Network:
    """A network whose training step and gradient need every kind of kernel."""
    rows = [
        source("Words", 3000, sparse=True, denoising=True),
        source("Numbers", 40),
        source("Tags", 50),
        hidden("First", 600, "Words", dropout=0.5, sparse=True, sparseness=Sparseness(0.1, 1.0), weight_norm=1.0),
        hidden("Second", 128, "First", "Numbers", "Tags", batch_normalization=True, activation=Activation.RELU),
        output("Likely", 27_278, "Second", activation=Activation.SOFTMAX),
        output("Liked", 27_278, "Second"),
        output("Measured", 3, "Second", activation=Activation.LINEAR),
    ]
    network = build("everything", rows, denoising=0.3, sparseness=Sparseness(0.1, 1.0))
    return bind(
        network,
        facts("numbers", 40, sparse=False, boolean=False, entries=0),
        facts("tags", 50, entries=64 * 40),
        facts("liked", 27_278, boolean=False),
        facts("measured", 3, sparse=False, boolean=False, entries=0),
    )


def compiled(target: str = "cuda:90") -> Compiled:
    training = Training(optimizer=Optimizer.RMSPROP)
    return compile_network(everything(), ENTRIES, BATCH, training, Options(target, "tf32"))


def skeletons() -> dict[str, list[str]]:
    """The lines without holes of each kernel skeleton."""
    found = {}
    for info in pkgutil.iter_modules(skeleton_folder.__path__):
        for name, text in vars(importlib.import_module(f"{skeleton_folder.__name__}.{info.name}")).items():
            if isinstance(text, str) and "@triton.jit" in text:
                lines = (line.strip() for line in text.splitlines())
                found[name] = [line for line in lines if line and "{" not in line and not line.startswith("@")]
    return found


def kernels(source: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each kernel of a module what it is (kind and part) and the skeletons that it may be made of."""
    every, found = skeletons(), {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            lines = {line.strip() for line in ast.get_source_segment(source, node).splitlines()}  # type: ignore[union-attr]
            made_of = tuple(name for name, fixed in every.items() if lines.issuperset(fixed))
            found[node.name] = (re.sub(r"^(step|gradient)_|_(sigmoid|relu|\d+)", "", node.name), made_of)
    return found


def test_the_network_of_these_tests_needs_every_kind_and_skeleton() -> None:
    made = compiled()
    assert {launch.kind for plan in made.plans.values() for launch in plan.launches} == set(LAUNCHES)
    assert {name for _, made_of in kernels(made.source).values() for name in made_of} == set(skeletons())


CHILD = """
import json, sys
from dataclasses import asdict
from nnlang.runtime.aot import compile_launches, launches
from nnlang.runtime.resources import resources
from tests.test_aot import BATCH, ENTRIES, compiled, kernels
made = compiled()
first = {what: name for name, what in reversed(kernels(made.source).items())}.values()
found = [x for entry in ENTRIES for x in launches(made, entry, BATCH) if x.kernel in first]
for target in sys.argv[1:]:
    for launch, kernel in zip(found, compile_launches(made.source, found, target), strict=True):
        row = {**asdict(resources(kernel)), "kernel": launch.kernel, "stages": list(kernel.texts)}
        print(json.dumps({"target": target, **row}))
"""


@pytest.fixture(scope="module")
def taken(cache: Path) -> list[dict[str, Any]]:
    """What one kernel of every kind, part and skeleton takes on every target, compiled in processes of their own."""
    environment = {**os.environ, "NNLANG_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *GPUS], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("target", GPUS)
def test_every_skeleton_compiles_and_spills_nothing(target: str, taken: list[dict[str, Any]]) -> None:
    rows = [row for row in taken if row["target"] == target]
    what = kernels(compiled().source)
    assert {what[row["kernel"]] for row in rows} == set(what.values())
    assert [row for row in rows if row["spills"] or row["stack"]] == []
    assert all(row["registers"] > 0 and 0 < row["occupancy"] <= 1 for row in rows)


@pytest.mark.parametrize("target", GPUS)
def test_products_use_matrix_instructions(target: str, taken: list[dict[str, Any]]) -> None:
    functions = {f.name: ast.unparse(f) for f in ast.parse(compiled().source).body if isinstance(f, ast.FunctionDef)}
    found = {row["kernel"]: row["matrix"] > 0 for row in taken if row["target"] == target}
    assert found == {name: "tl.dot" in functions[name] for name in found}
