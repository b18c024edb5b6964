"""`[tool.nnlang.lint]`: which file is read, every key, what flags do to it, and files with mistakes or malice."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.linting.config import KEYS, UnfitError, size
from nnlang.linting.settings import over
from tests.linted import BAD, GOOD, NOTED, WARNED, put

Capture = pytest.CaptureFixture[str]
WIDE = ["--width", "gl_input=30000", "--width", "gl_output=30000"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"bad.json": BAD, "warned.json": WARNED, "noted.json": NOTED, "good.json": GOOD}.items():
        put(name, text)
    return tmp_path


def found(capsys: Capture, *words: str) -> set[str]:
    """The codes that are found, of those that the three definitions were written for."""
    capsys.readouterr()
    assert run_command(["lint", "--output-format", "json", *words]) in (0, 1)
    rows = json.loads(capsys.readouterr().out)
    return {row["code"] for row in rows} & {"NN201", "NN502", "NN520"}


def lint_table(*lines: str, name: str = "nnlang.toml") -> None:
    head = "[lint]" if name == "nnlang.toml" else "[tool.nnlang.lint]"
    put(name, "\n".join((head, *lines)) + "\n")


# Which file


def test_the_nearest_file_counts(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    lint_table('ignore = ["NN"]', name="pyproject.toml")
    assert found(capsys, ".") == set()
    put("inner/x.json", BAD)
    put("inner/pyproject.toml", '[project]\nname = "nnlang-nets"\n')  # passed over: it has no table
    monkeypatch.chdir("inner")
    assert found(capsys, ".") == set()
    put("pyproject.toml", "[tool.nnlang.lint]\n")
    assert found(capsys, ".") == {"NN201"}
    lint_table('ignore = ["NN2"]')
    assert found(capsys, ".") == set()  # nnlang.toml before pyproject.toml
    assert found(capsys, ".", "--no-config") == {"NN201"}
    assert found(capsys, ".", "--config", "pyproject.toml") == {"NN201"}


def test_another_projects_broken_file_is_no_matter(capsys: Capture) -> None:
    put("pyproject.toml", "[tool.other\n")
    assert found(capsys, "bad.json") == {"NN201"}
    put("pyproject.toml", "[tool.nnlang\n")
    assert run_command(["lint", "bad.json"]) == 2


def test_a_missing_configuration_is_wrong_usage(capsys: Capture) -> None:
    assert run_command(["lint", "bad.json", "--config", "none.toml"]) == 2
    assert "error[NN771]: the configuration `none.toml` cannot be used" in capsys.readouterr().err


# Each key


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ('select = ["NN2"]', {"NN201"}),
        ('select = ["nn201"]', {"NN201"}),
        ('ignore = ["unknown-key", "nn5"]', set()),
        ('ignore = ["NN5"]', {"NN201"}),
        ('ignore = ["NN5"]\nextend-select = ["NN502"]', {"NN201", "NN502"}),
        ('per-file-ignores = { "noted.json" = ["NN5"], "w*" = ["NN502"] }', {"NN201"}),
        ('[lint.per-file-ignores]\n"*.json" = ["NN"]', set()),
        ('exclude = ["bad.json", "w*"]', {"NN520"}),
        ('severity = { NN520 = "error" }', {"NN201", "NN502", "NN520"}),
    ],
)
def test_keys_that_choose(line: str, codes: set[str], capsys: Capture) -> None:
    lint_table(line)
    assert found(capsys, ".") == codes


@pytest.mark.parametrize(
    ("lines", "words", "code"),
    [
        ('severity = { NN5 = "error" }', ["noted.json"], 1),
        ('severity = { NN5 = "error", NN520 = "note" }', ["noted.json"], 0),
        ('severity = { NN201 = "note" }', ["bad.json"], 0),
        ('fail-level = "error"', ["warned.json"], 0),
        ('fail-level = "error"', ["warned.json", "--fail-level", "warning"], 1),
        ('fail-level = "note"', ["noted.json"], 1),
        ("strict-json = true", ["comment.json"], 1),
        ("strict-json = false", ["comment.json"], 0),
        ('gpu-memory = "24MB"', ["good.json", *WIDE], 1),
        ("gpu-memory = 24000000", ["good.json", *WIDE], 1),
        ('gpu-memory = "24MB"', ["good.json", *WIDE, "--gpu-memory", "24GB"], 0),
        ('gpu-memory = "200MB"\nbatch = 1', ["good.json", *WIDE], 0),
        ('gpu-memory = "200MB"\nbatch = 16384', ["good.json", *WIDE], 1),
        ('gpu-memory = "200MB"\nbatch = 16384', ["good.json", *WIDE, "-b", "1"], 0),
        ('data = ["none.nc"]', ["good.json"], 3),
        ('baseline = "none.json"', ["good.json"], 2),
    ],
)
def test_keys_that_decide(lines: str, words: list[str], code: int) -> None:
    put("comment.json", "// words\n" + GOOD)
    lint_table(*lines.split("\n"))
    assert run_command(["lint", *words]) == code


def test_form_and_baseline_are_relative_to_the_file(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    lint_table('output-format = "github"', 'baseline = "known.json"')
    assert run_command(["lint", "bad.json", "--update-baseline"]) == 0
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    assert run_command(["lint", "../bad.json"]) == 0
    assert run_command(["lint", "../bad.json", "../warned.json"]) == 1
    assert capsys.readouterr().out.count("::") == 2
    assert run_command(["lint", "../bad.json", "--output-format", "text"]) == 0
    assert "known finding in ../known.json" in capsys.readouterr().out


def test_globs_are_seen_from_the_folder_of_the_file(
    capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("build/pp/nets/old/bad.json", BAD)
    put("build/pp/nets/new/bad.json", BAD)
    root = here / "build/pp"
    monkeypatch.chdir(root)
    lint_table('exclude = ["nets/old"]', 'per-file-ignores = { "nets/new/*" = ["NN2"] }')
    for folder, words in ((".", "."), ("nets", "."), ("nets/old", ".."), (".", str(root)), ("nets", str(root))):
        monkeypatch.chdir(root / folder)
        assert found(capsys, words) == set(), (folder, words)
        assert found(capsys, words, "--exclude", "none") == {"NN201"}, (folder, words)
    monkeypatch.chdir(root / "nets")
    assert found(capsys, ".", "--exclude", "nets/old", "--per-file-ignores", "x:NN5") == {"NN201"}  # from here
    assert found(capsys, ".", "--exclude", "old", "--per-file-ignores", "new/*:NN201") == set()
    monkeypatch.chdir(root)
    lint_table('exclude = ["*/build/*"]', 'per-file-ignores = { "*/build/*" = ["NN2"] }')
    assert found(capsys, str(root)) == {"NN201"}  # a folder above the file's own is nothing to it


# Flags and file


@pytest.mark.parametrize(
    ("file", "flags", "taken", "refused"),
    [
        ({"select": ("NN5",)}, {"select": ("NN2",)}, ["NN201"], ["NN502"]),
        ({"ignore": ("NN5",)}, {"select": ("NN5",)}, ["NN502"], ["NN201"]),
        ({"ignore": ("NN5",)}, {"ignore": ("NN2",)}, ["NN301"], ["NN502", "NN201"]),
        ({"ignore": ("NN502",)}, {"extend-select": ("NN5",)}, ["NN502", "NN301"], []),
        ({"ignore": ("NN502",)}, {"extend-select": ("NN502",)}, ["NN502"], []),
        ({"ignore": ("NN5",)}, {"extend-select": ("NN502",)}, ["NN502"], ["NN503"]),
        ({"select": ("NN502", "NN3")}, {"ignore": ("NN5",)}, ["NN301"], ["NN502", "NN201"]),
        ({"extend-select": ("NN502",)}, {"ignore": ("NN5",)}, ["NN301"], ["NN502"]),
        ({"extend-select": ("NN5",)}, {"select": ("NN2",), "extend-select": ("NN3",)}, ["NN201", "NN301"], ["NN502"]),
        ({"ignore": ("NN5",)}, {}, ["NN201"], ["NN502"]),
    ],
)
def test_flags_go_on_from_the_file_as_help_says(
    file: dict[str, object], flags: dict[str, object], taken: list[str], refused: list[str]
) -> None:
    settings = over(file, flags)
    assert [code for code in taken if not settings.takes(code)] == []
    assert [code for code in refused if settings.takes(code)] == []


def test_other_flags_replace_their_keys() -> None:
    file = {"per-file-ignores": {"a": ("NN5",)}, "exclude": ("a",), "gpu-memory": 1, "batch": 2}
    settings = over(file, {"per-file-ignores": {"b": ("NN2",)}, "exclude": ("b",), "gpu-memory": 3, "batch": 4})
    assert settings.per_file_ignores == {"b": ("NN2",)}
    assert (settings.exclude, settings.memory, settings.batch) == (("b",), 3, 4)


# Mistakes


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('ingore = ["NN5"]', ["[NN772]", "nnlang.toml:2:1", "did you mean `ignore`?"]),
        ('[lint.sevrity]\nNN5 = "note"', ["[NN772]", "nnlang.toml:2:7", "did you mean `severity`?"]),
        ('select = "NN5"', ["[NN773]", "`select` cannot be `NN5`: it is no list", "nnlang.toml:2:10"]),
        ('select = ["NN5", 5]', ["[NN773]", "`select` cannot be `5`: it is no text", "nnlang.toml:2:1"]),
        ('select = [\n "NN5",\n "NN5O2"]', ["[NN774]", "nnlang.toml:4:2", "did you mean `NN502`?"]),
        ('ignore = ["unused-layr"]', ["[NN774]", "did you mean `unused-layer`?"]),
        ('fail-level = "none"', ["[NN773]", 'write "error", the highest']),
        ("gpu-memory = 24", ["[NN773]", 'write "24GB"']),
        ("extend-select = [[]]", ["[NN773]"]),
        ('severity = ["NN5"]', ["[NN773]", "it is no table"]),
        ('severity = { NN502 = "eror" }', ["[NN773]", 'write "error"', "nnlang.toml:2:22"]),
        ('severity = { NN9 = "error" }', ["[NN774]", "nnlang.toml:2:14"]),
        ('per-file-ignores = ["a:NN5"]', ["[NN773]", "it is no table"]),
        ('per-file-ignores = { "a" = "NN5" }', ["[NN773]", "it is no list"]),
        ('exclude = "old"', ["[NN773]", 'a list of globs, such as ["old/*"]']),
        ('exclude = [""]', ["[NN773]", "it is empty"]),
        ('gpu-memory = "lots"', ["[NN773]", "it is no amount of memory", "nnlang.toml:2:14"]),
        ("gpu-memory = -1", ["[NN773]"]),
        ("gpu-memory = true", ["[NN773]"]),
        ("batch = 0", ["[NN773]", "from 1 to 2147483647"]),
        ('batch = "256"', ["[NN773]"]),
        ("batch = true", ["[NN773]"]),
        ('strict-json = "yes"', ["[NN773]", "write true or false"]),
        ('fail-level = "never"', ["[NN773]", "it takes error, warning, note"]),
        ('output-format = "sarfi"', ["[NN773]", 'write "sarif"']),
        ("baseline = 3", ["[NN773]", "no name of a file"]),
        ('data = "gl.nc"', ["[NN773]", "a list of paths"]),
        ("data = [1]", ["[NN773]"]),
        ("select = [", ["[NN771]", "it is no TOML", "--no-config"]),
        ('select = ["NN5"]\nselect = []', ["[NN771]", "nnlang.toml:3:"]),
    ],
)
def test_mistakes_are_told_with_their_places(line: str, told: list[str], capsys: Capture) -> None:
    lint_table(line)
    assert run_command(["lint", "good.json"]) == 2
    out = capsys.readouterr()
    assert [words for words in told if words not in out.err] == []
    assert not out.out


def test_all_mistakes_are_told_at_once(capsys: Capture) -> None:
    lint_table("batch = 0", 'ingore = ["NN5"]', 'select = ["NN9"]')
    assert run_command(["lint", "good.json"]) == 2
    assert capsys.readouterr().err.count("error[") == 3


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("nnlang.toml", 'select = ["NN5"]', "`nnlang.toml` has no key `select`"),
        ("nnlang.toml", "[lnit]", "did you mean `lint`?"),
        ("nnlang.toml", "lint = 3", "`[lint]` is no table"),
        ("pyproject.toml", "[tool.nnlang.lnit]", "did you mean `lint`?"),
        ("pyproject.toml", '[tool.nnlang]\nselect = ["NN5"]', "write it under [tool.nnlang.lint]"),
        ("pyproject.toml", "[tool]\nnnlang = 3", "`[tool.nnlang]` is no table"),
    ],
)
def test_keys_at_the_wrong_place(name: str, text: str, told: str, capsys: Capture) -> None:
    put(name, text)
    assert run_command(["lint", "good.json"]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "[lint]\n" + "a." * 100_000 + "a = 1",
        "[lint]\nselect = " + "[" * 100_000,
        "[lint]\nbatch = " + "9" * 100_000,
        "[lint]\nbatch = 0x" + "F" * 100_000,
        "[lint]\nselect = " + "{a=" * 1_000 + "1" + "}" * 1_000,
        "[lint]\n" + "a.b.c.d.e.f.g.h = 1\n[lint.x." + "y." * 60 + "z]",
        "[lint]\n" + "".join(f"k{i} = 1\n" for i in range(20_000)),
        "a" * 200_000 + " = 1",
        "[lint]\n\x1b[2J = 1",
        '[lint]\n"\\u001b[2J" = 1',
        '[lint]\n"{x}" = 1\n"%s" = 1',
        '[lint]\ndata = ["a\\u0000b"]',
        '[lint]\nselect = ["NN5\\u202e"]',
        "x" * 1_000_001,
        "\x00",
        "\ufeff[lint]",
    ],
)
def test_hostile_configurations_end_in_a_diagnostic(text: str, capsys: Capture) -> None:
    put("nnlang.toml", text)
    began = time.process_time()
    assert run_command(["lint", "good.json"]) == 2
    assert time.process_time() - began < 5
    told = capsys.readouterr().err
    assert told.startswith("error[NN77")
    assert "\x1b" not in told and "\u202e" not in told and len(told) < 20_000


def test_what_is_no_plain_file_is_no_configuration(capsys: Capture) -> None:
    os.mkfifo("nnlang.toml")
    Path("pyproject.toml").mkdir()
    assert found(capsys, "bad.json") == {"NN201"}
    assert run_command(["lint", "bad.json", "--config", "nnlang.toml"]) == 2


def test_every_key_is_described_in_help(capsys: Capture) -> None:
    run_command(["lint", "--help"])
    told = "".join(capsys.readouterr().out.split())
    assert [key for key in KEYS if key not in told] == []


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("24GB", 24_000_000_000), ("24GiB", 24 * 2**30), ("80G", 80_000_000_000), ("512MB", 512_000_000),
        ("24gb", 24_000_000_000), ("1.5 GB", 1_500_000_000), ("16 Gi", 2**34), ("1000000", 10**6), ("7B", 7),
        ("2TB", 2 * 10**12), ("64kB", 64_000), (24_000_000, 24_000_000),
    ],
)  # fmt: skip
def test_sizes(text: object, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize(
    "text",
    ["", "GB", "-1GB", "1e9", "24XB", "24GBs", "0", "0.1B", "9" * 19, True, 0, 2**63, 1.5, None, [], 24, "24", "8192"],
)
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UnfitError):
        size(text)
