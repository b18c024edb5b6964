"""NN6: what only matters to people who still run DSSTNE beside nnlang; most of it is not told unless asked for."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang import schema
from nnlang.codes import compat as codes
from nnlang.diagnostics import Diagnostic
from nnlang.network import DataFacts, Kind, LayerType, Optimizer
from nnlang.rules.rule import Example, Rule, Subject
from nnlang.syntax import ObjectNode


def tool_names(subject: Subject) -> Iterator[Diagnostic]:
    """Names without which DSSTNE's predict finds no layer or no data (dsstne.md 10.2)."""
    outputs = list(subject.layers(Kind.OUTPUT))
    if outputs and all(layer.name != "Output" for _, layer in outputs):
        written, layer = outputs[0]
        facts = {"what": "Output layer", "name": layer.name, "expected": "a layer called `Output`"}
        remedy = 'write "Name": "Output"; nnlang predicts from any'
        yield Diagnostic(codes.TOOL_NAMES, subject.place(written.head), {**facts, "remedy": remedy})
    for written, layer in subject.layers(Kind.INPUT):
        if layer.dataset and not layer.dataset.endswith("_input") and written.dataset:
            facts = {"what": "data set", "name": layer.dataset, "expected": "a name that ends with `_input`"}
            remedy = "call it gl_input, for `predict -d gl`; nnlang takes any name"
            yield Diagnostic(codes.TOOL_NAMES, subject.place(written.dataset.span), {**facts, "remedy": remedy})


_MORE = {
    Optimizer.ADAM: "; its library's Adam has no running mean of squares (mu1 0)",
    Optimizer.NESTEROV: "; its job files take Nesterov",
}


def optimizers(subject: Subject) -> Iterator[Diagnostic]:
    """Training that DSSTNE would do otherwise."""
    training = subject.definition.training
    if training and training.optimizer and training.optimizer.value is not Optimizer.SGD:
        name = next(o.spelling for o in schema.OPTIMIZER.options if o.value is training.optimizer.value)
        facts = {"optimizer": name, "more": _MORE.get(training.optimizer.value, "")}
        yield Diagnostic(codes.OPTIMIZER, subject.place(training.optimizer.span), facts)


def dropout_masks(subject: Subject) -> Iterator[Diagnostic]:
    """Layers whose dropped units learned all the same (dsstne.md 7)."""
    for written, layer in subject.layers(Kind.HIDDEN, Kind.OUTPUT):
        if layer.dropout and written.dropout:
            yield Diagnostic(codes.DROPOUT_MASK, subject.place(written.dropout.span), {"name": layer.name})


def analog_inputs(subject: Subject) -> Iterator[Diagnostic]:
    """Sparse inputs with values (dsstne.md 4.3)."""
    for written, layer in subject.layers(Kind.INPUT):
        facts = subject.measured(layer)
        if facts and facts.sparse and not facts.boolean:
            yield Diagnostic(codes.ANALOG_INPUT, subject.place(written.head), {"name": layer.name})


def our_keys(subject: Subject) -> Iterator[Diagnostic]:
    """Keys of a definition that DSSTNE's parser does not know."""
    for member in subject.root.members if isinstance(subject.root, ObjectNode) else ():
        key = schema.DEFINITION.find(member.name.value)
        if key and key.status is schema.Status.OURS:
            remedy = _PREPARED if key.field == "preparation" else None
            yield Diagnostic(codes.OUR_KEY, subject.place(member.name.span), {"key": key.name}, remedy)


_PREPARED = "prepare the data before `nnlang generate`, to keep the definition DSSTNE's"


def one_axis_kernels(subject: Subject) -> Iterator[Diagnostic]:
    """Convolutions along one axis (dsstne.md 1.11)."""
    for written, layer in subject.layers(Kind.HIDDEN, Kind.OUTPUT):
        if layer.type is LayerType.CONVOLUTIONAL and layer.kernel_dimensions == 1:
            place = subject.place(written.kernel[0].span if written.kernel else written.head)
            yield Diagnostic(codes.KERNEL_1D, place, {"name": layer.name})


def tied_inputs(subject: Subject) -> Iterator[Diagnostic]:
    """Matrices of inputs that are used the other way round as well (dsstne.md 1.8)."""
    network = subject.network
    for weight in network.weights:
        owner = None if weight.owner is None else network.weights[weight.owner]
        if owner is None or not weight.transposed or network.layers[owner.source].kind is not Kind.INPUT:
            continue
        written = subject.definition.layers[network.layers[weight.target].position]
        place = subject.place(written.shared[0].key if written.shared else written.head)
        yield Diagnostic(codes.TIED_SPARSE, place, {"name": network.layers[owner.source].name})


