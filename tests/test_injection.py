"""No text of a definition reaches generated code, and generated code is made of a short list of things."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nnlang.codegen.cpu.emit import KERNELS
from nnlang.codegen.pipeline import Options
from nnlang.compiler import compile_network, stages
from nnlang.definition import check
from nnlang.lower import ENTRIES
from nnlang.network import DataFacts, Network, Training
from nnlang.runtime import modulecheck
from nnlang.source import Source
from tests.drawn import cases, trainings
from tests.networks import ALL
from tests.oracle_cases import Case

ROOT = Path(__file__).parent.parent
MARK = "qzxjw"
CANARY = "/tmp/nnlang-canary"

PAYLOADS = (
    '"; import os #', "'''", '"""', "{}", "{{}}", "{0.__class__}", "${HOME}", "$(touch /tmp/nnlang-canary)",
    "%s", "%(name)s", "%n%n", "\\n", "\\", "\\x00", "\\u0000", "a\nimport os", "a\r\nb", "\t", "\x00", "\x1b[31m",
    "__import__('os').system('touch /tmp/nnlang-canary')", "exec('1')", "eval(input())", "os.system", "__class__",
    "__builtins__", "lambda: 0", "torch.load('x')", "../x", "../../etc/passwd", "/etc/passwd", "C:\\con", "NUL",
    "~root", "file:///etc/passwd", "a;b", "a|b", "`id`", "<script>alert(1)</script>", "<!--", "]]>", "&amp;", "-->",
    "\u202eevil", "\u2066x\u2069", "\ufeff", "\u200b", "\u2028", "\u2029", "\ud7ff", "\U0001f4a3", "é", "e\u0301",
    "ſ", "Ⅷ", "ａ", "# comment", "// comment", "/* x */", "0", "-1", "1e999", "NaN", "null", "true", "None", "s0",
    "block", "torch", "self", "x0", "step", "a" * 300, " ", "", ".", "..", ":", "::", "@", "=", "'", '"', "(", ")",
    "def f(): pass", "\\N{BULLET}", "%{x}", "#{x}", "{{7*7}}", "{% x %}", "=cmd|' /C calc'!A0", "1; DROP TABLE x",
)  # fmt: skip

Facts = dict[str, DataFacts]


def definition(payload: str) -> tuple[str, Facts]:
    """A definition with the payload in every string that is not a word of the language, each told apart by a letter."""
    a, b, c, d, e, f, g = (f"{payload}{MARK}{letter}" for letter in "abcdefg")
    shared = {"SourceInputLayer": b, "SourceOutputLayer": c, "InputLayer": c, "Transposed": True}
    layers: list[dict[str, Any]] = [
        {"Name": b, "Kind": "Input", "DataSet": f, "N": "auto", "Sparse": True},
        {"Name": c, "Kind": "Hidden", "Source": b, "N": 6},
        {"Name": d, "Kind": "Hidden", "Source": [c], "Skip": [c], "N": 6},
        {"Name": e, "Kind": "Output", "Source": [d], "DataSet": g, "N": "auto"},
    ]
    tied = {"Name": e + "2", "Kind": "Output", "Source": c, "DataSet": f, "N": "auto", "SharedWeights": shared}
    text = json.dumps({"Name": a, "ErrorFunction": "CrossEntropy", "Layers": [*layers, tied]})
    sets = (DataFacts(n, 50, w, sparse=True, boolean=True, entries=100) for n, w in ((f, 40), (g, 30)))
    return text, {d.name: d for d in sets}


def compiled_texts(network: Network) -> dict[str, str]:
    """Everything after names are gone, of the entry points that the others are parts of."""
    found = {}
    for entry in ("step", "predict"):
        texts = stages(network, 16, Training(), entry=entry)
        texts["triton"] = stages(network, 16, Training(), Options("cuda:90", "tf32"), entry)["source"]
        found |= {f"{entry} {stage}": text for stage, text in texts.items() if stage != "network"}
    return found


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: ascii(p)[:30])
def test_no_text_of_a_definition_is_in_what_is_generated(payload: str) -> None:
    text, facts = definition(payload)
    checked = check(Source("config.json", text), facts, need_shapes=True)
    if checked.network is None:
        assert checked.report.errors  # refused, with a reason
        return
    for stage, generated in compiled_texts(checked.network).items():
        assert MARK not in generated, stage
        if stage.endswith("source"):
            harmless(generated)
    assert not Path(CANARY).exists()


def test_most_payloads_come_as_far_as_generated_code() -> None:
    accepted = 0
    for payload in PAYLOADS:
        text, facts = definition(payload)
        accepted += check(Source("config.json", text), facts, need_shapes=True).network is not None
    assert accepted > len(PAYLOADS) * 0.6


NODES = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Expr, ast.Assign, ast.For, ast.Return, ast.Import,
    ast.ImportFrom, ast.alias, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple,
    ast.List, ast.Constant, ast.Starred, ast.BinOp, ast.UnaryOp, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.FloorDiv, ast.Mod, ast.Load, ast.Store,
)  # fmt: skip
TORCH = {
    "abs", "add", "addcdiv", "addcmul", "addmm", "amax", "cat", "clamp_max", "clamp_min", "copysign", "div", "empty",
    "empty_like", "exp", "expm1", "gt", "log", "log1p", "lt", "maximum", "mean", "minimum", "mm", "mul", "neg",
    "reciprocal", "sigmoid", "sign", "softmax", "sqrt", "sub", "sum", "tanh", "zeros",
}  # fmt: skip
METHODS = {
    "add", "add_", "append", "buffer", "by_unit", "contiguous", "copy_", "exp_", "fill_", "index_add_", "index_copy_",
    "reshape", "stored", "stored_values", "sub_", "sum", "t", "tile", "to", "total", "view",
    "zero_",
}  # fmt: skip
FIELDS = {
    "columns", "dense", "dtype", "index", "order", "row", "rows", "scalars", "shape", "share", "values", "weight",
}  # fmt: skip
BUILT_IN = {"len", "max", "min", "range"}
MATH = {"exp", "sqrt"}
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,30}")
SCALAR = re.compile(r"[a-z][a-z0-9_]*( [0-9]+)?")


