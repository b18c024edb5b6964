"""Ranks that wait for cases: started once for many tests, since to import torch takes seconds.

`python -m tests.rank_server` reads a JSON object a line, the name of a case and its arguments, and answers with one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from nnlang.codegen import grid
from nnlang.diagnostics import Stop, render
from nnlang.placement import Placement
from nnlang.runtime import launch
from nnlang.runtime.collective import Group
from nnlang.runtime.kernels import Tree
from nnlang.runtime.mesh import Mesh, join

ROOT = Path(__file__).resolve().parent.parent


class Server:
    """So many ranks as processes; `ask` gives all of them a case and returns their answers by rank."""

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks
        self._folder = TemporaryDirectory(prefix="ranks-")
        reading, self._alive = os.pipe()
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.rank_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=launch.environment(rank, ranks, self._folder.name, reading),
                pass_fds=(reading,),
            )
            for rank in range(ranks)
        ]
        os.close(reading)

    def ask(self, name: str, *each: Any, **arguments: Any) -> list[Any]:
        """The answers; `each` are arguments of one rank after the other."""
        for rank, process in enumerate(self._processes):
            own = {"own": each[rank]} if each else {}
            print(json.dumps([name, arguments | own]), file=process.stdin, flush=True)
        answers = [process.stdout.readline() for process in self._processes if process.stdout]
        assert all(answers), "a rank has died"
        return [json.loads(answer) for answer in answers]

    def close(self) -> None:
        """Ends the ranks, which leave without noise."""
        for process in self._processes:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
        for process in self._processes:
            assert process.wait(30) == 0
            process.stdout.close()  # type: ignore[union-attr]
        os.close(self._alive)
        self._folder.cleanup()


def numbers(seed: int, rank: int, count: int, dtype: str = "float32") -> Tensor:
    """What a rank brings along: of very different sizes, so that the order of adding shows."""
    made = torch.randn(count, generator=torch.Generator().manual_seed(1000 * seed + rank), dtype=torch.float64)
    return (made * (10.0 ** (3 * made.roll(1)).clamp(-6, 6))).to(getattr(torch, dtype))


def digest(x: Tensor) -> str:
    """The bits of a tensor."""
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()


def add(mesh: Mesh, *, seed: int, count: int, dtype: str, ranks: int, exact: bool, piece: int) -> dict[str, Any]:
    """A sum over the first ranks beside float64, beside the tree in one process, twice for its bits."""
    group, parts = _group(mesh, ranks, exact), [numbers(seed, rank, count, dtype) for rank in range(ranks)]
    if group is None:
        return {}
    group._piece = piece // ranks * ranks  # many pieces of a sum that is small
    sent, x, again = group.sent, parts[group.rank].clone(), parts[group.rank].clone()
    group.sum(x)
    sent = group.sent - sent
    finish = group.start_sum(again)
    other = group.max(parts[group.rank].clone())  # under way at the same time
    finish()
    tree = Tree()
    for part in parts:
        tree.add(part.clone())
    wanted = torch.stack(parts).double()
    tolerance = wanted.abs().sum(0) * torch.finfo(x.dtype).eps * ranks
    return {
        "bits": digest(x), "again": digest(again), "tree": digest(tree.total()), "sent": sent,
        "near": bool(((x.double() - wanted.sum(0)).abs() <= tolerance).all()),
        "max": torch.equal(other, torch.stack(parts).amax(0)),
    }  # fmt: skip


def subtrees(mesh: Mesh, *, seed: int, leaves: int, count: int, ranks: int) -> dict[str, Any]:
    """Every rank's leaves by a tree of its own, then over the ranks, beside one tree of all leaves."""
    group = _group(mesh, ranks, True)
    if group is None:
        return {}
    every, each = numbers(seed, 0, leaves * count).view(leaves, count), leaves // ranks
    mine, whole = Tree(), Tree()
    for leaf in every[mesh.rank * each : (mesh.rank + 1) * each]:
        mine.add(leaf.clone())
    for leaf in every:
        whole.add(leaf.clone())
    return {"bits": digest(group.sum(mine.total())), "tree": digest(whole.total())}


def gather(mesh: Mesh, *, seed: int, rows: int, units: int, ranks: int) -> dict[str, Any]:
    """The parts of all ranks, side by side."""
    group, parts = _group(mesh, ranks, False), grid.parts(units, ranks)
    if group is None or parts is None:
        return {}
    whole = numbers(seed, 0, rows * units).view(rows, units)
    first, last = parts[group.rank]
    sent, out = group.sent, torch.full((rows, units), torch.nan)
    group.gather(whole[:, first:last], out)
    return {"same": torch.equal(out, whole), "sent": group.sent - sent, "most": max(b - a for a, b in parts)}


@cache
def _group(mesh: Mesh, ranks: int, exact: bool) -> Group | None:
    """The group of the first ranks; None for the others, which make it all the same."""
    group = torch.distributed.new_group(list(range(ranks)))
    return Group(group, exact) if mesh.rank < ranks and group is not None else None


def control(mesh: Mesh, *, own: Any) -> dict[str, Any]:
    """What is shared and gathered of every rank's value."""
    mesh.barrier()
    return {"shared": mesh.share(own), "everyone": mesh.everyone(own)}


def agree(mesh: Mesh, *, own: dict[str, str]) -> str:
    """What is told where facts differ."""
    try:
        mesh.agree(own)
    except Stop as stopped:
        return f"{stopped.exit_code} {render(stopped.diagnostics)}"
    return ""


def collect(mesh: Mesh, *, shape: list[int], dim: int, model: int) -> dict[str, Any]:
    """A tensor in parts along a dimension, whole on the first rank."""
    laid = mesh.lay(Placement(model=model, data=mesh.size // model))
    parts = grid.parts(shape[dim], model)
    assert parts is not None
    whole = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(shape)
    first, last = parts[laid.placement.model_rank(mesh.rank)]
    got = laid.collect(whole.narrow(dim, first, last - first).contiguous(), dim, parts)
    return {"same": None if got is None else bool((got == whole.numpy()).all())}


def lay(mesh: Mesh, *, model: int) -> dict[str, Any]:
    """Which ranks a rank adds up with, found out by adding up their numbers as bits."""
    laid = mesh.lay(Placement(model=model, data=mesh.size // model))
    bit = torch.tensor([float(1 << mesh.rank)])
    found = {"model": laid.model.sum(bit.clone()).item(), "data": laid.data.sum(bit.clone()).item()}
    return found | {"sizes": [laid.model.size, laid.data.size], "ranks": [laid.model.rank, laid.data.rank]}


CASES: dict[str, Callable[..., Any]] = {
    case.__name__: case for case in (add, subtrees, gather, control, agree, collect, lay)
}


def main(lines: Sequence[str] | Any) -> None:
    """Answers case after case."""
    launch.attend()
    torch.set_num_threads(1)
    mesh = join()
    for line in lines:
        name, arguments = json.loads(line)
        print(json.dumps(CASES[name](mesh, **arguments)), flush=True)
    mesh.close()


if __name__ == "__main__":
    main(sys.stdin)
