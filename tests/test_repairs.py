"""Fixes of slips in the text and of single keys and values: what they write, when they are safe, when there is none."""

from __future__ import annotations

import pytest

from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited, mended
from nnlang.linting.settings import Settings
from nnlang.source import Source

SAFE, UNSAFE = True, False
# A text, the code of a finding in it, the text after its fix (None: there is no fix), whether that is safe.
ROWS: tuple[tuple[str, str, str | None, bool], ...] = (
    ("\ufeff{}", "NN104", "{}", SAFE),
    ('{"Name": "gl, old\n}', "NN110", None, UNSAFE),
    ('{"Name": "gl old\n}', "NN110", '{"Name": "gl old"\n}', UNSAFE),
    ('{"Name": "gl: 1,\n}', "NN110", None, UNSAFE),
    ("{'Name': 1}", "NN111", '{"Name": 1}', SAFE),
    ("{\"Name\": ''}", "NN111", '{"Name": ""}', SAFE),
    ('{"Name": \'a "b" c\'}', "NN111", None, SAFE),
    ("{\"Name\": 'a\\n'}", "NN111", None, SAFE),
    ("{\"Name\": 'größe'}", "NN111", '{"Name": "größe"}', SAFE),
    ('{"Name": "a\\gl"}', "NN112", '{"Name": "a\\\\gl"}', UNSAFE),
    ('{"Name": "a\\u12"}', "NN112", None, UNSAFE),
    ('{"Name": "it\\\'s"}', "NN112", None, UNSAFE),
    ('{"Name": "a\tb"}', "NN113", '{"Name": "ab"}', UNSAFE),
    ('{"ShuffleIndices": True}', "NN120", '{"ShuffleIndices": true}', SAFE),
    ('{"ShuffleIndices": off}', "NN120", '{"ShuffleIndices": false}', UNSAFE),
    ('{"Decay": None}', "NN120", None, SAFE),
    ('{Decay: "x"}', "NN120", '{"Decay": "x"}', SAFE),
    ('{"Kind": Feed /* or */ }', "NN120", '{"Kind": "Feed" /* or */ }', SAFE),
    ('{"Kind": gl input}', "NN120", '{"Kind": "gl" input}', UNSAFE),
    ('{"Kind": “Feed”}', "NN120", '{"Kind": "Feed"}', SAFE),
    ('{"Decay" = 0}', "NN120", '{"Decay" : 0}', SAFE),
    ('{"Decay": 1; "Name": "x"}', "NN120", '{"Decay": 1, "Name": "x"}', SAFE),
    ('{"Decay": 1; }', "NN120", '{"Decay": 1 }', SAFE),
    ('{"Name": "x"; "Decay": 1}', "NN120", '{"Name": "x", "Decay": 1}', SAFE),
    ('{"Decay": @}', "NN120", None, SAFE),
    ('{"Decay": .5}', "NN121", '{"Decay": 0.5}', SAFE),
    ('{"Decay": -.5e+2}', "NN121", '{"Decay": -0.5e2}', SAFE),
    ('{"Decay": 5.}', "NN121", '{"Decay": 5.0}', SAFE),
    ('{"Decay": +1_000}', "NN121", '{"Decay": 1000}', SAFE),
    ('{"Decay": 010}', "NN121", None, SAFE),
    ('{"Decay": 0x10}', "NN121", None, SAFE),
    ('{"Decay": 1.2.3}', "NN121", None, SAFE),
    ('{"Decay": 0.' + "3" * 70 + "}", "NN123", '{"Decay": 0.3333333333333333}', SAFE),
    ('{"Decay": ' + "3" * 70 + "}", "NN123", None, SAFE),
    ('{"Decay": 1 /* a */ /* b */ "Name": "x"}', "NN130", '{"Decay": 1, /* a */ /* b */ "Name": "x"}', SAFE),
    ('{"Decay": 1 // a, b\n"Name": "x"}', "NN130", '{"Decay": 1, // a, b\n"Name": "x"}', SAFE),
    ('{"Layers": [{} {}]}', "NN130", '{"Layers": [{}, {}]}', SAFE),
    ('{"Source": ["a" "b"]}', "NN130", '{"Source": ["a", "b"]}', UNSAFE),
    ('{"N": [1 2]}', "NN130", '{"N": [1, 2]}', UNSAFE),
    ('{"N": [1,]}', "NN131", '{"N": [1]}', SAFE),
    ('{"N": [1,,2]}', "NN131", '{"N": [1,2]}', UNSAFE),
    ('{"Decay" 1}', "NN132", '{"Decay": 1}', SAFE),
    ('{"Decay" "Name": "x"}', "NN132", None, SAFE),
    ('[{"N": 1,\n{"N": 2}]', "NN134", '[{"N": 1 },\n{"N": 2}]', UNSAFE),
    ('{"N": 1,\n{"N": 2}}', "NN134", '{"N": 1 },\n{"N": 2}}', UNSAFE),
    ("{1: 2}", "NN134", None, UNSAFE),
    ('{"N": [1', "NN138", '{"N": [1]}', UNSAFE),
    ('{"N": [1 // one\n', "NN138", '{"N": [1]} // one\n', UNSAFE),
    ('{"N": [1,', "NN138", None, UNSAFE),
    ('{"N":', "NN138", None, UNSAFE),
    ("{}]", "NN140", "{}", UNSAFE),
    ('{"N": 1 # one, two\n}', "NN142", '{"N": 1 // one, two\n}', SAFE),
    ('{\n  // one\n  "N": 1\n}', "NN143", '{\n  "N": 1\n}', SAFE),
    ('{\r\n  "N": 1 // one\r\n}', "NN143", '{\r\n  "N": 1\r\n}', SAFE),
    ('{"N": /* one */ 1}', "NN143", '{"N":  1}', SAFE),
    ('{"N": 1} // one', "NN143", '{"N": 1}', SAFE),
    ('{"Decya": 1}', "NN201", '{"Decay": 1}', SAFE),
    ('{"decay": 0, "Decya": 1}', "NN201", None, SAFE),
    ('{"Slope": 0, "ReluSlop": 1}', "NN201", None, SAFE),
    ('{"Colour": 1}', "NN201", None, SAFE),
    ('{"Decay": 1, "decay": 2}', "NN204", '{"Decay": 1}', UNSAFE),
    ('{"Decay": 1, "decay": 1}', "NN204", '{"Decay": 1}', SAFE),
    (
        '{"TrainingParameters": {"BatchSize": 8}}',
        "NN205",
        '{"TrainingParameters": {"MiniBatch": 8}}',
        UNSAFE,
    ),
    ('{"TrainingParameters": {"MiniBatch": 4, "BatchSize": 8}}', "NN205", None, UNSAFE),
    ('{"Layers": [{"N": 1, "Padding": 1}]}', "NN205", '{"Layers": [{"N": 1}]}', UNSAFE),
    ('{"Decay": "1e-4"}', "NN210", '{"Decay": 1e-4}', SAFE),
    ('{"Decay": "true"}', "NN210", None, SAFE),
    ('{"ShuffleIndices": "false"}', "NN210", '{"ShuffleIndices": false}', SAFE),
    ('{"ShuffleIndices": "0"}', "NN210", None, SAFE),
    ('{"Decay": "010"}', "NN210", None, SAFE),
    ('{"Name": "x", "Decay": null}', "NN210", '{"Name": "x"}', UNSAFE),
    ('{"Layers": [{"N": "128"}]}', "NN213", '{"Layers": [{"N": 128}]}', SAFE),
    ('{"Layers": [{"N": "aut"}]}', "NN213", '{"Layers": [{"N": "auto"}]}', UNSAFE),
    ('{"Kind": "AutoEncodre"}', "NN213", '{"Kind": "AutoEncoder"}', SAFE),
    ('{"Kind": "x"}', "NN213", None, SAFE),
    ('{"Layers": [{"Name": "", "N": 1}]}', "NN215", '{"Layers": [{"N": 1}]}', UNSAFE),
    ('{"Command": "", "Network": "", "Data": []}', "NN215", None, UNSAFE),
    ('{"Name": "a\\u0000\\tb"}', "NN217", '{"Name": "ab"}', UNSAFE),
    ('{"Name": "\\n"}', "NN217", None, UNSAFE),
    ('{"Layers": [{"N": 1, "DataSet": []}]}', "NN210", None, UNSAFE),
    (
        '{"Layers": [{}, {"N": 1, "Kernel": []}, {}]}',
        "NN219",
        '{"Layers": [{}, {"N": 1}, {}]}',
        UNSAFE,
    ),
)


