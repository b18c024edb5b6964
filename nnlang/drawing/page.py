"""One HTML file: the drawing, and a table of the layers that sorts by a click. Nothing is fetched from anywhere."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator

from nnlang.drawing.picture import Box, Picture
from nnlang.drawing.vector import STYLE, escape, svg

_HEADS = ("#", "layer", "kind", "shape", "activation", "sources", "options", "data", "parameters")
_NUMBERS = {"#", "parameters"}

_STYLE = """
:root{color-scheme:light dark}
body{margin:0 auto;padding:0 1rem 2rem;max-width:76rem;background:#fff;color:#1c2127;
font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}
.drawing{overflow:auto;text-align:center}
.layers{overflow-x:auto}
table{border-collapse:collapse;width:100%}
caption{text-align:left;font-weight:600;padding:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem;border-bottom:1px solid #d9dde3;unicode-bidi:isolate}
td{overflow-wrap:break-word;max-width:26rem}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid #2f6fb0}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
@media (prefers-color-scheme:dark){body{background:#15181d;color:#e8ebef}th,td{border-color:#343a43}}
@media print{th button::after{content:none}}
"""
_SCRIPT = """
"use strict";
const body = document.querySelector("tbody");
const heads = [...document.querySelectorAll("th")];
const value = (row, i) => row.cells[i].textContent.replace(/(?<=\\d),(?=\\d)/g, "");
const order = new Intl.Collator(undefined, {numeric: true}).compare;
heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...body.rows].sort((a, b) => order(value(a, i), value(b, i)));
  body.append(...(up ? rows : rows.reverse()));
}));
"""


def html(picture: Picture) -> str:
    """The whole file. Its policy lets only its own three inlines run, known by their hashes."""
    return "".join(_page(picture))


def _page(picture: Picture) -> Iterator[str]:
    styles = f"{_hash(_STYLE)} {_hash(STYLE)}"
    policy = f"default-src 'none'; style-src {styles}; script-src {_hash(_SCRIPT)}; base-uri 'none'; form-action 'none'"
    title = escape(picture.title)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    yield f'<main>\n<div class="drawing">\n{svg(picture)}</div>\n'
    yield '<div class="layers">\n<table>\n<caption>Layers in propagation order</caption>\n<thead>\n<tr>'
    into: dict[int, list[str]] = {}
    for edge in picture.edges:
        words = (picture.boxes[edge.source].name, "skip" * edge.skip, edge.label, edge.shared)
        into.setdefault(edge.target, []).append(", ".join(word for word in words if word))
    rows = [_cells(number, box, into.get(number, [])) for number, box in enumerate(picture.boxes)]
    kept = [i for i in range(len(_HEADS)) if any(row[i] for row in rows)]
    for i in kept:
        yield f'<th scope="col"{_class(i)}><button type="button">{_HEADS[i]}</button></th>'
    yield "</tr>\n</thead>\n<tbody>\n"
    for row in rows:
        yield f"<tr>{''.join(f'<td{_class(i)}>{row[i]}</td>' for i in kept)}</tr>\n"
    yield f"</tbody>\n</table>\n</div>\n</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"


def _class(column: int) -> str:
    return ' class="number"' if _HEADS[column] in _NUMBERS else ""


def _cells(number: int, box: Box, sources: list[str]) -> tuple[str, ...]:
    """The cells of a layer's row, escaped; "" where there is nothing to say."""
    names = (box.name, box.kind, box.shape, box.activation)
    lists = (", ".join(box.options), ", ".join(box.data))
    return (str(number), *map(escape, names), "<br>".join(map(escape, sources)), *map(escape, lists), box.number)


def _hash(text: str) -> str:
    """The name of an inline text in a Content-Security-Policy."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
