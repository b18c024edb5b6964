"""The defaults that help tells are those of a training."""

from __future__ import annotations

import re

from nnlang.cli import options
from nnlang.network import Training
from nnlang.settings import text

TOLD = {
    "alpha": options.Alpha, "lambda_": options.Lambda, "lambda1": options.Lambda1, "mu": options.Mu, "mu1": options.Mu1,
    "batch": options.Batch, "epochs": options.Epochs, "optimizer": options.Optimizer, "seed": options.Seed,
    "checkpoint_interval": options.CheckpointInterval,
}  # fmt: skip


def test_help_tells_the_defaults() -> None:
    for name, annotated in TOLD.items():
        told = re.search(r"\[(.*)\]", annotated.__metadata__[0].help)
        assert told is not None and told[1] == text(getattr(Training(), name)), name
