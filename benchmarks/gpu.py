"""`python benchmarks/gpu.py`: nnlang on one GPU, beside PyTorch on the same GPU, at ML-20M shape, in one run.

First every kernel kind and a whole training are checked against the float64 reference; what is wrong ends it with exit
code 5. Then the machine is measured, training steps are timed (all contenders in turn, on the same batches), each
launch of a step alone, and predicting. Results go to benchmarks/results as Markdown and JSON.

It needs a PyTorch with a GPU, and lark, netCDF4 and h5py; nnlang itself need not be installed. `--device interpret`
runs all of it on tiny shapes without a GPU: a dry run that shows whether the command works, and no time.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the checkout, installed or not

SECTIONS = ("a", "b", "kernels", "predict")
DEVICE_FAILED = 5


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two minutes: tf32 alone, fewer checks and peers")
    parser.add_argument(
        "--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}: workloads, and what of them"
    )
    parser.add_argument("--device", choices=("cuda", "interpret"), default="cuda")
    parser.add_argument("--anyway", action="store_true", help="time even what is wrong; the report says so")
    parser.add_argument("--rounds", type=int, default=7, help="of timing (at least 5)")
    parser.add_argument("--limit", type=float, default=450, help="seconds; rows that would not fit are left out")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    given = parser.parse_args()
    given.only = tuple(given.only.split(","))
    unknown = set(given.only) - set(SECTIONS)
    if unknown:
        parser.error(f"--only knows {', '.join(SECTIONS)}, not {', '.join(sorted(unknown))}")
    given.rounds = max(5, given.rounds)
    return given


def main() -> int:
    """Checks, measures, writes; the exit code."""
    began, given = time.monotonic(), arguments()
    from nnlang.diagnostics import Stop
    from nnlang.runtime import devices

    try:
        device = devices.find(given.device)
    except Stop as error:
        (found,) = error.diagnostics
        print(f"no GPU to measure: {found.facts['reason']} (--device interpret runs everything without one)")
        return error.exit_code

    from gpu_bench import Bench
    from gpu_checks import Wrong, check
    from gpu_machine import Machine, measure
    from gpu_report import Found
    from workloads import WORKLOADS

    machine = Machine(device.torch, dry=device.kind == "interpret")
    command = " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]])
    told = Found(datetime.datetime.now(datetime.UTC).date().isoformat(), command, machine.dry, machine)
    try:
        told.notes = check(device, quick=given.quick)
    except Wrong as error:
        print(f"wrong results: {error}")
        if not given.anyway:
            return DEVICE_FAILED
        told.notes = [f"WRONG RESULTS: {error}."]
    print("\n".join(told.notes), flush=True)
    measure(machine)
    bench = Bench(machine, told, rounds=given.rounds, quick=given.quick, until=began + given.limit)
    names = [name for name in WORKLOADS if name in given.only]
    for name in names:
        bench.compare(name)
    for name in names or WORKLOADS:
        if "kernels" in given.only:
            bench.launches(name)
        if "predict" in given.only:
            bench.predict(name)
    told.seconds = time.monotonic() - began
    print("\n" + told.text())
    print(" ".join(f"wrote {os.path.relpath(path)}" for path in told.write(given.output)))
    return DEVICE_FAILED if told.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
