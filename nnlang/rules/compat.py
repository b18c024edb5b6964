"""NN6: where DSSTNE read a definition otherwise, or refused it, or computed other numbers."""

from __future__ import annotations

from nnlang.codes import compat as codes
from nnlang.rules import fixes, mending
from nnlang.rules.rule import Example, Rule

_HIDDEN = '"Name": "Hidden", "Source": "Input", "N": 128'
_POOLED = '"Name": "Hidden", "Source": "Input", "Function": "LRN"'
_OUTPUT = '"Name": "Output", "Kind": "Output", "Source": "Hidden", "N": 64, "DataSet": "gl_output"'


def _tied(word: str) -> Example:
    entry = f'"SourceInputLayer": "Input", "SourceOutputLayer": "Hidden", "InputLayer": "Hidden", "{word}": true'
    return Example(f'{_OUTPUT},\n      "SharedWeights": {{ {entry} }}', "output")


def _penalised(layer: str) -> Example:
    return Example(
        "{\n"
        '  "SparsenessPenalty": { "p": 0.5, "beta": 2.0 },\n'
        '  "Layers": [\n'
        '    { "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        f'    {{ "Name": "Hidden", "N": 128, {layer} }},\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64 }\n'
        "  ]\n"
        "}\n"
    )


def _versioned(version: str) -> Example:
    return Example(
        "{\n"
        f'  "Version": {version},\n'
        '  "Layers": [\n'
        '    { "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64 }\n'
        "  ]\n"
        "}\n"
    )


def _many(count: int) -> Example:
    names = [f"In{i}" for i in range(count)]
    lines = [f'    {{ "Name": "{n}", "Kind": "Input", "DataSet": "{n.lower()}", "N": 64 }}' for n in names]
    listed = ", ".join(f'"{n}"' for n in names)
    lines += [f'    {{ "Name": "Hidden", "Source": [{listed}], "N": 128 }}']
    lines += ['    { "Name": "Output", "DataSet": "gl_output", "N": 64 }']
    body = ",\n".join(lines)
    return Example(f'{{\n  "Layers": [\n{body}\n  ]\n}}\n')


def _loss(function: str, activation: str) -> Example:
    return Example(
        "{\n"
        f'  "ErrorFunction": "{function}",\n'
        '  "Layers": [\n'
        '    { "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        '    { "Name": "Hidden", "N": 128 },\n'
        f'    {{ "Name": "Output", "DataSet": "gl_output", "N": 64, "Activation": "{activation}" }}\n'
        "  ]\n"
        "}\n"
    )


_SPELLINGS = (
    Rule(
        codes.DOCUMENTED_KEY,
        "DSSTNE's documents and its parser disagree on how this key is spelled: WeightData and Transpose stand in the "
        "documents, WeightsData and Transposed in the parser, which refuses the others as unknown. nnlang reads both. "
        "Write the parser's spelling, which works everywhere.",
        bad=_tied("Transpose"),
        good=_tied("Transposed"),
        fix=fixes.canonical_key,
    ),
    Rule(
        codes.DOCUMENTED_VALUE,
        "DSSTNE's documents and its parser disagree on this word: SMCE, Convolution and the Kind Pooling stand in the "
        "documents, the parser refuses them and wants ScaledMarginalCrossEntropy, Convolutional, and the Kind Hidden "
        "with the Type Pooling. nnlang reads both. Write the parser's word, which works everywhere.",
        bad=Example(f'{_POOLED}, "Kind": "Pooling"', "hidden"),
        good=Example(f'{_POOLED}, "Kind": "Hidden", "Type": "Pooling"', "hidden"),
        fix=fixes.documented_value,
    ),
    Rule(
        codes.VERSION_STRING,
        "DSSTNE's documents call Version a string, its parser reads a number and ends the whole process on a string. "
        "nnlang reads a number in quotes as that number. Nothing depends on the version, beyond that DSSTNE wants at "
        "least 0.7. Write it without quotes.",
        bad=_versioned('"0.8"'),
        good=_versioned("0.8"),
        fix=fixes.unquote,
    ),
    Rule(
        codes.BOOLEAN_PENALTY,
        "DSSTNE's documents call a layer's SparsenessPenalty a boolean that switches the network's penalty on; its "
        "parser passes a boolean over in silence, and what switches the penalty on is the layer's Sparse. nnlang reads "
        "it as the documents say. Write Sparse, which means the same to both.",
        bad=_penalised('"SparsenessPenalty": true'),
        good=_penalised('"Sparse": true'),
        fix=fixes.boolean_penalty,
    ),
    Rule(
        codes.WEIGHTS_DATA,
        "WeightsData looks as if training would begin from the weights of that file. DSSTNE read the path and forgot "
        "it, so every network began from random weights; nnlang does the same, and says so. Remove the key. To go on "
        "with a model that was trained before, name it with -n and add --resume to nnlang train.",
        bad=Example('"WeightsData": "gl.nc"', "top"),
        good=Example('"Name": "Recommender"', "top"),
        fix=fixes.remove_key,
    ),
    Rule(
        codes.MAX_OUT,
        "The k of the network's MaxOut was read by DSSTNE and used nowhere, and it has no effect here. What computes a "
        "maximum is a pooling layer with the Function MaxOut: it takes the largest of its sources, unit by unit, "
        "however many there are. Remove the key.",
        bad=Example('"MaxOut": { "k": 3 }', "top"),
        good=Example('"Name": "Recommender"', "top"),
        fix=fixes.remove_key,
    ),
)