def found(text: str, code: str) -> Finding | None:
    """The first finding of a code."""
    all_of = lint(Source("text", text), Settings(extend_select=("NN",), strict=True))
    return next((f for f in all_of if f.diagnostic.code.code == code), None)


@pytest.mark.parametrize(("text", "code", "after", "safe"), ROWS)
def test_a_fix_writes_what_was_meant(text: str, code: str, after: str | None, safe: bool) -> None:
    finding = found(text, code)
    assert finding is not None
    if after is None:
        assert finding.fix is None
        return
    assert finding.fix is not None
    assert (edited(text, [finding.fix]), finding.fix.safe) == (after, safe)


SLIPS = """{
  # a definition from a colleague
  'Name': 'gl'
  ShuffleIndices: True,
  "Denoising": { "p" .2, },
  "Layers": [
    { "Name": "Input", "Kind": "Inptu", "N": "128", "DataSet": "gl_input", },
    { "Name": "Hidden", "N": +32 "Activaton": Relu }
    { "Name": "Output", "N": 128, "DataSet": "gl_output" }
  ]
}
"""
MENDED = """{
  // a definition from a colleague
  "Name": "gl",
  "ShuffleIndices": true,
  "Denoising": { "p": 0.2 },
  "Layers": [
    { "Name": "Input", "Kind": "Input", "N": 128, "DataSet": "gl_input" },
    { "Name": "Hidden", "N": 32, "Activation": "Relu" },
    { "Name": "Output", "N": 128, "DataSet": "gl_output" }
  ]
}
"""


def test_safe_fixes_alone_mend_a_text_of_slips() -> None:
    source, done = mended(Source("text", SLIPS), lambda source: lint(source, Settings(select=("NN1", "NN2"))))
    assert source.text == MENDED
    assert len(done) >= 12
