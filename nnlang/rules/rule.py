"""What a lint rule is: a code with its words, a reason, a bad and a good example, maybe a check, maybe a fix.

Most findings are made while a definition is read and resolved; their rules carry words and fixes alone. A rule with a
`check` looks at a sound definition as a whole: its text, its meaning, the data at hand, what training it would cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nnlang import ast
from nnlang.diagnostics import Code, Diagnostic, Place, at
from nnlang.network import DataFacts, Footprint, Kind, Layer, Network
from nnlang.source import Source, Span
from nnlang.syntax import Node

FAMILIES: Mapping[str, str] = {
    "NN1": "syntax",
    "NN2": "keys and values",
    "NN3": "names and topology",
    "NN4": "shapes, data and memory",
    "NN5": "advice",
    "NN6": "compatibility with DSSTNE",
    "NN7": "running",
}


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of the characters of a span."""

    span: Span
    text: str


@dataclass(frozen=True)
class Fix:
    """How to mend a finding. A safe fix keeps the meaning, or gives a text without one the only one it can have."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True)
class Example:
    """A definition, as a part of one: `frame` says where the text stands in the definition that tests check."""

    text: str
    frame: str = "whole"  # a key of FRAMES
    data: tuple[DataFacts, ...] = ()  # what is known of its data sets
    memory: int | None = None  # bytes of the device
    saved: str = ""  # the definition of the model that it is held against
    strict: bool = False

    @property
    def whole(self) -> str:
        """The text in its frame."""
        return FRAMES[self.frame].replace("@", self.text)

    @property
    def shown(self) -> str:
        """The text without the indentation that it has in its frame."""
        return self.text.replace("\n" + INDENTATION.get(self.frame, ""), "\n").rstrip("\n")

    @property
    def known(self) -> str:
        """What is known beside the text, as the options of `nnlang lint` that tell it; empty where nothing is."""
        sets = [
            f"{d.name} ({'sparse' if d.sparse else 'dense'}, {'indicators' if d.boolean else 'values'}, "
            f"{d.units} wide, {d.density:.2g} stored)"
            for d in self.data
        ]
        parts = [f"--data of {', '.join(sets)}"] if sets else []
        parts += [f"--gpu-memory {self.memory / 1e9:g}GB"] if self.memory else []
        parts += ["--against a model"] if self.saved else []
        return ", ".join([*parts, *(["--strict-json"] if self.strict else [])])


_INPUT = '{ "Name": "Input", "Kind": "Input", "N": "auto", "DataSet": "gl_input", "Sparse": true }'
_HIDDEN = '{ "Name": "Hidden", "Kind": "Hidden", "Source": "Input", "N": 128, "Activation": "Sigmoid" }'
_OUTPUT = '{ "Name": "Output", "Kind": "Output", "Source": "Hidden", "N": "auto", "DataSet": "gl_output" }'
FRAMES: Mapping[str, str] = {
    "whole": "@",
    "top": f'{{ "Version": 0.8,\n  @,\n  "Layers": [\n    {_INPUT},\n    {_HIDDEN},\n    {_OUTPUT} ] }}\n',
    "input": f'{{ "Version": 0.8, "Layers": [\n    {{ @ }},\n    {_HIDDEN},\n    {_OUTPUT} ] }}\n',
    "hidden": f'{{ "Version": 0.8, "Layers": [\n    {_INPUT},\n    {{ @ }},\n    {_OUTPUT} ] }}\n',
    "output": f'{{ "Version": 0.8, "Layers": [\n    {_INPUT},\n    {_HIDDEN},\n    {{ @ }} ] }}\n',
    "layers": '{ "Version": 0.8, "Layers": [\n    @ ] }\n',
}


INDENTATION: Mapping[str, str] = {"top": "  ", "layers": "    "}


@dataclass(frozen=True)
class Saved:
    """A model that a definition is held against: its file and the network that it was trained as."""

    path: str
    network: Network


@dataclass(frozen=True)
class Subject:
    """What checks look at: a sound definition, what it means, the facts at hand.

    `footprint` is that of a batch size, or of the training's own where that is None. It costs a compilation, so it is
    asked for only by rules that need it; None where sizes are not known.
    """

    definition: ast.Definition
    network: Network
    training: Mapping[str, object] = field(default_factory=dict)  # what `TrainingParameters` says
    data: Mapping[str, DataFacts] = field(default_factory=dict)
    memory: int | None = None  # bytes of one device, where a definition must fit
    saved: Saved | None = None
    footprint: Callable[[int | None], Footprint | None] = lambda batch: None
    root: Node | None = None  # the text's tree

    @property
    def source(self) -> Source:
        return self.definition.source

    def measured(self, layer: Layer) -> DataFacts | None:
        """The facts of the data set that a layer binds, where they were read from a file and not assumed."""
        facts = self.network.facts(layer)
        return None if facts is None or facts.assumed else facts

    def place(self, span: Span) -> Place:
        """The place of a span of the definition."""
        return at(self.source, span)

    def layers(self, *kinds: Kind) -> Iterator[tuple[ast.Layer, Layer]]:
        """Each layer as it was written and as it was meant, in the order of the list; of some kinds alone if given."""
        for layer in sorted(self.network.layers, key=lambda layer: layer.position):
            if not kinds or layer.kind in kinds:
                yield self.definition.layers[layer.position], layer


Check = Callable[[Subject], Iterator[Diagnostic]]
Fixer = Callable[[Diagnostic, Node | None], Fix | None]  # the tree of the text, where it has one


@dataclass(frozen=True)
class Rule:
    """One rule. `why` is a paragraph for people; `bad` breaks the rule, `good` is the same definition mended."""

    code: Code
    why: str
    bad: Example
    good: Example
    check: Check | None = None
    fix: Fixer | None = None
    safe: bool = True  # whether the fix is, of the bad example; the same fixer may be sure elsewhere
    needs: str = ""  # the facts without which it is not looked for: "data", "memory", "saved" or "strict"
    default: bool = True  # False: only where it is asked for by --select or --extend-select
