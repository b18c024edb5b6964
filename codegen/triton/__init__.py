"""The GPU target: plans as Triton kernels in a module that a person can read; the interpreter runs the same text."""

from nnlang.codegen.triton.emit import emit

__all__ = ["emit"]
