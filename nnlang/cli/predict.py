"""`nnlang predict`: a model and lists of features in, recommendations out."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, ranks, show
from nnlang.codes import ranks as codes
from nnlang.diagnostics import Stop
from nnlang.suggest import did_you_mean

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.predict import Prediction, Request

Signals = Annotated[
    Path,
    typer.Option("-r", "--signals", metavar="PATH", help="Text file or folder: what each sample has.", readable=False),
]
Recommendations = Annotated[
    Path, typer.Option("-s", "--output", metavar="FILE", help="The recommendations to write.", readable=False)
]
DataSet = Annotated[
    str | None, typer.Option("-d", "--data-set", metavar="NAME", help="Data set prefix: NAME stands for NAME_input.")
]
InputIndex = Annotated[
    Path | None,
    typer.Option("-i", "--input-index", metavar="FILE", help="Feature index of the inputs.", readable=False),
]
OutputIndex = Annotated[
    Path | None,
    typer.Option("-o", "--output-index", metavar="FILE", help="Feature index of the outputs.", readable=False),
]
Filter = Annotated[
    Path | None,
    typer.Option("-f", "--filter", metavar="PATH", help="Text file or folder: what not to recommend.", readable=False),
]
FilterMode = Annotated[
    str,
    typer.Option("--filter-mode", metavar="MODE", help="remove what is listed, or scale scores by its values."),
]
Precision = Annotated[
    str, typer.Option("-p", "--precision", metavar="FORM", help="How scores are printed: 4.3f, or a number of digits.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Write all units of the layer instead of the best.")]
Header = Annotated[bool, typer.Option("--header", help="Begin with a line that names the columns.")]
_AGAIN = (
    "nothing was written, the result of an earlier run stands: run the command again; if memory ran out, with a "
    "smaller batch (-b) or more devices"
)
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON lines: one object a sample.")]


def predict(
    model: options.Model,
    signals: Signals,
    output: Recommendations,
    data_set: DataSet = None,
    input_index: InputIndex = None,
    output_index: OutputIndex = None,
    filter: Filter = None,
    filter_mode: FilterMode = "remove",
    k: Annotated[int, typer.Option("-k", "--top-k", metavar="N", help="Recommendations for each sample.")] = 100,
    batch: Annotated[int, typer.Option("-b", "--batch", metavar="N", help="Samples at a time.")] = 1024,
    precision: Precision = "4.3f",
    layer: options.Layer = None,
    raw: Raw = False,
    type: options.Type = None,
    json: AsJson = False,
    header: Header = False,
    device: options.Device = None,
    compute_precision: options.ComputePrecision = None,
    tuning: options.Tuning = None,
    devices: options.Devices = None,
    parallel: options.Parallel = None,
    deterministic: options.Deterministic = False,
) -> None:
    """Recommend for anybody of whom some features are known; neither training data nor definition is needed.

    \b
    nnlang predict -n gl.nc -r ratings -s recs -k 10 -f ratings
    nnlang predict -b 256 -d gl -i features_input -o features_output -k 10 -n gl.nc -f ratings -s recs -r ratings
    nnlang predict -n gl.nc -r ratings -s recs.jsonl --json --precision 6
    nnlang predict -n gl.nc -r ratings -s recs -f ratings --devices 4
    nnlang predict -n gl.nc -r ratings -s recs -f ratings --devices 4 --parallel data

    A line of the result is `sample TAB feature,score:feature,score:`, best first, in the order of the signals. Index
    files are needed only for models that carry no labels. Give -f the signals to leave out what is known already.
    Several devices share the units of wide inputs and outputs, each with its part of the weights; with --parallel data
    each has the whole model, and batches of its own. The result is the same.
    """
    from nnlang.runtime.filters import FilterMode as Mode
    from nnlang.runtime.predict import Request

    with _nothing_written():
        ranks.start(devices, "predict")
    place = options.device(device, compute_precision, tuning, "predict")
    options.positive("-k", k, "predict")
    options.positive("-b", batch, "predict")
    modes = {mode.value: mode for mode in Mode}
    if filter_mode not in modes:
        raise options.refused(
            "--filter-mode", filter_mode, "it takes remove or scale", did_you_mean(filter_mode, modes), "predict"
        )
    request = Request(
        signals, output, data_set, input_index, output_index, filter, modes[filter_mode], k, batch,
        options.digits(precision, "predict"), layer, raw, options.analog(type, "predict"), json, header,
        parallel, deterministic,
    )  # fmt: skip
    _run(model, request, place)


def _run(model: Path, request: Request, place: Device) -> None:
    """Predicts, on all ranks; one of them speaks."""
    from nnlang.runtime.predict import predict as run_prediction

    bar = show.Bar("predicting")
    with _nothing_written(), ranks.together(place) as mesh, _interrupted() as check:

        def progress(done: int, total: int) -> None:
            check()
            bar(done, total)

        result = run_prediction(model, request, progress, place, mesh)
    if mesh.is_first:
        bar.clear()
        show.findings(result.notices)
        show.tell(_summary(result, request.output))


@contextmanager
def _interrupted() -> Iterator[Callable[[], None]]:
    """While it lasts, Ctrl-C ends at once; at the next call of the function at the latest.

    Python throws an exception away that a signal raises in a finaliser, and after long products those are what runs.
    """
    heard: list[int] = []

    def end(number: int, frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    def check() -> None:
        if heard:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check  # ranks that leave signals to the first
        return
    signal.signal(signal.SIGINT, end)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _nothing_written() -> Iterator[None]:
    """Where a rank is lost meanwhile, says what that means for a result that is written whole or not at all."""
    try:
        yield
    except Stop as stopped:
        lost = (codes.RANK_DIED, codes.LOST)
        raise Stop(*(replace(d, help=_AGAIN) if d.code in lost else d for d in stopped.diagnostics)) from stopped


def _summary(result: Prediction, output: str | PathLike[str]) -> str:
    rate = result.samples / max(result.seconds, 1e-9)
    return f"{result.samples:,} samples in {result.seconds:.2f} s ({rate:,.0f} a second) -> {output}"
