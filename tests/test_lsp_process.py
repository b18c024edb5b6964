"""The language server as a process: how it begins and ends, what it agrees on with its client, what it needs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnlang.cli import run_command
from tests.lsp_client import COMMAND, SECONDS, Client, Refused, framed
from tests.test_editor import SMALL

pytest.importorskip("pygls")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that a client works in."""
    return tmp_path


def test_completion_without_snippets(root: Path) -> None:
    client = Client(root, {})
    try:
        client.open("file:///a.json", '{ "Layers": [ { } ] }')
        items = client.ask("completion", "file:///a.json", '{ "Layers": [ { ', 16)["items"]
        assert items and all("$" not in item["textEdit"]["newText"] for item in items)
        assert client.end() == 0
    finally:
        client.kill()


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
def test_units_are_those_that_are_agreed_on(root: Path, encoding: str, units: int) -> None:
    client = Client(root, {"general": {"positionEncodings": [encoding]}})
    try:
        assert client.server["capabilities"]["positionEncoding"] == encoding
        client.open("file:///a.json", '{ "Layers": [ { "Name": "😀", "Nme": 1 } ] }')
        found = next(d for d in client.findings("file:///a.json") if d["code"] == "NN201")
        assert found["range"]["start"] == {"line": 0, "character": 28 + units}
        assert client.end() == 0
    finally:
        client.kill()


def test_messages_that_are_none(root: Path) -> None:
    client = Client(root)
    try:
        assert client.process.stdin is not None
        client.process.stdin.write(b"Content-Length: 3\r\n\r\n{]}")
        with pytest.raises(Refused):
            client.request("textDocument/hover", {"nonsense": True})
        client.notify("textDocument/didOpen", {"textDocument": 3})
        client.wait(lambda: len(client.logs) == 3)
        client.open("file:///a.json", SMALL)
        assert "NN520" in client.codes("file:///a.json")
        assert client.end() == 0
    finally:
        client.kill()


def test_a_bug_of_ours_is_logged_and_nothing_more(root: Path) -> None:
    code = (
        "import sys\nfrom nnlang.editor import completion, references\n"
        "from nnlang.editor.server import answers, state\n"
        "def bug(*arguments, **options): raise RuntimeError('a bug of ours')\n"
        "completion.offers = references.rename = answers.findings = bug\n"
        "plain = state.lint\nstate.lint = lambda source, settings: bug() if 'Boom' in source.text else plain(source)\n"
        "from nnlang.cli import run_command\nsys.exit(run_command(['lsp']))"
    )
    client = Client(root, command=(sys.executable, "-c", code))
    uri = "file:///a.json"
    try:
        client.open(uri, SMALL.replace('"Out"', '"Boom"'))
        client.wait(lambda: len(client.logs) == 1)
        assert client.codes(uri) == []
        assert client.ask("completion", uri, SMALL, 30) is None
        assert client.ask("rename", uri, SMALL, 50, newName="x") is None
        assert client.actions(uri, {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}) == []
        assert len(client.logs) == 4 and all("a bug of ours" in log for log in client.logs)
        client.replace(uri, SMALL)
        assert client.codes(uri) and client.ask("hover", uri, SMALL, SMALL.index("Relu")) is not None
        assert client.end() == 0
    finally:
        client.kill()


def test_no_other_file_is_opened(root: Path) -> None:
    """What a document names is not looked at: neither a job's definition nor its data."""
    (root / "other.json").write_text(SMALL)
    (root / "other.nc").write_text("data")
    code = (
        "import sys\n"
        "sys.addaudithook(lambda event, given: event == 'open' and 'other' in str(given[0]) and print(given[0]))\n"
        "from nnlang.cli import run_command\nsys.exit(run_command(['lsp']))"
    )
    client = Client(root, command=(sys.executable, "-c", code))
    uri = (root / "job.json").as_uri()
    text = '{ "Network": "other.json", "Command": "Train", "Data": "other.nc", "TrainingParameters": { "Epochs": 1 } }'
    try:
        client.open(uri, text)
        client.findings(uri)
        for word in ("other.json", "Train", "other.nc"):
            client.ask("hover", uri, text, text.index(word))
            client.ask("definition", uri, text, text.index(word))
            client.ask("completion", uri, text, text.index(word))
        client.open((root / "other_too.json").as_uri(), SMALL)  # an open document is not read from the disk either
        client.findings((root / "other_too.json").as_uri())
        assert client.end() == 0
        assert client.stderr() == "" and client.logs == []
    finally:
        client.kill()


def test_a_client_that_listens_no_more() -> None:
    item = {"uri": "file:///a.json", "languageId": "json", "version": 1, "text": SMALL}
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        server.stdout.close()
        server.stdin.write(framed({"id": 1, "method": "initialize", "params": {"capabilities": {}, "processId": None}}))
        server.stdin.write(framed({"method": "textDocument/didOpen", "params": {"textDocument": item}}))
        server.stdin.close()
        assert server.stderr.read() == b""
        assert server.wait(SECONDS) == 1


def test_exit_codes(root: Path) -> None:
    """0 after shutdown and exit; 1 where the client goes without a word."""
    for goodbye in (False, True):
        client = Client(root)
        try:
            assert client.process.stdin is not None
            client.notify("exit", None) if goodbye else client.process.stdin.close()
            assert client.process.wait(SECONDS) == 1
        finally:
            client.kill()


def test_what_speaks_no_protocol_ends_it() -> None:
    """A line longer than any header is the end, and no bug of ours."""
    done = subprocess.run(COMMAND, input=b"x" * 1_000_000, capture_output=True, check=False, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_signals_end_it(root: Path) -> None:
    client = Client(root)
    try:
        begin = time.monotonic()
        client.process.send_signal(signal.SIGTERM)
        assert client.process.wait(SECONDS) == 128 + signal.SIGTERM
        assert time.monotonic() - begin < 10
    finally:
        client.kill()


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_nobody_speaks_with_it_by_hand() -> None:
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(COMMAND, stdin=theirs, capture_output=True, text=True, check=False, timeout=SECONDS)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2 and done.stdout == "" and "NN704" in done.stderr


def test_without_the_extra() -> None:
    code = (
        "import sys; sys.modules.update({'pygls': None, 'lsprotocol': None});"
        "from nnlang.cli import run_command; sys.exit(run_command(['lsp']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 2 and "NN705" in done.stderr and "nnlang[lsp]" in done.stderr


def test_the_settings_in_the_docs_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parent.parent / "docs" / "editors.md").read_text(encoding="utf-8")
    plain, served = (json.loads(block) for block in re.findall("```json\n(.*?)```", text, re.DOTALL))
    assert [served["glspc.server.command"], *served["glspc.server.commandArguments"]] == ["nnlang", "lsp"]
    monkeypatch.chdir(tmp_path)
    for line in re.findall("^    nnlang (.*)$", text, re.MULTILINE):
        assert run_command(line.split()) == 0
    assert all(Path(row["url"]).is_file() for row in plain["json.schemas"])


def test_help_says_how_editors_start_it() -> None:
    told = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    assert "vim.lsp.enable" in told and "language-server.nnlang" in told and "eglot-server-programs" in told
