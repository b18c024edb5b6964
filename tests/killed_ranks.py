"""`python -m tests.killed_ranks FOLDER RANKS KILLS SEED`: one rank of a training is killed, again and again; JSON.

Every run is the command itself with --devices; it is taken up with --resume until it is done, and its arrays are
compared with those of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nnlang.runtime.convert import Request, convert
from tests.tiny import bits

ITEMS, USERS, BATCHES = 2100, 160, 20
DEFINITION = {
    "Version": 0.9, "Name": "killed", "Kind": "FeedForward", "ShuffleIndices": True,
    "Denoising": {"p": 0.2}, "ErrorFunction": "ScaledMarginalCrossEntropy",
    "Layers": [
        {"Name": "In", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": True},
        {"Name": "Hidden", "Kind": "Hidden", "Type": "FullyConnected", "Source": "In", "N": 24},
        {"Name": "Out", "Kind": "Output", "Type": "FullyConnected", "DataSet": "gl_output", "N": "auto",
         "Activation": "Sigmoid", "Sparse": True},
    ],
}  # fmt: skip


def prepare(folder: Path) -> None:
    """A definition, and two data sets of users who like items of one half."""
    random_numbers = np.random.default_rng(3)
    lines = []
    for user in range(USERS):
        items = random_numbers.choice(ITEMS // 2, 30, replace=False) * 2 + user % 2
        lines.append(f"{user}\t" + ":".join(f"{item}" for item in items))
    (folder / "ratings").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("gl_input", "gl_output"):
        index = folder / f"{name}_features"
        convert(
            Request(name, folder / "ratings", folder / f"{name}.nc", index, folder / f"{name}_samples", create=True)
        )
    (folder / "config.json").write_text(json.dumps(DEFINITION), encoding="utf-8")


def command(folder: Path, model: str, ranks: int, epochs: int) -> list[str]:
    """The training of a model under this name; --resume finds nothing the first time."""
    files = ["-c", "config.json", "-i", "gl_input.nc", "-o", "gl_output.nc", "-n", model]
    how = ["-b", f"{USERS // BATCHES}", "-e", f"{epochs}", "--checkpoint-interval", "1", "--optimizer", "Adam"]
    with_ranks = ["--devices", f"{ranks}", "--deterministic", "--device", "cpu", "--resume"]
    return ["train", *files, *how, "--alpha", "0.01", *with_ranks]


def ranks_of(parent: int) -> dict[int, int]:
    """The processes that a process has started, by rank."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) != parent:
                continue
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found |= {int(text[5:]): int(path.name) for text in variables if text.startswith(b"RANK=")}
    return found


def killed(folder: Path, ranks: int, epochs: int, rank: int, after: float) -> dict[str, Any] | None:
    """Kills a rank so many seconds after the first epoch of this run; how all ended, None where all was done before."""
    line = [sys.executable, "-P", "-m", "nnlang", *command(folder, "killed.nc", ranks, epochs)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        while (told := process.stdout.readline()) and not told.startswith("epoch"):
            pass
        time.sleep(after)
        there = ranks_of(process.pid)
        if rank not in there or process.poll() is not None:
            process.communicate()
            return None
        os.kill(there[rank], signal.SIGKILL)
        began = time.monotonic()
        _, errors = process.communicate(timeout=60)
        left = [number for number in there.values() if Path(f"/proc/{number}").exists()]
        return {"code": process.returncode, "seconds": time.monotonic() - began, "errors": errors, "left": left}


def main(folder: Path, ranks: int, kills: int, seed: int) -> dict[str, Any]:
    """How each kill ended, and whether the arrays are those of the undisturbed run."""
    prepare(folder)
    epochs, chance, ends = 4 + 2 * kills, random.Random(seed), []
    straight = [sys.executable, "-P", "-m", "nnlang", *command(folder, "straight.nc", ranks, epochs)]
    subprocess.run(straight, cwd=folder, check=True, capture_output=True)
    for _ in range(kills):
        end = killed(folder, ranks, epochs, chance.randrange(ranks), chance.uniform(0, 0.4))
        ends += [] if end is None else [end]
    line = [sys.executable, "-P", "-m", "nnlang", *command(folder, "killed.nc", ranks, epochs)]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)
    first, second = bits(folder / "straight.nc"), bits(folder / "killed.nc")
    same = first.keys() == second.keys() and all(first[k].tobytes() == second[k].tobytes() for k in first)
    return {"ends": ends, "same": same}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *(int(text) for text in sys.argv[2:]))))
