"""`nnlang lsp`: the language server, started by editors."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

import typer

from nnlang.codes import usage as codes
from nnlang.diagnostics import stop


def lsp() -> None:
    """Serve editors: findings while you type, completion, hover, rename, quick fixes, formatting.

    An editor starts it and speaks the language server protocol with it on standard input and output. It needs the
    extra `lsp`: pip install 'nnlang[lsp]'.

    \b
    Neovim 0.11   vim.lsp.config('nnlang', { cmd = { 'nnlang', 'lsp' }, filetypes = { 'json', 'jsonc' } })
                  vim.lsp.enable('nnlang')
    Helix         [language-server.nnlang]
                  command = "nnlang"
                  args = ["lsp"]
    Emacs         (add-to-list 'eglot-server-programs '(json-mode . ("nnlang" "lsp")))

    docs/editors.md has the whole of these, and VS Code. JSON that is neither a definition nor a job gets no findings.
    """
    from nnlang.editor.server.service import serve

    if sys.stdin.isatty():
        raise stop(codes.BAD_USAGE, reason="an editor starts this command; nobody can speak with it", command="lsp")
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out, redirect_stdout(sys.stderr):
        raise typer.Exit(serve(sys.stdin.buffer, out))
