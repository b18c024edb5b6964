"""Steps of `Preparation` as JSON Schema: which keys go with which step, and which of them it cannot do without."""

from __future__ import annotations

from nnlang.network import Step
from nnlang.schema.choices import STEP
from nnlang.schema.preparation import OWN, PREPARATION, STEPS, keys, takers
from nnlang.schema.types import Option
from nnlang.schema.value_schema import Json, has, in_any_case

_STEP_KEY = next(key for key in PREPARATION.keys if key.type is STEP)


def conditions() -> list[Json]:
    """What an object of the table must meet beside its keys, one condition a step."""
    return [_condition(option) for option in STEP.options if isinstance(option.value, Step)]


def _condition(option: Option) -> Json:
    assert isinstance(option.value, Step)
    row = STEPS[option.value]
    says = {"patternProperties": {in_any_case(_STEP_KEY.spellings): {"pattern": in_any_case(option.spellings)}}}
    others = keys(tuple(OWN.difference(row.takes)))
    wanted: list[Json] = [
        {"not": has(key.spellings), "errorMessage": f"{key.name} goes with the step {takers(key.field)}."}
        for key in others
    ]
    if row.needs:
        needed = keys(row.needs)
        words = f"The step {option.spelling} needs {' or '.join(key.name for key in needed)}."
        wanted.append({"anyOf": [has(key.spellings) for key in needed], "errorMessage": words})
    return {"if": {**has(_STEP_KEY.spellings), **says}, "then": {"allOf": wanted}}
