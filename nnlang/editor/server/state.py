"""One server: its open documents, the checks of them that are under way, what they have found."""

from __future__ import annotations

import asyncio
import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import to_fs_path

from nnlang.editor.documents import Document
from nnlang.editor.replacing import Range
from nnlang.editor.server.wire import diagnostic
from nnlang.editor.workspace import is_excluded, settings_of
from nnlang.linting.check import Finding, lint
from nnlang.linting.settings import Settings
from nnlang.version import __version__

PAUSE = 0.1  # seconds of no typing before a text is checked
_ENCODINGS = frozenset(encoding.value for encoding in types.PositionEncodingKind)


class _Protocol(LanguageServerProtocol):
    """The protocol without pygls' own copies of the documents' texts, and with an answer to every request."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message of the protocol; a request that cannot be understood is answered with what is wrong."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Any:
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None


class Server(LanguageServer):
    """One server, of one client."""

    def __init__(self) -> None:
        super().__init__("nnlang", __version__, protocol_cls=_Protocol)
        self.documents: dict[str, Document] = {}
        self.checks: dict[str, asyncio.Task[None]] = {}
        self.found: dict[str, tuple[Document, list[Finding]]] = {}
        self.settings: dict[str, Settings] = {}  # by folder
        self.worker = ThreadPoolExecutor(1, "lint")
        self.asked_to_end = False

    def report_server_error(self, error: Exception, source: Any) -> None:
        """A message that cannot be understood goes to the client's log; a request tells its errors by its answer."""
        if source is not FeatureRequestError:
            self.log(f"{type(error).__name__}: {error}")

    def log(self, text: str) -> None:
        """One entry of the client's log."""
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, text))

    def settings_for(self, uri: str) -> Settings:
        """The settings of the folder of a document; what is wrong with their file goes to the log, once."""
        folder = os.path.dirname(_path(uri) or "") or self.workspace.root_path or ""
        if folder and folder not in self.settings:
            self.settings[folder], wrong = settings_of(folder)
            if wrong:
                self.log(f"the usual settings are taken: {wrong}")
        return self.settings.get(folder, Settings())

    def text(self, uri: str) -> Document | None:
        """An open document, if it is a definition or a job."""
        document = self.documents.get(uri)
        return document if document is not None and document.is_ours else None


def _path(uri: str) -> str | None:
    try:
        return to_fs_path(uri)
    except ValueError:
        return None


def opened(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """Take a document, and check it at once."""
    item = params.text_document
    encoding = str(getattr(ls.workspace.position_encoding, "value", ls.workspace.position_encoding))
    ls.settings.clear()
    ls.documents[item.uri] = Document(
        _path(item.uri) or item.uri,
        str(getattr(item.language_id, "value", item.language_id)),
        item.version,
        item.text,
        encoding if encoding in _ENCODINGS else "utf-16",
    )
    check(ls, item.uri, 0)


def changed(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """Take the next version of a document, and check it after a pause."""
    uri, document = params.text_document.uri, ls.documents.get(params.text_document.uri)
    if document is None:
        return
    changes = [(_where(change), change.text) for change in params.content_changes]
    ls.documents[uri] = document.changed(params.text_document.version, changes)
    check(ls, uri, PAUSE)


def _where(change: types.TextDocumentContentChangeEvent) -> Range:
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return None
    start, end = change.range.start, change.range.end
    return start.line, start.character, end.line, end.character


def closed(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document, and take back what was found in it."""
    uri = params.text_document.uri
    if ls.documents.pop(uri, None) is None:
        return
    if task := ls.checks.pop(uri, None):
        task.cancel()
    ls.found.pop(uri, None)
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))


def reread(ls: Server, params: object) -> None:
    """Settings may have changed: check every document again."""
    ls.settings.clear()
    for uri in ls.documents:
        check(ls, uri, 0)


def check(ls: Server, uri: str, pause: float) -> asyncio.Task[None]:
    """Check a document after a pause in seconds, in place of a check of an earlier version."""
    if before := ls.checks.get(uri):
        before.cancel()
    ls.checks[uri] = asyncio.ensure_future(_checked(ls, uri, pause))
    return ls.checks[uri]


async def _checked(ls: Server, uri: str, pause: float) -> None:
    await asyncio.sleep(pause)
    document = ls.documents[uri]
    try:
        look = partial(_look, document, ls.settings_for(uri))
        found = await asyncio.get_running_loop().run_in_executor(ls.worker, look)
    except Exception:
        ls.log(traceback.format_exc())
        found = []  # what was found in an earlier text would point anywhere
    if ls.documents.get(uri) is document:
        _tell(ls, uri, document, found)


def _tell(ls: Server, uri: str, document: Document, found: list[Finding]) -> None:
    """Publish what is found; of a text that never was the language's there is nothing to take back."""
    known = uri in ls.found
    ls.found[uri] = document, found
    if known or document.is_ours:
        shown = [diagnostic(document, finding) for finding in found]
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, shown, document.version))


def _look(document: Document, settings: Settings) -> list[Finding]:
    """What lint finds in a document; in one that is not the language's, nothing."""
    if not document.is_ours or is_excluded(document.name, settings):
        return []
    return lint(document.source, settings)


async def findings(ls: Server, uri: str) -> tuple[Document, list[Finding]] | None:
    """What is found in a document as it is now; None where it changes meanwhile."""
    document, known = ls.documents.get(uri), ls.found.get(uri)
    if document is None or (known and known[0] is document):
        return known
    under_way = ls.checks.get(uri)
    await asyncio.wait([check(ls, uri, 0) if under_way is None or under_way.done() else under_way])
    known = ls.found.get(uri)
    return known if known and known[0] is document else None
