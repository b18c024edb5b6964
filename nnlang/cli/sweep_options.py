"""The options of `nnlang sweep run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(metavar="SWEEP", help="The sweep file (JSON).", readable=False)]
Folder = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The sweep's folder: log, data, trials.", readable=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on to the total; finished trials stay.")]
Extend = Annotated[bool, typer.Option("--extend", help="With --resume: accept other axes.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", metavar="N", help="Trials at a time on this machine.")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="WHERE", help="`dask`: workers here; tls://HOST:PORT: a cluster's.")
]
TlsCa = Annotated[Path | None, typer.Option("--tls-ca", metavar="FILE", readable=False)]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", readable=False)]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", readable=False)]
Insecure = Annotated[bool, typer.Option("--insecure", help="Accept a scheduler without tls elsewhere.")]
Synchronous = Annotated[
    bool, typer.Option("--synchronous", help="Whole rungs are decided at once: any --jobs, equal results.")
]
Trials = Annotated[int | None, typer.Option("--trials", metavar="N", help="How many, in place of Trials.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="In place of RandomSeed.", min=0)]
Metric = Annotated[str | None, typer.Option("--metric", metavar="NAME", help="In place of Metric.")]
Method = Annotated[str | None, typer.Option("--method", metavar="NAME", help="In place of Method.")]
Ratings = Annotated[
    Path | None, typer.Option("-r", "--ratings", metavar="PATH", help="In place of Ratings.", readable=False)
]
MaxFailures = Annotated[
    int | None, typer.Option("--max-failures", metavar="N", help="Stop when more fail [20%, at least 5].", min=0)
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")]
MaxRetries = Annotated[int, typer.Option("--max-retries", metavar="N", help="How often a killed trial goes on.", min=0)]
TrialTime = Annotated[
    str | None, typer.Option("--trial-time", metavar="TIME", help="Longest for a trial: 90, 30m, 2h.")
]
TrialMemory = Annotated[str | None, typer.Option("--trial-memory", metavar="SIZE", help="Most for a trial: 800M, 4G.")]
Keep = Annotated[
    int | None, typer.Option("--keep", metavar="N", help="Keep the models of the best N only [all].", min=1)
]
Devices = Annotated[
    str | None, typer.Option("--devices", metavar="LIST", help="GPUs for the jobs in turn, such as 0,1,2,3.")
]
Test = Annotated[bool, typer.Option("--test/--no-test", help="Judge base and winner at the end.")]
