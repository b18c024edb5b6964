"""Is it right? Every kind of kernel against the float64 reference, twice and with other tiles; whole trainings too.

Distances are ||found - wanted|| / ||wanted|| of each tensor that an entry point gives or writes. On a GPU the checks
run in processes of their own, side by side: most of their time is compiling, and a kernel that crashes ends one only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from gpu_cases import SEED, Case, cases, wide
from torch import Tensor
from workloads import BATCH, ITEMS, WORKLOADS, resolved, settings, synthetic

from nnlang.codegen.triton.emit import LAUNCHES
from nnlang.codegen.triton.tiles import DEFAULTS, Tile, Tiles
from nnlang.lower import StateInfo
from nnlang.network import Optimizer, Training
from nnlang.runtime import scalars, selfcheck
from nnlang.runtime.dataset import sparse_set
from nnlang.runtime.devices import CPU, Device, find
from nnlang.runtime.interpreter import Batch, evaluate
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.train import Event, train

BOUNDS = {"fp32": 1e-5, "tf32x3": 1e-5, "tf32": 1e-3, "bf16": 1e-2}
OTHER: Tiles = {
    **DEFAULTS,
    "linear": Tile(128, 64, 8, 2),
    "linear_update": Tile(64, 128, 4, 2),
    "walk_logits": Tile(64, 128, 8, 2),
    "walk_back": Tile(128, 64, 4, 2),
    "walk_update": Tile(128, 128, 8, 2),
    "pieces": Tile(2, 64, 4, 1),
    "rows": Tile(4, 64, 2, 1),
    "elements": Tile(4, 256, 8, 1),
}
STEPS = 2  # that were done before the one that is checked
WORKERS = 8


class Wrong(Exception):  # noqa: N818 - it says what the results are
    """Results that are not what they should be; the text says which."""


@dataclass(frozen=True)
class Verdict:
    """How far one check found a device from what is right, and what is not as it should be."""

    what: str
    precision: str
    gap: float
    faults: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()


def check(device: Device, quick: bool) -> list[str]:
    """Sentences on what was compared and how near it was; raises Wrong."""
    if device.kind == "interpret":
        verdicts = [job() for job in tiny_jobs()]
    else:
        with ProcessPoolExecutor(WORKERS, get_context("spawn"), torch.set_num_threads, (2,)) as pool:
            running = [pool.submit(job) for job in jobs(quick)]
            try:
                verdicts = [job.result() for job in running]
            except BrokenProcessPool as error:
                raise Wrong("a check crashed") from error
    faults = [f"{v.what} ({v.precision}): {fault}" for v in verdicts for fault in v.faults]
    missing = set(LAUNCHES) - set().union(*(v.kinds for v in verdicts))
    faults += [f"no check has a kernel of kind {kind}" for kind in sorted(missing)]
    if faults:
        raise Wrong("; ".join(faults))
    return told(verdicts)


def told(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts of each precision in a sentence."""
    lines = []
    for precision in dict.fromkeys(v.precision for v in verdicts):
        mine = [v for v in verdicts if v.precision == precision]
        worst = max(mine, key=lambda v: v.gap)
        lines.append(
            f"Right in {precision}: {len(mine)} checks, {len(set().union(*(v.kinds for v in mine)))} kinds of kernels; "
            f"the largest distance is {worst.gap:.1e} of {BOUNDS[precision]:.0e} ({worst.what}); same bits twice and "
            "with other tiles."
        )
    return lines


Job = Callable[[], Verdict]


def tiny_jobs() -> Iterator[Job]:
    """What a dry run checks."""
    for number, entry in [(0, "step"), (1, "step"), (2, "step"), (3, "step"), (1, "gradient")]:
        yield partial(kernels, number, entry, "interpret", "fp32", (20, 9, 17), other=number == 0)
    yield partial(epochs, "interpret", "fp32")
    yield partial(ranking, "interpret", "fp32")


def jobs(quick: bool) -> Iterator[Job]:
    """What is checked on a GPU; what takes longest first."""
    precisions = ("tf32", "fp32") if quick else tuple(BOUNDS)
    for name in ("b", "a"):
        for precision in precisions:
            yield partial(whole, name, "cuda", precision)
    for precision in precisions:
        yield partial(epochs, "cuda", precision)
        yield partial(ranking, "cuda", precision)
        for number in range(5):
            yield partial(kernels, number, "step", "cuda", precision, (130, 70, 77), other=precision == "tf32")
    for number in range(5):
        for entry in ("gradient", "predict"):
            yield partial(kernels, number, entry, "cuda", "tf32", (130, 70, 77))


def ranking(kind: str, precision: str) -> Verdict:
    """The best units of a small network against the reference, and against themselves again."""
    found = selfcheck.ranking(find(kind, precision))
    faults = () if found.passed else (f"distance {found.distance:.1e}, same bits again: {found.repeats}",)
    return Verdict(found.name, precision, found.distance, faults, frozenset(found.kinds))


def kernels(
    number: int, entry: str, kind: str, precision: str, sizes: tuple[int, int, int], other: bool = False
) -> Verdict:
    """An entry point of a case against the reference, and against itself: again, and with other tiles."""
    case = [*cases(*sizes), *([wide()] if number == 4 else [])][number]
    first = Checked(case, entry, find(kind, precision))
    found, wanted = first.run(), first.reference()
    faults = [f"{name} differs when run again" for name in differing(found, first.run())]
    if other:
        again = Checked(case, entry, find(kind, precision, OTHER)).run()
        faults += [f"{name} differs with other tiles" for name in differing(found, again)]
    kinds = frozenset(x.kind for x in first.program.compiled.plans[entry].launches)
    return judged(f"{case.network.name}, {entry}", precision, found, wanted, faults, kinds)


