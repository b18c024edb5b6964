"""NN4 and NN5: sizes. What fits a device, what is padding, what the data at hand says about a definition."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log

from nnlang.codes import advice as codes
from nnlang.codes import shapes, training
from nnlang.diagnostics import Diagnostic, Place, bytes_text
from nnlang.legality import not_yet
from nnlang.network import Activation, DataFacts, ErrorFunction, Footprint, Kind, LayerType
from nnlang.rules.rule import Example, Rule, Subject

BLOCK = 64  # units that kernels take at a time: codegen.grid.ALIGN
LEAST = 16  # units that a tensor core multiplies at least
WASTE = 0.15  # of the work, from which padding is told
FAR = 2.0  # between two logits: a factor of about 7 between two odds
FEW = 0.01  # density below which ones drown
COSTED = 256  # matrices of weights: compiling more of them takes longer than people wait for lint


def too_large(subject: Subject) -> Iterator[Diagnostic]:
    """Training that does not fit the device that the settings name."""
    if subject.memory is None:
        return
    made = subject.footprint()
    if made is None or made.memory <= subject.memory:
        return
    largest = max(subject.network.weights, key=lambda w: _product(subject.network.shape(w)))
    written = subject.definition.layers[subject.network.layers[largest.target].position]
    facts = {
        "needed": bytes_text(made.memory),
        "batch": made.batch,
        "memory": bytes_text(subject.memory),
        "parts": ", ".join(f"{words} {bytes_text(size)}" for words, size in _parts(made) if size),
        "parameters": f"{made.parameters:,}",
        "remedy": _remedy(made, subject.memory),
    }
    yield Diagnostic(shapes.DOES_NOT_FIT, subject.place(written.head), facts)


def _product(shape: tuple[int, int]) -> int:
    return shape[0] * shape[1]


def _parts(made: Footprint) -> tuple[tuple[str, int], ...]:
    return (
        ("weights", made.weights),
        ("optimizer", made.state),
        ("activations", made.activations),
        ("a batch of data", made.feed),
    )


def _remedy(made: Footprint, memory: int) -> str:
    """The batch that fits one device, or how many devices would do."""
    by_batch = (made.activations + made.feed) / made.batch
    batch = int((memory - made.weights - made.state) / by_batch) if by_batch else 0
    devices = made.devices(memory)
    share = f"{devices} devices of {bytes_text(memory)} would hold it, weights divided among them" if devices else ""
    if batch >= 1:
        return f"a batch of {batch} fits" + (f"; or {share}" if share else "")
    return share or "make its layers smaller: what is computed for a batch of 1 is too large already"


def footprint_unknown(subject: Subject) -> Iterator[Diagnostic]:
    """Definitions of which the question whether they fit cannot be answered."""
    if subject.memory is None or next(not_yet(subject.network), None) or subject.footprint() is not None:
        return
    for written, layer in subject.layers():
        if not layer.units:
            reason = f"layer `{layer.name}` takes its size from data set `{layer.dataset}`"
            remedy = f"give it: --data FILE, or --width {layer.dataset or 'NAME'}=N"
            facts = {"memory": bytes_text(subject.memory), "reason": reason, "remedy": remedy}
            yield Diagnostic(
                shapes.FOOTPRINT_UNKNOWN, subject.place(written.n.span if written.n else written.head), facts
            )
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
        facts = subject.network.facts(layer)
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
        facts = subject.network.facts(layer)
        if layer.activation is not Activation.SIGMOID or facts is None or not (facts.sparse and facts.entries):
            continue
        begin = layer.init.bias * len(layer.sources)
        wanted = log(facts.density / (1 - facts.density)) if facts.density < 1 else begin
        if abs(begin - wanted) >= FAR:
            told = {
                "name": layer.name,
                "begin": f"{1 / (1 + exp(-begin)):.2g}",
                "density": f"{facts.density:.2g}",
                "bias": f"{wanted / len(layer.sources):.1f}",
            }
            yield Diagnostic(codes.OUTPUT_BIAS, subject.place(written.head), told)


def few_ones(subject: Subject) -> Iterator[Diagnostic]:
    """Sparse targets whose zeros outweigh their ones, where the error function could say otherwise."""
    loss = subject.network.loss
    alike = (
        loss.one_scale == loss.zero_scale if loss.function is ErrorFunction.SMCE else loss.boost_one == loss.boost_zero
    )
    if loss.function not in (ErrorFunction.SMCE, ErrorFunction.CROSS_ENTROPY) or not alike:
        return
    for written, layer in subject.layers(Kind.OUTPUT):
        facts = subject.network.facts(layer)
        sparse = facts is not None and facts.sparse and not facts.ignore_zero
        if facts and sparse and 0 < facts.density < FEW and layer.activation is Activation.SIGMOID:
            place = subject.place(written.dataset.span if written.dataset else written.head)
            told = {"dataset": facts.name, "ratio": round((1 - facts.density) / facts.density)}
            yield Diagnostic(codes.FEW_ONES, place, told)


def unused_data(subject: Subject) -> Iterator[Diagnostic]:
    """Data sets that were given and that no layer binds."""
    bound = {layer.dataset for layer in subject.network.layers}
    for name in subject.data:
        if name not in bound:
            yield Diagnostic(codes.UNUSED_DATA, Place(subject.source.name), {"dataset": name})


def large_batches(subject: Subject) -> Iterator[Diagnostic]:
    """Batches that hold everything there is."""
    written = subject.definition.training.batch if subject.definition.training else None
    examples = max((facts.examples for facts in subject.network.data), default=0)
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
        "units. What the driver, other programs and a resident data set take comes on top.",
        bad=Example(_WIDE.format(n=8_000_000), "layers", memory=16_000_000_000),
        good=Example(_WIDE.format(n=800_000), "layers", memory=16_000_000_000),
        check=too_large,
    ),
    Rule(
        shapes.FOOTPRINT_UNKNOWN,
        'A layer with "N": "auto" has the width of its data set, so without one nothing can be said about memory. Name '
        "the files with --data, or only the widths with --width gl_input=27278.",
        bad=Example('"Name": "AE"', "top", memory=16_000_000_000),
        good=Example('"Name": "AE"', "top", memory=16_000_000_000, data=_BOTH),
        check=footprint_unknown,
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
    ),
    Rule(
        codes.OUTPUT_BIAS,
        "With bias 0 every Sigmoid output begins at .5, though an item is in one row of hundreds. The first epochs are "
        "then spent on pulling thousands of outputs down, with large deltas that disturb the weights. A bias of the "
        "logit of the data set's density, ln(d / (1 - d)), begins where the data is on average.",
        bad=Example(_BIAS.format(""), "output", data=_BOTH),
        good=Example(_BIAS.format(', "WeightInit": { "Bias": -5.3 }'), "output", data=_BOTH),
        check=output_biases,
    ),
    Rule(
        codes.UNUSED_DATA,
        "A data set was given with --data and no layer's DataSet names it. Names are compared letter for letter, and a "
        "layer bound to another name than was meant trains on other data.",
        bad=Example('"Name": "AE"', "top", data=(*_BOTH, _OTHER)),
        good=Example('"Name": "AE"', "top", data=_BOTH),
        check=unused_data,
    ),
    Rule(
        codes.BATCH_LARGER,
        "A batch takes what there is, so an epoch is a single step, and twenty epochs are twenty steps: hardly enough "
        "to learn anything. Smaller batches take more steps for the same work.",
        bad=Example('"TrainingParameters": { "MiniBatch": 4096 }', "top", data=_BOTH),
        good=Example('"TrainingParameters": { "MiniBatch": 256 }', "top", data=_BOTH),
        check=large_batches,
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
    ),
)
