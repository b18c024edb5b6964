"""What may be written at an offset: it is what fits there, and whatever is chosen fits."""

from __future__ import annotations

import re

import pytest

from nnlang.editor.completion import Item, Offer, offers
from nnlang.editor.loose import Tree, grow
from nnlang.linting.check import lint
from nnlang.source import Source
from tests.test_editor import SMALL, at


def labels(text: str) -> list[str]:
    """What is offered at the `|` of a text."""
    offer = offers(*at(text))
    return [item.label for item in offer.items] if offer else []


@pytest.mark.parametrize(
    ("layer", "has", "has_not"),
    [
        ('"Kind": "Input"', {"DataSet", "N", "Sparse"}, {"Activation", "Source", "Function", "Kind"}),
        ('"Kind": "Hidden"', {"Activation", "Source", "Skip", "BatchNormalization"}, {"DataSet", "Function"}),
        ('"Kind": "output", "Slope": 1', {"Activation", "DataSet"}, {"BatchNormalization", "ReluSlope"}),
        ('"Type": "Pooling", "Kind": "Hidden"', {"Function"}, {"DataSet"}),
        ('"Kind": "Hidn"', {"Activation", "DataSet", "BatchNormalization"}, {"Function"}),
    ],
)
def test_keys_are_those_of_the_kind(layer: str, has: set[str], has_not: set[str]) -> None:
    for text in (f"{layer}, |", f'|, {layer}, "N": 1', f'{layer}, "|', f'"|", {layer}'):
        found = set(labels(f'{{ "Layers": [ {{ "N": 1 }}, {{ {text} }}, {{}} ] }}')) | (
            {"N"} if '"N"' in text else set()
        )
        assert has <= found, text
        assert found & has_not == set(), text


def test_the_kind_without_a_word_is_that_of_the_place() -> None:
    assert "DataSet" in labels('{ "Layers": [ { | }, {}, {} ] }')
    assert "DataSet" not in labels('{ "Layers": [ {}, { | }, {} ] }')
    assert {"DataSet", "Activation"} <= set(labels('{ "Layers": [ {}, {}, { | } ] }'))


def test_values() -> None:
    assert labels('{ "ErrorFunction": "|" }')[:2] == ["L1", "L2"]
    assert labels('{ "ShuffleIndices": | }') == ["true", "false"]
    assert labels('{ "Layers": [ { "N": a| } ] }') == ["auto"]
    assert labels('{ "ReluSlope": | }') == ["0.01"]
    assert "Target" not in labels('{ "Layers": [ { "Kind": | } ] }')
    assert labels('{ "Command": "|", "Network": "" }') == ["Train", "Predict", "Validate"]
    assert labels('{ "Denoising": { "p": 0.1, | } }') == []
    assert labels('{ "Layers": [ { "Name": "|" } ] }') == []


def test_keys_of_a_step_are_those_that_it_takes() -> None:
    assert labels('{ "Preparation": [ { "Step": "kcore", | } ] }') == ["Name", "DataSet", "Users", "Items"]
    assert labels('{ "Preparation": [ { |, "Step": "TfIdf" } ] }') == ["Name", "DataSet"]
    assert "Least" in labels('{ "Preparation": { | } }')
    assert labels('{ "Preparation": { "Step": "|" } }')[:2] == ["Binarise", "Threshold"]
    data = '{ "Preparation": { "DataSet": "|" }, "Layers": [ { "DataSet": "gl_input" }, {} ] }'
    assert labels(data) == ["gl_input"]


def test_layers_are_offered_nearest_first_and_once() -> None:
    text = '{ "Layers": [ { "Name": "a" }, {}, { "Source": ["a", |] }, { "Name": "z😀" } ] }'
    assert labels(text) == ["Hidden1", "z😀"]
    assert labels(text.replace('["a", |]', "|")) == ["Hidden1", "a", "z😀"]
    assert labels(text.replace('"Source": ["a", |]', '"SharedWeights": { "InputLayer": | }')) == ["Hidden1", "a", "z😀"]
    assert labels('{ "Layers": [ { "Name": "a", "DataSet": "d1" }, { "Source": "a", \n "DataSet": "|') == ["d1"]


def test_many_layers_are_offered_in_parts() -> None:
    many = ", ".join(f'{{ "Name": "layer{n}" }}' for n in range(900))
    offer = offers(*at(f'{{ "Layers": [ {many}, {{ "Source": "layer89|" }} ] }}'))
    assert offer is not None and not offer.complete
    assert [item.label for item in offer.items] == [f"layer{n}" for n in (*range(899, 889, -1), 89)]


def plainly(snippet: str) -> str:
    """A snippet as it stands when nobody fills in anything else."""
    text = re.sub(r"\$\{\d+\|((?:[^\\|,]|\\.)*)[^|]*\|\}", r"\1", snippet)
    text = re.sub(r"\$\{\d+:((?:[^\\}]|\\.)*)\}", r"\1", text)
    return re.sub(r"\\([\\$},|])", r"\1", re.sub(r"\$\d", "", text))


def accepted(tree: Tree, offer: Offer, item: Item, text: str) -> str:
    """The text after an item has been chosen."""
    edits = [(edit.span, edit.text) for edit in offer.edits]
    for span, new in sorted([*edits, (offer.span, text)], key=lambda e: e[0].start, reverse=True):
        tree = grow(tree.text[: span.start] + new + tree.text[span.end :])
    return tree.text


HOLES = [
    SMALL.replace('"Activation": "Relu" }', '"Activation": "Relu", | }'),
    SMALL.replace('"N": 4,', '"N": 4, |'),
    SMALL.replace('"Sparse": true', '"Sparse": true |'),
    SMALL.replace('"Sparse": true', '"Sp|arse": true'),
    SMALL.replace('"Version": 0.8,', '"Version": 0.8, "|"'),
    SMALL.replace('"Version": 0.8,', "|"),
    SMALL.replace('"Version": 0.8,', '"TrainingParameters": { "|" },'),
    SMALL.replace('"Version": 0.8,', '"Denoising": {|},'),
    SMALL.replace('"Transposed": true', "|"),
    SMALL.replace('"Relu" }', '"Relu", "WeightInit": { | } }'),
    SMALL.replace('"Relu"', '"|Relu"'),
    SMALL.replace('"Relu"', "|"),
    SMALL.replace('["H", "In"]', '["H", |]'),
    SMALL.replace('["H", "In"]', '[ "|", "H"]'),
    SMALL.replace('"Sparse": true', '"Sparse":|'),
    SMALL.replace('"gl_in"', '"|"'),
    SMALL.replace('"Layers": [', '"Layers": [ |'),
    '{ "Network": "a", "Data": "b", | }',
]


@pytest.mark.parametrize("text", HOLES)
@pytest.mark.parametrize("filled", [False, True])
def test_whatever_is_chosen_fits(text: str, filled: bool) -> None:
    """No syntax error comes of it, no key that is unknown, misplaced or there already."""
    tree, offset = at(text)
    offer = offers(tree, offset)
    assert offer is not None and offer.items
    for item in offer.items:
        after = accepted(tree, offer, item, plainly(item.snippet) if filled and item.snippet else item.text)
        codes = {f.diagnostic.code.code for f in lint(Source("x.json", after))}
        assert not {c for c in codes if c.startswith("NN1") or c in ("NN201", "NN202", "NN203", "NN204")}, (item, after)
