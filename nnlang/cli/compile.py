"""`nnlang compile`: every stage of the way from a definition to a program, as text; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import compile_plan, options, show
from nnlang.codes import training as training_codes
from nnlang.codes import usage as codes
from nnlang.definition import Checked, load
from nnlang.diagnostics import stop
from nnlang.network import Training
from nnlang.placement import ALONE, Placement
from nnlang.runtime.facts import facts_of
from nnlang.settings import settle
from nnlang.suggest import did_you_mean

if TYPE_CHECKING:
    from nnlang.codegen.pipeline import Options

STAGES = ("ast", "network", "ir", "opt", "plan", "source")
KERNEL_STAGES = {"cuda": ("ttir", "ptx", "cubin"), "hip": ("ttir", "amdgcn", "hsaco")}
EVERY_STAGE = (*STAGES, *dict.fromkeys(stage for stages in KERNEL_STAGES.values() for stage in stages))
ENTRIES = ("step", "predict", "gradient", "evaluate")
_SUFFIXES = {"source": ".py"}


Definition = Annotated[Path, typer.Argument(metavar="FILE", help="The network definition; - is stdin.", readable=False)]
Data = Annotated[
    list[Path] | None, typer.Option("--data", metavar="FILE", help="Data set file that gives sizes.", readable=False)
]
Emit = Annotated[str, typer.Option("--emit", metavar="STAGE", help=f"{', '.join(EVERY_STAGE)} or all.")]
Entry = Annotated[str, typer.Option("--entry", metavar="NAME", help=f"{', '.join(ENTRIES)}.")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME", help="cpu, cuda:80, cuda:90, cuda:100, hip:gfx942 or interpret [cpu]."),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write files here.", readable=False)]
Stats = Annotated[bool, typer.Option("--stats", help="Print what a step costs, computed before running.")]
PrintAfter = Annotated[str | None, typer.Option("--print-after", metavar="PASS", help="Ops after a pass.")]


@dataclass(frozen=True)
class Wanted:
    """What is to be shown of an entry point: a stage or a pass, or what it costs; where to, in which form."""

    emit: str
    entry: str
    print_after: str | None
    stats: bool
    output: Path | None
    as_json: bool

    @property
    def only_ast(self) -> bool:
        """Whether no network is needed."""
        return self.emit == "ast" and self.print_after is None and not self.stats

    @property
    def only_plan(self) -> bool:
        """Whether the plan is to be printed, and nothing else."""
        return self.emit == "plan" and self.print_after is None and not self.stats and self.output is None

    def kernels(self, target: str) -> tuple[str, ...]:
        """The stages of kernels that are wanted."""
        on_the_way = () if self.print_after or self.stats else _stages(target)[len(STAGES) :]
        return tuple(stage for stage in on_the_way if self.emit in (stage, "all"))


def compile(
    definition: Definition,
    data: Data = None,
    width: options.Widths = None,
    emit: Emit = "source",
    entry: Entry = "step",
    batch: options.Batch = None,
    target: Target = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    output: Output = None,
    stats: Stats = False,
    print_after: PrintAfter = None,
    devices: options.Devices = None,
    gpu_memory: options.GpuMemory = None,
    parallel: options.Parallel = None,
    deterministic: options.Deterministic = False,
    link: compile_plan.Link = None,
    json: options.Json = False,
) -> None:
    """Show what becomes of a definition, stage by stage: ast, network, ir, opt, plan, source, and kernels for a GPU.

    \b
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --stats
    nnlang compile config.json --data gl_input.nc --data gl_output.nc --emit plan
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --target cuda:90 --emit source
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --target cuda:90 --emit all -o out/
    nnlang compile config.json --data gl_input.nc --data gl_output.nc --devices 8 --gpu-memory 24GB --emit plan

    Kernels are compiled without a GPU, each into a file of out/step/, with a table of the registers, shared memory,
    spills and occupancy of each. --target hip:gfx942 has amdgcn and hsaco in place of ptx and cubin.

    --devices lays the network over devices that need not be there: --emit plan says which layers are split and why,
    what each device holds, how long a step takes. --target is then cuda:90 where --gpu-memory or --link is given.
    """
    asked = compile_plan.Asked(devices, gpu_memory, parallel, deterministic, link)
    wanted = Wanted(emit, entry, print_after, stats, output, json)
    chosen = _options(target or asked.target, precision, tuning)
    _emitted(emit, chosen.target, output)
    _one_of("--entry", entry, ENTRIES)
    options.positive("-b", batch, "compile")
    facts = facts_of(data or []) | options.widths(width, "compile")
    checked = load(definition, facts, need_shapes=bool(facts) or not wanted.only_ast)
    show.findings(checked.report.sorted())
    training, _ = settle(checked.training, {"batch": batch}, names=options.FLAGS)
    _show(checked, training, chosen, wanted, asked)


def _show(checked: Checked, training: Training, chosen: Options, wanted: Wanted, asked: compile_plan.Asked) -> None:
    kernels, entry, placement = wanted.kernels(chosen.target), wanted.entry, ALONE
    if kernels and (asked.devices or 1) > 1:
        help = "give --emit source or plan"
        raise options.refused("--devices", asked.devices, "kernels are compiled for one device", help, "compile")
    if asked.is_given and not wanted.only_ast:
        assert checked.network is not None
        choice = compile_plan.lay(checked.network, training, chosen, asked)
        if entry == "gradient" and choice.placement.data > 1:
            reason = "gradients are summed over groups that share rows only where weights are updated"
            raise options.refused("--entry", entry, reason, "give --parallel model", "compile")
        if wanted.only_plan:
            plan = compile_plan.first_plan(choice, chosen, entry)
            compile_plan.tell(choice, plan, asked.parallel, wanted.as_json)
            return
        placement = choice.placement
    if wanted.stats:
        _stats(checked, training, entry, chosen, placement, wanted.as_json)
        return
    if not kernels or wanted.emit == "all":
        texts = _texts(checked, training, entry, chosen, placement, only_ast=wanted.only_ast)
        stage = f"after {wanted.print_after}" if wanted.print_after else wanted.emit
        _write(texts, stage, wanted.output, wanted.as_json)
    if kernels:
        from nnlang.cli.kernels import write

        assert checked.network is not None
        exact = replace(chosen, exact=asked.deterministic)
        write(checked.network, training, entry, exact, kernels, wanted.output, wanted.as_json)


def _options(target: str, precision: str | None, tuning: Path | None) -> Options:
    """What is compiled for, checked."""
    from nnlang.codegen.pipeline import PRECISIONS, TARGETS, Options, precisions

    _one_of("--target", target, TARGETS)
    on_gpu = _stages(target) != STAGES
    found = precision or ("tf32" if on_gpu else "fp32")
    _one_of("--precision", found, PRECISIONS)
    if found not in precisions(target):
        known = ", ".join(precisions(target))
        raise stop(training_codes.NO_SUCH_PRECISION, precision=found, device=target, known=known)
    return Options(target, found, options.tiles(tuning, "compile"))


def _stages(target: str) -> tuple[str, ...]:
    """The stages on the way to a target."""
    return (*STAGES, *KERNEL_STAGES.get(target.partition(":")[0], ()))


def _emitted(emit: str, target: str, output: Path | None) -> None:
    """Raise `Stop` for a stage that is none, that the target does not have, or that is no text to print."""
    _one_of("--emit", emit, (*EVERY_STAGE, "all"))
    stages = _stages(target)
    if emit not in (*stages, "all"):
        from nnlang.codegen.pipeline import TARGETS

        help = f"give --target {' or '.join(name for name in TARGETS if emit in _stages(name))}"
        raise options.refused("--emit", emit, f"target {target} has {', '.join(stages)}", help, "compile")
    binary = stages[-1] if emit == "all" and stages != STAGES else emit
    if binary in ("cubin", "hsaco") and output is None:
        raise options.refused("--emit", emit, f"{binary} is binary", "write it to a folder: -o out/", "compile")


def _texts(
    checked: Checked, training: Training, entry: str, chosen: Options, placement: Placement, *, only_ast: bool
) -> dict[str, str]:
    assert checked.definition is not None
    texts = {"ast": checked.definition.dump()}
    if only_ast:
        return texts
    from nnlang.compiler import stages

    assert checked.network is not None
    return texts | stages(checked.network, _rows(training, placement), training, chosen, entry, placement)


def _rows(training: Training, placement: Placement) -> int:
    """Of a batch's rows, how many a device has at most."""
    return -(-training.batch // placement.data)


def _write(texts: dict[str, str], wanted: str, folder: Path | None, as_json: bool) -> None:
    if wanted.startswith("after ") and wanted not in texts:
        passes = [name.removeprefix("after ") for name in texts if name.startswith("after ")]
        given = wanted.removeprefix("after ")
        reason = f"the passes are {', '.join(passes)}"
        raise options.refused("--print-after", given, reason, did_you_mean(given, passes), "compile")
    chosen = texts if wanted == "all" else {wanted: texts[wanted]}
    if folder is None:
        for name, text in chosen.items():
            if as_json:
                show.record({"stage": name, "text": text})
                continue
            if len(chosen) > 1:
                show.say(f"======== {name}")
            show.say(text.rstrip("\n"))
        return
    from nnlang.runtime.files import atomic_text

    options.folder(folder)
    for name, text in chosen.items():
        path = folder / (name.replace(" ", "_") + _SUFFIXES.get(name, ".txt"))
        atomic_text(path, [text])
        show.say(str(path))


def _stats(
    checked: Checked, training: Training, entry: str, chosen: Options, placement: Placement, as_json: bool
) -> None:
    from nnlang.compiler import compile_network

    assert checked.network is not None
    batch = _rows(training, placement)
    compiled = compile_network(checked.network, [entry], batch, training, chosen, placement=placement)
    plan = compiled.plans[entry]
    totals = {"launches": len(plan.launches), "flops": plan.flops, "bytes": plan.bytes, "peak_memory": plan.peak_memory}
    if as_json:
        show.record({"entry": entry, "batch": plan.batch, **totals, "declined": plan.declined, "key": compiled.key})
        return
    rows = [(x.number, x.name, x.kind, f"{x.cost.flops:,.0f}", f"{x.cost.bytes:,.0f}") for x in plan.launches]
    show.table(f"{entry}, batch {plan.batch}", ("launch", "name", "kind", "flops", "bytes"), rows)
    show.say(
        f"in all {len(plan.launches)} launches, {plan.flops / 1e9:.3f} Gflop, {plan.bytes / 1e6:.1f} MB moved, "
        f"{plan.peak_memory / 1e6:.1f} MB of memory at most"
    )
    for text in plan.declined:
        show.say(f"not fused: {text}")


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise stop(
            codes.BAD_VALUE,
            option=option,
            value=given,
            reason=f"it takes {', '.join(known)}",
            command="compile",
            help=did_you_mean(given, known),
        )
