"""The golden text of operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from enum import Enum

from nnlang.ops import Op, Stage, topological


def dump(roots: Iterable[Op]) -> str:
    """The golden text: one line an operation, numbered in topological order."""
    numbers: dict[Op, int] = {}
    lines = []
    for op in topological(roots):
        numbers[op] = len(numbers)
        values = (
            f"{f.name}={_text(getattr(op, f.name), numbers)}"
            for f in fields(op)
            if _is_told(f.name, getattr(op, f.name))
        )
        lines.append(f"%{numbers[op]} {type(op).__name__} {op.type} {' '.join(values)}".rstrip())
    return "\n".join(lines) + "\n"


def _is_told(name: str, value: object) -> bool:
    return name != "type" and not (name == "replicas" and value == 1)


def _text(value: object, numbers: dict[Op, int]) -> str:
    match value:
        case Op():
            return f"%{numbers[value]}"
        case Stage(e, args):
            return f"({e}; {_text(args, numbers)})"
        case tuple():
            return "[" + ", ".join(_text(v, numbers) for v in value) + "]"
        case Enum():
            return value.name.lower()
    return str(value)
