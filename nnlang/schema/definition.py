"""The keys of a definition: top level and layers (dsstne.md 1.2 and 1.4)."""

from __future__ import annotations

from nnlang.schema.choices import ACTIVATION, ERROR_FUNCTION, LAYER_KIND, LAYER_TYPE, NETWORK_KIND, POOLING
from nnlang.schema.preparation import PREPARATION
from nnlang.schema.records import (
    DELTA_BOOST,
    DENOISING,
    LRN,
    MAX_OUT,
    SHARED_WEIGHTS,
    SMCE,
    SPARSENESS,
    WEIGHT_INIT,
)
from nnlang.schema.training import TRAINING
from nnlang.schema.types import INT_MAX, Flag, Key, Layers, Many, Number, Record, Status, Table, Text

_LAYER_NAME = Text("the name of a layer")
_LAYER_NAMES = Many(_LAYER_NAME, empty=True)
_UNITS = Number(1, INT_MAX, integer=True)
_SMALL = Number(1, 65_535, integer=True)
_PROBABILITY = Number(0, 1, below=True)
_VERSION = r"0\.(6999|[7-9])[0-9]{0,30}|[1-9][0-9]{0,2}(\.[0-9]{1,30})?|1000(\.0{1,30})?"  # 0.6999 to 1000

_SLOPE = Number(0, 1)
DEFINITION = Table(
    "a definition",
    (
        Key(
            "Version",
            "version",
            Number(0.6999, 1000),
            "The version of the language; nothing depends on it.",
            0.9,
            spare="string",
            pattern=_VERSION,
        ),
        Key("Name", "name", Text("a name", empty=True), "The network's name; model files keep it.", ""),
        Key(
            "Kind",
            "kind",
            NETWORK_KIND,
            "What the network is for; both kinds compute the same.",
            "FeedForward",
            status=Status.PARSED,
        ),
        Key(
            "WeightsData",
            "weights_data",
            Text("a path", empty=True, name=False),
            "A model to begin from. It has no effect; to go on from a model use --resume.",
            documented=("WeightData",),
            status=Status.PARSED,
        ),
        Key(
            "LocalResponseNormalization",
            "lrn",
            Record(LRN),
            "The parameters of pooling layers with the Function LRN.",
            aliases=("LRN",),
            computed=False,
        ),
        Key(
            "MaxOut",
            "maxout",
            Record(MAX_OUT),
            "It has no effect; pooling layers with the Function MaxOut need no parameter.",
            status=Status.PARSED,
        ),
        Key(
            "SparsenessPenalty",
            "sparseness",
            Record(SPARSENESS),
            "Pulls the mean activation of hidden layers that are Sparse towards p; on where beta is above 0.",
        ),
        Key(
            "Denoising",
            "denoising",
            Record(DENOISING),
            "Leaves out stored entries of input layers that are Sparse, in training only; on where p is above 0.",
        ),
        Key(
            "DeltaBoost",
            "delta_boost",
            Record(DELTA_BOOST),
            "Scales the gradient at outputs with sparse targets, ones and zeros apart; the printed error stays.",
        ),
        Key(
            "ScaledMarginalCrossEntropy",
            "smce",
            Record(SMCE),
            "When ones and zeros count in the two marginal cross entropies, and how much.",
            aliases=("DataScaledMarginalCrossEntropy",),
        ),
        Key("ShuffleIndices", "shuffle", Flag(), "Take the examples in another order in each epoch of training.", True),
        Key(
            "ReluSlope",
            "slope",
            _SLOPE,
            "The slope of LRelu where z < 0, for layers that give none. DSSTNE's default is 1.0, the identity.",
            0.01,
            aliases=("Slope",),
        ),
        Key(
            "EluAlpha",
            "elu_alpha",
            Number(0),
            "The alpha of Elu, for layers that give none; Selu takes 1.6732632 unless it is written (DSSTNE: 1.0).",
            1.0,
        ),
        Key("SeluLambda", "selu_lambda", Number(0), "The lambda of Selu, for layers that give none.", 1.050701),
        Key(
            "Decay",
            "decay",
            Number(0),
            "How fast the learning rate falls: a step takes Alpha / (1 + Decay * batches so far); 0 keeps it.",
            0.0,
        ),
        Key(
            "ErrorFunction",
            "error_function",
            ERROR_FUNCTION,
            "The error that training makes small, one for all output layers.",
            "CrossEntropy",
        ),
        Key(
            "Layers",
            "layers",
            Layers(),
            "The layers of the network: at least one that is Input and one that is Output.",
            required=True,
        ),
        Key(
            "TrainingParameters",
            "training",
            Record(TRAINING),
            "How to train, beside what to train; flags of the command line override it.",
            status=Status.OURS,
        ),
        Key(
            "Preparation",
            "preparation",
            Many(Record(PREPARATION), empty=True),
            "Steps that the entries of input data sets go through, in this order. What they count is counted on the "
            "training data, stands in the model, and is applied when it predicts.",
            status=Status.OURS,
        ),
    ),
)

