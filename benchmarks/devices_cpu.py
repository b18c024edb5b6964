"""Two processes beside one on a CPU machine with two cores: epochs of 27,278 -> H -> 27,278, in turn.

`python benchmarks/devices_cpu.py` makes data in the shape of MovieLens 20M (144 entries a user) from a seed, trains in
every way in turn, some rounds of all, and writes the table between the `measured` marks of docs/parallel.md.
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
from pathlib import Path

import numpy as np
import torch

from nnlang.runtime import dataset

PAGE = Path(__file__).resolve().parent.parent / "docs" / "parallel.md"
ITEMS, ENTRIES, BATCH, USERS, EPOCHS = 27278, 144, 256, 1024, 4
DEFINITION = """{ "Version": 0.8, "Name": "devices", "Kind": "AutoEncoder", "ErrorFunction": "CrossEntropy", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "N": HIDDEN, "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl", "N": "auto",
    "Activation": "Sigmoid", "Sparse": true } ] }"""
WAYS = {  # what the table calls them: threads of a process, options
    "one process, one thread": (1, ()),
    "one process, two threads": (2, ()),
    "two processes, layers split": (1, ("--devices", "2", "--parallel", "model")),
    "two processes, layers split, deterministic": (1, ("--devices", "2", "--parallel", "model", "--deterministic")),
    "two processes, rows shared": (1, ("--devices", "2", "--parallel", "data")),
}


def made(folder: Path) -> None:
    """The data set: popularity falls as 1 / rank."""
    draws = np.random.default_rng(1)
    weights = 1 / np.arange(1, ITEMS + 1)
    rows = [draws.choice(ITEMS, ENTRIES, replace=False, p=weights / weights.sum()) for _ in range(USERS)]
    found = dataset.sparse_set("gl", np.arange(USERS + 1) * ENTRIES, np.concatenate(rows), width=ITEMS)
    dataset.write(folder / "gl.nc", [found])


def epochs(folder: Path, hidden: int, threads: int, options: tuple[str, ...]) -> list[float]:
    """Seconds of each epoch but the first."""
    (folder / "c.json").write_text(DEFINITION.replace("HIDDEN", str(hidden)))
    words = ["train", "-c", "c.json", "-i", "gl.nc", "-o", "gl.nc", "-n", "m.nc", "-b", str(BATCH), "-e", str(EPOCHS)]
    words += ["--optimizer", "RMSProp", "--alpha", "0.001", "--device", "cpu", "--overwrite", "--json", *options]
    given = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-m", "nnlang", *words], cwd=folder, env=given, capture_output=True, text=True, check=True
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [e["seconds"] for e in events if e["event"] == "epoch"][1:]


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hidden", type=int, nargs="*", default=[128, 1024])
    given = parser.parse_args()
    load = os.getloadavg()[0]
    lines = []
    with tempfile.TemporaryDirectory() as place:
        made(Path(place))
        for hidden in given.hidden:
            seconds: dict[str, list[float]] = {name: [] for name in WAYS}
            for _ in range(given.rounds):
                for name, (threads, options) in WAYS.items():
                    seconds[name].append(statistics.median(epochs(Path(place), hidden, threads, options)))
            lines += table(hidden, seconds)
    about = (
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {datetime.date.today()}; load "
        f"before it {load:.1f}. {USERS:,} users, batch {BATCH}, RMSProp; median of {given.rounds} runs (least to "
        "most), each the median of its epochs but the first; the ways in turn. `benchmarks/devices_cpu.py` measures it."
    )
    page = PAGE.read_text()
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->"
    head, tail = page.split(begin)[0] + begin, end + page.split(end)[1]
    PAGE.write_text(head + about + "\n\n" + "\n".join(lines) + tail)


def table(hidden: int, seconds: dict[str, list[float]]) -> list[str]:
    """Lines of one network's table."""
    alone = statistics.median(next(iter(seconds.values())))
    lines = [
        f"27,278 -> {hidden:,} -> 27,278:",
        "",
        "| way | ms a step | speed-up | efficiency |",
        "|---|---:|---:|---:|",
    ]
    steps = -(-USERS // BATCH)
    for name, found in seconds.items():
        middle = statistics.median(found)
        told = f"{1000 * middle / steps:.0f} ({1000 * min(found) / steps:.0f} to {1000 * max(found) / steps:.0f})"
        cores = 1 if "one thread" in name else 2
        lines.append(f"| {name} | {told} | {alone / middle:.2f} | {alone / middle / cores:.0%} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
