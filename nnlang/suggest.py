"""The nearest word: what "did you mean" offers."""

from __future__ import annotations

from collections.abc import Iterable

SUGGESTIONS = 50  # that one phase offers for one text: each looks at every candidate


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that one typed when `word` came out, in any letter case; None where nothing is near enough.

    Near is an edit distance (insert, delete, replace, swap neighbours) of at most a third of the word, at least one.
    """
    low = word.lower()
    most = max(1, len(low) // 3)
    best: tuple[int, int, int, str] | None = None
    for order, candidate in enumerate(dict.fromkeys(candidates)):
        other = candidate.lower()
        if abs(len(other) - len(low)) > most or len(word) > 128:
            continue
        steps = distance(low, other)
        # Of equally near words the one with the same ends wins: people rarely mistype the first letter.
        rank = (steps, -_same_start(low, other), order, candidate)
        if steps <= most and (best is None or rank < best):
            best = rank
    return best[3] if best else None


def nearest(word: str, candidates: Iterable[str], strange: Iterable[str] = ()) -> dict[str, object]:
    """The facts for a finding: `help` asks did you mean, `near` is the word, `sure` whether no other can be meant.

    Sure is a word of four letters or more that is one slip away where no second candidate is, and none of the `strange`
    words, which may be meant though they are not to be had. Empty without a near one.
    """
    known = tuple(dict.fromkeys(candidates))
    near = closest(word, known)
    if near is None:
        return {}
    others = (c.lower() for c in (*known, *strange) if c != near and abs(len(c) - len(word)) <= 1)
    sure = len(word) >= 4 and _is_slip(word, near) and not any(distance(word.lower(), c) <= 1 for c in others)
    return {"help": f"did you mean `{near}`?", "near": near, "sure": sure}


def _is_slip(word: str, meant: str) -> bool:
    return distance(word.lower(), meant.lower()) <= 1


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """The sentence for a finding's help, or None."""
    near = closest(word, candidates)
    return f"did you mean `{near}`?" if near else None


def distance(a: str, b: str) -> int:
    """Edits that make `b` of `a`: insert, delete, replace a letter, swap two neighbours (optimal string alignment)."""
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], before[j - 2] + 1)
        before, previous = previous, row
    return previous[-1]


def _same_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
