"""The text of a definition that was made, not written: laid out as `nnlang format` lays texts out, always the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from nnlang.formatter import WIDTH

_STEP = "  "

Quote = Callable[[str], str]


def definition_text(tree: Any) -> str:
    """The text of a JSON tree, ending in a newline: equal trees, equal bytes."""
    text = _text(tree, 0, WIDTH, encode_basestring) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs, which only an escape can stand for
        text = _text(tree, 0, WIDTH, encode_basestring_ascii) + "\n"
    return text


def _text(value: Any, depth: int, before: int, quote: Quote) -> str:
    """A value, on one line where it fits beside the `before` columns that others take."""
    flat = _flat(value, quote)
    if flat is not None and (before + len(flat) <= WIDTH or not isinstance(value, dict | list) or not value):
        return flat
    padding = "\n" + _STEP * (depth + 1)
    column = len(padding) - 1
    last = len(value) - 1
    if isinstance(value, list):
        parts = [_text(v, depth + 1, column + (n < last), quote) for n, v in enumerate(value)]
        return "[" + padding + ("," + padding).join(parts) + padding[: -len(_STEP)] + "]"
    parts = []
    for n, (name, inner) in enumerate(value.items()):
        key = quote(name) + ": "
        parts.append(key + _text(inner, depth + 1, column + len(key) + (n < last), quote))
    return "{" + padding + ("," + padding).join(parts) + padding[: -len(_STEP)] + "}"


def _flat(value: Any, quote: Quote) -> str | None:
    """The value on one line; None where objects stand in a list, or where it is a container and no line is as long."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        parts, room = [], WIDTH
        for name, inner in value.items():
            flat = _flat(inner, quote)
            if flat is None:
                return None
            parts.append(f"{quote(name)}: {flat}")
            room -= len(parts[-1])
            if room < 0:
                return None
        text = "{ " + ", ".join(parts) + " }" if parts else "{}"
    elif isinstance(value, list):
        items = [None if isinstance(inner, dict) else _flat(inner, quote) for inner in value]
        if None in items:
            return None
        text = "[" + ", ".join(map(str, items)) + "]"
    else:
        return repr(value) if type(value) is int else json.dumps(value)
    return text if len(text) <= WIDTH else None
