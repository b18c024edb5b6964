"""`nnlang format`: the layout by goldens, what it must leave alone by properties, and the command."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from nnlang import formatter
from nnlang.cli import run_command
from nnlang.cli.demo import DEFINITION
from nnlang.cli.patch import patch
from nnlang.definition import check
from nnlang.diagnostics import Report
from nnlang.formatter import WIDTH, format_text
from nnlang.source import Source
from nnlang.syntax import DEFAULTS, read_source
from tests import layouts
from tests.conftest import Golden
from tests.definitions import definitions

GOLDEN = Path(__file__).parent / "format"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json"))
EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*/*.json"))


def formatted(text: str) -> str:
    """The text laid out; it must parse."""
    report = Report()
    found = format_text(Source("x.json", text), report)
    assert found is not None, [d.message for d in report.diagnostics]
    return found


@pytest.mark.parametrize("case", CASES)
def test_layouts_are_as_blessed(case: str, golden: Golden) -> None:
    text = formatted(read_source(GOLDEN / f"{case}.json").text)
    golden(GOLDEN / f"{case}.out", text)
    assert formatted(text) == text


def test_every_golden_has_its_text() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.out")) == CASES


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("case", CASES)
def test_line_ends_stay_and_a_byte_order_mark_goes_away(case: str, end: str) -> None:
    text = (GOLDEN / f"{case}.json").read_text(encoding="utf-8")
    found = formatted("\ufeff" + text.replace("\n", end))
    kept = end if end == "\r\n" and "\n" in text else "\n"  # a bare CR ends no line that anybody writes
    assert found.replace(kept, "\n") == (GOLDEN / f"{case}.out").read_text(encoding="utf-8")
    assert found.count("\n") == found.count(kept)
    assert formatted(found) == found


def test_all_lines_end_as_the_first() -> None:
    assert formatted('{\r\n"a":1,\n"b":2}') == '{\r\n  "a": 1,\r\n  "b": 2\r\n}\r\n'
    assert formatted('{\n"a":1,\r\n"b":2}') == '{\n  "a": 1,\n  "b": 2\n}\n'


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_mean_the_same_and_fit_the_width(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = formatted(text)
    before, after = (check(Source("x.json", t), need_shapes=False) for t in (text, found))
    assert after.network == before.network
    assert after.training == before.training
    assert [d.code for d in after.report.sorted()] == [d.code for d in before.report.sorted()]
    assert max(len(line) for line in found.split("\n")) <= WIDTH


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


def test_the_demo_is_laid_out() -> None:
    assert formatted(DEFINITION) == DEFINITION


def first_line_ends_in_crlf(text: str) -> bool:
    line, end, _ = text.partition("\n")
    return bool(end) and line.endswith("\r")


def properties(text: str) -> None:
    """What holds for every text that parses: stable, the same signs, each comment where it belongs."""
    found = formatted(text)
    assert formatted(found) == found
    if first_line_ends_in_crlf(text):
        assert found.count("\r\n") == found.count("\n")
        found = found.replace("\r\n", "\n")
    assert layouts.words(found) == layouts.words(text)
    assert layouts.attached(found) == layouts.attached(text)
    for before, after in zip(layouts.spoken_of(text), layouts.spoken_of(found), strict=True):
        assert not before or before == after  # what suppressed nothing may begin to
    assert "\r" not in found and "\n\n\n" not in layouts.without_comments(found)
    assert found.endswith("\n") and not found.endswith("\n\n") and found[0] not in " \n\ufeff"


def drawn(seed: int) -> str:
    """A text of a random tree, or a definition, with white space and comments anywhere."""
    random = Random(seed)
    suppressions = random.choice((0.0, 0.02, 0.3))
    if seed % 3:
        return layouts.drawn(random, suppressions)
    return layouts.respaced(random, json.dumps(definitions(random), ensure_ascii=False), suppressions)


def test_random_texts_keep_what_they_say() -> None:
    for seed in range(400):
        properties(drawn(seed))


def patched(text: str, lines: list[str]) -> str:
    """A text after a unified diff, line numbers and counts checked as `patch` does."""
    old, new, at = text.split("\n"), list[str](), 0
    for line in lines[2:]:
        if line.startswith("@@"):
            start, count, new_start, new_count = _numbers(line)
            skip = start - (count > 0)
            new += old[at:skip]
            at = skip
            assert len(new) == new_start - (new_count > 0)
        elif line.startswith("-") or line.startswith(" "):
            assert old[at] == line[1:]
            at += 1
        if line.startswith("+") or line.startswith(" "):
            new.append(line[1:])
    return "\n".join([*new, *old[at:]])


def _numbers(line: str) -> Iterator[int]:
    for extent in line.split()[1:3]:
        first, _, count = extent[1:].partition(",")
        yield from (int(first), int(count or 1))


def test_diffs_lead_from_one_text_to_the_other() -> None:
    for seed in range(300):
        text = drawn(seed).rstrip("\n") + "\n"
        found = formatted(text)
        lines = "".join(patch("x", text, found)).split("\n")[:-1]
        assert not any("No newline" in line for line in lines)
        assert patched(text, lines) == found
        assert list(patch("x", found, found)) == []


def test_a_diff_holds_what_changes_and_three_lines_around() -> None:
    text = "{\n" + "".join(f'  "k{i}":{" " * (i != 50)}{i},\n' for i in range(100)) + '  "z": 1\n}\n'
    assert "".join(patch("x", text, formatted(text))) == (
        '--- x\n+++ x\n@@ -49,7 +49,7 @@\n   "k47": 47,\n   "k48": 48,\n   "k49": 49,\n'
        '-  "k50":50,\n+  "k50": 50,\n   "k51": 51,\n   "k52": 52,\n   "k53": 53,\n'
    )


def test_a_diff_of_lines_much_alike_takes_no_time() -> None:
    rows = (("  " if i % 2 else "    ") + '{ "Name": "H" }' for i in range(10_000))
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    began = time.process_time()
    assert sum(line.startswith("-") for line in patch("x", text, text.replace("    ", "  "))) == 5_000 + 1
    assert time.process_time() - began < 1


def test_a_suppression_before_a_comma_is_stable() -> None:
    properties('{"a": 1\n// nnlang: ignore[NN5]\n,\n"b": /* two\nlines */ [1.5]}')


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_many_random_texts_keep_what_they_say() -> None:
    comments = 0
    for seed in range(1_000, 11_000):
        text = drawn(seed)
        properties(text)
        comments += len(layouts.attached(text))
    assert comments > 50_000


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_definitions_mean_what_they_meant() -> None:
    for seed in range(10_000):
        text = json.dumps(definitions(Random(seed)), ensure_ascii=False)
        if len(text) > 100_000:
            continue  # a list with a layer too many: laid out, it is larger than texts may be
        before, after = (check(Source("x.json", t), need_shapes=False) for t in (text, formatted(text)))
        assert after.network == before.network
        assert sorted(d.message for d in after.report.diagnostics) == sorted(
            d.message for d in before.report.diagnostics
        )


@pytest.mark.full
def test_a_megabyte_takes_less_than_five_seconds() -> None:
    layer = {"Name": "H", "Kind": "Hidden", "Type": "FullyConnected", "N": 128, "Activation": "Sigmoid", "Sparse": True}
    text = json.dumps({"Version": 0.8, "Name": "large", "Layers": [layer] * 8_300})
    assert len(text) > 900_000
    began = time.process_time()
    formatted(text)
    assert time.process_time() - began < 5


def test_what_does_not_parse_is_reported_where_it_stands() -> None:
    report = Report()
    assert format_text(Source("x.json", '\ufeff{\r\n  "a": 1\r\n  "b": tru }'), report) is None
    assert [str(d.place) for d in report.errors] == ["x.json:2:9", "x.json:3:8"]


@pytest.mark.parametrize(
    "text", ["", "  // nothing\n", "\ufeff\ufeff{}", '{"a": "b\rc"}', "{} {}", "# no\n{}", "{} /* open"]
)
def test_what_is_no_text_of_the_grammar_is_not_laid_out(text: str) -> None:
    report = Report()
    assert format_text(Source("x.json", text), report) is None
    assert report.errors


def test_a_text_that_would_grow_too_large_is_left_alone() -> None:
    text = json.dumps([{"a": 1}] * 10, separators=(",", ":"))
    size = len(formatted(text))
    assert format_text(Source("x", text), Report(), replace(DEFAULTS, size=size)) is not None
    report = Report()
    assert format_text(Source("x", text), report, replace(DEFAULTS, size=size - 1)) is None
    assert [d.code.code for d in report.errors] == ["NN103"]


def test_the_deepest_text_is_laid_out() -> None:
    properties('{"a":[' * 32 + "]}" * 32)
    properties("[" * 64 + "]" * 64)
    assert format_text(Source("x", "[" * 65 + "]" * 65), Report()) is None


LOSSES: dict[str, Callable[[str], str]] = {
    "a comment": lambda text: text.replace("// why", ""),
    "a comment's word": lambda text: text.replace("why", "how"),
    "the order of comments": lambda text: text.replace("why", "?").replace("ends", "why").replace("?", "ends"),
    "the spelling of a number": lambda text: text.replace("1.0", "1"),
    "a member": lambda text: text.replace('  "b": 2,\n', ""),
    "the order of members": lambda text: text.replace('"a"', "?").replace('"c"', '"a"').replace("?", '"c"'),
    "a bracket": lambda text: text.replace("[3]", "3"),
    "a comma": lambda text: text.replace("2,", "2"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_layout_that_loses_something_is_never_given(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"a": 1.0, // why\n"b": 2, "c": [3] // ends\n}'
    laid_out = formatter._laid_out
    assert LOSSES[loss](formatted(text)) != formatted(text)
    monkeypatch.setattr(formatter, "_laid_out", lambda *args: LOSSES[loss](laid_out(*args)))
    with pytest.raises(AssertionError, match="would change what it says"):
        formatted(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file to lay out and one that is; the current directory."""
    (tmp_path / "long.json").write_bytes(b'{"a":1, // \xd1\x8f\r\n"b":[1,2]}')
    (tmp_path / "neat.json").write_text('{\n  "a": 1\n}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


NEAT = '{\r\n  "a": 1, // я\r\n  "b": [1, 2]\r\n}\r\n'


def test_files_are_rewritten_in_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "long.json").chmod(0o640)
    untouched = (folder / "neat.json").stat().st_ino
    assert run_command(["format", "long.json", "neat.json"]) == 0
    assert (folder / "long.json").read_bytes() == NEAT.encode()
    assert stat.S_IMODE((folder / "long.json").stat().st_mode) == 0o640
    assert (folder / "neat.json").stat().st_ino == untouched
    assert sorted(path.name for path in folder.iterdir()) == ["long.json", "neat.json"]
    assert capsys.readouterr() == ("reformatted long.json\n1 file reformatted, 1 file unchanged\n", "")
    assert run_command(["format", "."]) == 0
    assert capsys.readouterr() == ("2 files unchanged\n", "")


