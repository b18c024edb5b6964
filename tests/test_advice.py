"""What lint advises is true: batches and devices that it names hold, and it is silent where it cannot know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from nnlang.definition import check
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited
from nnlang.linting.settings import Settings
from nnlang.network import DataFacts
from nnlang.rules.rule import Saved
from nnlang.source import Source

IN = {"Name": "Input", "Kind": "Input", "DataSet": "gl_input", "N": 64, "Sparse": True}
OUT = {"Name": "Output", "Kind": "Output", "DataSet": "gl_output", "N": 64}
HIDDEN = {"Name": "Hidden", "Kind": "Hidden", "N": 64}
FACTS = DataFacts("gl_input", 1000, 64, sparse=True, boolean=True, entries=300)
BOTH = (FACTS, replace(FACTS, name="gl_output"))


def text(*layers: dict[str, Any], **top: Any) -> str:
    return json.dumps({**top, "Layers": list(layers)})


def found(given: str, *, data: Iterable[DataFacts] = (), saved: Saved | None = None, **settings: Any) -> list[Finding]:
    return lint(Source("a.json", given), Settings(**settings), {d.name: d for d in data}, saved)


def codes(findings: Iterable[Finding]) -> set[str]:
    return {f.diagnostic.code.code for f in findings}


def fixes(given: str, code: str) -> list[tuple[str, bool]]:
    """What each fix of a code gives, and whether it is safe."""
    told = [f.fix for f in found(given) if f.diagnostic.code.code == code and f.fix]
    return [(edited(given, [fix]), fix.safe) for fix in told]


# Memory

WIDE = text(
    IN | {"N": 27278}, HIDDEN | {"N": 1024}, HIDDEN | {"Name": "H2", "N": 1024}, OUT | {"N": 27278, "Source": "H2"}
)


@pytest.mark.parametrize("memory", [20, 100, 200, 240, 281, 285, 300, 400, 700])
@pytest.mark.parametrize("batch", [1, 314, 16384])
def test_the_batch_that_is_said_to_fit_does(memory: int, batch: int) -> None:
    told = [f.diagnostic for f in found(WIDE, memory=memory * 10**6, batch=batch) if f.diagnostic.code.code == "NN430"]
    if not told:
        return
    remedy = told[0].remedy
    if named := re.search(r"a batch of (\d+) fits", remedy):
        largest = int(named[1])
        assert largest < batch
        assert "NN430" not in codes(found(WIDE, memory=memory * 10**6, batch=largest))
        above = 2 * largest
        assert above >= batch or "NN430" in codes(found(WIDE, memory=memory * 10**6, batch=above))
    elif named := re.search(r"(\d+) devices of \S+ \S+ would hold it at batch (\d+)", remedy):
        assert 2 <= int(named[1]) <= 8 and int(named[2]) <= batch
    else:
        assert "not even 8" in remedy


def test_every_missing_width_is_asked_for() -> None:
    (told,) = [f.diagnostic for f in found(text(IN | {"N": "auto"}, OUT | {"N": "auto"}), memory=10**9)]
    assert told.code.code == "NN431"
    assert told.remedy.endswith("--width gl_input=N --width gl_output=N")


# Data that is there in part, or only named


def test_a_data_set_that_was_not_given_is_no_mistake() -> None:
    given = text(IN | {"N": "auto"}, HIDDEN, OUT | {"N": "auto"})
    assert codes(found(given, data=BOTH[:1])) == set()
    assert codes(found(given.replace("gl_output", "gl_ouput"), data=BOTH)) == {"NN404"}
    assert "NN404" not in codes(found(given.replace("gl_output", "targets"), data=BOTH))


def test_widths_are_no_measurements() -> None:
    named = [replace(d, assumed=True) for d in BOTH]
    given = text(IN, HIDDEN, OUT, TrainingParameters={"MiniBatch": 4096})
    quiet = {"NN521", "NN523", "NN525", "NN527", "NN622", "NN506", "NN408"}
    assert codes(found(given, data=BOTH)) & quiet >= {"NN523", "NN525"}
    assert not codes(found(given, data=named)) & quiet
    assert not codes(found(text(IN | {"pDropout": 0.1, "Sparse": False}, OUT), data=named)) & quiet
    assert "NN406" in codes(found(text(IN | {"N": 63}, HIDDEN, OUT), data=named))


@pytest.mark.parametrize(("function", "activation"), [("Hinge", "Tanh"), ("DataScaledMarginalCrossEntropy", "Sigmoid")])
@pytest.mark.parametrize("memory", [1, 10**9])
def test_what_targets_are_is_not_known_from_a_width(function: str, activation: str, memory: int) -> None:
    named = [replace(d, assumed=True) for d in BOTH]
    given = text(IN, OUT | {"Activation": activation, "N": "auto"}, ErrorFunction=function)
    assert "NN341" not in codes(found(given, data=named, memory=memory))
    assert "NN341" in codes(found(given, data=BOTH))


def test_a_wide_input_without_data_is_sparse_everywhere() -> None:
    init = {"WeightInit": {"Scheme": "Gaussian", "Scale": 1.0}}
    assert "NN532" not in codes(found(text(IN | {"N": 27278, "Sparse": False}, HIDDEN | init, OUT)))
    assert "NN532" in codes(found(text(IN | {"N": 2727, "Sparse": False}, HIDDEN | init, OUT)))


# Layers


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("Constant", "Constant", True),
        ("Constant", "Xavier", False),
        ("Xavier", "Constant", False),
    ],
)
def test_equal_weights_stay_equal_where_those_behind_are_equal(first: str, second: str, told: bool) -> None:
    hidden, out = HIDDEN | {"WeightInit": {"Scheme": first}}, OUT | {"WeightInit": {"Scheme": second}}
    assert ("NN518" in codes(found(text(IN, hidden, out)))) == told
    assert "NN518" not in codes(found(text(IN, hidden | {"pDropout": 0.5}, out)))
    assert "NN518" not in codes(found(text(IN, hidden, out | {"Skip": "Hidden"})))


def test_a_linear_layer_that_several_read_may_be_a_bottleneck() -> None:
    linear = {"Name": "L", "N": 128, "Activation": "Linear", "Source": "Input"}
    two = [{"Name": n, "Kind": "Hidden", "N": 128, "Source": "L"} for n in ("A", "B")]
    out = OUT | {"Source": ["A", "B"]}
    assert "NN515" not in codes(found(text(IN | {"N": 1024}, linear, *two, out)))
    assert "NN515" in codes(found(text(IN | {"N": 1024}, linear, two[0], OUT | {"Source": "A"})))
    assert "NN515" in codes(found(text(IN | {"N": 1024}, linear | {"N": 256}, *two, out)))


def test_margins_without_effect_are_told_once() -> None:
    margins = {"oneTarget": 0.1, "zeroTarget": 0.9}
    assert codes(found(text(IN, OUT, ScaledMarginalCrossEntropy=margins))) == {"NN508"}
    smce = "ScaledMarginalCrossEntropy"
    assert "NN526" in codes(found(text(IN, OUT, ScaledMarginalCrossEntropy=margins, ErrorFunction=smce)))


def test_what_a_model_was_trained_with() -> None:
    elu = HIDDEN | {"Activation": "Elu", "EluAlpha": 1.0}
    then = text(IN, elu, HIDDEN | {"Name": "H2", "Skip": "Input"}, OUT | {"Source": "H2"})
    network = check(Source("saved.json", then), need_shapes=False).network
    assert network is not None
    saved = Saved("model.nc", network)
    assert "NN443" not in codes(found(then, saved=saved))
    now = then.replace('"EluAlpha": 1.0', '"EluAlpha": 0.2').replace('"Skip": "Input"', '"Skip": "Hidden"')
    told = [f.diagnostic.remedy for f in found(now, saved=saved) if f.diagnostic.code.code == "NN443"]
    assert told == [
        'write "EluAlpha": 1.0 to go on as it was trained',
        'write "Skip": ["Input"] to go on as it was trained',
    ]


# Fixes that would decide what is not theirs to decide


def test_parameters_are_not_quietly_removed() -> None:
    ((after, safe),) = fixes(text(IN, OUT, ScaledMarginalCrossEntropy={"oneScale": 30.0}), "NN508")
    assert json.loads(after)["ErrorFunction"] == "ScaledMarginalCrossEntropy"
    assert not safe
    given = text(IN, OUT, ScaledMarginalCrossEntropy={"oneScale": 30.0}, ErrorFunction="CrossEntropy")
    ((after, safe),) = fixes(given, "NN508")
    assert "ScaledMarginalCrossEntropy" not in json.loads(after)
    assert not safe


def test_a_slope_without_an_activation_is_not_quietly_removed() -> None:
    assert [safe for _, safe in fixes(text(IN, HIDDEN | {"ReluSlope": 0.1}, OUT), "NN507")] == [False]
    assert [safe for _, safe in fixes(text(IN, HIDDEN | {"ReluSlope": 0.1, "Activation": "Relu"}, OUT), "NN507")] == [
        True
    ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ('{"Layers": [{"N": 128, "N": 256}]}', "NN204"),
        ('{"Layers": [{}, {"Activation": null}, {}]}', "NN210"),
        ('{"Layers": [{}, {"Kind": "Pooling", "Type": "Convolutional"}, {}]}', "NN208"),
        ('{"Layers": [{}, {"Kind": "Pooling", "Type": "Convolutional"}, {}]}', "NN602"),
        ('{"TrainingParameters": {"lr": 1, "learning_rate": 2}}', "NN201"),
        ('{"TrainingParameters": {"lr": 1, "Alpha": 2}}', "NN201"),
    ],
)
def test_no_fix_where_nobody_can_know(given: str, code: str) -> None:
    assert code in codes(found(given))
    assert fixes(given, code) == []


def test_names_in_one_text_become_a_list() -> None:
    given = text(IN, HIDDEN, HIDDEN | {"Name": "H2", "Source": "Input, Hidden"}, OUT)
    ((after, safe),) = fixes(given, "NN301")
    assert json.loads(after)["Layers"][2]["Source"] == ["Input", "Hidden"]
    assert not safe
    ((again, _),) = fixes(given.replace('"Input, Hidden"', '["Input,Hidden"]'), "NN301")
    assert json.loads(again) == json.loads(after)


@pytest.mark.parametrize(
    ("names", "unknown", "near"),
    [
        (("Input", "H1", "Hidden2"), "Hidden", "H1"),  # renamed: the only one that nothing reads
        (("Input", "Hidden", "Hidden2"), "Hiden", "Hidden"),
        (("Input", "Encoder", "Middle", "Hidden2"), "Hidden", "Middle"),
    ],
)
def test_a_layer_is_not_told_to_read_itself(names: tuple[str, ...], unknown: str, near: str) -> None:
    layers = [{"Name": n, "N": 32, "Source": names[i - 1]} for i, n in enumerate(names) if i]
    layers[-1]["Source"] = unknown
    (told,) = found(text(IN, *layers, OUT | {"Source": names[-1]}))
    assert told.diagnostic.facts["near"] == near


def test_layers_behind_are_no_sources() -> None:
    """`Hiddem` is two letters from what stands behind it, and one from nothing that could feed it."""
    layers = [{"Name": "First", "N": 32, "Source": "Secon"}, {"Name": "Second", "N": 32, "Source": "First"}]
    (told, *_) = found(text(IN, *layers, OUT))
    assert told.diagnostic.code.code == "NN301"
    assert told.diagnostic.facts.get("near") != "Second"


def test_percentages() -> None:
    for value, words in ((50, "0.5 for 50 percent"), (1, "below 1"), (1.5, "below 1"), (100, "below 1")):
        (told,) = [f.diagnostic for f in found(text(IN, HIDDEN | {"pDropout": value}, OUT))]
        assert words in told.remedy
        assert "at most 1" not in told.remedy
