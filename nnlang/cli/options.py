"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang import measures
from nnlang.codes import files as file_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import DataFacts
from nnlang.suggest import did_you_mean

if TYPE_CHECKING:
    from nnlang.codegen.triton.tiles import Tiles
    from nnlang.runtime import devices
    from nnlang.runtime.recs import Precision as Digits

Config = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The network definition (LNDL, JSON).", readable=False)
]
Model = Annotated[
    Path, typer.Option("-n", "--model", metavar="FILE", help="The trained model (NetCDF).", readable=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, instead of text.")]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="cuda, cpu or interpret [cuda where there is a GPU, else cpu]."),
]
_ARITHMETIC = "How products round on a GPU: fp32, tf32, tf32x3 or bf16 [tf32]."
Precision = Annotated[str | None, typer.Option("--precision", metavar="NAME", help=_ARITHMETIC)]
ComputePrecision = Annotated[str | None, typer.Option("--compute-precision", metavar="NAME", help=_ARITHMETIC)]
Tuning = Annotated[
    Path | None, typer.Option("--tuning", metavar="FILE", help="Tiles of a GPU's kernels (JSON).", readable=False)
]
Alpha = Annotated[float | None, typer.Option("-alpha", "--alpha", metavar="X", help="Learning rate [0.025].")]
Lambda = Annotated[float | None, typer.Option("-lambda", "--lambda", metavar="X", help="L2 regularisation [0.0001].")]
Lambda1 = Annotated[float | None, typer.Option("-lambda1", "--lambda1", metavar="X", help="L1 regularisation [0].")]
Mu = Annotated[float | None, typer.Option("-mu", "--mu", metavar="X", help="Momentum [0.5].")]
Mu1 = Annotated[
    float | None, typer.Option("-mu1", "--mu1", metavar="X", help="Decay of Adam's mean of squares [0.999].")
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        "--optimizer", metavar="NAME", help="SGD, Momentum, AdaGrad, Nesterov, RMSProp, AdaDelta or Adam [SGD]."
    ),
]
Batch = Annotated[int | None, typer.Option("-b", "--batch", metavar="N", help="Examples in a batch [1024].")]
Epochs = Annotated[
    int | None, typer.Option("-e", "--epochs", metavar="N", help="How often to go through the data [40].")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="What all random numbers follow from [12134].")]
Widths = Annotated[list[str] | None, typer.Option("--width", metavar="NAME=N", help="A sparse data set, only named.")]
Layer = Annotated[
    str | None, typer.Option("-l", "--layer", metavar="NAME", help="The output layer, where there are several.")
]
Type = Annotated[
    str | None,
    typer.Option("-t", "--type", metavar="indicator|analog", help="Whether values of the signals count."),
]

InputData = Annotated[
    list[Path],
    typer.Option("-i", "--input", metavar="FILE", help="Data set file of the inputs; may be repeated.", readable=False),
]
OutputData = Annotated[
    list[Path],
    typer.Option(
        "-o", "--output", metavar="FILE", help="Data set file of the outputs; may be repeated.", readable=False
    ),
]
NewModel = Annotated[Path, typer.Option("-n", "--model", metavar="FILE", help="The model to write.", readable=False)]
CheckpointInterval = Annotated[
    int | None, typer.Option("--checkpoint-interval", metavar="N", help="Epochs between checkpoints; 0 is none [10].")
]
AlphaInterval = Annotated[
    int | None, typer.Option("--alpha-interval", metavar="N", help="Epochs between changes of alpha; 0 is never.")
]
AlphaMultiplier = Annotated[
    float | None, typer.Option("--alpha-multiplier", metavar="X", help="What alpha is multiplied by then.")
]
Shuffle = Annotated[
    bool | None, typer.Option("--shuffle/--no-shuffle", help="Another order of the examples in each epoch.")
]
InputIndex = Annotated[
    Path | None,
    typer.Option(
        "--input-index", metavar="FILE", help="Feature index of the inputs, kept in the model.", readable=False
    ),
]
OutputIndex = Annotated[
    Path | None,
    typer.Option(
        "--output-index", metavar="FILE", help="Feature index of the outputs, kept in the model.", readable=False
    ),
]

Validate = Annotated[
    list[Path] | None,
    typer.Option(
        "--validate",
        metavar="PATH",
        help="What to judge every epoch by: a folder of `nnlang data split`, or data set files (repeat it).",
        readable=False,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option("--metric", metavar="NAME", help="The measure [ndcg@10 for a split, error for data sets]."),
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", metavar="N", help="End when nothing was better N times in a row [0: never early]."),
]
ValidateEvery = Annotated[
    int | None, typer.Option("--validate-every", metavar="N", help="Epochs from one judgement to the next [1].")
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="USER,ITEM[,RATING[,TIME]]",
        help="Read a table (CSV, TSV): names of its header, or numbers from 1 where it has none.",
    ),
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="Between columns; found out unless given.")
]
Least = Annotated[
    float | None, typer.Option("--min-value", metavar="X", help="Leave out entries with a smaller value.")
]
Devices = Annotated[
    int | None, typer.Option("--devices", metavar="N", help="How many devices (on CPUs: processes) share the work [1].")
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="The same bits on 1, 2, 4 and 8 devices, where they are of one kind.")
]
Parallel = Annotated[
    str | None,
    typer.Option(
        "--parallel",
        metavar="TEXT",
        help="How to share: auto, model, data, data=2, or by layer, such as Output=split,Hidden=whole [auto].",
    ),
]
GpuMemory = Annotated[
    str | None, typer.Option("--gpu-memory", metavar="SIZE", help="Memory of one device, such as 24GB or 80GiB.")
]
SyncEvery = Annotated[
    int | None,
    typer.Option("--sync-every", metavar="K", help="Average the devices' models every K batches, for slow links."),
]
Asynchronous = Annotated[
    bool,
    typer.Option("--asynchronous", help="Processes of one CPU machine update shared weights without waiting."),
]
Lbfgs = Annotated[bool, typer.Option("--lbfgs", help="L-BFGS over all data at once, in place of batches.")]

