"""Memory counted before it is taken, and what is told where it, or the device, fails all the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from nnlang.codegen.plan import Plan
from nnlang.codes import training as codes
from nnlang.diagnostics import Stop, stop
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.hdf import available_memory

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
PlanFor = Callable[[int], Plan]  # the plan at a batch size

_TRIED = re.compile(r"Tried to allocate ([0-9.]+) (\w+)")  # what torch says


def text(count: float) -> str:
    """Bytes as people read them."""
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def free(device: Device = CPU) -> int:
    """Bytes that this process could take on a device now, what torch holds in reserve included."""
    if not device.on_gpu:
        return available_memory()
    reserve = torch.cuda.memory_reserved(device.torch) - torch.cuda.memory_allocated(device.torch)
    return torch.cuda.mem_get_info(device.torch)[0] + reserve


def check(plan_for: PlanFor, batch: int, device: Device = CPU, sharing: int = 1) -> None:
    """Raises Stop (exit 4) if a plan's memory at a batch size is more than there is for one of those that share it."""
    there, needed = free(device) // sharing, plan_for(batch).peak_memory
    if needed > there:
        raise _too_large(plan_for, batch, needed, there)


@contextmanager
def watched(plan_for: PlanFor, batch: int, device: Device) -> Iterator[None]:
    """What a device fails with while this lasts, as Stop: memory that ran out (4), its driver or a kernel (5)."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        taken = torch.cuda.memory_allocated(device.torch)
        raise _too_large(plan_for, batch, taken + _tried(str(error)), taken + free(device)) from error
    except Exception as error:
        if device.on_gpu and (reason := _failure(error)):
            raise stop(codes.DEVICE_FAILED, device=device.name, reason=reason) from error
        raise


def _too_large(plan_for: PlanFor, batch: int, needed: int, there: int) -> Stop:
    """The Stop for a batch that does not fit, with the one that would."""
    beside = needed - plan_for(batch).peak_memory  # what the plan does not know of
    smaller = batch
    while smaller > 1 and plan_for(smaller).peak_memory + beside > there:
        smaller //= 2
    fits = plan_for(smaller).peak_memory + beside <= there
    help = None if fits else "no batch is small enough: use fewer units, or a machine with more memory"
    return stop(codes.OUT_OF_MEMORY, needed=text(needed), free=text(there), batch=smaller, help=help)


def _tried(message: str) -> int:
    """Bytes that torch could not get."""
    found = _TRIED.search(message)
    return int(float(found[1]) * 1024 ** UNITS.index(found[2])) if found and found[2] in UNITS else 0


def _failure(error: Exception) -> str:
    """What a GPU, its driver or its compiler complain of; nothing for errors of another kind."""
    first = str(error).partition("\n")[0]
    if isinstance(error, torch.AcceleratorError) or first.startswith("Triton Error"):
        return first
    return first if type(error).__module__.startswith("triton.") else ""
