"""`python -m tests.crashes FOLDER KILLS SEED`: trains, is killed at random times, resumes; prints JSON.

Every training is a fork of this process, which has everything imported and has computed nothing yet. Runs that were
killed go on until they are done and their arrays are compared with those of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nnlang.diagnostics import Stop
from nnlang.runtime import checkpoint
from tests.tiny import bits, run

T = TypeVar("T")
EPOCHS = 12  # each ends in a checkpoint and a copy that stays


@dataclass
class Told:
    """What the test judges."""

    kills: int = 0
    runs: int = 0
    same: int = 0  # finished runs with the bits of the undisturbed one
    resumed: int = 0  # kills after which a whole checkpoint was there
    cut: int = 0  # kills that hit a writer
    damaged: int = 0  # files under their final names that cannot be read


def trained(path: Path) -> None:
    """The training, from wherever it stands."""
    run(path, training={"epochs": EPOCHS, "checkpoint_interval": 1}, resume=True)


def forked(work: Callable[[], None]) -> int:
    """The process that does the work."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def waited(child: int) -> int:
    """How a process ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def inspect(path: Path, told: Told) -> None:
    """Counts what a kill left: whole files are whole, the others bear the names of remains."""
    for file in path.parent.iterdir():
        if file.name.endswith(".tmp"):
            told.cut += 1
            continue
        try:
            bits(file)
        except Stop:
            told.damaged += 1
    told.resumed += bool(checkpoint.found(path))


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """All runs; what is compared are the bits of the model and the names of the files beside it."""
    return vars(killed(folder, kills, seed, trained, outcome, inspect)[0])


def outcome(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """What a run leaves."""
    return bits_of(path), sorted(p.name for p in path.parent.iterdir())


def killed(
    folder: Path,
    kills: int,
    seed: int,
    trained: Callable[[Path], None],
    outcome: Callable[[Path], T],
    inspect: Callable[[Path, Told], None],
) -> tuple[Told, T]:
    """Runs killed at random times until they are done, and what the run left that nobody disturbed."""
    told, chance = Told(), random.Random(seed)
    straight = folder / "straight" / "gl.nc"
    straight.parent.mkdir()
    began = time.monotonic()
    assert waited(forked(lambda: trained(straight))) == 0
    span = time.monotonic() - began
    wanted = outcome(straight)
    while told.kills < kills:
        told.runs += 1
        path = folder / str(told.runs) / "gl.nc"
        path.parent.mkdir()
        while told.kills < kills and not path.exists():
            child = forked(lambda path=path: trained(path))  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.7 * span))
            os.kill(child, signal.SIGKILL)
            if waited(child) == -signal.SIGKILL:
                told.kills += 1
                inspect(path, told)
        assert waited(forked(lambda path=path: trained(path))) == 0  # type: ignore[misc]
        told.same += outcome(path) == wanted
    return told, wanted


def bits_of(path: Path) -> dict[str, bytes]:
    """The arrays of a model file as bytes."""
    return {name: array.tobytes() for name, array in bits(path).items()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