# Of data sets that are only named: like MovieLens 20M, whose users have 144 items; only costs depend on them.
_EXAMPLES, _DENSITY, _ENTRIES = 100_000, 0.005, 144

# The flag of each setting of network.Training that can be given on the command line.
FLAGS = {
    "optimizer": "--optimizer",
    "epochs": "--epochs",
    "batch": "--batch",
    "alpha": "--alpha",
    "lambda_": "--lambda",
    "lambda1": "--lambda1",
    "mu": "--mu",
    "mu1": "--mu1",
    "seed": "--seed",
    "checkpoint_interval": "--checkpoint-interval",
    "alpha_interval": "--alpha-interval",
    "alpha_multiplier": "--alpha-multiplier",
    "shuffle": "--shuffle",
}


def refused(option: str, value: object, reason: str, help: str | None = None, command: str = "train") -> Exception:
    """The `Stop` for a flag with a wrong value."""
    return stop(codes.BAD_VALUE, option=option, value=value, reason=reason, command=command, help=help)


def device(
    name: str | None = None, precision: str | None = None, tuning: Path | None = None, command: str = "train"
) -> devices.Device:
    """The device that is asked for, or the best there is; raises `Stop` (5) where it cannot be used."""
    from nnlang.runtime.devices import find

    return find(name, precision, tiles(tuning, command))


def tiles(path: Path | None, command: str) -> Tiles:
    """The tuning table of a file, without one the committed table."""
    from nnlang.codegen.triton import tiles as tuning

    if path is None:
        return tuning.DEFAULTS
    from nnlang.runtime.files import read_bytes

    try:
        return tuning.read(read_bytes(path).decode("utf-8", "replace"))
    except tuning.MalformedError as error:
        raise refused("--tuning", path, str(error), command=command) from error


def positive(option: str, value: int | None, command: str, most: int = 2**31 - 1) -> None:
    """Raise `Stop` unless the value of a counting option is from 1 to `most`."""
    if value is not None and not 1 <= value <= most:
        raise refused(option, value, f"it takes an integer from 1 to {most}", command=command)


def metric(text: str, option: str, command: str) -> measures.Metric:
    """The metric that the value of an option names."""
    found = measures.metric(text)
    if isinstance(found, str):
        name = text.strip().partition("@")[0].lower()
        near = None if name in measures.MEASURES else did_you_mean(name, tuple(measures.MEASURES))
        raise refused(option, text, found, near, command)
    return found


def widths(named: list[str] | None, command: str) -> dict[str, DataFacts]:
    """The facts of data sets that are only named (NAME=N): sparse, Boolean, about as full as MovieLens 20M."""
    return dict(_width(text, command) for text in named or [])


def _width(text: str, command: str) -> tuple[str, DataFacts]:
    name, equals, size = text.partition("=")
    if not (name and equals and size.isascii() and size.isdigit() and 0 < int(size) < 2**31):
        raise refused("--width", text, "it takes NAME=N, such as gl_input=27278", command=command)
    units = int(size)
    entries = max(1, int(_EXAMPLES * min(units * _DENSITY, _ENTRIES)))
    return name, DataFacts(name, _EXAMPLES, units, sparse=True, boolean=True, entries=entries, assumed=True)


def folder(path: Path) -> None:
    """Make a folder, with those above it, where it is not there yet; raises `Stop` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        help = "a folder is made here, and a file has its name: take another" if path.is_file() else None
        raise stop(file_codes.NOT_WRITABLE, Place(str(path)), path=path, reason=reason, help=help) from error


def analog(kind: str | None, command: str) -> bool | None:
    """What `--type` says: True for analog, False for indicator, None where it was not given."""
    known = {None: None, "analog": True, "indicator": False}
    if kind not in known:
        near = did_you_mean(str(kind), ("indicator", "analog"))
        raise refused("--type", kind, "it takes indicator or analog", near, command)
    return known[kind]


def digits(text: str, command: str) -> Digits:
    """What `-p` says: `4.3f`, or a number of digits."""
    from nnlang.runtime.recs import parse_precision

    found = parse_precision(text)
    if found is None:
        raise refused("-p", text, "it takes a form such as 4.3f, or a number of digits", command=command)
    return found
