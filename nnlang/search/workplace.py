"""The folder of a sweep and what trials find there: their definitions, their data, what is asked of their processes.

sweep.json               the text of the sweep file
events.jsonl             what happened
data/<key>/              data sets and split texts of a setting
trials/0000/             definition.json, trial.json, model.nc, log.txt, ... of a trial; 0000 is the base definition
test.json                base and winner on the test part, beside the baselines
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnlang.codes import files as file_codes
from nnlang.codes import sweeping as codes
from nnlang.codes.training import NOT_TO_VALIDATE
from nnlang.definition import load
from nnlang.diagnostics import Place, stop
from nnlang.network import Training
from nnlang.schema import TRAINING, fold
from nnlang.search.datasets import Files, Store
from nnlang.search.history import Entry, History
from nnlang.search.sampling import digest
from nnlang.search.segment import Reply, Segment
from nnlang.search.study import State
from nnlang.search.trial import DEFINITION, MODEL, RECORD, folder_of
from nnlang.sweeps.sweepfile import Sweep, by_field, definition_text, setting


@dataclass(frozen=True)
class Limits:
    """What each trial may take: seconds of wall clock, bytes of memory; on which device."""

    seconds: float | None = None
    memory: int | None = None
    device: str = ""
    checkpoint_seconds: float = 5.0
    keep: int | None = None  # models of so many of the best trials stay; all unless said


@dataclass(frozen=True)
class Prepared:
    """A trial that can begin: its folder, its data, how many epochs it has at most."""

    folder: Path
    files: Files
    epochs: int


class Workplace:
    """Prepares trials of a sweep in its folder. `again` is the command that goes on with it."""

    def __init__(self, sweep: Sweep, folder: Path, again: str, limits: Limits) -> None:
        self.sweep, self.folder, self.again = sweep, folder.resolve(), again
        self._limits = limits
        self._tidied: set[tuple[int, bool]] = set()
        self._store = Store(self.folder / "data", sweep.folder.resolve())

    def check(self) -> None:
        """Raise `Stop` where the metric is none of ranked lists, by which trials on ratings are compared."""
        judged = self.sweep.metric
        is_fit = judged.measure.ranked and judged.measure.name != "novelty"
        if "ratings" in setting(self.sweep, {}).data and not is_fit:
            reason = "on ratings trials are compared by ranked lists, and it does not say which of them are better"
            help = "take a measure of ranked lists such as ndcg@100 or recall@20"
            raise stop(NOT_TO_VALIDATE, Place(self.sweep.source.name), what=f"`{judged}`", reason=reason, help=help)

    def prepare(self, number: int, params: Mapping[str, Any]) -> Prepared:
        """A trial's definition and data, written where they are not there yet; raises `Stop` for what is wrong."""
        from nnlang.runtime.files import atomic_text

        made = setting(self.sweep, dict(params))
        folder = folder_of(self.folder, number)
        make_folder(folder)
        definition = folder / DEFINITION
        own = self.sweep.seeds == "Own"
        text = definition_text(_seeded(made.definition, self.seed_of(number, params)) if own else made.definition)
        if not definition.is_file() or definition.read_text(encoding="utf-8") != text:
            atomic_text(definition, [text])
        found = load(definition, need_shapes=False)
        assert found.network is not None
        layers = (*found.network.inputs, *found.network.outputs)
        names = list(dict.fromkeys(layer.dataset for layer in layers))
        make_folder(self.folder / "data")
        files = self._store.files(made.data, made.split, names)
        self._note_data(folder, files, {"number": number, "params": dict(params)})
        return Prepared(folder, files, epochs_of(found.training))

    def _note_data(self, folder: Path, files: Files, trial: Mapping[str, Any]) -> None:
        """Write down what a trial is judged on, at first; later raise `Stop` (NN785) where that is another."""
        split = None if files.split is None else files.split.relative_to(self.folder).as_posix()
        if not (folder / RECORD).is_file():
            self._record(folder, {**trial, "split": split, "validation": [str(path) for path in files.validation]})
        elif (before := _told(folder)["split"]) != split:
            what = f"the data of trial {trial['number']}"
            raise stop(codes.SWEEP_CHANGED, Place(str(folder)), what=what, then=before, now=split)

    def segment(self, entry: Entry, prepared: Prepared, until: int | None) -> Segment:
        """What is asked of a trial's process."""
        limits, files = self._limits, prepared.files
        return Segment(
            entry.number,
            str(prepared.folder),
            tuple(str(path) for path in files.files),
            str(self.sweep.metric),
            features=tuple((role, str(path)) for role, path in files.features),
            known="" if files.split is None else str(files.split / "validation_known"),
            held="" if files.split is None else str(files.split / "validation_held"),
            validation=tuple(str(path) for path in files.validation),
            seed=entry.seed,
            pause=until,
            patience=self.sweep.patience,
            memory=limits.memory,
            seconds=None if limits.seconds is None else max(0.0, limits.seconds - entry.seconds),
            device=limits.device,
            checkpoint_seconds=limits.checkpoint_seconds,
        )

    def seed_of(self, number: int, params: Mapping[str, Any]) -> int:
        """The seed that a trial trains with: the definition's for all, or each its own."""
        if self.sweep.seeds == "Own":
            return digest(self.sweep.seed, number) & 0x7FFFFFFF
        training = setting(self.sweep, dict(params)).definition
        return replace(Training(), **_only(_stated(training), "seed")).seed

    def epochs_of_base(self) -> int:
        """How many epochs the base definition is trained for."""
        return epochs_of(_stated(self.sweep.base))

    def describe(self) -> dict[str, Any]:
        """What the base is trained on and judged by, for the event log."""
        made = setting(self.sweep, {})
        return self._store.describe(made.data, made.split)

    def note(self, entry: Entry, reply: Reply) -> None:
        """Keep what a process told beside its values: how many parameters the model has."""
        folder = folder_of(self.folder, entry.number)
        self._record(folder, {**_told(folder), "seed": entry.seed, **reply.facts})

    def tidy(self, history: History) -> None:
        """Let go of what no trial that is done needs: its checkpoints; and of models beyond the best `keep`."""
        keep = self._limits.keep
        kept = set(history.entries)
        if keep is not None:
            kept = {0, *(trial.number for trial in history.study(self.folder).ranked()[:keep])}
        for entry in history.entries.values():
            if entry.done and (entry.number, entry.number in kept) not in self._tidied:
                self._tidied.add((entry.number, entry.number in kept))
                finished = entry.state is State.FINISHED
                _tidy(folder_of(self.folder, entry.number), finished and entry.number in kept)

    @staticmethod
    def _record(folder: Path, content: Mapping[str, Any]) -> None:
        from nnlang.runtime.files import atomic_text

        atomic_text(folder / RECORD, [json.dumps(content) + "\n"])


