"""NN5: advice. Sound definitions that probably do not do what was meant."""

from __future__ import annotations

from nnlang.diagnostics import Code

UNUSED_LAYER = Code(
    "NN501",
    "unused-layer",
    "no layer takes the output of layer `{name}`",
    "computed for nothing",
    "name it as a Source, or remove it",
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
    "NN508", "unused-parameters", "`{key}` has no effect: {reason}", "", "remove it", severity="warning"
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
