"""The keys of a definition: top level, layers, and the objects inside them (dsstne.md 1.2 and 1.4)."""

from __future__ import annotations

from nnlang.schema.choices import ACTIVATION, ERROR_FUNCTION, LAYER_KIND, LAYER_TYPE, NETWORK_KIND, POOLING, SCHEME
from nnlang.schema.training import TRAINING
from nnlang.schema.types import INT_MAX, Flag, Key, Layers, Many, Number, Record, Status, Table, Text

_LAYER_NAME = Text("the name of a layer")
_LAYER_NAMES = Many(_LAYER_NAME, empty=True)
_UNITS = Number(1, INT_MAX, integer=True)
_SMALL = Number(1, 65_535, integer=True)
_PROBABILITY = Number(0, 1, below=True)

SPARSENESS = Table(
    "`SparsenessPenalty`",
    (
        Key("p", "p", Number(0, 1), "The mean activation that hidden units are pulled to.", 0.0),
        Key("beta", "beta", Number(0), "The strength of the pull; 0 is none.", 0.0),
    ),
)
DENOISING = Table(
    "`Denoising`", (Key("p", "p", _PROBABILITY, "The share of input entries left out in training.", 0.0),)
)
DELTA_BOOST = Table(
    "`DeltaBoost`",
    (
        Key("one", "one", Number(0), "What the deltas of ones are multiplied by.", 1.0),
        Key("zero", "zero", Number(0), "What the deltas of zeros are multiplied by.", 1.0),
    ),
)
SMCE = Table(
    "`ScaledMarginalCrossEntropy`",
    (
        Key("oneTarget", "one_target", Number(0, 1), "Ones count while their output is below this.", 0.9),
        Key("zeroTarget", "zero_target", Number(0, 1), "Zeros count while their output is above this.", 0.1),
        Key("oneScale", "one_scale", Number(0), "The weight of ones.", 1.0),
        Key("zeroScale", "zero_scale", Number(0), "The weight of zeros.", 1.0),
    ),
)
LRN = Table(
    "`LocalResponseNormalization`",
    (
        Key("k", "k", Number(0), "The constant under the power.", 2.0),
        Key("n", "n", Number(1, 65_535, integer=True), "Channels that are summed.", 5),
        Key("alpha", "alpha", Number(0), "The factor of the sum of squares.", 1e-4),
        Key("beta", "beta", Number(0), "The exponent.", 0.75),
    ),
)
MAX_OUT = Table("`MaxOut`", (Key("k", "k", _SMALL, "Without effect, here as in DSSTNE.", 2, status=Status.PARSED),))
WEIGHT_INIT = Table(
    "`WeightInit`",
    (
        Key("Scheme", "scheme", SCHEME, "The distribution.", "Xavier"),
        Key("Scale", "scale", Number(), "Its size; SELU takes none.", 1.0),
        Key("Bias", "bias", Number(), "What every bias begins with.", 0.0, spare="refused"),
    ),
)
SHARED_WEIGHTS = Table(
    "`SharedWeights`",
    (
        Key("SourceInputLayer", "source_input", _LAYER_NAME, "Where the shared matrix comes from.", required=True),
        Key("SourceOutputLayer", "source_output", _LAYER_NAME, "Where the shared matrix leads to.", required=True),
        Key("InputLayer", "input", _LAYER_NAME, "The source of this layer that uses it.", required=True),
        Key("Transposed", "transposed", Flag(), "Use it the other way round.", False, documented=("Transpose",)),
    ),
)

_SLOPE = Number(0, 1)
DEFINITION = Table(
    "a definition",
    (
        Key("Version", "version", Number(0.6999, 1000), "The version of the language.", 0.9, spare="string"),
        Key("Name", "name", Text("a name", empty=True), "The network's name, kept in models.", ""),
        Key("Kind", "kind", NETWORK_KIND, "What the network is for.", "FeedForward", status=Status.PARSED),
        Key(
            "WeightsData",
            "weights_data",
            Text("a path", empty=True, name=False),
            "A model to begin from. Without effect, as in DSSTNE.",
            documented=("WeightData",),
            status=Status.PARSED,
        ),
        Key(
            "LocalResponseNormalization",
            "lrn",
            Record(LRN),
            "Parameters of the pooling function LRN.",
            aliases=("LRN",),
        ),
        Key("MaxOut", "maxout", Record(MAX_OUT), "Without effect, as in DSSTNE.", status=Status.PARSED),
        Key(
            "SparsenessPenalty", "sparseness", Record(SPARSENESS), "Pulls the mean activation of Sparse hidden layers."
        ),
        Key("Denoising", "denoising", Record(DENOISING), "Leaves out entries of Sparse input layers in training."),
        Key("DeltaBoost", "delta_boost", Record(DELTA_BOOST), "Scales output deltas, never the error."),
        Key(
            "ScaledMarginalCrossEntropy",
            "smce",
            Record(SMCE),
            "Targets and scales of the marginal cross entropies.",
            aliases=("DataScaledMarginalCrossEntropy",),
        ),
        Key("ShuffleIndices", "shuffle", Flag(), "Shuffle the examples every epoch of training.", True),
        Key("ReluSlope", "slope", _SLOPE, "The slope of leaky ReLU where z < 0.", 0.01, aliases=("Slope",)),
        Key("EluAlpha", "elu_alpha", Number(0), "ELU's alpha, and SELU's where written.", 1.0),
        Key("SeluLambda", "selu_lambda", Number(0), "SELU's lambda.", 1.050701),
        Key("Decay", "decay", Number(0), "The decay of the learning rate over epochs.", 0.0),
        Key("ErrorFunction", "error_function", ERROR_FUNCTION, "What training makes small.", "CrossEntropy"),
        Key("Layers", "layers", Layers(), "The layers.", required=True),
        Key(
            "TrainingParameters",
            "training",
            Record(TRAINING),
            "Settings of training; flags of the command line override them.",
            status=Status.OURS,
        ),
    ),
)

