"""The keys of a sweep file: a base definition, axes along which it varies, how to try it out (docs/sweeps.md)."""

from __future__ import annotations

from nnlang.schema.training import TRAINING
from nnlang.schema.types import INT_MAX, Choice, Many, Number, Option, Record, Table, Text, Tree
from nnlang.schema.types import Key as Row

_PATH = Text("a path", name=False)
_PATHS = Many(_PATH)
_POSITIVE = Number(1, INT_MAX, integer=True)
_COUNT = Number(0, INT_MAX, integer=True)
_SHARE = Number(0, 1, below=True)
_SEED = Number(0, 2**63 - 1, integer=True)
_ENDS = Many(Number(), 2)

SECOND = Choice(
    "second column",
    (
        Option("None", "none", "the number behind an item counts for nothing"),
        Option("Value", "value", "the number behind an item is its value"),
        Option("Time", "time", "the number behind an item is its time in seconds"),
    ),
)
PROTOCOL = Choice(
    "protocol",
    (
        Option("Holdout", "holdout", "a share of each user's entries is held out"),
        Option("Strong", "strong", "users are held out; a share of their entries is known"),
        Option("Last", "last", "each user's last entry by time is held out"),
        Option("Windows", "windows", "rolling windows of time: train before, judge within"),
        Option("KFold", "kfold", "entries or users in folds, one of them held out"),
    ),
)
BY = Choice(
    "unit of folds",
    (
        Option("Entries", "entries", "each user's entries are dealt into folds"),
        Option("Users", "users", "users are dealt into folds"),
    ),
)
METHOD = Choice(
    "method",
    (
        Option("Grid", "Grid", "every combination, the last axis fastest"),
        Option("Random", "Random", "points drawn independently"),
        Option("QMC", "QMC", "points of a scrambled Sobol sequence, which fill the space evenly"),
        Option("TPE", "TPE", "a tree-structured Parzen estimator: learns from results"),
        Option("CMAES", "CMAES", "covariance matrix adaptation: learns from results, numbers only"),
        Option("GP", "GP", "a Gaussian process: learns from results"),
    ),
)
SEEDS = Choice(
    "seeds of trials",
    (
        Option("Same", "Same", "every trial trains with the definition's RandomSeed: differences are the settings'"),
        Option("Own", "Own", "every trial trains with a seed of its own, which follows from RandomSeed"),
    ),
)
PRUNER = Choice(
    "pruning method",
    (
        Option("None", "None", "every trial is trained to the end"),
        Option("ASHA", "ASHA", "successive halving: at each rung the best 1 / Factor go on"),
        Option("Hyperband", "Hyperband", "successive halving with several first rungs"),
        Option("Median", "Median", "ends trials that are worse than the median of those before"),
        Option("Percentile", "Percentile", "ends trials that are not among the best Percent of those before"),
    ),
)

