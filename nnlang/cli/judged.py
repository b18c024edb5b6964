"""An evaluation as people read it: means side by side, intervals, comparisons with the first ranker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nnlang.cli import show

if TYPE_CHECKING:
    from nnlang.runtime.intervals import Comparison, Interval
    from nnlang.runtime.judging import Evaluation


def report(result: Evaluation, *, as_json: bool) -> None:
    """Print an evaluation: tables for people, one object for machines."""
    if as_json:
        show.record(result.record())
        return
    show.table(_title(result), *_means(result))
    if result.resampling is None or not result.rankers[0].intervals:
        return
    plan = result.resampling
    level = f"{plan.level:.0%}"
    show.table(f"\n{level} intervals ({plan.resamples:,} resamples of users, seed {plan.seed})", *_intervals(result))
    if result.comparisons:
        first = result.comparisons[0].first
        head = ("", "", "difference", f"{level} interval", "p", "users better", "equal", "worse")
        show.table(f"\nbeside {first}, user by user", head, map(_compared, result.comparisons))


def _title(result: Evaluation) -> str:
    lines = [f"{result.users:,} users judged, {result.features:,} features"]
    if protocol := result.about.get("protocol"):
        lines.append(f"protocol {protocol_text(protocol)}")
    digests = [(name, result.about[name]["sha256"]) for name in ("known", "held", "train") if name in result.about]
    if digests:
        lines.append(", ".join(f"{name} sha256 {digest[:12]}" for name, digest in digests))
    return "\n".join(lines)


def protocol_text(record: Mapping[str, Any]) -> str:
    """A protocol's record in one line: `holdout, fraction 0.2, seed 1`."""
    numbers = [f"{name.replace('_', ' ')} {value}" for name, value in record.items() if name != "protocol"]
    return ", ".join((str(record.get("protocol", "holdout")), *numbers))


def _means(result: Evaluation) -> tuple[list[str], list[list[object]]]:
    names = [one.name for one in result.rankers]
    rows: list[list[object]] = [[name, *(one.means[name] for one in result.rankers)] for name in result.metrics]
    heads = ["", *names]
    if len(names) == 2:
        heads.append(" / ".join(names))
        for row, name in zip(rows, result.metrics, strict=True):
            ours, theirs = (one.means[name] for one in result.rankers)
            row.append("" if name.startswith("coverage") else f"{ours / theirs:.2f} x" if theirs else "-")
    return heads, rows


def _intervals(result: Evaluation) -> tuple[list[str], list[list[object]]]:
    names = [name for name in result.metrics if name in result.rankers[0].intervals]
    rows: list[list[object]] = [[name, *(_text(one.intervals[name]) for one in result.rankers)] for name in names]
    return ["", *(one.name for one in result.rankers)], rows


def _text(interval: Interval, sign: str = "") -> str:
    return f"{interval.low:{sign}.4f} .. {interval.high:{sign}.4f}"


def _compared(one: Comparison) -> tuple[object, ...]:
    difference, p = f"{one.difference:+.4f}", f"{one.p:.3f}" if one.p >= 0.001 else "< 0.001"
    return one.metric, one.name, difference, _text(one.interval, "+"), p, one.wins, one.ties, one.losses
