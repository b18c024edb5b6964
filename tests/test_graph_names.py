"""Names that try to break out of a drawing: every form is read back by a parser, and each name is whole in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.diagnostics import printable
from nnlang.drawing import draw
from nnlang.network import Network
from tests import networks

SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = (
    "\"quoted\" 'single'",
    '</svg><script>alert("x")</script>',
    "{{}} %%{init: {}}%% `code` **bold** _a_ #35; #quot; | ] ) -->",
    "back\\slash \\n \\N \\\\",
    "trailing\\",
    "&lt;b&gt; &#60;script&#62; <b>bold</b> <!-- --> ]]>",
    "right\u202eto\u2066left\u200b",
    "漢字かな交じり文",
    "🎉 party 👩‍🔬",
    "x" * 128,
    "W" * 128,
    "1. list",
    "- list",
    "end",
    "مرحبا",
    "\ufffe\ud800\x85\u2028",
)


def named(name: str) -> Network:
    """A network in which everything that can have a name has this one, or one that begins with it."""
    network = networks.shared_transposed()
    layers = zip(network.layers, "abcde", strict=True)
    changed = tuple(replace(x, name=name + letter, dataset=name if x.dataset else "") for x, letter in layers)
    return replace(network, name=name, layers=changed)


class Page(HTMLParser):
    """What a browser would see of an HTML file: tags, attributes and the texts within each kind of tag."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def check_svg(network: Network) -> None:
    """The SVG is well-formed, holds only tags of ours, and says every name whole in some title."""
    root = ElementTree.fromstring(draw(network, "svg"))
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "text",
        "g",
        "path",
    }
    assert root.get("role") == "img"
    ids = {e.get("id") for e in root if e.get("id")}
    assert set((root.get("aria-labelledby") or "").split()) == ids
    titles = [e.text for e in root.iter(f"{SVG}title")]
    assert titles[0] == (printable(network.name) or "network")
    assert all(printable(x.name) in titles for x in network.layers)
    assert {key for e in root.iter() for key in e.attrib} <= {
        *("id", "class", "width", "height", "viewBox", "role", "aria-labelledby", "x", "y", "rx", "d", "transform"),
    }


def check_html(network: Network) -> None:
    """One script and two styles, ours, allowed by their hashes; every name stands in the table."""
    text = draw(network, "html")
    page = Page(text)
    assert page.open == []
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 2
    assert not {"src", "href", "style", "srcdoc"} & {name for name, _ in page.attributes}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in (value or ""))
    inline = [*re.findall(r"<script>(.*?)</script>", text, re.S), *re.findall(r"<style>(.*?)</style>", text, re.S)]
    allowed = {f"sha256-{b64encode(sha256(part.encode()).digest()).decode()}" for part in inline}
    assert set(re.findall(r"'(sha256-[^']*)'", policy or "")) == allowed
    assert "unsafe" not in (policy or "")
    assert set(map(str, map(printable, (x.name for x in network.layers)))) <= set(page.texts["td"])


DOT_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
DOT_LINE = re.compile(
    r"digraph @ \{|\}|  rankdir=TB;.*|  node \[.*\];|  edge \[.*\];|  label=@;"
    r"|  n\d+ \[label=@, color=@, fillcolor=@\];|  n\d+ -> n\d+( \[label=@(, style=dashed, color=@)?\])?;"
)


def undot(text: str) -> list[str]:
    """The lines of a label as Graphviz reads it."""
    lines, line = [], ""
    for piece in re.findall(r"\\.|&amp;|[^\\&]", text):
        if piece == r"\n":
            lines, line = [*lines, line], ""
            continue
        assert piece[0] != "\\" or piece in (r"\\", r"\""), piece
        line += {"&amp;": "&"}.get(piece, piece[-1])
    assert len(re.findall("&", text)) == len(re.findall("&amp;", text))
    return [*lines, line]


def check_dot(network: Network) -> None:
    """Every line has a form of ours once strings are taken out, and the labels' first lines are the names."""
    text = draw(network, "dot")
    for line in text.splitlines():
        assert DOT_LINE.fullmatch(DOT_STRING.sub("@", line)), line
    labels = re.findall(r'^  n\d+ \[label="((?:[^"\\\n]|\\.)*)"', text, re.M)
    assert [undot(label)[0] for label in labels] == [printable(x.name) for x in network.layers]


MERMAID_TEXT = r'"((?:[^"<>\n]|<br/>)*)"'
MERMAID_LINE = re.compile(
    rf"  n\d+\[{MERMAID_TEXT}\]:::\w+|  n\d+ (?:-->|-\.->)(?:\|{MERMAID_TEXT}\|)? n\d+|  classDef \w+ [-\w#:,]+"
)


def check_mermaid(network: Network) -> None:
    """Every line has a form of ours; no mark in a label means anything; the labels' first lines are the names."""
    head, title, rule, chart, *lines = draw(network, "mmd").splitlines()
    assert (head, rule, chart) == ("---", "---", "flowchart TD")
    quoted = re.fullmatch(r'title: "((?:[^"\\]|\\x[0-9a-f]{2})*)"', title)
    assert quoted
    assert re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), quoted[1]) == (printable(network.name) or "network")
    names = []
    for line in lines:
        found = MERMAID_LINE.fullmatch(line)
        assert found, line
        for label in filter(None, found.groups()):
            bare = re.sub(r"#\d+;|<br/>", "", label)
            assert not set(bare) & set("\"'`#;|<>[](){}*&%$@!\\^~=+?"), label
        if found[1] is not None and "]:::" in line:
            names.append(re.sub(r"#(\d+);", lambda m: chr(int(m[1])), found[1].split("<br/>")[0]))
    assert names == [printable(x.name) for x in network.layers]


CHECKS = {"svg": check_svg, "html": check_html, "dot": check_dot, "mmd": check_mermaid}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out(name: str, form: str) -> None:
    CHECKS[form](named(name))


@pytest.mark.parametrize("form", CHECKS)
@settings(max_examples=40, deadline=None)
@given(name=st.text(min_size=1, max_size=40) | st.text(alphabet="\\\"'`<>&#;%{}[]()|-_.,: \n\tan1é漢", max_size=20))
def test_no_random_name_breaks_out(form: str, name: str) -> None:
    CHECKS[form](named(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_text_stays_in_its_lines(name: str) -> None:
    lines = draw(named(name), "txt").splitlines()
    assert len(lines) == 3 + 6
    assert all(printable(line) == line for line in lines)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not on this machine")
@pytest.mark.parametrize("name", HOSTILE)
def test_graphviz_reads_the_names_as_they_are(name: str) -> None:
    network = named(name)
    words = ["dot", "-Tsvg"]
    done = subprocess.run(words, input=draw(network, "dot").encode(), capture_output=True, check=True, timeout=60)
    texts = [e.text for e in ElementTree.fromstring(done.stdout).iter(f"{SVG}text")]
    shown = [(text or "").replace("\xa0", " ") for text in texts]
    assert printable(network.layers[0].name) in shown
