"""NN780-NN795: running sweeps: their folder, their event log, trials, schedulers."""

from nnlang.diagnostics import DATA, DISK, FINDINGS, INTERRUPTED, Code

SWEEP_EXISTS = Code(
    "NN780",
    "sweep-exists",
    "`{path}` holds {what} already",
    help="go on with {command}; or give another folder to -o",
)
NO_SWEEP = Code(
    "NN781",
    "no-sweep",
    "`{path}` holds no sweep: {reason}",
    help="give the folder that `nnlang sweep run -o` wrote; begin one with: nnlang sweep run sweep.json -o {folder}",
)
SWEEP_BUSY = Code(
    "NN782",
    "sweep-busy",
    "the sweep in `{path}` is being run by {owner}",
    help="look at it with: nnlang sweep status {folder}",
)
LOG_DAMAGED = Code(
    "NN783",
    "log-damaged",
    "the event log is damaged: {reason}",
    help="restore the file from a copy; or move it away and begin the sweep in a new folder",
    exit=DATA,
)
SPACE_CHANGED = Code(
    "NN784",
    "space-changed",
    "the axes are not those that the sweep began with: {what}",
    help="give --extend to go on with the new axes; or begin a new sweep in another folder",
)
SWEEP_CHANGED = Code(
    "NN785",
    "sweep-changed",
    "{what} is not what the sweep began with: it was {then}, now it is {now}",
    help="trials would not be comparable: begin a new sweep in another folder, or put {what} back",
)
TOO_MANY_FAILURES = Code(
    "NN786",
    "too-many-failures",
    "the sweep was stopped: {count} of its trials failed ({limit})",
    help="see what went wrong: nnlang sweep show {folder} {number}; to let more fail, --resume with --max-failures N",
    exit=FINDINGS,
)
TRIAL_FAILED = Code(
    "NN787",
    "trial-failed",
    "trial {number} ({kind}): {reason}",
    help="its output: {log}",
    severity="warning",
)
TOO_TIGHT = Code(
    "NN788",
    "constraints-too-tight",
    "{attempts} draws for trial {number} all broke the constraints",
    help="widen the constraints, or narrow the axes to what they allow",
)
INSECURE_SCHEDULER = Code(
    "NN789",
    "insecure-scheduler",
    "`{address}` is neither on this machine nor encrypted: whoever reaches it can run code there",
    help="use tls://, with --tls-ca, --tls-cert and --tls-key; or accept it in a closed network with --insecure",
)
NO_SCHEDULER = Code(
    "NN790",
    "no-scheduler",
    "the scheduler `{address}` cannot be used: {reason}",
    help="it must be a dask.distributed scheduler of the same version; see docs/clusters.md",
    exit=DATA,
)
SWEEP_INTERRUPTED = Code(
    "NN791",
    "sweep-interrupted",
    "interrupted with {done} of {total} trials done; what was trained is kept",
    help="go on with: {command}",
    exit=INTERRUPTED,
)
NO_VALIDATION = Code(
    "NN792",
    "no-validation",
    "the sweep holds nothing out to compare its trials by: {reason}",
    help="{remedy}",
)
NO_SUCH_TRIAL = Code(
    "NN793",
    "no-such-trial",
    "trial {number} of the sweep in `{path}` {reason}",
    help="nnlang sweep show {folder} lists its trials",
)
LOG_TORN = Code(
    "NN794",
    "log-torn",
    "the last line of `{path}` was cut off by a crash; it was taken out, a copy is in `{copy}`",
    help="nothing else is lost: what it told of is done again",
    severity="note",
)
UNWRITABLE = Code(
    "NN795",
    "sweep-unwritable",
    "the sweep cannot write `{path}`: {reason}",
    help="make room, or mend what is wrong with the folder; then go on with --resume",
    exit=DISK,
)
