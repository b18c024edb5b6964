"""The baseline of `nnlang lint`: read, held against what is found, written anew."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nnlang.cli.lint_options import Chosen
from nnlang.cli.lint_report import Results, Told
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, Stop, stop
from nnlang.linting.baseline import Baseline, Sought, empty_baseline, read_baseline, sift, text_of, updated
from nnlang.linting.check import Finding
from nnlang.linting.settings import Settings
from nnlang.rules import RULES
from nnlang.syntax import Limits, read_source

_LARGEST_BASELINE = 64_000_000  # bytes
_UNSOUND = ("NN1", "NN2", "NN3", "NN4")  # errors of these families keep those of later ones from being looked for


def known_before(chosen: Chosen) -> Baseline | None:
    """What is known; nothing yet where the baseline is to be written for the first time."""
    path = chosen.baseline
    if path is None:
        return None
    if not os.path.lexists(path):
        if chosen.flags.update_baseline:
            return empty_baseline(path)
        named = " ".join(map(str, chosen.flags.paths))
        raise stop(codes.NO_BASELINE, Place(path), path=path, paths=named)
    try:
        source = read_source(path, Limits(size=_LARGEST_BASELINE))
    except Stop as error:
        reason = "; ".join(d.message for d in error.diagnostics)
        raise stop(codes.BAD_BASELINE, Place(path), path=path, reason=reason) from None
    return read_baseline(source)


def sifted(told: Told, known: Baseline | None, chosen: Chosen, facts: Mapping[str, bool]) -> Told:
    """What is to be told once what is known is left out; the baseline written where that is asked for.

    facts: which of the facts are at hand that rules may need (`Rule.needs`).
    """
    if known is None:
        return told
    sought = _sought(told.results, chosen.settings, facts)
    if not chosen.flags.update_baseline:
        left = sift(known, told.results, sought)
        names = [name for name, _ in told.results]
        return replace(told, results=list(zip(names, left.new, strict=True)), known=left.known, stale=left.stale)
    from nnlang.runtime.files import atomic_text

    now = updated(known, told.results, sought)
    atomic_text(str(chosen.baseline), [text_of(now)])
    nothing: list[tuple[str, list[Finding]]] = [(name, []) for name, _ in told.results]
    return replace(told, results=nothing, known=sum(now.known.values()), recorded=True)


def _sought(results: Results, settings: Settings, facts: Mapping[str, bool]) -> Sought:
    """Which findings this run looks for: those of rules that are on, have their facts, and were come to."""
    last = {name: min(families) for name, found in results if (families := _unsound(found))}

    def sought(name: str, code: str) -> bool:
        rule = RULES.get(code)
        given = rule is None or not rule.needs or facts.get(rule.needs, False)
        wanted = settings.takes(code) and not code.startswith(settings.ignored_in(name))
        return given and wanted and code[:3] <= last.get(name, code)

    return sought


def _unsound(found: Sequence[Finding]) -> list[str]:
    """The families of the errors that keep a definition from having a meaning."""
    found_codes = [f.diagnostic.code.code for f in found]
    return [c[:3] for c in found_codes if c.startswith(_UNSOUND) and c in RULES and RULES[c].code.severity == "error"]
