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
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nnlang.codegen import triton as skeleton_folder
from nnlang.codegen.pipeline import TARGETS, Options
from nnlang.codegen.triton.emit import LAUNCHES
from nnlang.compiler import Compiled, compile_network, splittable
from nnlang.diagnostics import DEVICE, Stop
from nnlang.lower import Ranking
from nnlang.network import Activation, Network, Optimizer, Sparseness, Training
from nnlang.placement import Placement
from nnlang.runtime import aotprocess
from nnlang.runtime.aot import Kernel, Launch, compile_launches, without_places
from nnlang.runtime.resources import LIMITS, occupancy
from tests.networks import bind, build, facts, hidden, output, source

ROOT = Path(__file__).parent.parent
GPUS = TARGETS[1:-1]
ENTRIES = ("step", "gradient", "recommend")
BATCH = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of this file share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLANG_CACHE", str(folder))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)


def everything() -> Network:
    """A network whose training step, gradient and recommendations need every kind of kernel."""
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


@cache
def compiled() -> Compiled:
    """That network for a GPU: the text is the same for all of them."""
    training = Training(optimizer=Optimizer.ADAM)  # of all optimisers the one with most in registers
    network = everything()
    (likely,) = (layer.index for layer in network.layers if layer.name == "Likely")
    options, ranking = Options("cuda:90", "tf32"), Ranking(likely, 10, "analog")
    return compile_network(network, ENTRIES, BATCH, training, options, ranking)


@cache
def shared() -> Compiled:
    """The same for one of four ranks, two of which share the units of wide layers, and two the rows of a batch."""
    network, options = everything(), Options("cuda:90", "tf32")
    placement = Placement(2, 2, splittable(network, 2))
    training = Training(optimizer=Optimizer.ADAM)
    return compile_network(network, ["step"], BATCH, training, options, placement=placement, rank=1)


@cache
def split() -> Compiled:
    """The gradient for one of two ranks that share the units of wide layers."""
    network, options = everything(), Options("cuda:90", "tf32")
    placement = Placement(2, 1, splittable(network, 2))
    training = Training(optimizer=Optimizer.ADAM)
    return compile_network(network, ["gradient"], BATCH, training, options, placement=placement, rank=1)


def skeletons() -> dict[str, list[str]]:
    """The lines without holes of each kernel skeleton."""
    found = {}
    for info in pkgutil.iter_modules(skeleton_folder.__path__):
        for name, text in vars(importlib.import_module(f"{skeleton_folder.__name__}.{info.name}")).items():
            if isinstance(text, str) and "@triton.jit" in text:
                lines = (line.strip() for line in text.splitlines())
                found[name] = [line for line in lines if line and "{" not in line and not line.startswith("@")]
    return found


