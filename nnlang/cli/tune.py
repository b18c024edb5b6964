"""`nnlang tune`: the fastest tiles for a network on this machine's GPU, as a table that other commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.cli.train import prepare
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop

if TYPE_CHECKING:
    from nnlang.runtime.tune import Trial


def tune(
    config: options.Config,
    input: options.InputData,
    output: options.OutputData,
    table: Annotated[
        Path, typer.Option("-t", "--table", metavar="FILE", help="The tuning table to write.", readable=False)
    ] = Path("tuning.json"),
    batch: options.Batch = None,
    optimizer: options.Optimizer = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the table if it is there.")] = False,
    json: options.Json = False,
) -> None:
    """Measure which tiles train a network fastest on this GPU, and write them as a table for --tuning.

    \b
    nnlang tune -c config.json -i gl_input.nc -o gl_output.nc -b 256
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 --tuning tuning.json

    Tiles change speed alone: with any table the weights are the same to the bit.
    """
    found = options.device(device, precision, tuning, command="tune")
    if found.kind == "cpu":
        raise stop(codes.NO_SUCH_DEVICE, device="cpu", reason="tiles are those of a GPU's kernels")
    if table.exists() and not overwrite:
        raise options.refused("--table", table, "the file is there already; --overwrite replaces it", command="tune")
    from nnlang.codegen.triton import tiles
    from nnlang.runtime.files import atomic_text, check_target
    from nnlang.runtime.tune import tune as measure

    check_target(table)
    session = prepare(config, [*input, *output], {"batch": batch, "optimizer": optimizer}, names=options.FLAGS)
    if found.kind == "interpret":
        show.tell("kernels are interpreted: these times say nothing about a GPU")

    def told(trial: Trial, done: int, total: int) -> None:
        if json:
            show.record({"kind": trial.kind, **vars(trial.tile), "seconds": trial.seconds, "best": trial.best})
            return
        took = trial.reason if trial.seconds is None else f"{trial.seconds * 1e6:,.1f} us a step"
        size = f"{trial.tile.BM} x {trial.tile.BN}, {trial.tile.warps} warps, {trial.tile.stages} stages"
        show.say(f"{done}/{total} {trial.kind}: {size}: {took}{', the best so far' if trial.best else ''}")

    best = measure(session.network, dict(session.datasets), session.settings, found, told)
    atomic_text(table, [tiles.text(best)])
    if not json:
        show.say(f"\nwrote {table}; train with it:\n  nnlang train ... --tuning {table}")
