"""NN2: keys and values. What a definition or a job may say, word by word."""

from __future__ import annotations

from nnlang.diagnostics import Code

UNKNOWN_KEY = Code(
    "NN201", "unknown-key", "unknown key `{key}` in {what}", "not known here", "`nnlang explain` lists the keys"
)
KEY_NOT_HERE = Code(
    "NN202",
    "key-not-here",
    "`{key}` does not go with {kind} layers",
    "not for this layer",
    "remove it; it goes with {kinds} layers",
)
KEY_ELSEWHERE = Code("NN203", "key-elsewhere", "`{key}` does not stand in {what}", "misplaced", "it belongs in {where}")
DUPLICATE_KEY = Code(
    "NN204",
    "duplicate-key",
    "`{key}` is written twice",
    "the same key as at {first}",
    "remove one of them; letter case makes no difference",
)
UNSUPPORTED_KEY = Code("NN205", "unsupported-key", "`{key}` is not supported in {what}", "", "{reason}")
MISSING_KEY = Code("NN206", "missing-key", "`{key}` is missing in {what}", "in here", "write `{key}`: {expected}")
NOT_AN_OBJECT = Code(
    "NN207", "not-an-object", "{what} is an object, found {found}", "expected `{{`", "write `{{ ... }}`"
)
CONTRADICTION = Code(
    "NN208",
    "contradiction",
    "`Kind` says {kind} and `Type` says {type}",
    "not a layer of this Type",
    'write "Kind": "Hidden", and the Type that is meant',
)

WRONG_TYPE = Code("NN210", "wrong-type", "`{key}` takes {expected}, found {found}", "found {found}", "write {expected}")
OUT_OF_RANGE = Code("NN211", "out-of-range", "`{key}` is {value}, out of range", "", "write {expected}")
NOT_AN_INTEGER = Code("NN212", "not-an-integer", "`{key}` is {value}, not an integer", "", "write {expected}")
UNKNOWN_VALUE = Code("NN213", "unknown-value", "`{value}` is no {what}", "not known", "write one of {options}")
UNSUPPORTED_VALUE = Code("NN214", "unsupported-value", "the {what} `{value}` is not supported", "", "{reason}")
EMPTY_TEXT = Code("NN215", "empty-value", "`{key}` is empty", "", "write {expected}")
TOO_LONG = Code(
    "NN216", "name-too-long", "`{key}` has {length} characters, at most {limit} are allowed", "", "shorten it"
)
CONTROL_CHARACTER = Code("NN217", "control-in-text", "`{key}` holds the control character {character}", "", "remove it")
TOO_MANY = Code(
    "NN218", "too-many-values", "`{key}` has {count} values, at most {limit} are allowed", "", "leave some out"
)
NO_VALUES = Code("NN219", "no-values", "`{key}` is an empty list", "", "write {expected}, or leave the key out")
TOO_MANY_LAYERS = Code(
    "NN220",
    "too-many-layers",
    "the definition has {count} layers, at most {limit} are allowed",
    "",
    "a definition this large is better generated in parts; or raise the limit",
)
NO_LAYERS = Code(
    "NN221", "no-layers", "the definition has no layers", "", "write at least an Input and an Output layer"
)
STEP_KEY = Code(
    "NN222",
    "key-of-another-step",
    "`{key}` does not go with the step {step}",
    "not for this step",
    "remove it; it goes with {steps}",
)
STEP_NEEDS = Code("NN223", "step-lacks-a-number", "the step {step} needs {keys}", "in here", "write {keys}: {expected}")
