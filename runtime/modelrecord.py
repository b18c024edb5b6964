"""The group `nnlang` of a model file: what DSSTNE's attributes cannot hold, and the SHA-256 of everything.

    attributes  format, writer, metadata_sha256
    metadata    text, JSON: network, definition, training, progress, preparation, versions; where labels and state
                stand; the SHA-256 of every array of the file
    labels<i>   the feature labels of a data set, UTF-8, one after another; labels<i>_end says where each ends
    state<i>    one array of the optimiser's state, flat

Formats: a reader reads all older ones; a new minor number only adds, and is read; a new major number is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Stop, stop
from nnlang.network import Network, Training
from nnlang.runtime import fitted
from nnlang.runtime.container import Container, Found, Spans, kept
from nnlang.runtime.layout import Group, Variable, digest, storable, to_bytes, to_text
from nnlang.runtime.modelwrite import narrow
from nnlang.runtime.record import decode, encode
from nnlang.version import __version__

GROUP = "nnlang"
MAJOR, MINOR = 1, 0
MOST_STATE = 100_000
_FORMAT = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")
_KINDS = "fiu"

# Fields that the attributes hold in other words or not at all; everything else must agree with them.
_ONLY_HERE = {
    "Network": {"version", "data", "sparseness", "slope", "elu_alpha", "selu_lambda", "preparation"},
    "Layer": {"sparseness", "function"},
}

State = dict[str, NDArray[Any]]
Labels = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Record:
    """The content of the group, but for labels and state, which are read when the arrays are."""

    network: Network
    definition: str
    training: Training | None
    progress: dict[str, Any]
    preparation: dict[str, Any]
    versions: dict[str, str]
    labels: Sequence[Mapping[str, Any]]
    state: Sequence[Mapping[str, Any]]
    digests: Mapping[str, str]


def pack(root: Group, contents: Mapping[str, Any], labels: Labels, state: State) -> Group:
    """The group for a file with this root; `contents` are the plain fields of `Record`."""
    variables: list[Variable] = []
    kept = [_pack_labels(variables, i, name, labels[name]) for i, name in enumerate(sorted(labels))]
    arrays = [_pack_state(variables, i, name, state[name]) for i, name in enumerate(sorted(state))]
    digests = {v.name: digest(v.array) for v in root.variables}
    digests |= {f"{GROUP}/{v.name}": digest(v.array) for v in variables}
    record = {k: encode(v) for k, v in contents.items()} | {"labels": kept, "state": arrays, "digests": digests}
    text = np.frombuffer(json.dumps(record, sort_keys=True, indent=1).encode(), dtype="S1")
    attributes = {"format": f"{MAJOR}.{MINOR}", "writer": __version__, "metadata_sha256": digest(text)}
    return Group(attributes, [Variable("metadata", "metadataDim", text), *variables])


def _pack_labels(variables: list[Variable], number: int, name: str, labels: Sequence[str]) -> dict[str, Any]:
    texts = [to_bytes(label) for label in labels]
    variable, text = f"labels{number}", b"".join(texts)
    if text:
        variables.append(Variable(variable, f"{variable}Dim", np.frombuffer(text, dtype=np.uint8)))
    if texts:
        ends = np.cumsum([len(t) for t in texts], dtype=np.uint64)
        variables.append(Variable(f"{variable}_end", f"{variable}_endDim", ends))
    return {"name": name, "variable": variable, "count": len(texts), "bytes": len(text)}


def _pack_state(variables: list[Variable], number: int, name: str, array: NDArray[Any]) -> dict[str, Any]:
    if array.dtype.kind not in _KINDS:
        raise ValueError(f"state {name}: {array.dtype} is no plain number")
    if array.size:
        variables.append(Variable(f"state{number}", f"state{number}Dim", array.reshape(-1)))
    variable = f"state{number}" if array.size else ""
    return {"name": name, "variable": variable, "shape": list(array.shape), "type": array.dtype.str[1:]}


def unpack(file: Container) -> Record | None:
    """The checked record of a file of ours, None for a file of DSSTNE's; arrays are compared with it from now on."""
    if not file.has(GROUP):
        return None
    attributes = file.attributes(GROUP)
    _check_format(file, attributes)
    text = file.array(f"{GROUP}/metadata", "S")
    if digest(text) != attributes.get("metadata_sha256"):
        raise _damaged(file, "its record is not what was written (the SHA-256 differs)")
    try:
        record = _record(json.loads(text.tobytes()))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(file, f"its record is not understood ({error})") from error
    file.expect(record.digests)
    return record


