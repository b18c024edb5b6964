"""What computes: versions and the machine. A model remembers them, for the last bits of its numbers hang on them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import NamedTuple

import h5py
import numpy as np
import torch

from nnlang.placement import ALONE, Placement
from nnlang.runtime.devices import CPU, Device
from nnlang.version import __version__

# Where these differ, a resumed run need not give the same bits (design.md 5); the others are told for support only.
DECISIVE = ("nnlang", "torch", "triton", "machine", "cpu", "threads", "device", "precision")
RANKS = "ranks"  # how many there are, where bits hang on it


class Difference(NamedTuple):
    """One thing that is not as it was."""

    what: str
    saved: str
    now: str


def versions(device: Device = CPU, placement: Placement = ALONE) -> dict[str, str]:
    """What runs now, for `Model.versions`: nnlang, torch, numpy, hdf5, python, platform, device and what decides there.

    `ranks` is there where there are several, and bits hang on how many. On the CPU that is `machine`, `cpu`, the
    instruction set that torch uses (such as AVX2), and `threads`, what it computes one operation with; elsewhere
    `triton` and the `precision` of products.
    """
    found = {
        "nnlang": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "hdf5": str(h5py.version.hdf5_version),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device.name,
    }
    if placement.ranks > 1 and not placement.exact:
        found[RANKS] = f"{placement.model} x {placement.data}" if placement.data > 1 else str(placement.model)
    if device.kind != "cpu":
        return found | {"triton": version("triton"), "precision": device.options.precision}
    return found | {
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def differences(saved: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """What differs of that which decides about bits; nothing for a model that remembers nothing."""
    pairs = [(k, saved[k], now[k]) for k in DECISIVE if k in saved and k in now]
    pairs += [(RANKS, saved.get(RANKS, "1"), now.get(RANKS, "1"))] if saved and now else []
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
