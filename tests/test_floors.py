"""Imports go down: every module stands on a floor, imports from its own floor and below, and third parties by row."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module's floor is the row with the longest prefix of its name; a new module needs a row (or a package that has one).
FLOORS = {
    # 0: what everything may know
    "nnlang.codes": 0,
    "nnlang.diagnostics": 0,
    "nnlang.grammar": 0,
    "nnlang.source": 0,
    "nnlang.version": 0,
    # 1: from text to meaning
    "nnlang.ast": 1,
    "nnlang.balance": 1,
    "nnlang.decode": 1,
    "nnlang.definition": 1,
    "nnlang.directives": 1,
    "nnlang.dumping": 1,
    "nnlang.expressions": 1,
    "nnlang.formatter": 1,
    "nnlang.formulas": 1,
    "nnlang.job": 1,
    "nnlang.legality": 1,
    "nnlang.marks": 1,
    "nnlang.measures": 1,
    "nnlang.network": 1,
    "nnlang.notes": 1,
    "nnlang.ops": 1,
    "nnlang.parsing": 1,
    "nnlang.placement": 1,
    "nnlang.preparing": 1,
    "nnlang.pasted": 1,
    "nnlang.quotes": 1,
    "nnlang.records": 1,
    "nnlang.recovery": 1,
    "nnlang.resolve": 1,
    "nnlang.scan": 1,
    "nnlang.schema": 1,
    "nnlang.settings": 1,
    "nnlang.shapes": 1,
    "nnlang.sharing": 1,
    "nnlang.strange": 1,
    "nnlang.suggest": 1,
    "nnlang.sweeps": 1,
    "nnlang.syntax": 1,
    "nnlang.topology": 1,
    "nnlang.words": 1,
    # 2: from meaning to operations
    "nnlang.grad": 2,
    "nnlang.loss": 2,
    "nnlang.lower": 2,
    "nnlang.rewrite": 2,
    "nnlang.training": 2,
    "nnlang.verify": 2,
    # 3: better operations; advice; drawings
    "nnlang.drawing": 3,
    "nnlang.manual": 3,
    "nnlang.passes": 3,
    "nnlang.rules": 3,
    # 4: plan and module text
    "nnlang.codegen": 4,
    "nnlang.compiler": 4,
    "nnlang.linting": 4,
    "nnlang.planner": 4,
    # 5: numbers
    "nnlang.runtime": 5,
    # 6: many runs; editors
    "nnlang.editor": 6,
    "nnlang.reports": 6,
    "nnlang.search": 6,
    # 7: people
    "nnlang.__main__": 7,
    "nnlang.cli": 7,
}

# The facade `nnlang/__init__.py` stands above all floors, and nothing inside imports from it.
FACADE, FACADE_FLOOR = "nnlang", 8

# Below, but still not to be known.
NEVER = {
    "nnlang.passes": (
        "nnlang.ast",
        "nnlang.decode",
        "nnlang.network",
        "nnlang.resolve",
        "nnlang.schema",
        "nnlang.syntax",
    ),
    "nnlang.codegen": (
        "nnlang.ast",
        "nnlang.decode",
        "nnlang.network",
        "nnlang.resolve",
        "nnlang.schema",
        "nnlang.syntax",
    ),
}

# Everything else imports the standard library alone. Torch, triton, numpy and the file formats live on floor 5.
THIRD_PARTY = {
    "nnlang.cli": {"rich", "typer"},
    "nnlang.editor.server": {"lsprotocol", "pygls"},
    "nnlang.parsing": {"lark"},
    "nnlang.recovery": {"lark"},
    "nnlang.reports": {"optuna", "plotly"},
    "nnlang.runtime": {"cftime", "h5py", "netCDF4", "numpy", "torch", "triton"},
    "nnlang.search": {"dask", "distributed", "numpy", "optuna", "scipy"},
    "nnlang.words": {"lark"},
}

FOLDERS = {"nnlang": "nnlang", "codegen": "nnlang.codegen", "runtime": "nnlang.runtime", "grammar": "nnlang.grammar"}
BARE = {"codegen", "grammar", "runtime"}


class Import(NamedTuple):
    """One imported module, with the line that asks for it."""

    line: int
    name: str


def modules() -> dict[str, Path]:
    """Every module of the package by its import name, each file once (the links inside nnlang/ are not followed)."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if folder == "nnlang" and parts[0] in BARE:
                continue
            name = ".".join((package, *parts)).removesuffix(".__init__")
            found[name] = path
    return found


MODULES = modules()


def row(module: str, table: dict[str, object]) -> str | None:
    """The longest key of `table` that is the module or a package above it."""
    keys = [k for k in table if module == k or module.startswith(k + ".")]
    return max(keys, key=len, default=None)


