"""The data of a sweep's trials, made once for each distinct setting: split texts, data sets, index files.

A setting's folder is `data/<key>/`, its key a digest of what goes in: the content of the ratings, how they are read and
split, the names of the data sets. It is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Place, Stop, stop

if TYPE_CHECKING:
    from nnlang.runtime.protocols import Protocol

FORM = 1  # of what is made from the same ratings; a change of it makes folders anew


@dataclass(frozen=True)
class Files:
    """What a trial trains on and is judged by: data set files, index files by role, the parts of the split."""

    files: tuple[Path, ...]
    features: tuple[tuple[str, Path], ...] = ()
    split: Path | None = None  # the folder of the split
    validation: tuple[Path, ...] = ()  # data set files, where there is no split


@dataclass
class Store:
    """Makes and remembers the data of settings, in a sweep's folder. `root` is where paths of the sweep file start."""

    folder: Path
    root: Path
    _digests: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # of files: size, time of change, SHA-256

    def files(self, data: Mapping[str, Any], split: Mapping[str, Any], names: Sequence[str]) -> Files:
        """The files of a setting, made where they are not there yet; names: the data sets that its layers read.

        Raises `Stop` for ratings that cannot be read, a split without a validation part, a full disk.
        """
        if "ratings" not in data:
            return self._given(data)
        protocol = protocol_of(split)
        analog = data.get("second", "none") == "value"
        made = self.folder / self._key(data, protocol, names)
        if not made.is_dir():
            self._make(made, data, protocol, names, analog)
        return Files(
            tuple(made / f"{number}.nc" for number in range(len(names))),
            (("input", made / "features"), ("output", made / "features")),
            made / "split",
        )

    def describe(self, data: Mapping[str, Any], split: Mapping[str, Any]) -> dict[str, Any]:
        """What trials are judged on, as the event log keeps it: contents by digest, the protocol with its numbers."""
        if "ratings" in data:
            rest = {k: v for k, v in data.items() if k != "ratings"}
            return {"ratings": self._content(self._path(data["ratings"])), **rest, "split": protocol_of(split).record()}
        keys = ("input", "output", "validation_input", "validation_output")
        return {key: [self._content(self._path(path)) for path in data.get(key, ())] for key in keys}

    def _path(self, text: str) -> Path:
        return self.root / Path(text).expanduser()

    def _given(self, data: Mapping[str, Any]) -> Files:
        def paths(*keys: str) -> tuple[Path, ...]:
            return tuple(self._path(text).resolve() for key in keys for text in data.get(key, ()))

        judged = paths("validation_input", "validation_output")
        if not judged:
            remedy = 'name data sets to judge on: "Data": { ..., "ValidationInput": [...], "ValidationOutput": [...] }'
            raise stop(codes.NO_VALIDATION, reason="`Data` names no validation sets", remedy=remedy)
        return Files(paths("input", "output"), validation=judged)

    def _key(self, data: Mapping[str, Any], protocol: Protocol, names: Sequence[str]) -> str:
        told = {k: v for k, v in data.items() if k != "ratings"}
        content = self._content(self._path(data["ratings"]))
        text = json.dumps([FORM, content, told, protocol.record(), list(names)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _content(self, path: Path) -> str:
        """The digest of a file's or a folder's content; raises `Stop` (NN785) where it changed while we run."""
        from nnlang.runtime.blocks import inputs
        from nnlang.runtime.files import file_digest, unreadable

        found = hashlib.sha256()
        for file in inputs(path):
            try:
                facts = file.stat()
                *seen, digest = self._digests.get(str(file), (0, 0, ""))
                if seen != [facts.st_size, facts.st_mtime_ns]:
                    now = file_digest(file)
                    if digest not in ("", now):
                        told = {"then": digest[:12], "now": now[:12]}
                        raise stop(codes.SWEEP_CHANGED, Place(str(file)), what=f"the file `{file}`", **told)
                    self._digests[str(file)] = facts.st_size, facts.st_mtime_ns, now
            except OSError as error:
                raise unreadable(file, error) from error
            found.update(self._digests[str(file)][2].encode())
        return found.hexdigest()

    def _make(
        self, made: Path, data: Mapping[str, Any], protocol: Protocol, names: Sequence[str], analog: bool
    ) -> None:
        from nnlang.runtime.convert import convert_for
        from nnlang.runtime.interactions import read_interactions
        from nnlang.runtime.protocols import split
        from nnlang.runtime.splitfiles import write_split

        columns = tuple(c.strip() for c in data.get("columns", "").split(",") if c.strip())
        second = data.get("second", "none")
        read = read_interactions(self._path(data["ratings"]), columns=columns, second=second, least=data.get("least"))
        parts = split(read, protocol)
        building = made.with_name(f".{made.name}.{os.getpid()}.tmp")
        for remains in self.folder.glob(f".{made.name}.*.tmp"):  # of a coordinator that was killed
            self._clear(remains)
        try:
            (building / "split").mkdir(parents=True)
            write_split(parts, read, building / "split")
            convert_for(names, building / "split" / "train", building, analog=analog)
            os.rename(building, made)
        except OSError as error:
            raise _unwritable(building, error) from error
        finally:
            self._clear(building)

    @staticmethod
    def _clear(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> Stop:
    return stop(codes.UNWRITABLE, Place(str(path)), path=path, reason=error.strerror or str(error))


def protocol_of(split: Mapping[str, Any]) -> Protocol:
    """The protocol of a sweep's split; raises `Stop` for one that holds out nothing to compare trials by."""
    from nnlang.runtime.protocols import protocol_of as find

    given = {("protocol" if key == "name" else key): value for key, value in split.items()}
    protocol = find(given)
    if not protocol.validation:
        remedy = "leave `Validation` out of `Split`, or give it a share such as 0.1"
        raise stop(codes.NO_VALIDATION, reason="`Validation` of `Split` is 0", remedy=remedy)
    return protocol
