"""The GPU benchmark: a dry run of the whole command, what it says without a GPU, what it makes of numbers."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from gpu_checks import judged  # noqa: E402
from gpu_machine import Machine  # noqa: E402
from gpu_ours import launch_of  # noqa: E402
from gpu_peers import PEERS, Peer, batches, shape  # noqa: E402
from gpu_report import Found, Launches, Predicted, Row, Table, Timed  # noqa: E402
from workloads import WORKLOADS, resolved, settings, synthetic  # noqa: E402

from nnlang.network import DataFacts  # noqa: E402


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/gpu.py", *arguments]
    variables = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}  # the command decides
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.full
def test_a_dry_run_runs_everything_and_claims_no_times(tmp_path: Path) -> None:
    done = run("--device", "interpret", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (told,), (data,) = tmp_path.glob("*-dry-run.md"), tmp_path.glob("*-dry-run.json")
    text, found = told.read_text(), json.loads(data.read_text())
    assert "Right in fp32" in text and "dry run" in text and "failed" not in text
    assert [t["name"] for t in found["tables"]] == ["a", "b"]
    for table in found["tables"]:
        assert [r["name"] for r in table["rows"]] == ["nnlang", *PEERS]
        assert all(r["ms"] == [None] for r in table["rows"])
    assert [(x["name"], len(x["rows"]) > 5) for x in found["launches"]] == [("a", True), ("b", True)]
    assert {row["kind"] for row in found["launches"][0]["rows"]} >= {"gather_sum", "segment_sum_update", "walk"}
    assert [p["name"] for p in found["predicted"]] == ["a", "b"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what it says without a GPU")
def test_without_a_gpu_it_says_so_in_one_line() -> None:
    done = run()
    assert done.returncode == 5 and not done.stderr
    assert done.stdout.startswith("no GPU to measure: ") and done.stdout.count("\n") == 1


def test_an_unknown_section_is_a_usage_error() -> None:
    done = run("--only", "a,c")
    assert done.returncode == 2 and "not c" in done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.timeout(600)
def test_a_quick_run_on_a_gpu(tmp_path: Path) -> None:
    done = run("--quick", "--only", "a,kernels", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in next(tmp_path.glob("*.md")).read_text()


def test_what_is_too_far_off_is_a_fault() -> None:
    near, far = torch.ones(4), torch.full((4,), 1.01)
    assert judged("x", "fp32", {"w": near}, {"w": near}).faults == ()
    assert judged("x", "bf16", {"w": far * 0.991}, {"w": near}).faults == ()
    assert judged("x", "tf32", {"w": far}, {"w": near}).faults == ("w is 1.0e-02 off",)
    assert judged("x", "tf32", {"w": near * math.nan}, {"w": near}).faults == ("w is inf off",)


def test_kernels_belong_to_launches() -> None:
    launches = {"linear_3": 3, "linear_30": 30, "walk_sigmoid_4": 4}
    assert launch_of("linear_3_leaves", launches) == 3 and launch_of("linear_30", launches) == 30
    assert launch_of("walk_sigmoid_4_update_bias", launches) == 4 and launch_of("tree", launches) is None


def test_peers_train_the_same_network_on_the_same_batches() -> None:
    """Dense rows, an embedding bag and padded batches are three ways to the same errors."""
    data = synthetic(40, items=96)
    facts = {
        n: DataFacts(n, 40, 96, sparse=True, boolean=True, entries=len(data["index"]))
        for n in ("gl_input", "gl_output")
    }
    machine, errors = Machine(torch.device("cpu"), dry=True), []
    for work in WORKLOADS.values():
        network = resolved(work.definition, facts)
        given = batches(data, 16, network, 2, machine.device)
        assert given.index.shape == given.row.shape and int(given.offsets[0, -1]) == given.index.shape[1]
        assert shape(network).hidden == tuple(x.units for x in network.layers[1:-1])
        eager = (Peer(dense=True, way="eager"), Peer(dense=False, way="eager"))
        dense, bag = (peer.prepare(network, settings(work, 16), given, machine) for peer in eager)
        for step in (dense, bag):
            torch.manual_seed(3)
            errors.append([float(step(b)) for b in (0, 1)])
        assert errors[-1] == pytest.approx(errors[-2], rel=1e-4)


def test_the_report_counts(tmp_path: Path) -> None:
    machine = Machine(torch.device("cpu"), copy=4e12, peaks={"tf32": 4e14}, node=1.5, facts={"card": "one"})
    ours = Row("nnlang", "tf32", True, ms=[0.2, 0.3, 0.25], epochs=[0.15], memory=2**30, floor=0.2)
    peer = Row("torch eager, dense", "tf32", False, ms=[1.0, 1.2, 1.0], memory=2**31, floor=0.2)
    lost = Row("torch.compile", "tf32", False, failure="failed: no")
    table = Table("b", "wide", 541, 2**20, 4e10, 9e8, 8e8, [ours, peer, lost])
    launches = Launches("b", "tf32", 250.0, [
        Timed("walk_3", "walk", 200.0, 180.0, 4e10, 4e8, 100.0),
        Timed("walk_3_logits", "2 x", 90.0, 80.0),
        Timed("reduce_4", "reduce", 10.0, 5.0, 1e6, 4e6, 1.0),
    ])  # fmt: skip
    predicted = Predicted("b", "tf32", 4096, 138_493, 0.4, [1e6, 2e6, 3e6])
    found = Found(
        "2026-01-01", "python benchmarks/gpu.py", False, machine, ["Right."], [table], [launches], [predicted]
    )
    text = found.text()
    assert "| **nnlang** | tf32 | 0.2500 | 0.2000 - 0.3000 | 0.1500 | 923,287 | 80% | 1,024 MiB | 4.00 |" in text
    assert (
        "| torch eager, dense | tf32 | 1.0000 | 1.0000 - 1.2000 | 0.5410 | 255,994 | 20% | 2,048 MiB | 1.00 |" in text
    )
    assert "4.00 x torch eager, dense (4.00 - 5.00)" in text and "failed: no" in text
    assert "| walk_3 | walk | 200.0 | 180.0 | 2,000 | 200.0 | 50% |" in text and "| - walk_3_logits | 2 x |" in text
    assert "Worst row: walk_3, 100.0 µs above its floor (50% of it)" in text and "sum to 210.0 µs" in text
    assert "| 2,000,000 | 1,000,000 - 3,000,000 | 20% |" in text
    told, data = found.write(tmp_path)
    assert told.name == "gpu-2026-01-01.md" and json.loads(data.read_text())["tables"][0]["rows"][2]["floor"] is None
