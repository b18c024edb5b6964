"""The language as one table: what decode, lint, explain, the JSON schema, the docs and editors read.

A `Table` has rows, a `Key` is a row; the words of enumerations are `Option`s of a `Choice`. LNDL spellings stand here
and nowhere else in the package.
"""

from __future__ import annotations

from nnlang.schema.choices import (
    ACTIVATION,
    COMMAND,
    ERROR_FUNCTION,
    LAYER_KIND,
    LAYER_TYPE,
    NETWORK_KIND,
    OPTIMIZER,
    POOLING,
    SCHEME,
    STEP,
)
from nnlang.schema.definition import DEFINITION, LAYER, SELU_ALPHA, TABLES
from nnlang.schema.preparation import PREPARATION
from nnlang.schema.records import (
    DELTA_BOOST,
    DENOISING,
    LRN,
    MAX_OUT,
    SHARED_WEIGHTS,
    SMCE,
    SPARSENESS,
    WEIGHT_INIT,
)
from nnlang.schema.sweep import AXIS, PRUNING, SWEEP, SWEEP_DATA, SWEEP_SPLIT, SWEEP_TABLES
from nnlang.schema.training import JOB, JOB_CHECKPOINT_NAME, JOB_DEFAULTS, JOB_RESULTS, PREDICTION, TRAINING
from nnlang.schema.types import (
    FLOAT_MAX,
    INT_MAX,
    Choice,
    Flag,
    Key,
    Layers,
    Many,
    Number,
    Option,
    Record,
    Status,
    Table,
    Text,
    Tree,
    ValueType,
    expects,
    fold,
)

__all__ = [
    "ACTIVATION", "AXIS", "COMMAND", "DEFINITION", "DELTA_BOOST", "DENOISING", "ERROR_FUNCTION", "FLOAT_MAX",
    "INT_MAX", "JOB", "JOB_CHECKPOINT_NAME", "JOB_DEFAULTS", "JOB_RESULTS", "LAYER", "LAYER_KIND", "LAYER_TYPE",
    "LRN", "MAX_OUT", "NETWORK_KIND", "OPTIMIZER", "POOLING", "PREDICTION", "PREPARATION", "PRUNING", "SCHEME",
    "SELU_ALPHA", "SHARED_WEIGHTS", "SMCE", "SPARSENESS", "STEP", "SWEEP", "SWEEP_DATA", "SWEEP_SPLIT", "SWEEP_TABLES",
    "TABLES", "TRAINING", "WEIGHT_INIT", "Choice", "Flag", "Key", "Layers", "Many", "Number", "Option", "Record",
    "Status", "Table", "Text", "Tree", "ValueType", "expects", "fold",
]  # fmt: skip
