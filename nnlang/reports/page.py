"""One HTML file from sections of text, tables and figures. Its policy forbids connections and foreign scripts."""

from __future__ import annotations

import hashlib
import html
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nnlang.diagnostics import printable
from nnlang.reports.looks import DRAW, STYLE, TABLES
from nnlang.reports.plots import Plot, Selector
from nnlang.version import __version__


@dataclass(frozen=True)
class Section:
    """A part of the page: its heading, also in few words; `parts` are HTML made by the functions of this package."""

    name: str
    short: str
    title: str
    parts: tuple[str, ...]


def escape(text: object) -> str:
    """A text of the user's as part of HTML: no markup, no character that hides or turns others around."""
    return html.escape(printable(str(text)), quote=True)


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>\n'


def page(title: str, head: Iterable[str], sections: Sequence[Section], plots: Sequence[Plot]) -> Iterator[str]:
    """The text of the whole file, in pieces; `plots` are all figures whose elements stand in the sections."""
    drawn = [plot for plot in plots if plot.traces]
    library = _library() if drawn else ""
    scripts = [text for text in (library, DRAW if drawn else "", TABLES) if text]
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, _needs_webgl(drawn))}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f'<meta name="generator" content="nnlang {escape(__version__)}">\n'
    yield f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
    yield f"<body>\n<header>\n<h1>{escape(title)}</h1>\n"
    yield from head
    yield "</header>\n" + _contents(sections) + "<main>\n"
    for section in sections:
        yield f'<section aria-labelledby="{section.name}">\n<h2 id="{section.name}">{escape(section.title)}</h2>\n'
        yield from section.parts
        yield "</section>\n"
    yield f"</main>\n<footer>Made by nnlang {escape(__version__)}; this file needs no network.</footer>\n"
    yield '<noscript><p class="note">The figures need JavaScript; texts and tables are all here.</p></noscript>\n'
    for plot in drawn:
        yield f'<script type="application/json" id="{plot.name}-data">{_content(plot)}</script>\n'
    for text in scripts:
        yield f"<script>{text}</script>\n"
    yield "</body>\n</html>\n"


def figure(plot: Plot, heading: bool = False) -> str:
    """The element of a figure: its title where that is not the section's, what one sees, selectors, room to draw in."""
    title = f"<h3>{escape(plot.title)}</h3>\n" if heading else ""
    caption = f"<figcaption>{escape(plot.caption)}</figcaption>\n"
    if not plot.traces:
        return f'<figure id="{plot.name}-figure" class="none">\n{title}{caption}</figure>\n'
    selectors = "".join(_selector(plot, place, one) for place, one in enumerate(plot.selectors))
    controls = f'<div class="controls">{selectors}</div>\n' if selectors else ""
    room = f"height:{plot.height}px" + (f";min-width:{plot.least}px" if plot.least else "")
    words = escape(f"{plot.title}. {plot.alt or plot.caption}")
    return (
        f'<figure id="{plot.name}-figure">\n{title}{caption}{controls}<div class="scroll">'
        f'<div class="plot" id="{plot.name}" role="img" aria-label="{words}" style="{room}"></div></div>\n</figure>\n'
    )


def _selector(plot: Plot, place: int, one: Selector) -> str:
    options = "".join(f"<option>{escape(choice.label)}</option>" for choice in one.choices)
    which = f'data-plot="{plot.name}" data-selector="{place}"'
    return f'<label>{escape(one.label)} <select autocomplete="off" {which}>{options}</select></label>'


def _content(plot: Plot) -> str:
    """The figure as JSON inside an element: no sign of it can end that element."""
    choices = [[{"traces": c.traces, "frame": c.frame} for c in one.choices] for one in plot.selectors]
    content = {"data": plot.traces, "layout": plot.frame, "selectors": choices}
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _contents(sections: Sequence[Section]) -> str:
    links = "\n".join(f'<a href="#{section.name}">{escape(section.short)}</a>' for section in sections)
    return f'<nav aria-label="Contents">\n{links}\n</nav>\n'


def _library() -> str:
    """Plotly's script, for inside an element."""
    from plotly.offline import get_plotlyjs

    text = str(get_plotlyjs())
    assert "</script" not in text.lower(), "Plotly's script would end its element"
    return text


def _needs_webgl(plots: Iterable[Plot]) -> bool:
    return any(trace["type"].endswith("gl") for plot in plots for trace in plot.traces)


def _policy(scripts: Iterable[str], webgl: bool) -> str:
    """Only these scripts run, nothing is fetched; Plotly's WebGL traces compile their own drawing code."""
    known = " ".join(map(_hash, scripts)) + (" 'unsafe-eval'" if webgl else "")
    return (
        f"default-src 'none'; script-src {known}; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    """The name of an inline text in a Content-Security-Policy."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
