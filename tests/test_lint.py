"""`nnlang lint` through the real command line: files, forms, fixes, baselines, exit codes, and what may go wrong."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nnlang
from nnlang.cli import rewrite, run_command
from nnlang.codes import files as file_codes
from nnlang.diagnostics import stop
from nnlang.linting.config import FORMS
from nnlang.linting.files import definitions
from nnlang.linting.formats import FORMATS

GOOD = """{ "Version": 0.8, "Name": "small", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Source": "Input", "N": 128, "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Source": "Hidden", "DataSet": "gl_output", "N": "auto", "Sparse": true }
] }
"""
BAD = GOOD.replace('"N": 128', '"N": 128, "Activaton": "Relu"').replace(', "Activation": "Sigmoid"', "")
WARNED = GOOD.replace('"Kind": "FeedForward",', '"Kind": "FeedForward", "Denoising": { "p": 0.2 },').replace(
    '"gl_input", "Sparse": true', '"gl_input"'
)
NOTED = GOOD.replace('"N": 128', '"N": 8')

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, text: str = GOOD) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def lint(*words: str) -> int:
    return run_command(["lint", *words])


def names(*paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [path.as_posix() for path in definitions(paths, exclude)]


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
    assert lint("pipe.json", "latin.json", "large.json", "none.json", "x\0.json", "n" * 300, "/dev/null") == 1
    told = capsys.readouterr()
    assert [told.err.count(f"[{code}]") for code in ("NN101", "NN102", "NN103")] == [5, 1, 1]
    assert "7 files checked: 7 errors" in told.out


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
        assert "\u202e" not in told.err
    assert lint(".", "--fix") == 0
    assert "\x1b" not in capsys.readouterr().out


# Standard input


def test_standard_input_has_a_name(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    type_in(monkeypatch, BAD)
    assert lint("-", "--stdin-filename", "old/net.json") == 1
    assert "--> old/net.json:3:" in capsys.readouterr().err
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


def test_suppressions_count(capsys: Capture) -> None:
    put("x.json", BAD.replace('"Relu"', '"Relu" // nnlang: ignore[NN201] later\n'))
    assert lint("x.json") == 0
    put("x.json", GOOD.replace("] }", "] } // nnlang: ignore[NN201] later"))
    assert lint("x.json", "--per-file-ignores", "x.json:NN530") == 0
    assert lint("x.json") == 1
    assert "[NN530]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--select", "NN5O2"], "error[NN774]: --select names `NN5O2`, but no code begins so"),
        (["--select", "NN5O2"], "did you mean `NN502`?"),
        (["--ignore", "unknown-key"], "did you mean `NN201`, the code of unknown-key?"),
        (["--ignore", "NN9"], "error[NN774]"),
        (["--extend-select", ""], "error[NN774]"),
        (["--per-file-ignores", "NN5"], "error[NN703]: --per-file-ignores cannot be `NN5`: it takes GLOB:CODES"),
        (["--per-file-ignores", "x:NN9"], "error[NN774]"),
        (["--fail-level", "eror"], "did you mean `error`?"),
        (["--output-format", "jsno"], "did you mean `json`?"),
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
    assert "error[NN430]: training needs" in capsys.readouterr().err
    assert lint("x.json", "--gpu-memory", "24GB") == 1
    assert "warning[NN431]" in capsys.readouterr().err
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
    assert (
        told.out
        == (
            "3 files checked: 1 error, 1 warning, 1 note; 1 can be mended by --fix\n"
            "`nnlang explain NN201` says more about unknown-key\n"
        )
        or "1 error, 1 warning, 1 note" in told.out
    )
    assert told.err.startswith("error[NN201]")
    assert "\x1b" not in told.err


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


# Mending


def test_fix_mends_and_keeps_the_rest(capsys: Capture) -> None:
    path = put("x.json", BAD.replace("\n", "\r\n"))
    path.chmod(0o640)
    Path("link.json").symlink_to("x.json")
    assert lint("link.json", "--fix") == 0
    assert path.read_bytes().decode() == BAD.replace("Activaton", "Activation").replace("\n", "\r\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert Path("link.json").is_symlink()
    assert capsys.readouterr().out.startswith("mended link.json: NN201 unknown-key\n1 file checked: nothing to say\n")
    before = path.stat().st_mtime_ns
    assert lint("link.json", "--fix") == 0
    assert path.stat().st_mtime_ns == before


def test_exit_code_is_by_what_is_left(capsys: Capture) -> None:
    put("x.json", BAD.replace('"Kind": "Output"', '"Kind": "Zzzz"'))
    assert lint("x.json", "--fix") == 1
    assert "Activation" in Path("x.json").read_text()
    assert "1 file checked: 1 error left" in capsys.readouterr().out


def test_diff_writes_nothing(capsys: Capture) -> None:
    put("x.json", BAD)
    assert lint("x.json", "--diff") == 1
    told = capsys.readouterr()
    assert told.out.startswith("--- x.json\n+++ x.json\n@@")
    assert "would mend x.json: NN201 unknown-key" in told.err
    assert Path("x.json").read_text() == BAD
    Path("x.diff").write_text(told.out)
    subprocess.run(["patch", "-p0", "-i", "x.diff"], check=True, capture_output=True)
    assert Path("x.json").read_text() == BAD.replace("Activaton", "Activation")
    assert lint("x.json", "--diff") == 0


def test_unsafe_fixes_are_asked_for(capsys: Capture) -> None:
    text = GOOD.replace('"Sigmoid"', '"Sigmoit"')
    text = text.replace('"Kind": "Hidden"', '"Kind": "Hidden", "Name": "Twin"')
    put("x.json", text)
    assert lint("x.json", "--json") == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    unsafe = [row for row in rows if row["fix"] and not row["fix"]["safe"]]
    assert lint("x.json", "--fix") == 1
    safely = Path("x.json").read_text()
    lint("x.json", "--fix", "--unsafe-fixes")
    assert (Path("x.json").read_text() != safely) == bool(unsafe)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_write_protected_files_are_left_alone() -> None:
    put("x.json", BAD).chmod(0o400)
    assert lint("x.json", "--fix") == 7


def test_a_file_that_cannot_be_written_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    put("a.json", BAD)
    put("b.json", BAD)
    replace = rewrite.replace

    def full(path: Path, text: str) -> None:
        if path.name == "a.json":
            raise stop(file_codes.DISK_FULL, path=path, reason="no room", needed="1 byte", free="0 bytes")
        replace(path, text)

    monkeypatch.setattr(rewrite, "replace", full)
    assert lint(".", "--fix") == 7
    told = capsys.readouterr()
    assert "error[NN717]" in told.err
    assert "2 files checked: 1 error left" in told.out
    assert (Path("a.json").read_text() == BAD) and (Path("b.json").read_text() != BAD)


def test_a_full_disk_leaves_the_old_file(here: Path) -> None:
    put("x.json", BAD + " " * 4_000)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "import sys; from nnlang.cli import run_command; sys.exit(run_command(['lint', 'x.json', '--fix']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "NN717" in done.stderr
    assert Path("x.json").read_text().startswith(BAD)
    assert [path.name for path in here.iterdir()] == ["x.json"]


# Baselines


def test_a_baseline_bears_what_is_known(capsys: Capture) -> None:
    put("nets/x.json", BAD)
    assert lint("nets", "--baseline", "known.json", "--update-baseline") == 0
    assert "known.json written: 1 known finding" in capsys.readouterr().out
    written = Path("known.json").read_text()
    assert json.loads(written)["findings"][0]["path"] == "nets/x.json"
    assert lint("nets", "--baseline", "known.json") == 0
    assert "1 known finding in known.json not told" in capsys.readouterr().out
    put("nets/x.json", "\n\n" + BAD)  # lines move
    assert lint("nets/x.json", "--baseline", "known.json") == 0
    os.chdir("nets")
    assert lint("x.json", "--baseline", "../known.json") == 0
    os.chdir("..")
    put("nets/x.json", BAD.replace('"Activaton": "Relu"', '"Activaton": "Relu", "Activaton": "Relu"'))
    assert lint("nets", "--baseline", "known.json") == 1  # one more of the same kind is new
    capsys.readouterr()
    put("nets/x.json", GOOD)
    assert lint("nets", "--baseline", "known.json") == 0
    assert "1 stale entry in known.json" in capsys.readouterr().out
    assert lint("nets", "--baseline", "known.json", "--update-baseline") == 0
    assert json.loads(Path("known.json").read_text()) == {"version": 1, "findings": []}


def test_a_baseline_keeps_what_was_not_looked_at(capsys: Capture) -> None:
    put("a.json", BAD)
    put("b.json", BAD)
    assert lint(".", "--baseline", "k", "--update-baseline") == 0
    first = Path("k").read_bytes()
    assert lint("a.json", "--baseline", "k", "--update-baseline") == 0
    assert Path("k").read_bytes() == first
    Path("b.json").unlink()
    assert lint("a.json", "--baseline", "k") == 0
    assert "1 stale entry" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "[" * 100_000, '{"version": 2, "findings": []}', '{"version": 1, "findings": [3]}', "\x00",
        '{"version": 1, "findings": [{"path": 1, "code": "NN1", "message": ""}]}', "9" * 5_000,
        '{"version": 1, "findings": [{"path": "a", "code": "NN1", "message": "", "count": -1}]}',
        '{"version": 1, "findings": [{"path": "a", "code": "NN1", "message": "", "count": true}]}',
        '{"version": 1, "findings": [{"path": "a", "code": "NN1", "message": "", "more": 1}]}',
    ],
)  # fmt: skip
def test_a_damaged_baseline_is_told(text: str, capsys: Capture) -> None:
    put("x.json", BAD)
    put("k.base", text)
    for more in ([], ["--update-baseline"]):
        assert lint("x.json", "--baseline", "k.base", *more) == 2
        assert "error[NN776]" in capsys.readouterr().err
    assert Path("k.base").read_text() == text


# Models


def test_a_model_is_held_against_a_definition(capsys: Capture) -> None:
    put("x.json")
    put("junk.nc", "junk")
    assert lint("x.json", "--against", "none.nc") == 3
    assert lint("x.json", "--against", "junk.nc") == 3
    assert "Traceback" not in capsys.readouterr().err


# The library


def test_the_library_finds_the_same(capsys: Capture) -> None:
    for name, text in {"a.json": BAD, "b.json": WARNED, "c.json": NOTED, "d.json": "{"}.items():
        put(name, text)
        lint(name, "--json", "--no-config")
        told = [json.loads(line)["code"] for line in capsys.readouterr().out.splitlines()]
        assert [d.code.code for d in nnlang.lint(name)] == told
    assert nnlang.lint("c.json", select=["NN2"]) == []
    assert [d.code.severity for d in nnlang.lint("c.json", select=["NN520"], severity={"NN5": "error"})] == ["error"]
    with pytest.raises(ValueError, match="no setting ingore"):
        nnlang.lint("a.json", ingore=["NN5"])
    with pytest.raises(ValueError, match="no code begins so"):
        nnlang.lint("a.json", ignore=["NN9"])


# A process of its own


def started(*words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "nnlang", "lint", *words], text=True, **options)  # type: ignore[call-overload, no-any-return]


def test_a_closed_pipe_keeps_the_exit_code() -> None:
    put("x.json", BAD)
    for form in ("text", "json", "junit"):
        reading, writing = os.pipe()
        os.close(reading)
        done = started("x.json", "--output-format", form, stdout=writing, stderr=writing)
        os.close(writing)
        assert done.wait(30) == 1


def test_an_interrupt_ends_without_a_traceback() -> None:
    os.mkfifo("in")
    with started("-", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert told == "interrupted\n"


def test_a_removed_folder_is_no_riddle() -> None:
    Path("gone").mkdir()
    put("x.json")
    path = str(Path("x.json").resolve())
    done = subprocess.run(
        ["sh", "-c", f"cd gone && rmdir ../gone && '{sys.executable}' -m nnlang lint '{path}'"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


LIMIT_TEXTS = {
    "4 MB": '{"a": "' + "x" * 4_000_000 + '"}',
    "deep": "[" * 1_000_000,
    "deep objects": '{"a":' * 150_000,
    "a comment": "/*" + "*" * 999_990,
    "a string": '"' + "\\" * 999_990,
    "lines": "\n" * 999_990,
    "words": "a " * 499_990,
    "numbers": "[" + "1," * 140_000 + "1]",
}


@pytest.mark.parametrize("case", LIMIT_TEXTS)
def test_hostile_sizes_end_in_a_diagnostic(case: str, capsys: Capture) -> None:
    put("x.json", LIMIT_TEXTS[case])
    began = time.process_time()
    assert lint("x.json") == 1
    assert time.process_time() - began < 4
    assert "error[NN" in capsys.readouterr().err


def layers(count: int) -> str:
    """A sound definition of so many layers in a row, some 96 bytes each."""
    rows = ['{"Name":"I","Kind":"Input","N":"auto","DataSet":"gl_input","Sparse":true}']
    for i in range(count - 2):
        source = f"H{i - 1:05d}" if i else "I"
        rows.append(
            f'{{"Name":"H{i:05d}","Kind":"Hidden","Source":"{source}","N":128,"Activation":"Relu","pDropout":0.1}}'
        )
    rows.append(f'{{"Name":"O","Kind":"Output","Source":"H{count - 3:05d}","N":"auto","DataSet":"gl_output"}}')
    return '{"Version":0.8,"Name":"big","Kind":"FeedForward","Layers":[\n' + ",\n".join(rows) + "]}"


def test_ten_thousand_layers_are_checked_in_time() -> None:
    put("x.json", layers(10_000))
    began = time.process_time()
    sizes = ["--gpu-memory", "24GB", "--width", "gl_input=1000", "--width", "gl_output=1000"]
    assert lint("x.json", *sizes, "--ignore", "NN431") == 0
    assert time.process_time() - began < 5


@pytest.mark.full
def test_a_thousand_definitions_are_checked_in_time() -> None:
    """1,000 definitions of 1 kB in one process of its own: under 3 s of processor time, under 200 MB."""
    import resource

    for i in range(1_000):
        put(f"nets/{i:04d}.json", layers(11))
    done = started("nets", stdout=subprocess.DEVNULL)
    assert done.wait(60) == 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert used.ru_utime + used.ru_stime < 3
    assert used.ru_maxrss < 200_000


@pytest.mark.full
def test_one_file_is_checked_at_once() -> None:
    put("x.json")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert started("x.json", stdout=subprocess.DEVNULL).wait(30) == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.35
