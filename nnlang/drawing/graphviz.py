"""The drawing for Graphviz: a directed graph whose labels are plain strings, laid out by `dot`."""

from __future__ import annotations

from nnlang.drawing import palette
from nnlang.drawing.picture import Box, Edge, Picture

_STYLE = f"""\
  rankdir=TB; ranksep=0.45; nodesep=0.35; labelloc=t; fontname="Helvetica"; fontsize=16;
  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.18,0.1"];
  edge [color="{palette.LINE[0]}", fontcolor="{palette.SOFT[0]}", fontname="Helvetica", fontsize=10, arrowsize=0.7];
"""


def dot(picture: Picture) -> str:
    """The drawing in Graphviz's language; nodes are numbered, names stand in labels only."""
    lines = [f"digraph {string(picture.title)} {{\n", _STYLE]
    lines.append(f"  label={string(picture.title, ', '.join(picture.facts))};\n")
    lines += [_node(number, box) for number, box in enumerate(picture.boxes)]
    lines += [_edge(edge) for edge in picture.edges]
    return "".join((*lines, "}\n"))


def _node(number: int, box: Box) -> str:
    line, fill, *_ = palette.ROLES[box.role]
    label = string(box.name, *box.words)
    return f'  n{number} [label={label}, color="{line}", fillcolor="{fill}"];\n'


def _edge(edge: Edge) -> str:
    if edge.skip:
        return f'  n{edge.source} -> n{edge.target} [label="skip", style=dashed, color="{palette.SKIP[0]}"];\n'
    words = [part for part in (edge.label, edge.shared) if part]
    return f"  n{edge.source} -> n{edge.target}{f' [label={string(*words)}]' if words else ''};\n"


def string(*lines: str) -> str:
    r"""Lines as one quoted string: `\` and `"` escaped, `&` too, as labels read character references."""
    return '"' + r"\n".join(map(_escaped, lines)) + '"'


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace('"', r"\"").replace("&", "&amp;")
