"""The face of the language: a text or a file in, what it means out, with everything there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike

from nnlang import ast
from nnlang.decode import decode
from nnlang.diagnostics import Report
from nnlang.network import DataFacts, Network
from nnlang.resolve import resolve, resolve_training
from nnlang.source import Source
from nnlang.syntax import DEFAULTS, Comment, Document, Limits, Node, read, read_source


@dataclass(frozen=True)
class Checked:
    """What became of a definition: each stage is None where an earlier one failed; `report` says why."""

    source: Source
    definition: ast.Definition | None
    network: Network | None
    training: dict[str, object]  # what `TrainingParameters` says, by the field names of network.Training
    report: Report
    comments: tuple[Comment, ...] = ()
    root: Node | None = None  # the text's tree


def check(
    source: Source,
    data: Mapping[str, DataFacts] | None = None,
    *,
    need_shapes: bool,
    limits: Limits = DEFAULTS,
) -> Checked:
    """Everything there is to know about a definition's text, mistakes included; nothing is raised.

    `data` are the facts of the data sets at hand; where one is missing, `need_shapes` decides whether that is an error
    (training) or layers of "auto" size simply have no size yet (lint, which asks only about names that are near).
    """
    report = Report()
    return meaning(source, read(source, report, limits), report, data, need_shapes=need_shapes, limits=limits)


def meaning(
    source: Source,
    document: Document,
    report: Report,
    data: Mapping[str, DataFacts] | None = None,
    *,
    need_shapes: bool,
    limits: Limits = DEFAULTS,
) -> Checked:
    """The same for a text that has been read already; `report` holds what reading it found."""
    definition = decode(document.root, source, report, limits) if document.root is not None else None
    network = None
    if definition is not None:
        network = resolve(definition, data or {}, report, need_shapes=need_shapes)
    training = resolve_training(definition.training) if definition is not None else {}
    return Checked(source, definition, network, training, report, document.comments, document.root)


def load(
    path: str | PathLike[str],
    data: Mapping[str, DataFacts] | None = None,
    *,
    need_shapes: bool = True,
    limits: Limits = DEFAULTS,
) -> Checked:
    """A definition file that is sound: its `definition` and `network` are there. A `Stop` with all errors otherwise."""
    checked = check(read_source(path, limits), data, need_shapes=need_shapes, limits=limits)
    checked.report.check()
    return checked