@cache
def kernels(source: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each kernel of a module what it is (kind and part) and the skeletons that it may be made of."""
    every, found = skeletons(), {}
    for text in source.split("@triton.jit")[1:]:
        name, lines = text.partition("def ")[2].partition("(")[0], {line.strip() for line in text.splitlines()}
        made_of = tuple(skeleton for skeleton, fixed in every.items() if lines.issuperset(fixed))
        found[name] = (re.sub(r"^(step|gradient|recommend)_|_(sigmoid|relu|\d+)", "", name), made_of)
    return found


def test_the_network_of_these_tests_needs_every_kind_and_skeleton() -> None:
    made_of_all = compiled(), shared(), split()
    assert {x.kind for made in made_of_all for plan in made.plans.values() for x in plan.launches} == set(LAUNCHES)
    found = {name for made in made_of_all for _, made_of in kernels(made.source).values() for name in made_of}
    assert found == set(skeletons())


def of_ranks(*, every: bool) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What each kernel is that only ranks have, one of a kind; without `every` those of a skeleton of their own."""
    known = set(kernels(compiled().source).values())
    skeleton = {name for _, made_of in known for name in made_of}
    first = {what: name for name, what in reversed(kernels(shared().source).items()) if what not in known}
    return {name: what for what, name in first.items() if every or set(what[1]) - skeleton}


CHILD = """
import json, sys
from dataclasses import asdict
from nnlang.runtime.aot import compile_launches, launches
from nnlang.runtime.resources import resources
from tests.test_aot import BATCH, compiled, kernels, of_ranks, shared
which, *targets = sys.argv[1:]
made = shared() if which else compiled()
first = of_ranks(every=which == "every") if which else {
    what: name for name, what in reversed(kernels(made.source).items())}.values()
found = [x for entry in made.plans for x in launches(made, entry, BATCH) if x.kernel in first]
for target in targets:
    for launch, kernel in zip(found, compile_launches(made.source, found, target), strict=True):
        row = {**asdict(resources(kernel)), "kernel": launch.kernel, "stages": list(kernel.texts)}
        print(json.dumps({"target": target, **row}))
"""


def resources_of(folder: Path, which: str, targets: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the kernels of a module take, compiled by a process of their own."""
    environment = {**os.environ, "NNLANG_CACHE": str(folder)}
    command = [sys.executable, "-c", CHILD, which, *targets]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row for row in rows if row["spills"]] == []
    assert all(row["registers"] > 0 and 0 < row["occupancy"] <= 1 for row in rows)
    return rows


def products(source: str, names: Iterable[str]) -> set[str]:
    """Those of some kernels that multiply matrices."""
    functions = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}
    return {name for name in names if "tl.dot" in ast.unparse(functions[name])}


BOTH = ("cuda:90", "hip:gfx942")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("targets", [BOTH, pytest.param(GPUS, marks=pytest.mark.full)], ids=len)
def test_every_skeleton_compiles_and_spills_nothing(folder: Path, targets: tuple[str, ...]) -> None:
    """One kernel of every kind, part and skeleton; products by matrix instructions."""
    rows, source = resources_of(folder, "", targets), compiled().source
    what = kernels(source)
    for target in targets:
        found = {row["kernel"]: row for row in rows if row["target"] == target}
        assert {what[name] for name in found} == set(what.values())
        assert {name for name, row in found.items() if row["matrix"]} == products(source, found)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("which", "targets"), [("", BOTH[:1]), ("every", GPUS)], ids=["some", "every"])
def test_the_kernels_of_ranks_compile_and_spill_nothing(folder: Path, which: str, targets: tuple[str, ...]) -> None:
    """Those that only a rank's program has."""
    rows, wanted = resources_of(folder, which or "some", targets), of_ranks(every=bool(which))
    assert len(rows) == len(wanted) * len(targets) and wanted
    for target in targets:
        found = {row["kernel"]: row for row in rows if row["target"] == target}
        assert set(found) == set(wanted)
        assert {name for name, row in found.items() if row["matrix"]} == products(shared().source, found)


HEAD = '''"""x"""

import triton
import triton.language as tl


@triton.jit
def k(x_ptr, n, B: tl.constexpr):
    """x"""
    at = tl.program_id(0) * B + tl.arange(0, B)
    '''
DOUBLE = HEAD + "tl.store(x_ptr + at, 2 * tl.load(x_ptr + at), mask=at < n)\n"
LAUNCH = Launch("k", (("float32", 0, 0), 2), (("B", 64), ("num_warps", 4)))


@pytest.mark.parametrize(("target", "stages"), [("cuda:90", {"ttir", "ptx"}), ("hip:gfx942", {"ttir", "amdgcn"})])
def test_what_a_compiled_kernel_holds(target: str, stages: set[str], folder: Path) -> None:
    (kernel,) = compile_launches(DOUBLE, [LAUNCH], target)
    assert kernel.name == "k" and kernel.warps == 4 and set(kernel.texts) == stages
    assert kernel.binary.startswith(b"\x7fELF")
    assert "tt.func public @k" in kernel.texts["ttir"]
    assert "loc(" not in kernel.texts["ttir"] and str(folder) not in kernel.texts["ttir"]
    assert re.search(r"\.target\s+sm_90a|amdgcn_target.*gfx942", "".join(kernel.texts.values()))


def test_a_compiled_kernel_is_kept_and_a_damaged_one_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLANG_CACHE", str(tmp_path))

    def made() -> Kernel:
        return replace(compile_launches(DOUBLE, [LAUNCH], "cuda:90")[0], log="")  # it tells how long it took

    first = made()
    (path,) = (tmp_path / "kernels").iterdir()
    before = path.stat().st_mtime_ns
    assert made() == first and path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    assert made() == first and path.stat().st_mtime_ns > before


LAUNCHED = """
import sys
import torch
from nnlang.runtime import modules
from nnlang.runtime.aotworker import Elsewhere
source = sys.stdin.read()
for target in (("cuda", 90, 32), ("hip", "gfx942", 64)):
    module = modules.load(source)
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver
    driver.set_active(Elsewhere(GPUTarget(*target)))
    module.k.warmup(torch.zeros(100), 100, grid=(2,), B=64, num_warps=4)
"""


def test_the_launcher_finds_in_tritons_cache_what_was_compiled_ahead(folder: Path) -> None:
    for target in ("cuda:90", "hip:gfx942"):
        compile_launches(DOUBLE, [LAUNCH], target)
    before = sorted(folder.glob("triton/*"))
    environment = {**os.environ, "NNLANG_CACHE": str(folder)}
    subprocess.run([sys.executable, "-c", LAUNCHED], input=DOUBLE, env=environment, text=True, check=True)
    assert len(before) > 1 and sorted(folder.glob("triton/*")) == before


def test_launches_that_differ_in_what_is_compiled_are_numbered() -> None:
    one, other = (Launch("k", (("float32", address, 0), 2), LAUNCH.options) for address in (0, 4))
    kernels = compile_launches(DOUBLE, [one, other], "cuda:90")
    assert [kernel.name for kernel in kernels] == ["k", "k_2"]
    assert ["divisibility" in kernel.texts["ttir"] for kernel in kernels] == [True, False]


def failure(body: str, target: str = "cuda:90", launch: Launch = LAUNCH) -> str:
    with pytest.raises(Stop) as caught:
        compile_launches(HEAD + body + "\n", [launch], target)
    assert caught.value.exit_code == DEVICE
    return str(caught.value)


def test_a_kernel_that_does_not_compile_is_named_with_the_reason() -> None:
    words = failure("tl.store(x_ptr + tl.arange(0, 48), 1.0)")
    assert words == "NN762: kernel `k` does not compile for cuda:90: ValueError: arange's range must be a power of 2"


PRODUCT = """sums = tl.zeros([B, B], tl.float32)
    for first in range(0, n, 64):
        a = tl.load(x_ptr + at[:, None] + tl.arange(0, 64)[None, :] + first)
        b = tl.load(x_ptr + at[None, :] + tl.arange(0, 64)[:, None] + first)
        sums = tl.dot(a, b, sums)
    tl.store(x_ptr + at[:, None] + at[None, :], sums)"""


def test_a_kernel_must_fit_its_target() -> None:
    launch = Launch("k", LAUNCH.arguments, (("B", 128), ("num_warps", 8), ("num_stages", 5)))
    words = failure(PRODUCT, "cuda:80", launch)
    assert re.search(r"it takes [\d,]+ bytes of shared memory, and there are 166,912$", words)


def assembler(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A script in the place of every assembler of Triton's."""
    path = folder / "ptxas"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    monkeypatch.setenv("TRITON_PTXAS_PATH", str(path))
    monkeypatch.setenv("TRITON_PTXAS_BLACKWELL_PATH", str(path))


def test_a_compiler_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assembler(tmp_path, monkeypatch, "kill -11 $PPID")
    assert failure("tl.store(x_ptr + at, 11.0)").endswith("the compiler died of signal 11")


def test_a_compiler_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assembler(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/number; exec sleep 1000")
    monkeypatch.setattr(aotprocess, "PATIENCE", 2)
    assert failure("tl.store(x_ptr + at, 12.0)").endswith("the compiler was not done after 2 seconds")
    process = Path("/proc", (tmp_path / "number").read_text().strip(), "stat")
    assert not process.exists() or ") Z " in process.read_text()


COMPLAINTS = {
    "ValueError: no such thing": (1, "ValueError: no such thing"),
    "x.py:3:4: error: bad\nnote: see\nRuntimeError: PassManager::run failed": (1, "x.py:3:4: error: bad"),
    "PTXASError: PTXAS error: Internal\n`ptxas` stderr:\nptxas fatal   : no room\n": (1, "ptxas fatal   : no room"),
    "": (-9, "the compiler died of signal 9"),
    "LLVM ERROR: cannot select\n": (-6, "the compiler died of signal 6: LLVM ERROR: cannot select"),
    " ": (1, "the compiler said nothing"),
}


@pytest.mark.parametrize("told", COMPLAINTS)
def test_of_what_a_compiler_says_the_first_complaint_counts(told: str) -> None:
    status, expected = COMPLAINTS[told]
    assert aotprocess.reason(status, told) == expected


def test_places_are_taken_out_of_intermediate_text() -> None:
    lines = ['#loc = loc("/x.py":1:0)', "  %0 = tt.load %x : f32 loc(#loc2)", "} loc(callsite(#loc1 at #loc2))"]
    assert without_places("\n".join(lines)) == "  %0 = tt.load %x : f32\n}\n"


@pytest.mark.parametrize(
    ("target", "registers", "shared", "warps", "expected"),
    [
        ("cuda:80", 64, 0, 8, 0.5),  # by registers
        ("cuda:80", 32, 0, 8, 1.0),
        ("cuda:80", 33, 0, 8, 0.75),  # allocated by eights: 40
        ("cuda:90", 168, 0, 4, 12 / 64),
        ("cuda:90", 32, 100 << 10, 8, 0.25),  # two blocks by shared memory, 1 kB each reserved
        ("cuda:90", 32, 114 << 10, 8, 0.125),
        ("cuda:100", 255, 0, 16, 0.0),  # 64 k registers are not enough for one block
        ("cuda:100", 16, 0, 1, 0.5),  # 32 blocks at most
        ("hip:gfx942", 64, 0, 4, 1.0),
        ("hip:gfx942", 72, 0, 4, 7 / 8),
        ("hip:gfx942", 96, 0, 4, 5 / 8),
        ("hip:gfx942", 512, 0, 4, 1 / 8),
        ("hip:gfx942", 64, 32 << 10, 4, 2 / 8),
    ],
)
def test_occupancy(target: str, registers: int, shared: int, warps: int, expected: float) -> None:
    assert occupancy(target, registers, shared, warps) == expected


def test_every_gpu_has_limits() -> None:
    assert set(LIMITS) == set(GPUS)
