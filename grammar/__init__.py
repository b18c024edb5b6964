"""The syntax of LNDL as a Lark grammar, and nothing else: what the words mean stands in `nnlang.schema`."""

from __future__ import annotations

from pathlib import Path


def text() -> str:
    """The grammar's text, for `lark.Lark`."""
    return Path(__file__).with_name("lndl.lark").read_text(encoding="utf-8")
