"""Lint's SARIF: what the standard and GitHub ask for, regions and fixes carried out by a reader of its own."""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from random import Random
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema_rs
import pytest

from nnlang.diagnostics import Code, Diagnostic, Severity, at, printable
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited
from nnlang.linting.formats import FORMATS, Result, sarif
from nnlang.rules import RULES
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source, Span
from tests.findings import ERROR, NOTE, SMALL, hostile
from tests.sarif_schema import SARIF

Json = Any
VALIDATOR = jsonschema_rs.validator_for(SARIF)
LINK = re.compile(r"(?<!\\)\[(?:[^\\\[\]]|\\[\\\[\]])*\]\(")  # 3.11.6
PARTS = ("a", "é", "\U0001f600", "\U0010ffff", "\n", "\r\n", "\r", " ", "\ufeff", "\u2028")
NEW = ("", "x", "\U0001f600\n", '"é"')


def log_of(results: Sequence[Result]) -> Json:
    """The log of some results, valid."""
    log = json.loads(FORMATS["sarif"](results))
    VALIDATOR.validate(log)
    return log


def run_of(results: Sequence[Result]) -> Json:
    """The only run of a log."""
    (run,) = log_of(results)["runs"]
    return run


def ends(text: str, region: Json) -> tuple[int, int]:
    """The characters of a region, as the standard has it: no column counts the byte order mark."""
    if "byteOffset" in region:
        raw = text.encode()
        first, last = region["byteOffset"], region["byteOffset"] + region["byteLength"]
        return len(raw[:first].decode()), len(raw[:last].decode())
    mark = int(text.startswith("\ufeff"))
    lines = re.findall(r"[^\n]*\n|[^\n]+", text[mark:]) or [""]

    def offset(line: int, column: int) -> int:
        if line == len(lines) + 1 and column == 1:  # the end of a line and the beginning of the next are one place
            return len(text)
        units = lines[line - 1].encode("utf-16-le")
        assert 2 * (column - 1) <= len(units)
        return mark + len("".join(lines[: line - 1])) + len(units[: 2 * (column - 1)].decode("utf-16-le"))

    return offset(region["startLine"], region["startColumn"]), offset(region["endLine"], region["endColumn"])


def drawn(random: Random) -> tuple[str, list[Span]]:
    """A text, and spans in it that are apart, the last of them at its end."""
    text = random.choice(("", "\ufeff")) + "".join(random.choices(PARTS, k=random.randrange(12)))
    places = sorted(random.sample(range(len(text) + 1), min(len(text) + 1, 2 * random.randrange(4))))
    spans = [Span(a, b) for a, b in zip(places[::2], places[1::2], strict=False)]
    return text, [*spans, Span(len(text), len(text))]


def file_of(text: str, spans: Sequence[Span], *fixes: Fix) -> Result:
    """A file with a finding at each span, the first ones with fixes."""
    source = Source("a.json", text)
    found = [Diagnostic(NOTE, at(source, span), {"name": "a"}) for span in spans]
    return Result("a.json", tuple(Finding(d, fix) for d, fix in zip_longest(found, fixes)))


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.full)])
def test_regions_are_the_spans(count: int) -> None:
    random = Random(count)
    texts = [drawn(random) for _ in range(count)]
    rows = iter(json.loads(FORMATS["sarif"]([file_of(*made) for made in texts]))["runs"][0]["results"])
    for text, spans in texts:
        mark = int(text.startswith("\ufeff"))
        lines = text[mark:].count("\n") + (not text.endswith("\n"))
        for span, row in zip(spans, rows, strict=False):
            region = row["locations"][0]["physicalLocation"]["region"]
            assert ends(text, region) == (max(span.start, mark), max(span.end, mark))
            assert region["startLine"] <= max(lines, 1), "a line that is there"
    assert next(rows, None) is None


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", (2, 3)),
        ("\U0001f600bc", (3, 4)),
        ("\U0001f600\U0001f600c", (3, 5)),
        ("éb", (2, 3)),
        ("\ufeffab", (1, 2)),
    ],
)
def test_columns_count_utf16(text: str, columns: tuple[int, int]) -> None:
    run = run_of([file_of("\U0001f600\n" + text if text[0] != "\ufeff" else text, [_second(text)])])
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert run["columnKind"] == "utf16CodeUnits"
    assert (region["startColumn"], region["endColumn"]) == columns


def _second(text: str) -> Span:
    """The second character of a text that stands on the second line, unless it begins with a byte order mark."""
    return Span(3, 4) if text[0] != "\ufeff" else Span(1, 2)


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.full)])
def test_fixes_do_what_edits_do(count: int) -> None:
    random = Random(count)
    texts = [drawn(random) for _ in range(count)]
    fixes = [
        Fix("mend", tuple(Edit(s, random.choice(NEW)) for s in spans if s.end) or (Edit(spans[-1], "x"),))
        for _, spans in texts
    ]
    files = [file_of(text, [Span(0, 0)], fix) for (text, _), fix in zip(texts, fixes, strict=True)]
    for (text, _), fix, row in zip(texts, fixes, run_of(files)["results"], strict=True):
        (change,) = row["fixes"][0]["artifactChanges"]
        assert fixed(text, change["replacements"]) == edited(text, [fix])


