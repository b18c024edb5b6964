"""The options of `nnlang evaluate`: what they are called, and what their values mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from nnlang.cli import options
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop
from nnlang.measures import MEASURES, Metric
from nnlang.suggest import did_you_mean

COMMAND = "evaluate"
BASELINES = ("popularity", "group", "knn", "ease")
_MOST_RESAMPLES = 100_000
_MOST_LAMBDA = 1e12  # far beyond any number of users; squares of it still are numbers of float32

Ratings = Annotated[
    Path | None,
    typer.Option(
        "-r", "--ratings", metavar="PATH", help="Text: what each user has (and the model may see).", readable=False
    ),
]
Models = Annotated[
    list[Path] | None,
    typer.Option("-n", "--model", metavar="FILE", help="A trained model; may be repeated.", readable=False),
]
HeldOut = Annotated[
    Path | None, typer.Option("-t", "--test", metavar="PATH", help="Text: what was held out.", readable=False)
]
Config = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="A definition to train on a split.", readable=False),
]
Split = Annotated[
    Path | None,
    typer.Option("--split", metavar="DIR", help="A folder that `nnlang data split` wrote.", readable=False),
]
Part = Annotated[
    str | None, typer.Option("--part", metavar="test|validation", help="The part of --split to judge on [test].")
]
Train = Annotated[
    Path | None,
    typer.Option(
        "--train", metavar="PATH", help="Text that the baselines learn from [the one after -r].", readable=False
    ),
]
HoldOut = Annotated[
    float | None, typer.Option("--holdout", metavar="X", help="Share of each user's entries to hold out [0.2].")
]
Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol", metavar="NAME[:N=X,...]", help="With -c: holdout, strong, last, windows or kfold [holdout]."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="Of the split, of the resamples and of EASE's choice.", min=0)
]
TopK = Annotated[int, typer.Option("-k", "--top-k", metavar="N", help="The length of lists without --metrics.")]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="A@K,B@K,...", help="What to measure [precision, recall, ndcg and coverage at -k]."
    ),
]
Baselines = Annotated[
    str,
    typer.Option("--baselines", metavar="A,B,...", help="popularity, group, knn, ease; all; none."),
]
Groups = Annotated[
    Path | None,
    typer.Option("--groups", metavar="FILE", help="Lines `user TAB group`, for --baselines group.", readable=False),
]
Neighbours = Annotated[int, typer.Option("--neighbours", metavar="N", help="Of an item in item-kNN.")]
Shrink = Annotated[float, typer.Option("--shrink", metavar="X", help="Added to the norms in item-kNN's cosine.")]
EaseLambda = Annotated[
    str | None,
    typer.Option("--ease-lambda", metavar="X|auto", help="EASE's ridge [auto on small data, else 500]."),
]
Intervals = Annotated[
    bool, typer.Option("--intervals/--no-intervals", help="95% intervals by bootstrap over users, and comparisons.")
]
Resamples = Annotated[int, typer.Option("--resamples", metavar="N", help="Of the bootstrap.")]
Batch = Annotated[int, typer.Option("-b", "--batch", metavar="N", help="Users at a time.")]
Type = Annotated[
    str | None, typer.Option("--type", metavar="indicator|analog", help="Whether values of the ratings count.")
]
InputIndex = Annotated[
    Path | None,
    typer.Option("--input-index", metavar="FILE", help="Feature index of models without labels.", readable=False),
]
OutputIndex = Annotated[
    Path | None, typer.Option("--output-index", metavar="FILE", help="The same of their outputs.", readable=False)
]
Inputs = Annotated[
    list[Path] | None,
    typer.Option(
        "-i", "--inputs", metavar="FILE", help="Data set file of the inputs; may be repeated.", readable=False
    ),
]
Targets = Annotated[
    list[Path] | None,
    typer.Option(
        "-o", "--targets", metavar="FILE", help="Data set file of the outputs; may be repeated.", readable=False
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the result to this file, as JSON.", readable=False),
]


def metrics_of(text: str, *, ranked: bool) -> tuple[Metric, ...]:
    """The metrics that --metrics names, each once; raises `Stop` for others, and for ones of lists without lists."""
    found = {str(m): m for m in (options.metric(word, "--metrics", COMMAND) for word in text.split(","))}
    for name, metric in found.items():
        if ranked and not metric.measure.ranked:
            words = [row.name for row in MEASURES.values() if row.ranked]
            reason = "it judges outputs that bring their own targets, and texts give ranked lists"
            remedy = f"take {', '.join(words)}; or give data sets, `nnlang evaluate -n model.nc -i in.nc -o out.nc`"
            raise stop(codes.BAD_METRIC, metric=name, reason=reason, remedy=remedy)
    return tuple(found.values())


def baselines_of(text: str, groups: Path | None) -> tuple[str, ...]:
    """The baselines that --baselines names, popularity first unless none are wanted; raises `Stop` for others."""
    words = [word.strip().lower() for word in text.split(",")]
    if words == ["none"]:
        return ()
    if words == ["all"]:
        words = [name for name in BASELINES if name != "group"]
    for word in words:
        if word not in BASELINES:
            near = did_you_mean(word, BASELINES)
            raise options.refused("--baselines", word, f"it takes {', '.join(BASELINES)}, all or none", near, COMMAND)
    if groups is not None:
        words.append("group")
    if "group" in words and groups is None:
        raise stop(codes.MISSING_OPTION, command=COMMAND, option="--groups, a text of lines `user TAB group`")
    return tuple(name for name in BASELINES if name in ("popularity", *words))


def lambda_of(text: str | None) -> float | str | None:
    """What --ease-lambda says: a number, or auto."""
    if text is None or text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _MOST_LAMBDA:
        reason = f"it takes a number above 0 and up to {_MOST_LAMBDA:g}, or auto"
        raise options.refused("--ease-lambda", text, reason, command=COMMAND)
    return value


def protocol_record(text: str, fraction: float | None, seed: int) -> dict[str, object]:
    """The record of a protocol that --protocol names (`kfold:fold=2,folds=10`), with --holdout and --seed in it."""
    name, _, rest = text.partition(":")
    record: dict[str, object] = {"protocol": name.strip(), "validation": 0}
    if name.strip().lower() != "windows":
        record["seed"] = seed
    if fraction is not None:
        record["fraction"] = fraction
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not (key.strip() and equals and value.strip()):
            reason = "it takes a protocol and its numbers, such as kfold:fold=2,folds=10"
            raise options.refused("--protocol", text, reason, command=COMMAND)
        record[key.strip()] = _plain(value.strip())
    return record


def _plain(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True)
class Wish:
    """A command line of `nnlang evaluate`: its options by name."""

    ratings: Path | None
    models: Sequence[Path] | None
    test: Path | None
    config: Path | None
    split: Path | None
    part: str | None
    train: Path | None
    holdout: float | None
    protocol: str | None
    seed: int
    k: int
    metrics: str | None
    baselines: str
    groups: Path | None
    neighbours: int
    shrink: float
    ease_lambda: str | None
    intervals: bool
    resamples: int
    inputs: Sequence[Path] | None
    targets: Sequence[Path] | None
    batch: int
    layer: str | None
    type: str | None
    input_index: Path | None
    output_index: Path | None
    output: Path | None
    json: bool
    device: str | None
    precision: str | None
    tuning: Path | None

    def check(self) -> None:
        """Raise `Stop` for what makes no sense, before anything is read."""
        _check_numbers(self)
        _check_choice(self)
        if self.output is not None:
            from nnlang.runtime.files import check_target, distinct

            check_target(self.output)
            read = {"ratings": self.ratings, "test": self.test, "definition": self.config, "training text": self.train}
            for purpose, path in {**read, "groups": self.groups}.items():
                distinct(**{purpose: path, "result": self.output})


def words_of(command: Callable[..., None], wish: Wish) -> list[str]:
    """The options that give this wish, those with their usual value left out; `command` is what takes them."""
    hints, words = get_type_hints(command, include_extras=True), []
    for name, parameter in inspect.signature(command).parameters.items():
        value = getattr(wish, name)
        if value == parameter.default:
            continue
        flags = hints[name].__metadata__[0].default.split("/")  # typer keeps the first flag there; `--yes/--no` is two
        if isinstance(value, bool):
            words.append(flags[0 if value else 1])
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [flags[0], str(one)]
    return words


def _check_numbers(wish: Wish) -> None:
    options.positive("-k", wish.k, COMMAND, most=10_000)
    options.positive("-b", wish.batch, COMMAND)
    options.positive("--neighbours", wish.neighbours, COMMAND, most=100_000)
    options.positive("--resamples", wish.resamples, COMMAND, most=_MOST_RESAMPLES)
    if not 0 <= wish.shrink < float("inf"):
        raise options.refused("--shrink", wish.shrink, "it takes a number from 0", command=COMMAND)
    if wish.holdout is not None and not 0 < wish.holdout < 1:
        raise options.refused("--holdout", wish.holdout, "it takes a number above 0 and below 1", command=COMMAND)


def _check_choice(wish: Wish) -> None:
    """Raise `Stop` unless the options name one way to judge."""
    given = {
        "-r": wish.ratings, "-n": wish.models, "-t": wish.test, "-c": wish.config, "--split": wish.split,
        "--part": wish.part, "--train": wish.train, "--holdout": wish.holdout, "--protocol": wish.protocol,
        "-i": wish.inputs, "-o": wish.targets, "--groups": wish.groups,
    }  # fmt: skip
    here = {option for option, value in given.items() if value not in (None, [])}
    if {"-i", "-o"} & here:
        _check_sets(here)
        return
    if ("-n" in here) == ("-c" in here):
        reason = "give either a model (-n) or a definition to train (-c)"
        raise stop(codes.BAD_USAGE, reason=reason, command=COMMAND)
    _exclude(here, "-c", ("-t", "--train"))
    _exclude(here, "-n", ("--protocol", "--holdout"))
    _exclude(here, "--split", ("-r", "-t", "--train", "--protocol", "--holdout"))
    _check_texts(here)


def _check_texts(here: set[str]) -> None:
    if "--split" in here:
        return
    if "--part" in here:
        raise stop(codes.MISSING_OPTION, command=COMMAND, option="--split DIR, of which --part takes a part")
    if "-r" not in here:
        raise stop(codes.MISSING_OPTION, command=COMMAND, option="-r / --ratings, or --split DIR")
    if "-n" in here and "-t" not in here:
        raise stop(codes.MISSING_OPTION, command=COMMAND, option="-t, the text of what was held out")


def _check_sets(here: set[str]) -> None:
    for option in ("-n", "-i", "-o"):
        if option not in here:
            what = {"-n": "-n, the model to judge", "-i": "-i, the data set of the inputs"}
            raise stop(
                codes.MISSING_OPTION, command=COMMAND, option=what.get(option, "-o, the data set of the outputs")
            )
    _exclude(here, "-i", ("-r", "-t", "-c", "--split", "--train", "--protocol", "--holdout", "--groups"))


def _exclude(here: set[str], option: str, others: Sequence[str]) -> None:
    for other in others:
        if option in here and other in here:
            raise stop(codes.CANNOT_COMBINE, first=option, second=other)
