"""Checkpoints: which files stay, which is taken, and that no crash, full disk or failing call harms what was there."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnlang.codes import model as codes
from nnlang.diagnostics import DATA, DISK, Stop
from nnlang.runtime import checkpoint
from nnlang.runtime.devices import Device
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.versions import DECISIVE, differences, versions
from tests import networks
from tests.models import random_model, same

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and limits are those of POSIX")
ROOT = Path(__file__).resolve().parent.parent


def at(epoch: int, batch: int = 0) -> Model:
    return random_model(networks.one_hidden(), epoch, progress={"epoch": epoch, "batch": batch})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gl.nc"


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir())


def test_the_newest_two_stay(path: Path) -> None:
    written = [checkpoint.keep(at(epoch, batch), path) for epoch, batch in ((1, 0), (2, 7), (9, 100), (10, 3))]
    assert names(path) == ["gl.nc.checkpoint.10.3.nc", "gl.nc.checkpoint.9.100.nc"]
    assert checkpoint.found(path) == [((10, 3), written[3]), ((9, 100), written[2])]


def test_what_is_ahead_was_given_up(path: Path) -> None:
    for epoch in (3, 4, 2):
        checkpoint.keep(at(epoch), path)
    assert names(path) == ["gl.nc.checkpoint.2.0.nc"]


def test_interval_copies_have_the_names_of_dsstne(path: Path) -> None:
    assert checkpoint.keep_interval(at(10), path).name == "gl.nc10.nc"
    checkpoint.keep(at(11), path)
    checkpoint.finish(at(12), path)
    assert names(path) == ["gl.nc", "gl.nc10.nc"]


def test_other_files_stay(path: Path) -> None:
    others = ["gl.nc.checkpoint.txt", "gl.nc.checkpoint.1.nc", "other.nc.checkpoint.1.2.nc", ".gl.nc.tmp", "gl.nc2"]
    remains = [".gl.nc.0123456789ab.tmp", ".gl.nc.checkpoint.1.2.nc.0123456789ab.tmp"]
    for name in (*others, *remains):
        (path.parent / name).touch()
    checkpoint.finish(at(1), path)
    assert names(path) == sorted(["gl.nc", *others])


def test_the_furthest_is_taken(path: Path) -> None:
    assert checkpoint.newest(path) is None
    checkpoint.keep(at(2), path)
    checkpoint.keep(at(2, 5), path)
    save(at(1), path)
    found = checkpoint.newest(path)
    assert found is not None
    assert (found.path.name, found.notices) == ("gl.nc.checkpoint.2.5.nc", ())
    assert same(found.model, at(2, 5))


def test_a_finished_model_can_go_on(path: Path) -> None:
    checkpoint.keep(at(3), path)
    save(at(3), path)  # a crash before the checkpoints were dropped
    found = checkpoint.newest(path)
    assert found is not None
    assert found.path == path
    assert found.model.state


def test_a_model_of_another_run_is_not_gone_on_with(path: Path) -> None:
    for data, taken in (({"gl": "same"}, path), ({"gl": "other"}, None)):
        old, new = at(9), at(2, 7)
        old.progress["data"], new.progress["data"] = {"gl": "same"}, data
        save(old, path)
        kept = checkpoint.keep(new, path)
        found = checkpoint.newest(path)
        assert found is not None
        assert found.path == (taken or kept)


def test_damaged_checkpoints_are_passed_over(path: Path) -> None:
    checkpoint.keep(at(1), path)
    newest = checkpoint.keep(at(2), path)
    newest.write_bytes(newest.read_bytes()[:-2000])
    found = checkpoint.newest(path)
    assert found is not None
    assert found.model.progress["epoch"] == 1
    assert [(d.code, d.facts["path"]) for d in found.notices] == [(codes.CHECKPOINT_SKIPPED, str(newest))]
    checkpoint.keep(at(1, 4), path)
    assert not newest.exists()


def test_nothing_whole_is_an_error(path: Path) -> None:
    checkpoint.keep(at(1), path).write_text("nothing")
    path.write_bytes(b"")
    with pytest.raises(Stop) as stopped:
        checkpoint.newest(path)
    assert stopped.value.exit_code == DATA
    assert len(stopped.value.diagnostics) == 2


def test_names_with_signs_of_patterns(tmp_path: Path) -> None:
    path = tmp_path / "a[1]*.nc"
    checkpoint.keep(at(1), path)
    checkpoint.keep(at(1), tmp_path / "a1x.nc")
    assert [p.name for _, p in checkpoint.found(path)] == ["a[1]*.nc.checkpoint.1.0.nc"]


@needs_fork
@pytest.mark.parametrize("count", [10, pytest.param(40, marks=pytest.mark.full)])
def test_killed_writers_leave_a_whole_file(path: Path, count: int) -> None:
    told = driver("kill", path, count)
    assert told["good"] == count
    assert told["cut"] > 0, "no kill hit a save: the test shows nothing"
    assert names(path) == ["gl.nc"]


@needs_fork
def test_a_full_disk_keeps_the_old_file(path: Path) -> None:
    save(at(1), path)
    told = driver("fill", path, 300_000)
    assert told["exit"] == DISK
    assert f"`{path}`" in told["text"]
    assert "1.5 MB" in told["text"]
    assert names(path) == ["gl.nc"]
    assert same(load(path), at(1))


def driver(task: str, path: Path, number: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.models", task, str(path), str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


class Calls:
    """Counts the calls that reach the disk and lets one fail, or every write stop half-way."""

    def __init__(self, fails: int, number: int, *, short: bool = False) -> None:
        self.left, self.number, self.short = fails, number, short

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(self.number, os.strerror(self.number))

    def wrap(self, call: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.count()
            return call(*arguments, **named)

        return counted

    def opener(self, call: Any) -> Any:
        def counted(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            self.count()
            return Stream(self, call(path, mode, *arguments, **named))

        return counted


class Stream:
    """An open file whose calls are counted."""

    def __init__(self, calls: Calls, inner: Any) -> None:
        self.calls, self.inner = calls, inner

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self.inner.close()

    def seek(self, *where: int) -> Any:
        return self.inner.seek(*where)

    def truncate(self, length: int) -> Any:
        self.calls.count()
        return self.inner.truncate(length)

    def write(self, data: memoryview) -> Any:
        self.calls.count()
        return self.inner.write(data[: max(1, len(data) // 2)] if self.calls.short else data)


def save_with(calls: Calls, model: Model, path: Path) -> Stop | None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "fsync", "replace"):
            patch.setattr(os, name, calls.wrap(getattr(os, name)))
        patch.setattr(Path, "open", calls.opener(Path.open))
        try:
            save(model, path)
        except Stop as stop:
            return stop
    return None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
def test_every_failing_call_keeps_the_old_file(path: Path, number: int) -> None:
    save(at(1), path)
    before, nth = path.read_bytes(), 0
    while True:
        nth += 1
        calls = Calls(nth, number)
        stop = save_with(calls, at(2), path)
        assert names(path) == ["gl.nc"]
        if stop is None:
            assert same(load(path), at(2))  # the folder could not be flushed, or every call went well
            path.write_bytes(before)
        else:
            assert stop.exit_code == DISK
            assert str(path) in str(stop)
            assert path.read_bytes() == before
        if calls.left > 0:
            break
    assert nth > 15


def test_short_writes_are_gone_on_with(path: Path) -> None:
    assert save_with(Calls(0, 0, short=True), at(1), path) is None
    assert same(load(path), at(1))


def test_versions_say_what_decides() -> None:
    now = versions()
    elsewhere = versions(Device("interpret", name="interpret"))
    assert set(DECISIVE) <= {*now, *elsewhere}
    assert [d.what for d in differences(now, elsewhere)] == ["device"]
    assert all(now.values())
    assert differences(now, now) == []
    assert differences({**now, "threads": "64", "numpy": "1"}, now) == [("threads", "64", now["threads"])]
    assert differences({}, now) == []
