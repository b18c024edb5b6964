"""What a model can be judged by, as a table: names, which way is better, words; numbers come from nnlang.runtime."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

DEFAULT_K = 10
MOST_K = 10_000
_FORM = re.compile(r"([a-z_]+)(?:@([1-9][0-9]{0,4}))?", re.IGNORECASE)


@dataclass(frozen=True)
class Measure:
    """One row: its name, its words, whether it judges ranked lists (at k) or units, whether more is better."""

    name: str
    words: str
    ranked: bool = True
    more_is_better: bool = True
    at_k: bool = True


MEASURES = {
    row.name: row
    for row in (
        Measure("precision", "share of the k recommended items that were held out"),
        Measure("recall", "share of the held-out items that are among the k recommended"),
        Measure("recall_min", "the same over at most k held-out items, as the Mult-VAE paper counts it"),
        Measure("ndcg", "gain by place, 1 / log2(rank + 1), over that of the best list of k"),
        Measure("map", "mean over the hits of the precision at their place, over at most k held-out items"),
        Measure("mrr", "1 / rank of the first hit"),
        Measure("hit", "1 where any of the k was held out"),
        Measure("coverage", "share of all items that appear in any list of k"),
        Measure("novelty", "mean of -log2 of the share of training users who have the recommended item"),
        Measure("error", "what training makes small, mean over examples", False, False, False),
        Measure("accuracy", "share of examples whose class, or units whose side of 0.5, is right", False, True, False),
        Measure("auc", "chance that a unit which is on scores above one which is off", False, True, False),
        Measure("rmse", "root of the mean squared difference over units", False, False, False),
    )
}


@dataclass(frozen=True)
class Metric:
    """One number to judge by: a measure, and for ranked lists their length k."""

    measure: Measure
    k: int | None = None

    def __str__(self) -> str:
        return self.measure.name if self.k is None else f"{self.measure.name}@{self.k}"

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`; what is not a number is worse than everything."""
        if math.isnan(one):
            return False
        if math.isnan(other):
            return True
        return one > other if self.measure.more_is_better else one < other


def metric(text: str) -> Metric | str:
    """The metric that a text such as `ndcg@100` or `rmse` names (k is 10 unless said), or why it names none."""
    match = _FORM.fullmatch(text.strip())
    measure = MEASURES.get(text.strip().partition("@")[0].lower())
    if measure is not None and not measure.at_k and "@" in text:
        return f"`{measure.name}` is not counted at a length of list"
    if measure is not None and match is None:
        return f"lists are from 1 to {MOST_K:,} long, as in `{measure.name}@100`"
    if match is None or measure is None:
        return "it takes a measure such as ndcg@100; they are " + ", ".join(MEASURES)
    if not measure.at_k:
        return Metric(measure)
    k = int(match[2]) if match[2] else DEFAULT_K
    return Metric(measure, k) if k <= MOST_K else f"lists are from 1 to {MOST_K:,} long"
