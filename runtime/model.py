"""Models as data, and the one file that holds a model: DSSTNE's layout with a group of our own beside it.

The layout is that of dsstne.md 9, so DSSTNE reads our files and we read DSSTNE's. What it cannot hold (labels, the
definition, settings, progress, the optimiser's state, exact numbers, SHA-256 of everything) is in `modelrecord.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlang.codes import model as codes
from nnlang.diagnostics import Place, stop
from nnlang.network import Network, Training
from nnlang.runtime import container, layout, modelarrays, modelread, modelrecord, modelwrite
from nnlang.runtime.files import atomic_write

Float32 = NDArray[np.float32]


@dataclass
class Model:
    """A network with everything it has learnt, and what is needed to go on learning or to use it.

    weights: {index of a weight that owns its matrix: [in, out]}; biases: {index of any weight: [out]};
    batch_norm: {layer index: {"scale", "bias", "mean", "variance": [units]}}. labels: {data set: label of each
    feature}. definition: LNDL text, "" for DSSTNE's own files. progress and preparation: free-form JSON, floats exact;
    "epoch" (whole epochs done) and "batch" (batches done in the next one) in progress give a checkpoint its rank.
    state: the optimiser's arrays by name. versions: of what computed it.
    """

    network: Network
    weights: dict[int, Float32]
    biases: dict[int, Float32]
    batch_norm: dict[int, dict[str, Float32]] = field(default_factory=dict)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    definition: str = ""
    training: Training | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    state: dict[str, NDArray[Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    preparation: dict[str, Any] = field(default_factory=dict)


_PLAIN = ("network", "definition", "training", "progress", "preparation", "versions")


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the model, whole or not at all (dsstne.md 9); equal models give equal bytes.

    `Stop` with exit code 7 where the disk is full, with NN724 where a number is not finite; `ValueError` where arrays
    do not fit the network, which only a mistake of ours can bring about.
    """
    _check(model, Path(path))
    interval = model.training.checkpoint_interval if model.training else 0
    root = modelwrite.root(model.network, model.weights, model.biases, model.batch_norm, interval)
    record = {name: getattr(model, name) for name in _PLAIN}
    own = modelrecord.pack(root, record, model.labels, model.state)
    needed = layout.size(root, own)
    atomic_write(path, lambda ready: layout.write(ready, root, {modelrecord.GROUP: own}), needed=needed)


def load(path: str | os.PathLike[str], wanted: modelarrays.Wanted | None = None) -> Model:
    """The model in a file of ours or of DSSTNE's; float32 arrays, network exactly as saved.

    wanted: for a rank that needs but a part of some arrays, which one, by name; then labels are not read.

    Every array of a file of ours is compared with its SHA-256. Raises `Stop` (NN710 to NN727, exit code 3) for a file
    that is missing, no model, damaged, incomplete, inconsistent, of a newer format, or reaching outside itself.
    Activations and layers that nnlang cannot run do load; lowering refuses them.
    """
    with container.reading(Path(path)) as file:
        attributes = file.attributes()
        network, record = _network(file, attributes)
        arrays = modelarrays.read_tensors(file, attributes, network, wanted)
        if record is None:
            return Model(network, *arrays)
        labels = modelrecord.read_labels(file, record) if wanted is None else {}
        state = modelrecord.read_state(file, record, wanted)
    rest = {name: getattr(record, name) for name in _PLAIN if name != "network"}
    return Model(network, *arrays, labels=labels, state=state, **rest)


def load_network(path: str | os.PathLike[str]) -> Network:
    """The network of the model in a file, without its numbers; raises `Stop` as `load` does for what it reads."""
    with container.reading(Path(path)) as file:
        return _network(file, file.attributes())[0]


def _network(
    file: container.Container, attributes: dict[str, container.Found]
) -> tuple[Network, modelrecord.Record | None]:
    """The network that attributes and, in a file of ours, the record describe."""
    _check_purpose(file, attributes)
    record = modelrecord.unpack(file)
    order = None if record is None else [layer.position for layer in record.network.layers]
    network = modelread.read_network(file, attributes, order)
    if record is None:
        return network, None
    return modelrecord.agreed(file, record.network, network), record


def _check_purpose(file: container.Container, attributes: dict[str, container.Found]) -> None:
    if "layers" in attributes and "weights" in attributes:
        return
    reason = "it has no `layers`"
    if "datasets" in attributes:
        reason = "it is a data set file, as `nnlang generate` writes them"
    raise stop(codes.NOT_A_MODEL, file.place(), path=file.path, reason=reason)


def _check(model: Model, path: Path) -> None:
    """What is saved must load again."""
    network = model.network
    owners = {w.index: w for w in network.weights if w.owner is None}
    normalised = {layer.index: layer for layer in network.layers if layer.batch_normalization}
    keys = [list(found) for found in (model.weights, model.biases, model.batch_norm)]
    wanted = [set(owners), {w.index for w in network.weights}, set(normalised)]
    if [set(found) for found in keys] != wanted:
        raise ValueError(f"weights, biases and statistics {keys} do not fit the network, which has {wanted}")
    arrays: dict[str, tuple[Float32, tuple[int, ...] | None]] = {}
    for w in network.weights:
        arrays[f"the biases of weight {w.index}"] = model.biases[w.index], modelarrays.bias_shape(network, w)
    for index, matrix in model.weights.items():
        arrays[f"the matrix of weight {index}"] = matrix, modelarrays.matrix_shape(network, owners[index])
    for index, statistics in model.batch_norm.items():
        for word in modelwrite.STATISTICS:
            arrays[f"the {word} of layer {index}"] = statistics[word], (modelarrays.channels(normalised[index]),)
    for what, (array, shape) in arrays.items():
        _check_array(path, what, array, shape)


def _check_array(path: Path, what: str, array: Float32, shape: tuple[int, ...] | None) -> None:
    if array.dtype != np.float32 or (shape is not None and array.shape != shape):
        raise ValueError(f"{what}: {array.dtype} {array.shape}, float32 {shape} is needed")
    modelarrays.check_finite(Place(str(path)), array.reshape(-1), what)
