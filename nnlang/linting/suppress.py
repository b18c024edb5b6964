"""Inline suppressions: `// nnlang: ignore[NN502] reason` for its line or the next, `ignore-file[...]` for the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nnlang.codes import advice as codes
from nnlang.codes import catalogue
from nnlang.diagnostics import Diagnostic, at
from nnlang.directives import directives
from nnlang.source import Source, Span
from nnlang.suggest import SUGGESTIONS, closest
from nnlang.syntax import Comment

_CODE = re.compile(r"NN\d{1,3}")


@dataclass(frozen=True)
class _Ignore:
    """One code of one directive; `line` is None where it counts for the whole text."""

    code: str
    line: int | None
    span: Span


def suppressed(
    source: Source, comments: Sequence[Comment], found: list[Diagnostic], looked_for: Callable[[str], bool]
) -> list[Diagnostic]:
    """The findings that no comment suppresses, and findings about comments that suppress nothing.

    looked_for: whether everything that a code, or the beginning of one, stands for would have been found, were it
    there. Findings of the syntax (NN1) are never suppressed: where there is one, what the text means is not known.
    """
    ignores: list[_Ignore] = []
    faults = list(_read(source, comments, ignores))
    if not ignores:
        return found + faults
    named: dict[tuple[str, int | None], list[_Ignore]] = {}
    for ignore in ignores:
        named.setdefault((ignore.code, ignore.line), []).append(ignore)
    used = {ignore for d in found for key in _keys(d) for ignore in named.get(key, ())}
    left = [d for d in found if not any(key in named for key in _keys(d))]
    idle = (i for i in ignores if i not in used and looked_for(i.code))
    return [*left, *faults, *(Diagnostic(codes.UNUSED_IGNORE, at(source, i.span), {"code": i.code}) for i in idle)]


def _keys(d: Diagnostic) -> list[tuple[str, int | None]]:
    """What an ignore may name to suppress a finding: a prefix of its code, with its line or for the whole text."""
    code = d.code.code
    if code.startswith("NN1") or d.place is None:
        return []
    lines: list[int | None] = [None]
    if d.place.source is not None and d.place.span is not None:
        lines.append(d.place.source.position(d.place.span.start)[0])
    return [(code[:length], line) for length in range(3, len(code) + 1) for line in lines]


def _read(source: Source, comments: Iterable[Comment], ignores: list[_Ignore]) -> Iterator[Diagnostic]:
    """Gathers what the comments suppress; what is wrong with them."""
    hints = iter(range(SUGGESTIONS))
    for directive in directives(source, list(comments)):
        if not directive.words:
            yield _fault(source, directive.span, "it names no code", "write ignore[NN502], then the reason")
        for word, span in directive.words:
            if word.startswith("NN1") and _CODE.fullmatch(word):
                reason, remedy = "findings of the syntax cannot be suppressed", "mend the text"
                yield _fault(source, span, reason, remedy)
            elif not _CODE.fullmatch(word) or not any(code.startswith(word) for code in catalogue()):
                near = closest(word, catalogue()) if next(hints, None) is not None else None
                remedy = f"did you mean {near}?" if near else "`nnlang explain` lists the codes"
                yield _fault(source, span, f"there is no code {word}", remedy)
            else:
                ignores.append(_Ignore(word, directive.line, span))


def _fault(source: Source, span: Span, reason: str, remedy: str) -> Diagnostic:
    return Diagnostic(codes.BAD_IGNORE, at(source, span), {"reason": reason, "remedy": remedy})