# The slots of the default of SELU's alpha: EluAlpha counts only where it is written.
SELU_ALPHA = 1.6732632

LAYER = Table(
    "a layer",
    (
        Key(
            "Name",
            "name",
            _LAYER_NAME,
            "What other layers call it; without one its Kind and its place in the list, counted from 0: Hidden1.",
        ),
        Key(
            "Kind",
            "kind",
            LAYER_KIND,
            "Its part in the network; without one the first of the list is Input, the last Output, others Hidden.",
        ),
        Key("Type", "type", LAYER_TYPE, "How its units are computed.", "FullyConnected"),
        Key(
            "Sparse",
            "sparse",
            Flag(),
            "Hidden layers: take the network's SparsenessPenalty. Input layers: take its Denoising.",
            False,
        ),
        Key(
            "N",
            "n",
            Many(_UNITS, 4, "auto"),
            'How many units, along up to four axes; of a convolutional layer, feature maps. "auto" asks the data set.',
        ),
        Key(
            "pDropout",
            "dropout",
            _PROBABILITY,
            "Dropout: the share of units dropped in each batch of training; the others make up for it.",
            0.0,
        ),
        Key(
            "Source",
            "sources",
            _LAYER_NAMES,
            "The layers that it takes its input from, a weight matrix for each; without it the one before in the list.",
            kinds="HOT",
        ),
        Key(
            "Kernel",
            "kernel",
            Many(_SMALL, 3),
            "The size of the kernel of a convolutional or pooling layer, along each axis.",
            1,
            kinds="HOT",
            computed=False,
        ),
        Key(
            "KernelStride",
            "stride",
            Many(_SMALL, 3),
            "How far the kernel moves from one unit to the next, along each axis.",
            1,
            kinds="HOT",
            computed=False,
        ),
        Key(
            "BatchNormalization",
            "batch_normalization",
            Flag(),
            "Bring each unit to mean 0 and variance 1 over the batch, then to a learned scale and shift. Prediction "
            "takes the statistics of all batches of training; DSSTNE's took those of the last.",
            False,
            kinds="H",
        ),
        Key(
            "SparsenessPenalty",
            "sparseness",
            Record(SPARSENESS),
            "This layer's own p and beta, in place of the network's.",
            kinds="H",
            spare="bool",
        ),
        Key(
            "Function",
            "function",
            POOLING,
            "What a pooling layer computes of its sources.",
            kinds="HO",
            types="P",
            computed=False,
        ),
        Key(
            "Skip",
            "skips",
            _LAYER_NAMES,
            "Layers of the same size whose units are added before the activation (residual connections).",
            kinds="HO",
        ),
        Key(
            "Activation",
            "activation",
            ACTIVATION,
            "The activation function: what becomes of the weighted sum z of the inputs.",
            "Sigmoid",
            kinds="HO",
        ),
        Key(
            "ReluSlope",
            "slope",
            _SLOPE,
            "The slope of LRelu where z < 0, in place of the network's.",
            aliases=("Slope",),
            kinds="HO",
        ),
        Key("EluAlpha", "elu_alpha", Number(0), "The alpha of Elu or Selu, in place of the network's.", kinds="HO"),
        Key("SeluLambda", "selu_lambda", Number(0), "The lambda of Selu, in place of the network's.", kinds="HO"),
        Key(
            "WeightNorm",
            "weight_norm",
            Number(0),
            "The greatest length of the vector of a unit's weights; longer ones are shortened after a step. 0 is off.",
            0.0,
            kinds="HO",
        ),
        Key(
            "DeltaNorm",
            "delta_norm",
            Number(0),
            "The greatest length of an example's gradient at this layer; longer ones are shortened. 0 is off.",
            0.0,
            kinds="HO",
        ),
        Key("WeightInit", "init", Record(WEIGHT_INIT), "What weights and biases begin with.", kinds="HO"),
        Key(
            "SharedWeights",
            "shared",
            Many(Record(SHARED_WEIGHTS), empty=True),
            "Matrices of other layers that it uses in place of its own, such as a decoder its encoder's.",
            kinds="HO",
        ),
        Key(
            "DataSet",
            "dataset",
            Text("the name of a data set", empty=True),
            "The name of the data set that feeds an Input layer, or that an Output layer is compared with.",
            kinds="IO",
        ),
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
    PREPARATION,
)
