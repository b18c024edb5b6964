"""How the settings of a training come together: defaults, then the definition's TrainingParameters, then the given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from nnlang import schema
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop
from nnlang.network import Training
from nnlang.schema import Choice, Number, expects
from nnlang.suggest import did_you_mean


def settle(
    stated: Mapping[str, Any],
    given: Mapping[str, Any],
    defaults: Training | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[Training, list[str]]:
    """The settings of a run, and a line for each given one that overrides what the definition states.

    The mappings go by the field names of Training; what is None was not given. `names` are what the given ones are
    called where they come from (`--alpha`), their field names unless said. Raises `Stop` for a value that the language
    would refuse as well (the ranges of schema.TRAINING).
    """
    names = names or {}
    checked = {name: _checked(name, value, names) for name, value in given.items() if value is not None}
    lines = [
        f"{name.rstrip('_')} {text(value)} from {names.get(name, name)} overrides the definition's {text(stated[name])}"
        for name, value in checked.items()
        if name in stated and stated[name] != value
    ]
    return replace(defaults or Training(), **{**stated, **checked}), lines


def _checked(name: str, value: object, names: Mapping[str, str]) -> object:
    """The value of a setting, after the rules that the same key of a definition has."""
    key = next((key for key in schema.TRAINING.keys if key.field == name), None)
    if key is None:
        fields = [k.field for k in schema.TRAINING.keys if k.field]
        raise _refused(name, value, "there is no such setting", did_you_mean(name, fields))
    match key.type:
        case Choice() as choice if isinstance(value, str):
            option = choice.find(value)
            if option is not None and not option.reason:
                return option.value
            near = did_you_mean(value, choice.spellings())
            raise _refused(names.get(name, name), value, f"it takes {expects(choice)}", near)
        case Number() as number if isinstance(value, int | float) and not number.holds(value):
            raise _refused(names.get(name, name), value, f"it takes {expects(number)}")
    return value


def _refused(option: str, value: object, reason: str, help: str | None = None) -> Exception:
    return stop(codes.BAD_VALUE, option=option, value=value, reason=reason, command="train", help=help)


def spelled(optimizer: object) -> str:
    """The language's word for an optimiser."""
    return next(o.spelling for o in schema.OPTIMIZER.options if o.value is optimizer)


def text(value: object) -> str:
    """The value of a setting as one writes it on the command line."""
    if isinstance(value, Enum):
        return spelled(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
