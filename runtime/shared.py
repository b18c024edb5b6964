"""Asynchronous training: processes of one machine update the same weights in shared memory, and none waits for another.

Every rank takes its part of each batch, reads the weights as they happen to be, and adds its step to them without a
lock ("Hogwild"): what two ranks write at the same moment to the same number may be lost. Ranks wait for one another
only where a group ends: at the end of an epoch, or before a checkpoint. No two runs give the same numbers.

What is divided by must not be lost: a rank that overwrites a sum of squares with what it was makes the next step of
another one huge. So the optimiser's states are every rank's own, as are running statistics, and become their mean where
the ranks meet.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nnlang.codes import ranks as codes
from nnlang.compiler import LEARNED
from nnlang.diagnostics import Diagnostic, stop
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.runtime.averaging import apart, average, together
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import Device
from nnlang.runtime.executor import At
from nnlang.runtime.feed import Batch, Ids
from nnlang.runtime.memory import text
from nnlang.runtime.program import Program
from nnlang.runtime.steps import CpuSteps, Outcome, Wait
from nnlang.runtime.ways import Hurry, Note, dealt

if TYPE_CHECKING:
    from nnlang.runtime.mesh import Mesh

ALIGNED = 64  # bytes: a state begins a line of the caches
FOLDERS = ("/dev/shm", tempfile.gettempdir())
BOOT = Path("/proc/sys/kernel/random/boot_id")  # tells machines of one name apart


@dataclass(frozen=True)
class Asynchronous:
    """Training without waiting, on the CPUs of one machine."""

    name, entry = "asynchronous", "step"

    def program(
        self, network: Network, settings: Training, batch: int, device: Device, placement: Placement, mesh: Mesh
    ) -> Program:
        """The program of one rank; Stop on a GPU (NN821), or where a batch has fewer rows than ranks (NN820)."""
        if device.kind != "cpu":
            reason = f"on `{device.kind}` a device has a memory of its own; lock-free steps need one that all share"
            raise stop(codes.NOT_ASYNCHRONOUS, reason=reason)
        return apart(network, settings, batch, device, mesh)

    def batches(self, examples: int, batch: int) -> int:
        """How many outcomes an epoch has."""
        return -(-examples // batch)

    def steps(
        self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, note: Note
    ) -> AsynchronousSteps:
        """The steps of a run; from now on the program's weights are those of all ranks. Stop (NN821, NN822)."""
        note(Diagnostic(codes.NOT_REPRODUCIBLE))
        return AsynchronousSteps(program, feed, brake, mesh, hurry, share_states(program, mesh))


@dataclass
class Group:
    """The batches of an epoch's order from `first` on; `count` of them were done when all ranks had come together."""

    order: Ids | None
    first: int
    count: int = 0


class AsynchronousSteps:
    """Steps of one rank over weights that all ranks share; a group is what is left of the epoch.

    Where the first rank is in a hurry, all ranks run on to the batch that the furthest one has done, and meet there.
    A rank brakes by its own errors within a group.
    """

    ahead = 0

    def __init__(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, flag: Tensor) -> None:
        assert program.training is not None
        self._program, self._mesh, self._steps = program, mesh, CpuSteps(program, brake)
        self._brake, self._hurry, self._flag = replace(brake), hurry, flag
        self._own = [state for info, state in program.states.items() if not _is_shared(info)]
        self._dealt = dealt(feed, program.training.batch, mesh.data)

    def parts(self, order: Ids | None, first: int) -> Iterator[Group]:
        """The groups of an epoch from a batch on, each from where the one before has ended."""
        while first < self._dealt.batches:
            group = Group(order, first)
            yield group
            assert group.count, "a group was launched before the next is asked for"
            first += group.count

    def launch(self, part: Group, at: At) -> Wait:
        """Runs this rank's part of the epoch until it is done or somebody waits, then meets the others."""
        self._mesh.barrier()  # nobody changes the weights while another rank still measures or saves them
        most = self._dealt.batches - part.first
        errors: list[float] = []
        while len(errors) < most and not (errors and self._is_halted()):
            errors.append(self._step(part, len(errors), at))
        meeting = max(self._mesh.everyone(len(errors)))
        while len(errors) < meeting:
            errors.append(self._step(part, len(errors), at))
        rows = [self._dealt.rows(part.first + i) for i in range(meeting)]
        outcomes: list[Outcome] = together(self._mesh, self._brake, rows, errors)
        average(self._own, self._mesh.data)
        self._steps.go_on(self._brake)
        self._flag.zero_()
        part.count = meeting
        return lambda: outcomes

    def _is_halted(self) -> bool:
        """Whether the first rank wants all to meet."""
        if self._mesh.is_first and self._hurry():
            self._flag.fill_(1)
        return bool(self._flag)

    def _step(self, part: Group, number: int, at: At) -> float:
        """This rank's part of a batch of the group; the sum of its rows' errors."""
        mine = self._dealt.part(part.order, part.first + number)
        if mine is None:
            return 0.0
        assert isinstance(mine, Batch)
        (outcome,) = self._steps.launch(mine, at._replace(steps=at.steps + number))()
        return outcome.error


