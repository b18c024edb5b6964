"""Ranks that are started, watched and ended together: with stand-ins that need no torch, and for real."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from nnlang.codes import ranks as codes
from nnlang.diagnostics import DEVICE, DISK, INTERRUPTED, Stop
from nnlang.runtime import launch
from nnlang.runtime.launch import Ended
from tests.rank_work import COMMAND

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = """
import os, signal, sys, time
rank, folder = int(os.environ["RANK"]), os.environ["NNLANG_RANKS"]
def lost():
    open(f"{folder}/lost-{rank}", "w").write("nothing came")
    sys.exit(5)
def says(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)
"""


def run(work: str, ranks: int = 3) -> Ended:
    return launch.start(ranks, (STAND_IN + work,), (sys.executable, "-c"))


def fault(work: str, ranks: int = 3) -> dict[str, object]:
    with pytest.raises(Stop) as stopped:
        run(work, ranks)
    (found,) = stopped.value.diagnostics
    assert stopped.value.exit_code == DEVICE
    return {"code": found.code, **found.facts}


def test_all_is_well() -> None:
    assert run("print('heard by nobody') if rank else None") == Ended(0)


def test_each_rank_knows_its_place() -> None:
    work = """
e = os.environ
ok = (e["WORLD_SIZE"], e["LOCAL_RANK"], e["LOCAL_WORLD_SIZE"]) == ("3", e["RANK"], "3")
sys.exit(0 if ok and int(e["OMP_NUM_THREADS"]) >= 1 and "TORCHELASTIC_RESTART_COUNT" not in e else 9)
"""
    assert run(work) == Ended(0)


def test_threads_and_network_can_be_chosen() -> None:
    given = {"OMP_NUM_THREADS": "7", "GLOO_SOCKET_IFNAME": "eth1", "TORCHELASTIC_RESTART_COUNT": "1", "RANK": "9"}
    made = launch.environment(1, 4, "folder", 3, given)
    assert (made["OMP_NUM_THREADS"], made["GLOO_SOCKET_IFNAME"], made["RANK"]) == ("7", "eth1", "1")
    assert "TORCHELASTIC_RESTART_COUNT" not in made


@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_is_killed_ends_all(rank: int) -> None:
    began = time.monotonic()
    found = fault(f"os.kill(os.getpid(), 9) if rank == {rank} else (time.sleep(0.1), lost())")
    assert (found["code"], found["rank"]) == (codes.RANK_DIED, rank)
    assert "signal 9 (SIGKILL)" in str(found["how"]) and "memory" in str(found["remedy"])
    assert time.monotonic() - began < launch.GRACE


def test_ranks_that_do_not_notice_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE", 0.2)
    began = time.monotonic()
    found = fault("os.kill(os.getpid(), 11) if rank == 1 else time.sleep(60)")
    assert "signal 11 (SIGSEGV)" in str(found["how"]) and "memory" not in str(found["remedy"])
    assert time.monotonic() - began < 10


def test_a_rank_that_ends_without_a_word_is_told() -> None:
    assert "exit code 9 and said nothing" in str(
        fault("os._exit(9) if rank == 1 else (time.sleep(0.2), lost())")["how"]
    )


def test_what_another_rank_says_is_told_once() -> None:
    assert run("(time.sleep(0.2), lost()) if rank != 2 else says(3, 'bad data')") == Ended(3, "bad data")


def test_what_the_first_rank_says_is_not_told_again(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("says(3, 'bad data')") == Ended(3)
    assert capfd.readouterr().err == "bad data\n"


def test_only_the_end_of_a_long_text_is_told() -> None:
    ended = run("lost() if rank != 1 else says(3, 'a' * 100_000 + 'the end')")
    assert ended.code == 3 and ended.text.endswith("the end") and len(ended.text) <= 4096


def test_ranks_that_only_lose_one_another_say_so() -> None:
    found = fault("lost()")
    assert (found["code"], found["reason"]) == (codes.LOST, "nothing came")


class Session(NamedTuple):
    """Real ranks, begun, and ended somehow."""

    code: int
    out: str
    err: str
    seconds: float


def session(*arguments: str, signals: Sequence[signal.Signals] = (), ranks: int = 2) -> Session:
    """How real ranks end after their third step, or by a signal to the process that started them."""
    command = [*COMMAND, str(ranks), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        first = process.stdout.readline() if signals else ""
        began = time.monotonic()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.05)
        out, err = process.communicate(timeout=90)
        return Session(process.returncode, first + out, err, time.monotonic() - began)


def test_a_signal_is_decided_upon_by_the_first_rank() -> None:
    found = session("steps", signals=[signal.SIGTERM])
    assert (found.code, found.out, found.err) == (INTERRUPTED, "third step\ninterrupted, sum 2\n", "finishing\n")


def test_a_killed_rank_is_one_message() -> None:
    found = session("killed", "1")
    assert found.code == DEVICE and found.out == ""
    assert found.err.count("error[") == 1 and "rank 1 of 2 was killed by signal 9 (SIGKILL)" in found.err


def test_nobody_is_left_when_the_starting_process_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"-{os.getpid()}"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = session("steps", mark, signals=[signal.SIGKILL])
    assert found.code == -signal.SIGKILL and found.seconds < 10, "ranks held its output open"
    assert not _left(mark)
    assert not list(tmp_path.glob("nnlang-ranks-*"))


def _left(mark: str) -> list[str]:
    """Ranks of a test that still run, where the system can tell."""
    deadline, found = time.monotonic() + 5, ["?"]
    while found and time.monotonic() < deadline:
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if b"tests.rank_work\0" in command and mark.encode() in command:
                found.append(path.name)
        time.sleep(0.1)
    return found


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_every_signal_to_stop_is_passed_on(number: signal.Signals) -> None:
    assert session("steps", signals=[number], ranks=3).code == INTERRUPTED


@pytest.mark.full
def test_a_second_signal_ends_all_at_once() -> None:
    found = session("steps", signals=[signal.SIGINT, signal.SIGINT])
    assert found.code == INTERRUPTED and found.err.endswith("interrupted\n") and found.seconds < 5


ENDS = [
    ("killed", "0", DEVICE, "error[NN800]: rank 0 of 3 was killed by signal 9 (SIGKILL)"),
    ("crashed", "2", DEVICE, "error[NN800]: rank 2 of 3 was killed by signal 11 (SIGSEGV)"),
    ("silent", "1", DEVICE, "error[NN800]: rank 1 of 3 ended with exit code 9 and said nothing"),
    ("left", "1", DEVICE, "error[NN801]: another rank is not heard any more: "),
    ("slept", "1", DEVICE, "error[NN801]: another rank is not heard any more: Timed out"),
    ("diagnosed", "0", 2, "error[NN704]: this rank has had enough"),
    ("diagnosed", "2", 2, "error[NN704]: this rank has had enough"),
    ("agree", "", 2, "error[NN802]: the ranks do not have the same definition: `a` on rank 0, `b` on rank 1"),
]


@pytest.mark.full
@pytest.mark.parametrize(("end", "rank", "code", "words"), ENDS)
def test_every_end_is_one_message(end: str, rank: str, code: int, words: str) -> None:
    found = session(*filter(None, (end, rank)), ranks=3)
    assert found.code == code and found.seconds < 30
    assert found.err.startswith(words) and found.err.count("error[") == 1, found.err
    assert "Traceback" not in found.err and "terminate" not in found.err


@pytest.mark.full
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_mistake_of_ours_is_told_by_its_rank(rank: str) -> None:
    found = session("failed", rank)
    assert found.code == 1 and "ValueError: a mistake of ours" in found.err


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
def test_a_full_folder_for_temporary_files_is_told(tmp_path: Path) -> None:
    line = [sys.executable, "-P", "-m", "nnlang", "train", "-c", "c", "-i", "i", "-o", "o", "-n", "n", "--devices", "2"]
    done = subprocess.run(
        line,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
    )
    assert done.returncode == DISK and "error[NN716]" in done.stderr, done.stderr
