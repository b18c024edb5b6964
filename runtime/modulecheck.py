"""What an emitted Triton module may hold, as an allow-list over its syntax tree (reliability.md 5): looked at before it
is written and loaded, so that a mistake in code generation cannot become code that does something else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.For,
    ast.If, ast.Assign, ast.AugAssign, ast.Expr, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice,
    ast.keyword, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.operator, ast.UnaryOp,
    ast.unaryop, ast.Compare, ast.cmpop,
)  # fmt: skip
IMPORTS = {("triton", None), ("triton.language", "tl")}
LANGUAGE = "nnlang.runtime.language"
TRITON = {"cdiv", "jit", "language"}
TL = {
    "abs", "arange", "bfloat16", "cdiv", "constexpr", "cumsum", "debug_barrier", "dot", "exp", "float32", "full",
    "int32", "int64", "load", "log", "max", "maximum", "min", "minimum", "num_programs", "philox", "pointer_type",
    "program_id", "range", "reshape", "sigmoid", "sqrt", "static_range", "store", "sum", "uint32", "where", "zeros",
    "zeros_like",
}  # fmt: skip
METHODS = {"add_", "buffer", "copy_", "log_", "scratch", "to"}
COLLECTIVES = {"gather", "max", "start_sum", "sum"}  # of ranks, between kernels
BEGUN = "arrived"  # the function that waits for a sum that was begun
FIELDS = {
    "dense", "entry_capacity", "ids", "index", "ints", "leaves", "ranks", "replicas", "row_bags", "row_piece_capacity",
    "row_pieces", "rows", "scalars", "share", "starts", "unit_bags", "unit_index", "unit_order", "unit_piece_capacity",
    "unit_pieces", "unit_row", "values", "weight",
}  # fmt: skip
BUILT_IN = {"float", "max", "min", "range"}
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
WORD = re.compile(r"-?[a-z][a-z0-9_]*( [0-9]+)?")  # scalars, scratch memory, parameters, modes of tl.dot, "inf"


class Rejected(ValueError):  # noqa: N818 - it says what it is
    """An emitted module holds what none should: a bug of ours, never a mistake of the user's."""


def check(source: str) -> frozenset[str]:
    """The names of the kernels of an emitted module; raises Rejected for anything that no emitted module needs."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    kernels = frozenset(name for name, node in functions.items() if node.decorator_list)
    language = {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    nodes = list(ast.walk(tree))
    known, callable_names = _bound(nodes) | BUILT_IN, language | BUILT_IN | {BEGUN}
    texts = {id(n.value) for n in nodes if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    for node in nodes:
        if id(node) in texts:
            continue
        if isinstance(node, ast.Call):
            allowed = all(k.arg for k in node.keywords) and _callable(node.func, callable_names, kernels)
        else:
            allowed = isinstance(node, NODES) and _harmless(node, known)
        if not allowed:
            raise Rejected(f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:100]}")
    return kernels


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name that the module itself gives a meaning: what it imports, defines, assigns, takes."""
    found = set()
    for node in nodes:
        match node:
            case ast.alias(name=name, asname=other):
                found.add(other or name)
            case ast.FunctionDef(name=name) | ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


def _harmless(node: ast.AST, known: set[str]) -> bool:
    match node:
        case ast.Import(names=names):
            return {(n.name, n.asname) for n in names} <= IMPORTS
        case ast.ImportFrom(module=module, names=names):
            return module == LANGUAGE and all(_plain(n.name) and n.asname is None for n in names)
        case ast.alias():
            return True  # judged where it is imported
        case ast.FunctionDef(name=name, decorator_list=decorators):
            return _plain(name) and [ast.unparse(d).partition("(")[0] for d in decorators] in ([], ["triton.jit"])
        case ast.Name(id=name):
            return _plain(name) and name in known
        case ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return _plain(name)
        case ast.Attribute(value=ast.Name(id="triton" | "tl" as module), attr=name):
            return name in (TRITON if module == "triton" else TL)
        case ast.Attribute(value=ast.Attribute(attr="ranks" | "replicas"), attr=name):
            return name in COLLECTIVES
        case ast.Attribute(attr=name):
            return name in FIELDS | METHODS
        case ast.Constant(value=str() as text):
            return WORD.fullmatch(text) is not None
        case ast.Constant(value=value):
            return value is None or isinstance(value, int) or (isinstance(value, float) and abs(value) < float("inf"))
    return True


def _plain(name: str) -> bool:
    return NAME.fullmatch(name) is not None and "__" not in name


def _callable(function: ast.expr, names: set[str], kernels: frozenset[str]) -> bool:
    """Whether this may be called: Triton's operations, our functions, kernels on a grid, the step block's memory."""
    match function:
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(value=ast.Name(id="triton" | "tl")):
            return True  # judged as an attribute
        case ast.Attribute(value=ast.Attribute(attr="ranks" | "replicas")):
            return True  # judged as an attribute
        case ast.Attribute(attr=name):
            return name in METHODS
        case ast.Subscript(value=ast.Name(id=name)):
            return name in kernels
    return False
