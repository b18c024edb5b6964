"""The keys of the objects inside a definition and its layers (dsstne.md 1.2 and 1.4)."""

from __future__ import annotations

from nnlang.schema.choices import SCHEME
from nnlang.schema.types import Flag, Key, Number, Status, Table, Text

_LAYER_NAME = Text("the name of a layer")

SPARSENESS = Table(
    "`SparsenessPenalty`",
    (
        Key("p", "p", Number(0, 1), "The mean activation over a batch that hidden units are pulled to.", 0.0),
        Key("beta", "beta", Number(0), "The strength of the pull; 0 is none.", 0.0),
    ),
)
DENOISING = Table(
    "`Denoising`",
    (
        Key(
            "p",
            "p",
            Number(0, 1, below=True),
            "The share of stored input entries left out in training; the others are scaled by 1 / (1 - p).",
            0.0,
        ),
    ),
)
DELTA_BOOST = Table(
    "`DeltaBoost`",
    (
        Key("one", "one", Number(0), "What the gradient at stored targets (ones) is multiplied by.", 1.0),
        Key(
            "zero", "zero", Number(0), "What the gradient at targets that are not stored (zeros) is multiplied by.", 1.0
        ),
    ),
)
SMCE = Table(
    "`ScaledMarginalCrossEntropy`",
    (
        Key(
            "oneTarget",
            "one_target",
            Number(0, 1),
            "A unit whose target is one counts while its output is below this.",
            0.9,
        ),
        Key(
            "zeroTarget",
            "zero_target",
            Number(0, 1),
            "A unit whose target is zero counts while its output is above this.",
            0.1,
        ),
        Key("oneScale", "one_scale", Number(0), "What the error of ones is multiplied by.", 1.0),
        Key("zeroScale", "zero_scale", Number(0), "What the error of zeros is multiplied by.", 1.0),
    ),
)
LRN = Table(
    "`LocalResponseNormalization`",
    (
        Key("k", "k", Number(0), "The constant that the sum of squares is added to.", 2.0),
        Key("n", "n", Number(1, 65_535, integer=True), "How many neighbouring channels are summed.", 5),
        Key("alpha", "alpha", Number(0), "What the mean of the squares over the n channels is multiplied by.", 1e-4),
        Key("beta", "beta", Number(0), "The exponent of the sum that a unit is divided by.", 0.75),
    ),
)
MAX_OUT = Table(
    "`MaxOut`", (Key("k", "k", Number(1, 65_535, integer=True), "It has no effect.", 2, status=Status.PARSED),)
)
WEIGHT_INIT = Table(
    "`WeightInit`",
    (
        Key("Scheme", "scheme", SCHEME, "The distribution that the weights are drawn from.", "Xavier"),
        Key("Scale", "scale", Number(), "How wide the distribution is, as its Scheme says; SELU takes none.", 1.0),
        Key(
            "Bias",
            "bias",
            Number(),
            "What every bias begins with; a layer has one bias vector for each of its sources.",
            0.0,
            spare="refused",
        ),
    ),
)
SHARED_WEIGHTS = Table(
    "`SharedWeights`",
    (
        Key(
            "SourceInputLayer",
            "source_input",
            _LAYER_NAME,
            "The layer that the shared matrix leads from.",
            required=True,
        ),
        Key(
            "SourceOutputLayer",
            "source_output",
            _LAYER_NAME,
            "The layer that the shared matrix leads to.",
            required=True,
        ),
        Key("InputLayer", "input", _LAYER_NAME, "The source of this layer that it is used for.", required=True),
        Key(
            "Transposed",
            "transposed",
            Flag(),
            "Exchange its rows and columns, as a decoder does with its encoder's matrix.",
            False,
            documented=("Transpose",),
        ),
    ),
)
