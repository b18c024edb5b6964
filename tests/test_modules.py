"""Emitted Triton modules: what they may hold, where their files stand, how they are loaded."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from nnlang.codegen.pipeline import PRECISIONS, Options
from nnlang.compiler import compile_network
from nnlang.diagnostics import DEVICE, DISK, Stop
from nnlang.lower import ENTRIES
from nnlang.network import Training
from nnlang.runtime import modules
from nnlang.runtime.modulecheck import Rejected, check
from tests import networks
from tests.drawn import cases, trainings
from tests.oracle_cases import Case

SOURCE = '''"""Entry points: step."""

import triton
import triton.language as tl

from nnlang.runtime.language import uniform


@triton.jit
def double_1(x_ptr, n, BLOCK: tl.constexpr):
    """Twice x."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    tl.store(x_ptr + at, 2 * tl.load(x_ptr + at, mask=mask, other=0.0), mask=mask)


def step(s, x, block):
    """One step."""
    m = block.rows
    double_1[triton.cdiv(m, 16),](s[0], m, BLOCK=16, num_warps=4)
    return (s[0],)
'''


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("NNLANG_CACHE", str(folder))
    return folder


def doubled(source: str = SOURCE) -> list[float]:
    """What the module's entry point makes of 1, 2, 3."""
    x = torch.tensor([1.0, 2.0, 3.0])
    block = type("Block", (), {"rows": 3})
    return modules.load(source, interpreted=True).step([x], [], block)[0].tolist()


def stored(cache: Path) -> Path:
    (path,) = (cache / "modules").iterdir()
    return path


def test_a_module_runs_from_a_file_named_by_its_digest(cache: Path) -> None:
    assert doubled() == [2, 4, 6]
    path = stored(cache)
    assert path.name == hashlib.sha256(SOURCE.encode()).hexdigest() + ".py"
    assert path.read_text() == SOURCE
    assert [stat.S_IMODE(p.stat().st_mode) for p in (cache, path.parent)] == [0o700, 0o700]


def test_a_damaged_file_is_replaced_and_never_run(cache: Path) -> None:
    doubled()
    path = stored(cache)
    path.write_text(SOURCE.replace("2 *", "3 *"))
    assert doubled() == [2, 4, 6]
    assert path.read_text() == SOURCE
    assert not list(cache.rglob("*.pyc"))


def test_a_link_is_replaced_and_its_target_left_alone(cache: Path, tmp_path: Path) -> None:
    doubled()
    path, other = stored(cache), tmp_path / "other.py"
    path.unlink()
    other.write_text("precious")
    path.symlink_to(other)
    assert doubled() == [2, 4, 6]
    assert other.read_text() == "precious" and not path.is_symlink()


def open_to_all(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)


def linked(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


def a_file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize(
    ("make", "reason"),
    [(open_to_all, "others can write to it"), (linked, "it is a link"), (a_file, "File exists")],
    ids=lambda x: getattr(x, "__name__", ""),
)
@pytest.mark.parametrize("name", ["", "modules"])
def test_an_unsafe_folder_is_refused(make: object, reason: str, name: str, cache: Path) -> None:
    if name:
        cache.mkdir(mode=0o700)
    assert callable(make)
    make(cache / name)
    with pytest.raises(Stop) as caught:
        modules.folder("modules")
    (found,) = caught.value.diagnostics
    assert found.code.code == "NN760" and caught.value.exit_code == DISK
    assert reason in found.message and "NNLANG_CACHE" in found.remedy


def test_a_folder_of_another_user_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.folder("modules")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(Stop, match=r"NN760.*another user"):
        modules.folder("modules")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"NNLANG_CACHE": "a"}, "a/x"), ({"XDG_CACHE_HOME": "b"}, "b/nnlang/x"), ({"HOME": "c"}, "c/.cache/nnlang/x")],
)
def test_where_the_cache_is(
    given: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NNLANG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in given.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    assert modules.folder("x") == tmp_path / expected


def test_triton_cannot_compile_where_it_interprets(cache: Path) -> None:
    modules.import_triton(interpreted=True)
    with pytest.raises(Stop) as caught:
        modules.load(SOURCE)
    assert "NN761: this process has loaded triton as an interpreter, a compiler is needed" in str(caught.value)
    assert caught.value.exit_code == DEVICE


SETTINGS = """
import os, sys
from nnlang.runtime import modules
modules.import_triton(interpreted=sys.argv[1] == "True")
import triton
names = ("TRITON_INTERPRET", "TRITON_DEFAULT_FP_FUSION", "TRITON_CACHE_DIR")
print(*(os.environ[name] for name in names), triton.knobs.runtime.interpret)
"""


@pytest.mark.parametrize(("interpreted", "given"), [(False, None), (True, None), (False, "/somewhere")])
def test_what_triton_is_told_before_it_is_imported(interpreted: bool, given: str | None, cache: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_CACHE_DIR"} | {"TRITON_INTERPRET": "1"}
    environment |= {"TRITON_CACHE_DIR": given} if given else {}
    command = [sys.executable, "-c", SETTINGS, str(interpreted)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(int(interpreted)), "1", given or f"{cache}/triton", str(interpreted)]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("make", networks.ALL, ids=lambda m: m.__name__)
def test_emitted_modules_are_harmless(make: object, precision: str) -> None:
    assert callable(make)
    compiled = compile_network(make(), ENTRIES, 8, Training(), Options("cuda:90", precision))
    kernels = check(compiled.source)
    assert {launch.kind for plan in compiled.plans.values() for launch in plan.launches}
    assert len(kernels) == compiled.source.count("@triton.jit")


@given(case=cases(), training=trainings())
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_modules_of_random_networks_are_harmless(case: Case, training: Training) -> None:
    check(compile_network(case.network, ENTRIES, 8, training, Options("cuda:90", "tf32")).source)


@pytest.mark.full
@given(case=cases(), training=trainings())
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_modules_of_very_many_random_networks_are_harmless(case: Case, training: Training) -> None:
    check(compile_network(case.network, ENTRIES, 8, training, Options("cuda:90", "tf32")).source)


KERNEL = '"""x"""\nimport triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k(x_ptr):\n    '
STEP = "def step(s, x, block):\n    "
BAD = (
    "import os", "import os as tl", "import triton as os", "from os import path",
    "from nnlang.runtime.language import *", "from nnlang.runtime.language import tree as open",
    "from nnlang.runtime import files", "class A: pass",
    "x = lambda: 0", "x = [y for y in ()]", "x = f'{1}'", "x = 'some text'", "x = 1j", "x = 1e999", "x = b'x'",
    "with x: pass", "try: pass\nexcept: pass", "x = await y", "del x", "global x", "assert 1", "raise x",
    STEP + "eval('1')", STEP + "open(x)", STEP + "x = open", STEP + "s.__class__", STEP + "s.gi_frame", STEP + "s()",
    STEP + "s[0]()", STEP + "s[0][1](2)", STEP + "range(*s)", STEP + "range(**s)", STEP + "__import__('os')",
    STEP + "block.scratch('p0', 1).tofile('x')", STEP + "min(s, key=print)", STEP + "m = block.rows = print",
    "@property\ndef step(s): return 1", "@triton.jit(repr=print)\ndef k(): return 1",
    "def step(s, __x): return s", "def step(s, x=open): return s", "def step(s, x: open): return s",
    KERNEL + "tl.inline_asm_elementwise('x')", KERNEL + "tl.core", KERNEL + "triton.runtime", KERNEL + "tl.load.fn",
    KERNEL + "tl.device_print('x')", KERNEL + "k(x_ptr)", KERNEL + "x_ptr.to.data", KERNEL + "tl.extra.cuda()",
)  # fmt: skip


@pytest.mark.parametrize("source", BAD)
def test_what_no_module_needs_is_rejected(source: str, cache: Path) -> None:
    with pytest.raises(Rejected):
        check(source)
    with pytest.raises(Rejected):
        modules.load(source, interpreted=True)
    assert not cache.exists()


def test_what_modules_need_is_not_rejected() -> None:
    assert check(SOURCE) == {"double_1"}
    assert check(KERNEL + "tl.store(x_ptr, tl.load(x_ptr))") == {"k"}
