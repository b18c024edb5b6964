"""What `benchmarks/gpu.py` found, as data, and the Markdown and JSON that are made of it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gpu_machine import Machine
from workloads import USERS


@dataclass
class Row:
    """One contender: milliseconds a batch in each round, seconds of whole epochs where they were run, most memory."""

    name: str
    precision: str
    ours: bool
    ms: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    memory: float = math.nan  # bytes
    floor: float = math.nan  # milliseconds a batch
    failure: str = ""

    @property
    def middle(self) -> float:
        """The median of milliseconds a batch."""
        return statistics.median(self.ms) if self.ms else math.nan

    def epoch(self, batches: int) -> float:
        """Seconds of an epoch: measured, or that many times the median batch."""
        return statistics.median(self.epochs) if self.epochs else self.middle * batches / 1e3


@dataclass
class Table:
    """The contenders of one workload, in epochs of so many batches; flops and bytes of a step by its plan.

    `least` are the bytes that no step can do without: every state read and written once, the entries of the batch.
    """

    name: str
    title: str
    batches: int
    data: int  # bytes of the data set on the device
    flops: float
    bytes: float
    least: float
    rows: list[Row] = field(default_factory=list)


@dataclass
class Timed:
    """One launch of a step, or one kernel of it: microseconds with its data in memory, and with them in the cache."""

    name: str
    kind: str
    cold: float
    warm: float
    flops: float = math.nan
    bytes: float = math.nan
    floor: float = math.nan  # microseconds; NaN for a kernel that is one of several of a launch

    @property
    def share(self) -> float:
        """How much of its time the floor is."""
        return self.floor / self.cold


@dataclass
class Launches:
    """The launches of one workload's step, and what the whole step takes."""

    name: str
    precision: str
    step: float  # microseconds
    rows: list[Timed] = field(default_factory=list)

    def worst(self) -> Timed | None:
        """The launch that loses most time against its floor."""
        return max((r for r in self.rows if r.floor == r.floor), key=lambda r: r.cold - r.floor, default=None)


@dataclass
class Predicted:
    """Users a second of one workload at predict, run by run."""

    name: str
    precision: str
    batch: int
    users: int
    floor: float  # milliseconds of the network's forward pass over a batch, at least
    rates: list[float] = field(default_factory=list)


@dataclass
class Found:
    """Everything that one run of the command found."""

    date: str
    command: str
    dry: bool
    machine: Machine
    notes: list[str] = field(default_factory=list)  # what was checked, what was left out
    tables: list[Table] = field(default_factory=list)
    launches: list[Launches] = field(default_factory=list)
    predicted: list[Predicted] = field(default_factory=list)
    seconds: float = math.nan

    def data(self) -> object:
        """All of it for JSON; what was not measured is null."""
        machine = {"facts": self.machine.facts, "copy_byte_s": self.machine.copy, "flop_s": self.machine.peaks}
        return plain({**{k: v for k, v in asdict(self).items() if k != "machine"},
                      "machine": {**machine, "graph_node_us": self.machine.node}})  # fmt: skip

    def text(self) -> str:
        """All of it in Markdown."""
        parts = [heading(self), *map(workload, self.tables), *map(kernels, self.launches)]
        parts += [predictions(self.predicted)] if self.predicted else []
        return "\n\n".join(part for part in parts if part) + "\n"

    @property
    def failed(self) -> bool:
        """Whether a row of ours could not be measured although there was time."""
        return any(r.ours and r.failure.startswith("failed") for t in self.tables for r in t.rows)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes both forms into a folder and tells where."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"gpu-{self.date}" + ("-dry-run" if self.dry else "")
        told, data = folder / f"{name}.md", folder / f"{name}.json"
        told.write_text(self.text())
        data.write_text(json.dumps(self.data(), indent=1) + "\n")
        return told, data


def plain(value: object) -> object:
    """The value with None for NaN."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shown(value: float, pattern: str, dry: bool = True) -> str:
    """A number as text; what was not measured says so."""
    return "dry run" if math.isnan(value) and dry else "" if math.isnan(value) else pattern.format(value)


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left."""
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def heading(found: Found) -> str:
    """Date, card, versions, rates."""
    machine = found.machine
    lines = [f"# Training and predicting on a GPU, {found.date}"]
    if found.dry:
        lines.append("Dry run: everything ran on tiny shapes without a GPU; no time below is one.")
    lines.append(f"`{found.command}`; {found.seconds:.0f} s in all.")
    lines.append("; ".join(f"{k} {v}" for k, v in machine.facts.items()) + ".")
    peaks = ", ".join(f"{k} {shown(v / 1e12, '{:.0f}')}" for k, v in machine.peaks.items() if k != "tf32x3")
    lines.append(
        f"Measured: copy {shown(machine.copy / 1e12, '{:.2f}')} TB/s read plus written; products of 8192, TFLOP/s: "
        f"{peaks} (tf32x3 is counted as a third of tf32); a graph node {shown(machine.node, '{:.2f}')} µs."
    )
    lines += found.notes
    return "\n\n".join(lines)


