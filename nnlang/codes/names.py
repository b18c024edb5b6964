"""NN3: names and topology. Layers, their edges, shared weights, and which losses go with which outputs."""

from __future__ import annotations

from nnlang.diagnostics import Code

UNKNOWN_LAYER = Code(
    "NN301",
    "unknown-layer",
    "layer `{name}` is not defined",
    "no layer has this name",
    "define it, or use one of {names}",
)
DUPLICATE_NAME = Code(
    "NN302", "duplicate-name", "two layers are called `{name}`", "the same name as at {first}", "rename one of them"
)
NAME_COLLISION = Code(
    "NN303",
    "name-collision",
    "layer number {number} of the list has no name and would be called `{name}`, as another layer is",
    "named at {first}",
    "give it a name of its own",
)
NO_INPUT = Code("NN304", "no-input", "no layer is an Input layer", "none of these", 'give a layer "Kind": "Input"')
NO_OUTPUT = Code("NN305", "no-output", "no layer is an Output layer", "none of these", 'give a layer "Kind": "Output"')
NO_SOURCE = Code("NN306", "no-source", "layer `{name}` has no source", "", "name one or more layers with Source; {why}")
REPEATED_NAME = Code("NN307", "repeated-source", "`{key}` names layer `{name}` twice", "again here", "name it once")
CYCLE = Code(
    "NN308",
    "cycle",
    "the layers depend on each other in a circle: {path}",
    "part of the circle",
    "a layer cannot see its own output; remove one of the edges{unsaid}",
)
SKIP_ON_POOLING = Code(
    "NN309",
    "skip-on-pooling",
    "pooling layer `{name}` has a Skip",
    "nothing to add to",
    "a pooling layer has no pre-activation; put the skip into the layer after it",
)
NO_FUNCTION = Code(
    "NN310", "no-function", "pooling layer `{name}` has no Function", "", "write `Function`: one of {options}"
)
FEW_SOURCES = Code(
    "NN311",
    "few-sources",
    "{function} of layer `{name}` needs two or more sources, it has {count}",
    "",
    "name the layers to compare with Source",
)
MANY_SOURCES = Code(
    "NN312",
    "one-source",
    "{function} of layer `{name}` takes one source, it has {count}",
    "",
    "pool each of them in a layer of its own",
)
HIDDEN_SOFTMAX = Code(
    "NN313",
    "hidden-softmax",
    "hidden layer `{name}` has the activation SoftMax",
    "for outputs only",
    "DSSTNE took no derivative of it there; use another activation, or make it an Output layer",
)
NO_DATASET = Code(
    "NN314",
    "no-data-set",
    "{kind} layer `{name}` has no data set",
    "",
    'write "DataSet": with the name of the data set that it {verb}',
)
STEP_DATA = Code(
    "NN315",
    "step-without-data",
    "the preparation step {step} cannot act on {what}: {reason}",
    "",
    "name a sparse data set of an Input layer with DataSet, or leave the step out",
)
DUPLICATE_STEP = Code(
    "NN316",
    "duplicate-step",
    "two preparation steps are called `{name}`",
    "the same name as at {first}",
    "rename one of them",
)

NOT_A_SOURCE = Code(
    "NN330",
    "shared-not-a-source",
    "layer `{layer}` shares weights from `{name}`, which is not one of its sources",
    "not a source of `{layer}`",
    "InputLayer must be one of {names}",
)
NO_SUCH_WEIGHTS = Code(
    "NN331",
    "no-such-weights",
    "there are no weights from `{source}` to `{target}`",
    "",
    "{hint}",
)
SHARED_TWICE = Code(
    "NN332",
    "shared-of-shared",
    "the weights from `{source}` to `{target}` are shared themselves",
    "",
    "name those that they are taken from: from `{owner_source}` to `{owner_target}`",
)
SHARES_ITSELF = Code("NN333", "shares-itself", "weights are shared with themselves", "", "name other weights")
REPEATED_SHARE = Code(
    "NN334",
    "repeated-share",
    "the weights from `{name}` are shared twice",
    "again here",
    "keep one entry for each source",
)
NO_WEIGHTS = Code(
    "NN335",
    "no-weights",
    "pooling layer `{name}` has no weights to share",
    "",
    "remove SharedWeights",
)

BAD_PAIR = Code(
    "NN340",
    "loss-activation",
    "{function} is not defined for an output with activation {activation}",
    "layer `{name}`",
    "{reason}",
)
BAD_TARGETS = Code(
    "NN341",
    "loss-targets",
    "{function} is not defined for the targets of data set `{dataset}`, which are {found}",
    "layer `{name}`",
    "{reason}",
)
