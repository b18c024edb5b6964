"""Everything that a training needs, read and checked: the definition against the data, the settings, the labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnlang.codegen.grid import parts
from nnlang.definition import Checked, check
from nnlang.diagnostics import Diagnostic
from nnlang.network import DataFacts, Network, Training
from nnlang.placement import ALONE, Placement
from nnlang.runtime import indexfile
from nnlang.runtime.dataset import DataSet, read_all
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.preparation import fit
from nnlang.runtime.slices import Span, read_part, survey
from nnlang.settings import settle
from nnlang.syntax import read_source

Reader = Callable[[Sequence[Path]], Mapping[str, DataSet]]
Choose = Callable[[Network, Training], Placement]
Indices = Mapping[str, Path | None]
Labels = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Session:
    """A training that is ready to run, its data sets prepared; `findings` on the way, `overrides` lines to tell.

    Of several ranks each has a session of its own: the mesh laid for the placement, and of the data sets its part.
    """

    text: str
    network: Network
    datasets: Mapping[str, DataSet]
    settings: Training
    labels: Mapping[str, tuple[str, ...]]
    overrides: tuple[str, ...] = ()
    findings: tuple[Diagnostic, ...] = ()
    placement: Placement = ALONE
    mesh: Mesh = ALONE_MESH


def prepare(
    config: Path,
    files: Sequence[Path],
    given: Mapping[str, Any],
    indices: Indices | None = None,
    defaults: Training | None = None,
    names: Mapping[str, str] | None = None,
    read: Reader = read_all,
    mesh: Mesh = ALONE_MESH,
    choose: Choose | None = None,
) -> Session:
    """Reads definition and data, resolves the one against the other, settles the settings; raises `Stop`.

    given: settings by the field names of Training, None where not given; indices: feature index files by role (`input`,
    `output`), for models that are to carry labels; read: gives the data sets of files where they are in memory already.

    mesh: the ranks that will train together, all of which make this call; `choose` lays the network over them, as the
    planner does for CPUs unless given. Each then reads its part of the data sets, but the whole where preparation steps
    learn from it. What the ranks do not have in common is a `Stop` (NN802, 2).
    """
    source = read_source(config)
    first_look = check(source, need_shapes=False)  # mistakes in the definition are told before long files are read
    first_look.report.check()
    settings, overrides = settle(first_look.training, given, defaults, names)
    mesh.agree({"definition": hashlib.sha256(source.text.encode()).hexdigest(), "settings": repr(settings)})
    if mesh.size == 1 or (first_look.network is not None and first_look.network.preparation):
        session = _of_whole(first_look, read(files), settings, indices or {})
        laid = _laid(session, mesh, choose)
    else:
        surveyed = survey(files, labels=mesh.is_first)
        facts = {name: one.facts for name, one in surveyed.items()}
        network, found = _resolved(first_look, facts)
        labels = _labels(network, {n: s.data.labels for n, s in surveyed.items()}, indices or {}, mesh.is_first)
        notices = [notice for one in surveyed.values() for notice in one.data.notices]
        session = Session(source.text, network, {}, settings, labels, findings=(*notices, *found))
        laid = _laid(session, mesh, choose)
        datasets = read_part(files, spans(network, laid.placement, mesh.rank), surveyed)
        laid = replace(laid, datasets=datasets)
    mesh.agree({f"data set `{name}`": data.sha256 for name, data in laid.datasets.items()})
    return replace(laid, overrides=tuple(overrides))


def spans(network: Network, placement: Placement, rank: int) -> dict[str, Span | None]:
    """Which units of each bound data set a rank needs; None, all, where layers need different ones of the same."""
    found: dict[str, Span | None] = {}
    for layer in (*network.inputs, *network.outputs):
        span = (0, layer.units)
        if layer.index in placement.split:
            dealt = parts(layer.units, placement.model)
            assert dealt is not None
            span = dealt[placement.model_rank(rank)]
        if network.facts(layer) is not None:
            found[layer.dataset] = span if found.get(layer.dataset, span) == span else None
    return found


def _of_whole(look: Checked, read: Mapping[str, DataSet], settings: Training, indices: Indices) -> Session:
    """The session with whole data sets, after the network's preparation steps."""
    network, found = _resolved(look, {name: data.facts for name, data in read.items()})
    labels = _labels(network, {name: data.labels for name, data in read.items()}, indices)
    notices = [notice for data in read.values() for notice in data.notices]
    datasets, told = fit(network, read, labels)
    network = replace(network, data=tuple(datasets[known.name].facts for known in network.data))
    return Session(look.source.text, network, datasets, settings, labels, findings=(*notices, *found, *told))


def _resolved(look: Checked, facts: Mapping[str, DataFacts]) -> tuple[Network, Sequence[Diagnostic]]:
    """The network that a definition means for these data sets, and what there is to tell."""
    checked = check(look.source, facts, need_shapes=True)
    checked.report.check()
    assert checked.network is not None
    return checked.network, checked.report.sorted()


def _laid(session: Session, mesh: Mesh, choose: Choose | None) -> Session:
    """The session on a mesh that is laid as was chosen, by all ranks alike."""
    if choose is not None:
        placement = choose(session.network, session.settings)
    else:
        placement = _planned(session, mesh.size)
    split = [session.network.layers[number].name for number in sorted(placement.split)]
    mesh.agree({"mesh": f"{placement.model} x {placement.data}", "split layers": ", ".join(split),
                "deterministic mode": str(placement.exact)})  # fmt: skip
    return replace(session, placement=placement, mesh=mesh.lay(placement))


def _planned(session: Session, ranks: int) -> Placement:
    if ranks == 1:
        return ALONE
    from nnlang.planner import choose_for

    return choose_for(session.network, session.settings, ranks, "cpu")


def _labels(
    network: Network, known: Mapping[str, tuple[str, ...] | None], indices: Indices, wanted: bool = True
) -> Labels:
    """The labels that the model will carry, by data set: what the data files hold, or the index files given."""
    if not wanted:
        return {}
    found = {name: labels for name, labels in known.items() if labels}
    layers = {"input": network.inputs, "output": network.outputs}
    for role, path in indices.items():
        if path is not None:
            labels = indexfile.read_labels(path)
            found.update((layer.dataset, labels) for layer in layers[role])
    return found
