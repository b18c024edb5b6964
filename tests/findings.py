"""Findings made by hand, for tests of the forms in which lint speaks: a small set, and names made to break them."""

from __future__ import annotations

from nnlang.diagnostics import Code, Diagnostic, Place, at
from nnlang.linting.check import Finding
from nnlang.linting.formats import Result
from nnlang.rules.rule import Edit, Example, Fix, Rule
from nnlang.source import Source, Span

ERROR = Code("NN201", "unknown-key", "unknown key `{key}` in {what}", "not known here", "did you mean `{near}`?")
WARNING = Code(
    "NN203", "value-range", "`{key}` is {found}", "more than {most}", "write a number up to {most}", "warning"
)
NOTE = Code("NN501", "dead-layer", "nothing reads layer `{name}`", severity="note")
UNREAD = Code("NN101", "cannot-read", "`{path}` cannot be read: {reason}", "", "write `{{ ... }}` into a file", "error")
LINED = Code("NN103", "not-utf8", "the text is not UTF-8: byte {offset} is {byte}", "line {line}", "save it as UTF-8")

RULES = {
    ERROR.code: Rule(
        ERROR,
        "Every key must be one that the language knows.",
        bad=Example('"Denoisng": { "p": 0.2 }', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
    ),
    NOTE.code: Rule(
        NOTE,
        "A layer that no other layer reads costs time and changes nothing.",
        bad=Example("nnlang lint ```", "shell"),
        good=Example("nnlang lint", "shell"),
        default=False,
    ),
}

TEXT = """{ "Version": 0.8, "Name": "\U0001f600 é", "Denoisng": { "p": 12 },
  "Layers": [
    { "Name": "Input", "Kind": "Input" },
    { "Name": "Lost",
      "Kind": "Hidden" }
  ]
}
"""


def span(source: Source, text: str) -> Span:
    """Where a text stands in a source for the first time."""
    start = source.text.index(text)
    return Span(start, start + len(text))


def _small() -> tuple[Result, ...]:
    """A file with an error, a warning and a note; a clean one; one that is not UTF-8; one that cannot be read."""
    source = Source("nets/auto encoder.json", TEXT)
    key, twelve = span(source, '"Denoisng"'), span(source, "12")
    lost = Span(source.text.index('{ "Name": "Lost"'), source.text.index("}\n  ]") + 1)
    spelled = Fix("write `Denoising`", (Edit(key, '"Denoising"'),))
    limited = Fix("write 1", (Edit(twelve, "1"),), safe=False)
    first = (
        Finding(Diagnostic(ERROR, at(source, key), {"key": "Denoisng", "what": "{...}", "near": "Denoising"}), spelled),
        Finding(Diagnostic(WARNING, at(source, twelve), {"key": "p", "found": 12, "most": 1}), limited),
        Finding(Diagnostic(NOTE, at(source, lost), {"name": "Lost"})),
    )
    lined = Diagnostic(LINED, Place("latin.json", line=3), {"offset": 40, "byte": "0xe9", "line": 3})
    unread = Diagnostic(UNREAD, Place("../gone.json"), {"path": "../gone.json", "reason": "No such file or directory"})
    return (
        Result("./nets/auto encoder.json", first),
        Result("nets/clean.json", ()),
        Result("latin.json", (Finding(lined),)),
        Result("../gone.json", (Finding(unread),)),
    )


SMALL = _small()

HOSTILE = (
    "plain.json",
    "quo\"te's`.json",
    "comma,colon:semi;equal=%25%0A%2C.json",
    "::error file=x::y.json",
    "]]>.json",
    "</failure></testsuite><!-- & &amp; -->.json",
    "-o.json",
    "back\\slash.json",
    "bell\x07 escape\x1b[31m nul\x00.json",
    "line\nend\rand\u2028other\x85ends.json",
    "right\u202eto\u2066left.json",
    "zero\u200bwidth\ufeffmark.json",
    "wide\u3000space\xa0hard.json",
    "fa\U0001f600ce\U0001f468‍\U0001f469 é ü.json",
    "noncharacters\ufffe\uffff\U0001ffff.json",
    "latin\udce9\udcff.json",
    "[link](http://example.com/{0}).json",
    "[link\\](http://example.com/{{1}}).json",
    "/abso lute/a?b#c.json",
    "a/../b/./c.json",
    "C:/drive.json",
    "~/#!*.json",
)


def hostile() -> tuple[Result, ...]:
    """For every hostile name a file of that name, and in it a layer of that name."""
    made = []
    for name in HOSTILE:
        source = Source(name, f'{{ "Name": "{name}" }}\n'.encode("utf-8", "replace").decode())
        place = at(source, Span(2, 8))
        facts = {"key": name, "what": f"layer `{name}`", "near": name}
        levels = (ERROR, WARNING, NOTE)
        found = [
            Finding(Diagnostic(level, place, {**facts, "found": name, "most": name, "name": name})) for level in levels
        ]
        fix = Fix(f"write {name}", (Edit(Span(2, 8), name),))
        made.append(Result(name, (Finding(found[0].diagnostic, fix), *found[1:])))
    return tuple(made)
