"""What compiled kernels take of a multiprocessor (SM, compute unit), and how full they can keep it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlang.runtime.aot import Kernel

PARTS = 4  # of a multiprocessor, each with its own registers: warps are dealt out evenly


@dataclass(frozen=True)
class Limits:
    """What a multiprocessor has: registers of 32 bits, warps, blocks, bytes of shared memory.

    lanes: threads of a warp; grain: registers of a thread are allocated in multiples of it; most_shared: bytes that one
    block may have; reserved: bytes beside those of each block; unit: shared memory is allocated in multiples of it.
    """

    registers: int
    warps: int
    blocks: int
    shared: int
    most_shared: int
    reserved: int = 1 << 10
    unit: int = 128
    lanes: int = 32
    grain: int = 8


LIMITS = {  # tables of compute capabilities in NVIDIA's programming guide; AMD's CDNA3 architecture guide
    "cuda:80": Limits(65_536, 64, 32, 164 << 10, 163 << 10),
    "cuda:90": Limits(65_536, 64, 32, 228 << 10, 227 << 10),
    "cuda:100": Limits(65_536, 64, 32, 228 << 10, 227 << 10),
    "hip:gfx942": Limits(4 * 512 * 64, 32, 16, 64 << 10, 64 << 10, reserved=0, unit=512, lanes=64),
}


@dataclass(frozen=True)
class Resources:
    """What a kernel takes: registers, and bytes of spills and stack, of a thread; bytes of shared memory of a block.

    occupancy: warps that can be there at once, of those that a multiprocessor holds; matrix: matrix instructions
    (mma, wgmma, tcgen05.mma, mfma) in the program.
    """

    kernel: str
    registers: int
    shared: int
    spills: int
    stack: int
    warps: int
    stages: int
    occupancy: float
    matrix: int


def resources(kernel: Kernel) -> Resources:
    """What a compiled kernel takes."""
    read = _of_ptxas if kernel.target.startswith("cuda:") else _of_metadata
    registers, spills, stack = read(kernel)
    share = occupancy(kernel.target, registers, kernel.shared, kernel.warps)
    text = kernel.texts.get("ptx") or kernel.texts["amdgcn"]
    matrix = len(re.findall(r"\b(?:wgmma\.mma_async|mma\.sync|tcgen05\.mma|v_mfma_\w+)\b", text))
    return Resources(kernel.name, registers, kernel.shared, spills, stack, kernel.warps, kernel.stages, share, matrix)


def occupancy(target: str, registers: int, shared: int, warps: int) -> float:
    """The share of a multiprocessor's warps that blocks of a kernel fill: the least of what each resource allows.

    registers: of a thread; shared: bytes of a block; warps: of a block. Tensor memory (sm_100) is not counted.
    """
    has = LIMITS[target]
    of_warp = _rounded(registers, has.grain) * has.lanes
    by_registers = has.registers // PARTS // max(1, of_warp) * PARTS // warps
    by_shared = has.shared // max(1, _rounded(shared + has.reserved, has.unit))
    blocks = min(by_registers, by_shared, has.warps // warps, has.blocks)
    return blocks * warps / has.warps


def _rounded(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def _of_ptxas(kernel: Kernel) -> tuple[int, int, int]:
    """Registers, bytes of spills, bytes of stack: the words of the assembler that made the binary."""
    numbers = (r"Used (\d+) registers", r"(\d+) bytes spill stores", r"(\d+) bytes spill loads", r"(\d+) bytes stack")
    registers, stores, loads, stack = (_number(form, kernel.log) for form in numbers)
    return registers, stores + loads, stack


def _of_metadata(kernel: Kernel) -> tuple[int, int, int]:
    """The same of an AMD kernel, as its metadata say; scalar registers spill into vector registers, not into memory."""
    keys = ("vgpr_count", "vgpr_spill_count", "private_segment_fixed_size")
    registers, spilled, stack = (_number(rf"\.{key}:\s+(\d+)", kernel.texts["amdgcn"]) for key in keys)
    return registers, 4 * spilled, stack


def _number(form: str, text: str) -> int:
    found = re.search(form, text)
    assert found is not None, form
    return int(found[1])