def _check_format(file: Container, attributes: Mapping[str, Found]) -> None:
    found = str(attributes.get("format", ""))
    match = _FORMAT.fullmatch(found)
    if match is None:
        raise _damaged(file, "the group `nnlang` does not say its format")
    if int(match[1]) > MAJOR:
        writer, known = attributes.get("writer", "of unknown version"), f"{MAJOR}.{MINOR}"
        raise stop(codes.MODEL_NEWER, file.place(), path=file.path, writer=writer, found=found, known=known)


def _record(found: Any) -> Record:
    training = found["training"]
    return Record(
        network=decode(Network, found["network"]),
        definition=_typed(str, found["definition"]),
        training=None if training is None else decode(Training, training),
        progress=_typed(dict, found["progress"]),
        preparation=_preparation(_typed(dict, found["preparation"])),
        versions={_typed(str, k): _typed(str, v) for k, v in _typed(dict, found["versions"]).items()},
        labels=[_typed(dict, row) for row in _typed(list, found["labels"])],
        state=[_typed(dict, row) for row in _typed(list, found["state"])[:MOST_STATE]],
        digests=_typed(dict, found["digests"]),
    )


def _preparation(found: dict[str, Any]) -> dict[str, Any]:
    fitted.check(found)
    return found


def _typed(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"a {kind.__name__} is needed, a {type(value).__name__} is there")
    return value


def agreed(file: Container, exact: Network, found: Network) -> Network:
    """The record's network, once it says what the attributes say, which are checked and hold float32."""
    difference = next(_differences(exact, found, ""), None)
    if difference is not None:
        reason = f"attributes and record do not agree on {difference}: a program changed one of them"
        raise _damaged(file, reason)
    return exact


def _differences(exact: Any, found: Any, where: str) -> Iterator[str]:
    if is_dataclass(exact) and type(exact) is type(found):
        for f in fields(exact):
            if f.name not in _ONLY_HERE.get(type(exact).__name__, ()):
                inner = f"{where}.{f.name}" if where else f.name
                yield from _differences(getattr(exact, f.name), getattr(found, f.name), inner)
    elif isinstance(exact, tuple) and isinstance(found, tuple) and len(exact) == len(found):
        for i, (one, other) in enumerate(zip(exact, found, strict=True)):
            yield from _differences(one, other, f"{where}[{i}]")
    elif isinstance(exact, float) and isinstance(found, float):
        if narrow(exact) != narrow(found):
            yield where
    elif isinstance(exact, str) and isinstance(found, str):
        if storable(exact) != found:
            yield where
    elif exact != found:
        yield where


def read_labels(file: Container, record: Record) -> Labels:
    """The feature labels of every data set."""
    try:
        return {_typed(str, row["name"]): _labels(file, row) for row in record.labels}
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise _damaged(file, "its labels are not understood") from error


def _labels(file: Container, row: Mapping[str, Any]) -> tuple[str, ...]:
    variable = f"{GROUP}/{row['variable']}"
    text = file.array(variable, "u").tobytes() if row["bytes"] else b""
    ends = [0, *file.array(f"{variable}_end", "u", (row["count"],)).tolist()] if row["count"] else [0]
    if sorted(ends) != ends or ends[-1] != len(text):
        raise ValueError("ends of labels")
    return tuple(to_text(text[a:b]) for a, b in pairwise(ends))


def read_state(file: Container, record: Record, wanted: Mapping[str, Spans] | None = None) -> State:
    """The arrays of the optimiser's state, by name; of those in `wanted` that part alone is kept."""
    spans = wanted or {}
    try:
        return {_typed(str, row["name"]): _state(file, row, spans.get(row["name"])) for row in record.state}
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(file, "its optimiser state is not understood") from error


def _state(file: Container, row: Mapping[str, Any], spans: Spans | None) -> NDArray[Any]:
    shape = tuple(_typed(int, n) for n in _typed(list, row["shape"]))
    if not row["variable"]:
        return np.zeros(shape if 0 in shape else (0,), _type(row))
    variable = f"{GROUP}/{row['variable']}"
    if spans is None or len(spans) != len(shape) or any(last > n for (_, last), n in zip(spans, shape, strict=True)):
        return file.array(variable, _KINDS, shape).reshape(shape)
    return kept(file.rows(variable, _KINDS, shape), spans, _type(row))


def _type(row: Mapping[str, Any]) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(_typed(str, row["type"]))
    if kind.kind not in _KINDS:
        raise ValueError(f"the type {kind}")
    return kind


def _damaged(file: Container, reason: str) -> Stop:
    return stop(codes.MODEL_DAMAGED, file.place(), path=file.path, reason=reason)