def floor(module: str) -> int | None:
    """The floor of a module, None where the table does not know it."""
    if module == FACADE:
        return FACADE_FLOOR
    key = row(module, dict(FLOORS))
    return None if key is None else FLOORS[key]


def imports(tree: ast.AST, known: frozenset[str]) -> Iterator[Import]:
    """Every module that the tree imports, also inside functions and for types; `from p import m` names p.m if known."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(node.lineno, inner if inner in known else base)


def faults(module: str, text: str, known: frozenset[str]) -> list[str]:
    """What is wrong with the imports of one module, one sentence each, with the line."""
    own = floor(module)
    if own is None:
        return [f"{module} has no floor: add a row to FLOORS in tests/test_floors.py (design: who may import whom)"]
    found = ((i, fault(module, own, i.name)) for i in imports(ast.parse(text), known))
    return [f"{module}, line {i.line}: {words}" for i, words in found if words]


def fault(module: str, own: int, name: str) -> str | None:
    """Why `module` on floor `own` may not import `name`; None where it may."""
    if name.startswith("."):
        return f"import `{name}` by its full name"
    top = name.partition(".")[0]
    if top in BARE:
        return f"`{name}` exists only in a checkout: import `nnlang.{name}`"
    if top != FACADE:
        return foreign(module, top)
    if name == FACADE:
        return None if module == FACADE else "imports from the facade `nnlang`: name the module that defines it"
    target = floor(name)
    if target is None:
        return f"`{name}` has no floor: it does not exist, or needs a row in FLOORS"
    if target > own:
        return f"floor {own} imports `{name}` of floor {target}"
    if row(name, dict.fromkeys(NEVER.get(row(module, dict(NEVER)) or "", ()))):
        return f"must not know `{name}`"
    return None


def foreign(module: str, top: str) -> str | None:
    """Why `module` may not import the third-party package `top`; None where it may."""
    allowed = THIRD_PARTY.get(row(module, dict(THIRD_PARTY)) or "", set())
    if top in sys.stdlib_module_names or top in allowed:
        return None
    homes = [home for home, names in THIRD_PARTY.items() if top in names]
    return f"imports `{top}`, which belongs to {', '.join(homes) or 'no row of THIRD_PARTY'}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    found = faults(module, MODULES[module].read_text(encoding="utf-8"), frozenset(MODULES))
    assert not found, "\n" + "\n".join(found)


WRONG = {
    "up": ("nnlang.source", "from nnlang import network", "floor 0 imports `nnlang.network` of floor 1"),
    "up, inside a function": ("nnlang.rules.x", "def f():\n    import nnlang.runtime.model", "line 2: floor 3"),
    "facade": ("nnlang.cli.train", "from nnlang import compile", "facade"),
    "facade, whole": ("nnlang.cli.train", "import nnlang", "facade"),
    "bare": ("nnlang.cli.train", "import runtime.model", "only in a checkout"),
    "relative": ("nnlang.lower", "from . import ops", "full name"),
    "torch in codegen": ("nnlang.codegen.plan", "import torch", "belongs to nnlang.runtime"),
    "torch on the command line": ("nnlang.cli.train", "def f():\n    import torch", "belongs to nnlang.runtime"),
    "numpy in the compiler": ("nnlang.resolve", "import numpy as np", "belongs to nnlang.runtime"),
    "unknown package": ("nnlang.runtime.model", "import pandas", "no row of THIRD_PARTY"),
    "network in codegen": ("nnlang.codegen.plan", "from nnlang.network import Layer", "must not know"),
    "module without a floor": ("nnlang.novel", "", "add a row to FLOORS"),
    "import without a floor": ("nnlang.lower", "import nnlang.novel", "needs a row in FLOORS"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_imports_are_found(case: str) -> None:
    module, text, words = WRONG[case]
    (found,) = faults(module, text, frozenset({"nnlang.network", "nnlang.ops"}))
    assert words in found


RIGHT = {
    "same floor": ("nnlang.lower", "from nnlang import ops\nfrom nnlang.rewrite import rewrite"),
    "floor 5": ("nnlang.runtime.model", "import os.path\nimport torch.nn.functional as F\nimport nnlang.codegen.plan"),
    "facade": ("nnlang", "from nnlang.version import __version__\nimport nnlang"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_right_imports_pass(case: str) -> None:
    module, text = RIGHT[case]
    assert faults(module, text, frozenset({"nnlang.ops"})) == []


def test_tables_name_what_can_exist() -> None:
    """A typing error in a table would allow or forbid nothing."""
    assert all(floor(module) is not None for module in (*NEVER, *THIRD_PARTY))
    assert all(floor(name) is not None for names in NEVER.values() for name in names)
