"""Fixes of slips in the text and of single keys and values: what they write, when they are safe, when there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited, mended
from nnlang.linting.settings import Settings
from nnlang.source import Source
from tests.test_syntax import PIECES

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
    ("{1: 2}", "NN134", None, UNSAFE),
    ('{"Decay": 1 "Name: "x"', "NN130", None, UNSAFE),
    ('{"Decay": 0,5}', "NN121", '{"Decay": 0.5}', UNSAFE),
    ('{"N": 1,024}', "NN121", '{"N": 1024}', UNSAFE),
    ('{"N": 1,024,768}', "NN121", '{"N": 1024768}', UNSAFE),
    ('{"N": 1,024,5}', "NN121", None, UNSAFE),
    ('{"N": [0,5], "Decay": -0,5e-3}', "NN121", '{"N": [0,5], "Decay": -0.5e-3}', UNSAFE),
    ('{"N": 1, 5}', "NN134", None, UNSAFE),
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
    ('{"Decay": 1, "decay": 2}', "NN204", None, UNSAFE),
    ('{"Decay": 1, "decay": 1}', "NN204", '{"Decay": 1}', SAFE),
    (
        '{"TrainingParameters": {"BatchSize": 8}}',
        "NN201",
        '{"TrainingParameters": {"MiniBatch": 8}}',
        SAFE,
    ),
    ('{"TrainingParameters": {"MiniBatch": 4, "BatchSize": 8}}', "NN201", None, UNSAFE),
    ('{"Layers": [{"N": 1, "Padding": 1}]}', "NN205", '{"Layers": [{"N": 1}]}', UNSAFE),
    ('{"Decay": "1e-4"}', "NN210", '{"Decay": 1e-4}', SAFE),
    ('{"Decay": "true"}', "NN210", None, SAFE),
    ('{"ShuffleIndices": "false"}', "NN210", '{"ShuffleIndices": false}', SAFE),
    ('{"ShuffleIndices": "0"}', "NN210", None, SAFE),
    ('{"Decay": "010"}', "NN210", None, SAFE),
    ('{"Name": "x", "Decay": null}', "NN210", None, UNSAFE),
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


DEFINITION = """{
  "Denoising": {
    "p": 0.2
  },
  "Layers": [
    { "Name": "Input", "N": 8, "DataSet": "in" },
    { "Name": "Hidden", "N": 4, "WeightInit": { "Scale": 0.1 } },
    {
      "Name": "Output",
      "N": 8
    }
  ],
  "ErrorFunction": "CrossEntropy"
}
"""
# What is done to the definition (every occurrence of a text is replaced), and the one finding: its code and line.
# All of these have a fix that brings the definition back, white space apart.
DAMAGE: tuple[tuple[str, str, str, int], ...] = (
    ("0.2\n  },\n", "0.2,\n", "NN144", 3),
    ("0.2\n  },\n", "0.2\n  ,\n", "NN144", 3),
    ("0.2\n  },\n", "0.2\n", "NN144", 3),
    ('"in" },', '"in",', "NN144", 6),
    ("0.1 } },", "0.1 },", "NN144", 7),
    ("0.1 } },", "0.1,", "NN144", 7),
    ("8\n    }\n", "8\n", "NN144", 10),
    ("  ],\n", "", "NN144", 11),
    ("  ],\n", "  ,\n", "NN144", 11),
    ('"Denoising": {', '"Denoising":', "NN145", 3),
    ('"Layers": [', '"Layers":', "NN145", 6),
    ('{ "Name": "Hidden"', '"Name": "Hidden"', "NN145", 7),
    ("[", "(", "NN146", 5),
    ("[", "{", "NN146", 5),
    ("0.1 }", "0.1 ]", "NN136", 7),
    ("  ],", "  ]],", "NN140", 12),
    ("0.1 } },", "0.1 } } },", "NN140", 7),
    ("  },\n", "  }\n  },\n", "NN140", 5),
    ("[", "[[", "NN137", 5),
    ('{ "Scale"', '{{ "Scale"', "NN137", 7),
    ('"in" },', '"in" }],', "NN140", 6),
    (" } },\n", " } }\n  ],\n", "NN140", 8),
    ('"Hidden"', '"Hidden', "NN110", 7),
    ('"Hidden"', 'Hidden"', "NN119", 7),
    ('"WeightInit"', '"WeightInit', "NN110", 7),
    ('"WeightInit"', 'WeightInit"', "NN119", 7),
    ('"Output"', 'Output"', "NN119", 9),
    ('"CrossEntropy"', '"CrossEntropy', "NN110", 13),
    ('{\n  "Den', 'config = {\n  "Den', "NN116", 1),
    ('{\n  "Den', 'export default {\n  "Den', "NN116", 1),
    ('{\n  "Den', '```json\n{\n  "Den', "NN116", 1),
    ('py"\n}\n', 'py"\n};\n', "NN116", 14),
    ('py"\n}\n', 'py"\n}\n```\n', "NN116", 15),
    ("  ", "\u00a0 ", "NN108", 2),
    ("0.2", "0.2\u2003", "NN108", 3),
    ('"Input"', '"Input"\u200b', "NN108", 6),
    (",\n", ",\u2028", "NN108", 4),
    ('"', "&quot;", "NN109", 2),
    ('"', "&#8220;", "NN109", 2),
    ('{\n  "Den', '<pre>{<br />\n  "Den', "NN109", 1),
    ("0.2", "0,2", "NN121", 3),
    ('"p"', "\u201cp\u201d", "NN120", 3),
)


def slips(text: str) -> list[Finding]:
    """The errors of the syntax."""
    all_of = [f for f in lint(Source("text", text)) if f.diagnostic.code.code.startswith("NN1")]
    return [f for f in all_of if f.diagnostic.code.severity == "error"]


@pytest.mark.parametrize(("old", "new", "code", "line"), DAMAGE)
def test_one_cause_is_one_finding_whose_fix_takes_it_back(old: str, new: str, code: str, line: int) -> None:
    text = DEFINITION.replace(old, new)
    if old == "[" and new != "[[":
        text = text.replace("]", {"(": ")", "{": "}"}[new])
    assert text != DEFINITION
    errors = slips(text)
    told = [(f.diagnostic.code.code, str(f.diagnostic.place).split(":")[1]) for f in errors]
    assert told == [(code, str(line))]
    fix = errors[0].fix
    assert fix is not None
    after = edited(text, [fix])
    assert "".join(after.split()) == "".join(DEFINITION.split())
    assert slips(after) == []


def test_layers_behind_their_list_are_taken_into_it() -> None:
    for count in (1, 2):
        lines = DEFINITION.splitlines(keepends=True)
        end = lines.pop(lines.index("  ],\n"))
        place = 7 if count == 1 else 6
        lines[place - 1] = lines[place - 1].replace("},\n", "}\n")
        lines[10] = lines[10].replace("}\n", "},\n")
        lines.insert(place, end)
        (finding,) = slips("".join(lines))
        assert (finding.diagnostic.code.code, finding.fix is not None) == ("NN147", True)
        assert finding.fix is not None
        after = edited("".join(lines), [finding.fix])
        assert slips(after) == []
        assert "".join(after.split()) == "".join(DEFINITION.split())


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_fixes_of_rubbish_stay_in_the_text_and_come_to_an_end(text: str) -> None:
    for finding in slips(text):
        for edit in finding.fix.edits if finding.fix is not None else ():
            assert 0 <= edit.span.start <= edit.span.end <= len(text)
    before = len(slips(text))
    after, _ = mended(Source("text", text), lambda source: slips(source.text), unsafe=True)
    assert len(slips(after.text)) <= before


def test_a_whole_text_of_utf16_is_mended_at_once() -> None:
    for text in ("\0".join(DEFINITION) + "\0", "\0" + "\0".join(DEFINITION)):
        (finding,) = slips(text)
        assert finding.diagnostic.code.code == "NN107" and finding.fix is not None
        assert edited(text, [finding.fix]) == DEFINITION


def test_numbers_of_lines_are_removed_from_all_of_them() -> None:
    for form in ("{:3} {}", "{}: {}", "{}.\t{}", "{}{}"):
        lines = [form.format(i, line).rstrip() for i, line in enumerate(DEFINITION.splitlines(), 7)]
        found = slips("\n".join(lines))
        if form == "{}{}":
            assert "NN118" not in {f.diagnostic.code.code for f in found}
            continue
        assert [f.diagnostic.code.code for f in found] == ["NN118"] and found[0].fix is not None
        assert "".join(edited("\n".join(lines), [found[0].fix]).split()) == "".join(DEFINITION.split())


def test_of_an_unfinished_merge_both_texts_are_left_and_the_rest_is_checked() -> None:
    merge = '<<<<<<< HEAD\n    "p": 0.2\n||||||| base\n    "p": 0.1\n=======\n    "p": 0.3\n>>>>>>> other\n'
    text = DEFINITION.replace('    "p": 0.2\n', merge).replace("4, ", "4; ")
    found = slips(text)
    assert [(f.diagnostic.code.code, f.fix is None) for f in found] == [("NN117", True), ("NN120", False)]


def test_strings_and_comments_keep_what_elsewhere_is_mended() -> None:
    kept = '// a\u00a0b &quot; <pre>\n{"Name": "a\u00a0&quot;<pre>b", /* \u00a0 &amp; */'
    for broken, whole in ((' "Decay":\u00a01}', ' "Decay": 1}'), (' &quot;Decay": 1}', ' "Decay": 1}')):
        (finding,) = slips(kept + broken)
        assert finding.fix is not None and finding.fix.safe
        assert edited(kept + broken, [finding.fix]) == kept + whole


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
