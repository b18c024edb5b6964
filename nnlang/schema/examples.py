"""A value for every key, as one writes it in a definition: what the manual and editors show."""

from __future__ import annotations

from collections.abc import Mapping

from nnlang.schema.definition import DEFINITION, LAYER
from nnlang.schema.preparation import PREPARATION
from nnlang.schema.records import DELTA_BOOST, DENOISING, LRN, MAX_OUT, SHARED_WEIGHTS, SMCE, SPARSENESS, WEIGHT_INIT
from nnlang.schema.sweep import AXIS, PRUNING, SWEEP, SWEEP_DATA, SWEEP_SPLIT
from nnlang.schema.training import JOB, PREDICTION, TRAINING
from nnlang.schema.types import Key, Table

_VALUES: Mapping[str, Mapping[str, str]] = {
    DEFINITION.what: {
        "Version": "0.8",
        "Name": '"recommender"',
        "Kind": '"AutoEncoder"',
        "WeightsData": '"initial.nc"',
        "LocalResponseNormalization": '{ "k": 2, "n": 5, "alpha": 0.0001, "beta": 0.75 }',
        "MaxOut": '{ "k": 2 }',
        "SparsenessPenalty": '{ "p": 0.5, "beta": 2.0 }',
        "Denoising": '{ "p": 0.2 }',
        "DeltaBoost": '{ "one": 2.0, "zero": 1.0 }',
        "ScaledMarginalCrossEntropy": '{ "oneTarget": 1.0, "zeroTarget": 0.0, "oneScale": 30.0, "zeroScale": 1.0 }',
        "ShuffleIndices": "false",
        "ReluSlope": "0.01",
        "EluAlpha": "1.0",
        "SeluLambda": "1.050701",
        "Decay": "0.001",
        "ErrorFunction": '"ScaledMarginalCrossEntropy"',
        "Layers": '[ { "N": "auto", "DataSet": "in" }, { "N": 128 }, { "N": "auto", "DataSet": "out" } ]',
        "TrainingParameters": '{ "Epochs": 40, "MiniBatch": 256, "Optimizer": "Adam", "Alpha": 0.001 }',
        "Preparation": '[ { "Step": "TopFrequency", "N": 20000 }, { "Step": "TfIdf" }, { "Step": "RowNorm" } ]',
    },
    LAYER.what: {
        "Name": '"Hidden1"',
        "Kind": '"Hidden"',
        "Type": '"FullyConnected"',
        "Sparse": "true",
        "N": "128",
        "pDropout": "0.5",
        "Source": '["Hidden1", "Hidden2"]',
        "Kernel": "[5, 5]",
        "KernelStride": "[2, 2]",
        "BatchNormalization": "true",
        "SparsenessPenalty": '{ "p": 0.1, "beta": 3.0 }',
        "Function": '"Max"',
        "Skip": '"Hidden1"',
        "Activation": '"Relu"',
        "ReluSlope": "0.1",
        "EluAlpha": "1.0",
        "SeluLambda": "1.050701",
        "WeightNorm": "2.0",
        "DeltaNorm": "1.0",
        "WeightInit": '{ "Scheme": "Gaussian", "Scale": 0.01 }',
        "SharedWeights": (
            '{ "SourceInputLayer": "Input", "SourceOutputLayer": "Hidden1", "InputLayer": "Hidden1", '
            '"Transposed": true }'
        ),
        "DataSet": '"gl_input"',
    },
    SPARSENESS.what: {"p": "0.5", "beta": "2.0"},
    DENOISING.what: {"p": "0.2"},
    DELTA_BOOST.what: {"one": "2.0", "zero": "1.0"},
    SMCE.what: {"oneTarget": "0.9", "zeroTarget": "0.1", "oneScale": "30.0", "zeroScale": "1.0"},
    LRN.what: {"k": "2", "n": "5", "alpha": "0.0001", "beta": "0.75"},
    MAX_OUT.what: {"k": "2"},
    WEIGHT_INIT.what: {"Scheme": '"Gaussian"', "Scale": "0.01", "Bias": "-2.0"},
    SHARED_WEIGHTS.what: {
        "SourceInputLayer": '"Input"',
        "SourceOutputLayer": '"Hidden1"',
        "InputLayer": '"Hidden1"',
        "Transposed": "true",
    },
    TRAINING.what: {
        "Epochs": "40",
        "MiniBatch": "256",
        "Alpha": "0.025",
        "AlphaInterval": "20",
        "AlphaMultiplier": "0.8",
        "Mu": "0.5",
        "Mu1": "0.999",
        "Lambda": "0.0001",
        "Lambda1": "0.00001",
        "Optimizer": '"Nesterov"',
        "CheckpointInterval": "10",
        "CheckpointName": '"checkpoints/gl"',
        "Results": '"gl.nc"',
        "ShuffleIndices": "false",
        "RandomSeed": "12134",
    },
    PREPARATION.what: {
        "Step": '"TfIdf"',
        "Name": '"normalise"',
        "DataSet": '"gl_input"',
        "Least": "3.5",
        "Norm": '"L1"',
        "N": "20000",
        "Users": "5",
        "Items": "5",
    },
    PREDICTION.what: {"MiniBatch": "1024", "K": "10", "Results": '"measures.csv"'},
    JOB.what: {
        "Version": "0.7",
        "Network": '"config.json"',
        "Command": '"Train"',
        "Data": '["gl_input.nc", "gl_output.nc"]',
        "RandomSeed": "12134",
        "TrainingParameters": '{ "Epochs": 60, "Alpha": 0.025, "AlphaInterval": 20, "AlphaMultiplier": 0.8 }',
        "PredictionParameters": '{ "K": 10 }',
    },
    SWEEP.what: {
        "Sweep": '"movielens"',
        "Definition": '"config.json"',
        "Data": '{ "Ratings": "ratings.txt" }',
        "Split": '{ "Protocol": "Holdout", "Fraction": 0.2, "Validation": 0.1, "Seed": 1 }',
        "TrainingParameters": '{ "Epochs": 20 }',
        "Metric": '"ndcg@100"',
        "Patience": "3",
        "Axes": '{ "Layers.Hidden.N": [128, 256], "Denoising.p": { "Uniform": [0.1, 0.7] } }',
        "Constraints": '[["Layers.Hidden1.N", ">=", "Layers.Hidden2.N"]]',
        "Method": '"TPE"',
        "Trials": "50",
        "RandomSeed": "7",
        "Seeds": '"Same"',
        "Pruning": '{ "Method": "ASHA", "First": 2, "Factor": 3 }',
    },
    SWEEP_DATA.what: {
        "Ratings": '"ratings.csv"',
        "Columns": '"user,item,rating"',
        "Second": '"Value"',
        "MinValue": "3.5",
        "Input": '["gl_input.nc"]',
        "Output": '["gl_output.nc"]',
        "ValidationInput": '["validation_input.nc"]',
        "ValidationOutput": '["validation_output.nc"]',
    },
    SWEEP_SPLIT.what: {
        "Protocol": '"Strong"',
        "Fraction": "0.2",
        "Validation": "0.1",
        "Seed": "1",
        "Fold": "0",
        "Folds": "5",
        "By": '"Users"',
        "Users": "10000",
        "MinItems": "5",
        "Windows": "6",
        "Window": "30",
    },
    PRUNING.what: {
        "Method": '"ASHA"',
        "First": "2",
        "Factor": "3",
        "Warmup": "5",
        "Interval": "1",
        "Percent": "25",
    },
    AXIS.what: {
        "Choice": '["Relu", "Tanh"]',
        "Uniform": "[0, 0.5]",
        "LogUniform": "[0.0001, 0.01]",
        "Integer": "[1, 3]",
        "When": '{ "training.Optimizer": ["Adam"] }',
        "Path": '["Layers.Input.DataSet", "Layers.Output.DataSet"]',
        "Text": '["day{}_input", "day{}_output"]',
    },
}


def example(table: Table, key: Key, value: str = "") -> str:
    """One member as it stands in a definition: `"Activation": "Relu"`; with `value` in the place of the usual one."""
    return f'"{key.name}": {value or _VALUES[table.what][key.name]}'
