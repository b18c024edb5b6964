"""NN5: advice that comes with reading a definition. What it says in vain."""

from __future__ import annotations

from nnlang.codes import advice as codes
from nnlang.network import DataFacts
from nnlang.rules import fixes, mending
from nnlang.rules.rule import Example, Rule

_INPUT = '"Name": "Input", "Kind": "Input", "N": 64, "DataSet": "gl_input"'
_HIDDEN = '"Name": "Hidden", "Source": "Input", "N": 128'
_OUTPUT = '"Name": "Output", "Kind": "Output", "Source": "Hidden", "N": 64, "DataSet": "gl_output"'
_DENSE = (DataFacts("gl_input", 100, 64), DataFacts("gl_output", 100, 64, sparse=True, boolean=True))


def _denoised(sparse: str) -> Example:
    return Example(
        "{\n"
        '  "Denoising": { "p": 0.2 },\n'
        '  "Layers": [\n'
        f'    {{ "Name": "Input", "DataSet": "gl_input", "N": 64{sparse} }},\n'
        '    { "Name": "Hidden", "N": 128 },\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64 }\n'
        "  ]\n"
        "}\n",
    )


def _penalised(layer: str) -> Example:
    return Example(
        "{\n"
        '  "SparsenessPenalty": { "p": 0.5, "beta": 2.0 },\n'
        '  "Layers": [\n'
        '    { "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        f'    {{ "Name": "Hidden", "N": 128{layer} }},\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64 }\n'
        "  ]\n"
        "}\n"
    )


def _kernel(size: str) -> Example:
    return Example(
        '{ "Name": "Input", "DataSet": "gl_input", "N": [32, 32, 3] },\n'
        f'    {{ "Name": "Maps", "Type": "Convolutional", "Kernel": {size}, "N": 16 }},\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 10 }',
        "layers",
    )


