"""Files are whole or absent, whatever fails on the way; what cannot be read is told with its reason."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnlang.codes import files as codes
from nnlang.diagnostics import DISK, Stop
from nnlang.runtime import files


def _write(content: bytes) -> files.Writer:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "a"
    files.atomic_write(target, _write(b"old"))
    files.atomic_text(target, ["new ", "ü\udcff\n"])
    assert target.read_bytes() == "new ü".encode() + b"\xff\n"
    assert os.listdir(tmp_path) == ["a"]


def test_the_file_behind_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    files.atomic_write(tmp_path / "link", _write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours"), OSError(errno.EIO, "input/output error")])
def test_the_old_file_stays_on_any_error(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    with pytest.raises((type(error), Stop)):
        files.atomic_write(target, write)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def _told(act: Callable[[], object]) -> Stop | None:
    """The `Stop` that an action raises, if it does."""
    try:
        act()
    except Stop as stopped:
        return stopped
    return None


class _FailingCalls:
    """Counts calls of functions of `os` and lets the n-th one fail."""

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int, number: int) -> None:
        self.count = 0
        for name in ("open", "fsync", "replace", "close"):
            patch.setattr(files.os, name, self._counted(getattr(os, name), fail_at, number))

    def _counted(self, call: Any, fail_at: int, number: int) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            result = call(*arguments, **named) if call.__name__ == "close" or self.count != fail_at else None
            if self.count == fail_at:
                raise OSError(number, os.strerror(number))
            return result

        return counted


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
def test_every_call_may_fail(tmp_path: Path, number: int) -> None:
    """Two files, each call failing once: either the old content or the new stands under each name, nothing else."""
    for fail_at in range(1, 40):
        for name in "ab":
            (tmp_path / name).write_bytes(b"old")
        with pytest.MonkeyPatch.context() as patch:
            calls = _FailingCalls(patch, fail_at, number)
            told = _told(lambda: files.atomic_write_all([(tmp_path / n, _write(b"new")) for n in "ab"]))
        assert told is None or (told.exit_code == DISK and str(tmp_path) in told.diagnostics[0].message)
        assert sorted(os.listdir(tmp_path)) == ["a", "b"]
        assert {(tmp_path / n).read_bytes() for n in "ab"} <= {b"old", b"new"}
        if calls.count < fail_at:
            return
    raise AssertionError("more calls than expected")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes there")
def test_a_full_disk_is_told_with_numbers(tmp_path: Path) -> None:
    program = f"""
import resource
from nnlang.diagnostics import Stop
from nnlang.runtime.files import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    atomic_write({str(tmp_path / "a")!r}, lambda p: p.write_bytes(bytes(5000)), needed=5000)
except Stop as stopped:
    print(stopped.exit_code, stopped.diagnostics[0].code.code, stopped.diagnostics[0].message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=_environment()
    )
    assert done.stdout.startswith(f"{DISK} {codes.DISK_FULL.code} ")
    assert "5.0 kB" in done.stdout
    assert os.listdir(tmp_path) == []


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def test_too_little_room_is_seen_before_writing(tmp_path: Path) -> None:
    with pytest.raises(Stop) as stopped:
        files.atomic_write(tmp_path / "a", _write(b""), needed=1 << 60)
    assert stopped.value.diagnostics[0].code is codes.DISK_FULL


def test_devices_are_not_replaced() -> None:
    with pytest.raises(Stop) as stopped:
        files.check_target(Path(os.devnull))
    assert stopped.value.diagnostics[0].code is codes.NOT_WRITABLE
    assert stopped.value.exit_code == DISK


def test_seals_show_any_change(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 10)
    assert not files.is_sealed(path)
    files.seal(path)
    assert files.is_sealed(path)
    whole = path.read_bytes()
    for place in (0, 1000, 2559, 2560, len(whole) - 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not files.is_sealed(path)
    path.write_bytes(whole[:-1])
    assert not files.is_sealed(path)
    path.write_bytes(b"")
    assert not files.is_sealed(path)


def test_one_file_for_two_purposes_is_refused(tmp_path: Path) -> None:
    files.distinct(input=tmp_path / "a", output=tmp_path / "b", other=None)
    with pytest.raises(Stop) as stopped:
        files.distinct(input=tmp_path / "a", feature_index=tmp_path / "x" / ".." / "a")
    assert stopped.value.diagnostics[0].code is codes.SAME_FILE
