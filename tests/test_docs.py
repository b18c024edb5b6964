"""docs/lint.md: its reference is what the rules say; its settings and commands are such that exist."""

from __future__ import annotations

from pathlib import Path

from nnlang.rules import RULES
from nnlang.rules.page import page
from tests.conftest import Golden

LINT = Path(__file__).parent.parent / "docs" / "lint.md"
HEAD = "# Rules\n"


def test_the_reference_is_that_of_the_rules(golden: Golden) -> None:
    text = LINT.read_text(encoding="utf-8")
    head = text[: text.index("\n## NN1", text.index(HEAD)) + 1] if "\n## NN1" in text else text
    golden(LINT, head + page())


def test_every_rule_has_its_heading() -> None:
    text = LINT.read_text(encoding="utf-8")
    assert [code for code, rule in RULES.items() if f"### {code} {rule.code.name}\n" not in text] == []
