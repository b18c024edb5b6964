"""nnlang: a compiler for networks with huge sparse inputs and outputs. The library face: the commands as functions.

    import nnlang
    model = nnlang.train("config.json", ["gl_input.nc"], ["gl_output.nc"], "gl.nc", epochs=10)
    nnlang.predict("gl.nc", "ratings.txt", "recs.txt", k=10)

Everything is imported when it is first used: `import nnlang` brings no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnlang.version import __version__

if TYPE_CHECKING:
    from nnlang.runtime.library import compile, evaluate, generate, lint, predict, train
    from nnlang.search.library import sweep

_HOMES = {
    **dict.fromkeys(("compile", "evaluate", "generate", "lint", "predict", "train"), "nnlang.runtime.library"),
    "sweep": "nnlang.search.library",
}

__all__ = ["__version__", "compile", "evaluate", "generate", "lint", "predict", "sweep", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nnlang' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