_LAYER = '"Name": "{}", "Kind": "Output", "Source": "Hidden", "N": "auto", "DataSet": "gl_output"'
_HIDDEN = '"Name": "Hidden", "N": 128, "Source": "Input"{}'
_VALUES = DataFacts("gl_input", 1000, 1000, sparse=True, entries=5_000)
_SIGNALS = DataFacts("gl_input", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_TARGETS = DataFacts("gl_output", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_CONVOLVED = """{ "Name": "Input", "Kind": "Input", "N": [64, 3], "DataSet": "signals" },
    { "Name": "Hidden", "Type": "Convolutional", "N": 8, "Kernel": @ },
    { "Name": "Output", "N": 10, "DataSet": "labels" }"""
_TIED = """{ "Name": "Input", "Kind": "Input", "N": 64, "DataSet": "gl_input" },
    { "Name": "Hidden", "N": 16 },
    { "Name": "Output", "N": 64, "DataSet": "gl_output"@ }"""
_SHARE = """, "SharedWeights": [ { "SourceInputLayer": "Input",
      "SourceOutputLayer": "Hidden", "InputLayer": "Hidden", "Transposed": true } ]"""

ROWS = (
    Rule(
        codes.TOOL_NAMES,
        "DSSTNE's predict looks for a layer called Output and crashes without one, and for the data set whose name is "
        "the -d option with _input behind it. nnlang takes any names; keep DSSTNE's where the same definition has to "
        "serve both. Not told unless asked for: --extend-select NN619.",
        bad=Example(_LAYER.format("Scores"), "output"),
        good=Example(_LAYER.format("Output"), "output"),
        check=tool_names,
        default=False,
    ),
    Rule(
        codes.OPTIMIZER,
        "DSSTNE's train uses SGD whatever is written; its job files take Nesterov too, its library all of them, and "
        "both forget their state with every epoch. nnlang runs what is written and keeps the state, so errors by epoch "
        "cannot be compared.",
        bad=Example('"TrainingParameters": { "Optimizer": "Adam" }', "top"),
        good=Example('"TrainingParameters": { "Optimizer": "SGD" }', "top"),
        check=optimizers,
        default=False,
    ),
    Rule(
        codes.DROPOUT_MASK,
        "A unit that is dropped gives nothing forwards, so nothing of the error is its own. DSSTNE let it learn all "
        "the same and left out the factor of those that stay. nnlang uses one mask in both directions, so the same "
        "pDropout regularises more.",
        bad=Example(_HIDDEN.format(', "pDropout": 0.5'), "hidden"),
        good=Example(_HIDDEN.format(""), "hidden"),
        check=dropout_masks,
        default=False,
    ),
    Rule(
        codes.ANALOG_INPUT,
        "Entries of the input have values. DSSTNE's weight gradient multiplied a whole block of entries by the value "
        "of its first one; nnlang takes each entry's own. Models trained on ratings or counts therefore "
        "differ, for the better.",
        bad=Example('"Name": "AE"', "top", data=(_VALUES, _TARGETS)),
        good=Example('"Name": "AE"', "top", data=(_SIGNALS, _TARGETS)),
        check=analog_inputs,
        needs="data",
    ),
    Rule(
        codes.OUR_KEY,
        "DSSTNE refuses definitions with keys that it does not know, and this one is nnlang's own. Where the "
        "definition has to stay readable for DSSTNE, put the settings into a job file or into flags, and prepare the "
        "data before they are generated. Not told unless asked for: --extend-select NN623.",
        bad=Example('"TrainingParameters": { "Epochs": 20 }', "top"),
        good=Example('"ShuffleIndices": true', "top"),
        check=our_keys,
        default=False,
    ),
    Rule(
        codes.KERNEL_1D,
        "Convolution along a single axis never worked in DSSTNE: it took the width of the kernel from the source "
        "layer. There are no results of it to compare with.",
        bad=Example(_CONVOLVED.replace("@", "3"), "layers"),
        good=Example(_CONVOLVED.replace("[64, 3]", "[64, 64, 3]").replace("@", "[3, 3]"), "layers"),
        check=one_axis_kernels,
        default=False,
    ),
    Rule(
        codes.TIED_SPARSE,
        "An output layer that uses the input's matrix transposed halves the weights of an autoencoder. DSSTNE cannot "
        "do that from an input that runs sparse, nor on several GPUs. nnlang does, with a dense product.",
        bad=Example(_TIED.replace("@", _SHARE), "layers"),
        good=Example(_TIED.replace("@", ""), "layers"),
        check=tied_inputs,
        default=False,
    ),
)
