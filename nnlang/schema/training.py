"""The keys of training settings, in a definition and in a job file, and the job file itself (dsstne.md 5.4, 10.4)."""

from __future__ import annotations

from nnlang.schema.choices import COMMAND, OPTIMIZER
from nnlang.schema.types import INT_MAX, Flag, Key, Many, Number, Record, Status, Table, Text

_COUNT = Number(0, INT_MAX, integer=True)
_POSITIVE = Number(1, INT_MAX, integer=True)
_SEED = Number(0, 2**63 - 1, integer=True)

TRAINING = Table(
    "`TrainingParameters`",
    (
        Key("Epochs", "epochs", _COUNT, "How often training goes through all examples."),
        Key("MiniBatch", "batch", _POSITIVE, "Examples of one step.", status=Status.DOCUMENTED),
        Key("Alpha", "alpha", Number(0, 1e30), "The learning rate."),
        Key("AlphaInterval", "alpha_interval", _COUNT, "Epochs between two multiplications of Alpha; 0 is never.", 0),
        Key("AlphaMultiplier", "alpha_multiplier", Number(0), "What Alpha is multiplied by every AlphaInterval.", 0.5),
        Key("Mu", "mu", Number(0, 1, below=True), "Momentum, or the decay of running means, as the optimizer needs."),
        Key("Mu1", "mu1", Number(0, 1, below=True), "The decay of Adam's mean of squares.", status=Status.OURS),
        Key("Lambda", "lambda_", Number(0, 1e30), "L2 regularisation: weights shrink by it times themselves."),
        Key("Lambda1", "lambda1", Number(0, 1e30), "L1 regularisation: weights shrink by it.", status=Status.OURS),
        Key("Optimizer", "optimizer", OPTIMIZER, "How weights follow their gradients."),
        Key("CheckpointInterval", "checkpoint_interval", _COUNT, "Epochs between two checkpoints; 0 is none."),
        Key("CheckpointName", "checkpoint_name", Text("a path", name=False), "Where checkpoints are written."),
        Key("Results", "results", Text("a path", name=False), "Where the trained model is written."),
        Key("ShuffleIndices", "shuffle", Flag(), "Shuffle the examples every epoch.", status=Status.DOCUMENTED),
        Key("RandomSeed", "seed", _SEED, "What all random numbers follow from.", status=Status.OURS),
    ),
    (
        ("LearningRate", "the learning rate is called Alpha"),
        ("BatchSize", "the batch size is called MiniBatch"),
        ("WeightDecay", "weight decay is called Lambda"),
        ("Momentum", "momentum is called Mu"),
    ),
)

PREDICTION = Table(
    "`PredictionParameters`",
    (
        Key("MiniBatch", "batch", _POSITIVE, "Examples of one step."),
        Key("K", "k", _POSITIVE, "Up to how many predictions are counted.", 10, status=Status.OURS),
        Key(
            "Results", "results", Text("a path", name=False), "Where the measures are written too.", status=Status.OURS
        ),
    ),
)

JOB = Table(
    "a job",
    (
        Key("Version", "version", Number(0), "The version of the job language.", spare="string"),
        Key(
            "Network",
            "network",
            Text("a path", name=False),
            "The definition to train or validate, or the model to predict with.",
            required=True,
        ),
        Key("Command", "command", COMMAND, "What to do.", required=True),
        Key("Data", "data", Many(Text("a path", name=False)), "The data set files.", required=True),
        Key("RandomSeed", "seed", _SEED, "What all random numbers follow from."),
        Key("TrainingParameters", "training", Record(TRAINING), "Settings of Train."),
        Key(
            "PredictionParameters",
            "prediction",
            Record(PREDICTION),
            "Settings of Predict.",
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