def workload(table: Table) -> str:
    """The contenders of a workload beside each other."""
    heads = ("contender", "precision", "ms/batch", "min - max", "s/epoch", "users/s", "of floor", "memory", "speed-up")
    best = min((r.middle for r in peers(table, "tf32")), default=math.nan)
    rows = []
    for r in table.rows:
        if r.failure:
            rows.append((r.name, r.precision, r.failure, *("",) * 6))
            continue
        seconds = r.epoch(table.batches)
        rows.append((
            f"**{r.name}**" if r.ours else r.name, r.precision, shown(r.middle, "{:.4f}"),
            "" if math.isnan(r.middle) else f"{min(r.ms):.4f} - {max(r.ms):.4f}",
            shown(seconds, "{:.4f}"), shown(USERS / seconds, "{:,.0f}"),
            shown(r.floor / r.middle, "{:.0%}"), shown(r.memory / 2**20, "{:,.0f} MiB"),
            shown(best / r.middle, "{:.2f}"),
        ))  # fmt: skip
    floors = dict.fromkeys((r.precision, r.floor) for r in table.rows if r.ours and not r.failure)
    told = ", ".join(f"{precision} {shown(floor, '{:.4f}')} ms" for precision, floor in floors)
    text = (
        f"A step has {table.flops / 1e9:,.2f} GFLOP; its states read and written once and its entries are "
        f"{table.least / 1e6:,.1f} MB, the launches of its plan move {table.bytes / 1e6:,.1f} MB. Floors: {told}. "
        f"Epochs of nnlang were run, those of others are {table.batches} median batches. Memory is without the data "
        f"set, which nnlang keeps on the device in {table.data / 2**20:,.0f} MiB. Speed-up is against the fastest "
        "PyTorch row in tf32."
    )
    return "\n\n".join([f"## {table.name}: {table.title}", grid(heads, rows), *ratios(table), text])


def ratios(table: Table) -> list[str]:
    """How much faster our first row is than each PyTorch row of its precision, round by round."""
    ours = next((r for r in table.rows if r.ours and r.ms), None)
    if ours is None or math.isnan(ours.middle):
        return []
    found = []
    for row in peers(table, ours.precision):
        each = [theirs / mine for theirs, mine in zip(row.ms, ours.ms, strict=True)]
        found.append(f"{statistics.median(each):.2f} x {row.name} ({min(each):.2f} - {max(each):.2f})")
    return [f"Round by round, nnlang in {ours.precision} is as fast as {'; '.join(found)}."] if found else []


def peers(table: Table, precision: str) -> list[Row]:
    """The PyTorch rows that ran in a precision."""
    return [r for r in table.rows if not r.ours and r.ms and r.precision == precision]


def kernels(found: Launches) -> str:
    """Each launch of a step by itself."""
    heads = ("launch", "kind", "µs", "µs from cache", "GB/s", "TFLOP/s", "of floor")
    rows = []
    for r in found.rows:
        part = math.isnan(r.floor) and math.isnan(r.bytes)
        rows.append((
            f"- {r.name}" if part else r.name, r.kind, shown(r.cold, "{:.1f}"), shown(r.warm, "{:.1f}"),
            "" if part else shown(r.bytes / r.cold / 1e3, "{:,.0f}"),
            "" if part else shown(r.flops / r.cold / 1e6, "{:,.1f}"), "" if part else shown(r.share, "{:.0%}"),
        ))  # fmt: skip
    launches = [r for r in found.rows if not math.isnan(r.bytes)]
    total, worst = sum(r.cold for r in launches), found.worst()
    text = (
        f"The launches alone sum to {shown(total, '{:.1f}')} µs, a whole step takes {shown(found.step, '{:.1f}')} µs."
    )
    if worst is not None:
        text += (
            f" Worst row: {worst.name}, {worst.cold - worst.floor:.1f} µs above its floor ({worst.share:.0%} of it)."
        )
    head = f"## {found.name}, {found.precision}: each launch of the step alone"
    why = "Each launch replayed in a graph: after its data left the cache, and at once again (parts of a launch: -)."
    return f"{head}\n\n{grid(heads, rows)}\n\n{why} {text}"


def predictions(found: Sequence[Predicted]) -> str:
    """Users a second."""
    heads = ("workload", "precision", "users", "batch", "users/s", "min - max", "of floor")
    rows = []
    for p in found:
        middle = statistics.median(p.rates)
        spread = "" if math.isnan(middle) else f"{min(p.rates):,.0f} - {max(p.rates):,.0f}"
        share = shown(middle * p.floor / p.batch / 1e3, "{:.0%}")
        rows.append((p.name, p.precision, f"{p.users:,}", f"{p.batch:,}", shown(middle, "{:,.0f}"), spread, share))
    text = (
        "The ten best of every user, without what the user has; from rows on the device to lists on the host. The "
        "floor is that of the forward pass."
    )
    return f"## Predict\n\n{grid(heads, rows)}\n\n{text}"
