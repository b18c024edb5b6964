"""What gets installed: every package by its full name, nothing with a generic one, no torch for `--help`."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nnlang
from nnlang.version import __version__

ROOT = Path(__file__).resolve().parent.parent
LINKED = ("codegen", "grammar", "runtime")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
HEAVY = {"torch", "triton", "numpy", "netCDF4", "h5py"}


def packages() -> set[str]:
    """The import names of all folders with an `__init__.py`, found on disk."""
    tops = {"nnlang": "nnlang"} | {name: f"nnlang.{name}" for name in LINKED}
    found = set()
    for folder, package in tops.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            if not (folder == "nnlang" and parts and parts[0] in LINKED):
                found.add(".".join((package, *parts)))
    return found


def pinned() -> set[str]:
    """The names in constraints.txt, normalised as pip does."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(line) for line in lines if line and not line.startswith("#")}


def normal(requirement: str) -> str:
    """The normalised name at the start of a requirement."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_package_list_is_the_folders() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages())


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for top in ("nnlang", *LINKED) for path in (ROOT / top).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", LINKED)
def test_links_point_to_the_top_folders(name: str) -> None:
    link = ROOT / "nnlang" / name
    assert link.is_symlink(), f"nnlang/{name} is no link: on Windows, clone with `git -c core.symlinks=true clone`"
    assert os.readlink(link) == f"../{name}"
    assert SETUPTOOLS["package-dir"][f"nnlang.{name}"] == name


def test_no_generic_name_is_installed() -> None:
    assert all(package.split(".")[0] == "nnlang" for package in SETUPTOOLS["packages"])
    assert "py-modules" not in SETUPTOOLS


@pytest.mark.parametrize("name", ["codegen", "codegen.cpu", "runtime", "grammar"])
def test_linked_packages_import_by_their_full_name(name: str) -> None:
    module = importlib.import_module(f"nnlang.{name}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent.parts[-1] == name.rpartition(".")[2]


@pytest.mark.parametrize("suffix", [".lark", ".typed"])
def test_data_files_are_installed(suffix: str) -> None:
    data = SETUPTOOLS["package-data"]
    for package in packages():
        folder = ROOT.joinpath(*package.split("."))
        kept = {path for pattern in data.get(package, []) for path in folder.glob(pattern)}
        assert kept >= set(folder.glob(f"*{suffix}")), f"{package} is missing from package-data"


def test_version_is_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "nnlang.version.__version__"}
    try:
        installed = importlib.metadata.version("nnlang")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nnlang is not installed, only on the path")
    assert installed == __version__, "the installed metadata is old: run `make test`"


def test_everything_that_tests_need_is_pinned() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {normal(r) for r in (*PROJECT["project"]["dependencies"], *extras["run"], *extras["dev"], "setuptools")}
    assert wanted <= pinned()


def test_triton_stays_a_range() -> None:
    """Each CUDA build of torch asks for one triton exactly; a pin of ours would make such a machine unresolvable."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"^triton>=3\.6;", text, re.MULTILINE)
    assert re.search(r"^torch==2\.13\.0$", text, re.MULTILINE)


def test_no_module_hides_a_function_of_the_facade() -> None:
    """Importing a submodule `nnlang.lint` would replace the public function `nnlang.lint`."""
    modules = {path.stem for path in (ROOT / "nnlang").iterdir() if not path.name.startswith(("_", "."))}
    assert modules & set(getattr(nnlang, "__all__", ())) == set()


def test_help_imports_nothing_heavy() -> None:
    if not hasattr(importlib.import_module("nnlang.cli"), "main"):
        pytest.skip("nnlang.cli has no main yet")
    command = [sys.executable, "-X", "importtime", "-m", "nnlang", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "Usage" in result.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "nnlang" in imported
    assert imported & HEAVY == set()


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony
    assert set(re.findall(r"^([a-z-]+):.* ## ", text, re.MULTILINE)) == set(phony[1].split())
