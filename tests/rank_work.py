"""`python -m tests.rank_work WORK [RANK]`: what tests let ranks do; the process that is no rank yet starts them.

steps: adds up without end and tells every half second, until a signal comes, as a training does. Others end rank RANK
in some way at its third step.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from nnlang.cli import ranks, show
from nnlang.codes import usage
from nnlang.diagnostics import INTERRUPTED, Stop, stop
from nnlang.placement import Placement
from nnlang.runtime import launch
from nnlang.runtime.interrupts import interruptible
from nnlang.runtime.world import in_ranks

if TYPE_CHECKING:
    from nnlang.runtime.mesh import Mesh

COMMAND = (sys.executable, "-m", "tests.rank_work")


def _diagnose() -> None:
    raise stop(usage.BAD_USAGE, reason="this rank has had enough", command="train", help="")


def _fail() -> None:
    raise ValueError("a mistake of ours")


ENDS: dict[str, Callable[[], object]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crashed": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "silent": lambda: os._exit(9),
    "left": lambda: sys.exit(0),
    "diagnosed": _diagnose,
    "failed": _fail,
    "slept": lambda: time.sleep(3600),
}


def steps(mesh: Mesh, end: Callable[[], object] | None, interrupted: Callable[[], bool]) -> None:
    """A loop as a training has it: a sum every step, a shared decision now and then."""
    import torch

    laid = mesh.lay(Placement(model=mesh.size, exact=True))
    x, step = torch.ones(1 << 18), 0
    while True:
        step += 1
        if step == 3 and end is not None:
            end()
        laid.model.sum(x.fill_(1.0))
        if step == 3 and mesh.is_first:
            show.say("third step")
        time.sleep(0.01)
        if mesh.share(interrupted()):
            show.say(f"interrupted, sum {int(x[0])}")
            raise typer.Exit(INTERRUPTED)


def work(name: str, rank: str = "") -> None:
    """One rank's work; everything that it says is said by a rank of its own."""
    from nnlang.runtime.devices import CPU

    launch.attend()
    with ranks.together(CPU, 2.0) as mesh:
        if name in ("same", "agree"):
            facts = {"definition": "a" if name == "same" or not mesh.rank else "b", "versions": "1"}
            mesh.agree(facts)
            show.say(f"rank {mesh.rank} of {mesh.size}")
            return
        end = ENDS[name] if mesh.rank == int(rank or -1) else None
        if mesh.is_first:
            with interruptible(lambda: show.tell("finishing")) as interrupted:
                steps(mesh, end, interrupted)
        steps(mesh, end, lambda: False)


def main(arguments: list[str]) -> int:
    """The exit code of a rank, or of all."""
    try:
        if in_ranks():
            work(*arguments)
            return 0
        ended = launch.start(int(arguments[0]), arguments[1:], COMMAND)
    except Stop as stopped:
        show.findings(stopped.diagnostics)
        return stopped.exit_code
    except typer.Exit as left:
        return left.exit_code
    except KeyboardInterrupt:
        show.tell("interrupted")
        return INTERRUPTED
    if ended.text:
        show.tell(ended.text)
    return ended.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
