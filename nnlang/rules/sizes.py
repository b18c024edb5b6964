"""NN4 and NN5: sizes. What fits a device, what is padding, what the data at hand says about a definition."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log, prod

from nnlang import ast
from nnlang.codes import advice as codes
from nnlang.codes import shapes, training
from nnlang.diagnostics import Diagnostic, Place, bytes_text
from nnlang.legality import not_yet
from nnlang.network import Activation, DataFacts, ErrorFunction, Footprint, Kind, LayerType
from nnlang.rules import mending
from nnlang.rules.rule import Example, Rule, Subject

BLOCK = 64  # units that kernels take at a time: codegen.grid.ALIGN
LEAST = 16  # units that a tensor core multiplies at least
WASTE = 0.15  # of the work, from which padding is told
FAR = 2.0  # between two logits: a factor of about 7 between two odds
FEW = 0.01  # density below which ones drown
DEVICES = 8  # that one machine has at most, as a rule
COSTED = 256  # matrices of weights: compiling more of them takes longer than people wait for lint


def too_large(subject: Subject) -> Iterator[Diagnostic]:
    """Training that does not fit the device that the settings name."""
    made = subject.footprint(None) if subject.memory is not None else None
    if subject.memory is None or made is None or made.memory <= subject.memory:
        return
    facts = {
        "needed": bytes_text(made.memory),
        "batch": made.batch,
        "memory": bytes_text(subject.memory),
        "parts": _listed(made),
        "parameters": f"{made.parameters:,}",
        "remedy": _remedy(subject, made, subject.memory),
    }
    yield Diagnostic(shapes.DOES_NOT_FIT, subject.place(_largest(subject).head), facts)


def fitting(subject: Subject) -> Iterator[Diagnostic]:
    """What training takes, where it fits the device that the settings name."""
    made = subject.footprint(None) if subject.memory is not None else None
    if subject.memory is None or made is None or made.memory > subject.memory:
        return
    facts = {
        "needed": bytes_text(made.memory),
        "batch": made.batch,
        "memory": bytes_text(subject.memory),
        "parts": _listed(made),
        "parameters": f"{made.parameters:,}",
        "work": f"{made.flops / 1e9:,.2f}",
        "traffic": bytes_text(round(made.traffic)),
    }
    yield Diagnostic(shapes.FOOTPRINT, subject.place(_largest(subject).head), facts)


def _largest(subject: Subject) -> ast.Layer:
    """The layer with the largest matrix; the first of a network without any."""
    network = subject.network
    largest = max(network.weights, key=lambda w: prod(network.shape(w)), default=None)
    return subject.definition.layers[network.layers[largest.target].position if largest else 0]


def _listed(made: Footprint) -> str:
    parts = (
        ("weights", made.weights),
        ("optimizer", made.state),
        ("activations", made.activations),
        ("a batch of data", made.feed),
    )
    return ", ".join(f"{words} {bytes_text(size)}" for words, size in parts if size)


def _remedy(subject: Subject, made: Footprint, memory: int) -> str:
    """The batch that fits one device, or how many devices would do at which batch; each of them computed."""
    powers = [2**i for i in range((made.batch - 1).bit_length() - 1, -1, -1)]
    whole = shared = None
    for tried in (made, *filter(None, map(subject.footprint, powers))):
        whole = tried.batch if tried.memory <= memory else None
        count = tried.devices(memory) or DEVICES + 1
        shared = shared or ((tried.batch, count) if 1 < count <= DEVICES else None)
        if whole or (shared and tried.weights + tried.state > memory):
            break
    ways = [f"a batch of {whole} fits"] if whole else []
    if shared:
        devices = f"{shared[1]} devices of {bytes_text(memory)}"
        ways.append(f"{devices} would hold it at batch {shared[0]}, weights divided among them")
    return "; or ".join(ways) or f"make its layers smaller: not even {DEVICES} such devices hold it at batch 1"


def footprint_unknown(subject: Subject) -> Iterator[Diagnostic]:
    """Definitions of which the question whether they fit cannot be answered."""
    if subject.memory is None or next(not_yet(subject.network), None) or subject.footprint(None) is not None:
        return
    unsized = [(written, layer) for written, layer in subject.layers() if not layer.units and layer.dataset]
    if unsized:
        written, layer = unsized[0]
        sets = list(dict.fromkeys(layer.dataset for _, layer in unsized))
        reason = f"layer `{layer.name}` takes its size from data set `{layer.dataset}`"
        remedy = "give the files with --data, or only the widths: " + " ".join(f"--width {name}=N" for name in sets)
        facts = {"memory": bytes_text(subject.memory), "reason": reason, "remedy": remedy}
        place = subject.place(written.n.span if written.n else written.head)
        yield Diagnostic(shapes.FOOTPRINT_UNKNOWN, place, facts)
        return
    count = len(subject.network.weights)
    if count > COSTED:
        reason = f"it has {count:,} matrices of weights, and lint adds up {COSTED} at most"
        remedy = "`nnlang compile FILE --stats` adds up all of them, however long it takes"
        facts = {"memory": bytes_text(subject.memory), "reason": reason, "remedy": remedy}
        yield Diagnostic(shapes.FOOTPRINT_UNKNOWN, subject.place(subject.definition.layers[0].head), facts)


def not_computed_yet(subject: Subject) -> Iterator[Diagnostic]:
    """Layers that `train` would refuse."""
    for layer, what in not_yet(subject.network):
        written = subject.definition.layers[layer.position]
        place = subject.place(written.type.span if written.type else written.head)
        yield Diagnostic(training.NOT_YET_SUPPORTED, place, {"name": layer.name, "what": what})


def padded_widths(subject: Subject) -> Iterator[Diagnostic]:
    """Hidden layers a good part of whose last block is empty."""
    for written, layer in subject.layers(Kind.HIDDEN):
        if layer.type is not LayerType.FULLY_CONNECTED or layer.units <= BLOCK or written.n is None:
            continue
        above = -(-layer.units // BLOCK) * BLOCK
        if 1 - layer.units / above >= WASTE:
            facts = {
                "name": layer.name,
                "units": layer.units,
                "block": BLOCK,
                "share": f"{1 - layer.units / above:.0%}",
                "near": f"{above - BLOCK} or {above}",
            }
            yield Diagnostic(codes.PADDED_WIDTH, subject.place(written.n.span), facts)


def small_layers(subject: Subject) -> Iterator[Diagnostic]:
    """Hidden layers below the smallest product of tensor cores."""
    for written, layer in subject.layers(Kind.HIDDEN):
        if layer.type is LayerType.FULLY_CONNECTED and 0 < layer.units < LEAST and written.n:
            facts = {"name": layer.name, "units": layer.units, "least": LEAST}
            yield Diagnostic(codes.SMALL_LAYER, subject.place(written.n.span), facts)


def run_dense(subject: Subject) -> Iterator[Diagnostic]:
    """Inputs that are meant to be sparse and are not executed so."""
    network = subject.network
    tied = {network.weights[w.owner].source for w in network.weights if w.owner is not None and w.transposed}
    for written, layer in subject.layers(Kind.INPUT):
        facts = subject.measured(layer)
        reason, remedy = _dense_reason(layer.sparse, facts, layer.index in tied)
        if reason:
            place = subject.place(written.sparse.span if written.sparse else written.head)
            yield Diagnostic(codes.RUNS_DENSE, place, {"name": layer.name, "reason": reason, "remedy": remedy})


def _dense_reason(claimed: bool, facts: DataFacts | None, tied: bool) -> tuple[str, str]:
    """Why an input runs dense, and what to do; empty where it does not, or was never meant to be sparse."""
    if facts is None:
        return "", ""
    if claimed and not facts.sparse:
        remedy = "generate it from signals, which gives a sparse data set; or remove Sparse"
        return f"its data set `{facts.name}` is dense", remedy
    from nnlang.passes.sparse_input import DENSITY_LIMIT

    if facts.sparse and facts.density > DENSITY_LIMIT:
        limit = f"{DENSITY_LIMIT:.0%}"
        reason = f"{facts.density:.1%} of data set `{facts.name}` are stored, and sparse execution pays below {limit}"
        return reason, "nothing to do: dense is faster for such data; its memory is that of dense rows"
    if facts.sparse and tied:
        remedy = "share the other way round, or not at all, if the input is wide"
        return "its matrix is shared transposed, which takes a dense product", remedy
    return "", ""


def output_biases(subject: Subject) -> Iterator[Diagnostic]:
    """Sigmoid outputs that begin far from how often their targets are set."""
    for written, layer in subject.layers(Kind.OUTPUT):
        facts = subject.measured(layer)
        known = facts is not None and facts.sparse and facts.entries
        if layer.activation is not Activation.SIGMOID or facts is None or not known or not layer.sources:
            continue
        begin = layer.init.bias * len(layer.sources)
        wanted = log(facts.density / (1 - facts.density)) if facts.density < 1 else begin
        if abs(begin - wanted) >= FAR:
            told = {
                "name": layer.name,
                "begin": f"{_sigmoid(begin):.2g}",
                "density": f"{facts.density:.2g}",
                "bias": f"{wanted / len(layer.sources):.1f}",
            }
            yield Diagnostic(codes.OUTPUT_BIAS, subject.place(written.head), told)


def _sigmoid(z: float) -> float:
    return 1 / (1 + exp(-z)) if z > 0 else exp(z) / (1 + exp(z))


def few_ones(subject: Subject) -> Iterator[Diagnostic]:
    """Sparse targets whose zeros outweigh their ones, where the error function could say otherwise."""
    loss = subject.network.loss
    alike = (
        loss.one_scale == loss.zero_scale if loss.function is ErrorFunction.SMCE else loss.boost_one == loss.boost_zero
    )
    if loss.function not in (ErrorFunction.SMCE, ErrorFunction.CROSS_ENTROPY) or not alike:
        return
    for written, layer in subject.layers(Kind.OUTPUT):
        facts = subject.measured(layer)
        sparse = facts is not None and facts.sparse and not facts.ignore_zero
        if facts and sparse and 0 < facts.density < FEW and layer.activation is Activation.SIGMOID:
            place = subject.place(written.dataset.span if written.dataset else written.head)
            told = {"dataset": facts.name, "ratio": round((1 - facts.density) / facts.density)}
            yield Diagnostic(codes.FEW_ONES, place, told)


def units_without_data(subject: Subject) -> Iterator[Diagnostic]:
    """Output layers with more units than their data sets have columns."""
    for written, layer in subject.layers(Kind.OUTPUT):
        facts = subject.network.facts(layer)
        if facts and written.n and layer.type is LayerType.FULLY_CONNECTED and layer.units > facts.units:
            told = {"name": layer.name, "units": layer.units, "dataset": facts.name, "found": facts.units}
            surplus = layer.units - facts.units
            yield Diagnostic(codes.UNITS_WITHOUT_DATA, subject.place(written.n.span), {**told, "surplus": surplus})


def unused_data(subject: Subject) -> Iterator[Diagnostic]:
    """Data sets that were given and that no layer binds."""
    bound = {layer.dataset for layer in subject.network.layers}
    for name in subject.data:
        if name not in bound:
            yield Diagnostic(codes.UNUSED_DATA, Place(subject.source.name), {"dataset": name})


def large_batches(subject: Subject) -> Iterator[Diagnostic]:
    """Batches that hold everything there is."""
    written = subject.definition.training.batch if subject.definition.training else None
    examples = max((facts.examples for facts in subject.network.data if not facts.assumed), default=0)
    if written and examples and written.value > examples:
        facts = {"batch": written.value, "examples": examples}
        yield Diagnostic(codes.BATCH_LARGER, subject.place(written.span), facts)


_RARE = DataFacts("gl_output", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_INPUTS = DataFacts("gl_input", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_FULL = DataFacts("gl_input", 1000, 1000, sparse=True, boolean=True, entries=300_000)
_OTHER = DataFacts("gl_inptu", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_BOTH = (_INPUTS, _RARE)
_WIDE = (
    '{{ "Name": "Input", "Kind": "Input", "N": {n}, "DataSet": "gl_input" }},\n'
    '    {{ "Name": "Hidden", "N": 256 }},\n'
    '    {{ "Name": "Output", "Kind": "Output", "N": {n}, "DataSet": "gl_output" }}'
)
_SIZED = '"Name": "Hidden", "Kind": "Hidden", "N": {}, "Source": "Input"'
_BIAS = '"Name": "Output", "Kind": "Output", "N": "auto", "DataSet": "gl_output"{}'
_WIDER = '"Name": "Output", "Kind": "Output", "N": {}, "DataSet": "gl_output"'
_SCALED = (
    '"ErrorFunction": "ScaledMarginalCrossEntropy",\n'
    '  "ScaledMarginalCrossEntropy": {{ "oneTarget": 1, "zeroTarget": 0, "oneScale": {} }}'
)

ROWS = (
    Rule(
        shapes.DOES_NOT_FIT,
        "Told where --gpu-memory, or `gpu-memory` of the settings, says what one device has. Counted are the weights, "
        "the optimizer's state (as much again for Momentum, Nesterov, AdaGrad and RMSProp, twice as much for AdaDelta "
        "and Adam), everything that a step stores for one batch, and the batch itself; all computed from the plan, "
        "nothing is run. Data sets that are not given are taken as sparse where the layer is Sparse or has 10,000 "
        "units. What the driver, other programs and a resident data set take comes on top. The batch and the devices "
        "that the help names are computed as well. Where it fits, --extend-select NN432 says what it takes.",
        bad=Example(_WIDE.format(n=8_000_000), "layers", memory=16_000_000_000),
        good=Example(_WIDE.format(n=800_000), "layers", memory=16_000_000_000),
        check=too_large,
        needs="memory",
    ),
    Rule(
        shapes.FOOTPRINT,
        "Training fits the device that --gpu-memory names; this says what it takes: weights, the optimizer's state, "
        "what a step stores, the batch, and how many products and sums a step computes and bytes it reads and writes. "
        "All is computed from the plan, nothing is run. Not told unless asked for: --extend-select NN432.",
        bad=Example(_WIDE.format(n=800_000), "layers", memory=16_000_000_000),
        good=Example(_WIDE.format(n=800_000), "layers"),
        check=fitting,
        needs="memory",
        default=False,
    ),
    Rule(
        shapes.FOOTPRINT_UNKNOWN,
        'A layer with "N": "auto" has the width of its data set, so without one nothing can be said about memory. Name '
        "the files with --data, or only the widths with --width gl_input=27278.",
        bad=Example('"Name": "AE"', "top", memory=16_000_000_000),
        good=Example('"Name": "AE"', "top", memory=16_000_000_000, data=_BOTH),
        check=footprint_unknown,
        needs="memory",
    ),
    Rule(
        training.NOT_YET_SUPPORTED,
        "The definition is sound and its meaning is clear, but there is no kernel for this layer yet, neither for the "
        "CPU nor for GPUs: `nnlang train` stops before it begins. Fully connected layers are computed everywhere.",
        bad=Example(_SIZED.format('8, "Type": "Convolutional", "Kernel": [3, 3]'), "hidden"),
        good=Example(_SIZED.format("128"), "hidden"),
        check=not_computed_yet,
    ),
    Rule(
        codes.PADDED_WIDTH,
        "Kernels take 64 units at a time. A layer of 100 units costs a GPU as much as one of 128, so the units that "
        "are left out are free; on the way to 128 the layer can learn more in the same time. Data sets decide how wide "
        "inputs and outputs are; only hidden layers are looked at.",
        bad=Example(_SIZED.format(100), "hidden"),
        good=Example(_SIZED.format(128), "hidden"),
        check=padded_widths,
    ),
    Rule(
        codes.SMALL_LAYER,
        "Tensor cores multiply blocks of at least 16 by 16. A narrower hidden layer is computed as if it had 16 units. "
        "Very narrow layers are often meant (a bottleneck of two units to be drawn), and cost little in any case.",
        bad=Example(_SIZED.format(10), "hidden"),
        good=Example(_SIZED.format(16), "hidden"),
        check=small_layers,
    ),
    Rule(
        codes.RUNS_DENSE,
        "Sparse execution reads only the weights of entries that are stored. It is left where the data set is dense, "
        "where so much is stored that a dense product is faster, or where the matrix is shared transposed. The numbers "
        "are the same, time and memory are those of dense rows.",
        bad=Example('"Name": "AE"', "top", data=(_FULL, _RARE)),
        good=Example('"Name": "AE"', "top", data=_BOTH),
        check=run_dense,
        needs="data",
    ),
    Rule(
        codes.OUTPUT_BIAS,
        "With bias 0 every Sigmoid output begins at .5, though an item is in one row of hundreds. The first epochs are "
        "then spent on pulling thousands of outputs down, with large deltas that disturb the weights. A bias of the "
        "logit of the data set's density, ln(d / (1 - d)), begins where the data is on average.",
        bad=Example(_BIAS.format(""), "output", data=_BOTH),
        good=Example(_BIAS.format(', "WeightInit": { "Bias": -5.3 }'), "output", data=_BOTH),
        check=output_biases,
        needs="data",
    ),
    Rule(
        codes.UNUSED_DATA,
        "A data set was given with --data and no layer's DataSet names it. Names are compared letter for letter, and a "
        "layer bound to another name than was meant trains on other data.",
        bad=Example('"Name": "AE"', "top", data=(*_BOTH, _OTHER)),
        good=Example('"Name": "AE"', "top", data=_BOTH),
        check=unused_data,
        needs="data",
    ),
    Rule(
        codes.UNITS_WITHOUT_DATA,
        "Units beyond the width of the data set have no target in any example. Of sparse data they are taken as 0 and "
        "learn to be that, at the cost of weights, memory and time; rankings never name them. Often N was copied from "
        'another definition. Write "auto", which follows the data.',
        bad=Example(_WIDER.format("1500"), "output", data=_BOTH),
        good=Example(_WIDER.format('"auto"'), "output", data=_BOTH),
        check=units_without_data,
        fix=mending.take_size,
        safe=False,
        needs="data",
    ),
    Rule(
        codes.BATCH_LARGER,
        "A batch takes what there is, so an epoch is a single step, and twenty epochs are twenty steps: hardly enough "
        "to learn anything. Smaller batches take more steps for the same work.",
        bad=Example('"TrainingParameters": { "MiniBatch": 4096 }', "top", data=_BOTH),
        good=Example('"TrainingParameters": { "MiniBatch": 256 }', "top", data=_BOTH),
        check=large_batches,
        needs="data",
    ),
    Rule(
        codes.FEW_ONES,
        "Every absent entry counts as a zero. Where hundreds of zeros stand against a one, low outputs everywhere give "
        "a small error, and many networks settle there. ScaledMarginalCrossEntropy weighs ones by oneScale; users of "
        "DSSTNE reported better recommendations on MovieLens with oneScale 30. What is best depends on the data: "
        "compare `nnlang evaluate` on held-out entries.",
        bad=Example(_SCALED.format("1"), "top", data=_BOTH),
        good=Example(_SCALED.format("10"), "top", data=_BOTH),
        check=few_ones,
        needs="data",
    ),
)
