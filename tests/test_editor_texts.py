"""What editors do with whole texts: which are ours, versions of them, what mends or suppresses findings, settings."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.diagnostics import Report
from nnlang.editor.actions import fixes, mend_all, span_of, suppression, suppressions
from nnlang.editor.documents import Document
from nnlang.editor.loose import grow
from nnlang.editor.positions import UNITS, Positions
from nnlang.editor.replacing import Range, changed
from nnlang.editor.workspace import is_excluded, settings_of
from nnlang.formatter import format_text
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import mended
from nnlang.linting.settings import Settings
from nnlang.rules import RULES
from nnlang.rules.rule import Rule
from nnlang.source import Source, Span
from tests import definitions
from tests.test_editor import replaced
from tests.test_rules import found as found_in

EVERYTHING = Settings(extend_select=("NN",))
ABOUT_COMMENTS = ("NN530", "NN531")
PLAIN = [rule for rule in RULES.values() if rule.bad.frame != "shell"]


# Which texts are ours

OURS = {
    ("a.json", "json", '{ "Layers": [] }'): True,
    ("a.json", "jsonc", '// x\n{ "Version": 0.8, "Layers": ['): True,
    ("a.json", "json", '{ "version": 0.8, "name": "a", "layers": [ { "kind": "Input" }, { "n'): True,
    ("a.json", "json", '{ "version": 0.8, "name": "a", "layers": [ { "type": "dense" } ] }'): False,
    ("a.json", "json", '{ "Network": "c.json", "Command": "Train" }'): True,
    ("a.json", "json", '{ "Comma'): False,
    ("a.lndl", "plaintext", ""): True,
    ("untitled:1", "lndl", ""): True,
    ("a.json", "python", '{ "Layers": [] }'): False,
    (
        "package.json",
        "json",
        '{ "name": "a", "version": "1.0.0", "scripts": { "Layers": "" }, "private": true }',
    ): False,
    ("style.json", "json", '{ "version": 8, "sources": {}, "layers": [], "sprite": "", "glyphs": "" }'): False,
    ("map.json", "json", '{ "height": 1, "width": 2, "layers": [ { "name": "a" } ], "tiledversion": "1" }'): False,
    ("compose.json", "json", '{ "services": {}, "network": "x", "data": [] }'): False,
    ("a.json", "json", '[ { "Layers": [] } ]'): False,
    ("a.json", "json", '"Layers"'): False,
    ("a.json", "json", ""): False,
}


@pytest.mark.parametrize(("name", "language", "text"), OURS)
def test_which_texts_are_ours(name: str, language: str, text: str) -> None:
    assert Document(name, language, 1, text).is_ours is OURS[name, language, text]


def test_a_large_foreign_text_is_known_by_its_beginning() -> None:
    text = '{ "dependencies": {' + '"a": "1", ' * 200_000 + "} }"
    assert not Document("package-lock.json", "json", 1, text).is_ours


# Versions


def test_changes_follow_each_other() -> None:
    document = Document("a.json", "json", 1, "a😀b\r\nc")
    after = document.changed(2, [((0, 3, 0, 4), "x"), ((1, 0, 1, 0), "😀"), ((1, 2, 9, 9), "\n")])
    assert (after.version, after.text) == (2, "a😀x\r\n😀\n")
    assert after.changed(3, [(None, "new"), ((0, 0, 0, 1), "")]).text == "ew"
    assert document.text == "a😀b\r\nc"


RANGES = st.none() | st.tuples(*[st.integers(-1, 4)] * 4)
CHANGES = st.lists(st.tuples(RANGES, st.text("x\r\n😀", max_size=3)), max_size=5)


@given(st.text("ab\n\r😀\u2028", max_size=20), CHANGES, st.sampled_from(sorted(UNITS)))
def test_changes_are_made_one_by_one(text: str, changes: list[tuple[Range, str]], encoding: str) -> None:
    found = changed(text, changes, encoding)
    for where, new in changes:
        lines = Positions(text, encoding)
        start, end = (lines.offset(*where[:2]), lines.offset(*where[2:])) if where else (0, len(text))
        text = text[:start] + new + text[max(start, end) :]
    assert found == text


def test_many_changes_at_once_take_no_time() -> None:
    """A cursor on each of 10,000 lines; to look through the whole text for each of them took minutes."""
    text = '{ "Name": "layer", "Kind": "Hidden", "N": 128 },\n' * 10_000
    begin = time.monotonic()
    after = changed(text, [((line, 11, line, 16), "L") for line in range(9_999, -1, -1)], "utf-16")
    assert time.monotonic() - begin < 5
    assert after == text.replace("layer", "L")


def test_layout_is_that_of_the_formatter() -> None:
    for seed in range(40):
        draw = random.Random(seed)
        text = definitions.text(draw, definitions.definitions(draw))
        wanted = format_text(Source("a", text), Report())
        edit = Document("a", "json", 1, text).laid_out()
        after = replaced(text, [edit] if edit else [])
        assert after == (text if wanted is None else wanted)


def test_layout_keeps_the_ends_of_lines() -> None:
    edit = Document("a", "json", 1, '{\r\n"Version":1 }\r\n').laid_out()
    assert edit is not None and edit.text == '  "Version": 1\r\n}\r\n'


# Actions


@pytest.mark.parametrize("rule", [r for r in PLAIN if r.fix], ids=lambda r: r.code.code)
def test_every_fix_is_an_action(rule: Rule) -> None:
    """The fix of the rule's bad example is offered where the finding stands, and mends it."""
    text, found = rule.bad.whole, found_in(rule.bad)
    mine = next(f for f in found if f.diagnostic.code.code == rule.code.code)
    offered = [a for a in fixes(found, Span(span_of(mine).start, span_of(mine).start)) if a.finding is mine]
    if mine.fix is None:
        assert offered == []
        return
    (action,) = offered
    assert action.title.startswith(rule.code.code) and action.preferred is mine.fix.safe
    after = Source("config.json", replaced(text, action.edits))
    count = [sum(f.diagnostic.code.code == rule.code.code for f in each) for each in (found, lint(after, EVERYTHING))]
    assert count[1] < count[0]