def _is_shared(info: StateInfo) -> bool:
    return (info.owner, info.part) in LEARNED


def share_states(program: Program, mesh: Mesh) -> Tensor:
    """Puts a program's weights into memory that all ranks share, with the first rank's values; gives a shared flag (0).

    The memory is a file that has no name any more as soon as all have mapped it: it goes with the last process. Raises
    Stop where a rank runs on another machine (NN821), or where there is no room for the file (NN822).
    """
    places, size = _layout({info: state for info, state in program.states.items() if _is_shared(info)})
    _check_machine(mesh)
    path = mesh.share(_make(size) if mesh.is_first else None)
    if not path:
        raise stop(codes.NO_SHARED_MEMORY, needed=text(size), folders=" nor ".join(FOLDERS))
    shared, failure = _mapped(path, size)
    failures = [reason for reason in mesh.everyone(failure) if reason]  # which also waits until all have mapped it
    if mesh.is_first:
        os.unlink(path)
    if shared is None or failures:
        raise stop(codes.NOT_ASYNCHRONOUS, reason=f"a rank cannot open what the first one made: {failures[0]}")
    for info, place in places.items():
        own = program.states[info]
        view = shared[place : place + own.numel() * own.element_size()].view(own.dtype).view(own.shape)
        if mesh.is_first:
            view.copy_(own)
        program.states[info] = view
    mesh.barrier()
    return shared[:8].view(torch.int64)


def _layout(states: Mapping[StateInfo, Tensor]) -> tuple[dict[StateInfo, int], int]:
    """Where each state begins behind the flag, and the bytes of all."""
    places: dict[StateInfo, int] = {}
    end = ALIGNED
    for info, state in states.items():
        places[info] = end
        end += -(-state.numel() * state.element_size() // ALIGNED) * ALIGNED
    return places, end


def _check_machine(mesh: Mesh) -> None:
    """Raises Stop (NN821) where the ranks are not all on one machine."""
    boot = BOOT.read_text().strip() if BOOT.is_file() else ""
    machines = mesh.everyone([platform.node(), boot])
    if any(machine != machines[0] for machine in machines):
        names = ", ".join(sorted({machine[0] for machine in machines}))
        reason = f"the ranks run on several machines ({names}), whose memories are apart"
        raise stop(codes.NOT_ASYNCHRONOUS, reason=reason)


def _make(size: int) -> str:
    """A new file of zeros with all its room taken, in the first folder that has it; "" where none has."""
    for folder in FOLDERS:
        with contextlib.suppress(OSError):
            handle, path = tempfile.mkstemp(prefix="nnlang-", dir=folder)
            try:
                os.posix_fallocate(handle, 0, size)  # without it a full folder would kill the process that writes
                return path
            except OSError:
                os.unlink(path)
            finally:
                os.close(handle)
    return ""


def _mapped(path: str, size: int) -> tuple[Tensor | None, str]:
    """The bytes of a file as memory that this process shares with all that map it too; or None, and why not."""
    try:
        with open(path, "r+b") as file:
            return torch.frombuffer(mmap.mmap(file.fileno(), size), dtype=torch.uint8), ""
    except OSError as error:
        return None, str(error)
