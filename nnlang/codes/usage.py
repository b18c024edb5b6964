"""NN700-NN709, NN750-NN759 and NN764-NN779: the command line, prediction and evaluation, what lint is set to."""

from nnlang.diagnostics import DATA, DEVICE, DIVERGED, MEMORY, USAGE, Code

UNKNOWN_OPTION = Code(
    "NN700", "unknown-option", "`nnlang {command}` has no option `{option}`", help="`nnlang {command} --help` lists all"
)
UNKNOWN_COMMAND = Code(
    "NN701", "unknown-command", "nnlang has no command `{command}`", help="`nnlang --help` lists all commands"
)
MISSING_OPTION = Code(
    "NN702",
    "missing-option",
    "`nnlang {command}` needs {option}",
    help="`nnlang {command} --help` shows an example",
)
BAD_VALUE = Code(
    "NN703",
    "bad-option-value",
    "{option} cannot be `{value}`: {reason}",
    help="`nnlang {command} --help` says what it takes",
)
BAD_USAGE = Code("NN704", "bad-usage", "{reason}", help="`nnlang {command} --help` shows an example")
MISSING_EXTRA = Code(
    "NN705",
    "missing-extra",
    "`nnlang {command}` needs the Python package `{package}`, which is not installed",
    help="install the extra that brings it: pip install 'nnlang[{extra}]'",
)
NO_SUCH_DEVICE = Code(
    "NN706",
    "no-such-device",
    "device `{device}` cannot be used: {reason}",
    help="leave --device out for what there is, or give `--device cpu`; `nnlang doctor` says more",
    exit=DEVICE,
)
CANNOT_COMBINE = Code(
    "NN707", "cannot-combine", "{first} and {second} exclude each other", help="leave one of them out"
)
MODEL_EXISTS = Code(
    "NN708",
    "model-exists",
    "there is {what} at `{path}` already",
    help="continue it with --resume, replace it with --overwrite, or give another name to -n",
)
JOB_DATA = Code(
    "NN709",
    "job-data",
    "the data of the job cannot be used for {command}: {reason}",
    help="a job binds data sets by name: `input` and `output`, the output sparse (dsstne.md 10.4)",
    exit=DATA,
)
OTHER_PREFIX = Code(
    "NN750",
    "other-data-set",
    "-d {prefix} means data set `{asked}`, but the model reads `{dataset}`",
    help="use -d {expected}",
    exit=USAGE,
)
NO_LABELS = Code(
    "NN751",
    "no-labels",
    "the model carries no labels for {role} data set `{dataset}`",
    help="give the feature index file that `nnlang generate` wrote: {flag} FILE",
    exit=DATA,
)
OTHER_LABELS = Code(
    "NN752",
    "other-labels",
    "index file `{path}` calls feature {number} `{label}`, the model was trained with `{trained}` there",
    help="leave {flag} out: the model carries the labels of its own training data",
    exit=DATA,
)
LABELS_BEYOND = Code(
    "NN753",
    "labels-beyond-width",
    "layer `{layer}` has {units} units; features of `{path}` with higher numbers are ignored: {count}",
    help="they came after the training; train again to learn them",
    severity="warning",
)
WHICH_LAYER = Code(
    "NN754",
    "which-layer",
    "{reason}",
    help="choose one with --layer: {layers}",
)
SCORES_NOT_FINITE = Code(
    "NN755",
    "scores-not-finite",
    "the model gives sample `{sample}` scores that are not finite (NaN or infinity)",
    help="its training diverged: train again with a smaller --alpha, or take an earlier checkpoint",
    exit=DIVERGED,
)
UNKNOWN_FEATURES = Code(
    "NN756",
    "unknown-features",
    "features in `{path}` that {model} does not know: {count} of {total} entries, such as `{example}`",
    help="they are left out; this is usual for items that came after the training",
    severity="warning",
)
NOTHING_KNOWN = Code(
    "NN757",
    "nothing-known",
    "samples without any feature that {model} knows: {count} of {total}, such as `{example}`",
    help="they get what the model recommends to anybody",
    severity="note",
)
TIMES_AS_WEIGHTS = Code(
    "NN758",
    "times-as-weights",
    "values in filter `{path}` look like times ({value}); --filter-mode scale multiplies scores by them",
    help="use --filter-mode remove to take listed features out",
    severity="warning",
)
BASELINE_MEMORY = Code(
    "NN764",
    "baseline-memory",
    "the baseline EASE needs {needed} of memory for {side} users or items, the fewer of them; {free} are free",
    help="leave it out of --baselines, or judge on a machine with more memory",
    exit=MEMORY,
)
COLLAPSE = Code(
    "NN765",
    "collapsed-lists",
    "the lists of {name} have collapsed: {reason}",
    help="set it beside popularity in the table; a smaller alpha, another oneScale or fewer epochs often help",
    severity="warning",
)
NO_GROUP = Code(
    "NN766",
    "users-without-group",
    "users without a group in `{path}`: {count} of {total} judged, such as `{example}`",
    help="they get what is popular overall",
    severity="note",
)
BAD_GROUP = Code(
    "NN767",
    "bad-group-line",
    "the line is not of the form `user TAB group`: {reason}",
    help="write one user a line, a TAB, and the name of the group",
    exit=DATA,
)
HELD_AND_KNOWN = Code(
    "NN777",
    "held-and-known",
    "entries of `{held}` that `{known}` has too: {count} of {total}, such as `{example}` of sample `{sample}`",
    help="what is known is never recommended, so they can only be missed: take them out of what is known",
    severity="warning",
)
BAD_METRIC = Code(
    "NN768",
    "not-a-metric-here",
    "--metrics names `{metric}`: {reason}",
    help="{remedy}",
)
NOT_IN_THE_MANUAL = Code(
    "NN770",
    "not-in-the-manual",
    "`{word}` is no key, no value, no code and no name of a finding",
    help="`nnlang explain` lists the keys and the families of codes",
)
NOT_FOR_TEXT = Code(
    "NN759",
    "not-for-text",
    "text signals cannot feed this model: {reason}",
    help="{remedy}",
)
BAD_CONFIGURATION = Code(
    "NN771",
    "bad-configuration",
    "the configuration `{path}` cannot be used: {reason}",
    help="mend it, or leave it aside with --no-config",
)
UNKNOWN_SETTING = Code(
    "NN772",
    "unknown-setting",
    "`{table}` has no key `{key}`",
    "nobody reads it",
    help="`nnlang lint --help` lists the keys",
)
BAD_SETTING = Code("NN773", "bad-setting", "{key} cannot be `{value}`: {reason}", help="write {expected}")
UNKNOWN_RULE = Code(
    "NN774",
    "unknown-rule",
    "{key} names `{value}`, but no code begins so",
    help="`nnlang explain` lists the codes; NN5 is a family of them, NN stands for all",
)
NO_BASELINE = Code(
    "NN775",
    "no-baseline",
    "there is no baseline `{path}`",
    help="record what is found now: nnlang lint {paths} --baseline {path} --update-baseline",
)
BAD_BASELINE = Code(
    "NN776",
    "bad-baseline",
    "`{path}` is no baseline that nnlang can read: {reason}",
    help="give the file that --update-baseline wrote; or remove this one and let --update-baseline write it anew",
)