def _told(folder: Path) -> dict[str, Any]:
    """What trial.json says; raises `Stop` where it is none."""
    path = folder / RECORD
    try:
        found = json.loads(path.read_bytes())
        return {"split": None, **found}
    except (OSError, ValueError, TypeError) as error:
        raise stop(file_codes.NOT_READABLE, Place(str(path)), path=path, reason=str(error)) from error


def _seeded(tree: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A definition's tree with the seed that it is trained with."""
    name = next((key for key in tree if fold(key) == "trainingparameters"), "TrainingParameters")
    stated = {key: value for key, value in (tree.get(name) or {}).items() if not _is_seed(key)}
    return {**tree, name: {**stated, "RandomSeed": seed}}


def _is_seed(key: str) -> bool:
    found = TRAINING.find(key)
    return found is not None and found.field == "seed"


def _tidy(folder: Path, model: bool) -> None:
    for path in folder.glob(f"{MODEL}*"):
        if path.name != f"{MODEL}.metrics.jsonl" and not (model and path.name == MODEL):
            with suppress(OSError):
                path.unlink()


def _stated(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The training parameters of a definition's tree, by their field names."""
    found = next((value for key, value in tree.items() if fold(key) == "trainingparameters"), None)
    return by_field(TRAINING, found) if isinstance(found, Mapping) else {}


def epochs_of(training: Mapping[str, Any]) -> int:
    """How many epochs stated training parameters ask for."""
    return replace(Training(), **_only(training, "epochs")).epochs


def _only(training: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: training[name]} if name in training else {}


def make_folder(path: Path) -> None:
    """Make a folder and those above it; raises `Stop` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise stop(file_codes.NOT_WRITABLE, Place(str(path)), path=path, reason=reason) from error
