"""Kernels of a module compiled for a target that need not be there, in a process that a failing compiler may end.

Its standard input has a line of JSON with the module and the target, then one for each launch, answered by a line each.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

from nnlang.runtime import modules


class Pointer:
    """What the launcher looks at in a tensor: its type, where it stands, how many bytes stand there."""

    def __init__(self, dtype: str, address: int, size: int) -> None:
        self.dtype, self.address, self.size = dtype, address, size

    def data_ptr(self) -> int:
        """The address."""
        return self.address

    def ptr_range(self) -> int:
        """How far an offset can go."""
        return self.size


class Elsewhere:
    """A driver that knows what is compiled for, and nothing else."""

    def __init__(self, target: object) -> None:
        self.target = target

    def get_current_target(self) -> object:
        """What is compiled for."""
        return self.target

    def get_current_device(self) -> int:
        """A number for the device that is not here."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """A number for a stream that nothing is sent to."""
        return 0


class NoTorch:
    """In torch's place: Triton imports it only to see that no argument is a tensor of it, which takes a second."""

    class Tensor:
        """What no argument is."""


def compiled(module: ModuleType, request: Mapping[str, Any]) -> dict[str, Any]:
    """What Triton's own launcher would compile for a launch: ttir, ptx or amdgcn, the binary in base64, what the
    assembler said, shared memory in bytes.
    """
    arguments = [Pointer(*a) if isinstance(a, list) else a for a in request["arguments"]]
    with redirect_stdout(io.StringIO()) as said:
        kernel = getattr(module, request["kernel"]).warmup(*arguments, grid=(1,), **request["options"])
    found = kernel.metadata
    return {
        "texts": {stage: kernel.asm[stage] for stage in ("ttir", "ptx", "amdgcn") if stage in kernel.asm},
        "binary": base64.b64encode(kernel.kernel).decode(),
        "shared": found.shared,
        "warps": found.num_warps,
        "stages": found.num_stages,
        "log": said.getvalue(),
    }


def prepared(request: Mapping[str, Any]) -> ModuleType:
    """The module whose kernels are compiled, and Triton set for the target."""
    sys.modules["torch"] = NoTorch  # type: ignore[assignment]
    module = modules.load(request["source"])
    from triton import knobs
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    driver.set_active(Elsewhere(GPUTarget(*request["target"])))
    knobs.compilation.always_compile = True  # what Triton has cached comes without the assembler's words
    knobs.nvidia.dump_ptxas_log = True
    return module


def main() -> None:
    """Answers requests until there are no more, or one fails: then the words of the first cause are told."""
    try:
        module = prepared(json.loads(sys.stdin.readline()))
        for line in sys.stdin:
            sys.stdout.write(json.dumps(compiled(module, json.loads(line))) + "\n")
            sys.stdout.flush()
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        sys.exit(f"{type(cause).__name__}: {cause}")


if __name__ == "__main__":
    main()
