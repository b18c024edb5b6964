"""Inline suppressions: `// nnlang: ignore[NN502] reason` for its line or the next, `ignore-file[...]` for the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnlang.codes import advice as codes
from nnlang.codes import catalogue
from nnlang.diagnostics import Code, Diagnostic, at
from nnlang.linting.settings import Settings
from nnlang.source import Source, Span
from nnlang.suggest import SUGGESTIONS, closest
from nnlang.syntax import Comment

_MARK = re.compile(r"nnlang\s*:")
_DIRECTIVE = re.compile(r"nnlang\s*:\s*ignore(-file)?\s*\[([^\]]*)\]")
_CODE = re.compile(r"NN\d{1,3}")
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class _Ignore:
    """One code of one directive; `line` is None where it counts for the whole text."""

    code: str
    line: int | None
    span: Span


def suppressed(
    source: Source, comments: Sequence[Comment], found: list[Diagnostic], settings: Settings
) -> list[Diagnostic]:
    """The findings that no comment suppresses, and findings about comments that suppress nothing.

    Findings of the syntax (NN1) are never suppressed: where there is one, what the text means is not known.
    """
    marked = [c for c in comments if _MARK.search(c.text)]
    if not marked:
        return found
    ignores: list[_Ignore] = []
    faults: list[Diagnostic] = []
    behind = _behind(source, comments)
    hints = iter(range(SUGGESTIONS))
    for comment in marked:
        _directive(source, comment, behind[comment.span.start], hints, ignores, faults)
    named: dict[tuple[str, int | None], list[_Ignore]] = {}
    for ignore in ignores:
        named.setdefault((ignore.code, ignore.line), []).append(ignore)
    used = {ignore for d in found for key in _keys(d) for ignore in named.get(key, ())}
    left = [d for d in found if not any(key in named for key in _keys(d))]
    if any(d.code.code.startswith("NN1") and d.code.severity == "error" for d in found):
        return left  # whether the others would suppress something shows when the text can be read
    idle = [i for i in ignores if i not in used and settings.takes(i.code.ljust(5, "0"))]
    told = [*faults, *(Diagnostic(codes.UNUSED_IGNORE, at(source, i.span), {"code": i.code}) for i in idle)]
    return left + [d for d in told if settings.takes(d.code.code)]


def _keys(d: Diagnostic) -> list[tuple[str, int | None]]:
    """What an ignore may name to suppress a finding: a prefix of its code, with its line or for the whole text."""
    code = d.code.code
    if code.startswith("NN1") or d.place is None:
        return []
    lines: list[int | None] = [None]
    if d.place.source is not None and d.place.span is not None:
        lines.append(d.place.source.position(d.place.span.start)[0])
    return [(code[:length], line) for length in range(3, len(code) + 1) for line in lines]


def _behind(source: Source, comments: Sequence[Comment]) -> dict[int, int]:
    """Where the text goes on behind each comment, other comments passed over; by the place where it begins."""
    found: dict[int, int] = {}
    for comment in reversed(comments):
        space = _SPACE.match(source.text, comment.span.end)
        after = space.end() if space else comment.span.end
        found[comment.span.start] = found.get(after, after)
    return found


def _directive(
    source: Source,
    comment: Comment,
    behind: int,
    hints: Iterator[int],
    ignores: list[_Ignore],
    faults: list[Diagnostic],
) -> None:
    found = _DIRECTIVE.search(comment.text)
    words = [w.strip() for w in found[2].split(",")] if found else []
    if not found or words == [""]:
        _fault(faults, source, comment.span, "it names no code", "write ignore[NN502], then the reason")
        return
    line = None if found[1] else _line(source, comment.span.start, behind)
    for word, span in _words(found, comment.span.start):
        if not _CODE.fullmatch(word) or not _known(word):
            near = closest(word, catalogue()) if next(hints, None) is not None else None
            remedy = f"did you mean {near}?" if near else "`nnlang explain` lists the codes"
            _fault(faults, source, span, f"there is no code {word}", remedy)
        else:
            ignores.append(_Ignore(word, line, span))


def _fault(faults: list[Diagnostic], source: Source, span: Span, reason: str, remedy: str) -> None:
    code: Code = codes.BAD_IGNORE
    faults.append(Diagnostic(code, at(source, span), {"reason": reason, "remedy": remedy}))


def _words(found: re.Match[str], start: int) -> Iterator[tuple[str, Span]]:
    """Each word between the brackets, with its place in the text."""
    for word in re.finditer(r"[^,\s][^,]*", found[2]):
        text = word[0].rstrip()
        begin = start + found.start(2) + word.start()
        yield text, Span(begin, begin + len(text))


def _known(prefix: str) -> bool:
    return any(code.startswith(prefix) for code in catalogue())


def _line(source: Source, start: int, behind: int) -> int:
    """The line that a comment speaks of: its own where something stands before it, else that of what follows."""
    before = start - 1
    while before >= 0 and source.text[before] in " \t":
        before -= 1
    alone = before < 0 or source.text[before] in "\r\n"
    return source.position(behind if alone else start)[0]
