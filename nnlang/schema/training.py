"""The keys of training settings, in a definition and in a job file, and the job file itself (dsstne.md 5.4, 10.4)."""

from __future__ import annotations

from nnlang.schema.choices import COMMAND, OPTIMIZER
from nnlang.schema.types import INT_MAX, Flag, Key, Many, Number, Record, Status, Table, Text

_COUNT = Number(0, INT_MAX, integer=True)
_POSITIVE = Number(1, INT_MAX, integer=True)
_SEED = Number(0, 2**63 - 1, integer=True)
_VERSION = r"(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?"

TRAINING = Table(
    "`TrainingParameters`",
    (
        Key("Epochs", "epochs", _COUNT, "How often training goes through all examples."),
        Key("MiniBatch", "batch", _POSITIVE, "How many examples make one step.", status=Status.DOCUMENTED),
        Key("Alpha", "alpha", Number(0, 1e30), "The learning rate: how far a step goes."),
        Key(
            "AlphaInterval",
            "alpha_interval",
            _COUNT,
            "After how many epochs Alpha is multiplied by AlphaMultiplier, again and again; 0 is never.",
            0,
        ),
        Key(
            "AlphaMultiplier",
            "alpha_multiplier",
            Number(0),
            "What Alpha is multiplied by every AlphaInterval epochs.",
            0.5,
        ),
        Key(
            "Mu",
            "mu",
            Number(0, 1, below=True),
            "The share of its velocity that a weight keeps, or the decay of running means, as the Optimizer says.",
        ),
        Key("Mu1", "mu1", Number(0, 1, below=True), "The decay of Adam's running mean of squares.", status=Status.OURS),
        Key(
            "Lambda",
            "lambda_",
            Number(0, 1e30),
            "L2 regularisation (weight decay): adds Lambda * w to the gradient of each weight w.",
        ),
        Key(
            "Lambda1",
            "lambda1",
            Number(0, 1e30),
            "L1 regularisation: adds Lambda1 * sgn(w) to the gradient of each weight w.",
            status=Status.OURS,
        ),
        Key(
            "Optimizer",
            "optimizer",
            OPTIMIZER,
            "How weights follow their gradients. DSSTNE trained with SGD, from a job file with Nesterov too.",
        ),
        Key(
            "CheckpointInterval",
            "checkpoint_interval",
            _COUNT,
            "After how many epochs a checkpoint is written; 0 is never.",
        ),
        Key(
            "CheckpointName", "checkpoint_name", Text("a path", name=False), "What the paths of checkpoints begin with."
        ),
        Key("Results", "results", Text("a path", name=False), "Where the trained model is written."),
        Key(
            "ShuffleIndices",
            "shuffle",
            Flag(),
            "Take the examples in another order in each epoch, whatever the network's ShuffleIndices says.",
            status=Status.DOCUMENTED,
        ),
        Key(
            "RandomSeed",
            "seed",
            _SEED,
            "What all random numbers follow from: equal seeds, equal runs.",
            status=Status.OURS,
        ),
    ),
)

PREDICTION = Table(
    "`PredictionParameters`",
    (
        Key("MiniBatch", "batch", _POSITIVE, "How many examples are computed at a time.", 1024),
        Key("K", "k", _POSITIVE, "Up to how many predictions of an example are counted.", 10, status=Status.OURS),
        Key(
            "Results",
            "results",
            Text("a path", name=False),
            "A file that the measures are written to, beside being printed.",
            status=Status.OURS,
        ),
    ),
)

JOB = Table(
    "a job",
    (
        Key(
            "Version",
            "version",
            Number(0),
            "The version of the job language; nothing depends on it.",
            spare="string",
            pattern=_VERSION,
        ),
        Key(
            "Network",
            "network",
            Text("a path", name=False),
            "The definition to train or validate, or the model to predict with.",
            required=True,
        ),
        Key("Command", "command", COMMAND, "What to do.", required=True),
        Key(
            "Data",
            "data",
            Many(Text("a path", name=False)),
            "The data set files; data sets are bound by the names inside them.",
            required=True,
        ),
        Key("RandomSeed", "seed", _SEED, "What all random numbers follow from: equal seeds, equal runs."),
        Key("TrainingParameters", "training", Record(TRAINING), "How to train; only with the Command Train."),
        Key(
            "PredictionParameters",
            "prediction",
            Record(PREDICTION),
            "How to predict; only with the Command Predict.",
            status=Status.DOCUMENTED,
        ),
    ),
)

# What a job takes where it says nothing; a definition and the command line take the defaults of network.Training.
JOB_DEFAULTS: tuple[tuple[str, object], ...] = (
    ("alpha", 0.1),
    ("lambda_", 0.001),
    ("mu", 0.9),
    ("batch", 1024),
    ("checkpoint_interval", 1),
)
JOB_CHECKPOINT_NAME = "check"
JOB_RESULTS = "network.nc"
