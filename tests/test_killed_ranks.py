"""A rank is killed: all end with one message, soon, and what is resumed ends with the bits of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nnlang.diagnostics import DEVICE
from tests.killed_ranks import command, prepare
from tests.tiny import bits

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 8
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="ranks are found through /proc")


@pytest.mark.full
def test_the_command_trains_on_two_ranks_as_on_one(tmp_path: Path) -> None:
    prepare(tmp_path)
    for ranks in (1, 2):
        line = [sys.executable, "-P", "-m", "nnlang", *command(tmp_path, f"{ranks}.nc", ranks, 1)]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("trained\n") == 1 and ("devices   2: " in done.stdout) == (ranks == 2)
    assert same(tmp_path / "1.nc", tmp_path / "2.nc")


def same(one: Path, other: Path) -> bool:
    """Whether two models have the same arrays, bit for bit."""
    first, second = bits(one), bits(other)
    return first.keys() == second.keys() and all(first[k].tobytes() == second[k].tobytes() for k in first)


@pytest.mark.timeout(1200)
@pytest.mark.full
@pytest.mark.parametrize(("ranks", "kills"), [(2, 3), (4, 10)])
def test_a_killed_rank_ends_all_and_the_run_goes_on_bit_for_bit(tmp_path: Path, ranks: int, kills: int) -> None:
    line = [sys.executable, "-m", "tests.killed_ranks", str(tmp_path), str(ranks), str(kills), str(kills)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["same"] and len(told["ends"]) == kills, told
    for end in told["ends"]:
        assert end["code"] == DEVICE and end["seconds"] < 30 and not end["left"], end
        assert end["errors"].count("error[") == 1 and "error[NN800]" in end["errors"], end
        assert "Traceback" not in end["errors"] and "terminate" not in end["errors"], end


def torchrun(folder: Path, model: str, restarts: int) -> list[subprocess.Popen[str]]:
    """Two nodes of two ranks on this machine, each by a torchrun of its own."""
    given = command(folder, model, 4, EPOCHS)
    given.remove("--resume")
    place = ["--nnodes", "2", "--nproc-per-node", "2", "--max-restarts", str(restarts), "--rdzv-backend", "c10d"]
    place += ["--rdzv-endpoint", "localhost:29519", "--rdzv-id", model]
    line = [sys.executable, "-P", "-m", "torch.distributed.run", *place, "-m", "nnlang", *given]
    threads = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    pipe = subprocess.PIPE
    return [subprocess.Popen(line, cwd=folder, env=threads, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]


def rank_process(model: str, rank: int) -> int:
    """The process of a rank that trains this model."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, variables = (path / "cmdline").read_bytes(), (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if model.encode() in line.split(b"\0") and f"RANK={rank}".encode() in variables:
            return int(path.name)
    raise AssertionError("no such rank")


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rank", [0, 3])
def test_torchrun_starts_on_two_nodes_and_starts_anew(tmp_path: Path, rank: int) -> None:
    prepare(tmp_path)
    for model, restarts in (("straight.nc", 0), ("killed.nc", 1)):
        nodes = torchrun(tmp_path, model, restarts)
        try:
            if restarts:
                end = time.monotonic() + 120
                while not (tmp_path / f"{model}.checkpoint.2.0.nc").exists() and time.monotonic() < end:
                    time.sleep(0.02)
                os.kill(rank_process(model, rank), signal.SIGKILL)
            told = [node.communicate(timeout=240) for node in nodes]
        finally:
            for node in nodes:
                node.kill()
        assert [node.returncode for node in nodes] == [0, 0], told
        out, err = ("".join(texts) for texts in zip(*told, strict=True))
        assert out.count("trained\n") == 1 and err.count("note[NN808]") == restarts, told
    assert same(tmp_path / "straight.nc", tmp_path / "killed.nc")
