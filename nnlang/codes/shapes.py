"""NN400 to NN449: shapes. Units, axes, kernels, and the data sets that layers bind."""

from __future__ import annotations

from nnlang.diagnostics import DATA, Code

NO_SIZE = Code(
    "NN401",
    "no-size",
    "layer `{name}` has no N",
    "",
    "write `N`: {expected}",
)
HIDDEN_AUTO = Code(
    "NN402",
    "hidden-auto",
    'hidden layer `{name}` has "N": "auto"',
    "has no data set to take it from",
    "write the number of units",
)
NO_SUCH_DATA = Code(
    "NN404",
    "no-such-data-set",
    "data set `{dataset}` of layer `{name}` was not given",
    "no data set has this name",
    "{remedy}",
)
TOO_MANY_UNITS = Code(
    "NN405",
    "too-many-units",
    "layer `{name}` has {units} units, at most 2147483647 are possible",
    "",
    "make it smaller",
)
DATA_TOO_WIDE = Code(
    "NN406",
    "data-too-wide",
    "data set `{dataset}` has {found}, layer `{name}` only {units}",
    "too small",
    'write "N": "auto", or {found}',
)
DATA_AXES = Code(
    "NN407",
    "data-axes",
    "data set `{dataset}` is {found}, layer `{name}` is {axes}: they differ in their axes",
    "",
    'write "N": "auto" to take them from the data set',
    severity="warning",
)
EXAMPLES_DIFFER = Code(
    "NN408",
    "example-counts",
    "data set `{dataset}` has {found} examples, `{other}` has {expected}",
    "",
    "generate both from the same samples with the same sample index (-s): example by example they belong together",
    exit=DATA,
)

FEATURE_MAPS = Code(
    "NN410",
    "feature-maps",
    "convolutional layer `{name}` takes one number of feature maps, or its whole shape, which is {shape}",
    "",
    "write the number of feature maps; the other axes follow from the source",
)
SOURCES_DIFFER = Code(
    "NN411",
    "source-shapes-differ",
    "the sources of layer `{name}` differ in shape: `{first}` {first_shape}, `{other}` {other_shape}",
    "",
    "{reason}",
)
TOO_MANY_AXES = Code(
    "NN412",
    "kernel-axes",
    "the kernel of layer `{name}` has too few axes, {count}, for its source `{source}`, which is {shape}",
    "",
    "give the kernel a size for every axis but the last",
)
STRIDE_AXES = Code(
    "NN413",
    "stride-axes",
    "KernelStride of layer `{name}` has {found} axes, its Kernel {count}",
    "",
    "give as many strides as kernel sizes",
)
POOLED_SIZE = Code(
    "NN414",
    "derived-size",
    "layer `{name}` has the shape {shape}, which follows from its sources, not {written}",
    "",
    "remove N, or write {shape}",
)

SKIP_SHAPE = Code(
    "NN420",
    "skip-shape",
    "layer `{skip}` has {found} units, layer `{name}` that skips from it has {units}",
    "",
    "a skip adds unit to unit; give both the same N",
)
SHARED_SHAPE = Code(
    "NN421",
    "shared-shape",
    "shared weights are {found} ({way}), the edge from `{source}` to `{target}` needs {expected}",
    "",
    "{reason}",
)
DOES_NOT_FIT = Code(
    "NN430",
    "does-not-fit",
    "training needs {needed} at batch {batch}, a device has {memory}: {parts}",
    "{parameters} parameters",
    "{remedy}",
)
FOOTPRINT_UNKNOWN = Code(
    "NN431",
    "footprint-unknown",
    "whether it fits a device of {memory} cannot be told: {reason}",
    "",
    "{remedy}",
    severity="note",
)
FOOTPRINT = Code(
    "NN432",
    "footprint",
    "training takes {needed} of {memory} at batch {batch}: {parts}",
    "{parameters} parameters",
    "a step computes {work} GFLOP and moves {traffic}; -b takes another batch",
    severity="note",
)
SAVED_MISSING = Code(
    "NN440",
    "weights-not-saved",
    "`{path}` has no weights from `{source}` to `{target}`",
    "these",
    "{remedy}",
)
SAVED_SHAPE = Code(
    "NN441",
    "saved-shape",
    "the weights from `{source}` to `{target}` are {found} in `{path}`, here {expected}",
    "",
    "keep the sizes of the model, or train anew",
)
SAVED_UNUSED = Code(
    "NN442",
    "saved-unused",
    "`{path}` has weights from `{source}` to `{target}` that no layer here takes",
    "",
    "add the layers, or accept that they are lost",
    severity="warning",
)
SAVED_DIFFERS = Code(
    "NN443",
    "saved-differs",
    "layer `{name}` of `{path}` was trained with `{key}` {then}, here it has {now}",
    "",
    'write "{key}": {then} to go on as it was trained',
    severity="warning",
)
MORE_FINDINGS = Code(
    "NN449",
    "more-findings",
    "{count} further findings are not shown",
    "",
    "mend the first ones and run again",
    severity="note",
)