# The slots of the default of SELU's alpha: EluAlpha counts only where it is written.
SELU_ALPHA = 1.6732632

LAYER = Table(
    "a layer",
    (
        Key("Name", "name", _LAYER_NAME, "The layer's name; Kind and place in the list without one."),
        Key("Kind", "kind", LAYER_KIND, "Input for the first in the list, Output for the last, Hidden between."),
        Key("Type", "type", LAYER_TYPE, "How its units are computed.", "FullyConnected"),
        Key("Sparse", "sparse", Flag(), "Hidden: take the sparseness penalty. Input: take denoising.", False),
        Key("N", "n", Many(_UNITS, 4, "auto"), 'Units, or feature maps; "auto" takes them from the data set.'),
        Key("pDropout", "dropout", _PROBABILITY, "The share of units dropped in training.", 0.0),
        Key("Source", "sources", _LAYER_NAMES, "Where it takes its input; the layer before it.", kinds="HOT"),
        Key("Kernel", "kernel", Many(_SMALL, 3), "The kernel's size along each axis.", 1, kinds="HOT"),
        Key("KernelStride", "stride", Many(_SMALL, 3), "The kernel's step along each axis.", 1, kinds="HOT"),
        Key("BatchNormalization", "batch_normalization", Flag(), "Normalise before the activation.", False, kinds="H"),
        Key(
            "SparsenessPenalty",
            "sparseness",
            Record(SPARSENESS),
            "This layer's own p and beta.",
            kinds="H",
            spare="bool",
        ),
        Key("Function", "function", POOLING, "What a pooling layer computes.", kinds="HO", types="P"),
        Key("Skip", "skips", _LAYER_NAMES, "Layers whose units are added before the activation.", kinds="HO"),
        Key("Activation", "activation", ACTIVATION, "The activation function.", "Sigmoid", kinds="HO"),
        Key("ReluSlope", "slope", _SLOPE, "Overrides the network's ReluSlope.", aliases=("Slope",), kinds="HO"),
        Key("EluAlpha", "elu_alpha", Number(0), "Overrides the network's EluAlpha.", kinds="HO"),
        Key("SeluLambda", "selu_lambda", Number(0), "Overrides the network's SeluLambda.", kinds="HO"),
        Key(
            "WeightNorm",
            "weight_norm",
            Number(0),
            "The longest that a unit's weights may be; 0 is off.",
            0.0,
            kinds="HO",
        ),
        Key(
            "DeltaNorm",
            "delta_norm",
            Number(0),
            "The longest that an example's delta may be; 0 is off.",
            0.0,
            kinds="HO",
        ),
        Key("WeightInit", "init", Record(WEIGHT_INIT), "How weights and biases begin.", kinds="HO"),
        Key(
            "SharedWeights",
            "shared",
            Many(Record(SHARED_WEIGHTS), empty=True),
            "Matrices of other layers.",
            kinds="HO",
        ),
        Key("DataSet", "dataset", Text("the name of a data set", empty=True), "The data set bound to it.", kinds="IO"),
    ),
    (
        ("ErrorFunction", "a network has one error function; write it at the top level, beside Layers"),
        ("L1Penalty", "DSSTNE's documents name it, its parser refuses it; use Lambda1 of TrainingParameters"),
        ("Recurrent", "DSSTNE's documents name it, no version computed it"),
        (
            "Target",
            "DSSTNE's documents name it, its parser refuses it; name the targets with DataSet on an Output layer",
        ),
        ("Padding", "padding follows from the kernel; there is no key for it"),
    ),
)

TABLES = (
    DEFINITION,
    LAYER,
    SPARSENESS,
    DENOISING,
    DELTA_BOOST,
    SMCE,
    LRN,
    MAX_OUT,
    WEIGHT_INIT,
    SHARED_WEIGHTS,
    TRAINING,
)
