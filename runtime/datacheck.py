"""The first look at a foreign data file, in a process of its own: `python -m nnlang.runtime.datacheck PATH`.

The HDF5 library has known files that make it hang or crash; none of that may reach the process that trains
(reliability.md 4). The child reads everything once under limits of memory and time. It reports nothing: a file that it
survives is then read, checked and judged in the parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from nnlang.codes import data as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.runtime.files import seal_holds

DEADLINE = 30.0  # seconds, and a second more for every `_PACE` bytes
_PACE = 50_000_000
_ADDRESS_SPACE = 4 << 30


def check(path: Path, deadline: float = DEADLINE) -> bool:
    """Return when the file can be opened in this process without danger; raises `Stop` (NN451) if it cannot.

    A sealed file is as we wrote it and passes at once, at the price of its SHA-256: True. Others cost a process, about
    0.2 s: False, what they say of themselves is not proven. A seal that is broken is damage that we know of.
    """
    holds = seal_holds(path)
    if holds:
        return True
    if holds is False:
        raise _damaged(path, "its content is not what was written, the checksum at its end differs")
    seconds = deadline + path.stat().st_size / _PACE
    command = [sys.executable, "-P", "-m", __spec__.name, str(path.resolve()), str(int(seconds) + 1)]
    try:
        done = subprocess.run(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _damaged(path, f"reading it did not end within {seconds:.0f} s") from None
    if done.returncode:
        raise _damaged(path, "the HDF5 library fails on it")
    return False


def _environment() -> dict[str, str]:
    root = str(Path(sys.modules["nnlang"].__path__[0]).parent)
    ours = {"PYTHONPATH": root, "HDF5_PLUGIN_PATH": "", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **ours}


def _damaged(path: Path, reason: str) -> Stop:
    return stop(codes.DAMAGED, Place(str(path)), path=path, reason=reason)


def main(path: str, seconds: int) -> int:
    """The child: 0 if the file could be read, well formed or not."""
    try:
        import resource
    except ImportError:
        resource = None  # type: ignore[assignment]  # Windows has no such limits; the parent's deadline remains
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from nnlang.runtime.datareader import touch
    from nnlang.runtime.hdf import Budget

    try:
        touch(Path(path), Budget(_ADDRESS_SPACE))
    except Stop:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
