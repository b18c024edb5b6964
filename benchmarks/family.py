"""Ways of training on several CPU processes compared: time, bytes on the wire, final quality; MovieLens sample.

`python benchmarks/family.py` splits the sample, trains in every way with 2 and with 4 processes, one run of each in
turn, and writes benchmarks/results/parallel_family_cpu.md. Where the sample is not there, data are made from a seed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "shared" / "data" / "movielens" / "ratings_1024.txt"
DEFINITION = """{ "Version": 0.8, "Name": "family", "Kind": "FeedForward", "ShuffleIndices": true,
  "ScaledMarginalCrossEntropy": { "oneTarget": 1.0, "zeroTarget": 0.0, "oneScale": 1.0, "zeroScale": 1.0 },
  "ErrorFunction": "ScaledMarginalCrossEntropy", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 64,
    "Activation": "Sigmoid" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto",
    "Source": "Hidden", "Activation": "Sigmoid", "Sparse": true } ] }"""
COMMON = ("-b", "64", "--seed", "1", "--lambda", "0.0001")
STEPS = (*COMMON, "--optimizer", "AdaGrad", "--alpha", "0.1")
METRIC = "ndcg@100"


@dataclass(frozen=True)
class Case:
    """One way: what the table calls it, its options, how many epochs; with how many processes it makes sense."""

    name: str
    options: tuple[str, ...]
    epochs: int
    processes: tuple[int, ...] = (2, 4)

    def arguments(self, processes: int, epochs: float) -> list[str]:
        """The options of `nnlang train`."""
        count = max(1, round(self.epochs * epochs))
        steps = COMMON if "--lbfgs" in self.options else STEPS
        return [*steps, "-e", str(count), "--devices", str(processes), *self.options]


CASES = (
    Case("one process", (), 10, (1,)),
    Case("L-BFGS, one process", ("--lbfgs",), 30, (1,)),
    Case("model-parallel", ("--parallel", "model"), 10),
    Case("synchronous", ("--parallel", "data"), 10),
    Case("averaging, K = 1", ("--sync-every", "1"), 10),
    Case("averaging, K = 4", ("--sync-every", "4"), 10),
    Case("averaging, K = 16", ("--sync-every", "16"), 10),
    Case("asynchronous", ("--asynchronous",), 10),
    Case("L-BFGS", ("--lbfgs",), 30),
)


def nnlang(*words: str, cwd: Path) -> str:
    """What a command prints, with one thread a process; its complaints where it fails."""
    command, environment = [sys.executable, "-m", "nnlang", *words], {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"nnlang {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare(folder: Path) -> str:
    """Writes definition, split and data sets into a folder; says what the data are."""
    (folder / "config.json").write_text(DEFINITION)
    ratings, told = SAMPLE, "the MovieLens sample (1,024 users)"
    if not SAMPLE.is_file():
        ratings, told = folder / "ratings.txt", "1,024 users made from a seed (the MovieLens sample is not there)"
        ratings.write_text("".join(made()))
    nnlang("data", "split", str(ratings), "-o", "split", "--protocol", "holdout", "--validation", "0", cwd=folder)
    for name in ("input", "output"):
        files = ("-f", "features", "-s", "samples")
        nnlang("generate", "-d", f"gl_{name}", "-i", "split/train", "-o", f"{name}.nc", *files, "-c", cwd=folder)
    return told


def made() -> Iterator[str]:
    """Lines of 1,024 users with about 150 of 10,000 items, by a power law, in groups of taste."""
    random = np.random.default_rng(1)
    share = 1 / (np.arange(10_000) + 20.0) ** 0.9
    for user in range(1024):
        liked = share * np.where(np.arange(10_000) % 8 == user % 8, 6.0, 1.0)
        items = random.choice(10_000, int(random.integers(20, 280)), replace=False, p=liked / liked.sum())
        yield f"{user}\t{':'.join(map(str, items))}\n"


def run(folder: Path, case: Case, processes: int, epochs: float) -> dict[str, float]:
    """One training: seconds, on the clock and of all processors, megabytes that a process sent, error and quality."""
    words = ["train", "-c", "config.json", "-i", "input.nc", "-o", "output.nc", "-n", "m.nc", "--overwrite", "--json"]
    before = spent()
    records = [json.loads(line) for line in nnlang(*words, *case.arguments(processes, epochs), cwd=folder).splitlines()]
    used = spent() - before
    done = next(r for r in records if r.get("event") == "done")
    judged = ("evaluate", "-n", "m.nc", "--split", "split", "--metrics", METRIC, "--baselines", "none")
    found = json.loads(nnlang(*judged, "--no-intervals", "--json", cwd=folder))
    return {
        "seconds": done["seconds"],
        "cpu": used,
        "megabytes": done.get("sent", 0) / 1e6,
        "error": done["error"],
        "ndcg": ndcg(found),
    }


def spent() -> float:
    """Seconds of processors that commands which have ended took, with those that they started."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ndcg(found: Mapping[str, Any]) -> float:
    """The measure in what `nnlang evaluate --json` prints."""
    return float(found["rankers"][0]["metrics"][METRIC]["mean"])


