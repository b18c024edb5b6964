"""Which function answers which message, and the loop that serves one client."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import run_async

from nnlang.editor.references import RefusedError
from nnlang.editor.server import answers, state
from nnlang.editor.server.state import Server
from nnlang.linting.config import TABLES

_CHUNK = 65_536  # bytes


def serve(stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Serve one client until it says goodbye or is gone; 0 where it asked to shut down before, else 1."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # what there is to tell is told to the client
    server = Server()
    for method, handler, options in _FEATURES:
        server.feature(method, options)(_guarded(handler))
    try:
        asyncio.run(_served(server, stdin, stdout))
    except SystemExit:  # how pygls follows the client's `exit`
        pass
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        server.worker.shutdown(wait=False, cancel_futures=True)
    return 0 if server.asked_to_end else 1


async def _served(server: Server, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve until the client is done; cancelled by SIGTERM, which as an exception could be caught anywhere."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    task = asyncio.current_task()
    with suppress(NotImplementedError):  # on Windows
        loop.add_signal_handler(signal.SIGTERM, task.cancel if task else loop.stop)
    pump = partial(_pump, stdin, reader, loop)
    threading.Thread(target=pump, daemon=True).start()  # a thread that waits for input keeps no process alive
    gone = threading.Event()
    server.protocol.set_writer(_Writer(stdout, gone))
    with suppress(asyncio.IncompleteReadError, ValueError):  # a message cut short, a header line without an end
        await run_async(gone, reader, server.protocol, error_handler=server.report_server_error)


class _Writer:
    """Writes to the client; once it listens no more nothing is written, and `gone` is set."""

    def __init__(self, stdout: BinaryIO, gone: threading.Event) -> None:
        self.stdout, self.gone = stdout, gone

    def write(self, data: bytes) -> None:
        if self.gone.is_set():
            return
        try:
            self.stdout.write(data)
            self.stdout.flush()
        except OSError:
            self.gone.set()
            self.close()

    def close(self) -> None:
        with suppress(OSError):  # what it could not write before it cannot write now
            self.stdout.close()


def _pump(stdin: BinaryIO, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    """Hand on what comes in until nothing comes."""
    try:
        while data := os.read(stdin.fileno(), _CHUNK):
            loop.call_soon_threadsafe(reader.feed_data, data)
        loop.call_soon_threadsafe(reader.feed_eof)
    except RuntimeError:  # the loop has ended before the input
        return


def _guarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler that answers with nothing where it fails, and tells the client's log."""

    @wraps(handler)
    def plain(ls: Server, params: Any) -> Any:
        try:
            return handler(ls, params)
        except RefusedError as error:
            raise JsonRpcException(str(error), types.LSPErrorCodes.RequestFailed.value) from None
        except Exception:
            ls.log(traceback.format_exc())
            return None

    @wraps(handler)
    async def later(ls: Server, params: Any) -> Any:
        try:
            return await handler(ls, params)
        except Exception:
            ls.log(traceback.format_exc())
            return None

    return later if inspect.iscoroutinefunction(handler) else plain


def _initialized(ls: Server, params: object) -> None:
    """Ask to be told when a configuration changes, where the client can be asked."""
    able = getattr(ls.client_capabilities.workspace, "did_change_watched_files", None)
    if able is None or not able.dynamic_registration:
        return
    watched = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(f"**/{name}") for name in TABLES])
    wish = types.Registration("nnlang-settings", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched)
    ls.client_register_capability(types.RegistrationParams([wish]))


def _shut_down(ls: Server, params: object) -> None:
    ls.asked_to_end = True
    for task in ls.checks.values():
        task.cancel()


_ACTIONS = types.CodeActionOptions([types.CodeActionKind.QuickFix, answers.FIX_ALL], resolve_provider=True)
_COMPLETION = types.CompletionOptions(trigger_characters=['"', ":", " "])
_FEATURES: tuple[tuple[str, Callable[..., Any], Any], ...] = (
    (types.INITIALIZED, _initialized, None),
    (types.TEXT_DOCUMENT_DID_OPEN, state.opened, None),
    (types.TEXT_DOCUMENT_DID_CHANGE, state.changed, None),
    (types.TEXT_DOCUMENT_DID_CLOSE, state.closed, None),
    (types.TEXT_DOCUMENT_DID_SAVE, state.reread, None),
    (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, state.reread, None),
    (types.WORKSPACE_DID_CHANGE_CONFIGURATION, state.reread, None),
    (types.TEXT_DOCUMENT_COMPLETION, answers.complete, _COMPLETION),
    (types.TEXT_DOCUMENT_HOVER, answers.describe, None),
    (types.TEXT_DOCUMENT_DEFINITION, answers.define, None),
    (types.TEXT_DOCUMENT_REFERENCES, answers.refer, None),
    (types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, answers.highlight, None),
    (types.TEXT_DOCUMENT_PREPARE_RENAME, answers.prepare_rename, None),
    (types.TEXT_DOCUMENT_RENAME, answers.rename, None),
    (types.TEXT_DOCUMENT_CODE_ACTION, answers.code_actions, _ACTIONS),
    (types.CODE_ACTION_RESOLVE, answers.resolve, None),
    (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, answers.outline, None),
    (types.TEXT_DOCUMENT_FOLDING_RANGE, answers.fold, None),
    (types.TEXT_DOCUMENT_FORMATTING, answers.lay_out, None),
    (types.SHUTDOWN, _shut_down, None),
)
