"""`nnlang compile`: every stage of the way from a definition to a program, as text; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.codes import training as training_codes
from nnlang.codes import usage as codes
from nnlang.definition import Checked, load
from nnlang.diagnostics import stop
from nnlang.network import Training
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


def compile(
    definition: Annotated[
        Path, typer.Argument(metavar="FILE", help="The network definition; - is stdin.", readable=False)
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Data set file that gives sizes.", readable=False),
    ] = None,
    width: options.Widths = None,
    emit: Annotated[str, typer.Option("--emit", metavar="STAGE", help=f"{', '.join(EVERY_STAGE)} or all.")] = "source",
    entry: Annotated[str, typer.Option("--entry", metavar="NAME", help=f"{', '.join(ENTRIES)}.")] = "step",
    batch: options.Batch = None,
    target: Annotated[
        str, typer.Option("--target", metavar="NAME", help="cpu, cuda:80, cuda:90, cuda:100, hip:gfx942 or interpret.")
    ] = "cpu",
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write files here.", readable=False)
    ] = None,
    stats: Annotated[bool, typer.Option("--stats", help="Print what a step costs, computed before running.")] = False,
    print_after: Annotated[str | None, typer.Option("--print-after", metavar="PASS", help="Ops after a pass.")] = None,
    json: options.Json = False,
) -> None:
    """Show what becomes of a definition, stage by stage: ast, network, ir, opt, plan, source, and kernels for a GPU.

    \b
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --stats
    nnlang compile config.json --data gl_input.nc --data gl_output.nc --emit plan
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --target cuda:90 --emit source
    nnlang compile config.json --width gl_input=27278 --width gl_output=27278 --target cuda:90 --emit all -o out/

    Kernels are compiled without a GPU, each into a file of out/step/, with a table of the registers, shared memory,
    spills and occupancy of each. --target hip:gfx942 has amdgcn and hsaco in place of ptx and cubin.
    """
    chosen = _options(target, precision, tuning)
    _emitted(emit, target, output)
    _one_of("--entry", entry, ENTRIES)
    options.positive("-b", batch, "compile")
    facts = facts_of(data or []) | options.widths(width, "compile")
    checked = load(definition, facts, need_shapes=bool(facts) or emit != "ast" or stats)
    show.findings(checked.report.sorted())
    training, _ = settle(checked.training, {"batch": batch}, names=options.FLAGS)
    if stats:
        _stats(checked, training, entry, chosen, json)
        return
    kernels = () if print_after else tuple(s for s in _stages(target)[len(STAGES) :] if emit in (s, "all"))
    if not kernels or emit == "all":
        texts = _texts(checked, training, entry, chosen, only_ast=emit == "ast" and print_after is None)
        _write(texts, f"after {print_after}" if print_after else emit, output, json)
    if kernels:
        from nnlang.cli.kernels import write

        assert checked.network is not None
        write(checked.network, training, entry, chosen, kernels, output, json)


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


def _texts(checked: Checked, training: Training, entry: str, chosen: Options, *, only_ast: bool) -> dict[str, str]:
    assert checked.definition is not None
    texts = {"ast": checked.definition.dump()}
    if only_ast:
        return texts
    from nnlang.compiler import stages

    assert checked.network is not None
    return texts | stages(checked.network, training.batch, training, chosen, entry)


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


def _stats(checked: Checked, training: Training, entry: str, chosen: Options, as_json: bool) -> None:
    from nnlang.compiler import compile_network

    assert checked.network is not None
    compiled = compile_network(checked.network, [entry], training.batch, training, chosen)
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
