"""The enumerations of the language: every word that a key may take, with its other spellings and its meaning."""

from __future__ import annotations

from nnlang.network import Activation, ErrorFunction, Kind, LayerType, Optimizer, Scheme, Step
from nnlang.schema.types import Choice, Option, Status

_PARSED = Status.PARSED
_DOCUMENTED = Status.DOCUMENTED
_UNDEFINED = "DSSTNE accepted the word and computed nothing; neither its code nor its documents define it"

NETWORK_KIND = Choice(
    "network kind",
    (
        Option("FeedForward", "FeedForward", "inputs to outputs"),
        Option("AutoEncoder", "AutoEncoder", "the outputs are the inputs again; computes exactly as FeedForward"),
    ),
)

LAYER_KIND = Choice(
    "layer kind",
    (
        Option("Input", Kind.INPUT, "takes its units from a data set"),
        Option("Hidden", Kind.HIDDEN, "computed from other layers"),
        Option("Output", Kind.OUTPUT, "computed, and compared with a data set in training"),
        Option(
            "Target",
            Kind.TARGET,
            reason="no loss is computed on a Target layer, in DSSTNE neither; use Kind Output",
            status=_PARSED,
        ),
        # Read as a hidden layer of Type Pooling: see decode.
        Option("Pooling", "Pooling", "a hidden layer of Type Pooling", status=_DOCUMENTED, computed=False),
    ),
)

LAYER_TYPE = Choice(
    "layer type",
    (
        Option("FullyConnected", LayerType.FULLY_CONNECTED, "every unit sees every unit of its sources"),
        Option(
            "Convolutional",
            LayerType.CONVOLUTIONAL,
            "feature maps over one to three axes",
            documented=("Convolution",),
            computed=False,
        ),
        Option("Pooling", LayerType.POOLING, "no weights: the `Function` of its sources", computed=False),
    ),
)

ACTIVATION = Choice(
    "activation",
    (
        Option("Sigmoid", Activation.SIGMOID, "1 / (1 + exp(-z))"),
        Option("Tanh", Activation.TANH, "tanh(z)"),
        Option("Relu", Activation.RELU, "max(0, z)", ("RectifiedLinear",)),
        Option("Linear", Activation.LINEAR, "z"),
        Option("LRelu", Activation.LEAKY_RELU, "z, or ReluSlope * z where z < 0", ("LeakyRectifiedLinear",)),
        Option("Elu", Activation.ELU, "z, or EluAlpha * (exp(z) - 1) where z < 0", ("ExponentialLinear",)),
        Option(
            "Selu",
            Activation.SELU,
            "SeluLambda times z, or SeluLambda * EluAlpha * (exp(z) - 1) where z < 0",
            ("ScaledExponentialLinear",),
        ),
        Option("SoftMax", Activation.SOFTMAX, "exp(z) over the sum of exp(z) of the layer; outputs only"),
        Option("SoftPlus", Activation.SOFTPLUS, "log(1 + exp(z))", status=_PARSED),
        Option("SoftSign", Activation.SOFTSIGN, "z / (1 + |z|)", status=_PARSED),
        Option("ReluMax", Activation.RELUMAX, status=_PARSED, reason=_UNDEFINED),
        Option("LinearMax", Activation.LINEARMAX, status=_PARSED, reason=_UNDEFINED),
        Option(
            "ParametricRectifiedLinear",
            Activation.PRELU,
            aliases=("PRelu",),
            status=_DOCUMENTED,
            reason="no version of DSSTNE computed it and learned slopes are not supported; use LRelu with a ReluSlope",
        ),
        Option(
            "MaxOut",
            None,
            status=_DOCUMENTED,
            reason='MaxOut is a pooling function: write a layer with "Type": "Pooling", "Function": "MaxOut"',
        ),
    ),
)

ERROR_FUNCTION = Choice(
    "error function",
    (
        Option("L1", ErrorFunction.L1, "|a - t|"),
        Option("L2", ErrorFunction.L2, "(a - t)^2 / 2"),
        Option(
            "L2Hinge",
            ErrorFunction.L2_HINGE,
            "L2 where a is on the wrong side alone: below a target above 0, else above |t|",
        ),
        Option("Hinge", ErrorFunction.HINGE, "max(0, 1 - t a), targets -1 and +1"),
        Option(
            "CrossEntropy",
            ErrorFunction.CROSS_ENTROPY,
            "-t ln a - (1 - t) ln(1 - a) of Sigmoid, -t ln a of SoftMax",
            ("Cross Entropy",),
        ),
        Option(
            "ScaledMarginalCrossEntropy",
            ErrorFunction.SMCE,
            "cross entropy of ones below oneTarget and zeros above zeroTarget, scaled by oneScale and zeroScale",
            documented=("SMCE",),
        ),
        Option(
            "DataScaledMarginalCrossEntropy",
            ErrorFunction.DSMCE,
            "the same, ones scaled by the values of the data set",
        ),
    ),
)

