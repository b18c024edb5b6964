"""`nnlang evaluate`: are the recommendations any good, beside baselines that everyone must beat."""

from __future__ import annotations

import json as json_form
import math
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlang.cli import evaluate_options as own
from nnlang.cli import options, show
from nnlang.cli.judged import report
from nnlang.cli.train import execute, prepare
from nnlang.codes import usage as codes
from nnlang.definition import load
from nnlang.diagnostics import stop
from nnlang.network import Layer, Network

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.evaluate import Evaluation
    from nnlang.runtime.model import Model
    from nnlang.runtime.session import Session

__all__ = ["evaluate", "network_layers", "prepare_text", "report"]


def evaluate(
    ratings: own.Ratings = None,
    models: own.Models = None,
    test: own.HeldOut = None,
    config: own.Config = None,
    split: own.Split = None,
    part: own.Part = None,
    train: own.Train = None,
    holdout: own.HoldOut = None,
    protocol: own.Protocol = None,
    seed: own.Seed = 1,
    k: own.TopK = 10,
    metrics: own.Metrics = None,
    baselines: own.Baselines = "popularity",
    groups: own.Groups = None,
    neighbours: own.Neighbours = 100,
    shrink: own.Shrink = 10.0,
    ease_lambda: own.EaseLambda = None,
    intervals: own.Intervals = True,
    resamples: own.Resamples = 1000,
    inputs: own.Inputs = None,
    targets: own.Targets = None,
    batch: own.Batch = 1024,
    layer: options.Layer = None,
    type: own.Type = None,
    input_index: own.InputIndex = None,
    output_index: own.OutputIndex = None,
    output: own.Output = None,
    json: options.Json = False,
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
) -> None:
    """Measure how well held-out entries are found, beside baselines, with intervals.

    \b
    nnlang evaluate -c tuned.json -r ratings.txt --holdout 0.2 --seed 1
    nnlang evaluate -n model.nc --split DIR --metrics ndcg@100,recall@20 --baselines all
    nnlang evaluate -n one.nc -n other.nc -r ratings_train.txt -t ratings_test.txt -k 10
    nnlang evaluate -c tuned.json -r ratings.txt --protocol strong:users=0.1 --metrics ndcg@100
    nnlang evaluate -n model.nc -i in.nc -o out.nc --metrics auc,rmse

    With -c the definition is trained on one part of the ratings, with its own TrainingParameters, in a temporary
    folder, and judged on the other. With -n trained models are judged, the others beside the first. Measures of lists:
    precision, recall, recall_min, ndcg, map, mrr, hit, coverage, novelty; of data sets: error, accuracy, auc, rmse.
    """
    wish = own.Wish(**locals())
    wish.check()
    if wish.inputs:
        _judge_sets(wish)
    else:
        _judge_texts(wish)


def _judge_texts(wish: own.Wish) -> None:
    """Judge ranked lists on texts, given or made by a split, and print it."""
    from nnlang.runtime.evaluate import Options, judge_texts
    from nnlang.runtime.intervals import Resampling
    from nnlang.runtime.judging import usual_metrics

    place = _device(wish)
    wanted = own.metrics_of(wish.metrics, ranked=True) if wish.metrics is not None else usual_metrics(wish.k)
    names = own.baselines_of(wish.baselines, wish.groups)
    asked = Options(
        wish.batch, wish.layer, options.analog(wish.type, own.COMMAND), wish.input_index, wish.output_index,
        wish.groups, wish.neighbours, wish.shrink, own.lambda_of(wish.ease_lambda), wish.seed,
    )  # fmt: skip
    if wish.config is not None:
        network_layers(wish.config)  # its mistakes are told before long texts are read
    with tempfile.TemporaryDirectory(prefix="nnlang-") as name:
        folder = Path(name)
        texts = _texts(wish, folder)
        models, about = _models(wish.models or ())
        if wish.config is not None:
            models, about = _trained(wish, wish.config, texts, folder, place)
        bar = show.Bar("judging")
        result = judge_texts(
            models, texts.known, texts.held, train=texts.train, metrics=wanted, baselines=names, options=asked,
            resampling=Resampling(wish.resamples, seed=wish.seed) if wish.intervals else None,
            about={**texts.about, **about}, device=place, progress=bar,
        )  # fmt: skip
        bar.clear()
    show.findings(result.notices)
    report(result, as_json=wish.json)
    _write(result.record(), wish.output)
    if not wish.json:
        show.say(_next(result, wish))