def fixed(text: str, replacements: list[Json]) -> str:
    """A text after replacements, every region of which is one of the text as it was."""
    placed = [(ends(text, r["deletedRegion"]), r.get("insertedContent", {})) for r in replacements]
    for (start, end), content in sorted(placed, key=lambda p: p[0], reverse=True):
        new = b64decode(content["binary"]).decode() if "binary" in content else content.get("text", "")
        text = text[:start] + new + text[end:]
    return text


def test_the_byte_order_mark_is_taken_as_bytes() -> None:
    (result,) = run_of([file_of("\ufeff{}", [Span(0, 1)], Fix("remove it", (Edit(Span(0, 1), ""),)))])["results"]
    (replacement,) = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement == {"deletedRegion": {"byteOffset": 0, "byteLength": 3}}


def test_lints_own_fixes_do_the_same_in_a_log() -> None:
    """Every rule's bad example, mended by reading the log, is the text that lint itself writes."""
    done = 0
    for code, rule in RULES.items():
        if rule.bad.frame == "shell" or rule.fix is None:
            continue
        source = Source("a.json", rule.bad.whole)
        findings = [f for f in lint(source, data={d.name: d for d in rule.bad.data}) if f.fix is not None]
        for finding, told in zip(findings, run_of([Result("a.json", tuple(findings))])["results"], strict=True):
            assert finding.fix is not None, code
            (change,) = told["fixes"][0]["artifactChanges"]
            assert fixed(source.text, change["replacements"]) == edited(source.text, [finding.fix])
            assert told["fixes"][0]["properties"] == {"safe": finding.fix.safe}
            done += 1
    assert done


