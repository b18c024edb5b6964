"""`nnlang train`: a definition and data in, a trained model out."""

from __future__ import annotations

import json
import math
import shlex
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from nnlang.cli import options, show
from nnlang.codes import files as file_codes
from nnlang.codes import training as training_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import Training
from nnlang.settings import spelled as spelling

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.session import Session
    from nnlang.runtime.train import Event, TrainResult

Observer = Callable[["Event"], None]


def train(
    config: options.Config,
    input: options.InputData,
    output: options.OutputData,
    model: options.NewModel,
    batch: options.Batch = None,
    epochs: options.Epochs = None,
    optimizer: options.Optimizer = None,
    alpha: options.Alpha = None,
    lambda_: options.Lambda = None,
    lambda1: options.Lambda1 = None,
    mu: options.Mu = None,
    mu1: options.Mu1 = None,
    seed: options.Seed = None,
    alpha_interval: options.AlphaInterval = None,
    alpha_multiplier: options.AlphaMultiplier = None,
    shuffle: options.Shuffle = None,
    checkpoint_interval: options.CheckpointInterval = None,
    input_index: options.InputIndex = None,
    output_index: options.OutputIndex = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted or finished training.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model if it is there.")] = False,
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="DSSTNE's line for every epoch.")] = False,
    json: options.Json = False,
) -> None:
    """Train a network; settings come from the definition's TrainingParameters, flags override them.

    \b
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc --optimizer Adam --alpha 0.001
    nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -e 20 --resume

    Writes the model, a checkpoint every few epochs, and one JSON object an epoch to MODEL.metrics.jsonl. Ctrl-C
    finishes the batch and writes a checkpoint; --resume continues from there, bit for bit.
    Values in brackets count where neither a flag nor the definition says otherwise.
    """
    place = options.device(device, precision, tuning)
    check_model(model, resume, overwrite)
    flags = {
        "batch": batch, "epochs": epochs, "optimizer": optimizer, "alpha": alpha, "lambda_": lambda_,
        "lambda1": lambda1, "mu": mu, "mu1": mu1, "seed": seed, "checkpoint_interval": checkpoint_interval,
        "alpha_interval": alpha_interval, "alpha_multiplier": alpha_multiplier, "shuffle": shuffle,
    }  # fmt: skip
    indices = {"input": input_index, "output": output_index}
    session = prepare(config, [*input, *output], flags, indices, names=options.FLAGS)
    if not json:
        _introduce(session, model, place)
    result = execute(session, model, place, resume=resume, views=(_view(session, verbose, json),))
    conclude(session, model, result, json)


def prepare(
    config: Path,
    files: Sequence[Path],
    given: Mapping[str, Any],
    indices: Mapping[str, Path | None] | None = None,
    defaults: Training | None = None,
    names: Mapping[str, str] | None = None,
) -> Session:
    """The session of a training (runtime.session.prepare), with what it found and what overrides what told."""
    from nnlang.runtime.session import prepare as ready

    session = ready(config, files, given, indices, defaults, names)
    show.findings(session.findings)
    for line in session.overrides:
        show.tell(line)
    return session


def execute(
    session: Session, model: Path, device: Device, *, resume: bool = False, views: tuple[Observer, ...] = ()
) -> TrainResult:
    """Train and write the model and its metrics; Ctrl-C and SIGTERM end it after the batch, with exit code 130."""
    from nnlang.runtime.train import train as run_training

    last: deque[Event] = deque(maxlen=1)
    with interruptible() as interrupted, metrics_file(model, resume) as log:
        result = run_training(
            session.network,
            dict(session.datasets),
            session.settings,
            output=model,
            definition=session.text,
            labels=dict(session.labels),
            resume=resume,
            observer=_all_of(log, _notices, *views, last.append),
            interrupted=interrupted,
            device=device,
        )
    if result.interrupted:
        at = last[-1]
        raise stop(training_codes.STOPPED, epoch=at.epoch, batch=at.batch, path=at.path)
    return result


def _all_of(*observers: Observer) -> Observer:
    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


