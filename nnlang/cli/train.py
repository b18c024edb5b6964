"""`nnlang train`: a definition and data in, a trained model out."""

from __future__ import annotations

import math
import shlex
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from nnlang.cli import options, ranks, show, ways
from nnlang.codes import training as training_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import Training
from nnlang.settings import spelled as spelling

if TYPE_CHECKING:
    from nnlang.measures import Metric
    from nnlang.runtime.devices import Device
    from nnlang.runtime.mesh import Mesh
    from nnlang.runtime.session import Choose, Session
    from nnlang.runtime.train import Event, TrainResult
    from nnlang.runtime.validation import Validation
    from nnlang.runtime.ways import Way

Observer = Callable[["Event"], None]


# fmt: off
def train(
    config: options.Config,
    input: options.InputData,
    output: options.OutputData,
    model: options.NewModel,
    batch: options.Batch = None, epochs: options.Epochs = None,
    optimizer: options.Optimizer = None, alpha: options.Alpha = None,
    lambda_: options.Lambda = None, lambda1: options.Lambda1 = None,
    mu: options.Mu = None, mu1: options.Mu1 = None, seed: options.Seed = None,
    alpha_interval: options.AlphaInterval = None, alpha_multiplier: options.AlphaMultiplier = None,
    shuffle: options.Shuffle = None, checkpoint_interval: options.CheckpointInterval = None,
    input_index: options.InputIndex = None, output_index: options.OutputIndex = None,
    validate: options.Validate = None, metric: options.Metric = None,
    patience: options.Patience = None, validate_every: options.ValidateEvery = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted or finished training.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model if it is there.")] = False,
    device: options.Device = None, precision: options.Precision = None, tuning: options.Tuning = None,
    devices: options.Devices = None, parallel: options.Parallel = None,
    deterministic: options.Deterministic = False, gpu_memory: options.GpuMemory = None,
    sync_every: options.SyncEvery = None, asynchronous: options.Asynchronous = False, lbfgs: options.Lbfgs = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="DSSTNE's line for every epoch.")] = False,
    json: options.Json = False,
) -> None:
    # fmt: on
    """Train a network; settings come from the definition's TrainingParameters, flags override them.

    \b
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc --optimizer Adam --alpha 0.001
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -e 20 --resume
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc --validate split --metric ndcg@100 --patience 3
    nnlang train -c config.json -i in.nc -o out.nc -n m.nc --validate val_in.nc --validate val_out.nc --metric auc
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10 --devices 4

    Writes the model, a checkpoint every few epochs, and one JSON object an epoch to MODEL.metrics.jsonl. Ctrl-C
    finishes the batch and writes a checkpoint; --resume continues from there, bit for bit. With --validate the model
    that is written is that of the best epoch, and --patience ends a training that gets no better.
    Values in brackets count where neither a flag nor the definition says otherwise.
    """
    flags = {name: value for name, value in locals().items() if name in options.FLAGS}
    sharing = ways.Wish(sync_every, asynchronous, lbfgs, deterministic, parallel, gpu_memory)
    ranks.start(devices, "train", lambda size: sharing.check(size, flags))
    place = options.device(device, precision, tuning)
    wish = judging(validate, metric, patience, validate_every)
    indices = {"input": input_index, "output": output_index}
    with ranks.together(place) as mesh:
        if ranks.is_restarted(mesh):
            resume, overwrite = True, False
        if mesh.is_first:
            check_model(model, resume, overwrite)
        choose = sharing.choose(mesh.size, place)
        session = prepare(config, [*input, *output], flags, indices, names=options.FLAGS, mesh=mesh, choose=choose)
        _run(session, model, place, sharing.way(), wish, resume=resume, verbose=verbose, json=json)


def _run(
    session: Session,
    model: Path,
    place: Device,
    way: Way,
    wish: Judging | None,
    *,
    resume: bool,
    verbose: bool,
    json: bool,
) -> None:
    """Train what is prepared; the first of several ranks alone judges and speaks."""
    speaks = session.mesh.is_first
    validation = _validation(session, wish, place) if speaks else None
    if not json and speaks:
        _introduce(session, model, place, validation, way)
    views = (_view(session, verbose, json),)
    result = execute(session, model, place, resume=resume, views=views, validation=validation, way=way)
    folder = next((place for place in wish.places if place.is_dir()), None) if wish else None
    if speaks:
        conclude(session, model, result, json, validation, folder)


