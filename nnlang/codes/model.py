"""NN720-NN729: model files and checkpoints."""

from nnlang.diagnostics import DATA, MEMORY, Code

NOT_A_MODEL = Code(
    "NN720",
    "not-a-model",
    "`{path}` is not a model file: {reason}",
    help="give the file that `nnlang train -n` or DSSTNE's `train -n` wrote",
    exit=DATA,
)
MODEL_DAMAGED = Code(
    "NN721",
    "model-damaged",
    "the model `{path}` is damaged: {reason}",
    help="copy it again from where it came, or take a checkpoint beside it (`ls {path}*.nc`)",
    exit=DATA,
)
MODEL_INCOMPLETE = Code(
    "NN722",
    "model-incomplete",
    "the model `{path}` has no {what}",
    help="every model that DSSTNE or nnlang writes has it: the file was changed, or written by another program",
    exit=DATA,
)
MODEL_SIZE = Code(
    "NN723",
    "model-size",
    "`{variable}` has {found} values, {expected} are needed ({why})",
    help="the layers and the weights of the file do not belong together: take another copy of the model",
    exit=DATA,
)
MODEL_NOT_FINITE = Code(
    "NN724",
    "model-not-finite",
    "{count} of the {total} values of {what} are not finite, the first at place {first}",
    help="the training that wrote it diverged: take an earlier checkpoint, or train with a smaller `--alpha`",
    exit=DATA,
)
MODEL_CONTENT = Code(
    "NN725",
    "model-content",
    "the model `{path}` says {what}: {reason}",
    help="no model that DSSTNE or nnlang writes says so: the file was changed, or written by another program",
    exit=DATA,
)
MODEL_NEWER = Code(
    "NN726",
    "model-newer",
    "the model `{path}` was written by nnlang {writer} in format {found}, this nnlang reads up to format {known}",
    help="install a newer nnlang (`pip install --upgrade nnlang`)",
    exit=DATA,
)
MODEL_UNSAFE = Code(
    "NN727",
    "model-unsafe",
    "the model `{path}` is not read: {reason}",
    help="models of DSSTNE and nnlang hold all their data in one plain file: take another copy, of an origin you trust",
    exit=DATA,
)
CHECKPOINT_SKIPPED = Code(
    "NN728",
    "checkpoint-skipped",
    "the checkpoint `{path}` cannot be used: {reason}",
    help="an older one was taken; delete this file",
    severity="warning",
    exit=DATA,
)
MODEL_TOO_LARGE = Code(
    "NN729",
    "model-too-large",
    "there is not enough memory to read {what} of `{path}`",
    help="use a machine with more memory",
    exit=MEMORY,
)