_NUMBERS = (
    Rule(
        codes.LEAKY_SLOPE,
        "A leaky ReLU multiplies negative sums by its slope. DSSTNE's default slope is 1.0, which makes it the "
        "identity, surely by mistake; here the default is .01. The same definition thus trains to different results in "
        "the two. Write ReluSlope, and both compute the same: .01 as here, or 1.0 to repeat an old run.",
        bad=Example(f'{_HIDDEN}, "Activation": "LRelu"', "hidden"),
        good=Example(f'{_HIDDEN}, "Activation": "LRelu", "ReluSlope": 0.01', "hidden"),
        fix=mending.written_out("ReluSlope", "0.01"),
    ),
    Rule(
        codes.CONSTANT_INIT,
        "The scheme Constant gives every weight the same value, Scale. DSSTNE took -Scale, because a sign slipped, so "
        "the same definition begins elsewhere in the two. Equal weights are a poor beginning in any case: where those "
        "behind them are equal as well, all units of the layer learn the same. Use a scheme that draws, such as "
        "Xavier, or turn the sign of Scale to repeat a run of DSSTNE.",
        bad=Example(f'{_HIDDEN}, "WeightInit": {{ "Scheme": "Constant", "Scale": 0.01 }}', "hidden"),
        good=Example(f'{_HIDDEN}, "WeightInit": {{ "Scheme": "Xavier" }}', "hidden"),
    ),
    Rule(
        codes.SELU_INIT,
        "The scheme SELU draws weights whose spread keeps means and variances still from layer to layer: a standard "
        "deviation of 1 over the square root of the number of inputs. DSSTNE forgot the root, so its weights are far "
        "too small where inputs are many. Nothing is to be done; to repeat a run of DSSTNE, write Gaussian with 1 over "
        "the number of inputs as Scale.",
        bad=Example(
            f'{_HIDDEN}, "Activation": "Selu", "EluAlpha": 1.6732632, "WeightInit": {{ "Scheme": "SELU" }}', "hidden"
        ),
        good=Example(
            f'{_HIDDEN}, "Activation": "Selu", "EluAlpha": 1.6732632,\n'
            '      "WeightInit": { "Scheme": "Gaussian", "Scale": 0.05 }',
            "hidden",
        ),
    ),
    Rule(
        codes.SELU_ALPHA,
        "A SELU normalises itself with alpha 1.6732632 and lambda 1.050701 alone. DSSTNE took alpha from EluAlpha, "
        "whose default is 1.0, and thus computed something else; here a SELU without EluAlpha takes the right one. "
        "Write EluAlpha, and both compute the same: 1.6732632 as here, or 1.0 to repeat an old run.",
        bad=Example(f'{_HIDDEN}, "Activation": "Selu"', "hidden"),
        good=Example(f'{_HIDDEN}, "Activation": "Selu", "EluAlpha": 1.6732632', "hidden"),
        fix=mending.written_out("EluAlpha", "1.6732632"),
    ),
    Rule(
        codes.XAVIER_SCALE,
        "Xavier draws weights from a range that follows from the sizes of the two layers, times Scale. DSSTNE drew "
        "from half the range of the textbooks, nnlang draws from the whole. A Scale other than 1 may have been chosen "
        "to make up for that, and would now be twice too much. Remove it, or halve it to begin as DSSTNE does.",
        bad=Example(f'{_HIDDEN}, "WeightInit": {{ "Scheme": "Xavier", "Scale": 2.0 }}', "hidden"),
        good=Example(f'{_HIDDEN}, "WeightInit": {{ "Scheme": "Xavier" }}', "hidden"),
    ),
    Rule(
        codes.BATCH_NORMALIZATION,
        "Outside training, batch normalisation uses means and variances that were gathered in training. DSSTNE means "
        "to average them over all batches, but its counter starts again each time, so the last batch alone decides, "
        "and predictions hang on chance; nnlang averages over all. Expect other predictions than DSSTNE's; leave it "
        "out where results have to agree.",
        bad=Example(f'{_HIDDEN}, "BatchNormalization": true', "hidden"),
        good=Example(_HIDDEN, "hidden"),
    ),
    Rule(
        codes.WAS_IDENTITY,
        "DSSTNE accepts SoftPlus and SoftSign and then computes nothing for them: sums go through unchanged, as with "
        "Linear. Here they are ln(1 + e^z) and z / (1 + |z|). A definition that worked well in DSSTNE with one of them "
        "worked as a Linear layer. Write Linear to repeat that run, or keep the function for what its name says.",
        bad=Example(f'{_HIDDEN}, "Activation": "SoftPlus"', "hidden"),
        good=Example(f'{_HIDDEN}, "Activation": "Relu"', "hidden"),
    ),
    Rule(
        codes.MANY_SOURCES,
        "A layer may read any number of others here. DSSTNE handles at most four sources of one layer when it adds up "
        "their biases, and stops with more when it runs. If the definition has to run there as well, join some of the "
        "sources in a layer of their own first.",
        bad=_many(5),
        good=_many(4),
    ),
    Rule(
        codes.TRUE_GRADIENT,
        "Training follows the gradient of the error that is printed. DSSTNE's steps do not where Hinge is used (they "
        "ignore the activation and the margin) nor where L2 meets SoftMax (the coupling of the units is left out), "
        "so runs of the same definition differ. Nothing is to be done, unless numbers have to be compared: on "
        "CrossEntropy with Sigmoid both agree.",
        bad=_loss("L2", "SoftMax"),
        good=_loss("CrossEntropy", "Sigmoid"),
    ),
)

ROWS = (*_SPELLINGS, *_NUMBERS)