class Judging(NamedTuple):
    """What --validate and the options beside it ask for."""

    places: Sequence[Path]
    metric: Metric | None
    patience: int
    every: int


def judging(
    validate: Sequence[Path] | None, metric: str | None, patience: int | None, every: int | None
) -> Judging | None:
    """The wish to judge on the way, checked; None without --validate. Raises `Stop` for values that make no sense."""
    if not validate:
        for option, value in (("--metric", metric), ("--patience", patience), ("--validate-every", every)):
            if value is not None:
                reason = f"{option} says how to judge, and nothing says by what"
                raise stop(codes.BAD_USAGE, reason=reason, command="train", help="give --validate DIR as well")
        return None
    if patience is not None and not 0 <= patience < 2**31:
        raise options.refused("--patience", patience, "it takes an integer from 0 (never end early)")
    options.positive("--validate-every", every, "train")
    by = None if metric is None else options.metric(metric, "--metric", "train")
    return Judging(validate, by, patience or 0, every or 1)


def _validation(session: Session, wish: Judging | None, device: Device) -> Validation | None:
    """What judges the training on the way, made ready; what is odd about it is told."""
    if wish is None:
        return None
    from nnlang.runtime.validation import validation_of

    if wish.every > session.settings.epochs:
        reason = f"the training ends after epoch {session.settings.epochs}, before anything is judged"
        raise options.refused("--validate-every", wish.every, reason)
    options_ = {"patience": wish.patience, "every": wish.every}
    made, notices = validation_of(session, wish.places, wish.metric, device=device, **options_)
    show.findings(notices)
    return made


def prepare(
    config: Path,
    files: Sequence[Path],
    given: Mapping[str, Any],
    indices: Mapping[str, Path | None] | None = None,
    defaults: Training | None = None,
    names: Mapping[str, str] | None = None,
    mesh: Mesh | None = None,
    choose: Choose | None = None,
) -> Session:
    """The session of a training (runtime.session.prepare), with what it found and what overrides what told."""
    from nnlang.runtime.mesh import ALONE_MESH
    from nnlang.runtime.session import prepare as ready

    session = ready(config, files, given, indices, defaults, names, mesh=mesh or ALONE_MESH, choose=choose)
    if not session.mesh.is_first:
        return session
    show.findings(session.findings)
    for line in session.overrides:
        show.tell(line)
    return session


def execute(
    session: Session,
    model: Path,
    device: Device,
    *,
    resume: bool = False,
    views: tuple[Observer, ...] = (),
    validation: Validation | None = None,
    way: Way | None = None,
) -> TrainResult:
    """Train and write the model and its metrics; Ctrl-C and SIGTERM end it after the batch, with exit code 130."""
    from nnlang.runtime.together import PLAIN
    from nnlang.runtime.training import execute as run_training

    last: deque[Event] = deque(maxlen=1)
    result = run_training(
        session,
        model,
        device,
        resume=resume,
        observers=(_notices, *views, last.append),
        validation=validation,
        way=way or PLAIN,
        told=lambda: show.tell("finishing the batch, then writing a checkpoint; once more to stop at once"),
    )
    if result.interrupted:
        if not session.mesh.is_first:
            raise typer.Exit(training_codes.STOPPED.exit)
        at = last[-1]
        raise stop(training_codes.STOPPED, epoch=at.epoch, batch=at.batch, path=result.checkpoint)
    return result


def _notices(event: Event) -> None:
    if event.notice is not None:
        show.findings([event.notice])


def check_model(model: Path, resume: bool, overwrite: bool) -> None:
    """Raise `Stop` where a training may not write its model."""
    from nnlang.runtime.checkpoint import begun
    from nnlang.runtime.files import check_target

    if resume and overwrite:
        raise stop(codes.CANNOT_COMBINE, first="--resume", second="--overwrite")
    check_target(model)
    if not (resume or overwrite) and (model.exists() or begun(model)):
        what = "a model" if model.exists() else "the checkpoint of an interrupted training"
        raise stop(codes.MODEL_EXISTS, Place(str(model)), path=model, what=what)


