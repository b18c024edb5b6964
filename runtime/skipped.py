"""Lines of a text that cannot be used: the first few are told, the others counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from nnlang.codes import data as codes
from nnlang.diagnostics import Diagnostic, Place, stop
from nnlang.runtime.textdata import REASONS, Parsed

_SHOWN_LINES = 5


@dataclass
class Skipped:
    """Bad lines on their way: the first few are told, the others counted; with `strict` the first one stops."""

    strict: bool
    diagnostics: list[Diagnostic] = field(default_factory=list)
    count: int = 0
    next_place: str = ""

    def take(self, parsed: Parsed) -> None:
        """Add the bad lines of a block; raises `Stop` (NN460) for the first where it is strict."""
        for line, reason in parsed.bad:
            place = Place(str(parsed.block.path), line=line)
            if self.strict:
                raise stop(codes.BAD_LINE, place, reason=REASONS[reason])
            self.count += 1
            if self.count <= _SHOWN_LINES:
                said = "" if self.diagnostics else None  # the remedy is told once
                self.diagnostics.append(Diagnostic(codes.LINE_SKIPPED, place, {"reason": REASONS[reason]}, said))
            elif not self.next_place:
                self.next_place = str(place)

    def all(self) -> list[Diagnostic]:
        """The findings: the first lines each, the rest as one."""
        left = self.count - _SHOWN_LINES
        if left <= 0:
            return self.diagnostics
        more = Diagnostic(codes.MORE_LINES_SKIPPED, None, {"count": left, "place": self.next_place})
        return [*self.diagnostics, more]
