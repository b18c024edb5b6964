"""The reference part of docs/lint.md, from the rules: a table of all of them, then each with reason and examples."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang.diagnostics import printable
from nnlang.rules import RULES
from nnlang.rules.rule import FAMILIES, Example, Rule

FORMS = {"shell": "sh"}  # of fenced blocks; all others are JSON, or a part of it
PLACES = {
    "top": " at the top level",
    "input": " in the Input layer",
    "hidden": " in the Hidden layer",
    "output": " in the Output layer",
    "layers": " in Layers",
}


def page() -> str:
    """Markdown: the families in order, a table and the rules of each."""
    return "\n".join(line for family in FAMILIES for line in _family(family)) + "\n"


def _family(family: str) -> Iterator[str]:
    rows = [rule for code, rule in RULES.items() if code.startswith(family)]
    if not rows:
        return
    yield from (f"## {family}: {FAMILIES[family]}", "", "| Code | Name | Severity | Fix |", "|---|---|---|---|")
    for rule in rows:
        severity = rule.code.severity + ("" if rule.default else ", where asked for")
        yield f"| [{rule.code.code}](#{_anchor(rule)}) | {rule.code.name} | {severity} | {_fix(rule)} |"
    yield ""
    for rule in rows:
        yield from (f"### {rule.code.code} {rule.code.name}", "", rule.why, "")
        yield from _block("Breaks it", rule.bad)
        yield from _block("Mended", rule.good)


def _fix(rule: Rule) -> str:
    if rule.fix is None:
        return ""
    return "safe" if rule.safe else "unsafe"


def _anchor(rule: Rule) -> str:
    """The anchor that GitHub gives the rule's heading."""
    return f"{rule.code.code}-{rule.code.name}".lower()


def _block(title: str, example: Example) -> Iterator[str]:
    known = f", with {example.known}" if example.known else ""
    yield from (f"{title}{PLACES.get(example.frame, '')}{known}:", "", f"```{FORMS.get(example.frame, 'json')}")
    yield from (*map(printable, example.shown.split("\n")), "```", "")
