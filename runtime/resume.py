"""Going on from a checkpoint: where a run stood, what must be the same, what to tell where something else differs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nnlang.codes import model as model_codes
from nnlang.codes import training as codes
from nnlang.diagnostics import Diagnostic, Place, stop
from nnlang.network import Network, Optimizer, Training
from nnlang.runtime import record
from nnlang.runtime.brake import Brake
from nnlang.runtime.model import Model
from nnlang.runtime.versions import differences

STRUCTURE_FREE = ("dropout", "delta_norm", "weight_norm")  # numbers of a layer that may be tuned between runs


@dataclass
class Position:
    """Where a run stands: finished epochs and batches of the next, steps in all, the epoch's sums so far.

    `validation` are (epoch, value) of what was measured, None for what was no number; `judged` says by what.
    """

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    error: float = 0.0
    rows: int = 0
    last_error: float = math.nan  # of the last whole epoch
    brake: Brake = field(default_factory=Brake)
    validation: tuple[tuple[int, float | None], ...] = ()
    judged: str = ""

    def progress(self) -> dict[str, Any]:
        """The position as a model file keeps it: plain JSON, without what is not a number or was not measured yet."""
        plain = {**asdict(self), "validation": [list(pair) for pair in self.validation]}
        return {k: v for k, v in plain.items() if v not in ("", []) and not (isinstance(v, float) and math.isnan(v))}


def position(saved: Model, path: Path, batches: int, examples: int) -> Position:
    """Where the run of a saved model stood; Stop (NN725) where its record makes no sense."""
    known = {k: v for k, v in saved.progress.items() if k in Position.__dataclass_fields__}
    try:
        at = record.decode(Position, known)
    except (ValueError, TypeError, KeyError) as error:
        raise _nonsense(path, str(error)) from error
    counts = {"epoch": at.epoch, "steps": at.steps, "brake.batches": at.brake.batches, "brake.left": at.brake.left}
    wrong = [f"{name} {value}" for name, value in counts.items() if not 0 <= value < 2**63]
    wrong += [f"batch {at.batch} of {batches}"] if not 0 <= at.batch <= batches else []
    wrong += [f"rows {at.rows} of {examples}"] if not 0 <= at.rows <= examples else []
    measured = [epoch for epoch, _ in at.validation]
    if measured and not (measured[0] > 0 and measured == sorted(set(measured)) and measured[-1] <= at.epoch):
        wrong += [f"measured after epochs {measured} of {at.epoch}"]
    if wrong:
        raise _nonsense(path, ", ".join(wrong))
    return at


def _nonsense(path: Path, reason: str) -> Exception:
    return stop(model_codes.MODEL_CONTENT, Place(str(path)), path=path, what="how far its run had come", reason=reason)


def compare(
    saved: Model, path: Path, ours: Model, settings: Training, data: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """A warning for all that differs from the run that is gone on with; Stop where it is another run altogether.

    ours: network and preparation of the run that goes on; now: the versions of what computes.
    """
    network = ours.network
    for what, before, here in (
        ("network", _shape(saved.network), _shape(network)),
        ("data", saved.progress.get("data"), dict(data)),
        ("preparation of the data", saved.preparation, ours.preparation),
        ("batch size within an epoch", _cut(saved, saved.training), _cut(saved, settings)),
        ("optimiser's state, which sweeps do not keep,", _stateless(saved), False),
    ):
        if before != here and before is not None:
            raise stop(codes.RESUME_REFUSED, Place(str(path)), path=path, what=what)
    pairs = [(_settings(saved.training), _settings(settings)), (_numbers(saved.network), _numbers(network))]
    changed = [(k, old[k], new[k]) for old, new in pairs for k in old if k in new and old[k] != new[k]]
    changed += differences(saved.versions, now)
    then, here = (model.progress.get("way", "") or "all together" for model in (saved, ours))
    changed += [("way of training", then, here)] if then != here else []
    for name, old, new in changed:
        facts = {"what": name.rstrip("_"), "then": _plain(old), "now": _plain(new)}
        yield Diagnostic(codes.RESUME_DIFFERS, Place(str(path)), facts)


def _settings(training: Training | None) -> dict[str, Any]:
    """What of the settings bits hang on: all but how long to go on."""
    return {k: v for k, v in asdict(training).items() if k not in ("epochs", "checkpoint_interval")} if training else {}


def _numbers(network: Network) -> dict[str, Any]:
    """The numbers of a definition that are no structure."""
    layers = {f"{layer.name} {name}": getattr(layer, name) for layer in network.layers for name in STRUCTURE_FREE}
    own = {name: getattr(network, name) for name in ("denoising", "decay", "shuffle")}
    return {**asdict(network.loss), **own, **layers}


def _shape(network: Network) -> object:
    """What must be the same for a run to go on: layers and edges, not the numbers that may be tuned."""
    layers = tuple(replace(layer, dropout=0.0, delta_norm=0.0, weight_norm=0.0) for layer in network.layers)
    return layers, network.weights


def _stateless(saved: Model) -> bool:
    """Whether a model that was trained with an optimiser that remembers has been saved without what that remembered."""
    training = saved.training
    remembers = training is not None and training.optimizer is not Optimizer.SGD
    return remembers and bool(saved.progress.get("steps")) and not saved.state


def _cut(saved: Model, training: Training | None) -> int | None:
    """The batch size that a position within an epoch counts in; None between epochs, where it may change."""
    return training.batch if training and saved.progress.get("batch") else None


def _plain(value: Any) -> object:
    return getattr(value, "name", value)
