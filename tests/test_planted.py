"""One slip in a sound text is one finding: 200 and more kinds of places, each slip where a person makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nnlang.linting.check import lint
from nnlang.source import Source

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
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"|-?[0-9.]+|[a-z]+|[{}\[\],:]')


def _kind(token: str) -> str:
    if token[0] == '"':
        return "string"
    return "number" if token[0] in "-0123456789" else token


def _tokens() -> Iterator[tuple[str, int, str]]:
    """Each token, where it begins, and what kind of place it is: neighbours, depth, whether its line ends with it."""
    found = [m for m in TOKEN.finditer(TEXT) if not m[0].startswith("/")]
    depth = 0
    for i, m in enumerate(found):
        depth += m[0] in "{["
        before, after = found[i - 1][0] if i else "start", found[i + 1][0] if i + 1 < len(found) else "end"
        ends = TEXT[m.end()] == "\n"
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


def planted() -> dict[str, str]:
    """Texts with one slip, by its kind and its kind of place."""
    found: dict[str, str] = {}
    for token, start, place in _tokens():
        for name, pattern, put in SLIPS:
            if pattern.fullmatch(token):
                changed = pattern.sub(put, token)
                found.setdefault(f"{name}: {place}", TEXT[:start] + changed + TEXT[start + len(token) :])
    return found


def test_one_planted_slip_is_one_finding() -> None:
    texts = planted()
    counts, crowded = {}, []
    for kind, text in texts.items():
        errors = [f.diagnostic for f in lint(Source("x", text)) if f.diagnostic.code.severity == "error"]
        syntax = [d for d in errors if d.code.code.startswith("NN1")]
        counts[kind] = len(errors)
        lines = [str(d.place).split(":")[1] for d in syntax]
        crowded += [kind] if len(set(lines)) < len(lines) else []
    found = [n for n in counts.values() if n]  # "Name" without a slip's effect: `"a": "b" "c"` is one, `["a" "b"]` too
    share = sum(n == 1 for n in found) / len(found)
    print(f"{len(texts)} kinds of slips and places, {len(found)} with findings, {share:.1%} of them with exactly one")
    print([kind for kind, n in counts.items() if n > 1][:40])
    assert len(found) >= 200
    assert len(found) >= 0.98 * len(texts)
    assert crowded == []
    assert share >= 0.9