ROWS = (
    Rule(
        codes.UNUSED_LAYER,
        "No layer names this one in Source or Skip, and no layer without a Source stands behind it in the list, so "
        "what it computes goes nowhere and nothing trains it. Most often a layer was put in between and the Source of "
        "the next one was not changed, so the network is smaller than it looks. Name it as a Source, or remove it.",
        bad=Example('"Name": "Output", "Kind": "Output", "Source": "Input", "N": 64, "DataSet": "gl_output"', "output"),
        good=Example(_OUTPUT, "output"),
    ),
    Rule(
        codes.NOTHING_DENOISED,
        "Denoising leaves out a share of the stored input entries in training, so that the network learns to restore "
        "them. It reaches Input layers with Sparse true alone, and no layer here has that, so training goes on without "
        'it. DSSTNE says nothing either. Write "Sparse": true in the Input layer, or remove Denoising.',
        bad=_denoised(""),
        good=_denoised(', "Sparse": true'),
    ),
    Rule(
        codes.DENSE_DENOISING,
        "Denoising leaves out stored entries of sparse data. The data set that this Input layer binds is dense, every "
        "value is stored, and so nothing is left out although the layer says Sparse; the data decides. DSSTNE prints a "
        "message and goes on. Use pDropout in the Input layer, which does the same to dense values, or generate the "
        "data set sparse.",
        bad=Example(
            '"Denoising": { "p": 0.2 }',
            "top",
            data=_DENSE,
        ),
        good=Example(
            '"Denoising": { "p": 0.2 }',
            "top",
            data=(DataFacts("gl_input", 100, 64, sparse=True, boolean=True), _DENSE[1]),
        ),
        needs="data",
    ),
    Rule(
        codes.LONE_PENALTY,
        "A layer's own SparsenessPenalty only replaces the numbers of the network's. It counts where the network has a "
        "SparsenessPenalty with beta above 0 at the top level, and where the layer is Sparse; here one of the two is "
        "missing, so units are not kept sparse. DSSTNE says nothing either. Write what is missing.",
        bad=Example(f'{_HIDDEN}, "Sparse": true, "SparsenessPenalty": {{ "p": 0.1, "beta": 3.0 }}', "hidden"),
        good=_penalised(', "Sparse": true, "SparsenessPenalty": { "p": 0.1, "beta": 3.0 }'),
    ),
    Rule(
        codes.NOTHING_PENALISED,
        "The network's SparsenessPenalty pulls the mean activation of hidden units towards p. It reaches Hidden layers "
        "with Sparse true alone, and no layer here has that, so it changes nothing. DSSTNE says nothing either. Write "
        '"Sparse": true in the Hidden layers whose units should rarely be active, or remove the penalty.',
        bad=_penalised(""),
        good=_penalised(', "Sparse": true'),
    ),
    Rule(
        codes.SPARSE_DROPOUT,
        "pDropout drops units of dense inputs. Sparse data is a list of stored entries, everything else is 0 anyway, "
        "so pDropout is passed over there, in DSSTNE as well. What leaves out stored entries in training is Denoising, "
        "at the top level, for all Input layers with Sparse true. Use that instead.",
        bad=Example(f'{_INPUT}, "Sparse": true, "pDropout": 0.2', "input"),
        good=Example(f'{_INPUT}, "Sparse": true', "input"),
        fix=fixes.remove_key_unsafely,
        safe=False,
        needs="data",
    ),
    Rule(
        codes.NO_EFFECT,
        "The layer has a key that its kind, Type or Activation makes no use of, such as a ReluSlope beside Relu, or a "
        "Kernel without the Type Convolutional. DSSTNE read such keys in silence. Either the key is left over from an "
        "earlier version and can go, or the setting that it belongs to is not what you think: check that first.",
        bad=Example(f'{_HIDDEN}, "Activation": "Relu", "ReluSlope": 0.1', "hidden"),
        good=Example(f'{_HIDDEN}, "Activation": "LRelu", "ReluSlope": 0.1', "hidden"),
        fix=mending.remove_idle,
    ),
    Rule(
        codes.UNUSED_PARAMETERS,
        "The definition sets parameters of something that it does not use: those of ScaledMarginalCrossEntropy while "
        "the ErrorFunction is another (CrossEntropy where none is written), or those of LRN without a pooling layer of "
        "that Function. Writing parameters does not choose what they belong to. Write that ErrorFunction or Function "
        "if it is meant, or remove the parameters. The fix writes the ErrorFunction where there is none, else it "
        "removes them.",
        bad=Example('"ScaledMarginalCrossEntropy": { "oneScale": 30.0 }', "top"),
        good=Example(
            '"ErrorFunction": "ScaledMarginalCrossEntropy",\n  "ScaledMarginalCrossEntropy": { "oneScale": 30.0 }',
            "top",
        ),
        fix=mending.take_effect,
        safe=False,
    ),
    Rule(
        codes.EVEN_KERNEL,
        "With stride 1 a layer keeps the size of its source, for which half a kernel of padding is added on each side. "
        "The middle of an even kernel lies between two units, so its padding cannot be the same on both sides and the "
        "picture moves by half a unit; in DSSTNE the layer's size and what was computed differed by one. Use an odd "
        "size such as 3 or 5, or a stride above 1.",
        bad=_kernel("[4, 4]"),
        good=_kernel("[5, 5]"),
    ),
    Rule(
        codes.OUTPUT_DROPOUT,
        "pDropout replaces a random share of a layer's units by a fixed value in training. In an Output layer those "
        "are the predictions themselves, and the error then blames the network for values that it did not compute. "
        "That is almost never meant. Put pDropout into the hidden layer before, where it keeps units from relying on "
        "each other.",
        bad=Example(f'{_OUTPUT}, "pDropout": 0.5', "output"),
        good=Example(f'{_HIDDEN}, "pDropout": 0.5', "hidden"),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
    Rule(
        codes.INTERVAL_WITHOUT_EFFECT,
        "Every AlphaInterval epochs, Alpha is multiplied by AlphaMultiplier. Without an interval, or with 0, that "
        "never happens and Alpha stays what it is, unless --alpha-interval is given on the command line. Write after "
        "how many epochs the learning rate should change, or remove the multiplier.",
        bad=Example('"TrainingParameters": { "Alpha": 0.05, "AlphaMultiplier": 0.8 }', "top"),
        good=Example('"TrainingParameters": { "Alpha": 0.05, "AlphaInterval": 20, "AlphaMultiplier": 0.8 }', "top"),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
)
