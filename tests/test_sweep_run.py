"""`nnlang sweep run` and what follows it, as people call them: here, on dask, interrupted, refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from nnlang.cli import run_command
from nnlang.cli.sweep_results import short
from nnlang.diagnostics import DATA, DEVICE, INTERRUPTED, USAGE
from nnlang.search.study import DONE, load
from tests.sweeps import ROOT, command, environment, final, ran, written

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="trials are forks")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sweep file, and `here`: its sweep as two jobs ran it; what was printed is in `told`."""
    folder = tmp_path_factory.mktemp("sweeps")
    written(folder, Split={"Protocol": "Holdout", "Validation": 0}).rename(folder / "none.json")
    file = written(folder, Trials=3)
    done = ran("sweep", "run", file, "-o", folder / "here", "--jobs", "2")
    (folder / "told").write_text(done.stdout, encoding="utf-8")
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> str:
    """What a command in this process prints; findings too."""
    assert run_command([str(word) for word in words]) == code
    told = capsys.readouterr()
    return told.out + told.err


def records(text: str) -> list[dict[str, Any]]:
    """The JSON objects of lines."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_tells_its_trials_and_judges_the_winner(home: Path) -> None:
    told = (home / "told").read_text(encoding="utf-8")
    for words in ("trial 3/3", "3 of 3 trials", "test part", "base definition", "popularity", "item-kNN", "EASE",
                  "nnlang sweep best", "nnlang sweep report"):  # fmt: skip
        assert words in told, told
    test = json.loads((home / "here" / "test.json").read_text(encoding="utf-8"))
    kinds = [row["kind"] for row in test["rows"]]
    assert kinds[0] == "winner" and kinds[-3:] == ["baseline"] * 3 and test["metrics"][0] == "ndcg@5"
    study = load(home / "here")
    assert study.base is not None and all(t.state in DONE for t in study.trials) and len(study.trials) == 4
    events = (home / "here" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(events[0])["command"][:3] == ["nnlang", "sweep", "run"] and "closed" in events[-1]


@pytest.mark.full
def test_dask_gives_the_same_trials(home: Path) -> None:
    done = ran("sweep", "run", home / "sweep.json", "-o", home / "dask", "--jobs", "2", "--scheduler", "dask",
               "--no-test", "--json")  # fmt: skip
    assert final(home / "dask") == final(home / "here")
    assert sorted(r["number"] for r in records(done.stdout)) == [0, 1, 2, 3]


@pytest.mark.full
def test_a_dask_worker_that_is_killed_costs_no_trial(home: Path) -> None:
    folder = home / "killed"
    words = command(
        "sweep", "run", home / "sweep.json", "-o", folder, "--no-test", "--jobs", "2", "--scheduler", "dask"
    )
    with subprocess.Popen(
        words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        until = time.monotonic() + 60
        servers: list[psutil.Process] = []
        while time.monotonic() < until and not servers:
            time.sleep(0.05)
            below = psutil.Process(running.pid).children(recursive=True)
            servers = [p for p in below if "nnlang.search.server" in " ".join(p.cmdline())]
        servers[0].parent().kill()  # the worker, which has its server below it
        told = running.communicate(timeout=120)
    assert running.returncode == 0, told
    assert '"event":"interrupted"' in (folder / "events.jsonl").read_text(encoding="utf-8")
    assert final(folder) == final(home / "here")


@pytest.mark.full
def test_a_cluster_is_reached_by_tls_alone(home: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([openssl, *made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
    parts = [sys.executable, "-m", "distributed.cli"]
    about = tmp_path / "scheduler.json"
    options: dict[str, Any] = {"cwd": ROOT, "env": environment(), "stderr": subprocess.DEVNULL}
    head = [*parts[:2], "distributed.cli.dask_scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", "0",
            "--no-dashboard", "--scheduler-file", about, *tls]  # fmt: skip
    with subprocess.Popen(list(map(str, head)), **options) as scheduler:
        try:
            until = time.monotonic() + 60
            while not about.exists() and time.monotonic() < until:
                time.sleep(0.1)
            address = json.loads(about.read_text(encoding="utf-8"))["address"]
            one = [*parts[:2], "distributed.cli.dask_worker", address, "--nthreads", "2", "--no-dashboard",
                   "--local-directory", tmp_path, *tls]  # fmt: skip
            with subprocess.Popen(list(map(str, one)), **options) as worker:
                try:
                    ran("sweep", "run", home / "sweep.json", "-o", home / "tls", "--no-test", "--scheduler", address,
                        "--tls-ca", certificate, "--tls-cert", certificate, "--tls-key", key)  # fmt: skip
                finally:
                    worker.terminate()
        finally:
            scheduler.terminate()
    assert final(home / "tls") == final(home / "here")


def test_an_interrupted_sweep_says_how_to_go_on_and_goes_on_with_dask(home: Path) -> None:
    folder = home / "stopped"
    words = command("sweep", "run", home / "sweep.json", "-o", folder, "--no-test")
    with subprocess.Popen(
        words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        until = time.monotonic() + 60
        while time.monotonic() < until and not _began(folder):
            time.sleep(0.02)
        below = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == INTERRUPTED, told
    again = f"go on with: nnlang sweep run {home / 'sweep.json'} --no-test -o {folder} --resume"
    assert "NN791" in told and again in told and "Traceback" not in told, told
    assert not psutil.wait_procs(below, timeout=5)[1]
    before = load(folder)
    assert len(before.trials) < 4 or not all(t.state in DONE for t in before.trials)
    ran("sweep", "run", home / "sweep.json", "-o", folder, "--resume", "--no-test", "--scheduler", "dask")
    assert final(folder) == final(home / "here")


def _began(folder: Path) -> bool:
    log = folder / "events.jsonl"
    return log.exists() and b'"segment"' in log.read_bytes()


def test_status_show_best_export_compare(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = home / "here"
    study = load(folder)
    best = study.best
    assert best is not None and best.value is not None
    told = said(capsys, "sweep", "status", folder)
    assert "3 of 3 done" in told and f"{best.value:.4f}" in told
    (state,) = records(said(capsys, "sweep", "status", folder, "--json"))
    assert state["done"] == 3 and state["best"]["number"] == best.number and not state["running"]
    table = said(capsys, "sweep", "show", folder).splitlines()
    ranked = ["base" if t.number == 0 else str(t.number) for t in study.ranked()]
    assert [line.split()[0] for line in table[2:6]] == ranked
    one = said(capsys, "sweep", "show", folder, "1")
    assert "Layers.Hidden.N" in one and "ndcg@5" in one
    assert len(records(said(capsys, "sweep", "show", folder, "--json"))) == 4
    assert records(said(capsys, "sweep", "show", folder, "1", "--json"))[0]["values"]
    said(capsys, "sweep", "best", folder, "-o", tmp_path / "best.json")
    written_there = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    hidden = next(layer for layer in written_there["Layers"] if layer["Name"] == "Hidden")
    assert hidden["N"] == best.params.get("Layers.Hidden.N", 8)
    assert said(capsys, "sweep", "best", folder) == (tmp_path / "best.json").read_text(encoding="utf-8")
    said(capsys, "sweep", "export", folder, "-o", tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["number"]) for row in rows] == [0, 1, 2, 3] and float(rows[1]["ndcg@5"]) == study.trials[1].value
    said(capsys, "sweep", "export", folder, "-o", tmp_path / "t.jsonl")
    assert len(records((tmp_path / "t.jsonl").read_text(encoding="utf-8"))) == 4
    (pair,) = records(said(capsys, "sweep", "compare", folder, "1", "0", "--json"))
    values = [t.value or 0 for t in study.trials]
    assert abs(pair["difference"] - (values[1] - values[0])) < 1e-12
    assert pair["wins"] + pair["ties"] + pair["losses"] == pair["users"]
    (same,) = records(said(capsys, "sweep", "compare", folder, "1", "1", "--json"))
    assert same["difference"] == 0 and same["wins"] == same["losses"] == 0


def test_best_of_the_test_part_is_what_the_run_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((home / "here" / "test.json").read_text(encoding="utf-8"))
    said(capsys, "sweep", "best", home / "here", "--test")
    assert json.loads((home / "here" / "test.json").read_text(encoding="utf-8")) == before
    if before["rows"][1]["kind"] == "base":
        told = said(capsys, "sweep", "compare", home / "here", str(before["rows"][0]["trial"]), "0", "--test")
        assert "test part" in told and "base definition" in told


REFUSED: dict[str, tuple[tuple[str, ...], str, int]] = {
    "there already": (("run", "sweep.json", "-o", "here"), "NN780", USAGE),
    "nothing held out": (("run", "none.json", "-o", "new3"), "NN792", USAGE),
    "no sweep": (("run", "sweep.json", "-o", "nowhere", "--resume"), "NN781", USAGE),
    "other things": (("run", "sweep.json", "-o", "."), "NN780", USAGE),
    "metric": (("run", "sweep.json", "-o", "here", "--resume", "--metric", "recall@5"), "NN785", USAGE),
    "no list": (("run", "sweep.json", "-o", "new1", "--metric", "auc"), "NN746", DATA),
    "device": (("run", "sweep.json", "-o", "new1", "--device", "toaster"), "NN706", DEVICE),
    "scheduler": (
        ("run", "sweep.json", "-o", "new1", "--scheduler", "tcp://192.0.2.1:8786", "--no-test"), "NN789", USAGE),
    "time": (("run", "sweep.json", "-o", "new2", "--trial-time", "soon"), "NN703", USAGE),
    "memory": (("run", "sweep.json", "-o", "new2", "--trial-memory", "-1G"), "NN703", USAGE),
    "both": (("run", "sweep.json", "-o", "new2", "--fail-fast", "--max-failures", "3"), "NN707", USAGE),
    "trial": (("show", "here", "99"), "NN793", USAGE),
    "form": (("export", "here", "-o", "trials.xls"), "NN703", USAGE),
    "status": (("status", "nowhere"), "NN781", USAGE),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    monkeypatch.chdir(home)
    words, code, status = REFUSED[case]
    before = (home / "here" / "events.jsonl").read_bytes()
    assert code in said(capsys, "sweep", *words, code=status)
    assert (home / "here" / "events.jsonl").read_bytes() == before


def test_names_of_axes_are_as_short_as_tells_them_apart() -> None:
    axes = ["Layers.A.N", "Layers.B.N", "Denoising.p", "day"]
    assert short(axes) == ["A.N", "B.N", "p", "day"]
    assert short(["a.b", "b"]) == ["a.b", "b"] and short([]) == []


def test_damage_is_told(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (home / "here" / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(content.replace(b'"asked"', b'"esked"', 1))
    assert "NN783" in said(capsys, "sweep", "show", tmp_path, code=DATA)


def test_nothing_heavy_is_imported_to_look_at_a_sweep(home: Path) -> None:
    text = (
        "import sys; from nnlang.cli import run_command\n"
        f"for word in ('status', 'show'): run_command(['sweep', word, {str(home / 'here')!r}])\n"
        "print([m for m in ('torch', 'numpy', 'optuna', 'distributed', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
