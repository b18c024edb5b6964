"""`nnlang predict`: a model and lists of features in, recommendations out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.suggest import did_you_mean

if TYPE_CHECKING:
    from nnlang.runtime.predict import Prediction

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
) -> None:
    """Recommend for anybody of whom some features are known; neither training data nor definition is needed.

    \b
    nnlang predict -n gl.nc -r ratings -s recs -k 10 -f ratings
    nnlang predict -b 256 -d gl -i features_input -o features_output -k 10 -n gl.nc -f ratings -s recs -r ratings
    nnlang predict -n gl.nc -r ratings -s recs.jsonl --json --precision 6

    A line of the result is `sample TAB feature,score:feature,score:`, best first, in the order of the signals. Index
    files are needed only for models that carry no labels. Give -f the signals to leave out what is known already.
    """
    from nnlang.runtime.filters import FilterMode as Mode
    from nnlang.runtime.model import load
    from nnlang.runtime.predict import Request
    from nnlang.runtime.predict import predict as run_prediction

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
    )  # fmt: skip
    bar = show.Bar("predicting")
    result = run_prediction(load(model), request, bar, place)
    bar.clear()
    show.findings(result.notices)
    show.tell(_summary(result, output))


def _summary(result: Prediction, output: Path) -> str:
    rate = result.samples / max(result.seconds, 1e-9)
    return f"{result.samples:,} samples in {result.seconds:.2f} s ({rate:,.0f} a second) -> {output}"