def test_files_are_percent_encoded_byte_for_byte() -> None:
    results = hostile()
    run = run_of(results)
    for i, (result, artifact) in enumerate(zip(results, run["artifacts"], strict=True)):
        location = artifact["location"]
        path = re.sub("//+", "/", re.sub(r"(^|(?<=/))\./", "", result.path))
        assert location["index"] == i
        if path.startswith("/"):
            assert "uriBaseId" not in location
            path = f"file://{path}"
        else:
            assert location["uriBaseId"] in run["originalUriBaseIds"]
        assert unquote_to_bytes(location["uri"]) == os.fsencode(path)
    for result in run["results"]:
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert location == run["artifacts"][location["index"]]["location"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("nets\\a b.json", "nets/a%20b.json"),
        (".\\a.json", "a.json"),
        ("C:\\nets\\a b.json", "file:///C:/nets/a%20b.json"),
        ("\\\\server\\nets\\a.json", "file://server/nets/a.json"),
    ],
)
def test_files_of_windows(path: str, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", "\\")
    assert Result(path, ()).uri == uri


def test_messages_hold_no_placeholder_and_no_link() -> None:
    results = hostile()
    texts = [row["message"]["text"] for row in run_of(results)["results"]]
    for text, finding in zip(texts, (f for result in results for f in result.findings), strict=True):
        d = finding.diagnostic
        assert not LINK.search(text)
        plain = text.replace("{{", "{").replace("}}", "}")
        if "](" not in d.message:
            label = f" ({d.label})" if d.label else ""
            assert plain == d.message + label + (f".\nHelp: {d.remedy}" if d.remedy else "")
    assert LINK.search("a [b](c)") and LINK.search(r"[b\\](c)") and not LINK.search(r"[b\](c)")


def test_levels_and_rules_belong_together() -> None:
    for results in (SMALL, hostile()):
        run = run_of(results)
        rules = run["tool"]["driver"]["rules"]
        for finding, row in zip((f for r in results for f in r.findings), run["results"], strict=True):
            assert row["level"] == finding.diagnostic.code.severity
            assert rules[row["ruleIndex"]]["id"] == row["ruleId"] == finding.diagnostic.code.code


def test_a_severity_from_the_settings_is_the_results_own() -> None:
    note = replace(SMALL[0].findings[0].diagnostic, code=replace(ERROR, severity="note"))
    run = run_of([replace(SMALL[0], findings=(Finding(note),))])
    (rule,) = (rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == ERROR.code)
    assert (run["results"][0]["level"], rule["defaultConfiguration"]["level"]) == ("note", "error")


def test_every_rule_is_described_within_githubs_limits() -> None:
    rules = run_of(())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(RULES)
    assert len(rules) <= 25_000
    for told, rule in zip(rules, RULES.values(), strict=True):
        assert told["name"] == rule.code.name and len(told["name"]) <= 255
        assert len(told["shortDescription"]["text"]) <= 1024
        assert told["fullDescription"]["text"] == rule.why and len(rule.why) <= 1024
        assert told["defaultConfiguration"] == {"enabled": rule.default, "level": rule.code.severity}
        assert 1 <= len(told["properties"]["tags"]) <= 10
        for words in (rule.why, rule.bad.text.rstrip(), rule.good.text.rstrip(), f"nnlang explain {rule.code.code}"):
            assert words in told["help"]["text"] and words in told["help"]["markdown"]


def test_results_within_githubs_limits() -> None:
    for results in (SMALL, hostile()):
        for row in run_of(results)["results"]:
            assert len(row["locations"]) == 1, "GitHub shows the first alone"
            assert "primaryLocationLineHash" not in row["partialFingerprints"], "the upload action warns of another's"
            assert row["message"]["text"].strip()


def test_messages_are_short_whatever_a_text_holds() -> None:
    text = '{"%s": 1, "Name": "%s", "Layers": [{"Name": "%s", "Kind": "%s", "Source": "%s"}]}'
    for long in ("x" * 4096, "\u202e" * 4000, "\U0001f600" * 4000):
        rows = run_of([Result("a.json", tuple(lint(Source("a.json", text % ((long,) * 5)))))])["results"]
        assert rows
        assert max(len(row["message"]["text"]) for row in rows) <= 1024


def crowded(most: int) -> list[Result]:
    """Two files with as many notes as a run holds, and then ten warnings and ten errors."""
    source = Source("a.json", "{}\n")
    made: list[Finding] = []
    levels: tuple[tuple[Severity, int], ...] = (("note", most), ("warning", 10), ("error", 10))
    for severity, count in levels:
        code = Code("NN201", "unknown-key", "unknown key `{key}`", severity=severity)
        made += [Finding(Diagnostic(code, at(source, Span(0, 1)), {"key": f"{severity}{i}"})) for i in range(count)]
    return [Result("a.json", tuple(made[: most // 2])), Result("b.json", tuple(made[most // 2 :]))]


@pytest.mark.parametrize("most", [500, pytest.param(25_000, marks=pytest.mark.full)])
def test_the_gravest_findings_are_kept(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif.MOST == 25_000
    monkeypatch.setattr(sarif, "MOST", most)
    run = run_of(crowded(most))
    levels = [row["level"] for row in run["results"]]
    assert levels == ["error"] * 10 + ["warning"] * 10 + ["note"] * (most - 20)
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith("20 findings are left out")
    assert [row["message"]["text"] for row in run["results"][:2]] == ["unknown key `error0`", "unknown key `error1`"]
    assert run["results"][-1]["message"]["text"] == f"unknown key `note{most - 21}`"
    assert len(gzip.compress(FORMATS["sarif"](crowded(most)).encode())) < 10_000_000, "GitHub takes no more"


def test_nothing_is_left_out_of_as_many_as_a_run_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST", 520)
    run = run_of(crowded(500))
    assert len(run["results"]) == 520
    assert run["results"][0]["level"] == "note", "in the order of the files"
    assert run["invocations"] == [{"executionSuccessful": True}]


WRONG: dict[str, Callable[[Json], object]] = {
    "version": lambda log: log.update(version="2.0.0"),
    "no runs": lambda log: log.update(runs=[]),
    "a key of ours": lambda log: result(log).update(code="NN201"),
    "no location": lambda log: result(log).update(locations=[]),
    "level": lambda log: result(log).update(level="hint"),
    "brace": lambda log: result(log)["message"].update(text="in {0}"),
    "column 0": lambda log: place(log)["region"].update(startColumn=0),
    "no end": lambda log: place(log)["region"].pop("endColumn"),
    "space in a URI": lambda log: place(log)["artifactLocation"].update(uri="a b.json"),
    "scheme in a relative URI": lambda log: place(log)["artifactLocation"].update(uri="c:a.json"),
    "absolute with a base": lambda log: place(log)["artifactLocation"].update(uri="file:///a.json"),
    "no fingerprint": lambda log: result(log).update(partialFingerprints={}),
    "fix of nothing": lambda log: result(log)["fixes"][0].update(artifactChanges=[]),
    "rule without help": lambda log: log["runs"][0]["tool"]["driver"]["rules"][0].pop("help"),
    "tags twice": lambda log: log["runs"][0]["tool"]["driver"]["rules"][0]["properties"].update(tags=["a", "a"]),
    "columnKind": lambda log: log["runs"][0].update(columnKind="bytes"),
}


def result(log: Json) -> Json:
    """The first result of a log."""
    return log["runs"][0]["results"][0]


def place(log: Json) -> Json:
    """The place of the first result of a log."""
    return result(log)["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("case", WRONG)
def test_the_schema_finds_what_is_wrong(case: str) -> None:
    log = copy.deepcopy(log_of(SMALL))
    WRONG[case](log)
    assert not VALIDATOR.is_valid(log)


def test_titles_of_fixes_are_safe_to_print() -> None:
    for row, made in zip(run_of(hostile())["results"][::3], hostile(), strict=True):
        fix = made.findings[0].fix
        assert fix is not None
        title = row["fixes"][0]["description"]["text"]
        assert title.isprintable() and len(title) >= len(printable(fix.title))
