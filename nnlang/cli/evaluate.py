"""`nnlang evaluate`: are the recommendations any good, beside the popularity baseline."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlang.cli import options, show
from nnlang.cli.train import execute, prepare
from nnlang.codes import usage as codes
from nnlang.definition import load
from nnlang.diagnostics import stop
from nnlang.network import Layer, Network

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.evaluate import Evaluation
    from nnlang.runtime.metrics import Scores
    from nnlang.runtime.session import Session


Ratings = Annotated[
    Path,
    typer.Option(
        "-r", "--ratings", metavar="PATH", help="Text: what each user has (and the model may see).", readable=False
    ),
]
Model = Annotated[Path | None, typer.Option("-n", "--model", metavar="FILE", help="A trained model.", readable=False)]
HeldOut = Annotated[
    Path | None, typer.Option("-t", "--test", metavar="PATH", help="Text: what was held out.", readable=False)
]
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="A definition to train on a split.", readable=False),
]


def evaluate(
    ratings: Ratings,
    model: Model = None,
    test: HeldOut = None,
    config: Config = None,
    holdout: Annotated[
        float, typer.Option("--holdout", metavar="X", help="Share of each user's entries to hold out.")
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the split.", min=0)] = 1,
    k: Annotated[int, typer.Option("-k", "--top-k", metavar="N", help="The longest list to judge.")] = 10,
    batch: Annotated[int, typer.Option("-b", "--batch", metavar="N", help="Users at a time.")] = 1024,
    layer: options.Layer = None,
    type: Annotated[
        str | None, typer.Option("--type", metavar="indicator|analog", help="Whether values of the ratings count.")
    ] = None,
    input_index: Annotated[Path | None, typer.Option("--input-index", metavar="FILE", readable=False)] = None,
    output_index: Annotated[Path | None, typer.Option("--output-index", metavar="FILE", readable=False)] = None,
    json: options.Json = False,
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
) -> None:
    """Measure precision, recall and NDCG on held-out entries, beside recommending what is popular.

    \b
    nnlang evaluate -c tuned.json -r ratings.txt --holdout 0.2 --seed 1
    nnlang evaluate -n model.nc -r ratings_train.txt -t ratings_test.txt -k 10

    With -c a part of each user's entries is held out, the definition is trained on the rest, with its own
    TrainingParameters, in a temporary folder, and judged on what was held out. With -n a trained model is judged.
    """
    from nnlang.runtime import model as models
    from nnlang.runtime.evaluate import evaluate as judge

    place = options.device(device, precision, tuning, "evaluate")
    options.positive("-k", k, "evaluate", most=10_000)
    options.positive("-b", batch, "evaluate")
    analog = options.analog(type, "evaluate")
    if (model is None) == (config is None):
        raise stop(codes.BAD_USAGE, reason="give either a model (-n) or a definition to train (-c)", command="evaluate")
    if config is not None:
        if test is not None:
            raise stop(codes.CANNOT_COMBINE, first="-c", second="-t")
        if not 0 < holdout < 1:
            raise options.refused("--holdout", holdout, "it takes a number above 0 and below 1", command="evaluate")
        result = train_and_judge(config, ratings, holdout, seed, place, k=k, analog=bool(analog), quiet=json)
    else:
        if model is None or test is None:
            raise stop(codes.MISSING_OPTION, command="evaluate", option="-t, the text of what was held out")
        result = judge(
            models.load(model), ratings, test, k=k, batch=batch, layer=layer, analog=analog,
            input_index=input_index, output_index=output_index, device=place,
        )  # fmt: skip
    show.findings(result.notices)
    report(result, as_json=json)


def train_and_judge(
    config: Path,
    ratings: Path,
    fraction: float,
    seed: int,
    device: Device,
    *,
    k: int,
    analog: bool = False,
    quiet: bool = False,
) -> Evaluation:
    """Split a text, train a definition on what is kept, in a temporary folder, judge it on what is held out."""
    from nnlang.runtime.evaluate import evaluate as judge
    from nnlang.runtime.evaluate import split

    network_layers(config)
    with tempfile.TemporaryDirectory(prefix="nnlang-") as name:
        folder = Path(name)
        kept, held = folder / "kept", folder / "held"
        parts = split(ratings, kept, held, fraction, seed, values=analog)
        if not quiet:
            show.say(f"{parts.users:,} users, {parts.kept:,} entries to learn from, {parts.held:,} held out")
        session = prepare_text(config, kept, folder, analog=analog)
        session = replace(session, settings=replace(session.settings, checkpoint_interval=0))  # the folder goes anyway
        view = show.EpochView(session.settings.epochs)
        result = execute(session, folder / "model.nc", device, views=() if quiet else (view,))
        return judge(result.model, kept, held, k=k, device=device)


def network_layers(config: Path) -> Network | None:
    """The network of a definition without data, checked; raises `Stop` where it has mistakes."""
    return load(config, need_shapes=False).network


def prepare_text(config: Path, ratings: Path, folder: Path, *, analog: bool = False) -> Session:
    """A session with the data sets of a definition's input and output layers made from one text, in `folder`."""
    from nnlang.runtime.convert import Request, convert

    network = network_layers(config)
    assert network is not None
    features, samples = folder / "features", folder / "samples"
    layers: Sequence[Layer] = (*network.inputs, *network.outputs)
    names = list(dict.fromkeys(layer.dataset for layer in layers))
    files = []
    for number, name in enumerate(names):
        files.append(folder / f"{number}.nc")
        convert(Request(name, ratings, files[-1], features, samples, create=not number, analog=analog))
    return prepare(config, files, {}, {"input": features, "output": features})


def report(result: Evaluation, *, as_json: bool) -> None:
    """Print an evaluation: a table for people, one object for machines."""
    if as_json:
        show.record({
            "event": "evaluation", "users": result.users, "features": result.features, "k": result.k,
            "model": _plain(result.model), "popularity": _plain(result.popularity),
        })  # fmt: skip
        return
    rows = []
    for measure in ("precision", "recall", "ndcg"):
        ours, popular = (float(getattr(scores, measure)[-1]) for scores in (result.model, result.popularity))
        ratio = f"{ours / popular:.2f} x" if popular else "-"
        rows.append((f"{measure}@{result.k}", ours, popular, ratio))
    rows.append(("coverage", result.model.coverage, result.popularity.coverage, ""))
    title = f"{result.users:,} users judged, {result.features:,} features"
    show.table(title, ("", "model", "popularity", "model / popularity"), rows)


def _plain(scores: Scores) -> dict[str, object]:
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in asdict(scores).items()}
