"""NN5: advice. Sound definitions that probably do not do what was meant."""

from __future__ import annotations

from nnlang.diagnostics import Code

UNUSED_LAYER = Code(
    "NN501",
    "unused-layer",
    "no layer takes the output of layer `{name}`",
    "computed for nothing",
    "{remedy}",
    severity="warning",
)
NOTHING_DENOISED = Code(
    "NN502",
    "nothing-denoised",
    "Denoising has no effect: no Input layer is Sparse",
    "",
    'write "Sparse": true in the Input layers to denoise',
    severity="warning",
)
DENSE_DENOISING = Code(
    "NN503",
    "dense-denoising",
    "Input layer `{name}` is not denoised: its data set `{dataset}` is dense",
    "Sparse here",
    "use pDropout for dense inputs",
    severity="warning",
)
LONE_PENALTY = Code(
    "NN504",
    "lone-penalty",
    "the sparseness penalty of layer `{name}` has no effect: {reason}",
    "",
    "{remedy}",
    severity="warning",
)
NOTHING_PENALISED = Code(
    "NN505",
    "nothing-penalised",
    "SparsenessPenalty has no effect: no Hidden layer is Sparse",
    "",
    'write "Sparse": true in the Hidden layers to keep sparse',
    severity="warning",
)
SPARSE_DROPOUT = Code(
    "NN506",
    "sparse-dropout",
    "pDropout of layer `{name}` has no effect: its data set is sparse",
    "",
    "use Denoising, at the top level",
    severity="warning",
)
NO_EFFECT = Code(
    "NN507", "no-effect", "`{key}` has no effect in layer `{name}`: {reason}", "", "remove it", severity="warning"
)
UNUSED_PARAMETERS = Code(
    "NN508", "unused-parameters", "`{key}` has no effect: {reason}", "", "{remedy}", severity="warning"
)
EVEN_KERNEL = Code(
    "NN509",
    "even-kernel",
    "a kernel of layer `{name}` is even and its stride 1",
    "even",
    "use an odd size: only that keeps the shape with the same padding on both sides",
    severity="warning",
)
OUTPUT_DROPOUT = Code(
    "NN510",
    "output-dropout",
    "Output layer `{name}` has pDropout: a share of its units is dropped before the error is computed",
    "",
    "use it in hidden layers",
    severity="warning",
)
INTERVAL_WITHOUT_EFFECT = Code(
    "NN511",
    "interval-without-effect",
    "`{key}` has no effect: {reason}",
    "",
    "write both AlphaInterval and AlphaMultiplier",
    severity="warning",
)
LETTER_CASE = Code(
    "NN512",
    "letter-case",
    "`{key}` is written `{name}` in DSSTNE's documents",
    "",
    "write `{name}`; letter case makes no difference to nnlang",
    severity="note",
)
DEAD_LAYER = Code(
    "NN513",
    "dead-layer",
    "nothing that layer `{name}` computes reaches an Output layer",
    "trained by nothing",
    "name it, or a layer after it, as a Source of one that leads to an Output layer",
    severity="warning",
)
DISCONNECTED = Code(
    "NN514",
    "disconnected",
    "the network falls into {count} parts that share nothing",
    "{parts}",
    "join them, or write a definition for each",
    severity="warning",
)
LINEAR_STACK = Code(
    "NN515",
    "linear-stack",
    "layer `{name}` is Linear and as wide as a neighbour: it adds nothing that the next layer could not learn",
    "Linear",
    "give it an activation that is not Linear, fewer units, or remove it",
    severity="warning",
)
DEEP_SIGMOID = Code(
    "NN516",
    "deep-sigmoid",
    "{count} Sigmoid or Tanh layers in a row end with `{name}`; the first ones will hardly learn",
    "the last of them",
    "use Relu, add BatchNormalization, or a Skip around some of them",
    severity="warning",
)
IDENTITY_SLOPE = Code(
    "NN517",
    "identity-slope",
    "layer `{name}` is a leaky ReLU with slope 1, the identity",
    "slope 1",
    "write a ReluSlope such as .01, or the activation Linear",
    severity="warning",
)
SYMMETRIC_WEIGHTS = Code(
    "NN518",
    "symmetric-weights",
    "all units of layer `{name}` begin alike and stay alike: {reason}",
    "",
    "use Xavier, or another scheme that draws, here or behind it",
    severity="warning",
)
PADDED_WIDTH = Code(
    "NN519",
    "padded-width",
    "layer `{name}` has {units} units; kernels work in blocks of {block}, so {share} of the work is padding",
    "",
    "{near} units cost about the same or less",
    severity="note",
)
SMALL_LAYER = Code(
    "NN520",
    "small-layer",
    "layer `{name}` has {units} units; a GPU's matrix units take at least {least}",
    "",
    "more units cost nothing there; on a CPU it makes no difference",
    severity="note",
)
RUNS_DENSE = Code(
    "NN521",
    "runs-dense",
    "Input layer `{name}` runs dense: {reason}",
    "",
    "{remedy}",
    severity="note",
)
SUSPICIOUS_NUMBER = Code(
    "NN522",
    "suspicious-number",
    "`{key}` is {value}: {reason}",
    "",
    "{remedy}",
    severity="warning",
)
OUTPUT_BIAS = Code(
    "NN523",
    "output-bias",
    "Output layer `{name}` begins with a probability of {begin} for every unit, {density} of its data set are stored",
    "",
    'write "WeightInit": {{ "Bias": {bias} }}, the logit of the density; the first epochs need not learn it then',
    severity="note",
)
UNUSED_DATA = Code(
    "NN524",
    "unused-data-set",
    "no layer reads data set `{dataset}`",
    "",
    "bind it with DataSet, or leave its file out",
    severity="warning",
)
BATCH_LARGER = Code(
    "NN525",
    "batch-larger-than-data",
    "a batch of {batch} is larger than the data set, {examples} examples",
    "",
    "write a MiniBatch of at most {examples}: every epoch is a single step",
    severity="note",
)
MARGINS = Code(
    "NN526",
    "margins-cross",
    "oneTarget {one} is not above zeroTarget {zero}",
    "",
    "ones should count up to a higher output than zeros: oneTarget 1 (or .9), zeroTarget 0 (or .1)",
    severity="warning",
)
FEW_ONES = Code(
    "NN527",
    "few-ones",
    "in data set `{dataset}` {ratio} zeros stand against each one, and both weigh the same in the error",
    "",
    "use ScaledMarginalCrossEntropy with a oneScale of 5 to 30, and compare on held-out data",
    severity="note",
)
SELU_SCHEME = Code(
    "NN528",
    "selu-scheme",
    "layer `{name}` is a SELU, but its weights begin with {scheme}",
    "",
    'write "Scheme": "SELU": only with it do means and variances keep still from layer to layer',
    severity="note",
)
RELU_OUTPUT = Code(
    "NN529",
    "relu-output",
    "Output layer `{name}` is a {activation}: a unit that falls below 0 for every example never learns again",
    "",
    "use Linear, or SoftPlus where outputs must not be negative",
    severity="warning",
)
UNUSED_IGNORE = Code(
    "NN530",
    "unused-ignore",
    "nothing here breaks {code}",
    "suppresses nothing",
    "remove it from the comment",
    severity="warning",
)
BAD_IGNORE = Code(
    "NN531",
    "bad-ignore",
    "this comment suppresses nothing: {reason}",
    "",
    "{remedy}",
    severity="warning",
)
SATURATING_INIT = Code(
    "NN532",
    "saturating-init",
    "weights of layer `{name}` begin so large that its {activation} begins saturated: sums of about {size}",
    "",
    "use Xavier, or a Scale of {scale}",
    severity="warning",
)
UNITS_WITHOUT_DATA = Code(
    "NN533",
    "units-without-data",
    "Output layer `{name}` has {units} units, its data set `{dataset}` {found}: {surplus} have no targets",
    "too large",
    'write "N": "auto", or {found}; the others learn nothing but to be 0',
    severity="warning",
)
PENALISED_ACTIVATION = Code(
    "NN534",
    "penalised-activation",
    "layer `{name}` takes the sparseness penalty, and its activation is {activation}: means may leave 0 to 1",
    "not Sigmoid",
    "use Sigmoid, or leave Sparse out of this layer",
    severity="warning",
)
STEP_ORDER = Code(
    "NN535",
    "step-order",
    "the preparation step {step} comes after {before}: {reason}",
    "out of order",
    "{remedy}",
    severity="warning",
)
IDLE_STEP = Code(
    "NN536",
    "idle-step",
    "the preparation step {step} changes nothing in data set `{dataset}`: {reason}",
    "no effect",
    "leave it out",
    severity="warning",
)