def _device(wish: own.Wish) -> Device:
    return options.device(wish.device, wish.precision, wish.tuning, own.COMMAND)


@dataclass(frozen=True)
class _Texts:
    """What is judged on, and what is to be told of it; `train` is None where baselines learn from `known`."""

    known: Path
    held: Path
    train: Path | None
    about: Mapping[str, Any]


def _texts(wish: own.Wish, folder: Path) -> _Texts:
    """The texts to judge on: of the folder of a split, split here into `folder`, or given."""
    if wish.split is not None:
        return _of_split(wish.split, wish.part or "test")
    assert wish.ratings is not None
    if wish.config is not None:
        return _split_here(wish, wish.ratings, folder)
    assert wish.test is not None
    return _Texts(wish.ratings, wish.test, wish.train, {"protocol": {"protocol": "given texts"}})


def _of_split(folder: Path, part: str) -> _Texts:
    from nnlang.runtime.splitfiles import read_split

    files = read_split(folder)
    parts = {"test": files.test, "validation": files.validation}
    pair = parts.get(part)
    if pair is None:
        there = [name for name, found in parts.items() if found is not None]
        raise options.refused("--part", part, f"the split has {' and '.join(there)}", command=own.COMMAND)
    return _Texts(*pair, files.train, {**_told(files.about), "part": part})


def _split_here(wish: own.Wish, ratings: Path, folder: Path) -> _Texts:
    """The ratings split by the protocol, its texts in the folder."""
    from nnlang.runtime.interactions import read_interactions
    from nnlang.runtime.protocols import METHODS, protocol_of
    from nnlang.runtime.protocols import split as cut
    from nnlang.runtime.splitfiles import read_split, write_split

    protocol = protocol_of(own.protocol_record(wish.protocol or "holdout", wish.holdout, wish.seed))
    timed, analog = METHODS[protocol.name].timed, wish.type == "analog"
    if timed and analog:
        raise stop(codes.CANNOT_COMBINE, first=f"--protocol {protocol.name}", second="--type analog")
    data = read_interactions(ratings, second="time" if timed else "value" if analog else "none")
    show.findings(data.notices)
    counts = write_split(cut(data, protocol), data, folder)
    files = read_split(folder)
    if not wish.json:
        learnt, held = counts["train"], counts["test_held"]
        words = f"{learnt['users']:,} users, {learnt['entries']:,} entries to learn from"
        show.say(f"{words}; {held['entries']:,} of {held['users']:,} users held out")
    return _Texts(*files.test, files.train, _told(files.about))


def _trained(
    wish: own.Wish, config: Path, texts: _Texts, folder: Path, device: Device
) -> tuple[dict[str, Model], dict[str, Any]]:
    """The definition trained on the texts, in a folder that nobody needs afterwards, and what it is."""
    from nnlang.runtime.files import file_digest

    session = prepare_text(config, texts.train or texts.known, folder, analog=wish.type == "analog")
    session = replace(session, settings=replace(session.settings, checkpoint_interval=0))
    views = () if wish.json else (show.EpochView(session.settings.epochs),)
    model = execute(session, folder / "model.nc", device, views=views).model
    return {"model": model}, {"definition": {"path": str(config), "sha256": file_digest(config)}}


