"""`make bench`: training of the article's network at ML-20M shape, nnlang beside PyTorch, on this machine's CPU.

Every contender runs in a process of its own on identical batches, in turn, five rounds and more; figures are medians,
ratios are taken round by round. The floor is computed from the plan and from this machine's measured peaks.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from workloads import BATCH, ITEMS, WORKLOADS, resolved, synthetic

HERE = Path(__file__).parent


def peaks() -> tuple[float, float]:
    """Measured float32 matmul rate (flop/s) and copy bandwidth (byte/s, read plus written) of this machine."""
    a, out = torch.randn(2048, 2048), torch.empty(2048, 2048)
    source, target = torch.randn(1 << 26), torch.empty(1 << 26)
    rate = best(lambda: torch.mm(a, a, out=out))
    copy = best(lambda: target.copy_(source))
    return 2 * 2048**3 / rate, 2 * 4 * (1 << 26) / copy


def best(work: object, times: int = 7) -> float:
    """The shortest of some runs, in seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()  # type: ignore[operator]
        found.append(time.perf_counter() - began)
    return min(found)


def floor(entries_a_row: float) -> dict[str, float]:
    """The least a step can take: the plan's flops at the matmul rate, or its bytes at the copy bandwidth."""
    from nnlang.compiler import compile_network
    from nnlang.network import DataFacts, Optimizer, Training

    entries = int(entries_a_row * 1000)
    facts = {
        n: DataFacts(n, 1000, ITEMS, sparse=True, boolean=True, entries=entries) for n in ("gl_input", "gl_output")
    }
    network = resolved(WORKLOADS["a"].definition, facts)
    plan = compile_network(network, ["step"], BATCH, Training(Optimizer.NESTEROV)).plans["step"]
    rate, bandwidth = peaks()
    return {
        "flops": plan.flops, "bytes": plan.bytes, "flop_s": rate, "byte_s": bandwidth,
        "ms": 1e3 * max(plan.flops / rate, plan.bytes / bandwidth),
    }  # fmt: skip


def measure(path: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Every contender in a process of its own, in turn, `rounds` times; the order turns with each round."""
    names = ["nnlang", "bag foreach", "bag fused", "dense foreach", "dense fused"]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            command = [sys.executable, str(HERE / "peers.py"), name, str(path), str(ITEMS)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {turn + 1}/{rounds}  {name:14} {found[name][-1]['ms']:8.1f} ms/batch", flush=True)
    return found


def ratios(found: dict[str, list[dict[str, float]]], kind: str) -> list[float]:
    """Round by round: the better of the peer's two optimisers over nnlang."""
    rows = zip(found[f"{kind} foreach"], found[f"{kind} fused"], found["nnlang"], strict=True)
    return [min(a["ms"], b["ms"]) / ours["ms"] for a, b, ours in rows]


def table(found: dict[str, list[dict[str, float]]], least: dict[str, float]) -> str:
    """The result in Markdown."""
    lines = [
        "| contender | ms/batch median | min - max | users/s | of floor | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        ms = [r["ms"] for r in runs]
        middle = statistics.median(ms)
        peak = statistics.median(r["peak"] for r in runs) / 2**20
        spread = f"{min(ms):.1f} - {max(ms):.1f}"
        speed = f"{BATCH / middle * 1e3:,.0f}"
        lines.append(f"| {name} | {middle:.1f} | {spread} | {speed} | {least['ms'] / middle:.0%} | {peak:.0f} MiB |")
    lines.append(f"| computed floor | {least['ms']:.1f} | | {BATCH / least['ms'] * 1e3:,.0f} | 100% | |")
    for kind in ("bag", "dense"):
        values = ratios(found, kind)
        middle, low, high = statistics.median(values), min(values), max(values)
        lines.append(
            f"\nnnlang is {middle:.2f} x as fast as PyTorch {kind} (median of {len(values)}; {low:.2f} to {high:.2f})."
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, prints the table, writes JSON and Markdown into benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--output", type=Path, default=HERE / "results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        data = synthetic(given.batches * BATCH)
        np.savez(path, **data)
        least = floor(len(data["index"]) / (len(data["offsets"]) - 1))
        found = measure(path, given.rounds)
    text = table(found, least)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    head = f"# Training at ML-20M shape on a CPU, {day}\n\n{machine}; torch {torch.__version__}; load average {load}.\n"
    head += f"{ITEMS:,} -> 128 -> {ITEMS:,}, batch {BATCH}, Nesterov, float32, {given.batches} batches.\n\n"
    print("\n" + text)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / f"cpu-{day}.md").write_text(head + text + "\n")
    (given.output / f"cpu-{day}.json").write_text(
        json.dumps({"machine": machine, "floor": least, "runs": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
