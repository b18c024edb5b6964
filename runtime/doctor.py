"""What a run here would stand on: versions, devices, memory, the cache folder."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from nnlang.diagnostics import Stop
from nnlang.runtime import modules
from nnlang.runtime.devices import Device, obstacle
from nnlang.runtime.memory import free, text
from nnlang.runtime.versions import versions

PACKAGES = ("triton", "h5py", "netCDF4", "pyarrow")
DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/sys/module/amdgpu/version"))


def facts(device: Device) -> dict[str, str]:
    """What there is, by name, in the order in which people read it."""
    found = versions() | {name: _version(name) for name in PACKAGES}
    return {
        **{name: found[name] for name in ("nnlang", "python", "platform", "torch", "numpy", *PACKAGES)},
        "cpu": f"{os.cpu_count()} cores ({found['cpu']}), torch uses {found['threads']}",
        "memory": f"{text(free())} free",
        "gpu": obstacle("cuda") or f"{torch.cuda.get_device_name()}, {_gpu_memory()}",
        "driver": _driver(),
        "ptxas": _ptxas(),
        "cache": _cache(),
        "device": f"{device.name} ({device.target}), {device.options.precision}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gpu_memory() -> str:
    there, total = torch.cuda.mem_get_info()
    return f"{text(there)} of {text(total)} free"


def _driver() -> str:
    """The driver of the GPUs, in its own words."""
    for path in DRIVERS:
        try:
            return path.read_text(encoding="utf-8", errors="replace").splitlines()[0]
        except (OSError, IndexError):
            continue
    return "none"


def _ptxas() -> str:
    """The assembler that triton has chosen for CUDA."""
    try:
        if "triton" not in sys.modules:
            modules.import_triton(interpreted=os.environ.get("TRITON_INTERPRET") == "1")
        from triton import knobs

        tool = knobs.nvidia.ptxas
        return f"{tool.version} ({tool.path})"
    except (ImportError, AttributeError, RuntimeError) as error:
        return f"none ({error})"


def _cache() -> str:
    """Where emitted modules and compiled kernels are kept, and how much that is."""
    try:
        root = modules.folder("modules").parent
    except Stop as stopped:
        return stopped.diagnostics[0].message
    held = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    return f"{root}, {text(held)}"
