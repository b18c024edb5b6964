"""`nnlang lint --fix`, `--diff`, `--baseline` and `--against`: what is written, what is left, what is known."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nnlang
from nnlang.cli import rewrite
from nnlang.cli.patch import patch
from nnlang.codes import files as file_codes
from nnlang.definition import check
from nnlang.diagnostics import stop
from nnlang.network import DataFacts
from nnlang.runtime.model import save
from nnlang.source import Source
from tests.linted import BAD, GOOD, NOTED, WARNED, lint, put
from tests.models import random_model
from tests.test_format import patched

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def patched_alike(old: list[str], new: list[str]) -> bool:
    """Whether a diff of two texts leads from one to the other."""
    before, after = "\n".join(old), "\n".join(new)
    return patched(before, "".join(patch("x", before, after, mended=True)).split("\n")[:-1]) == after


def test_diffs_of_mended_texts_lead_to_them() -> None:
    draw = random.Random(7)
    for _ in range(500):
        old = [draw.choice("abcde") for _ in range(draw.randrange(1, 40))] + [""]
        new = list(old)
        for _ in range(draw.randrange(1, 4)):
            place = draw.randrange(len(new) + 1)
            new[place : place + draw.randrange(3)] = [draw.choice("abcxyz") for _ in range(draw.randrange(3))]
        new = [*new, ""] if new[-1:] != [""] else new
        assert old == new or patched_alike(old, new)


def test_diffs_take_no_time() -> None:
    old = [str(i % 3) for i in range(400_000)] + [""]
    new = [line + "x" if i % 400 == 0 else line for i, line in enumerate(old[:-1])] + [""]
    began = time.process_time()
    assert patched_alike(old, new)
    assert time.process_time() - began < 5


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


def test_write_protected_files_are_left_alone(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    put("x.json", BAD)
    monkeypatch.setattr(os, "access", lambda *_: False)  # nothing is write-protected from the superuser
    assert lint("x.json", "--fix") == 7
    assert "error[NN716]: `x.json` cannot be written: it is write-protected" in capsys.readouterr().err
    assert Path("x.json").read_text() == BAD


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


def test_what_was_mended_before_an_interrupt_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for name in ("a.json", "b.json", "c.json"):
        put(name, BAD)
    replace = rewrite.replace

    def interrupted(path: Path, text: str) -> None:
        if path.name == "c.json":
            raise KeyboardInterrupt
        replace(path, text)

    monkeypatch.setattr(rewrite, "replace", interrupted)
    assert lint(".", "--fix") == 130
    told = capsys.readouterr()
    assert told.err == "interrupted after 2 of 3 files, 2 mended: a.json, b.json\n"
    assert Path("c.json").read_text() == BAD


def test_a_form_of_the_configuration_gives_way_to_diffs_and_texts(capsys: Capture) -> None:
    put("x.json", BAD)
    put("nnlang.toml", '[lint]\noutput-format = "json"\n')
    assert lint("x.json", "--diff") == 1
    assert capsys.readouterr().out.startswith("--- x.json")
    assert lint("x.json", "--diff", "--output-format", "json") == 2
    assert "leave --diff out: json holds the same edits, under `fix`" in capsys.readouterr().err
    assert lint("x.json", "--diff", "-o", "found.json") == 1
    assert json.loads(Path("found.json").read_text())[0]["fix"]["edits"]


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


def test_a_baseline_is_not_stale_for_what_was_not_sought(capsys: Capture) -> None:
    put("x.json", BAD.replace('"N": 128', '"N": 8'))
    put("y.json", WARNED)
    every = ["--fail-level", "note", "--baseline", "k"]
    assert lint(".", *every, "--update-baseline") == 0
    whole = Path("k").read_bytes()
    assert {row["code"][:3] for row in json.loads(whole)["findings"]} >= {"NN2", "NN5"}
    for words in (["--select", "NN2"], ["--ignore", "NN5"], ["--per-file-ignores", "y.json:NN5"]):
        capsys.readouterr()
        assert lint(".", *every, *words) == 0
        assert "stale" not in capsys.readouterr().out
        assert lint(".", *every, *words, "--update-baseline") == 0
        assert Path("k").read_bytes() == whole
    put("y.json", WARNED.replace("] }", "]"))  # nothing can be said of it but that
    assert lint(".", *every) == 1
    assert "stale" not in capsys.readouterr().out
    put("y.json", GOOD)
    lint(".", *every)
    assert "stale" in capsys.readouterr().out


def test_a_baseline_knows_findings_that_name_places(capsys: Capture) -> None:
    put("x.json", GOOD.replace('"Kind": "FeedForward"', '"Kind": "FeedForward", "kind": "FeedForward"'))
    assert lint("x.json", "--baseline", "k", "--update-baseline") == 0
    put("x.json", "\n\n" + Path("x.json").read_text())
    assert lint("x.json", "--baseline", "k") == 0
    told = json.loads(Path("k").read_text())
    told["findings"][0]["message"] += " x.json:3:4"  # as versions before wrote it
    Path("k").write_text(json.dumps(told).replace(" x.json:3:4", ""))
    assert lint("x.json", "--baseline", "k") == 0


def test_baselines_and_reports_are_no_definitions(capsys: Capture) -> None:
    put("nets/x.json", BAD)
    known = ["--baseline", "nets/known.json"]
    assert lint("nets", *known, "--update-baseline") == 0
    assert lint("nets", *known) == 0
    assert "1 file checked" in capsys.readouterr().out
    Path("nets/known.json").unlink()
    for form in ("json", "jsonl", "gitlab", "sarif"):
        for _ in range(2):
            assert lint("nets", "--output-format", form, "-o", "nets/report.json") == 1
            assert "1 file checked: 1 error" in capsys.readouterr().out
        Path("nets/report.json").unlink()
    put("nets/report.json", GOOD)
    assert lint("nets", "-o", "nets/report.json") == 2  # a definition is never written over
    assert "it is one of the definitions to check" in capsys.readouterr().err
    assert Path("nets/report.json").read_text() == GOOD


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


def saved(path: str, text: str) -> None:
    """A model of the network that a definition means, with 300 features on both sides."""
    facts = {
        name: DataFacts(name, 10, 300, sparse=True, boolean=True, entries=50) for name in ("gl_input", "gl_output")
    }
    network = check(Source("net", text), facts, need_shapes=True).network
    assert network is not None
    save(random_model(network, labels={}, state={}), path)


def test_a_model_is_held_against_a_definition(capsys: Capture) -> None:
    put("x.json")
    saved("gl.nc", GOOD)
    assert lint("x.json", "--against", "gl.nc", "--fail-level", "note") == 0
    put("wider.json", GOOD.replace("128", "256"))
    put("other.json", GOOD.replace("Hidden", "Hiden").replace('"Kind": "Hiden"', '"Kind": "Hidden"'))
    assert lint("wider.json", "--against", "gl.nc", "--select", "NN44") == 1
    assert lint("other.json", "--against", "gl.nc", "--select", "NN44") == 1
    told = capsys.readouterr().out
    assert "error[NN44" in told
    assert "gl.nc" in told
    assert [d.code.code[:4] for d in nnlang.lint("wider.json", against="gl.nc", select=["NN44"])]


def test_a_model_that_cannot_be_read_is_told(capsys: Capture) -> None:
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