def harmless(source: str) -> None:
    """The module is made of nothing but what a step needs."""
    tree = ast.parse(source)
    first = [n.body[0] for n in ast.walk(tree) if isinstance(n, ast.Module | ast.FunctionDef)]
    docstrings = {id(n.value) for n in first if isinstance(n, ast.Expr)}
    keys = {id(s.slice) for s in ast.walk(tree) if isinstance(s, ast.Subscript)}
    for node in ast.walk(tree):
        assert isinstance(node, NODES), ast.dump(node)
        match node:
            case ast.Import(names=names):
                assert {n.name for n in names} <= {"torch", "math"} and not any(n.asname for n in names)
            case ast.ImportFrom(module=module, names=names):
                assert module == "nnlang.runtime.kernels" and {n.name for n in names} <= set(KERNELS)
            case ast.FunctionDef(name=name, decorator_list=decorators):
                assert name in ENTRIES and not decorators
            case ast.Name(id=name) | ast.arg(arg=name):
                assert NAME.fullmatch(name) and "__" not in name, name
            case ast.Attribute():
                _attribute(node)
            case ast.Call(func=ast.Name(id=name)):
                assert name in BUILT_IN or name in KERNELS, name
            case ast.Call(func=ast.Attribute()):
                pass
            case ast.Call():
                raise AssertionError(ast.dump(node))
            case ast.Constant(value=str() as text):
                assert id(node) in docstrings or (id(node) in keys and SCALAR.fullmatch(text)), text
            case ast.Constant(value=value):
                assert value is None or isinstance(value, int) or abs(value) < float("inf")


def _attribute(node: ast.Attribute) -> None:
    of = node.value.id if isinstance(node.value, ast.Name) else ""
    allowed = {"torch": TORCH, "math": MATH}.get(of, METHODS | FIELDS)
    assert node.attr in allowed, f"{of}.{node.attr}"


@given(case=cases(), training=trainings())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_networks_give_harmless_modules(case: Case, training: Training) -> None:
    harmless(compile_network(case.network, ENTRIES, 8, training).source)


@given(case=cases(), training=trainings())
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_random_networks_give_harmless_kernels(case: Case, training: Training) -> None:
    modulecheck.check(compile_network(case.network, ENTRIES, 8, training, Options("cuda:90", "tf32")).source)


@pytest.mark.full
@given(case=cases(), training=trainings())
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_very_many_random_networks_give_harmless_modules(case: Case, training: Training) -> None:
    harmless(compile_network(case.network, ENTRIES, 8, training).source)


@pytest.mark.parametrize("make", ALL, ids=lambda m: m.__name__)
def test_the_same_network_under_other_names_is_the_same_module(make: Any) -> None:
    one = make()
    other = renamed(one)
    first, second = (compile_network(n, ENTRIES, 8, Training()) for n in (one, other))
    assert first.source == second.source and first.key == second.key


def renamed(network: Network) -> Network:
    """The network with another name everywhere."""
    layers = tuple(replace(x, name=x.name + MARK, dataset=x.dataset and x.dataset + MARK) for x in network.layers)
    data = tuple(replace(d, name=d.name + MARK) for d in network.data)
    return replace(network, name=MARK, layers=layers, data=data)


BAD_MODULES = (
    "import os", "from os import path", "def step(s, x, block):\n    eval('1')",
    "def step(s, x, block):\n    s.__class__",
    "def other():\n    pass", "def step(s, x, block):\n    torch.load('x')", "x = 'text'", "def step(s):\n    s[0]()",
    "def step(s, x, block):\n    block.scalars['A;B']", "class A: pass", "import torch as t", "(lambda: 0)()",
)  # fmt: skip


@pytest.mark.parametrize("source", BAD_MODULES)
def test_the_list_refuses_what_it_should(source: str) -> None:
    with pytest.raises(AssertionError):
        harmless(source)


SOURCES = """
import hashlib, json, sys
from nnlang.codegen.pipeline import Options
from nnlang.compiler import stages
from nnlang.definition import check
from nnlang.lower import ENTRIES
from nnlang.network import DataFacts
from nnlang.source import Source
text, facts = json.loads(sys.argv[1])
network = check(Source("x", text), {n: DataFacts(**f) for n, f in facts.items()}, need_shapes=True).network
texts = [stages(network, 16, None, Options(t), entry) for entry in ENTRIES for t in ("cpu", "cuda:90")]
print(hashlib.sha256(repr(texts).encode()).hexdigest(), "torch" in sys.modules)
"""


def generated(seed: str) -> str:
    """The digest of everything generated, from a process of its own."""
    text, facts = definition('"; import os #')
    given = json.dumps([text, {name: vars(fact) for name, fact in facts.items()}])
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", SOURCES, given]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.full)])
def test_generated_text_is_the_same_in_every_process(count: int) -> None:
    (told,) = {generated(str(1000 + i)) for i in range(count)}
    assert told.endswith("False\n")  # and needs no torch
