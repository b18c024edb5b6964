"""Emitted Triton modules as files of the user's cache folder, and their loading.

Triton reads the text of a kernel from its file. The file is named by the digest of what it holds, in a folder that only
the user can write to; what is run is the text that was asked for, never what happens to stand in the file.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

from nnlang.codes import targets as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.runtime.files import atomic_text
from nnlang.runtime.modulecheck import check

MODES = {False: "a compiler", True: "an interpreter"}


def load(source: str, *, interpreted: bool = False) -> ModuleType:
    """The module of an emitted text. interpreted: its kernels run on CPU tensors, as Python.

    Raises Stop if the cache folder is not safe (7), or this process has loaded triton the other way (5).
    """
    check(source)
    import_triton(interpreted=interpreted)
    path = _stored(source)
    module = ModuleType(f"nnlang_{path.stem[:16]}")
    module.__file__ = str(path)
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def import_triton(*, interpreted: bool) -> None:
    """Triton, ready to compile or to interpret; it decides on its first import and cannot change its mind."""
    if "triton" not in sys.modules:
        os.environ["TRITON_INTERPRET"] = "1" if interpreted else "0"
        os.environ["TRITON_DEFAULT_FP_FUSION"] = "1"  # a*b + c rounds once, whatever the default of this version
        os.environ.setdefault("TRITON_CACHE_DIR", str(folder("triton")))
    found = is_interpreted()
    if found != interpreted:
        raise stop(codes.OTHER_MODE, found=MODES[found], needed=MODES[interpreted])


def is_interpreted() -> bool:
    """Whether triton interprets kernels in this process."""
    functions = importlib.import_module("triton.language.standard")
    return not isinstance(functions.cdiv, importlib.import_module("triton.runtime.jit").JITFunction)


def folder(name: str) -> Path:
    """A folder of the user's cache that nobody else can write to, made where it is not there; raises Stop (7)."""
    root = _root()
    for path in (root, root / name):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            reason = _unsafe(path.lstat())
        except OSError as error:
            reason = error.strerror or str(error)
        if reason:
            raise _refused(path, reason)
    return root / name


def _root() -> Path:
    if given := os.environ.get("NNLANG_CACHE"):
        return Path(given).absolute()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "nnlang"
    except RuntimeError as error:
        raise _refused(Path("~"), "this user has no home folder") from error


def _unsafe(found: os.stat_result) -> str:
    """Why code is not loaded from such a folder; nothing where it is safe."""
    if not stat.S_ISDIR(found.st_mode):
        return "it is a link"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return "others can write to it" if found.st_mode & 0o022 else ""


def _refused(path: Path, reason: str) -> Stop:
    return stop(codes.CACHE_UNSAFE, Place(str(path)), path=path, reason=reason)


def _stored(source: str) -> Path:
    """The file of a text; whatever else stands in its place is replaced."""
    path = folder("modules") / f"{hashlib.sha256(source.encode()).hexdigest()}.py"
    if _content(path) != source.encode():
        if path.is_symlink():
            path.unlink()  # or its target would be written
        atomic_text(path, [source])
    return path


def _content(path: Path) -> bytes | None:
    """What a plain file holds; None where there is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            return stream.read()
    except OSError:
        return None
