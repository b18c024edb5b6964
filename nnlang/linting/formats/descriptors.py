"""The rules as SARIF describes them: all of them, so that a service can tell a mended finding from a missing rule."""

from __future__ import annotations

from collections.abc import Iterable

from nnlang.codes import catalogue
from nnlang.diagnostics import Code
from nnlang.rules import RULES
from nnlang.rules.rule import FAMILIES, Example, Rule


def descriptors(used: Iterable[Code]) -> list[dict[str, object]]:
    """Every rule, and the codes in use that are no rule's, in the order of the codes.

    A code stands in the catalogue with its own severity, whatever the settings made of it.
    """
    others = {code.code: catalogue().get(code.code, code) for code in used if code.code not in RULES}
    described = {code: _ruled(rule) for code, rule in RULES.items()} | {c: _bare(row) for c, row in others.items()}
    return [described[code] for code in sorted(described)]


def _ruled(rule: Rule) -> dict[str, object]:
    code = rule.code.code
    plain = f"{rule.why}\n\nBad:\n{rule.bad.text}\n\nGood:\n{rule.good.text}\n\nMore: nnlang explain {code}"
    marked = (
        f"{rule.why}\n\nBad:\n\n{_fenced(rule.bad)}\n\nGood:\n\n{_fenced(rule.good)}\n\nMore: `nnlang explain {code}`"
    )
    return _descriptor(rule.code, rule.why, {"text": plain, "markdown": marked}, enabled=rule.default)


def _bare(code: Code) -> dict[str, object]:
    return _descriptor(code, _title(code) + ".", {"text": f"More: nnlang explain {code.code}"}, enabled=True)


def _descriptor(code: Code, full: str, help: dict[str, str], *, enabled: bool) -> dict[str, object]:
    """One descriptor. A level of a result that differs from the default here is one that the settings gave it."""
    return {
        "id": code.code,
        "name": code.name,
        "shortDescription": {"text": _title(code)},
        "fullDescription": {"text": full},
        "help": help,
        "defaultConfiguration": {"enabled": enabled, "level": code.severity},
        "properties": {"tags": [FAMILIES[code.code[:3]]]},
    }


def _title(code: Code) -> str:
    """A code's name as people write it."""
    return code.name.replace("-", " ").capitalize()


def _fenced(example: Example) -> str:
    """An example as a block of code, with a fence that does not occur in it."""
    fence = "```"
    while fence in example.text:
        fence += "`"
    return f"{fence}{'sh' if example.frame == 'shell' else 'json'}\n{example.text.rstrip()}\n{fence}"
