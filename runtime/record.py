"""Frozen dataclasses of the compiler as JSON values and back, exactly; `ValueError` says what does not fit."""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def encode(value: Any) -> Any:
    """The JSON value of a dataclass, an enum (its name), a tuple (a list) or a plain value, with all within."""
    if is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], value: Any) -> T:
    """The instance of the dataclass `kind` that `encode` made `value` of.

    Fields that are not there take their defaults, unknown ones are passed over: a record of another minor format reads.
    """
    decoded: T = _decode(kind, value, kind.__name__)
    return decoded


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _decode(next(k for k in get_args(kind) if k is not type(None)), value, where)
    if origin is tuple:
        return _tuple(get_args(kind), value, where)
    if is_dataclass(kind):
        return _instance(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        if value not in kind.__members__:
            raise ValueError(f"{where} is not one of {', '.join(kind.__members__)}")
        return kind[value]
    return _plain(kind, value, where)


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is not a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{where} has {len(value)} items, {len(kinds)} are needed")
    return tuple(_decode(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))


def _instance(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    hints = _hints(kind)
    for f in fields(kind):
        if f.name not in value and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where}.{f.name} is missing")
    known = [f.name for f in fields(kind) if f.name in value]
    return kind(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in known})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if type(value) is not kind or kind is float:
        raise ValueError(f"{where} is not a {kind.__name__}")
    return value