@pytest.mark.parametrize("rule", [r for r in PLAIN if r.code.code not in ABOUT_COMMENTS], ids=lambda r: r.code.code)
def test_every_finding_can_be_ignored(rule: Rule) -> None:
    """The comment makes it go away, and nothing else with it; findings of the syntax have none."""
    found = lint(Source("config.json", rule.bad.whole), EVERYTHING)
    tree = grow(rule.bad.whole)
    for finding in found:
        code = finding.diagnostic.code.code
        if code in ABOUT_COMMENTS or any(f.diagnostic.code.code.startswith("NN1") for f in found):
            continue
        edit = suppression(tree, code, span_of(finding).start)
        assert edit is not None
        after = lint(Source("config.json", replaced(rule.bad.whole, [edit])), EVERYTHING)
        line = rule.bad.whole.count("\n", 0, span_of(finding).start)
        same = [f for f in found if f.diagnostic.code.code == code and _line(rule.bad.whole, f) == line]
        assert len(after) == len(found) - len(same), code


def _line(text: str, finding: Finding) -> int:
    return text.count("\n", 0, span_of(finding).start)


def test_findings_of_the_syntax_are_not_ignored() -> None:
    text = '{ "Layers": [ ,, ] }'
    assert list(suppressions(grow(text), lint(Source("a", text)), Span(0, len(text)))) == []


WHERE = {
    '{ "N": 1 }': '{ "N": 1 } // nnlang: ignore[NN502]',
    '{ "N": 1 }\r\n': '{ "N": 1 } // nnlang: ignore[NN502]\r\n',
    '{ "N": 1 } // why\n': '{ "N": 1 } // why nnlang: ignore[NN502]\n',
    '{ "N": 1 } /* why */\n': '{ "N": 1 } /* why */ // nnlang: ignore[NN502]\n',
    '{ "N": 1 } // nnlang: ignore[NN5] why\n': '{ "N": 1 } // nnlang: ignore[NN5, NN502] why\n',
    '{ "N": 1 } // nnlang: ignore[ ]\n': '{ "N": 1 } // nnlang: ignore[NN502 ]\n',
    '  { "N": 1 /* a\nb */ }': '  // nnlang: ignore[NN502]\n  { "N": 1 /* a\nb */ }',
    '/* a\nb */ { "N": 1 /* a\nb */ }': None,
    '// nnlang: ignore[NN503]\n{ "N": 1 }': '// nnlang: ignore[NN503]\n{ "N": 1 } // nnlang: ignore[NN502]',
}


@pytest.mark.parametrize("text", WHERE)
def test_where_the_comment_goes(text: str) -> None:
    edit = suppression(grow(text), "NN502", text.index('"N"'))
    assert (replaced(text, [edit]) if edit else None) == WHERE[text]


@pytest.mark.parametrize("rule", [r for r in PLAIN if r.fix], ids=lambda r: r.code.code)
def test_mending_all_is_what_lint_does(rule: Rule) -> None:
    source = Source("config.json", rule.bad.whole)
    edit = mend_all(source, lint)
    assert replaced(source.text, [edit] if edit else []) == mended(source, lint)[0].text


# Settings


def test_settings_are_those_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "nnlang.toml").write_text(
        '[lint]\nignore = ["NN5"]\nbatch = 64\ngpu-memory = "1GB"\nstrict-json = true\nexclude = ["old/*"]\n'
        'severity = { NN6 = "error" }\nper-file-ignores = { "a.json" = ["NN301"] }\ndata = ["x.nc"]\n'
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    found, wrong = settings_of(str(inner))
    assert wrong == ""
    assert found == Settings(
        ignore=("NN5",),
        batch=64,
        memory=10**9,
        strict=True,
        exclude=("old/*",),
        severity={"NN6": "error"},
        per_file_ignores={"a.json": ("NN301",)},
        ignored_from=str(tmp_path),
        excluded_from=str(tmp_path),
    )
    assert is_excluded(str(tmp_path / "old" / "c.json"), found)
    assert not is_excluded(str(tmp_path / "new" / "c.json"), found)
    assert found.ignored_in(str(inner / "a.json")) == ("NN301",)


def test_broken_settings_are_told_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "nnlang.toml").write_text("[lint]\nselect = 3\n")
    found, wrong = settings_of(str(tmp_path))
    assert found == Settings() and "nnlang.toml:2" in wrong
