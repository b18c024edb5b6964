"""Suppressions, choices and limits of a text's findings: nothing is lost that should be told, nothing told in vain."""

from __future__ import annotations

import pytest

from nnlang.linting.check import lint
from nnlang.linting.edits import mended
from nnlang.linting.settings import Settings
from nnlang.network import DataFacts
from nnlang.source import Source

SOUND = """{ "Version": 0.8, %s
  "Layers": [ { "Name": "Input", "N": 64, "DataSet": "in", "Sparse": true }, %s
    { "Name": "Output", "N": 64, "DataSet": "out" } ] }
"""
NOISY = '"Denoising": { "p": 0.95 },'  # breaks NN522
DATA = {n: DataFacts(n, 100, 64, sparse=True, boolean=True, entries=30) for n in ("in", "out")}


def codes(text: str, settings: Settings | None = None, data: dict[str, DataFacts] | None = None) -> list[str]:
    """The codes that are told of a text, in order."""
    return [f.diagnostic.code.code for f in lint(Source("config.json", text), settings, data)]


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("// nnlang: ignore[NN522] tried", []),
        ("// nnlang: ignore[NN5, NN601]", ["NN530"]),
        ("// nnlang: ignore[NN1]", ["NN531", "NN522"]),
        ("// nnlang: ignore[NN10]", ["NN531", "NN522"]),
        ("// nnlang: ignore[NN502]", ["NN530", "NN522"]),
        ("// nnlang: ignore[NN999]", ["NN531", "NN522"]),
        ("// nnlang: ignore", ["NN531", "NN522"]),
        ("// nnlang: ingore[NN522]", ["NN531", "NN522"]),
        ("// trained with nnlang: 0.3, see the wiki", ["NN522"]),
        ("// nnlang: ignore-file[NN5]", []),
        ("/* nnlang: ignore[NN522] */", []),
    ],
)
def test_a_comment_of_the_line(comment: str, told: list[str]) -> None:
    assert sorted(codes(SOUND % (f"{NOISY} {comment}", ""))) == sorted(told)
    alone = SOUND % (f"\n  {comment}\n\n  // more\n  {NOISY}", "")
    assert sorted(codes(alone)) == sorted(told)


@pytest.mark.parametrize("code", ["NN523", "NN527", "NN430", "NN440", "NN404", "NN512", "NN4"])
def test_what_was_not_looked_for_is_not_called_unused(code: str) -> None:
    assert codes(SOUND % (f"// nnlang: ignore[{code}]\n", "")) == []


def test_with_the_facts_it_is_looked_for() -> None:
    text = SOUND % ("// nnlang: ignore[NN525]\n", "")
    assert "NN530" in codes(text, None, DATA)
    assert "NN530" in codes(SOUND % ("// nnlang: ignore[NN430]\n", ""), Settings(memory=10**12))


def test_nothing_is_called_unused_where_no_rule_saw_the_text() -> None:
    text = SOUND % (f'"Naem": "x", {NOISY} // nnlang: ignore[NN522] best of five\n', "")
    assert codes(text) == ["NN201"]
    after, _ = mended(Source("config.json", text), lint, unsafe=True)
    assert "ignore[NN522]" in after.text and codes(after.text) == []


def test_what_a_file_ignores_is_not_called_unused() -> None:
    text = SOUND % (f"{NOISY} // nnlang: ignore[NN522] best of five\n", "")
    assert codes(text, Settings(per_file_ignores={"*.json": ("NN522",)})) == []


def test_an_error_among_thousands_of_warnings_is_told() -> None:
    layers = '{ "Name": "H%d", "N": 8, "Type": "Convolution", "Kernel": 1 },\n'
    text = SOUND % ("", "".join(layers % i for i in range(1_001)) + '{ "Name": "H", "M": 8 },')
    found = codes(text)
    assert len(found) == 1_001
    assert found.count("NN201") == 1 and found[-1] == "NN449"


def test_everything_is_mended_however_much_there_is_to_tell() -> None:
    layers = "".join(f'{{ "Name": "H{i}", "N": 8, "Activation": "LRelu" }},\n' for i in range(1_200))
    source = Source("config.json", SOUND % ("", layers))
    after, done = mended(source, lambda s: lint(s, most=None))
    assert sum(f.diagnostic.code.code == "NN610" for f in done) == 1_200
    assert after.text.count("ReluSlope") == 1_200


def test_a_safe_fix_may_bring_more_to_light() -> None:
    text = (SOUND % ("", "")).replace('"Layers"', '"Lyers"').replace('"DataSet"', '"DataSte"').replace("Name", "Nmae")
    after, _ = mended(Source("config.json", text), lint)
    assert codes(after.text) == []


def test_what_cannot_be_read_stays_an_error_and_is_told() -> None:
    text = SOUND.replace("0.8,", "0.8") % (NOISY, "")
    (found,) = lint(Source("config.json", text), Settings(severity={"NN1": "note"}, select=("NN5",), ignore=("NN1",)))
    assert (found.diagnostic.code.code, found.diagnostic.code.severity) == ("NN130", "error")


def test_a_definition_that_no_rule_saw_is_not_called_clean() -> None:
    text = SOUND % ('"n": 1,', "")
    assert codes(text, Settings(select=("NN5",))) == ["NN201"] or codes(text, Settings(select=("NN5",))) == ["NN203"]
    assert codes(text, Settings(select=("NN5",), ignore=("NN2",))) == []
