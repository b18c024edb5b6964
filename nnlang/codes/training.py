"""NN730-NN749: what a compiled network and its runs can meet."""

from __future__ import annotations

from nnlang.diagnostics import DATA, DEVICE, DIVERGED, INTERRUPTED, MEMORY, USAGE, Code

NOT_YET_SUPPORTED = Code(
    "NN730",
    "not-yet-supported",
    "layer `{name}`: {what} are not yet supported",
    "understood, but there is no kernel for it",
    "use fully connected layers, or wait for a release that lowers it",
    exit=USAGE,
)
DIVERGENCE = Code(
    "NN731",
    "diverged",
    "training diverged: the error is {error} at epoch {epoch}, batch {batch}{where}",
    "not a finite number",
    "lower --alpha (now {alpha}), check the data for huge values; the last good checkpoint stands: {checkpoint}",
    exit=DIVERGED,
)
OUT_OF_MEMORY = Code(
    "NN732",
    "out-of-memory",
    "not enough memory: {needed} needed, {free} free",
    "counted before anything was allocated",
    "use a smaller batch (-b {batch} would fit), fewer units, or a machine with more memory",
    exit=MEMORY,
)
STOPPED = Code(
    "NN733",
    "interrupted",
    "interrupted at epoch {epoch}, batch {batch}; a checkpoint is written: {path}",
    "stopped by a signal",
    "the same command with --resume continues, bit for bit",
    severity="note",
    exit=INTERRUPTED,
)
EXAMPLES_DIFFER = Code(
    "NN734",
    "examples-differ",
    "data set `{name}` has {found} examples, `{other}` has {expected}",
    "inputs and outputs of one training stand row by row",
    "generate both from the same samples with the same sample index",
    exit=DATA,
)
MISSING_DATA = Code(
    "NN735",
    "missing-data-set",
    "layer `{layer}` is bound to the data set `{dataset}`, which no file given holds",
    "no file given holds it",
    "give a file that holds `{dataset}` (found: {found})",
    exit=DATA,
)
NARROW_LAYER = Code(
    "NN736",
    "layer-too-narrow",
    "data set `{dataset}` has {found} units, layer `{layer}` only {units}",
    "wider than the layer it is bound to",
    'use N: "auto", or the feature index that the model was trained with',
    exit=DATA,
)
RESUME_DIFFERS = Code(
    "NN737",
    "resume-differs",
    "{what} differs from the checkpoint's: {now} instead of {then}",
    "bit-identical continuation is promised for the same {what} only",
    "the run goes on with the new one; give the old one for the same numbers",
    severity="warning",
)
RESUME_REFUSED = Code(
    "NN738",
    "resume-refused",
    "cannot continue from {path}: its {what} is not this run's",
    "another network or other data",
    "give the definition and data sets that it was trained with, or train anew with --overwrite",
    exit=USAGE,
)
NOTHING_TO_RESUME = Code(
    "NN740",
    "nothing-to-resume",
    "there is neither a checkpoint nor a model `{path}` to continue: the training begins anew",
    help="check the name after -n if you meant to continue",
    severity="note",
)
BRAKE = Code(
    "NN739",
    "brake",
    "the error rose to {error} from an average of {average} at epoch {epoch}, batch {batch}: small steps for a while",
    "divergence brake",
    "",
    severity="note",
)
DEVICE_FAILED = Code(
    "NN741",
    "device-failed",
    "{device} failed: {reason}",
    help="run `nnlang doctor`; what was written before stands, and --resume goes on from the last checkpoint",
    exit=DEVICE,
)
NO_SUCH_PRECISION = Code(
    "NN742",
    "no-such-precision",
    "device `{device}` does not compute in `{precision}`",
    help="it knows {known}",
    exit=USAGE,
)
EARLY_STOP = Code(
    "NN743",
    "early-stop",
    "{metric} has not got better than {best} ({times} measured since): training ends after epoch {epoch} of {epochs}",
    "--patience {patience}",
    "the same command with --resume and a longer --patience than {patience} (0: never stop early) goes on from here",
    severity="note",
)
JUDGED_OTHERWISE = Code(
    "NN744",
    "judged-otherwise",
    "this run was judged by {then} until now, from now on by {now}: what was measured before does not count",
    "numbers of different measures or data cannot be compared",
    "give the --validate and --metric that it began with to go on with its best epoch",
    severity="warning",
)
BEST_GONE = Code(
    "NN745",
    "best-model-gone",
    "the model of the best epoch so far ({best}) is gone: neither {kept} nor {path} holds it",
    "the best of the epochs that follow counts",
    "keep {kept} beside the model until its training has finished",
    severity="warning",
)
NOT_TO_VALIDATE = Code(
    "NN746",
    "cannot-validate",
    "{what} cannot be judged: {reason}",
    exit=DATA,
)
