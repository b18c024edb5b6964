"""Which dataclass of nnlang.ast holds the objects of which table of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nnlang import ast, schema

# The dataclass of each table whose objects stand inside others.
RECORDS: Mapping[str, Callable[..., Any]] = {
    schema.SPARSENESS.what: ast.Sparseness,
    schema.DENOISING.what: ast.Denoising,
    schema.DELTA_BOOST.what: ast.DeltaBoost,
    schema.SMCE.what: ast.Smce,
    schema.LRN.what: ast.Lrn,
    schema.MAX_OUT.what: ast.MaxOut,
    schema.WEIGHT_INIT.what: ast.WeightInit,
    schema.SHARED_WEIGHTS.what: ast.SharedWeights,
    schema.TRAINING.what: ast.Training,
    schema.PREDICTION.what: ast.Prediction,
    schema.PREPARATION.what: ast.Preparation,
    schema.SWEEP_DATA.what: ast.SweepData,
    schema.SWEEP_SPLIT.what: ast.SweepSplit,
    schema.PRUNING.what: ast.Pruning,
    schema.AXIS.what: ast.Axis,
}
