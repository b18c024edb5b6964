"""The forms in which lint speaks, read back by parsers of their own: nothing is lost, and no name can fake anything."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnlang.diagnostics import Code, Diagnostic, Stop, at, printable, render
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited
from nnlang.linting.formats import FORMATS, Result, descriptors, sarif
from nnlang.linting.settings import LEVELS
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source, Span
from nnlang.syntax import read_source
from tests.conftest import Golden
from tests.findings import HOSTILE, RULES, SMALL, TEXT, hostile

FOLDER = Path(__file__).parent
NAMES = sorted(FORMATS)
SUFFIXES = {"json": "json", "jsonl": "jsonl", "github": "txt", "gitlab": "json", "sarif": "sarif", "junit": "xml"}
# As GitHub's documentation of workflow commands has it: percent last, or `%250A` would become a line end.
ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
PLAIN = [name for name in HOSTILE if name.isprintable()]


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The workflow commands of a text, as a runner reads them: kind, properties, message."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text.removesuffix("\n")):
        match = re.fullmatch(r"::(\w+) ([^:]*(?::(?!:)[^:]*)*)::(.*)", line)
        assert match, line
        pairs = (pair.split("=", 1) for pair in match[2].split(","))
        found.append((match[1], {key: unescaped(value) for key, value in pairs}, unescaped(match[3], data=True)))
    return found


def unescaped(text: str, *, data: bool = False) -> str:
    """A value of a workflow command; a message has no escapes for colon and comma."""
    for escape, char in ESCAPES:
        if not (data and char in ":,"):
            text = text.replace(escape, char)
    return text


def all_of(results: Sequence[Result]) -> list[tuple[Result, Finding]]:
    """Every finding with its file."""
    return [(result, finding) for result in results for finding in result.findings]


def path_of(result: Result) -> str:
    """What a form should call a file."""
    path = re.sub("//+", "/", re.sub(r"(^|(?<=/))\./", "", result.path))
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in path)


def read_back(form: str, text: str) -> list[str]:
    """The codes that a form holds, in its order, by a reader that knows the form alone."""
    match form:
        case "json":
            return [row["code"] for row in json.loads(text)]
        case "jsonl":
            return [json.loads(line)["code"] for line in text.split("\n")[:-1]]
        case "github":
            return [found[1]["title"].split()[0] for found in commands(text)] if text else []
        case "gitlab":
            return [row["check_name"].split()[0] for row in json.loads(text)]
        case "sarif":
            return [row["ruleId"] for row in json.loads(text)["runs"][0]["results"]]
        case _:
            cases = ET.fromstring(text).iter("testcase")
            return [case.attrib["name"].split()[0] for case in cases if case.attrib["name"] != "lint"]


@pytest.mark.parametrize("form", NAMES)
def test_forms_read_as_blessed(form: str, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "RULES", RULES)  # so that the words of rules may change
    monkeypatch.setattr(sarif, "__version__", "1.2.3")
    golden(FOLDER / "formats" / f"small_{form}.{SUFFIXES[form]}", FORMATS[form](SMALL))


def test_texts_of_forms_that_do_not_exist_are_not_kept() -> None:
    assert {p.name for p in (FOLDER / "formats").iterdir()} == {f"small_{n}.{s}" for n, s in SUFFIXES.items()}
    assert set(SUFFIXES) == set(FORMATS)


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("results", [(), (Result("a.json", ()), Result("b.json", ()))], ids=["none", "clean"])
def test_nothing_found_is_valid(form: str, results: Sequence[Result]) -> None:
    text = FORMATS[form](results)
    assert read_back(form, text) == []
    assert text == "" or text.endswith("\n")


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("results", [SMALL, hostile()], ids=["small", "hostile"])
def test_every_finding_is_there_in_its_order(form: str, results: Sequence[Result]) -> None:
    text = FORMATS[form](results)
    assert read_back(form, text) == [finding.diagnostic.code.code for _, finding in all_of(results)]
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert text == FORMATS[form](list(results)), "the same input gives the same text"


@pytest.mark.parametrize("form", NAMES)
def test_texts_can_be_written_anywhere(form: str) -> None:
    text = FORMATS[form](hostile())
    assert text.encode("utf-8")
    assert all(c == "\n" or c.isprintable() or c in "\u3000\xa0" for c in text), "what a terminal would obey or hide"
    assert form == "github" or text.isascii(), "so that the text is the same in every encoding"


@pytest.mark.parametrize("form", NAMES)
def test_findings_of_real_texts(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER / "errors")
    results = [Result(name, _linted(name)) for name in sorted(p.name for p in Path().glob("NN*.json"))[::3]]
    text = FORMATS[form](results)
    assert read_back(form, text) == [finding.diagnostic.code.code for _, finding in all_of(results)]
    assert len(all_of(results)) > 30


def _linted(name: str) -> tuple[Finding, ...]:
    try:
        return tuple(lint(read_source(name)))
    except Stop as stopped:
        return tuple(Finding(d) for d in stopped.diagnostics)


def test_json_holds_everything() -> None:
    for results in (SMALL, hostile()):
        rows = json.loads(FORMATS["json"](results))
        for (result, finding), row in zip(all_of(results), rows, strict=True):
            d = finding.diagnostic
            assert row["file"] == path_of(result)
            assert [row[key] for key in ("code", "name", "severity")] == [d.code.code, d.code.name, d.code.severity]
            assert [row[key] for key in ("message", "label", "help")] == [d.message, d.label, d.remedy]
            assert row["explain"] == f"nnlang explain {d.code.code}"
            _check_places(finding, row)


def _check_places(finding: Finding, row: dict[str, Any]) -> None:
    """The numbers of a row lead to the texts that the finding and its fix speak of."""
    place, fix = finding.diagnostic.place, finding.fix
    assert place is not None
    if place.source is None or place.span is None:
        assert row["start"] == ({"line": place.line, "column": None, "offset": None} if place.line else None)
        assert (row["end"], row["fix"]) == (None, None)
        return
    assert _between(place.source, row) == place.source.text[place.span.start : place.span.end]
    assert (row["fix"] is None) == (fix is None)
    if fix is not None:
        assert (row["fix"]["title"], row["fix"]["safe"]) == (printable(fix.title), fix.safe)
        for edit, told in zip(fix.edits, row["fix"]["edits"], strict=True):
            assert _between(place.source, told) == place.source.text[edit.span.start : edit.span.end]
            assert told["text"] == edit.text


def _between(source: Source, row: dict[str, Any]) -> str:
    """The text between two places, by lines and columns; the offsets have to say the same."""
    ends = []
    for point in (row["start"], row["end"]):
        lines = source.text.split("\n")
        before = sum(len(line) + 1 for line in lines[: point["line"] - 1])
        ends.append(before + point["column"] - 1)
        assert ends[-1] == point["offset"]
    return source.text[ends[0] : ends[1]]


@pytest.mark.parametrize("text", ["{\n}\n", "{\r\n}\r\n"])
def test_json_edits_end_lines_as_the_text_does(text: str) -> None:
    fix = Fix("write a line", (Edit(Span(1, 1), ' "a": 1,\n'),))
    finding = Finding(Diagnostic(Code("NN201", "unknown-key", "unknown"), at(Source("a", text), Span(0, 1))), fix)
    (row,) = json.loads(FORMATS["json"]([Result("a", (finding,))]))
    (edit,) = row["fix"]["edits"]
    assert text[: edit["start"]["offset"]] + edit["text"] + text[edit["end"]["offset"] :] == edited(text, [fix])


def test_json_lines_are_the_same_objects_with_line_and_column() -> None:
    rows = json.loads(FORMATS["json"](SMALL))
    lines = [json.loads(line) for line in FORMATS["jsonl"](SMALL).splitlines()]
    assert [{k: v for k, v in line.items() if k not in ("line", "column")} for line in lines] == rows
    places = [(line["line"], line["column"]) for line in lines]
    assert places == [(1, 34), (1, 53), (4, 5), (3, None), (None, None)]


def test_github_commands() -> None:
    for results in (SMALL, hostile()):
        found = commands(FORMATS["github"](results))
        for (result, finding), (kind, told, message) in zip(all_of(results), found, strict=True):
            d = finding.diagnostic
            assert kind == {"error": "error", "warning": "warning", "note": "notice"}[d.code.severity]
            assert told["title"] == f"{d.code.code} {d.code.name}"
            label = f" ({d.label})" if d.label else ""
            assert message == d.message + label + (f"\nhelp: {d.remedy}" if d.remedy else "")
            assert not set(told) - {"file", "line", "endLine", "col", "endColumn", "title"}
            if path_of(result) in PLAIN:
                assert told["file"] == path_of(result)


def test_github_columns_stay_on_one_line() -> None:
    told = [
        {k: v for k, v in found[1].items() if k not in ("file", "title")}
        for found in commands(FORMATS["github"](SMALL))
    ]
    assert told[0] == {"line": "1", "endLine": "1", "col": "34", "endColumn": "44"}
    assert told[2] == {"line": "4", "endLine": "5"}
    assert told[3:] == [{"line": "3"}, {}]


def test_github_keeps_visible_names_and_shows_hidden_characters() -> None:
    files = {path: commands(FORMATS["github"]([Result(path, hostile()[0].findings)]))[0][1]["file"] for path in HOSTILE}
    assert files["wide\u3000space\xa0hard.json"] == "wide\u3000space\xa0hard.json"
    assert files["line\nend\rand\u2028other\x85ends.json"] == "line\\u000aend\\u000dand\\u2028other\\u0085ends.json"
    assert files["right\u202eto\u2066left.json"] == "right\\u202eto\\u2066left.json"
    assert files["quo\"te's`.json"] == "quo\"te's`.json"
    assert len(set(files.values())) == len(HOSTILE)


def test_gitlab_fields() -> None:
    """https://docs.gitlab.com/ci/testing/code_quality/ names these, all required, and these severities."""
    for results in (SMALL, hostile()):
        rows = json.loads(FORMATS["gitlab"](results))
        for (result, finding), row in zip(all_of(results), rows, strict=True):
            d = finding.diagnostic
            assert set(row) == {"description", "check_name", "fingerprint", "severity", "location"}
            assert all(words in row["description"] for words in (d.code.code, d.message, d.label, d.remedy))
            assert row["severity"] == {"error": "major", "warning": "minor", "note": "info"}[d.code.severity]
            assert row["location"]["path"] == path_of(result) and not row["location"]["path"].startswith("./")
            assert 1 <= row["location"]["lines"]["begin"] <= row["location"]["lines"]["end"]
        assert len({row["fingerprint"] for row in rows}) == len(rows)


