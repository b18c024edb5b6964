"""Preparation steps: what does not go with them (NN2, NN3), what undoes another or finds nothing to do (NN5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nnlang import ast
from nnlang.codes import advice as codes
from nnlang.codes import keys, names
from nnlang.diagnostics import Diagnostic
from nnlang.network import DataFacts, Preparation, Step
from nnlang.rules import fixes
from nnlang.rules.rule import Example, Rule, Subject
from nnlang.schema.preparation import STEPS, spelling

_DROPPING = frozenset(step for step, row in STEPS.items() if row.drops)
_VALUED = frozenset(step for step, row in STEPS.items() if row.leaves == "values")
_BY_FEATURE = frozenset((Step.TF_IDF, Step.Z_SCORE, Step.MIN_MAX))  # each takes a feature's values along one line


@dataclass(frozen=True)
class _Clash:
    """Steps that do not go well after others, unless one of `between` stands between the two."""

    first: frozenset[Step]
    then: frozenset[Step]
    between: frozenset[Step]
    reason: str
    remedy: str


_CLASHES = (
    _Clash(
        _VALUED,
        frozenset((Step.BINARISE,)),
        frozenset((Step.THRESHOLD, Step.BINARISE)),
        "every value becomes 1, and what it computed is lost",
        "put Binarise first, or leave one of the two out",
    ),
    _Clash(
        frozenset((Step.ROW_NORM,)),
        _DROPPING,
        frozenset((Step.ROW_NORM, Step.BINARISE)),
        "entries go from rows whose norm is 1 no longer then",
        "put RowNorm last",
    ),
    _Clash(
        _BY_FEATURE,
        frozenset((Step.Z_SCORE, Step.MIN_MAX)),
        frozenset((Step.LOG, Step.ROW_NORM, Step.THRESHOLD, Step.BINARISE)),
        "it brings every feature to one scale, whatever factor the values had before",
        "leave the earlier one out",
    ),
)


def order(subject: Subject) -> Iterator[Diagnostic]:
    """Steps in an order in which one undoes what an earlier one did, one finding a step."""
    steps = subject.network.preparation
    for place, (written, step) in enumerate(_steps(subject)):
        for clash in _CLASHES:
            earlier = _earlier(steps[:place], step, clash) if step.step in clash.then else None
            if earlier is not None:
                facts = {"step": spelling(step.step), "before": spelling(earlier.step)}
                words = {"reason": clash.reason, "remedy": clash.remedy}
                yield Diagnostic(codes.STEP_ORDER, subject.place(written.step.span), {**facts, **words})
                break


def _earlier(before: tuple[Preparation, ...], step: Preparation, clash: _Clash) -> Preparation | None:
    """The last of some steps on the same data that a step clashes with."""
    for other in reversed([s for s in before if set(s.datasets) & set(step.datasets)]):
        if other.step in clash.first:
            return other
        if other.step in clash.between:
            return None
    return None


def idle(subject: Subject) -> Iterator[Diagnostic]:
    """Steps that find nothing to do in a data set, as far as its facts say."""
    steps = subject.network.preparation
    for place, (written, step) in enumerate(_steps(subject)):
        for name in step.datasets:
            facts = subject.data.get(name)
            reason = "" if facts is None or facts.assumed else _idle(steps[:place], step, facts)
            if reason:
                where = subject.place(written.step.span)
                yield Diagnostic(
                    codes.IDLE_STEP, where, {"step": spelling(step.step), "dataset": name, "reason": reason}
                )


def _idle(before: tuple[Preparation, ...], step: Preparation, facts: DataFacts) -> str:
    """Why a step does nothing to a data set after others; empty where it may do something."""
    made = [STEPS[s.step].leaves for s in before if facts.name in s.datasets]
    last = next((leaves for leaves in reversed(made) if leaves != "as it was"), "")
    ones = last == "indicators" or (not last and facts.boolean)
    return next((reason for holds, reason in _IDLE.get(step.step, ()) if holds(step, facts, ones)), "")


_Holds = Callable[[Preparation, DataFacts, bool], bool]  # the step, the facts of the data set, whether all values are 1


def _is_ones(step: Preparation, facts: DataFacts, ones: bool) -> bool:
    return ones


def _is_low(step: Preparation, facts: DataFacts, ones: bool) -> bool:
    return ones and step.least <= 1


def _is_whole(step: Preparation, facts: DataFacts, ones: bool) -> bool:
    return step.n >= facts.units


def _is_open(step: Preparation, facts: DataFacts, ones: bool) -> bool:
    return step.users <= 0 and step.items <= 0


_ONES = (_is_ones, "every value is 1 already")
_WIDE = (_is_whole, "it has no more features than N")
_IDLE: dict[Step, tuple[tuple[_Holds, str], ...]] = {
    Step.BINARISE: (_ONES,),
    Step.THRESHOLD: ((_is_low, "every value is 1, and Least is not above it"),),
    Step.Z_SCORE: ((_is_ones, "every value is 1, and the values of each feature do not differ"),),
    Step.MIN_MAX: (_ONES,),
    Step.K_CORE: ((_is_open, "neither Users nor Items is above 0"),),
    Step.TOP_FREQUENCY: (_WIDE,),
    Step.TOP_INFORMATION: (_WIDE,),
}


def _steps(subject: Subject) -> Iterator[tuple[ast.Preparation, Preparation]]:
    return zip(subject.definition.preparation or (), subject.network.preparation, strict=True)


def _prepared(*steps: str, data: tuple[DataFacts, ...] = ()) -> Example:
    listed = ",\n    ".join(f'{{ "Step": {step} }}' for step in steps)
    return Example(f'"Preparation": [\n    {listed}\n  ]', "top", data=data)


_SIGNALS = DataFacts("gl_input", 1000, 1000, sparse=True, boolean=True, entries=5_000)
_TARGETS = DataFacts("gl_output", 1000, 1000, sparse=True, boolean=True, entries=5_000)

ROWS = (
    Rule(
        keys.STEP_KEY,
        "Each step takes its own numbers: Least goes with Threshold, Norm with RowNorm, N with the two that keep the "
        "best features, Users and Items with KCore. A number that a step does not read would look as if it had an "
        "effect. Remove it, or look at the Step: the one next to it in the list may be the one that is meant.",
        bad=_prepared('"TfIdf", "N": 500'),
        good=_prepared('"TopFrequency", "N": 500', '"TfIdf"'),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
    Rule(
        keys.STEP_NEEDS,
        "Some steps have no sensible default: how many features stay, below which value an entry is left out, how "
        "often a feature must occur, all hang on the data. `nnlang data describe` shows what a data set holds; write "
        "the number. KCore takes Users, Items or both.",
        bad=_prepared('"TopFrequency"'),
        good=_prepared('"TopFrequency", "N": 500'),
    ),
    Rule(
        names.STEP_DATA,
        "Steps act on the stored entries of the sparse data sets that Input layers read. The one named here is read by "
        "no Input layer, or it is dense, or an Output layer is compared with it as well: targets are what the network "
        "is judged by, so they are left as they are. An autoencoder that prepares its input reads it under two names, "
        "such as gl_input and gl_output, generated from the same text.",
        bad=_prepared('"TfIdf", "DataSet": "gl_output"'),
        good=_prepared('"TfIdf", "DataSet": "gl_input"'),
    ),
    Rule(
        names.DUPLICATE_STEP,
        "The name of a step is what sweeps replace it by and what messages call it, so two steps of one name cannot be "
        "told apart. Rename one of them. Steps need no name where nothing refers to them.",
        bad=_prepared('"TopFrequency", "Name": "weigh", "N": 500', '"TfIdf", "Name": "weigh"'),
        good=_prepared('"TopFrequency", "Name": "select", "N": 500', '"TfIdf", "Name": "weigh"'),
    ),
    Rule(
        codes.STEP_ORDER,
        "Steps act one after the other, each on what the one before left. Binarise makes 1 of whatever TfIdf, Log or a "
        "norm computed; RowNorm before a step that leaves entries out gives rows whose norm is below 1; ZScore and "
        "MinMax bring every feature to one scale, so a factor that it had before makes no difference. All of that "
        "runs, and is hardly meant. Select first, weigh then, normalise rows last.",
        bad=_prepared('"RowNorm"', '"TopFrequency", "N": 500'),
        good=_prepared('"TopFrequency", "N": 500', '"RowNorm"'),
        check=order,
    ),
    Rule(
        codes.IDLE_STEP,
        "The data set leaves this step nothing to do: an indicator is 1 for every stored entry, so there is nothing to "
        "binarise and no range to scale, and a data set has no more features than its width. The step costs little, "
        "but somebody thinks that the data hold something else. Look at them with nnlang data describe; values are "
        "kept where `nnlang generate` is given -t analog.",
        bad=_prepared('"Binarise"', data=(_SIGNALS, _TARGETS)),
        good=_prepared('"TfIdf"', data=(_SIGNALS, _TARGETS)),
        check=idle,
        needs="data",
    ),
)
