"""Which device a name means here, and what is told where it cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from nnlang.codegen.pipeline import PRECISIONS
from nnlang.codes import training, usage
from nnlang.diagnostics import DEVICE, MEMORY, USAGE, Stop
from nnlang.runtime import devices, memory
from nnlang.runtime.devices import CPU, Device, find
from tests.test_memory import plan

PLAIN = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}


def refused(*arguments: str | None) -> Stop:
    with pytest.raises(Stop) as stopped:
        find(*arguments)
    return stopped.value


def test_the_cpu_is_always_there() -> None:
    assert find("cpu") == CPU and find("cpu", "fp32") == CPU
    assert (CPU.target, CPU.on_gpu, CPU.torch.type) == ("cpu", False, "cpu")


def test_a_name_that_is_none_is_refused() -> None:
    stopped = refused("tpu")
    assert stopped.exit_code == DEVICE and "cpu, cuda, interpret" in stopped.diagnostics[0].message


@pytest.mark.parametrize("precision", ["tf32", "half"])
def test_a_precision_that_the_device_lacks_is_refused(precision: str) -> None:
    stopped = refused("cpu", precision)
    assert stopped.exit_code == USAGE and stopped.diagnostics[0].code is training.NO_SUCH_PRECISION


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version.cuda": None, "version.hip": None}, "built without GPU support"),
        ({"version.cuda": "13.0", "cuda.is_available": lambda: False}, "sees no GPU"),
        (
            {"version.cuda": "13.0", "cuda.is_available": lambda: True, "cuda.get_device_name": lambda: "Tesla V100",
             "cuda.get_device_capability": lambda: (7, 0)},
            "Tesla V100 has compute capability 7.0, 8.0 is needed",
        ),
    ],
    ids=["torch without CUDA", "no GPU", "too old"],
)  # fmt: skip
def test_why_there_is_no_gpu(change: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in change.items():
        monkeypatch.setattr(f"torch.{name}", value)
    stopped = refused("cuda")
    assert stopped.exit_code == DEVICE and stopped.diagnostics[0].code is usage.NO_SUCH_DEVICE
    assert words in stopped.diagnostics[0].message
    assert find().kind == "cpu"


@pytest.mark.parametrize(
    ("capability", "target"), [((8, 0), "cuda:80"), ((8, 9), "cuda:80"), ((9, 0), "cuda:90"), ((12, 0), "cuda:100")]
)
def test_a_newer_gpu_takes_the_newest_target_that_is_not_newer(
    capability: tuple[int, int], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.version, "hip", None)
    assert devices._gpu_target() == target


def test_interpreting_and_compiling_do_not_share_a_process() -> None:
    code = (
        "from nnlang.diagnostics import Stop\n"
        "from nnlang.runtime.devices import find\n"
        "from nnlang.runtime.modules import import_triton, is_interpreted\n"
        "found = find('interpret')\n"
        "assert is_interpreted() and (found.target, found.torch.type) == ('interpret', 'cpu')\n"
        "try: import_triton(interpreted=False)\n"
        "except Stop as stopped: print(stopped.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=PLAIN)
    assert done.stdout == "5\n"


def test_memory_that_runs_out_says_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device("cuda", torch.device("cuda", 0), name="a GPU")
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 61_000)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 62_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8_000, 1 << 30))
    with pytest.raises(Stop) as stopped, memory.watched(plan, 64, gpu):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 KiB. GPU 0 has ...")
    (told,) = stopped.value.diagnostics
    assert stopped.value.exit_code == MEMORY
    assert "79.6 KiB needed, 68.4 KiB free" in told.message and "-b 32 would fit" in told.remedy


def test_a_failure_of_the_driver_is_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device("cuda", torch.device("cuda", 0), name="a GPU")
    with pytest.raises(Stop) as stopped, memory.watched(plan, 64, gpu):
        raise RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered\nmore")
    (told,) = stopped.value.diagnostics
    assert stopped.value.exit_code == DEVICE and told.code is training.DEVICE_FAILED
    assert told.message == "a GPU failed: Triton Error [CUDA]: an illegal memory access was encountered"


def test_other_mistakes_pass() -> None:
    with pytest.raises(RuntimeError, match="ours"), memory.watched(plan, 64, CPU):
        raise RuntimeError("a mistake of ours")


@pytest.mark.gpu
def test_a_gpu_is_the_default() -> None:
    if find().kind == "cpu":
        pytest.skip(str(refused("cuda")))
    found = find()
    assert found.on_gpu and found.options.precision == "tf32" and found.target in ("cuda:80", "cuda:90", "cuda:100")
    assert memory.free(found) > 1 << 30
    assert all(find("cuda", precision).options.precision == precision for precision in PRECISIONS)