def fingerprints(text: str, path: str = "a.json") -> list[str]:
    """The fingerprints of lint's findings on a text, which GitLab and SARIF have alike."""
    results = [Result(path, tuple(lint(Source(path, text))))]
    log = json.loads(FORMATS["sarif"](results))["runs"][0]["results"]
    found = [row["fingerprint"] for row in json.loads(FORMATS["gitlab"](results))]
    assert found == [value for row in log for value in row["partialFingerprints"].values()]
    return found


MISTAKES = """{ "Version": 0.8, "Layers": [
  { "Name": "I", "Kind": "Input", "N": 1, "DataSet": "d", "Nope": 1, "Nope2": 1 },
"""


def test_fingerprints_outlive_the_moving_of_lines() -> None:
    layer = '  { "Name": "O", "Kind": "Output", "N": 1, "DataSet": "d", "Nope": 1 } ] }\n'
    before = fingerprints(MISTAKES + layer)
    assert len(before) >= 3 and len(set(before)) == len(before)
    assert fingerprints("\n\n" + MISTAKES + "\n// a comment \U0001f600\n" + layer) == before
    assert fingerprints(MISTAKES + layer, "./a.json") == before
    assert not set(fingerprints(MISTAKES + layer, "b.json")) & set(before)


def test_fingerprints_know_no_place_in_a_message() -> None:
    text = '{ "Version": 0.8, "Layers": [ }'
    before = fingerprints(text)
    assert before and fingerprints(f"\n\n   {text}") == before


