"""The house rules that no linter knows: sizes, docstrings, names, unsafe calls. As a script: the size line."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ("nnlang", "codegen", "runtime", "grammar")
OTHERS = ("tests", "benchmarks", "examples", "docs")

FILE_LINES, FUNCTION_LINES, MEDIAN_LINES, LINE_LENGTH = 400, 60, 10, 120

# What could run text that came from outside. ALLOWED lets one file use one name: (file, name), the reason beside it.
UNSAFE_MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "os.system", "os.popen", "torch.load", "torch.save"}
ALLOWED: set[tuple[str, str]] = {
    ("runtime/program.py", "exec"),  # loads the emitted CPU module: statements of ours over numbered names
    ("runtime/modules.py", "exec"),  # loads the emitted Triton module, checked against an allow-list before
}

EMPTY_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}
LATER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")
TEXTS = {".py", ".lark", ".md", ".toml", ".json", ".txt"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Size(NamedTuple):
    """The length in lines of one file or function."""

    lines: int
    where: str


def is_ours(path: Path) -> bool:
    """False for what the links inside nnlang/ show a second time, and for caches."""
    parts = path.relative_to(ROOT).parts
    return not (parts[0] == "nnlang" and parts[1] in PACKAGE) and "__pycache__" not in parts


def files(folders: tuple[str, ...], suffix: str = ".py") -> list[Path]:
    """The files with that suffix below the folders, each once."""
    return sorted(p for folder in folders for p in (ROOT / folder).rglob(f"*{suffix}") if p.is_file() and is_ours(p))


def read(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    """The path as people say it."""
    return path.relative_to(ROOT).as_posix()


def file_sizes(folders: tuple[str, ...]) -> list[Size]:
    """Lines of each Python file."""
    return [Size(len(p.read_text(encoding="utf-8").splitlines()), name(p)) for p in files(folders)]


def function_sizes(folders: tuple[str, ...]) -> list[Size]:
    """Lines of each function and method, without its decorators."""
    found = ((p, node) for p in files(folders) for node in ast.walk(read(p)) if isinstance(node, Function))
    return [Size((f.end_lineno or f.lineno) - f.lineno + 1, f"{name(p)}:{f.lineno} {f.name}") for p, f in found]


def size_line() -> str:
    """One line on how big the package is and where it is biggest."""
    by_file, by_function = file_sizes(PACKAGE), function_sizes(PACKAGE)
    total = sum(size.lines for size in by_file)
    median = statistics.median(size.lines for size in by_function)
    file, function = max(by_file), max(by_function)
    return (
        f"size: {len(by_file)} files, {total} lines; largest file {file.lines} ({file.where}); "
        f"{len(by_function)} functions, median {median:g}, longest {function.lines} ({function.where})"
    )


def test_files_are_short() -> None:
    assert [size for size in file_sizes(PACKAGE + OTHERS) if size.lines >= FILE_LINES] == []


def test_functions_are_short() -> None:
    assert [size for size in function_sizes(PACKAGE + OTHERS) if size.lines >= FUNCTION_LINES] == []


def test_the_median_function_is_shorter() -> None:
    assert statistics.median(size.lines for size in function_sizes(PACKAGE)) < MEDIAN_LINES


def undocumented(tree: ast.Module) -> Iterator[str]:
    """What lacks a docstring: the module (unless empty), its public classes and functions."""
    if tree.body and not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.name


def test_docstrings_are_present() -> None:
    assert [f"{name(p)}: {what}" for p in files(PACKAGE) for what in undocumented(read(p))] == []


def test_docstrings_are_found_missing() -> None:
    text = "def f(): pass\ndef _g(): pass\nclass C:\n    def m(self): pass\n"
    assert list(undocumented(ast.parse(text))) == ["the module", "f", "C"]
    assert list(undocumented(ast.parse(""))) == []


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Names in the tree that load pickles, run text or ask a shell."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.partition(".")[0] in UNSAFE_MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNSAFE_MODULES:
                yield module
            case ast.Call(func=func) if ast.unparse(func).removeprefix("builtins.") in UNSAFE_CALLS:
                yield ast.unparse(func).removeprefix("builtins.")
            case ast.keyword(arg="shell" | "allow_pickle" as keyword, value=ast.Constant(value=True)):
                yield keyword


def test_nothing_runs_text_or_loads_pickles() -> None:
    found = {(name(p), what) for p in files(PACKAGE) for what in unsafe(read(p))}
    assert found - ALLOWED == set()
    assert ALLOWED - found == set(), "rows that nothing needs are doors left open"


def test_unsafe_names_are_found() -> None:
    text = (
        "import pickle\nfrom dill import load\neval(x)\nbuiltins.exec(x)\ntorch.load(f)\nrun(c, shell=True)\nm.eval()"
    )
    assert sorted(unsafe(ast.parse(text))) == ["dill", "eval", "exec", "pickle", "shell", "torch.load"]


def test_names_say_something() -> None:
    assert [name(p) for p in files(PACKAGE) if EMPTY_NAMES & set(p.stem.split("_"))] == []


def test_nothing_is_left_for_later() -> None:
    texts = [p for p in files(PACKAGE + OTHERS, "") if p.suffix in TEXTS]
    found = [(name(p), n) for p in texts for n, line in enumerate(lines(p), 1) if LATER.search(line)]
    assert found == []


def lines(path: Path) -> list[str]:
    """The lines of a text file; of a hostile one in tests/, what can be read."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def test_no_global_statement() -> None:
    found = [(name(p), n.lineno) for p in files(PACKAGE) for n in ast.walk(read(p)) if isinstance(n, ast.Global)]
    assert found == []


def test_the_other_texts_keep_the_line_length() -> None:
    """Ruff sees the Python files; the grammar is read as often."""
    found = [
        (name(p), n)
        for p in files(("grammar",), ".lark")
        for n, line in enumerate(lines(p), 1)
        if len(line) > LINE_LENGTH
    ]
    assert found == []


if __name__ == "__main__":
    print(size_line())
