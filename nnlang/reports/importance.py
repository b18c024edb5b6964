"""Which settings matter: how much each axis has to do with reaching the best values, by PED-ANOVA of Optuna."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnlang.reports.columns import Column
from nnlang.reports.plots import BLUE, Plot, axis, frame, label, nothing, numbers
from nnlang.search.study import State, Study, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST = 10  # trials below which a share would be an accident
_ABOVE = 5  # trials above the quantile that the method wants at least
_FEW = 8  # so many different numbers are choices


def importance(study: Study, columns: Sequence[Column]) -> Plot:
    """A bar an axis, or the reason why none can be drawn."""
    title = "Which settings decide over the best values"
    judged = _counted(study)
    varied = [one for one in columns if len({one.places[t.number] for t in judged if t.number in one.places}) > 1]
    reason = _unsayable(study, judged, varied)
    if reason:
        return nothing("importance", title, reason)
    shares = _shares(study, judged, varied)
    if shares is None:
        return nothing("importance", title, "Optuna is not installed: pip install 'nnlang[sweep]' brings it.")
    if not any(shares.values()):
        return nothing("importance", title, "No setting sets the best trials apart from the rest.")
    order = sorted(shares, key=lambda name: (shares[name], name))
    stopped = sum(trial.state is State.PRUNED for trial in judged)
    early = f", {stopped:,} of them stopped early and counted by what they had reached" if stopped else ""
    return Plot(
        "importance",
        title,
        f"Share of each setting in telling the best {_quantile(judged):.0%} from the rest (PED-ANOVA, Watanabe et al. "
        f"2023), over {len(judged):,} trials{early}. From few trials it is a hint only.",
        "Most first: " + ", ".join(f"{name} {shares[name]:.0%}" for name in reversed(order)) + ".",
        (
            {
                "type": "bar",
                "orientation": "h",
                "x": numbers(shares[name] for name in order),
                "y": [label(name, 40) for name in order],
                "marker": {"color": BLUE},
                "text": [f"{shares[name]:.0%}" for name in order],
                "textposition": "auto",
                "hoverinfo": "skip",
            },
        ),
        frame(axis("importance", range=[0, 1], tickformat=".0%"), axis("", type="category"), bargap=0.35),
        height=120 + 34 * len(order),
    )


def _counted(study: Study) -> list[Trial]:
    return [
        trial
        for trial in study.trials
        if trial.params and trial.state in (State.FINISHED, State.PRUNED) and _finite(trial.value)
    ]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _unsayable(study: Study, judged: Sequence[Trial], varied: Sequence[Column]) -> str:
    if len(varied) < 2:
        return "It takes two settings at least that differ between trials."
    if len(judged) < LEAST:
        return f"It takes {LEAST} finished or stopped trials at least; there are {len(judged)}."
    if len({trial.value for trial in judged}) < 2:
        return f"All trials have the same {study.metric}."
    return ""


def _quantile(judged: Sequence[Trial]) -> float:
    return min(max(0.1, _ABOVE / len(judged)), 0.5)


def _shares(study: Study, judged: Sequence[Trial], varied: Sequence[Column]) -> dict[str, float] | None:
    """The importances, summing to 1; None where Optuna is not installed."""
    try:
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    except ModuleNotFoundError:
        return None
    kinds = {one.name: _distribution(one, judged) for one in varied}
    up = study.metric.measure.more_is_better
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        ours = optuna.create_study(direction="maximize" if up else "minimize")
        for trial in judged:
            active = [one for one in varied if trial.number in one.places]
            ours.add_trial(
                optuna.trial.create_trial(
                    value=trial.value,
                    params={one.name: _value(one, trial) for one in active},
                    distributions={one.name: kinds[one.name] for one in active},
                )
            )
        evaluator = PedAnovaImportanceEvaluator(target_quantile=_quantile(judged))
        return dict(get_param_importances(ours, evaluator=evaluator))
    finally:
        optuna.logging.set_verbosity(level)


def _distribution(one: Column, judged: Sequence[Trial]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found = sorted({one.places[t.number] for t in judged if t.number in one.places})
    if one.labels or len(found) <= _FEW:
        return CategoricalDistribution(found)
    return FloatDistribution(found[0], found[-1], log=one.logarithmic)


def _value(one: Column, trial: Trial) -> float:
    return one.places[trial.number]