SWEEP_DATA = Table(
    "`Data`",
    (
        Row("Ratings", "ratings", _PATH, "Ratings or interactions: a text of DSSTNE's form, or a CSV with Columns."),
        Row("Columns", "columns", Text("names of columns, such as user,item,rating", name=False),
            "The columns of a CSV: user, item, then perhaps rating and time, by their names."),
        Row("Second", "second", SECOND, "What the number behind an item means.", "None"),
        Row("MinValue", "least", Number(), "Entries with a smaller value are left out."),
        Row("Input", "input", _PATHS, "Data set files of the inputs, in place of Ratings."),
        Row("Output", "output", _PATHS, "Data set files of the outputs."),
        Row("ValidationInput", "validation_input", _PATHS, "Data set files of the inputs that trials are judged on."),
        Row("ValidationOutput", "validation_output", _PATHS, "Data set files of the outputs that they are judged on."),
    ),
)  # fmt: skip
SWEEP_SPLIT = Table(
    "`Split`",
    (
        Row("Protocol", "name", PROTOCOL, "How ratings are divided into training, validation and test.", "Holdout"),
        Row("Fraction", "fraction", _SHARE, "The share that is held out for the test."),
        Row("Validation", "validation", Number(0, INT_MAX),
            "What of the rest trials are judged on: a share; of Last a number of entries, of Strong also of users."),
        Row("Seed", "seed", _COUNT, "What the division follows from."),
        Row("Fold", "fold", _COUNT, "Which fold or window is held out, from 0."),
        Row("Folds", "folds", Number(2, 1000, integer=True), "How many folds there are."),
        Row("By", "by", BY, "What is dealt into folds."),
        Row("Users", "users", Number(0, INT_MAX), "Strong: how many users are held out, or below 1 which share."),
        Row("MinItems", "min_items", _POSITIVE, "Strong: users with fewer items are left out."),
        Row("Windows", "windows", Number(1, 10_000, integer=True), "Into how many windows the time is divided."),
        Row("Window", "window", Number(0, 1e6), "The length of a window in days."),
    ),
)  # fmt: skip
PRUNING = Table(
    "`Pruning`",
    (
        Row("Method", "method", PRUNER, "How trials that do badly are ended early.", "None"),
        Row("First", "first", _POSITIVE, "The epoch of the first decision of ASHA and Hyperband.", 1),
        Row("Factor", "factor", Number(2, 100, integer=True), "Of so many trials one goes on; rungs grow by it.", 3),
        Row("Warmup", "warmup", _COUNT, "Median and Percentile decide nothing before this epoch.", 0),
        Row("Interval", "interval", _POSITIVE, "Median and Percentile decide every so many epochs.", 1),
        Row("Percent", "percent", Number(0, 100), "Percentile: the share of trials, in percent, that goes on.", 25.0),
    ),
)  # fmt: skip
AXIS = Table(
    "an axis",
    (
        Row("Choice", "choice", Tree("a list of values", ("a list",)),
            "The values to try; whole objects may stand here, null takes the key out."),
        Row("Uniform", "uniform", _ENDS, "[low, high]: any number between, all alike."),
        Row("LogUniform", "log_uniform", _ENDS, "[low, high], above 0: any number between, all magnitudes alike."),
        Row("Integer", "integer", Many(Number(-INT_MAX, INT_MAX, integer=True), 2),
            "[low, high]: any integer, both ends too."),
        Row("When", "when", Tree("an object of axes and the values they must have", ("an object",)),
            "Conditions: the axis is there only where earlier axes have one of these values."),
        Row("Path", "path", _PATHS, "What the axis sets, where its name is no path; several keys may be set at once."),
        Row("Text", "text", Many(Text("a text with {} in the place of the value", name=False)),
            "What is written at each Path, with {} in the place of the value."),
    ),
)  # fmt: skip
SWEEP = Table(
    "a sweep",
    (
        Row("Sweep", "name", Text("a name"), "The sweep's name; it marks a sweep file.", required=True),
        Row("Definition", "definition", Tree("the path of a definition, or the definition itself",
            ("a string", "an object")), "What is varied. A path is seen from the sweep file.", required=True),
        Row("Data", "data", Record(SWEEP_DATA), "What trials are trained on and judged by."),
        Row("Split", "split", Record(SWEEP_SPLIT), "How Ratings are divided into training, validation and test."),
        Row("TrainingParameters", "training", Record(TRAINING), "Laid over those of the definition."),
        Row("Metric", "metric", Text("a measure such as ndcg@100"), "What trials are compared by.", "ndcg@100"),
        Row("Patience", "patience", _COUNT, "A trial ends after so many epochs without a better value; 0 is never.", 0),
        Row("Axes", "axes", Tree("an object: paths, and the values to try at them", ("an object",), AXIS),
            "What varies: a path such as Layers.Hidden.N, and a list of values or an object such as "
            '{ "Uniform": [0, 0.5] }.'),
        Row("Constraints", "constraints", Tree('a list of constraints such as ["Layers.A.N", ">=", "Layers.B.N"]',
            ("a list",)), "What combinations have to fulfil; those with an axis that is not there do."),
        Row("Method", "method", METHOD, "How combinations are chosen.", "Grid"),
        Row("Trials", "trials", _POSITIVE, "How many are tried; of Grid, without it all."),
        Row("RandomSeed", "seed", _SEED, "What the choice of combinations follows from.", 1),
        Row("Seeds", "seeds", SEEDS, "What each training's own random numbers follow from.", "Same"),
        Row("Pruning", "pruning", Record(PRUNING), "How trials that do badly are ended early."),
    ),
)  # fmt: skip
SWEEP_TABLES = (SWEEP, SWEEP_DATA, SWEEP_SPLIT, PRUNING, AXIS)
