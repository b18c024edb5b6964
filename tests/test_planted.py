"""One slip in a sound text is one finding: 200 and more kinds of places, each slip where a person makes it.

The same in every layout in which people write definitions; and no fix leaves a text with as many errors as it had.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnlang.diagnostics import Report
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited, mended
from nnlang.source import Source
from nnlang.syntax import ArrayNode, Node, NullNode, ObjectNode, parse

TEXT = """{
  "Version": 0.8,
  "Name": "AE", // the name
  "Kind": "FeedForward",
  "ShuffleIndices": true,
  "Denoising": { "p": 0.2 },
  "ScaledMarginalCrossEntropy": {
    "oneTarget": 1.0,
    "zeroTarget": 0.0,
    "oneScale": 30.0
  },
  "Layers": [
    { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
    { "Name": "Hidden", "N": 128, "Source": ["Input"], "WeightInit": { "Scheme": "Gaussian", "Scale": 0.01 } },
    /* the widest layer */
    {
      "Name": "Output",
      "Kind": "Output",
      "N": "auto",
      "Source": ["Hidden", "Input"],
      "DataSet": "gl_output"
    }
  ],
  "ErrorFunction": "ScaledMarginalCrossEntropy"
}
"""
MOVIELENS = Path("examples/movielens/config.json").read_text(encoding="utf-8")
BRACES_AT_ENDS = """{ "Version": 0.8, "Name": "AE", "Denoising": { "p": 0.2 },
  "Layers": [
    { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
    { "Name": "Hidden", "N": 128, "Source": ["Input"],
      "WeightInit": { "Scheme": "Gaussian", "Scale": 0.01 } },
    { "Name": "Output", "Kind": "Output", "N": "auto", "DataSet": "gl_output" } ],
  "ErrorFunction": "CrossEntropy" }
"""
LAYOUTS = {
    "as written": TEXT,
    "movielens": MOVIELENS,
    "every value on its line": json.dumps(json.loads(MOVIELENS), indent=2) + "\n",
    "tabs": json.dumps(json.loads(MOVIELENS), indent="\t") + "\n",
    "one line": json.dumps(json.loads(MOVIELENS)) + "\n",
    "brackets at ends of lines": BRACES_AT_ENDS,
    "Windows": MOVIELENS.replace("\n", "\r\n"),
}
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"|-?[0-9.]+|[a-z]+|[{}\[\],:]')


def _kind(token: str) -> str:
    if token[0] == '"':
        return "string"
    return "number" if token[0] in "-0123456789" else token


def _tokens(text: str) -> Iterator[tuple[str, int, str]]:
    """Each token, where it begins, and what kind of place it is: neighbours, depth, whether its line ends with it."""
    found = [m for m in TOKEN.finditer(text) if not m[0].startswith("/")]
    depth = 0
    for i, m in enumerate(found):
        depth += m[0] in "{["
        before, after = found[i - 1][0] if i else "start", found[i + 1][0] if i + 1 < len(found) else "end"
        ends = text[m.end()] in "\r\n"
        yield (
            m[0],
            m.start(),
            f"{_kind(before)} {_kind(m[0])} {_kind(after)} depth {depth}{' line end' if ends else ''}",
        )
        depth -= m[0] in "}]"


# How a slip changes a token: what it is called, for which tokens, what stands there then.
SLIPS = (
    ("left out", re.compile(r"[{}\[\],:]"), ""),
    ("twice", re.compile(r"[{}\[\],:]"), r"\g<0>\g<0>"),
    ("opening quote left out", re.compile(r'^"([^"]+")$'), r"\1"),
    ("closing quote left out", re.compile(r'^("[^"]+)"$'), r"\1"),
    ("no quotes", re.compile(r'^"([^"]+)"$'), r"\1"),
    ("single quotes", re.compile(r'^"([^"]+)"$'), r"'\1'"),
    ("curly quotes", re.compile(r'^"([^"]+)"$'), "\u201c\\1\u201d"),
    ("semicolon", re.compile(r"^,$"), ";"),
    ("equals sign", re.compile(r"^:$"), "="),
    ("round bracket", re.compile(r"^[{\[]$"), "("),
    ("round bracket", re.compile(r"^[}\]]$"), ")"),
    ("other bracket", re.compile(r"^\]$"), "}"),
    ("other bracket", re.compile(r"^\}$"), "]"),
    ("capital", re.compile(r"^true$"), "True"),
    ("decimal comma", re.compile(r"^([0-9]+)\.([0-9]+)$"), r"\1,\2"),
    ("leading zero", re.compile(r"^([0-9]+)$"), r"0\1"),
    ("no digit after the point", re.compile(r"^([0-9]+)\.[0-9]+$"), r"\1."),
    ("no digit before the point", re.compile(r"^[0-9]+(\.[0-9]+)$"), r"\1"),
    ("plus sign", re.compile(r"^([0-9].*)$"), r"+\1"),
    ("percent sign", re.compile(r"^([0-9].*)$"), r"\1%"),
    ("unit", re.compile(r"^([0-9]+)$"), r"\1k"),
)


def planted(text: str) -> dict[str, str]:
    """Texts with one slip, by its kind and its kind of place."""
    found: dict[str, str] = {}
    for token, start, place in _tokens(text):
        for name, pattern, put in SLIPS:
            if pattern.fullmatch(token):
                changed = pattern.sub(put, token)
                found.setdefault(f"{name}: {place}", text[:start] + changed + text[start + len(token) :])
    return found


def _slips(text: str) -> list[Finding]:
    return [f for f in lint(Source("x", text)) if f.diagnostic.code.code.startswith("NN1")]


def _errors(found: list[Finding]) -> int:
    return sum(f.diagnostic.code.severity == "error" for f in found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_planted_slip_is_one_finding(layout: str) -> None:
    texts = planted(LAYOUTS[layout])
    counts, crowded, fixable, useless = {}, [], 0, []
    for kind, text in texts.items():
        found = _slips(text)
        counts[kind] = _errors(found)
        lines = [str(f.diagnostic.place).split(":")[1] for f in found if f.diagnostic.code.severity == "error"]
        crowded += [kind] if len(set(lines)) < len(lines) else []
        fixes = [f.fix for f in found if f.fix is not None]
        fixable += bool(fixes)
        useless += [(kind, fix.title) for fix in fixes if _errors(_slips(edited(text, [fix]))) >= counts[kind]]
    share = sum(n == 1 for n in counts.values()) / len(counts)
    print(f"{layout}: {len(texts)} kinds of slips and places, {share:.1%} with one finding, {fixable} with a fix")
    print([kind for kind, n in counts.items() if n != 1][:40])
    assert len(texts) >= (200 if layout == "as written" else 150)
    assert crowded == [] and useless == []
    assert share >= 0.98
    assert fixable >= 0.85 * len(texts)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_lost_or_surplus_bracket_is_put_right(layout: str) -> None:
    text = LAYOUTS[layout]
    whole, tried, right = meaning(text), 0, []
    for m in re.finditer(r"[{}\[\]]", text):
        for put in ("", m[0] * 2):
            source = Source("x", text[: m.start()] + put + text[m.end() :])
            after, _ = mended(source, lambda s: _slips(s.text), unsafe=True)
            tried += 1
            right += [m.start()] if meaning(after.text) == whole else []
    print(f"{layout}: {len(right)} of {tried} brackets put right")
    assert len(right) >= (0.8 if layout == "one line" else 0.9) * tried


def meaning(text: str) -> object:
    """What a sound text holds, whatever its layout; None for any other."""
    root = parse(Source("x", text), Report())
    return _held(root) if root is not None else None


def _held(node: Node) -> object:
    match node:
        case ObjectNode(members):
            return tuple((m.name.value, _held(m.value)) for m in members)
        case ArrayNode(items):
            return [_held(item) for item in items]
        case NullNode():
            return ()
    return node.value


def test_two_slips_on_lines_apart_are_two_findings() -> None:
    draw, counts, worse = random.Random(7), [], []
    while len(counts) < 120:
        text = draw.choice((TEXT, MOVIELENS))
        words = [m for m in TOKEN.finditer(text) if not m[0].startswith("/")]
        first, last = sorted(draw.sample(words, 2), key=lambda m: m.start())
        if "\n" not in text[first.start() : last.start()]:
            continue
        for m in (last, first):
            rows = [(pattern, put) for _, pattern, put in SLIPS if pattern.fullmatch(m[0])] or [(TOKEN, m[0])]
            pattern, put = draw.choice(rows)
            text = text[: m.start()] + pattern.sub(put, m[0]) + text[m.end() :]
        found = _slips(text)
        counts.append(_errors(found))
        fixes = [f.fix for f in found if f.fix is not None]
        worse += [text for fix in fixes if _errors(_slips(edited(text, [fix]))) > counts[-1]]
    print(f"{counts.count(2)} of {len(counts)} texts with two slips have two findings, at most {max(counts)}")
    assert counts.count(2) >= 0.9 * len(counts) and max(counts) <= 3
    assert worse == []
