"""`nnlang compile` for GPUs that are not there: files, the table, what it refuses, what it does not need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.cli.compile import ENTRIES
from nnlang.codegen.pipeline import TARGETS
from nnlang.diagnostics import DEVICE, USAGE
from tests.test_examples import DEFINITIONS, ROOT, data_for

MOVIELENS = ROOT / "movielens" / "config.json"
WIDTHS = ["--width", "gl_input=27278", "--width", "gl_output=27278"]
MARK = "Zyxwv"
NAMED = """{ "Version": 0.8, "Name": "%(mark)sNet", "Kind": "FeedForward", "Layers": [
  { "Name": "%(mark)sIn", "Kind": "Input", "N": "auto", "DataSet": "%(mark)s_a", "Sparse": true },
  { "Name": "%(mark)sMid", "Kind": "Hidden", "Type": "FullyConnected", "N": 32, "Activation": "Sigmoid" },
  { "Name": "%(mark)sOut", "Kind": "Output", "Type": "FullyConnected", "DataSet": "%(mark)s_b", "N": "auto",
    "Activation": "Sigmoid", "Sparse": true } ],
  "ErrorFunction": "ScaledMarginalCrossEntropy" }"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of this file share."""
    return tmp_path_factory.mktemp("cache")


def ran(cache: Path, *words: str | Path, code: str = "pass", **settings: str) -> subprocess.CompletedProcess[str]:
    """What `nnlang compile ...` did in a process of its own, after some Python code."""
    start = f"import sys; {code}; from nnlang.cli import run_command; sys.exit(run_command(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "compile", *map(str, words)]
    environment = {**os.environ, "NNLANG_CACHE": str(cache), **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.full
def test_the_kernels_of_movielens_are_files_with_a_table(cache: Path, tmp_path: Path) -> None:
    done = ran(cache, MOVIELENS, "--target", "cuda:90", "--emit=all", "-o", tmp_path / "out", *WIDTHS)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "resources.json").read_text())
    assert {k: v for k, v in found.items() if k != "kernels"} == {
        "target": "cuda:90", "precision": "tf32", "entry": "step", "batch": 1024
    }  # fmt: skip
    names = [row["kernel"] for row in found["kernels"]]
    files = {path.name for path in (tmp_path / "out" / "step").iterdir()}
    assert files == {f"{name}.{stage}" for name in names for stage in ("ttir", "ptx", "cubin")}
    assert (tmp_path / "out" / "step" / f"{names[0]}.cubin").read_bytes().startswith(b"\x7fELF")
    assert ".target sm_90a" in (tmp_path / "out" / "step" / f"{names[0]}.ptx").read_text()
    source = (tmp_path / "out" / "source.py").read_text()
    assert all(f"def {name}(" in source for name in names)
    table = done.stdout.partition("step for cuda:90 in tf32, batch 1024")[2]
    assert all(re.search(rf"^  {name}( +[\d,]+){{8}}$", table, re.MULTILINE) for name in names)
    assert re.search(rf"compiled {len(names)} of {len(names)} kernels\n{len(names)} kernels for cuda:90", done.stderr)
    again = ran(cache, MOVIELENS, "--target", "cuda:90", "--emit=ptx", "-o", tmp_path / "more", "--json", *WIDTHS)
    records = [json.loads(line) for line in again.stdout.splitlines() if line.startswith("{")]
    assert [r["kernel"] for r in records] == names and records[0]["registers"] == found["kernels"][0]["registers"]
    printed = ran(cache, MOVIELENS, "--target", "cuda:90", "--emit=ttir", *WIDTHS).stdout
    assert re.findall(r"^======== step/(.*)\.ttir$", printed, re.MULTILINE) == names
    assert str(cache) not in printed


def test_an_amd_kernel_has_its_own_stages(cache: Path, tmp_path: Path) -> None:
    definition = tmp_path / "net.json"
    definition.write_text(NAMED % {"mark": "x"})
    words = ["--width", "x_a=40", "--width", "x_b=40", "--entry", "predict", "-o", tmp_path]
    done = ran(cache, definition, "--target", "hip:gfx942", "--emit=all", *words)
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in (tmp_path / "predict").iterdir()} == {".ttir", ".amdgcn", ".hsaco"}


