"""Users judged a second and peak memory, by ranker, at the shape of MovieLens 20M; data made from a seed.

Every ranker runs in a process of its own, so that its peak is its own: `python benchmarks/evaluate.py`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
DEFINITION = """{ "Version": 0.8, "Name": "bench", "Kind": "FeedForward", "Layers": [
  { "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "input", "Sparse": true },
  { "Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "Input", "N": 128, "Activation": "Tanh" },
  { "Name": "Output", "Kind": "Output", "Type": "FullyConnected", "DataSet": "output", "N": "auto", "Source": "Hidden",
    "Activation": "Sigmoid", "Sparse": true } ] }"""
K = 100


def synthetic(users: int, items: int, seed: int = 1) -> tuple[object, object]:
    """(known, held) Rows: about 100 items a user, lengths log-normal, items by a power law."""
    from nnlang.runtime.metrics import Rows, holdout

    random = np.random.default_rng(seed)
    share = 1 / (np.arange(items) + 20.0) ** 0.9
    bounds = np.cumsum(share / share.sum())
    lengths = np.clip(random.lognormal(4.3, 0.8, users), 5, items // 4).astype(np.int64)
    index = np.minimum(np.searchsorted(bounds, random.random(int(lengths.sum()))), items - 1)
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return holdout(Rows(start, index.astype(np.int64)).distinct(), 0.2, seed)


def model_ranker(items: int, users: int) -> object:
    """A network items-128-items with random weights."""
    from nnlang.definition import check
    from nnlang.diagnostics import Report
    from nnlang.network import DataFacts
    from nnlang.runtime.contender import ModelRanker, contender
    from nnlang.runtime.model import Model
    from nnlang.source import Source

    facts = {n: DataFacts(n, 1000, items, sparse=True, boolean=True, entries=100_000) for n in ("input", "output")}
    network = check(Source("bench.json", DEFINITION), facts, need_shapes=True).network
    assert network is not None
    random = np.random.default_rng(1)
    weights = {w.index: random.normal(0, 0.1, network.shape(w)).astype(np.float32) for w in network.weights}
    biases = {w.index: np.zeros(network.shape(w)[1], np.float32) for w in network.weights}
    labels = tuple(str(item) for item in range(items))
    made = Model(network, weights, biases, labels={"input": labels, "output": labels})
    numbers = {label: number for number, label in enumerate(labels)}
    return ModelRanker(contender("model", made, Report()), numbers, [str(user) for user in range(users)])


def judge_one(name: str, users: int, items: int) -> dict[str, object]:
    """One ranker: seconds to fit and to judge, intervals included, on the clock and of the CPUs, and peak memory."""
    from nnlang.runtime.baselines import item_knn, popularity
    from nnlang.runtime.ease import ease
    from nnlang.runtime.evaluate import judge
    from nnlang.runtime.judging import usual_metrics

    known, held = synthetic(users, items)
    torch.zeros(1)
    before, began = peak(), time.perf_counter()
    rankers = {
        "model": lambda: model_ranker(items, users),
        "popularity": lambda: popularity(known, items),  # type: ignore[arg-type]
        "item-kNN": lambda: item_knn(known, items),  # type: ignore[arg-type]
        "EASE": lambda: ease(known, items, 500.0),  # type: ignore[arg-type]
    }
    ranker = rankers[name]()
    fitted, used = time.perf_counter(), time.process_time()
    found = judge([ranker], known, held, usual_metrics(K), items=items, train=known)  # type: ignore[arg-type, list-item]
    ended, spent = time.perf_counter(), time.process_time() - used
    return {
        "name": name, "users": found.users, "entries": len(known.index), "fit": fitted - began,  # type: ignore[attr-defined]
        "rank": found.rankers[0].seconds, "judge": ended - fitted, "cpu": spent, "peak": peak(), "data": before,
    }  # fmt: skip


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measures every ranker and writes the table into benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=27_278)
    parser.add_argument("--one", default="")
    parser.add_argument("--rankers", default="popularity,model,item-kNN,EASE")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "evaluate_cpu.md")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(judge_one(given.one, given.users, given.items)))
        return
    lines = [
        "| ranker | fit | rank and judge | users a second | users a CPU second | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    entries = data = 0
    for name in given.rankers.split(","):
        command = [sys.executable, __file__, "--one", name, "--users", str(given.users), "--items", str(given.items)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        entries, data, speed = found["entries"], found["data"], found["users"] / found["rank"]
        took, most = f"{found['fit']:.1f} s | {found['judge']:.1f} s", f"{found['peak'] / 2**30:.2f} GiB"
        lines.append(f"| {name} | {took} | {speed:,.0f} | {found['users'] / found['cpu']:,.0f} | {most} |")
        print(lines[-1], flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    head = f"""# Judging {given.users:,} users x {given.items:,} items at k = {K} on a CPU, {day}

{machine}; torch {torch.__version__}; {torch.get_num_threads()} threads; load average at the end {load}.
{entries:,} known entries (log-normal lengths, items by a power law, seed 1), a fifth of all held out; precision,
recall, NDCG and coverage, with intervals from 1,000 resamples. The model is {given.items:,}-128-{given.items:,}; EASE
is by the items' Gram matrix, in float32 beyond 12,000 of them. Users a second are of ranking and measuring, on the
clock, whatever else the machine did; users a CPU second are of all that follows the fit, intervals included, and know
of no other load. The peak is the whole process's: with only the data and torch it is {data / 2**30:.2f} GiB.
`python benchmarks/evaluate.py` made this page.

"""
    given.output.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
