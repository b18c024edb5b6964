"""What can be done about findings: their fixes, all safe fixes at once, a comment that suppresses one."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nnlang.directives import IGNORE
from nnlang.editor.loose import Tree
from nnlang.editor.replacing import difference
from nnlang.linting.check import Finding
from nnlang.linting.edits import mended
from nnlang.rules.rule import Edit
from nnlang.source import Source, Span

_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True)
class Action:
    """One thing that can be done about a finding; `preferred` marks what mends it for certain."""

    title: str
    edits: tuple[Edit, ...]
    finding: Finding
    preferred: bool = False


def span_of(finding: Finding) -> Span:
    """Where a finding stands in its text; the very beginning where it stands nowhere."""
    place = finding.diagnostic.place
    return place.span if place is not None and place.span is not None else Span(0, 0)


def fixes(found: Sequence[Finding], span: Span) -> Iterator[Action]:
    """The fixes of the findings that a span touches, safe ones first."""
    near = [f for f in found if f.fix is not None and touches(span_of(f), span)]
    for finding in sorted(near, key=lambda f: f.fix is not None and not f.fix.safe):
        fix = finding.fix
        if fix is not None:
            title = f"{finding.diagnostic.code.code}: {fix.title}"
            yield Action(title if fix.safe else f"{title} (changes the meaning)", fix.edits, finding, fix.safe)


def touches(a: Span, b: Span) -> bool:
    """Whether two spans share a character or an end."""
    return a.start <= b.end and b.start <= a.end


def suppressions(tree: Tree, found: Sequence[Finding], span: Span) -> Iterator[Action]:
    """For each code that a span touches, the comment that suppresses it on its line; syntax errors have none."""
    told: set[Edit] = set()
    for finding in found:
        place, code = finding.diagnostic.place, finding.diagnostic.code.code
        if place is None or place.span is None or not touches(place.span, span):
            continue
        edit = suppression(tree, code, place.span.start)
        if edit is not None and edit not in told:
            told.add(edit)
            yield Action(f"{code}: ignore it on this line", (edit,), finding)


def suppression(tree: Tree, code: str, start: int) -> Edit | None:
    """The edit that ignores a code on the line of an offset: in the comment of the line if it has one for that."""
    if code.startswith("NN1"):
        return None
    text, comments = tree.text, tree.comments
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    end -= text[begin:end].endswith("\r")
    first, after = (bisect_left(comments, offset, key=lambda span: span.start) for offset in (begin, end))
    for span in comments[first:after]:
        found = IGNORE.search(text, span.start, span.end)
        if found and not found[1] and text[begin : span.start].strip():
            inner = found[2].rstrip()
            place = found.start(2) + len(inner)
            return Edit(Span(place, place), f", {code}" if inner else code)
    words = f"nnlang: ignore[{code}]"
    last = comments[after - 1] if after and comments[after - 1].end >= end else None
    if last is None or (last.end == end and text[last.start : last.end].endswith("*/")):
        return Edit(Span(end, end), f" // {words}")
    if text.startswith("//", last.start):
        return Edit(Span(end, end), f" {words}")
    if first and comments[first - 1].end > begin:
        return None
    indent = _INDENT.match(text, begin)
    ending = "\r\n" if text.endswith("\r\n", 0, begin) else "\n"
    return Edit(Span(begin, begin), f"{indent[0] if indent else ''}// {words}{ending}")


def mend_all(source: Source, look: Callable[[Source], Sequence[Finding]]) -> Edit | None:
    """The edit that carries out every safe fix of a text, and those that follow from them; None where there is none."""
    after, _ = mended(source, look)
    return difference(source.text, after.text)