def _notices(event: Event) -> None:
    if event.notice is not None:
        show.findings([event.notice])


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """While it lasts, the first signal to stop is only noted (the function says so); the second stops at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        show.tell("finishing the batch, then writing a checkpoint; once more to stop at once")

    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def metrics_file(model: Path, resume: bool) -> Iterator[Observer]:
    """An observer that writes `<model>.metrics.jsonl`, one object an epoch, on the disk as soon as it is known.

    On a resumed run it keeps the lines of the epochs before the first one that is trained again.
    """
    path = Path(f"{model}.metrics.jsonl")
    kept = _epochs_in(path) if resume else []
    stream: IO[str] | None = None

    def observe(event: Event) -> None:
        nonlocal stream
        if event.kind != "epoch":
            return
        with _writing(path):
            if stream is None:
                stream = path.open("w", encoding="utf-8")
                stream.writelines(json.dumps(line) + "\n" for line in kept if line["epoch"] < event.epoch)
            stream.write(json.dumps(show.epoch_record(event)) + "\n")
            stream.flush()

    try:
        yield observe
    finally:
        if stream is not None:
            with suppress(OSError):  # a full disk was told when the line was flushed
                stream.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A refusal of the operating system to write is the user's business: a full disk, a folder of that name."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise stop(file_codes.WRITE_FAILED, Place(str(path)), path=path, reason=reason) from error


def _epochs_in(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics file; what a crash cut off is left out."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            item = json.loads(line)
        except ValueError:
            continue
        if isinstance(item, dict) and isinstance(item.get("epoch"), int):
            found.append(item)
    return found


def check_model(model: Path, resume: bool, overwrite: bool) -> None:
    """Raise `Stop` where a training may not write its model."""
    from nnlang.runtime.checkpoint import found
    from nnlang.runtime.files import check_target

    if resume and overwrite:
        raise stop(codes.CANNOT_COMBINE, first="--resume", second="--overwrite")
    check_target(model)
    if not (resume or overwrite) and (model.exists() or found(model)):
        what = "a model" if model.exists() else "the checkpoint of an interrupted training"
        raise stop(codes.MODEL_EXISTS, Place(str(model)), path=model, what=what)


def _introduce(session: Session, model: Path, device: Device) -> None:
    settings, network = session.settings, session.network
    examples = max(data.facts.examples for data in session.datasets.values())
    sizes = " -> ".join(f"{layer.name} {layer.units:,}" for layer in network.layers)
    show.say(f"network   {sizes}")
    show.say(f"data      {examples:,} examples")
    show.say(f"device    {device.name}, {device.options.precision}")
    spelled = spelling(settings.optimizer)
    show.say(
        f"training  {settings.epochs} epochs of batches of {settings.batch}, {spelled}, alpha {settings.alpha:g}, "
        f"lambda {settings.lambda_:g}, seed {settings.seed} -> {model}"
    )


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


def conclude(session: Session, model: Path, result: TrainResult, as_json: bool) -> None:
    """Print what came out of a training, and what to do next."""
    if as_json:
        show.record({
            "event": "done", "model": str(model), "epochs": result.epochs,
            "error": None if math.isnan(result.error) else result.error,
            "seconds": result.seconds,
        })  # fmt: skip
        return
    error, seconds = f"{result.error:.6g}", f"{result.seconds:.1f}"
    rows = (("model", str(model)), ("epochs", f"{result.epochs}"), ("error", error), ("seconds", seconds))
    show.table("trained", ("", ""), rows)
    show.say("\nRecommend with it:\n  " + predict_command(session, model))


def predict_command(session: Session, model: Path) -> str:
    """The predict command that fits a trained model."""
    dataset = session.network.inputs[0].dataset
    words = ["nnlang", "predict", "-n", str(model), "-r", "ratings", "-f", "ratings", "-s", "recs", "-k", "10"]
    if dataset.endswith("_input"):
        words += ["-d", dataset.removesuffix("_input")]
    if dataset not in session.labels:
        words += ["-i", "features_input", "-o", "features_output"]
    return shlex.join(words)
