"""The keys of one step of `Preparation`, and which step takes which of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nnlang.network import Step
from nnlang.schema.choices import NORM, STEP
from nnlang.schema.types import INT_MAX, Key, Number, Table, Text

_COUNT = Number(0, INT_MAX, integer=True)

PREPARATION = Table(
    "`Preparation`",
    (
        Key("Step", "step", STEP, "What is done to the stored entries of the data set.", required=True),
        Key("Name", "name", Text("the name of a step"), "What messages and sweeps call the step."),
        Key(
            "DataSet",
            "dataset",
            Text("the name of a data set"),
            "The data set that it acts on: a sparse one of an Input layer. Without it, all of them.",
        ),
        Key("Least", "least", Number(), "Of Threshold: the smallest value that stays."),
        Key("Norm", "norm", NORM, "Of RowNorm: what is 1 for each row afterwards.", "L2"),
        Key("N", "n", Number(1, INT_MAX, integer=True), "Of TopFrequency and TopInformation: features that stay."),
        Key("Users", "users", _COUNT, "Of KCore: examples that a feature needs to stay.", 0),
        Key("Items", "items", _COUNT, "Of KCore: features that an example needs to be trained on.", 0),
    ),
)


@dataclass(frozen=True)
class StepRow:
    """What one step takes and does: fields that go with it, those of which one has to be written, what it leaves."""

    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    leaves: Literal["indicators", "values", "as it was"] = "as it was"  # in the data set
    drops: bool = False  # whether entries may go


STEPS: Mapping[Step, StepRow] = {
    Step.BINARISE: StepRow(leaves="indicators"),
    Step.THRESHOLD: StepRow(("least",), ("least",), drops=True),
    Step.LOG: StepRow(leaves="values"),
    Step.TF_IDF: StepRow(leaves="values"),
    Step.ROW_NORM: StepRow(("norm",), leaves="values"),
    Step.Z_SCORE: StepRow(leaves="values"),
    Step.MIN_MAX: StepRow(leaves="values"),
    Step.TOP_FREQUENCY: StepRow(("n",), ("n",), drops=True),
    Step.TOP_INFORMATION: StepRow(("n",), ("n",), drops=True),
    Step.K_CORE: StepRow(("users", "items"), ("users", "items"), drops=True),
}

ANY_STEP = ("step", "name", "dataset")  # fields that go with every step
OWN = frozenset(field for row in STEPS.values() for field in row.takes)  # fields that go with some steps alone


def keys(fields: tuple[str, ...]) -> tuple[Key, ...]:
    """The keys of some fields of a step."""
    return tuple(key for key in PREPARATION.keys if key.field in fields)


def takers(field: str) -> str:
    """The steps that a key goes with, in words; only for fields in OWN."""
    return " and ".join(o.spelling for o in STEP.options if isinstance(o.value, Step) and field in STEPS[o.value].takes)


def spelling(step: Step) -> str:
    """How a step is written."""
    return next(option.spelling for option in STEP.options if option.value is step)
