"""`nnlang doctor --devices`: the links between real ranks, measured; what is wrong is exit 5."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nnlang.cli import doctor, ranks, run_command
from nnlang.diagnostics import DEVICE
from nnlang.runtime import links
from nnlang.runtime.devices import Device
from nnlang.runtime.links import SIZES, Link, Sum
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.world import World
from tests.killed_ranks import ranks_of

COMMAND = [sys.executable, "-P", "-m", "nnlang", "doctor", "--device", "cpu", "--devices"]
HOSTS = [{"host": "first", "device": "cpu", "threads": "1"}, {"host": "second", "device": "cpu", "threads": "1"}]


@pytest.mark.full
def test_real_links_are_measured() -> None:
    done = subprocess.run([*COMMAND, "2", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["rank"] for row in rows if row["event"] == "rank"] == [0, 1]
    (link,) = (row for row in rows if row["event"] == "link")
    assert (link["first"], link["second"], link["is_right"]) == (0, 1, True)
    assert 0 < link["latency"] < 1 and link["rate"] > 1e6
    sums = [row for row in rows if row["event"] == "sum"]
    assert [row["size"] for row in sums] == list(SIZES)
    assert all(row["is_right"] and row["library"] > 0 and row["exact"] > 0 for row in sums)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two ranks, of which this process is the first, without processes."""

    @contextmanager
    def together(place: Device) -> Iterator[Mesh]:
        yield Mesh(0, 2)

    monkeypatch.setattr(ranks, "start", lambda devices, command: World(0, 2))
    monkeypatch.setattr(ranks, "together", together)
    monkeypatch.setattr(links, "hosts", lambda mesh, device: HOSTS)
    return monkeypatch


@pytest.mark.parametrize(("link", "total"), [(False, True), (True, False), (True, True)])
def test_what_came_back_wrong_is_exit_5(
    measured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], link: bool, total: bool
) -> None:
    measured.setattr(links, "links", lambda mesh, device, hosts: [Link(0, 1, 2.5e-5, 3.1e9, link)])
    measured.setattr(links, "sums", lambda mesh, device: [Sum(1 << 20, 1.5e-3, 2.5e-3, total)])
    assert run_command(["doctor", "--device", "cpu", "--devices", "2"]) == (0 if link and total else DEVICE)
    shown = capsys.readouterr().out
    words = {True: "ok", False: "FAILED"}
    assert f"0 - 1  25.0 us  3.1 GB/s  {words[link]}" in shown
    assert f"1.0 MB  1.500 ms    2.500 ms         {words[total]}" in shown and "second" in shown


@pytest.mark.full
def test_a_rank_that_hangs_is_a_link_that_failed() -> None:
    with subprocess.Popen([*COMMAND, "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        stopped = _stop_when_joined(process.pid)
        began = time.monotonic()
        _, errors = process.communicate(timeout=90)
        assert process.returncode == DEVICE and errors.count("error[") == 1, errors
        assert "error[NN807]: the link between rank 0" in errors or "error[NN801]" in errors
        assert time.monotonic() - began < 40 and not Path(f"/proc/{stopped}").exists()


def _stop_when_joined(parent: int) -> int:
    """The second rank, stopped as soon as it has met the first."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = ranks_of(parent)
        if 1 in found and len(list(Path(f"/proc/{found[1]}/task").iterdir())) > 4:  # gloo's threads beside ours
            time.sleep(0.2)
            os.kill(found[1], signal.SIGSTOP)
            return found[1]
        time.sleep(0.01)
    raise AssertionError("the ranks did not meet")


def test_the_help_names_the_links() -> None:
    assert "--devices 4" in (doctor.doctor.__doc__ or "")
