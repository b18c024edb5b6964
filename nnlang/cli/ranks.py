"""Commands that run on several devices: their ranks are started here, and one of them speaks for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from nnlang.cli import options, show
from nnlang.codes import ranks as codes
from nnlang.diagnostics import Diagnostic, Stop, stop
from nnlang.runtime import launch
from nnlang.runtime.world import QUICK, World

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.mesh import Mesh

MOST = 1024


def start(devices: int | None, command: str, check: Callable[[int], None] = lambda size: None) -> World:
    """This process's place, where it is to do the work, alone or as a rank; a process that starts ranks exits here.

    Raises `Stop` for a number of devices that is not that of the ranks which torchrun has started, and what `check`
    raises for the number of devices.
    """
    options.positive("--devices", devices, command, MOST)
    here = launch.attend()
    if here.size > 1 and devices not in (None, here.size):
        raise stop(codes.OTHER_DEVICES, devices=devices, size=here.size)
    check(max(here.size, devices or 1))
    if here.size > 1 or not devices or devices == 1:
        if not here.is_first:
            show.silence()
        return here
    ended = launch.start(devices, sys.argv[1:])
    if ended.text:
        show.tell(ended.text)
    raise typer.Exit(ended.code)


def is_restarted(mesh: Mesh) -> bool:
    """Whether torchrun has started the ranks anew, so that the run is to be resumed; told once."""
    count = mesh.world.restarts
    if count and mesh.is_first:
        show.findings([Diagnostic(codes.RESTARTED, None, {"count": count})])
    return count > 0


@contextmanager
def together(place: Device, quick: float = QUICK) -> Iterator[Mesh]:
    """The mesh of all ranks while they work; what several of them meet one alone tells, and all end with its code.

    quick: seconds that a step waits for a rank that is silent.
    """
    from nnlang.runtime.mesh import join

    mesh = join(place, quick)
    launch.follow(mesh.world)
    try:
        yield mesh
    except Stop as stopped:
        if mesh.says(stopped):
            raise
        raise typer.Exit(stopped.exit_code) from stopped
    finally:
        mesh.close()
