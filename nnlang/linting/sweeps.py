"""The combinations of a sweep under lint: every value of every axis at least once, and what the base does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from nnlang.codes import sweeps as codes
from nnlang.diagnostics import Diagnostic, Place, at
from nnlang.source import Source
from nnlang.sweeps.axes import shown
from nnlang.sweeps.covering import covering
from nnlang.sweeps.layout import definition_text
from nnlang.sweeps.space import Json, Params
from nnlang.sweeps.sweepfile import Sweep, setting

Look = Callable[[Source], Sequence[Diagnostic]]


def combined(sweep: Sweep, look: Look, *, more: int = 0) -> Iterator[Diagnostic]:
    """What `look` finds in combinations and not in the base, once for each place: errors and warnings, no notes.

    Every value of every axis stands in one of the combinations; `more` is how many are drawn beside them. Of the base
    is told what its own file has not, were it a definition without the sweep's TrainingParameters.
    """
    base = _found(sweep, {}, look)
    of_file = {d.code.code for d in _looked(sweep.alone, look)} if sweep.alone is not None else set()
    for d in base:
        if d.code.code not in of_file:
            yield _finding(d, at(sweep.source, sweep.spot), "the base")
    known = {d.code.code for d in base}
    told: set[tuple[str, Place | None]] = set()
    rows = list(covering(sweep.space, sweep.seed))
    if not any(params is not None for params, _, _ in rows):
        first = sweep.found[0]
        reason = "no combination was found that fulfils the constraints"
        yield Diagnostic(codes.NOTHING_LEFT, at(first.source, first.span), {"reason": reason})
        return
    for params, axis, value in rows:
        if params is None:
            place = _place(sweep, axis.name, value)
            yield Diagnostic(codes.NEVER_TRIED, place, {"axis": axis.name, "value": shown(value)})
            continue
        yield from _told(sweep, params, known, told, look)
    random = Random(sweep.seed)
    for _ in range(more):
        yield from _told(sweep, sweep.space.draw(random), known, told, look)


def _told(
    sweep: Sweep, params: Params, known: set[str], told: set[tuple[str, Place | None]], look: Look
) -> Iterator[Diagnostic]:
    """The findings of one combination that were not told yet, each with the part of it that they need."""
    for d in _found(sweep, params, look):
        if d.code.code in known:
            continue
        part = _needed(sweep, params, d.code.code, look)
        place = _place(sweep, *list(part.items())[-1])
        if (d.code.code, place) in told:
            continue
        told.add((d.code.code, place))
        yield _finding(d, place, combination(part))


def _finding(d: Diagnostic, place: Place, words: str) -> Diagnostic:
    """What was found in a combination, told of the sweep."""
    facts = {"code": d.code.code, "message": d.message, "combination": words, "remedy": d.remedy}
    return Diagnostic(codes.COMBINATION if d.code.severity == "error" else codes.COMBINATION_ADVICE, place, facts)


def _found(sweep: Sweep, params: Params, look: Look) -> list[Diagnostic]:
    return _looked(setting(sweep, params).definition, look)


def _looked(definition: Json, look: Look) -> list[Diagnostic]:
    return [d for d in look(Source("<combination>", definition_text(definition))) if d.code.severity != "note"]


def _needed(sweep: Sweep, params: Params, code: str, look: Look) -> Params:
    """What of a combination a finding needs: values of which none may go; many at once are left out first."""
    kept, size = params, max(1, len(params) // 4)
    while size:
        names = list(kept)
        for first in range(0, len(names), size):
            rest = {n: v for n, v in kept.items() if n not in names[first : first + size]}
            if any(d.code.code == code for d in _found(sweep, rest, look)):
                kept = rest
        size //= 2
    return kept or params


def _place(sweep: Sweep, name: str, value: object) -> Place:
    one = next(one for one in sweep.found if one.axis.name == name)
    return at(one.source, one.place(value))


def combination(params: Params) -> str:
    """A combination on one line."""
    return ", ".join(f"{name} {shown(value)}" for name, value in params.items())
