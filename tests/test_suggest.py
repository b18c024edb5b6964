"""Suggestions: of all slips of one letter in all keys and values, nearly all get the word that was meant."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterator

import pytest

from nnlang import schema
from nnlang.linting.check import lint
from nnlang.schema import Choice
from nnlang.schema.foreign import strange_values
from nnlang.source import Source
from nnlang.suggest import closest, did_you_mean, distance, nearest
from tests.test_explain import takes
from tests.test_json_schema import FRAMES, needed, placed

LETTERS = string.ascii_lowercase
CHOICES = (
    schema.ACTIVATION,
    schema.ERROR_FUNCTION,
    schema.LAYER_KIND,
    schema.LAYER_TYPE,
    schema.NETWORK_KIND,
    schema.OPTIMIZER,
    schema.POOLING,
    schema.SCHEME,
)


def slips(word: str) -> Iterator[str]:
    """Every way to mistype one letter of a word: leave it out, swap it, replace it, add one."""
    for i in range(len(word) + 1):
        yield from (word[:i] + c + word[i:] for c in LETTERS)
        if i < len(word):
            yield word[:i] + word[i + 1 :]
            yield from (word[:i] + c + word[i + 1 :] for c in LETTERS)
        if i + 1 < len(word):
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]


Find = Callable[[str], object]


def _wrong(word: str, find: Find) -> Iterator[str]:
    yield from {slip for slip in slips(word) if slip and find(slip) is None and slip.lower() != word.lower()}


def _rate(cases: list[tuple[str, str, tuple[str, ...], Find]]) -> float:
    right = sum(find(closest(slip, words) or "") is find(meant) for meant, slip, words, find in cases)
    return right / len(cases)


def _all() -> list[tuple[str, str, tuple[str, ...], Find]]:
    found: list[tuple[str, str, tuple[str, ...], Find]] = []
    for table in (*schema.TABLES, schema.JOB, schema.PREDICTION):
        words = tuple(table.spellings())
        found += [(word, slip, words, table.find) for word in words for slip in sorted(_wrong(word, table.find))]
    for choice in CHOICES:
        words = choice.spellings()
        found += [(word, slip, words, choice.find) for word in words for slip in sorted(_wrong(word, choice.find))]
    return found


def test_a_sample_of_slips_gets_the_word_that_was_meant() -> None:
    assert _rate(random.Random(7).sample(_all(), 800)) >= 0.95


@pytest.mark.full
def test_all_slips_get_the_word_that_was_meant() -> None:
    cases = _all()
    rate = _rate(cases)
    print(f"{len(cases)} slips of one letter in all keys and values: {rate:.2%} get the word that was meant")
    assert rate >= 0.95


# Through lint: what people are told, and what --fix would write


def _in_a_text() -> Iterator[tuple[str, str, Find]]:
    """Definitions and jobs with one slip in one key or value: the text, the word that was meant, what finds words."""
    for name, (table, _, frame) in FRAMES.items():
        for key in table.keys:
            rest = needed(table, name, key)
            for slip in sorted(_wrong(key.name, table.find)):
                yield json.dumps(placed(frame, {**rest, slip: 1})), key.name, table.find
            taken = isinstance(key.type, Choice) and (table is not schema.LAYER or takes(key, name))
            for option in key.type.accepted if taken else ():
                for slip in sorted(_wrong(option.spelling, key.type.find)):
                    yield json.dumps(placed(frame, {**rest, key.name: slip})), option.spelling, key.type.find


def _told(cases: list[tuple[str, str, Find]]) -> tuple[float, float]:
    """The share of texts for which lint names the word that was meant first, and of wrong words among safe fixes."""
    right = safe = wrong = 0
    for text, meant, find in cases:
        findings = [f for f in lint(Source("a.json", text)) if f.diagnostic.code.code in ("NN201", "NN213")]
        told = [find(str(f.diagnostic.facts.get("near"))) is find(meant) for f in findings]
        right += told[:1] == [True]
        sure = [hit for hit, f in zip(told, findings, strict=True) if f.fix and f.fix.safe]
        safe, wrong = safe + len(sure), wrong + sure.count(False)
    return right / len(cases), wrong / max(1, safe)


def test_a_sample_of_slips_is_told_by_lint() -> None:
    cases = random.Random(11).sample(list(_in_a_text()), 1_000)
    right, wrong = _told(cases)
    print(f"{len(cases)} texts with a slip: lint names the word for {right:.2%}; {wrong:.2%} of safe fixes are wrong")
    assert right >= 0.95
    assert wrong <= 0.005


@pytest.mark.full
def test_all_slips_are_told_by_lint() -> None:
    cases = list(_in_a_text())
    right, wrong = _told(cases)
    print(f"{len(cases)} texts with a slip: lint names the word for {right:.2%}; {wrong:.2%} of safe fixes are wrong")
    assert right >= 0.95
    assert wrong <= 0.005


@pytest.mark.parametrize("word", ["Silu", "Relu6", "Celu", "Gelu", "Swish", "Sillu", "GeLU"])
def test_other_functions_are_no_slips(word: str) -> None:
    """What other tools call a function, or a slip of that, is not quietly made one of ours."""
    facts = nearest(word, schema.ACTIVATION.spellings(), strange_values(schema.ACTIVATION))
    assert not facts.get("sure")
    text = json.dumps({"Layers": [{"Kind": "Output", "Activation": word}]})
    assert not any(f.fix and f.fix.safe for f in lint(Source("a.json", text)) if f.diagnostic.code.code != "NN306")


@pytest.mark.parametrize("word", ["AdamW", "Nadam", "RAdam", "Adamax", "lion", "LARS"])
def test_other_optimisers_are_no_slips(word: str) -> None:
    text = json.dumps({"Layers": {}, "TrainingParameters": {"Optimizer": word}})
    (found,) = [f for f in lint(Source("a.json", text)) if f.diagnostic.code.code in ("NN213", "NN214")]
    assert found.diagnostic.code.code == "NN214"
    assert found.fix is None


@pytest.mark.parametrize(
    ("word", "words", "near"),
    [
        ("Hiden", ["Input", "Hidden"], "Hidden"),
        ("LAYERS", ["LRN", "Layers"], "Layers"),
        ("relu", ["Elu", "Relu", "Selu"], "Relu"),
        ("Batches", ["Kind", "Name"], None),
        ("", ["Kind"], None),
        ("x" * 5_000, ["Kind"], None),
    ],
)
def test_closest(word: str, words: list[str], near: str | None) -> None:
    assert closest(word, words) == near


def test_did_you_mean() -> None:
    assert did_you_mean("Sorce", ["Source", "Skip"]) == "did you mean `Source`?"
    assert did_you_mean("Zebra", ["Source", "Skip"]) is None


@pytest.mark.parametrize(("a", "b", "steps"), [("", "", 0), ("abc", "", 3), ("ab", "ba", 1), ("kitten", "sitting", 3)])
def test_distance(a: str, b: str, steps: int) -> None:
    assert distance(a, b) == distance(b, a) == steps
