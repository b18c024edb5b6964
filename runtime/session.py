"""Everything that a training needs, read and checked: the definition against the data, the settings, the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnlang.definition import check
from nnlang.diagnostics import Diagnostic
from nnlang.network import Network, Training
from nnlang.runtime import indexfile
from nnlang.runtime.dataset import DataSet, read_all
from nnlang.runtime.preparation import fit
from nnlang.settings import settle
from nnlang.syntax import read_source

Reader = Callable[[Sequence[Path]], Mapping[str, DataSet]]


@dataclass(frozen=True)
class Session:
    """A training that is ready to run, its data sets prepared; `findings` on the way, `overrides` lines to tell."""

    text: str
    network: Network
    datasets: Mapping[str, DataSet]
    settings: Training
    labels: Mapping[str, tuple[str, ...]]
    overrides: tuple[str, ...] = ()
    findings: tuple[Diagnostic, ...] = ()


def prepare(
    config: Path,
    files: Sequence[Path],
    given: Mapping[str, Any],
    indices: Mapping[str, Path | None] | None = None,
    defaults: Training | None = None,
    names: Mapping[str, str] | None = None,
    read: Reader = read_all,
) -> Session:
    """Reads definition and data, resolves the one against the other, settles the settings; raises `Stop`.

    given: settings by the field names of Training, None where not given; indices: feature index files by role (`input`,
    `output`), for models that are to carry labels; read: gives the data sets of files where they are in memory already.
    """
    source = read_source(config)
    first_look = check(source, need_shapes=False)  # mistakes in the definition are told before long files are read
    first_look.report.check()
    settings, overrides = settle(first_look.training, given, defaults, names)
    datasets = dict(read(files))
    checked = check(source, {name: data.facts for name, data in datasets.items()}, need_shapes=True)
    checked.report.check()
    assert checked.network is not None
    labels = _labels(checked.network, datasets, indices or {})
    findings = [notice for data in datasets.values() for notice in data.notices]
    findings += checked.report.sorted()
    datasets, told = fit(checked.network, datasets, labels)
    facts = tuple(datasets[known.name].facts for known in checked.network.data)
    network = replace(checked.network, data=facts)
    return Session(source.text, network, datasets, settings, labels, tuple(overrides), (*findings, *told))


def _labels(
    network: Network, datasets: Mapping[str, DataSet], indices: Mapping[str, Path | None]
) -> dict[str, tuple[str, ...]]:
    """The labels that the model will carry, by data set: what the data files hold, or the index files given."""
    found = {name: data.labels for name, data in datasets.items() if data.labels}
    layers = {"input": network.inputs, "output": network.outputs}
    for role, path in indices.items():
        if path is not None:
            labels = indexfile.read_labels(path)
            found.update((layer.dataset, labels) for layer in layers[role])
    return found
