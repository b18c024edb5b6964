"""Open documents: a version of a text, what it is made of, and whether it is the language's at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nnlang import schema
from nnlang.definition import check
from nnlang.diagnostics import Report
from nnlang.editor.loose import Group, Tree, Word, grow
from nnlang.editor.positions import Positions
from nnlang.editor.replacing import Range, changed, difference
from nnlang.formatter import format_text
from nnlang.network import Network
from nnlang.rules.rule import Edit
from nnlang.source import Source
from nnlang.syntax import DEFAULTS

LANGUAGES = ("json", "jsonc", "lndl")
SUFFIX = ".lndl"
_LOOKED_AT = 65_536  # characters by which a text is recognised
_JOB_WORDS = ("network", "command", "trainingparameters", "predictionparameters")
_SWEEP_WORDS = ("definition", "axes", "trials")
_LAYER_WORDS = ("kind", "n", "source", "dataset", "activation")


@dataclass(frozen=True)
class Document:
    """One version of the text of an open document. `name` is its path, `language` what the client calls it."""

    name: str
    language: str
    version: int
    text: str
    encoding: str = "utf-16"

    def changed(self, version: int, changes: Sequence[tuple[Range, str]]) -> Document:
        """The document after changes, each made to the text that the one before it has left."""
        return replace(self, version=version, text=changed(self.text, changes, self.encoding))

    @cached_property
    def positions(self) -> Positions:
        """Its lines."""
        return Positions(self.text, self.encoding)

    @cached_property
    def tree(self) -> Tree:
        """What it is made of, as far as it can be told; of a text that is too large for the language, nothing."""
        return grow(self.text if len(self.text) <= DEFAULTS.size else "")

    @cached_property
    def source(self) -> Source:
        """The text for the phases of the compiler."""
        return Source(self.name, self.text)

    @cached_property
    def is_ours(self) -> bool:
        """Whether it is a definition, a job or a sweep; other JSON that happens to be open is none of our business."""
        if self.language == "lndl" or self.name.lower().endswith(SUFFIX):
            return True
        if self.language not in LANGUAGES:
            return False
        tree = self.tree if len(self.text) <= _LOOKED_AT else grow(self.text[:_LOOKED_AT])
        return tree.root is not None and tree.root.is_object and _speaks(tree.root)

    @cached_property
    def network(self) -> Network | None:
        """What it means, where it is a sound definition."""
        return check(self.source, need_shapes=False).network

    def laid_out(self) -> Edit | None:
        """The edit that lays it out as `nnlang format` does; None where it is, or has errors."""
        text = format_text(self.source, Report())
        return difference(self.text, text) if text is not None else None


def _speaks(root: Group) -> bool:
    """Whether a top-level object has keys by which the language is known.

    `Layers` in capitals is DSSTNE's; in small letters other formats have it too, so more must look familiar. Of a job
    two keys must be there, since each alone is a common word.
    """
    keys = [pair.key.value for pair in root.pairs]
    low = [key.lower() for key in keys]
    if "Layers" in keys:
        return True
    layers = root.get("layers")
    if isinstance(layers, Group):
        known = sum(schema.DEFINITION.find(key) is not None for key in keys)
        return known * 2 > len(keys) and any(_is_layer(item) for item in layers.items)
    if "sweep" in low and sum(word in low for word in _SWEEP_WORDS) >= 1:
        return True
    return sum(word in low for word in _JOB_WORDS) >= 2


def _is_layer(item: Word | Group) -> bool:
    return isinstance(item, Group) and any(pair.key.value.lower() in _LAYER_WORDS for pair in item.pairs)
