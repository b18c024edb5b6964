"""Findings: how they are collected, stopped on, put in order and printed without being able to fake output."""

from __future__ import annotations

import pytest

from nnlang.codes import catalogue
from nnlang.codes.names import UNKNOWN_LAYER
from nnlang.codes.syntax import BYTE_ORDER_MARK, CANNOT_READ, TOO_LARGE
from nnlang.diagnostics import (
    DATA,
    USAGE,
    Code,
    Diagnostic,
    Place,
    Report,
    Stop,
    at,
    bytes_text,
    printable,
    render,
    stop,
)
from nnlang.source import Source, Span

SOURCE = Source("net.json", 'first\n  "Source": "Hiden"\n')


def _unknown(start: int = 18, end: int = 25) -> Diagnostic:
    return Diagnostic(UNKNOWN_LAYER, at(SOURCE, Span(start, end)), {"name": "Hiden", "names": "`Hidden`"})


def test_render() -> None:
    assert render([_unknown()]).splitlines() == [
        "error[NN301]: layer `Hiden` is not defined",
        "  --> net.json:2:13",
        "   |",
        ' 2 |   "Source": "Hiden"',
        "   |             ^^^^^^^ no layer has this name",
        "   |",
        "  = help: define it, or use one of `Hidden`",
    ]


def test_a_better_remedy_replaces_that_of_the_catalogue() -> None:
    better = Diagnostic(UNKNOWN_LAYER, None, {"name": "x", "names": "y"}, "use `z`")
    assert render([better]).splitlines() == ["error[NN301]: layer `x` is not defined", "  = help: use `z`"]


def test_a_place_in_a_file_without_a_text() -> None:
    found = Diagnostic(CANNOT_READ, Place("in.nc", line=3, part="variable index"), {"path": "in.nc", "reason": "no"})
    assert "  --> in.nc:3 (variable index)" in render([found])


def test_long_lines_are_shown_around_the_place() -> None:
    source = Source("x", " " * 500_000 + '"here"' + " " * 500_000)
    lines = render([Diagnostic(UNKNOWN_LAYER, at(source, Span(500_000, 500_006)), {"name": "", "names": ""})]).split(
        "\n"
    )
    assert max(map(len, lines)) < 150
    assert lines[3].index('"here"') == lines[4].index("^^^^^^")


def test_names_cannot_fake_output() -> None:
    assert printable("a\nerror[\u202e\x1b[31m]") == "a\\u000aerror[\\u202e\\u001b[31m]"
    found = Diagnostic(UNKNOWN_LAYER, None, {"name": "x\nerror: forged", "names": "\x1b[2J"})
    assert render([found]).count("\n") == 1
    assert "\x1b" not in render([found])


def test_findings_stand_in_the_order_of_their_places() -> None:
    report = Report()
    for start in (20, 3, 12):
        report(UNKNOWN_LAYER, at(SOURCE, Span(start, start + 1)), name=start, names="")
    report(CANNOT_READ, path="", reason="")
    assert [d.facts.get("name") for d in report.sorted()] == [None, 3, 12, 20]


def test_only_errors_stop() -> None:
    report = Report()
    report(BYTE_ORDER_MARK)
    report.check()
    report(TOO_LARGE, limit=1)
    with pytest.raises(Stop) as stopped:
        report.check()
    assert stopped.value.exit_code == USAGE
    assert len(stopped.value.diagnostics) == 2


def test_the_first_error_gives_the_exit_code() -> None:
    code = Code("NN499", "test", "message", severity="error", exit=DATA)
    assert stop(code).exit_code == DATA
    assert Stop(Diagnostic(BYTE_ORDER_MARK)).exit_code == USAGE


def test_rows_of_the_language_have_names_of_their_own() -> None:
    rows = [row for code, row in catalogue().items() if code < "NN450" or "NN500" <= code < "NN700"]
    assert len({row.name for row in rows}) == len(rows)


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e12, "2000.0 GB")])
def test_sizes_for_people(size: float, text: str) -> None:
    assert bytes_text(size) == text
