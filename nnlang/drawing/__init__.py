"""Networks drawn: one description, written as SVG, HTML, Mermaid, Graphviz or plain text. Same network, same bytes."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from nnlang.drawing.graphviz import dot
from nnlang.drawing.mermaid import flowchart
from nnlang.drawing.page import html
from nnlang.drawing.picture import Picture, describe
from nnlang.drawing.plain import text
from nnlang.drawing.vector import svg
from nnlang.network import Network

# The forms by the suffixes of their files.
FORMS: MappingProxyType[str, Callable[[Picture], str]] = MappingProxyType(
    {"svg": svg, "html": html, "mmd": flowchart, "dot": dot, "txt": text}
)


def draw(network: Network, form: str) -> str:
    """The network as text of a form of `FORMS`; sizes may still be open (dims of 0).

    SVG and HTML lay up to 300 layers out in rows; larger networks, and those whose edges would pass more than 4,000
    places between rows, become one column in propagation order, and the drawing says so.
    """
    return FORMS[form](describe(network))