def _told(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says of the split that it was judged on."""
    return {name: about[name] for name in ("protocol", "sources", "counts", "left_out") if name in about}


def _models(paths: Sequence[Path]) -> tuple[dict[str, Model], dict[str, Any]]:
    """The models by the names that tables give them, and what they are."""
    from nnlang.runtime import model as models
    from nnlang.runtime.files import file_digest

    names = ["model"] if len(paths) == 1 else [str(path) for path in paths]
    if len(set(names)) < len(names):
        twice = next(path for path in paths if names.count(str(path)) > 1)
        raise options.refused("-n", twice, "it is given twice", command=own.COMMAND)
    loaded = {name: models.load(path) for name, path in zip(names, paths, strict=True)}
    told = {name: {"path": str(path), "sha256": file_digest(path)} for name, path in zip(names, paths, strict=True)}
    return loaded, {"models": told}


def _judge_sets(wish: own.Wish) -> None:
    """Judge models on data sets that bring their own targets, and print it."""
    from nnlang.runtime.dataset import read_all
    from nnlang.runtime.validation import set_validation

    wanted, device = own.metrics_of(wish.metrics or "error", ranked=False), _device(wish)
    datasets = read_all([*(wish.inputs or ()), *(wish.targets or ())])
    show.findings(notice for data in datasets.values() for notice in data.notices)
    models, about = _models(wish.models or ())
    found = {}
    for name, model in models.items():
        how = set_validation(
            model, datasets, wanted[0], more=wanted[1:], batch=wish.batch, device=device, layer=wish.layer
        )
        found[name] = dict(how.measure(model))
    examples = max(data.facts.examples for data in datasets.values())
    about |= {"data": {name: data.sha256 for name, data in datasets.items()}}
    plain = {name: {key: _number(value) for key, value in values.items()} for name, values in found.items()}
    record = {"event": "evaluation", "examples": examples, "metrics": plain, "about": about}
    _write(record, wish.output)
    if wish.json:
        show.record(record)
        return
    rows = [[str(one), *(found[name][str(one)] for name in found)] for one in wanted]
    digests = ", ".join(f"{name} sha256 {data.sha256[:12]}" for name, data in datasets.items())
    show.table(f"{examples:,} examples judged\n{digests}", ("", *found), rows)


def _number(value: float) -> float | None:
    """The value for JSON, which knows no number that is not finite."""
    return value if math.isfinite(value) else None


def _write(record: Mapping[str, Any], output: Path | None) -> None:
    """Write the result where --output says."""
    if output is None:
        return
    from nnlang.runtime.files import atomic_text

    atomic_text(output, [json_form.dumps(record, indent=2, allow_nan=False), "\n"])


def _next(result: Evaluation, wish: own.Wish) -> str:
    """What to do next, as a command."""
    kinds = {one.kind for one in result.rankers}
    if not {"knn", "ease"} <= kinds:
        again = own.words_of(evaluate, replace(wish, baselines="all", output=None))
        return "\nBeside item-kNN and EASE:\n  " + shlex.join(["nnlang", own.COMMAND, *again])
    if wish.models:
        known = str(wish.split / "test_known" if wish.split is not None else wish.ratings)
        words = ["nnlang", "predict", "-n", str(wish.models[0]), "-r", known, "-f", known, "-s", "recs", "-k", "10"]
        return "\nRecommend:\n  " + shlex.join(words)
    return "\nTry many settings of it: `nnlang sweep run --help`"


def network_layers(config: Path) -> Network | None:
    """The network of a definition without data, checked; raises `Stop` where it has mistakes."""
    return load(config, need_shapes=False).network


def prepare_text(config: Path, ratings: Path, folder: Path, *, analog: bool = False) -> Session:
    """A session with the data sets of a definition's input and output layers made from one text, in `folder`."""
    from nnlang.runtime.convert import convert_for

    network = network_layers(config)
    assert network is not None
    layers: Sequence[Layer] = (*network.inputs, *network.outputs)
    names = list(dict.fromkeys(layer.dataset for layer in layers))
    files, features = convert_for(names, ratings, folder, analog=analog), folder / "features"
    return prepare(config, files, {}, {"input": features, "output": features})
