"""Texts that commands write anew: in their place, or to standard output."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from nnlang.cli import show
from nnlang.codes import files as codes
from nnlang.diagnostics import Place, printable, stop


def replace(path: str | os.PathLike[str], text: str) -> None:
    """Replace the file that a path leads to; who may read and write it stays as it is.

    Raises `Stop` (exit code 7) for a file that is write-protected, or that cannot be written.
    """
    import shutil

    from nnlang.runtime.files import atomic_write, write_text

    target = os.path.realpath(path)
    if not os.access(target, os.W_OK):  # replacing it needs no permission of the file's own
        help = "let it be written (`chmod u+w`) or work on a copy"
        raise stop(codes.NOT_WRITABLE, Place(str(path)), path=path, reason="it is write-protected", help=help)

    def write(ready: Path) -> None:
        write_text(ready, [text])
        old = os.stat(target)
        with suppress(OSError):  # only the owner's superuser may give files away
            os.chown(ready, old.st_uid, old.st_gid)
        shutil.copymode(target, ready)

    atomic_write(target, write)


def put(text: str) -> None:
    """Text to standard output: byte for byte as it would be in a file, but harmless on a terminal."""
    if sys.stdout.isatty():
        for line in text.removesuffix("\n").split("\n"):
            show.say(printable(line.replace("\t", "    ")))
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        show.silence()
