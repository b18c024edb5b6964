"""NN6: compatibility with DSSTNE. What only its documents know, and where its numbers differed from ours."""

from __future__ import annotations

from nnlang.diagnostics import Code

DOCUMENTED_KEY = Code(
    "NN601",
    "documented-key",
    "`{key}` is the spelling of DSSTNE's documents; its parser refuses it",
    "read as `{name}`",
    "write `{name}`",
    severity="warning",
)
DOCUMENTED_VALUE = Code(
    "NN602",
    "documented-value",
    "`{value}` is the spelling of DSSTNE's documents; its parser refuses it",
    "read as {name}",
    "write {name}",
    severity="warning",
)
VERSION_STRING = Code(
    "NN603",
    "version-string",
    "`Version` is a string; DSSTNE's parser aborts on it",
    "read as {value}",
    "write {value}",
    severity="warning",
)
BOOLEAN_PENALTY = Code(
    "NN604",
    "boolean-penalty",
    "`SparsenessPenalty` of a layer is a boolean; DSSTNE ignores it",
    "read as whether this layer takes the network's penalty",
    'write "Sparse": {value}',
    severity="warning",
)
WEIGHTS_DATA = Code(
    "NN605",
    "weights-data",
    "`WeightsData` has no effect; DSSTNE reads the path and forgets it",
    "without effect",
    "remove it; to go on from a model use --resume",
    severity="warning",
)
MAX_OUT = Code(
    "NN606",
    "maxout-k",
    "`MaxOut` of the network has no effect, in DSSTNE neither",
    "without effect",
    "remove it; pooling layers with Function MaxOut take the largest of their sources",
    severity="warning",
)

LEAKY_SLOPE = Code(
    "NN610",
    "leaky-slope",
    "layer `{name}` is a leaky ReLU without a slope: .01 here, 1.0 in DSSTNE, which made it the identity",
    "no ReluSlope",
    'write "ReluSlope": 1.0 for DSSTNE\'s numbers, .01 for ours',
    severity="note",
)
CONSTANT_INIT = Code(
    "NN611",
    "constant-init",
    "weights begin with +{scale} here, with -{scale} in DSSTNE by a slip of sign",
    "Constant",
    "write a Scale of the other sign for DSSTNE's numbers",
    severity="note",
)
SELU_INIT = Code(
    "NN612",
    "selu-init",
    "weights begin with standard deviation 1/sqrt(inputs) here, with 1/inputs in DSSTNE",
    "SELU",
    "write Gaussian with a Scale for other numbers",
    severity="note",
)
SELU_ALPHA = Code(
    "NN613",
    "selu-alpha",
    "layer `{name}` is a SELU without EluAlpha: 1.6732632 here, 1.0 in DSSTNE",
    "no EluAlpha",
    'write "EluAlpha": 1.0 for DSSTNE\'s numbers',
    severity="note",
)
XAVIER_SCALE = Code(
    "NN614",
    "xavier-scale",
    "Xavier spans its full range here, half of it in DSSTNE",
    "a Scale that may make up for it",
    "halve the Scale for DSSTNE's numbers",
    severity="note",
)
BATCH_NORMALIZATION = Code(
    "NN615",
    "batch-norm-statistics",
    "batch normalisation predicts with averaged statistics here, with those of the last batch in DSSTNE",
    "",
    "expect other predictions than DSSTNE's; nothing needs to be changed",
    severity="note",
)
WAS_IDENTITY = Code(
    "NN616",
    "was-identity",
    "{activation} is computed here; DSSTNE ran it as the identity",
    "",
    "write Linear for DSSTNE's numbers",
    severity="note",
)
MANY_SOURCES = Code(
    "NN617",
    "many-sources",
    "layer `{name}` has {count} sources; DSSTNE stops at more than 4",
    "",
    "to run in DSSTNE too, join some of them in a layer of their own first",
    severity="note",
)
TRUE_GRADIENT = Code(
    "NN618",
    "true-gradient",
    "{function} with {activation} follows the gradient of its error here; DSSTNE's delta was another",
    "",
    "expect other numbers than DSSTNE's; nothing needs to be changed",
    severity="note",
)
TOOL_NAMES = Code(
    "NN619",
    "tool-names",
    "{what} `{name}`: DSSTNE's predict expects {expected}",
    "",
    "{remedy}",
    severity="note",
)
OPTIMIZER = Code(
    "NN620",
    "optimizer",
    "DSSTNE's train runs SGD whatever a definition says{more}",
    "{optimizer}",
    "compare runs with SGD",
    severity="note",
)
DROPOUT_MASK = Code(
    "NN621",
    "dropout-mask",
    "layer `{name}` is trained with its dropout mask in both directions; DSSTNE forgot it on the way back",
    "",
    "",
    severity="note",
)
ANALOG_INPUT = Code(
    "NN622",
    "analog-input",
    "the weights of Input layer `{name}` follow each stored value; DSSTNE's followed the first value of a block",
    "",
    "",
    severity="note",
)
OUR_KEY = Code(
    "NN623",
    "our-key",
    "`{key}` is nnlang's own; DSSTNE's parser refuses it",
    "",
    "give the settings as flags of train, or in a job file, to keep the definition DSSTNE's",
    severity="note",
)
KERNEL_1D = Code(
    "NN624",
    "one-axis-kernel",
    "layer `{name}` convolves along one axis; DSSTNE took the kernel of its source layer instead",
    "",
    "",
    severity="note",
)
TIED_SPARSE = Code(
    "NN625",
    "tied-sparse-input",
    "weights of Input layer `{name}` are shared transposed; DSSTNE cannot if it is sparse, nor on several GPUs",
    "",
    "",
    severity="note",
)