def test_alike_findings_have_fingerprints_of_their_own() -> None:
    finding = SMALL[0].findings[0]
    rows = json.loads(FORMATS["gitlab"]([replace(SMALL[0], findings=(finding,) * 3)]))
    assert len({row["fingerprint"] for row in rows}) == 3


def test_junit_is_xml_with_right_counts() -> None:
    for results in (SMALL, hostile()):
        root = ET.fromstring(FORMATS["junit"](results))
        assert (root.tag, len(root)) == ("testsuites", len(results))
        for result, suite in zip(results, root, strict=True):
            cases = list(suite)
            assert suite.attrib["name"] == printable(path_of(result))
            assert len({case.attrib["name"] for case in cases}) == len(cases) == max(len(result.findings), 1)
            severities = Counter(finding.diagnostic.code.severity for finding in result.findings)
            assert int(suite.attrib["tests"]) == len(cases)
            assert (
                int(suite.attrib["failures"])
                == len(list(suite.iter("failure")))
                == severities.total() - severities["note"]
            )
            for finding, case in zip(result.findings, cases, strict=bool(result.findings)):
                _check_case(finding, case)
        for count in ("tests", "failures", "errors", "skipped"):
            assert int(root.attrib[count]) == sum(int(suite.attrib[count]) for suite in root)


