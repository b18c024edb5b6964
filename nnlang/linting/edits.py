"""Fixes carried out on a text: those that do not overlap, again and again until nothing is left that they mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from nnlang.linting.check import Finding
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source

ROUNDS = 20  # a fix may show the next finding; a text of mistakes upon mistakes ends all the same
SINGLES = 20  # guesses that are tried one by one where all together set the text back


def edited(text: str, fixes: Iterable[Fix]) -> str:
    """The text after the edits of some fixes that are apart; new lines end as the text's own do."""
    end = "\r\n" if "\r\n" in text else "\n"
    edits = {edit for fix in fixes for edit in fix.edits}
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text.replace("\n", end) + text[edit.span.end :]
    return text


def apart(found: Iterable[Finding]) -> list[Finding]:
    """As many findings as have fixes that touch different characters, first come first served."""
    taken: list[Edit] = []
    kept = []
    for finding in found:
        edits = finding.fix.edits if finding.fix is not None else ()
        if edits and all(_apart(edit, other) for edit in edits for other in taken):
            taken += edits
            kept.append(finding)
    return kept


def _apart(a: Edit, b: Edit) -> bool:
    """Whether two edits touch different characters; two insertions at one place do not count as apart."""
    if a.span == b.span:
        return False
    return a.span.end <= b.span.start or b.span.end <= a.span.start


def mended(
    source: Source, look: Callable[[Source], Sequence[Finding]], *, unsafe: bool = False
) -> tuple[Source, list[Finding]]:
    """The source with everything mended that can be, and the findings that were; `look` lints a source.

    Of a round of fixes that sets the text back, only a part is kept that does not.
    """
    done: list[Finding] = []
    found = look(source)
    for _ in range(ROUNDS):
        able = apart(f for f in found if f.fix is not None and (f.fix.safe or unsafe))
        step = next(filter(None, (_step(source, found, some, look) for some in _attempts(able))), None)
        if step is None:
            break
        source, found, some = step
        done += some
    return source, done


def _attempts(able: list[Finding]) -> Iterator[list[Finding]]:
    """What to try together: everything; what is safe; then guesses one at a time."""
    guesses = [f for f in able if f.fix is not None and not f.fix.safe]
    yield able
    if guesses and len(able) > 1:
        yield [f for f in able if f not in guesses]
        yield from ([f] for f in guesses[:SINGLES])


def _step(
    source: Source, found: Sequence[Finding], some: list[Finding], look: Callable[[Source], Sequence[Finding]]
) -> tuple[Source, Sequence[Finding], list[Finding]] | None:
    """The source after some fixes, what is found in it then, and the fixes; None if it is the same or set back."""
    text = edited(source.text, [f.fix for f in some if f.fix is not None])
    if text == source.text:
        return None
    after = Source(source.name, text)
    again = look(after)
    guessed = any(f.fix is not None and not f.fix.safe for f in some)
    return None if set_back(found, again, guessed=guessed) else (after, again, some)


def set_back(before: Sequence[Finding], after: Sequence[Finding], *, guessed: bool = True) -> bool:
    """Whether a text has errors of an earlier phase than it had before, or after a guess more errors of the same phase.

    More errors of a later phase are no step back: a text that can be read at last shows what is wrong with its keys.
    Nor are more of the same after a safe fix: the right name of an object shows what is wrong inside it.
    """
    (first, count), (phase, left) = _standing(before), _standing(after)
    return phase < first or (guessed and phase == first and left > count)


def _standing(found: Sequence[Finding]) -> tuple[str, int]:
    """The family of the first phase that finds errors, and how many there are of all families."""
    errors = [f.diagnostic.code.code for f in found if f.diagnostic.code.severity == "error"]
    return min((code[:3] for code in errors), default="NN9"), len(errors)
