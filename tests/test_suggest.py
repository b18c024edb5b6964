"""Suggestions: of all slips of one letter in all keys and values, nearly all get the word that was meant."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator

import pytest

from nnlang import schema
from nnlang.suggest import closest, did_you_mean, distance

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
    assert _rate(_all()) >= 0.95


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