def _check_case(finding: Finding, case: ET.Element) -> None:
    d = finding.diagnostic
    (outcome,) = case
    assert case.attrib["name"] == f"{d.code.code} {d.code.name}: {d.message}"
    assert outcome.text == render([d])
    assert outcome.tag == ("system-out" if d.code.severity == "note" else "failure")
    if outcome.tag == "failure":
        assert outcome.attrib == {"type": d.code.code, "message": d.message}


def test_junit_fails_from_the_level_on() -> None:
    for level, severities in {"error": {"error"}, "warning": {"error", "warning"}, "note": set(LEVELS)}.items():
        root = ET.fromstring(FORMATS["junit"]([replace(result, fail_level=level) for result in SMALL]))
        found = [f.diagnostic for result in SMALL for f in result.findings]
        failing = [d.code.code for d in found if d.code.severity in severities]
        assert [case.attrib["type"] for case in root.iter("failure")] == failing
        assert root.attrib["failures"] == str(len(failing))
        assert len(list(root.iter("system-out"))) == len(found) - len(failing)


def test_junit_numbers_alike_cases() -> None:
    root = ET.fromstring(FORMATS["junit"]([replace(SMALL[0], findings=SMALL[0].findings[:1] * 2)]))
    first, second = (case.attrib["name"] for case in root.iter("testcase"))
    assert second == f"{first} (2)"


def many(count: int) -> list[Result]:
    """As many findings as asked for, a thousand in a file of long lines."""
    code = Code("NN201", "unknown-key", "unknown key `{key}`", "not known here", "did you mean `Activation`?")
    source = Source("x.json", TEXT * 1_000)
    found = (Diagnostic(code, at(source, Span(i * 150, i * 150 + 9)), {"key": f"K{i}"}) for i in range(1_000))
    findings = tuple(Finding(d, SMALL[0].findings[0].fix) for d in found)
    return [Result(f"{n}.json", findings) for n in range(count // 1_000)]


@pytest.mark.parametrize("form", NAMES)
def test_many_findings_do_not_take_long(form: str) -> None:
    begin = time.perf_counter()
    text = FORMATS[form](many(3_000))
    assert time.perf_counter() - begin < 3
    assert len(read_back(form, text)) == 3_000


@pytest.mark.full
@pytest.mark.parametrize("form", NAMES)
def test_thirty_thousand_findings_do_not_take_long(form: str) -> None:
    begin = time.perf_counter()
    text = FORMATS[form](many(30_000))
    assert time.perf_counter() - begin < 30
    assert len(read_back(form, text)) == (25_000 if form == "sarif" else 30_000)
