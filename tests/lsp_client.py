"""A client of the language server over its standard input and output, without the library that the server uses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "nnlang", "lsp")
SECONDS = 30.0  # for one answer, on a busy machine
ABLE = {
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True}},
        "rename": {"prepareSupport": True},
        "codeAction": {"resolveSupport": {"properties": ["edit"]}},
    },
    "workspace": {
        "workspaceEdit": {"documentChanges": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    },
}
_LINE_END = re.compile(r"\r\n|\n|\r")


class Refused(Exception):  # noqa: N818 - it is what the server said
    """The server's answer was an error."""


class Client:
    """One session: requests wait for their answers, what the server says of itself is kept."""

    def __init__(
        self, root: Path | None = None, able: dict[str, Any] | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        self.process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.answers: dict[int, dict[str, Any]] = {}
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}  # by document: what was published, in order
        self.logs: list[str] = []
        self.asked: list[dict[str, Any]] = []  # requests of the server
        self.versions: dict[str, int] = {}
        self.count = 0
        self.arrived = threading.Condition()
        self.errors: list[bytes] = []
        for work in (self._read, self._drain):
            threading.Thread(target=work, daemon=True).start()
        params = {
            "processId": None,
            "rootUri": root.as_uri() if root else None,
            "capabilities": ABLE if able is None else able,
        }
        self.server = self.request("initialize", params)
        self.notify("initialized", {})

    # Messages

    def _read(self) -> None:
        out = self.process.stdout
        assert out is not None
        while True:
            length = 0
            while (line := out.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                break
            self._take(json.loads(out.read(length)))
        with self.arrived:
            self.arrived.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self.arrived:
            if "id" in message and "method" not in message:
                self.answers[message["id"]] = message
            elif "id" in message:
                self.asked.append(message)
                with suppress(OSError, ValueError):  # nobody may be there any more to be told
                    self.send({"id": message["id"], "result": None})
            elif message["method"] == "textDocument/publishDiagnostics":
                params = message["params"]
                self.diagnostics.setdefault(params["uri"], []).append(params)
            elif message["method"] == "window/logMessage":
                self.logs.append(message["params"]["message"])
            self.arrived.notify_all()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    def send(self, message: dict[str, Any]) -> None:
        """One message, as it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(framed(message))
        self.process.stdin.flush()

    def notify(self, method: str, params: Any) -> None:
        self.send({"method": method, "params": params})

    def begin(self, method: str, params: Any) -> int:
        """A request whose answer is taken later, by its number."""
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        return self.count

    def answer(self, number: int, seconds: float = SECONDS) -> Any:
        """The answer to a request; raises `Refused` for an error."""
        self.wait(lambda: number in self.answers, seconds)
        message = self.answers.pop(number)
        if "error" in message:
            raise Refused(message["error"]["message"])
        return message["result"]

    def request(self, method: str, params: Any) -> Any:
        return self.answer(self.begin(method, params))

    def wait(self, ready: Any, seconds: float = SECONDS) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        with self.arrived:
            while not ready():
                left = end - time.monotonic()
                assert left > 0, f"nothing came in time; {self.stderr()} {self.logs}"
                assert self.process.poll() is None, f"the server is gone; {self.stderr()}"
                self.arrived.wait(min(left, 1.0))

    def stderr(self) -> str:
        """What the server wrote to standard error so far."""
        return b"".join(list(self.errors)).decode("utf-8", "replace")

    # Documents

    def open(self, uri: str, text: str, language: str = "json") -> None:
        self.versions[uri] = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, *changes: dict[str, Any]) -> int:
        """Send changes as the next version of a document; the version."""
        self.versions[uri] += 1
        name = {"uri": uri, "version": self.versions[uri]}
        self.notify("textDocument/didChange", {"textDocument": name, "contentChanges": list(changes)})
        return self.versions[uri]

    def replace(self, uri: str, text: str) -> int:
        return self.change(uri, {"text": text})

    def findings(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """What was published for a version of a document, the newest unless it is given."""
        wanted = version or self.versions[uri]
        self.wait(lambda: any(p.get("version") == wanted for p in self.diagnostics.get(uri, ())))
        found = [p for p in self.diagnostics[uri] if p.get("version") == wanted]
        return list(found[-1]["diagnostics"])

    def codes(self, uri: str) -> list[str]:
        return [d["code"] for d in self.findings(uri)]

    def ask(self, what: str, uri: str, text: str = "", offset: int = 0, **more: Any) -> Any:
        """A request about an offset of a text."""
        params = {"textDocument": {"uri": uri}, "position": position(text, offset), **more}
        return self.request(f"textDocument/{what}", params)

    def actions(self, uri: str, where: dict[str, Any], only: list[str] | None = None) -> list[dict[str, Any]]:
        context: dict[str, Any] = {"diagnostics": []} | ({"only": only} if only else {})
        params = {"textDocument": {"uri": uri}, "range": where, "context": context}
        return list(self.request("textDocument/codeAction", params) or [])

    # The end

    def end(self) -> int:
        """Say goodbye as the protocol has it; the exit code."""
        assert self.request("shutdown", None) is None
        self.notify("exit", None)
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait(SECONDS)
            if stream is not None:
                stream.close()


def framed(message: dict[str, Any]) -> bytes:
    """A message as it goes over the wire."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def position(text: str, offset: int) -> dict[str, int]:
    """Line and character in UTF-16, by the words of the protocol."""
    before = text[:offset]
    ends = list(_LINE_END.finditer(before))
    start = ends[-1].end() if ends else 0
    return {"line": len(ends), "character": len(before[start:].encode("utf-16-le", "surrogatepass")) // 2}


def offset(text: str, where: dict[str, int]) -> int:
    """The offset of a line and a character in UTF-16."""
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    place = starts[where["line"]]
    units = 0
    while units < where["character"]:
        units += 2 if ord(text[place]) > 0xFFFF else 1
        place += 1
    return place


def edited(text: str, edits: list[dict[str, Any]]) -> str:
    """The text after text edits."""
    for edit in sorted(
        edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True
    ):
        start, end = offset(text, edit["range"]["start"]), offset(text, edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text


def changed(text: str, edit: dict[str, Any]) -> str:
    """The text after a workspace edit of one document."""
    changes = edit.get("documentChanges")
    return edited(text, changes[0]["edits"] if changes else next(iter(edit["changes"].values())))
