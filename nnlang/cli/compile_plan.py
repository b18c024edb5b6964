"""`nnlang compile --devices N`: how a network would be laid over devices that need not be there, and why."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.linting.config import UnfitError, size

if TYPE_CHECKING:
    from nnlang.codegen.machines import Machine
    from nnlang.codegen.pipeline import Options
    from nnlang.network import Network, Training
    from nnlang.planner import Choice

Link = Annotated[
    str | None,
    typer.Option("--link", metavar="TEXT", help="Between devices: speed, latency, such as 25GB/s,30us [the target's]."),
]
MOST_DEVICES = 4096


@dataclass(frozen=True)
class Asked:
    """What the command line says of devices; None and False where it says nothing."""

    devices: int | None = None
    memory: str | None = None
    parallel: str | None = None
    deterministic: bool = False
    link: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether it says anything."""
        return self != Asked()

    @property
    def target(self) -> str:
        """What is compiled for where no target is named: a GPU where its memory or its link is."""
        return "cuda:90" if self.memory or self.link else "cpu"


def lay(network: Network, training: Training, chosen: Options, asked: Asked) -> Choice:
    """The placement for what was asked. Raises `Stop`: 2 for what cannot be, 4 where it does not fit."""
    from nnlang.planner import choose, parse

    options.positive("--devices", asked.devices, "compile", MOST_DEVICES)
    exact = replace(chosen, exact=asked.deterministic)
    return choose(network, training, asked.devices or 1, _machine(chosen.target, asked), parse(asked.parallel), exact)


def _machine(target: str, asked: Asked) -> Machine:
    """The machine of a target, with the memory and the link that were named."""
    from nnlang.codegen.machines import MACHINES, MalformedLinkError, with_link

    machine = MACHINES[target]
    try:
        machine = replace(machine, memory=size(asked.memory)) if asked.memory else machine
        return with_link(machine, asked.link) if asked.link else machine
    except UnfitError as error:
        help = f"give {error.expected}"
        raise options.refused("--gpu-memory", asked.memory, error.reason, help, "compile") from error
    except MalformedLinkError as error:
        raise options.refused("--link", asked.link, str(error), "such as --link 25GB/s,30us", "compile") from error


def first_plan(choice: Choice, chosen: Options, entry: str) -> str:
    """The plan of the first device, as text."""
    from nnlang.compiler import planned

    _, plan = planned(choice.network, choice.training, chosen, choice.placement, 0, entry)
    return plan.dump()


def tell(choice: Choice, plan: str, parallel: str | None, as_json: bool) -> None:
    """Print the decision, then the plan of the first device."""
    from nnlang.planner import words

    if as_json:
        show.record(words.record(choice))
        show.record({"stage": "plan", "text": plan})
        return
    show.say(words.heading(choice))
    for table in words.tables(choice):
        show.say()
        show.table(table.title, table.heads, table.rows)
    for note in words.notes(choice):
        show.say(note)
    show.say()
    show.say("the plan of the first device:")
    show.say(plan.rstrip("\n"))
    if (ranks := choice.placement.ranks) > 1:
        show.say(f"nothing was run; to train so: nnlang train --devices {ranks}{_as_said(choice, parallel)} ...")


def _as_said(choice: Choice, parallel: str | None) -> str:
    """The options of training that lead to this choice."""
    words = ["--parallel", parallel] if parallel else []
    return " ".join(["", *map(shlex.quote, words), *(["--deterministic"] if choice.placement.exact else [])])