def _introduce(session: Session, model: Path, device: Device, validation: Validation | None, way: Way) -> None:
    settings, network = session.settings, session.network
    examples = max(data.facts.examples for data in session.datasets.values())
    sizes = " -> ".join(f"{layer.name} {layer.units:,}" for layer in network.layers)
    show.say(f"network   {sizes}")
    show.say(f"data      {examples:,} examples")
    show.say(f"device    {device.name}, {device.options.precision}")
    if session.mesh.size > 1 or way.name:
        show.say(f"devices   {ways.told(session, way)}")
    spelled = f"batches of {settings.batch}, {spelling(settings.optimizer)}, alpha {settings.alpha:g}"
    kind = spelled if way.entry == "step" else "all examples"
    show.say(
        f"training  {settings.epochs} epochs of {kind}, lambda {settings.lambda_:g}, seed {settings.seed} -> {model}"
    )
    if validation is not None:
        often = "every epoch" if validation.every == 1 else f"every {validation.every} epochs"
        ends = f", at most {validation.patience} times in a row without a better one" if validation.patience else ""
        show.say(f"judged by {validation.metric} {often}{ends}; the best epoch is kept")


def _view(session: Session, verbose: bool, as_json: bool) -> Observer:
    if as_json:
        return show.json_view
    if verbose:
        return _dsstne_view
    return show.EpochView(session.settings.epochs)


def _dsstne_view(event: Event) -> None:
    """DSSTNE's line (dsstne.md 5.3), and one for each batch."""
    if event.kind == "epoch":
        show.say(
            f"NNNetwork::Train: Epoch {event.epoch}, average error {event.error:f}, average training error "
            f"{event.training_error:f}, average regularization error {event.regularization_error:f}, "
            f"elapsed time {event.seconds:f}s"
        )
    elif event.kind == "batch":
        show.say(f"NNNetwork::Train: Minibatch {event.batch} of {event.batches}, average error {event.error:f}")
    elif event.kind == "validation":
        told = ", ".join(f"{name} {value:f}" for name, value in event.measures.items())
        show.say(f"NNNetwork::Train: Epoch {event.epoch}, validation {told}{', best so far' if event.best else ''}")


def conclude(
    session: Session,
    model: Path,
    result: TrainResult,
    as_json: bool,
    validation: Validation | None = None,
    split: Path | None = None,
) -> None:
    """Print what came out of a training, and what to do next; `split` is the folder that it was judged by."""
    judged = validation is not None and result.best_epoch
    if as_json:
        record: dict[str, object] = {
            "event": "done", "model": str(model), "epochs": result.epochs,
            "error": None if math.isnan(result.error) else result.error,
            "seconds": result.seconds,
        }  # fmt: skip
        if session.mesh.size > 1:
            record |= {"devices": session.mesh.size, "sent": session.mesh.sent}
        if validation is not None and judged:
            record |= {"metric": str(validation.metric), "best": result.best, "best_epoch": result.best_epoch,
                       "stopped_early": result.stopped_early}  # fmt: skip
        show.record(record)
        return
    error, seconds = f"{result.error:.6g}", f"{result.seconds:.1f}"
    rows = [("model", str(model)), ("epochs", f"{result.epochs}"), ("error", error), ("seconds", seconds)]
    if session.mesh.size > 1:
        rows.append(("sent by a device", f"{session.mesh.sent / 1e6:,.1f} MB"))
    if validation is not None and judged:
        rows[2] = (f"error of epoch {result.epochs}", error)
        rows[1:1] = [("best epoch", f"{result.best_epoch}"), (f"its {validation.metric}", f"{result.best:.6g}")]
    show.table("trained", ("", ""), rows)
    ratings = str(split / "test_known") if split is not None else "ratings"
    show.say("\nRecommend with it:\n  " + predict_command(session, model, ratings))
    if split is not None:
        words = ["nnlang", "evaluate", "-n", str(model), "--split", str(split)]
        show.say("Judge it on the split's test part:\n  " + shlex.join(words))


def predict_command(session: Session, model: Path, ratings: str = "ratings") -> str:
    """The predict command that fits a trained model and the users of a text."""
    dataset = session.network.inputs[0].dataset
    words = ["nnlang", "predict", "-n", str(model), "-r", ratings, "-f", ratings, "-s", "recs", "-k", "10"]
    if dataset.endswith("_input"):
        words += ["-d", dataset.removesuffix("_input")]
    if dataset not in session.labels:
        words += ["-i", "features_input", "-o", "features_output"]
    return shlex.join(words)
