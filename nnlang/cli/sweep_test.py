"""What the commands on sweeps say of the test part, and of two trials side by side."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from nnlang.cli import options
from nnlang.cli import show as screen
from nnlang.diagnostics import render
from nnlang.search.study import Study, Trial


def judged(
    study: Study,
    trials: Sequence[Trial],
    device: str | None,
    as_json: bool,
    *,
    keep: bool,
    baselines: Sequence[str] | None = None,
) -> None:
    """Judge trials on the test part and print it; `keep` writes it to the sweep's test.json, for the report."""
    from nnlang.search import afterwards

    place = options.device(device, command="sweep")
    chosen = afterwards.BASELINES if baselines is None else tuple(baselines)
    found = afterwards.judge(study, list(trials), place, chosen)
    screen.findings({render([notice]): notice for notice in found.notices}.values())  # one for all trials
    content = afterwards.record(study, list(trials), found)
    if as_json:
        screen.record({"event": "test", **content})
    else:
        tell(content)
    if keep:
        afterwards.write(study.folder, content)


def tell(content: Mapping[str, Any]) -> None:
    """Print a judgement: a row a model or baseline, then the paired comparisons with the first."""
    names = content["metrics"]
    rows = [(row["name"], *(_cell(row["values"].get(name)) for name in names)) for row in content["rows"]]
    protocol = content["protocol"]
    words = ", ".join(f"{key} {value}" for key, value in protocol.items() if key in ("protocol", "seed", "fold"))
    screen.say()
    screen.table(f"test part ({words}): {content['users']:,} users, 95% intervals", ("", *names), rows)
    for name in names[:1]:
        for pair in content["paired"].get(name, ()):
            screen.say("  " + difference(name, pair))


def _cell(value: Mapping[str, Any] | None) -> str:
    if value is None or value["mean"] is None:
        return "-"
    if value["low"] is None:
        return f"{value['mean']:.4f}"
    return f"{value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"


def difference(metric: str, pair: Mapping[str, Any]) -> str:
    """One paired comparison in a sentence."""
    apart = pair["low"] > 0 or pair["high"] < 0
    words = "" if apart else ": they cannot be told apart"
    interval = f"{pair['difference']:+.4f} [{pair['low']:+.4f}, {pair['high']:+.4f}]"
    return (
        f"{pair['one']} - {pair['other']}: {metric} {interval}, "
        f"better for {pair['wins']:,} users, worse for {pair['losses']:,}{words}"
    )


def compared(study: Study, trials: Sequence[Trial], as_json: bool) -> None:
    """Two trials on the users of the validation part, pair by pair."""
    from nnlang.search import afterwards

    pair = afterwards.paired(study, trials[0], trials[1])
    if as_json:
        screen.record({"event": "comparison", "metric": str(study.metric), "part": "validation", **pair})
        return
    rows = [("base" if not t.number else f"trial {t.number}", t.value, t.best_epoch) for t in trials]
    screen.table(f"validation part, {pair['users']:,} users", ("", str(study.metric), "at epoch"), rows)
    screen.say("  " + difference(str(study.metric), pair))
    numbers = " ".join(str(t.number) for t in trials)
    screen.say(f"\nTrials were chosen on this part; judge them on the other with:\n  nnlang sweep compare "
               f"{shlex.quote(str(study.folder))} {numbers} --test")  # fmt: skip
