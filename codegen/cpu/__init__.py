"""The CPU target: plans as plain torch calls in a module that a person can read, in chunks that stay in cache."""

from nnlang.codegen.cpu.emit import emit

__all__ = ["emit"]
