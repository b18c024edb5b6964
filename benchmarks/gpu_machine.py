"""The device that `benchmarks/gpu.py` measures: how times are taken on it, and what it can do at best."""

from __future__ import annotations

import math
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

Work = Callable[[], object]


@dataclass
class Machine:
    """A CUDA or ROCm device, or the CPU of a dry run, where everything runs and every time is NaN."""

    device: torch.device
    dry: bool = False
    copy: float = math.nan  # bytes a second, read plus written
    peaks: dict[str, float] = field(default_factory=dict)  # flop a second, by precision
    node: float = math.nan  # microseconds that a further node of a graph takes
    facts: dict[str, str] = field(default_factory=dict)

    def wait(self) -> None:
        """Until the device has done everything."""
        if not self.dry:
            torch.cuda.synchronize(self.device)

    def timed(self, work: Work, times: int = 1) -> float:
        """Milliseconds of one call among some in a row, by events on the device."""
        if self.dry:
            work()
            return math.nan
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / times

    def clocked(self, work: Work) -> float:
        """Milliseconds of one call by the host's clock, from an idle device to an idle device."""
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return math.nan if self.dry else (time.perf_counter() - began) * 1e3

    def graph(self, work: Work, warm_up: int = 3) -> Work:
        """The work as one graph; a call of what comes back replays it."""
        if self.dry:
            return work
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(warm_up):
                work()
        torch.cuda.current_stream(self.device).wait_stream(side)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured, stream=side):
            work()
        return captured.replay

    def held(self) -> int:
        """Bytes that tensors hold now; the count of the most starts anew."""
        if self.dry:
            return 0
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device)

    def most(self) -> float:
        """Bytes that tensors held at most since `held` was asked."""
        return math.nan if self.dry else torch.cuda.max_memory_allocated(self.device)


def measure(machine: Machine, times: int = 20) -> None:
    """Fills in what the machine is and what it does at best: copies, products, nodes of a graph."""
    machine.copy = copy_rate(machine, 1 << 10 if machine.dry else 1 << 28, times)
    for precision in ("fp32", "tf32", "bf16"):
        machine.peaks[precision] = product_rate(machine, precision, 64 if machine.dry else 8192, times)
    machine.peaks["tf32x3"] = machine.peaks["tf32"] / 3
    nodes, one = 4 if machine.dry else 1000, torch.zeros(1, device=machine.device)
    replay = machine.graph(lambda: [one.add_(1) for _ in range(nodes)])
    machine.node = fastest(machine, replay, times) * 1e3 / nodes
    machine.facts = facts(machine)


def copy_rate(machine: Machine, size: int, times: int) -> float:
    """Bytes a second, read plus written, of a copy of some floats."""
    source, target = torch.randn(size, device=machine.device), torch.empty(size, device=machine.device)
    return 2 * 4 * size / (fastest(machine, lambda: target.copy_(source), times) * 1e-3)


def product_rate(machine: Machine, precision: str, side: int, times: int) -> float:
    """Flops a second of a product of square random matrices, by torch."""
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=machine.device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * side**3 / (fastest(machine, lambda: torch.mm(a, b, out=out), times) * 1e-3)


def fastest(machine: Machine, work: Work, times: int) -> float:
    """The shortest of some calls, in milliseconds, after some that are not counted."""
    for _ in range(1 if machine.dry else 3):
        work()
    return min(machine.timed(work) for _ in range(1 if machine.dry else times))


def facts(machine: Machine) -> dict[str, str]:
    """What the machine is: card, driver, versions, clocks."""
    import triton

    found = {"python": platform.python_version(), "torch": torch.__version__, "triton": triton.__version__}
    if machine.dry:
        return {"card": "none (dry run)", **found}
    card = torch.cuda.get_device_properties(machine.device)
    found |= {
        "card": card.name,
        "capability": f"{card.major}.{card.minor}",
        "processors": str(card.multi_processor_count),
        "memory": f"{card.total_memory / 2**30:.0f} GiB",
        "L2": f"{card.L2_cache_size / 2**20:.0f} MiB",
        "CUDA": str(torch.version.cuda or torch.version.hip),
    }
    return found | driver()


ASKED = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu")


def driver() -> dict[str, str]:
    """What nvidia-smi tells of the first card; empty where there is no such command."""
    command = ["nvidia-smi", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader", "--id=0"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(ASKED, (word.strip() for word in told.strip().split(",")), strict=False))
