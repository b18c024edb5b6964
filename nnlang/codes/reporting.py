"""NN796-NN799: reports."""

from nnlang.diagnostics import DATA, Code

NO_METRICS = Code(
    "NN796",
    "no-metrics",
    "there is no metrics file `{path}`",
    help="`nnlang train` writes it beside the model as it trains: give the name that -n of that training had",
    exit=DATA,
)
BAD_METRICS = Code(
    "NN797",
    "bad-metrics",
    "the metrics file `{path}` cannot be drawn: {reason}",
    help="it has one JSON object an epoch, as `nnlang train` writes it; train again, or give another model",
    exit=DATA,
)
NOT_IN_THE_REPORT = Code(
    "NN798",
    "not-in-the-report",
    "`{path}` is left out of the report: {reason}",
    help="`nnlang sweep run DIR --resume` writes what is missing; the other figures do not depend on it",
    severity="warning",
)
NO_TRIALS = Code(
    "NN799",
    "no-trials",
    "the sweep in `{path}` has no trial yet, so that there is nothing to report",
    help="begin it, or go on with it: nnlang sweep run SWEEP.json -o {path} --resume",
    exit=DATA,
)