def judged(
    what: str,
    precision: str,
    found: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    faults: Sequence[str] = (),
    kinds: frozenset[str] = frozenset(),
) -> Verdict:
    """What is to be said of tensors that should be near others."""
    gaps = {name: gap(found[name], value) for name, value in wanted.items()}
    off = [f"{name} is {g:.1e} off" for name, g in gaps.items() if not g <= BOUNDS[precision]]
    return Verdict(what, precision, max(gaps.values()), (*off, *faults), kinds)


class Checked:
    """An entry point of a case on a device, and what the reference says."""

    def __init__(self, case: Case, entry: str, device: Device) -> None:
        self.case, self.entry = case, entry
        self.program = Program(case.network, [entry], case.batch, case.training, device=device)
        self.low = self.program.compiled.lowered[entry]
        self.step = scalars.of_step(case.training, case.training.alpha, case.batch, STEPS)
        self.feed = feed_for(self.program, entry, case.sets)

    def starts(self) -> list[Tensor]:
        """Every state as it begins, [in, out]: velocities at 0, so that afterwards they are gradients."""
        random = np.random.default_rng(SEED)
        still = self.case.training.optimizer in (Optimizer.MOMENTUM, Optimizer.NESTEROV)
        found = []
        for info in self.low.states:
            drawn = random.standard_normal(info.shape) * (info.shape[0] ** -0.5 if len(info.shape) == 2 else 0.3)
            positive = np.zeros(info.shape) if still and info.owner != "bn" else 0.5 + random.random(info.shape)
            found.append(torch.from_numpy((positive if info.part else drawn).astype(np.float32)))
        return found

    def run(self) -> dict[str, Tensor]:
        """What the device gives and writes, by name."""
        for info, start in zip(self.low.states, self.starts(), strict=True):
            self.program.states[info].copy_(start.t() if info.transposed else start)
        part = next(iter(self.program.parts(self.feed)))
        results = self.program.run(self.entry, part, self.step, seed=SEED, steps=STEPS)
        states = (self.program.states[i].t() if i.transposed else self.program.states[i] for i in self.low.states)
        return self.named([r.cpu().clone() for r in results], [s.cpu().clone() for s in states])

    def reference(self) -> dict[str, Tensor]:
        """The same in float64, from the operations as they were before any pass."""
        slots = [self.case.rows[slot.dataset] for slot in self.low.slots]
        batch = Batch(torch.arange(self.case.batch), slots, SEED, 0, STEPS)
        starts = {i: start.double() for i, start in enumerate(self.starts())}
        done = evaluate(self.low.roots, batch, starts, self.program.given(self.case.batch, self.step))
        return self.named(list(done.results.values()), list(done.states.values()))

    def named(self, results: Sequence[Tensor], states: Sequence[Tensor]) -> dict[str, Tensor]:
        """Results by their names, states by theirs."""
        found = dict(zip(self.low.results, results, strict=True))
        return found | {name(i): s for i, s in zip(self.low.states, states, strict=True)}


def name(info: StateInfo) -> str:
    """A state as a finding names it."""
    return f"{info.owner}{info.index}{'.' if info.part else ''}{info.part}"


def gap(found: Tensor, wanted: Tensor) -> float:
    """||found - wanted|| / ||wanted||; infinite where something is not a number."""
    distance = float((found.double().reshape(wanted.shape) - wanted.double()).norm())
    return distance / max(float(wanted.double().norm()), 1e-6) if np.isfinite(distance) else float("inf")


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """What is not the same to the bit."""
    return [name for name, value in one.items() if not torch.equal(value, other[name])]


def whole(workload: str, kind: str, precision: str) -> Verdict:
    """A step of a workload at its full size on a device and on the CPU target, from the same weights: its gradients."""
    work, data = WORKLOADS[workload], synthetic(BATCH)
    sets = {n: sparse_set(n, data["offsets"], data["index"], width=ITEMS) for n in ("gl_input", "gl_output")}
    network, training = resolved(work.definition, {n: s.facts for n, s in sets.items()}), settings(work, BATCH)
    programs = [Program(network, ["step"], BATCH, training, device=d) for d in (CPU, find(kind, precision))]
    programs[0].initialise(SEED)
    for info, tensor in programs[0].states.items():
        programs[1].states[info].copy_(tensor)
    found = []
    for program in programs:
        part = next(iter(program.parts(feed_for(program, "step", sets))))
        step = scalars.of_step(training, training.alpha, BATCH, 0)
        (errors,) = program.run("step", part, step, seed=SEED)
        moved = {name(i): t.cpu() for i, t in program.states.items() if i.part}
        if training.optimizer is Optimizer.RMSPROP:  # squares of gradients would count a distance twice
            moved = {n: t.sqrt() for n, t in moved.items()}
        found.append({"error": errors.cpu(), **moved})
    return judged(f"workload {workload}", precision, found[1], found[0])


def epochs(kind: str, precision: str) -> Verdict:
    """Three epochs of a small training on a device and on the CPU target: the errors and the weights."""
    case, training, found = next(cases(20, 9, 17)), Training(Optimizer.NESTEROV, 3, 9, 0.05), []
    for device in (CPU, find(kind, precision)):
        errors: list[float] = []

        def watch(event: Event, errors: list[float] = errors) -> None:
            errors += [event.error] if event.kind == "epoch" else []

        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "model.nc"
            done = train(case.network, case.sets, training, output=place, observer=watch, device=device)
        weights = {f"weight{i}": torch.from_numpy(w) for i, w in done.model.weights.items()}
        found.append({"errors": torch.tensor(errors), **weights})
    return judged("three epochs", precision, found[1], found[0])
