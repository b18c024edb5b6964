"""`nnlang lint` through the real command line: which files, which findings, how they are told, exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.linting.config import FORMS
from nnlang.linting.files import PassedOver, definitions
from nnlang.linting.formats import FORMATS
from tests.linted import BAD, GOOD, NOTED, WARNED, lint, put

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def names(*paths: str, exclude: tuple[str, ...] = (), folder: str = ".") -> list[str]:
    return [path.as_posix() for path in definitions(paths, PassedOver(exclude, folder))]


# Which files


def test_which_files_are_meant() -> None:
    for name in ("a/x.json", "a/b/y.lndl", "a/b/z.txt", "a/.h.json", ".git/q.json", "a/b-c.json", "top.JSON"):
        put(name)
    everything = ["a/b/y.lndl", "a/b-c.json", "a/x.json", "top.JSON"]
    assert names(".") == everything
    assert names("a", "a/x.json", "./a/x.json") == ["a/b/y.lndl", "a/b-c.json", "a/x.json"]
    assert names("a/**/*.json") == ["a/b-c.json", "a/x.json"]
    assert names("a/**/**") == ["a/b/y.lndl", "a/b/z.txt", "a/b-c.json", "a/x.json"]
    assert names("a/*") == ["a/b/y.lndl", "a/b-c.json", "a/x.json"]
    assert names("a/.h*", "**/*.txt", "-") == ["-", "a/.h.json", "a/b/z.txt"]
    assert names("x\0.json") == ["x\0.json"]
    assert names("a/b/z.txt", "none.json") == ["a/b/z.txt", "none.json"]
    assert names(".", exclude=("b/",)) == ["a/b-c.json", "a/x.json", "top.JSON"]
    assert names(".", exclude=("a",)) == ["top.JSON"]
    assert names("a/x.json", exclude=("a",)) == ["a/x.json"]  # named is named
    assert names("a/**/*.json", exclude=("*x*",)) == ["a/b-c.json"]


def test_names_with_signs_of_globs_are_names() -> None:
    put("a[1].json")
    put("*.json")
    assert names("a[1].json", "*.json") == ["*.json", "a[1].json"]


def test_links_are_followed_once_and_loops_end() -> None:
    put("a/x.json")
    for link, target in (("a/loop", "."), ("a/self.json", "self.json"), ("a/again.json", "x.json"), ("b", "a")):
        Path(link).symlink_to(target)
    assert names("a") == ["a/self.json", "a/x.json"]
    assert names("b") == ["b/self.json", "b/x.json"]
    assert names("a/**/*.json") == ["a/self.json", "a/x.json"]
    assert names("a/again.json", "a") == ["a/again.json", "a/self.json"]
    assert lint("a") == 1  # a link to itself cannot be read


def test_deep_folders_are_walked() -> None:
    depth = 150
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    put("x.json")
    for _ in range(depth):
        os.chdir("..")
    assert len(names("d")) == len(names("d/**/x.json")) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["empty"], "no file *.json or *.lndl in `empty`"),
        (["none/*.json"], "no file matches `none/*.json`"),
        (["nets", "--exclude", "nets/"], "that `exclude` does not pass over"),
    ],
)
def test_nothing_to_look_at_is_wrong_usage(words: list[str], reason: str, capsys: Capture) -> None:
    Path("empty").mkdir()
    put("nets/x.json")
    assert lint(*words) == 2
    assert reason in capsys.readouterr().err


def test_what_cannot_be_read_is_a_finding(capsys: Capture) -> None:
    os.mkfifo("pipe.json")
    Path("dir.json").mkdir()
    put("dir.json/x.json")
    put("latin.json").write_bytes(b'{"a": "\xe9"}')
    put("large.json", " " * 1_000_001)
    assert lint("pipe.json", "latin.json", "large.json", "none.json", "n" * 300, "/dev/null") == 1
    told = capsys.readouterr()
    assert [told.out.count(f"[{code}]") for code in ("NN101", "NN102", "NN103")] == [4, 1, 1]
    assert "6 files checked: 6 errors" in told.out


def test_hostile_names_of_files(capsys: Capture) -> None:
    hostile = ["a\nb.json", "\x1b[2J.json", "\u202egnp.json", "::error::x.json", "%s{0}.json", '"q".json', "]]>.json"]
    for name in hostile:
        put(name, BAD)
    raw = os.fsdecode(b"\xff.json")
    put(raw, BAD)
    for form in FORMS:
        assert lint(".", "--output-format", form) == 1
        told = capsys.readouterr()
        assert "\x1b" not in told.out + told.err
        assert "\u202e" not in told.out + told.err
    assert lint(".", "--fix") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_set_of_data_is_unused_where_no_file_reads_it(capsys: Capture) -> None:
    other = GOOD.replace("gl_input", "other_input")
    put("a.json", GOOD)
    put("b.json", other)
    put("job.json", '{ "Version": 1, "Network": "a.json", "Command": "Predict", "Data": ["gl_input.nc"] }')
    widths = [word for name in ("gl_input", "gl_output", "other_input") for word in ("--width", f"{name}=30000")]
    assert lint(".", *widths, "--select", "NN524") == 0
    assert lint(".", *widths, "--width", "none=3", "--select", "NN524") == 1
    told = capsys.readouterr().out
    assert told.count("[NN524]: no layer reads data set `none`") == told.count("[NN524]") == 1
    assert lint("a.json", *widths, "--select", "NN524") == 1
    assert "no layer reads data set `other_input`" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["lint", "x.json", "-o", "/dev/full"], ["schema", "-o", "/dev/full"]])
def test_devices_are_not_written(words: list[str], capsys: Capture) -> None:
    put("x.json")
    assert run_command(words) == 7
    assert "error[NN716]: `/dev/full` cannot be written" in capsys.readouterr().err


# Standard input


def test_standard_input_has_a_name(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    type_in(monkeypatch, BAD)
    assert lint("-", "--stdin-filename", "old/net.json") == 1
    assert "--> old/net.json:3:" in capsys.readouterr().out
    type_in(monkeypatch, BAD)
    assert lint("-", "--stdin-filename", "old/net.json", "--per-file-ignores", "old/*:NN2") == 0
    type_in(monkeypatch, "\xff")
    assert lint("-", "--json") == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["file"] == "<stdin>"


def test_standard_input_is_mended_to_standard_output(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    type_in(monkeypatch, BAD)
    assert lint("-", "--fix") == 0
    told = capsys.readouterr()
    assert told.out == BAD.replace("Activaton", "Activation")
    assert "mended <stdin>: NN201 unknown-key\n1 file checked: nothing to say" in told.err
    type_in(monkeypatch, GOOD)
    assert lint("-", "--fix") == 0
    assert capsys.readouterr().out == GOOD


# Which findings


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {"NN201", "NN502", "NN520"}),
        (["--select", "NN2"], {"NN201"}),
        (["--select", "NN2,NN520"], {"NN201", "NN520"}),
        (["--select", "NN2", "--select", "NN520"], {"NN201", "NN520"}),
        (["--ignore", "NN5"], {"NN201"}),
        (["--ignore", "NN5", "--extend-select", "NN502"], {"NN201", "NN502"}),
        (["--per-file-ignores", "noted.json:NN520", "--per-file-ignores", "w*:NN2,NN502"], {"NN201"}),
        (["--per-file-ignores", "*.json:NN"], set()),
    ],
)
def test_codes_are_chosen_by_prefix(words: list[str], found: set[str], capsys: Capture) -> None:
    put("bad.json", BAD)
    put("warned.json", WARNED)
    put("noted.json", NOTED)
    assert lint("bad.json", "warned.json", "noted.json", "--json", *words) == bool(found)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["code"] for row in rows} & {"NN201", "NN502", "NN520"} == found


@pytest.mark.parametrize(
    ("text", "level", "code"),
    [
        (BAD, None, 1), (BAD, "error", 1), (WARNED, None, 1), (WARNED, "error", 0), (WARNED, "warning", 1),
        (NOTED, None, 0), (NOTED, "warning", 0), (NOTED, "note", 1), (GOOD, "note", 0), ("{", "error", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_no_form_changes_the_exit_code(text: str, level: str | None, code: int, form: str, capsys: Capture) -> None:
    put("x.json", text)
    words = ["--select", "NN1,NN2,NN502,NN520", *(["--fail-level", level] if level else [])]
    assert lint("x.json", "--output-format", form, *words) == code
    assert lint("x.json", "--output-format", form, *words, "-o", "out") == code
    assert Path("out").exists()


def test_forms_are_those_that_there_are() -> None:
    assert set(FORMS) == {"text", *FORMATS}


def test_what_cannot_be_read_is_never_left_out() -> None:
    put("x.json", "{")
    assert lint("x.json", "--per-file-ignores", "*:NN", "--ignore", "NN", "--select", "NN5") == 1


def test_suppressions_count(capsys: Capture) -> None:
    put("x.json", BAD.replace('"Relu"', '"Relu" // nnlang: ignore[NN201] later\n'))
    assert lint("x.json") == 0
    put("x.json", GOOD.replace("] }", "] } // nnlang: ignore[NN201] later"))
    assert lint("x.json", "--per-file-ignores", "x.json:NN530") == 0
    assert lint("x.json") == 1
    assert "[NN530]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--select", "NN5O2"], "error[NN774]: --select names `NN5O2`, but no code begins so"),
        (["--select", "NN5O2"], "did you mean `NN502`?"),
        (["--ignore", "unknwn-key"], "did you mean `unknown-key`?"),
        (["--ignore", "NN9"], "error[NN774]"),
        (["--extend-select", ""], "error[NN774]"),
        (["--per-file-ignores", "NN5"], "error[NN703]: --per-file-ignores cannot be `NN5`: it takes GLOB:CODES"),
        (["--per-file-ignores", "x:NN9"], "error[NN774]"),
        (["--fail-level", "eror"], 'give "error"'),
        (["--output-format", "jsno"], 'give "json"'),
        (["--gpu-memory", "24 apples"], 'give a size such as "24GB", "80GiB" or "512MB"'),
        (["--gpu-memory", "0"], "error[NN703]: --gpu-memory cannot be `0`"),
        (["-b", "0"], "error[NN703]: -b cannot be `0`"),
        (["-b", "x"], "error[NN703]"),
        (["--width", "gl_input"], "error[NN703]: --width cannot be `gl_input`"),
        (["--fix", "--diff"], "error[NN707]: --fix and --diff exclude each other"),
        (["--json", "--output-format", "sarif"], "error[NN707]"),
        (["--statistics", "--json"], "error[NN707]"),
        (["--config", "x.toml", "--no-config"], "error[NN707]"),
        (["--diff", "--update-baseline", "--baseline", "b"], "error[NN707]"),
        (["--unsafe-fixes"], "give one of them"),
        (["--update-baseline"], "--update-baseline needs to know the file"),
        (["--diff", "--json"], "write the findings to a file, -o FILE"),
        (["--baseline", "none.json"], "nnlang lint x.json --baseline none.json --update-baseline"),
        (["-o", "x.json"], "error[NN703]: -o cannot be `x.json`: it is one of the definitions to check"),
        (["--baseline", "x.json", "--update-baseline"], "error[NN776]"),
        (["--baseline", "b", "--update-baseline", "-o", "./b"], "it is the file of -o"),
        (["--selct", "NN5"], "did you mean `--select`?"),
    ],
)
def test_wrong_usage(words: list[str], told: str, capsys: Capture) -> None:
    put("x.json")
    assert lint("x.json", *words) == 2
    found = capsys.readouterr()
    assert told in found.err
    assert not found.out
    assert Path("x.json").read_text() == GOOD


def test_sizes_come_from_data_and_flags(capsys: Capture) -> None:
    put("x.json")
    widths = ["--width", "gl_input=30000", "--width", "gl_output=30000"]
    assert lint("x.json", "--gpu-memory", "24GB", "--no-config", *widths) == 0
    assert lint("x.json", "--gpu-memory", "24MB", *widths, "-b", "512") == 1
    assert "error[NN430]: training needs" in capsys.readouterr().out
    assert lint("x.json", "--gpu-memory", "24GB") == 0
    assert "note[NN431]" in capsys.readouterr().out
    assert lint("x.json", "--data", "none.nc") == 3
    assert "NN710" in capsys.readouterr().err


def test_plain_json_is_asked_for() -> None:
    put("x.json", "// a comment\n" + GOOD)
    assert lint("x.json") == 0
    assert lint("x.json", "--strict-json") == 1


# Telling


def test_summary_counts_and_says_what_is_next(capsys: Capture) -> None:
    put("bad.json", BAD)
    put("warned.json", WARNED)
    put("noted.json", NOTED)
    assert lint(".", "--select", "NN201,NN502,NN520") == 1
    told = capsys.readouterr()
    assert told.out.startswith("error[NN201]")
    assert told.out.endswith(
        "\n\n3 files checked: 1 error, 1 warning, 1 note; 1 can be mended by --fix\n"
        "`nnlang explain NN201` says more about unknown-key\n"
    )
    assert not told.err
    assert "\x1b" not in told.out


def test_findings_go_to_a_file(capsys: Capture) -> None:
    put("x.json", BAD)
    assert lint("x.json", "-o", "out.txt") == 1
    told = capsys.readouterr()
    assert not told.err
    assert "1 file checked: 1 error" in told.out
    assert Path("out.txt").read_text().startswith("error[NN201]: unknown key")
    assert lint("x.json", "-o", "none/out.txt") == 7
    assert "NN715" in capsys.readouterr().err


def test_statistics(capsys: Capture) -> None:
    put("a.json", BAD)
    put("b.json", BAD)
    put("c.json", NOTED)
    assert lint(".", "--statistics", "--select", "NN201,NN520") == 1
    told = capsys.readouterr()
    assert not told.err
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[:3] == [
        ["code", "name", "count", "mended", "by"],
        ["NN201", "unknown-key", "2", "--fix"],
        ["NN520", "small-layer", "1"],
    ]


def test_hooks_for_others_name_commands_that_there_are() -> None:
    text = (Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"^  entry: nnlang (\w+)$", text, re.MULTILINE)
    assert entries == ["lint", "format"]
    assert re.findall(r"^- id: nnlang-(\w+)$", text, re.MULTILINE) == entries
    for entry in entries:
        assert run_command([entry, "--help"]) == 0
