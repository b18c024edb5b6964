"""Computed scaling: what a training step would take on 1 to 64 devices, from plans and the figures of an H200.

    python benchmarks/scaling.py           print the table
    python benchmarks/scaling.py --write   put it between the markers of docs/parallel.md

Nothing is measured. Every number of devices is planned as `nnlang compile --devices N --target cuda:90` does it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from nnlang.codegen.machines import H200
from nnlang.codegen.pipeline import Options
from nnlang.definition import load
from nnlang.diagnostics import Stop, bytes_text
from nnlang.network import DataFacts, Optimizer, Training
from nnlang.planner import Choice, Wish, choose
from nnlang.planner.words import placed, time_text

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "parallel.md"
BEGIN, END = "<!-- scaling: begin -->\n", "<!-- scaling: end -->\n"
DEVICES = (1, 2, 4, 8, 16, 32, 64)
USERS = 100_000


@dataclass(frozen=True)
class Row:
    """A network to plan: its letter in the project's tables, its definition, units, entries of a user, training."""

    name: str
    words: str
    definition: Path
    units: int
    entries: int
    training: Training


ROWS = (
    Row(
        "a",
        "27,278 -> 128 -> 27,278, Nesterov, batch 256",
        ROOT / "examples" / "movielens" / "config.json",
        27_278,
        144,
        Training(Optimizer.NESTEROV, batch=256),
    ),
    Row(
        "b",
        "27,278 -> 3 x 1,024 -> 27,278, RMSProp, batch 256",
        ROOT / "examples" / "dsstne" / "benchmark.json",
        27_278,
        144,
        Training(Optimizer.RMSPROP, batch=256),
    ),
    Row(
        "e",
        "8,000,000 -> 256 -> 8,000,000, RMSProp, batch 1,024",
        ROOT / "examples" / "many_devices" / "faq.json",
        8_000_000,
        40,
        Training(Optimizer.RMSPROP, batch=1024),
    ),
)


def planned(row: Row, devices: int) -> Choice | None:
    """The choice for a number of devices of unlimited number and link; None where there is no placement."""
    names = ("gl_input", "gl_output")
    entries = row.entries * USERS
    facts = {n: DataFacts(n, USERS, row.units, sparse=True, boolean=True, entries=entries) for n in names}
    network = load(row.definition, facts).network
    assert network is not None
    training = replace(row.training, lambda_=0.0)
    try:
        return choose(network, training, devices, H200, Wish(), Options("cuda:90", "tf32"))
    except Stop:
        return None


def section(row: Row) -> str:
    """The lines of one network: a heading, a table with a line a number of devices."""
    head = "| devices | a step | speed-up | efficiency | memory of each | sent by each | placement |"
    lines = [f"({row.name}) {row.words}:", "", head, "|---:|---:|---:|---:|---:|---:|---|"]
    for devices in DEVICES:
        choice = planned(row, devices)
        if choice is None:
            lines.append(f"| {devices} | - | - | - | - | - | the layers have too few blocks |")
            continue
        found = choice.estimate
        speed = choice.alone.seconds / found.seconds
        sent = bytes_text(found.plan.wire) if found.plan.wire else "-"
        cells = [
            str(devices),
            time_text(found.seconds),
            f"{speed:.2f}",
            f"{speed / devices:.0%}",
            bytes_text(found.memory.total),
            sent,
            placed(choice, found),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table() -> str:
    """Every network's lines."""
    return "\n".join(section(row) for row in ROWS)


def replaced(page: str) -> str:
    """The page with the table between its markers."""
    head, rest = page.split(BEGIN)
    return head + BEGIN + table() + END + rest.split(END)[1]


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    if parser.parse_args().write:
        from nnlang.runtime.files import atomic_text

        atomic_text(PAGE, [replaced(PAGE.read_text(encoding="utf-8"))])
    else:
        print(table())


if __name__ == "__main__":
    main()
