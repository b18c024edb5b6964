"""Which device a name means, and what is compiled for it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

import torch

from nnlang.codegen.pipeline import TARGETS, Options, precisions
from nnlang.codegen.triton.tiles import DEFAULTS, Tiles
from nnlang.codes import ranks, training, usage
from nnlang.diagnostics import stop
from nnlang.runtime import modules
from nnlang.runtime.world import world

OLDEST = 80  # compute capability: the first with tf32 and bf16


@dataclass(frozen=True)
class Device:
    """Where a program runs: `kind` (cpu, cuda or interpret), torch's device, what is compiled, a name for people."""

    kind: str = "cpu"
    torch: torch.device = field(default_factory=lambda: torch.device("cpu"))
    options: Options = field(default_factory=Options)
    name: str = "cpu"

    @property
    def target(self) -> str:
        """What kernels are compiled for: `cpu`, `cuda:90`, `hip:gfx942`, `interpret`."""
        return self.options.target

    @property
    def on_gpu(self) -> bool:
        """Whether work is queued on a GPU, to be waited for."""
        return self.kind == "cuda"


CPU = Device()


def find(name: str | None = None, precision: str | None = None, tiles: Tiles = DEFAULTS) -> Device:
    """The device of a name, by default a GPU if one can be used, else the CPU; raises Stop (5) where it is not there.

    precision: how products round their factors, by default tf32 on a GPU; the other devices know fp32 alone (2).
    """
    if name in (None, "cuda"):
        _take_own_gpu()
    kind = name or ("cpu" if obstacle("cuda") else "cuda")
    if reason := obstacle(kind):
        raise stop(usage.NO_SUCH_DEVICE, device=kind, reason=reason)
    place, target, words = _FINDERS[kind][1]()
    known = precisions(target)
    if precision not in (None, *known):
        raise stop(training.NO_SUCH_PRECISION, precision=precision, device=kind, known=", ".join(known))
    return Device(kind, place, Options(target, precision or ("tf32" if kind == "cuda" else "fp32"), tiles), words)


def _take_own_gpu() -> None:
    """Makes the GPU of this process's rank on its machine torch's; raises Stop (NN806, 5) where there are too few."""
    here = world()
    if here.size == 1 or not torch.cuda.is_available():
        return
    if torch.cuda.device_count() < here.local_size:
        raise stop(ranks.TOO_FEW_GPUS, wanted=here.local_size, there=torch.cuda.device_count())
    torch.cuda.set_device(here.local_rank)


def obstacle(kind: str) -> str:
    """What stands against using a kind of device; nothing where it can be used."""
    return _FINDERS[kind][0]() if kind in _FINDERS else f"the devices are {', '.join(_FINDERS)}"


def _no_gpu() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return f"this torch ({torch.__version__}) is built without GPU support"
    if not torch.cuda.is_available():
        return "torch sees no GPU (is there one, with its driver?)"
    if not find_spec("triton"):
        return "triton, which compiles for GPUs, is not installed: pip install 'nnlang[run]'"
    if torch.version.hip is None and _capability() < OLDEST:
        return f"{torch.cuda.get_device_name()} has compute capability {_capability() / 10}, {OLDEST / 10} is needed"
    if torch.version.hip is not None and _gpu_target() not in TARGETS:
        return f"{torch.cuda.get_device_name()} is none that nnlang compiles for ({', '.join(TARGETS)})"
    if os.environ.get("TRITON_INTERPRET") == "1":
        return "kernels of this process are interpreted (TRITON_INTERPRET=1)"
    return ""


def _capability() -> int:
    major, minor = torch.cuda.get_device_capability()
    return 10 * major + minor


def _gpu_target() -> str:
    """The target of the GPU; of a CUDA one the newest target that is not newer than it."""
    if torch.version.hip is not None:
        return "hip:" + torch.cuda.get_device_properties().gcnArchName.partition(":")[0]
    known = (int(target.removeprefix("cuda:")) for target in TARGETS if target.startswith("cuda:"))
    return f"cuda:{max(n for n in known if n <= _capability())}"


def _gpu() -> tuple[torch.device, str, str]:
    modules.import_triton(interpreted=False)
    return torch.device("cuda", torch.cuda.current_device()), _gpu_target(), torch.cuda.get_device_name()


def _no_interpreter() -> str:
    return "" if find_spec("triton") else "triton is not installed: pip install 'nnlang[run]'"


def _interpreter() -> tuple[torch.device, str, str]:
    modules.import_triton(interpreted=True)
    warnings.filterwarnings(
        "ignore", category=RuntimeWarning, module=r"triton\.runtime\.interpreter"
    )  # of masked lanes
    return torch.device("cpu"), "interpret", "interpret"


_FINDERS: dict[str, tuple[Callable[[], str], Callable[[], tuple[torch.device, str, str]]]] = {
    "cpu": (lambda: "", lambda: (torch.device("cpu"), "cpu", "cpu")),
    "cuda": (_no_gpu, _gpu),
    "interpret": (_no_interpreter, _interpreter),
}
