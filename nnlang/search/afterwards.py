"""After the last trial: the winner and the base on the test part, beside the baselines; two trials side by side.

Nothing of the test part is read before this.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlang.codes import sweeping as codes
from nnlang.diagnostics import Stop
from nnlang.measures import Metric, metric
from nnlang.search.study import State, Study, Trial, refusal
from nnlang.search.trial import MODEL, RECORD, VALUES, folder_of

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.evaluate import Evaluation
    from nnlang.runtime.intervals import Comparison

RESULT = "test.json"
BASELINES = ("popularity", "knn", "ease")
_BESIDE = ("ndcg", "recall", "precision", "coverage")
_SHOWN = {"knn": "item-kNN", "ease": "EASE", "popularity": "popularity"}


def split_of(folder: Path, trial: Trial) -> Path | None:
    """The folder of the split that a trial was trained on; None where it had data sets of its own."""
    told = _told(folder, trial).get("split")
    return folder / told if isinstance(told, str) else None


def judged_on(folder: Path, trial: Trial) -> str:
    """What tells the validation part of a trial from those of others."""
    told = _told(folder, trial)
    return json.dumps(told.get("split") or told.get("validation"))


def _told(folder: Path, trial: Trial) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        told = json.loads((folder_of(folder, trial.number) / RECORD).read_bytes())
        if isinstance(told, dict):
            return told
    return {}


def has_test(study: Study, trial: Trial) -> bool:
    """Whether a trial's data have a test part that ranked lists can be judged on."""
    return study.metric.measure.ranked and split_of(study.folder, trial) is not None


def judge(study: Study, trials: Sequence[Trial], device: Device, baselines: Sequence[str] = BASELINES) -> Evaluation:
    """Models of trials on the test part of their split, beside baselines; raises `Stop` where a model is gone.

    All trials must have one split: what one of them learnt from may be held out from the other.
    """
    from nnlang.runtime.evaluate import judge_texts
    from nnlang.runtime.model import load
    from nnlang.runtime.splitfiles import read_split

    folders = [split_of(study.folder, trial) for trial in trials]
    for trial, folder in zip(trials, folders, strict=True):
        if folder is None or folder != folders[0]:
            reason = "has no test part" if folder is None else "has another split: it may have learnt what is judged on"
            raise _unfit(study, trial, reason)
    assert folders[0] is not None
    split = read_split(folders[0])
    models = {named(study, trial): load(model_of(study.folder, trial)) for trial in trials}
    return judge_texts(
        models,
        *split.test,
        train=split.train,
        metrics=_metrics(study.metric),
        baselines=baselines,
        about={"protocol": split.about["protocol"]},
        device=device,
    )


def _unfit(study: Study, trial: Trial, reason: str) -> Stop:
    return refusal(codes.NO_SUCH_TRIAL, study.folder, number=trial.number, reason=reason)


def model_of(folder: Path, trial: Trial) -> Path:
    """The model of a trial; raises `Stop` (NN793) where none was kept."""
    path = folder_of(folder, trial.number) / MODEL
    if not path.is_file():
        reason = "has no model any more: --keep let go of it" if trial.state is State.FINISHED else "was not finished"
        raise refusal(codes.NO_SUCH_TRIAL, folder, number=trial.number, reason=reason)
    return path


def named(study: Study, trial: Trial) -> str:
    """What a trial is called in tables."""
    best = study.best
    if trial.number == 0:
        return "base definition"
    return (
        f"winner (trial {trial.number})"
        if best is not None and best.number == trial.number
        else f"trial {trial.number}"
    )


def _metrics(judged: Metric) -> list[Metric]:
    """The sweep's own, and a few beside it at the same length of list."""
    others = [metric(f"{name}@{judged.k}") for name in _BESIDE if name != judged.measure.name]
    return [judged, *(m for m in others if isinstance(m, Metric))]


def record(study: Study, trials: Sequence[Trial], found: Evaluation) -> dict[str, Any]:
    """A judgement as `test.json` keeps it."""
    kinds = {named(study, t): {"kind": "base" if t.number == 0 else "winner", "trial": t.number} for t in trials}
    rows = []
    for one in found.rankers:
        values = {
            name: {
                "mean": _plain(one.means.get(name)),
                "low": _plain(one.intervals[name].low) if name in one.intervals else None,
                "high": _plain(one.intervals[name].high) if name in one.intervals else None,
            }
            for name in found.metrics
            if name in one.means
        }
        about = kinds.get(one.name, {"kind": "baseline"})
        rows.append({"name": _SHOWN.get(one.name, one.name), **about, "values": values})
    paired: dict[str, list[dict[str, Any]]] = {}
    for c in found.comparisons:
        paired.setdefault(c.metric, []).append(_paired(c))
    return {
        "metrics": list(found.metrics),
        "rows": rows,
        "paired": paired,
        "protocol": dict(found.about.get("protocol", {})),
        "users": found.users,
    }


def _paired(c: Comparison) -> dict[str, Any]:
    """The first against another: differences are the first's minus the other's."""
    return {
        "one": c.first,
        "other": _SHOWN.get(c.name, c.name),
        "difference": 0.0 - c.difference,
        "low": 0.0 - c.interval.high,
        "high": 0.0 - c.interval.low,
        "p": c.p,
        "wins": c.losses,
        "ties": c.ties,
        "losses": c.wins,
    }


def write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Keep a judgement in the sweep's folder."""
    from nnlang.runtime.files import atomic_text

    path = folder / RESULT
    atomic_text(path, [json.dumps(content, indent=2, allow_nan=False) + "\n"])
    return path


def values_of(study: Study, trial: Trial) -> list[float]:
    """The metric of every user of the validation part under a finished trial's model; raises `Stop` without them."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder_of(study.folder, trial.number) / VALUES).read_bytes())
        return [math.nan if value is None else float(value) for value in told["values"]]
    reason = "has no values by user: it was not finished, or its metric is no mean over users"
    raise _unfit(study, trial, reason)


def paired(study: Study, one: Trial, other: Trial) -> dict[str, Any]:
    """Two finished trials on the users of the validation part: `one` minus `other`, with interval, wins and losses."""
    import numpy as np

    from nnlang.runtime.intervals import USUAL, interval_of, resampled_means, two_sided

    values = [np.array(values_of(study, trial)) for trial in (one, other)]
    if judged_on(study.folder, one) != judged_on(study.folder, other) or len(values[0]) != len(values[1]):
        raise _unfit(study, other, f"was judged on another validation part than trial {one.number}")
    difference = values[0] - values[1]
    judged = difference[~np.isnan(difference)]
    if not len(judged):
        raise _unfit(study, other, f"has no user with something to find in common with trial {one.number}")
    means = resampled_means(judged[:, None], USUAL)[:, 0]
    interval = interval_of(means, USUAL.level)
    return {
        "one": named(study, one),
        "other": named(study, other),
        "difference": float(judged.mean()),
        "low": interval.low,
        "high": interval.high,
        "p": two_sided(means),
        "wins": int((judged > 0).sum()),
        "ties": int((judged == 0).sum()),
        "losses": int((judged < 0).sum()),
        "users": len(judged),
    }


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
