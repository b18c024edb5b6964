"""NN230-NN249 and NN540-NN549: sweep files, their axes and conditions, and the combinations that they make."""

from __future__ import annotations

from nnlang.diagnostics import Code

UNSOUND_BASE = Code(
    "NN230",
    "unsound-base",
    "the definition of the sweep is not sound: {where}: {found}: {message}",
    "this definition",
    "mend it first; `nnlang lint {file}` says all",
)
UNKNOWN_PATH = Code(
    "NN231",
    "unknown-path",
    "`{path}` leads nowhere: {reason}",
    "no such key or layer",
    "write a path such as Layers.Hidden.N, training.Alpha or split.Fold",
)
AXIS_FORM = Code(
    "NN232",
    "axis-form",
    "axis `{axis}` {reason}",
    "",
    'write a list of values, or one of {{ "Choice": [...] }}, {{ "Uniform": [low, high] }}, '
    '{{ "LogUniform": [low, high] }}, {{ "Integer": [low, high] }}',
)
CHOICES = Code("NN233", "axis-choices", "axis `{axis}` {reason}", "", "write each value that is to be tried, once")
EMPTY_RANGE = Code(
    "NN234",
    "axis-range",
    "the range of axis `{axis}` {reason}",
    "",
    "write [low, high] with low below high; of LogUniform low is above 0",
)
ADAPTIVE = Code(
    "NN235",
    "adaptive-method",
    "{method} chooses each combination by the results of those before: none can be generated beforehand",
    "",
    "`nnlang sweep run {file}` tries them out; --dry-run shows the space; --method Random, QMC or Grid generates",
)
FRACTIONS = Code(
    "NN236",
    "axis-fractions",
    "{form} gives fractions, but `{key}` takes {expected}",
    "",
    'write {{ "Integer": [low, high] }} or a list of values',
)
CONDITION = Code(
    "NN237",
    "axis-condition",
    "the condition of axis `{axis}` {reason}",
    "",
    "name an axis that stands before this one, and a list of its values",
)
CONSTRAINT = Code(
    "NN238",
    "sweep-constraint",
    "the constraint {reason}",
    "",
    'write [axis, sign, axis or value] such as ["Layers.A.N", ">=", 64]; the signs are <, <=, >, >=, ==, !=',
)
SAME_PATH = Code(
    "NN239", "axes-on-one-path", "axis `{axis}` sets what axis `{other}` sets", "set twice", "remove one of them"
)
NO_TRIALS = Code(
    "NN240", "no-trials", "the Method {method} needs Trials", "", 'write how many are to be tried: "Trials": 50'
)
GRID_RANGE = Code(
    "NN241",
    "grid-range",
    "Grid cannot go through axis `{axis}`: {reason}",
    "",
    "write a list of values, or another Method, such as Random or TPE, with Trials",
)
UNKNOWN_METRIC = Code("NN242", "unknown-metric", "`{metric}` is no metric: {reason}", "", "write one such as ndcg@100")
DATA_FORM = Code(
    "NN243",
    "sweep-data",
    "{reason}",
    "",
    "give Ratings, which Split divides; or Input and Output, and for judging ValidationInput and ValidationOutput",
)
COMBINATION = Code(
    "NN244", "unsound-combination", "a combination is not sound: {code}: {message} ({combination})", "", "{remedy}"
)
NOTHING_LEFT = Code(
    "NN245", "no-combination", "{reason}", "", "loosen the constraints, or the conditions of the axes in them"
)
FOLDER_TAKEN = Code(
    "NN246",
    "folder-taken",
    "`{path}` {reason}",
    "",
    "take a new folder with -o; --overwrite replaces numbered definitions and the manifest",
)
AXIS_TEXT = Code(
    "NN247",
    "axis-text",
    "axis `{axis}` {reason}",
    "",
    'write one Text with {{}} for each Path: "Path": ["Layers.Input.DataSet"], "Text": ["day{{}}_input"]',
)
TOO_MANY_COMBINATIONS = Code(
    "NN248",
    "too-many-combinations",
    "there are more than {limit} combinations",
    "",
    "choose fewer: --method Random --trials 1000; or raise --limit",
)
NO_AXES = Code(
    "NN249",
    "no-axes",
    "the sweep has no axes",
    "",
    'write "Axes": {{ "Layers.Hidden.N": [128, 256] }}; inside a definition, "N": {{ "$sweep": [128, 256] }}',
)

COMBINATION_ADVICE = Code(
    "NN540",
    "questionable-combination",
    "a combination has {code}: {message} ({combination})",
    "",
    "{remedy}",
    severity="warning",
)
IDLE_AXIS = Code(
    "NN541",
    "idle-axis",
    "axis `{axis}` changes nothing where `{other}` is {value}: equal definitions are tried several times",
    "",
    'give it a condition: "When": {{ "{other}": {values} }}',
    severity="warning",
)
NEVER_TRIED = Code(
    "NN542",
    "value-never-tried",
    "no combination was found in which axis `{axis}` is {value}",
    "",
    "look at Constraints and at When of the axes in them",
    severity="warning",
)
MORE_TRIALS = Code(
    "NN543",
    "more-trials-than-combinations",
    "Trials is {trials}, but there are only {count} combinations",
    "",
    "leave Trials out",
    severity="warning",
)
