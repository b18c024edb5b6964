"""The drawing for Mermaid, which README files and wikis show: a flowchart whose labels are quoted strings."""

from __future__ import annotations

import re

from nnlang.drawing import palette
from nnlang.drawing.picture import Box, Edge, Picture

_CLASSES = "".join(
    f"  classDef {role} fill:{fill},stroke:{line},color:{palette.INK[0]}\n"
    for role, (line, fill, *_) in palette.ROLES.items()
)
# All of ASCII but letters, digits and spaces; of marks within words and after words those may stay that mean nothing.
_MARKS = re.compile(r"(?!(?<=[0-9A-Za-z])[-_.,](?=[0-9A-Za-z])|, |: )[!-/:-@\[-`{-~]")


def flowchart(picture: Picture) -> str:
    """The drawing in Mermaid's language; nodes are numbered, names stand in labels only."""
    lines = ["---\n", f"title: {_title(picture.title)}\n", "---\n", "flowchart TD\n"]
    lines += [_node(number, box) for number, box in enumerate(picture.boxes)]
    lines += [_edge(edge) for edge in picture.edges]
    return "".join((*lines, _CLASSES))


def _node(number: int, box: Box) -> str:
    return f"  n{number}[{string(box.name, *box.words)}]:::{box.role}\n"


def _edge(edge: Edge) -> str:
    if edge.skip:
        return f'  n{edge.source} -.->|"skip"| n{edge.target}\n'
    words = [part for part in (edge.label, edge.shared) if part]
    label = f"|{string(*words)}|" if words else ""
    return f"  n{edge.source} -->{label} n{edge.target}\n"


def string(*lines: str) -> str:
    """Lines as one quoted string; marks that could mean something to Mermaid, Markdown or HTML become `#nn;`."""
    return '"' + "<br/>".join(_MARKS.sub(lambda m: f"#{ord(m[0])};", line) for line in lines) + '"'


def _title(text: str) -> str:
    r"""The title as a YAML string, every mark as `\xnn`."""
    return '"' + re.sub(r"[!-/:-@\[-`{-~]", lambda m: f"\\x{ord(m[0]):02x}", text) + '"'