def test_check_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "long.json").read_bytes()
    assert run_command(["format", ".", "--check"]) == 1
    told = "1 file would be reformatted, 1 file laid out already; `nnlang format .` does it"
    assert capsys.readouterr() == (f"would reformat long.json\n{told}\n", "")
    assert (folder / "long.json").read_bytes() == before
    assert run_command(["format", "neat.json", "--check"]) == 0
    assert capsys.readouterr() == ("1 file laid out already\n", "")


def test_diff_is_a_patch(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    before = (folder / "long.json").read_bytes()
    assert run_command(["format", "--diff", "long.json", "neat.json"]) == 1
    out, err = capsysbinary.readouterr()
    assert (folder / "long.json").read_bytes() == before
    assert out.decode() == (
        "--- long.json\n+++ long.json\n@@ -1,2 +1,4 @@\n"
        '-{"a":1, // я\r\n-"b":[1,2]}\n\\ No newline at end of file\n'
        '+{\r\n+  "a": 1, // я\r\n+  "b": [1, 2]\r\n+}\r\n'
    )
    assert err == b"1 file would be reformatted, 1 file laid out already; `nnlang format long.json neat.json` does it\n"
    assert run_command(["format", "--diff", "neat.json"]) == 0
    assert capsysbinary.readouterr().out == b""


def piped(*words: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "nnlang", "format", *words]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def test_standard_input_goes_to_standard_output(folder: Path) -> None:
    done = piped("-", text=(folder / "long.json").read_bytes())
    assert (done.returncode, done.stdout, done.stderr) == (0, NEAT.encode(), b"")
    done = piped("-", "--check", text=NEAT.encode())
    assert (done.returncode, done.stdout) == (0, b"")
    done = piped("-", "neat.json", text=b'{"a" 1}')
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"error[NN132]" in done.stderr and b"1 file unchanged, 1 file left alone" in done.stderr


def test_a_link_is_followed_and_stays(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "link.json").symlink_to("../long.json")
    assert run_command(["format", "inner/link.json"]) == 0
    assert (folder / "inner" / "link.json").is_symlink()
    assert not (folder / "long.json").is_symlink()
    assert (folder / "long.json").read_bytes() == NEAT.encode()


def test_files_that_do_not_parse_are_told_and_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"one.json": '{"a": tru}', "two.json": '{"a": 1 "b": 2}'}
    for name, text in broken.items():
        (folder / name).write_text(text)
    assert run_command(["format", ".", "none.json"]) == 1
    out, err = capsys.readouterr()
    assert [err.count(words) for words in ("one.json:1:7", "two.json:1:8", "NN101")] == [1, 1, 1]
    assert {name: (folder / name).read_text() for name in broken} == broken
    assert (folder / "long.json").read_bytes() == NEAT.encode()
    assert out.endswith("1 file reformatted, 1 file unchanged, 2 files left alone, 1 file not read\n")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is write-protected from root")
def test_a_protected_file_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "long.json").chmod(0o444)
    assert run_command(["format", "long.json"]) == 7
    assert "error[NN716]" in capsys.readouterr().err


def test_a_folder_without_definitions_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["format", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "error[NN704]" in err and "by a glob in quotes" in err


def test_a_bug_leaves_the_file_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "long.json").read_bytes()
    monkeypatch.setattr(formatter, "_laid_out", lambda *args: "{}\n")
    assert run_command(["format", "long.json"]) == 70
    assert "This is a bug of nnlang" in capsys.readouterr().err
    assert (folder / "long.json").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_no_control_characters(folder: Path) -> None:
    import pty

    (folder / "odd.json").write_text('{ "a": 1 } // \x1b[2J\u202e\n', encoding="utf-8")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nnlang", "format", "odd.json", "--diff"]
    subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, timeout=60, check=False)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "\\u001b[2J\\u202e" in shown
    assert "\x1b" not in shown


def test_nothing_heavy_is_imported(folder: Path) -> None:
    code = (
        "import sys; from nnlang.cli import run_command; run_command(['format', 'long.json']);"
        "print([m for m in ('torch', 'numpy', 'h5py', 'netCDF4', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
