"""The syntax of LNDL as a Lark grammar, and nothing else: what the words mean stands in `nnlang.schema`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


@cache
def text() -> str:
    """The grammar's text, for `lark.Lark`."""
    return Path(__file__).with_name("lndl.lark").read_text(encoding="utf-8")


def terminal(name: str) -> str:
    """The regular expression of one terminal, as the grammar writes it between slashes."""
    found = re.search(rf"^{name}(?:\.-\d)?: */(.*)/$", text(), re.MULTILINE)
    assert found, name
    return found[1]