SCHEME = Choice(
    "weight initialisation",
    (
        Option(
            "Xavier", Scheme.XAVIER, "uniform, +- Scale * sqrt(6 / (inputs + outputs)); DSSTNE took half that range"
        ),
        Option("CaffeXavier", Scheme.CAFFE_XAVIER, "uniform, +- Scale * sqrt(3 / outputs)"),
        Option("Gaussian", Scheme.GAUSSIAN, "normal, standard deviation Scale"),
        Option("Uniform", Scheme.UNIFORM, "uniform, +- Scale"),
        Option("UnitBall", Scheme.UNIT_BALL, "uniform in (0, Scale]"),
        Option("Constant", Scheme.CONSTANT, "Scale everywhere; DSSTNE took -Scale by a slip of sign"),
        Option("SELU", Scheme.SELU, "normal, standard deviation 1 / sqrt(inputs); DSSTNE took 1 / inputs"),
    ),
)

_NO_POOLING = "DSSTNE's documents name it, no version computed it"
POOLING = Choice(
    "pooling function",
    (
        Option("Max", "max", "the largest unit under the kernel", computed=False),
        Option("Average", "average", "the mean of the units under the kernel", computed=False),
        Option(
            "LRN",
            "lrn",
            "local response normalisation across channels",
            ("LocalResponseNormalization",),
            computed=False,
        ),
        Option("MaxOut", "maxout", "the largest of the sources, unit by unit", computed=False),
        Option("DotProduct", "dotproduct", "the dot product of the first source with each other one", computed=False),
        Option("Cosine", "cosine", "the cosine between the first source and each other one", computed=False),
        Option("Stochastic", None, status=_DOCUMENTED, reason=_NO_POOLING),
        Option(
            "LocalContrastNormalization",
            None,
            aliases=("LCN",),
            status=_DOCUMENTED,
            reason=_NO_POOLING + "; LRN is near",
        ),
        Option("GlobalTemporal", None, status=_DOCUMENTED, reason=_NO_POOLING),
    ),
)

OPTIMIZER = Choice(
    "optimizer",
    (
        Option("SGD", Optimizer.SGD, "gradient descent: w = w - Alpha g"),
        Option("Momentum", Optimizer.MOMENTUM, "gradient descent with velocity: v = Mu v - Alpha g, w = w + v"),
        Option("AdaGrad", Optimizer.ADAGRAD, "v = v + g^2, w = w - Alpha g / sqrt(v)"),
        Option(
            "Nesterov",
            Optimizer.NESTEROV,
            "velocity with the gradient taken ahead: v' = Mu v - Alpha g, w = w + v' + Mu (v' - v)",
        ),
        Option("RMSProp", Optimizer.RMSPROP, "v = Mu v + (1 - Mu) g^2, w = w - Alpha g / sqrt(v)"),
        Option(
            "AdaDelta",
            Optimizer.ADADELTA,
            "w = w - g sqrt(v / s), s and v running means of g^2 and of squared steps; Alpha has no effect",
        ),
        Option(
            "Adam",
            Optimizer.ADAM,
            "w = w - Alpha m / (sqrt(s) + 1e-8), m and s means of g and g^2 (Mu, Mu1) freed of their start",
        ),
    ),
)

COMMAND = Choice(
    "command",
    (
        Option("Train", "Train", "train the definition that `Network` names"),
        Option("Predict", "Predict", "precision, recall and NDCG of the model that `Network` names"),
        Option("Validate", "Validate", "check the gradients of the definition that `Network` names"),
    ),
)

STEP = Choice(
    "preparation step",
    (
        Option("Binarise", Step.BINARISE, "every stored value becomes 1", ("Binarize",)),
        Option("Threshold", Step.THRESHOLD, "entries with values below Least are left out"),
        Option("Log", Step.LOG, "ln(1 + v); of a value below 0, -ln(1 - v)"),
        Option("TfIdf", Step.TF_IDF, "v * (ln((1 + n) / (1 + df)) + 1), n examples, df with the feature"),
        Option("RowNorm", Step.ROW_NORM, "v over the Norm of its row"),
        Option("ZScore", Step.Z_SCORE, "(v - mean) / standard deviation, of the feature's stored values"),
        Option("MinMax", Step.MIN_MAX, "(v - least) / (greatest - least), of the feature's stored values"),
        Option("TopFrequency", Step.TOP_FREQUENCY, "the N features of most examples stay"),
        Option("TopInformation", Step.TOP_INFORMATION, "the N features that say most about the targets stay"),
        Option(
            "KCore",
            Step.K_CORE,
            "features of Users examples or more stay; training leaves out examples of fewer than Items",
        ),
    ),
)

NORM = Choice(
    "norm",
    (
        Option("L1", 1, "the sum of the absolute values"),
        Option("L2", 2, "the root of the sum of the squares"),
    ),
)