def row(case: Case, processes: int, epochs: float, runs: Sequence[Mapping[str, float]]) -> str:
    """A line of the table: medians, with the smallest and largest where they are not the same."""

    def told(key: str, form: str) -> str:
        values = sorted(r[key] for r in runs)
        low, middle, high = (form.format(v) for v in (values[0], statistics.median(values), values[-1]))
        return middle if low == high else f"{middle} ({low} to {high})"

    count = max(1, round(case.epochs * epochs))
    cells = [
        case.name,
        str(processes),
        str(count),
        told("seconds", "{:.1f}"),
        told("cpu", "{:.1f}"),
        told("megabytes", "{:,.1f}"),
    ]
    return "| " + " | ".join([*cells, told("error", "{:.1f}"), told("ndcg", "{:.4f}")]) + " |"


def main() -> None:
    """Measures all cases, in turn, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=1.0, help="times the epochs of every case")
    parser.add_argument("--cases", default="", help="only those whose names hold this")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "parallel_family_cpu.md")
    given = parser.parse_args()
    pairs = [(case, n) for case in CASES for n in case.processes if given.cases in case.name]
    found: dict[tuple[Case, int], list[dict[str, float]]] = {pair: [] for pair in pairs}
    with tempfile.TemporaryDirectory() as name:
        data = prepare(Path(name))
        for repeat in range(given.repeats):
            for case, processes in pairs:
                found[case, processes].append(run(Path(name), case, processes, given.epochs))
                print(repeat, row(case, processes, given.epochs, found[case, processes][-1:]), flush=True)
            rows = [row(*pair, given.epochs, runs) for pair, runs in found.items()]
            given.output.write_text(page(data, repeat + 1, rows))


def page(data: str, repeats: int, rows: Sequence[str]) -> str:
    """The text of the results."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"""# Ways of training on several CPU processes, {day}

{machine}; Python {platform.python_version()}, torch {torch.__version__}, gloo; load average at the end {load}.
Data: {data}, a fifth of each user's entries held out.
Network: items-64-items, batches of 64 (of all processes together), AdaGrad with alpha 0.1, L2 of 0.0001; L-BFGS is its
own optimiser. {repeats} runs of each, in turn; medians, and the smallest and largest where they differ.
Every process has one thread. Seconds are of training on the clock, without starting processes and reading data; CPU
seconds are of all processes together, with both, and say more where others use the machine. Megabytes are what one
process sent in all. The error is the mean over users of the last epoch, {METRIC} is of the held-out entries.
`python benchmarks/family.py` made this page.

| way | processes | epochs | seconds | CPU seconds | MB sent | error | {METRIC} |
|---|---|---|---|---|---|---|---|
""" + "".join(f"{line}\n" for line in rows)


if __name__ == "__main__":
    main()