@pytest.mark.parametrize("target", TARGETS)
def test_source_is_the_same_in_every_process_without_names_or_torch(target: str, tmp_path: Path) -> None:
    definition = tmp_path / "net.json"
    definition.write_text(NAMED % {"mark": MARK})
    words = [definition, "--target", target, "--width", f"{MARK}_a=3000", "--width", f"{MARK}_b=3000"]
    code = "import atexit; atexit.register(lambda: print('heavy', {'torch', 'triton', 'numpy'} & set(sys.modules)))"
    first, second = (ran(tmp_path, *words, code=code, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first.returncode == 0 and first.stdout == second.stdout
    assert first.stdout.endswith("heavy set()\n")
    assert MARK.lower() not in first.stdout.lower()


WRONG = {
    "target": (["--target", "cuda:9"], "--target cannot be `cuda:9`: it takes cpu, cuda:80, .*did you mean `cuda:90`"),
    "stage": (["--emit", "pxt"], "--emit cannot be `pxt`.*did you mean `ptx`"),
    "no stage of the CPU": (["--emit", "ptx"], "target cpu has ast.*give --target cuda:80 or cuda:90 or cuda:100"),
    "no stage of AMD": (["--target", "hip:gfx942", "--emit", "cubin"], "hip:gfx942 has ast.*amdgcn, hsaco"),
    "interpreted": (["--target", "interpret", "--emit", "hsaco"], "target interpret has.*give --target hip:gfx942"),
    "binary": (["--target", "cuda:90", "--emit", "cubin"], "`cubin`: cubin is binary.*write it to a folder: -o out/"),
    "all is binary": (["--target", "hip:gfx942", "--emit", "all"], "`all`: hsaco is binary"),
    "precision": (["--target", "cuda:90", "--precision", "fp16"], "--precision cannot be `fp16`: it takes fp32, tf32"),
    "precision of the CPU": (["--precision", "tf32"], r"error\[NN742\].*`cpu` does not compute in `tf32`"),
    "tuning": (["--target", "cuda:90", "--tuning", "{tiles}"], r"error\[NN703\]: --tuning.*`liner` is no kind"),
    "tuning file": (["--target", "cuda:90", "--tuning", "nowhere"], r"error\[NN710\].*`nowhere`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, told = WRONG[case]
    tiles = tmp_path / "tiles.json"
    tiles.write_text('{"liner": {"BM": 64}}')
    code = run_command(["compile", str(MOVIELENS), *(w.format(tiles=tiles) for w in words)])
    assert code == (3 if case == "tuning file" else USAGE)
    assert re.search(told, capsys.readouterr().err, re.DOTALL)


@pytest.mark.parametrize("package", ["torch", "triton"])
def test_a_missing_package_is_named(package: str, cache: Path, tmp_path: Path) -> None:
    words = [MOVIELENS, "--target", "cuda:90", "--emit", "ptx", *WIDTHS]
    done = ran(cache, *words, code=f"sys.modules['{package}'] = None")
    assert done.returncode == USAGE
    assert f"needs the Python package `{package}`" in done.stderr and "pip install 'nnlang[run]'" in done.stderr


def test_other_systems_compile_to_source_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    words = ["compile", str(MOVIELENS), *WIDTHS, "--target", "cuda:90", "--emit"]
    assert run_command([*words, "ptx"]) == DEVICE
    assert "error[NN763]: triton, which compiles for cuda:90, does not exist for darwin" in capsys.readouterr().err
    assert run_command([*words, "source"]) == 0


def test_help_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["compile", "--help"])
    told = capsys.readouterr().out
    assert all(target in told for target in TARGETS)


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS[1:-1])
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_kernel_of_the_examples_compiles_and_spills_nothing(
    path: Path, entry: str, target: str, cache: Path, tmp_path: Path
) -> None:
    from nnlang.definition import check
    from nnlang.syntax import read_source

    network = check(read_source(path), need_shapes=False).network
    assert network is not None
    widths = [w for name, data in data_for(network).items() for w in ("--width", f"{name}={data.facts.units}")]
    done = ran(cache, path, *widths, "--target", target, "--entry", entry, "--emit", "ttir", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "resources.json").read_text())["kernels"]
    assert [row for row in rows if row["spills"]] == []
