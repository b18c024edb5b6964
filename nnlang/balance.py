"""Which brackets of a text are missing, surplus or wrong: of all repairs the cheapest, by grammar and by indentation.

A bracket that is lost shows up far behind its place, as a rule at the end of the text. So the words of a text that is
not sound are read once by a small automaton that knows nothing but commas, colons and brackets, and that counts the
lines whose indentation contradicts what is open. Where it cannot go on, repairs are tried there and at the first of
those lines, cheapest first, until one leads to the end.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from nnlang.marks import Word

STEPS = 150_000  # of the automaton, in all trials together: about a quarter of a second
ODD_PLACES, ODD_COST = 6, 3  # lines looked at as places of a slip; what contradictory lines cost at most
VALUE, VALUE_OR_END, NAME, NAME_OR_END, COLON, COMMA_OR_END, NOTHING = range(7)
CLOSER = {"{": "}", "[": "]"}
OTHER = {"{": "[", "[": "{", "}": "]", "]": "}"}


class Open(NamedTuple):
    """A bracket that is open, and what was open when it came."""

    kind: str
    at: int  # the word that opened it
    indent: int
    line: int
    child: int  # the indentation of what stands inside, -1 while unknown
    before: State  # at the bracket
    begin: tuple[int, State] | None  # the latest value inside
    rest: Open | None


class State(NamedTuple):
    """Where the automaton is: what may follow, what is open, what has been passed over, what contradicts the layout."""

    want: int
    top: Open | None
    cost: float
    odd: int


class Edit(NamedTuple):
    """One repair: at a word, what the automaton reads in its place; `to` is the other place of a pair."""

    what: str  # close, open, drop, swap, pair, move, end
    at: int
    kinds: str = ""
    to: int = -1


@dataclass
class Run:
    """How far a reading came, and the places on its way that may hold the slip."""

    index: int
    state: State
    last: tuple[tuple[int, State], ...] = ()
    odd: list[tuple[int, State, State]] = field(default_factory=list)  # a line's first word, the states there
    closed: tuple[int, State] | None = None  # the latest closing bracket
    steps: int = 0

    def pass_by(self, index: int, word: Word, begun: State, laid: State | None) -> None:
        """Remember a word that was read, as a place to come back to."""
        if laid is not None and laid.odd > begun.odd and len(self.odd) < ODD_PLACES:
            self.odd.append((index, begun, self.last[-1][1] if self.last else begun))
        if word.kind in ("}", "]", ")"):
            self.closed = (index, begun)
        self.last = (*self.last[-2:], (index, begun))


START = State(VALUE, None, 0, 0)


def repairs(found: list[Word]) -> list[Edit]:
    """The edits that make the brackets of a text match, in order; none where they do; `end` is where that is given up.

    Where there are too many slips to find the cheapest way to the end, it is the way that led furthest.
    """
    base = run(found, 0, START, {})
    steps, order = base.steps, itertools.count()
    furthest: tuple[int, tuple[Edit, ...]] = (-1, ())
    queue: list[tuple[float, int, tuple[Edit, ...], Run]] = [(_total(base), next(order), (), base)]
    seen: set[object] = set()
    while queue:
        _, _, edits, at = heapq.heappop(queue)
        ahead = _ahead(at, edits)
        if ahead in seen:  # the same has been reached at a lower cost
            continue
        seen.add(ahead)
        furthest = max(furthest, (at.index, edits), key=lambda pair: pair[0])
        if at.index > len(found) or steps > STEPS:
            break
        for cost, index, state, edit in candidates(found, at):
            patch = patched((*edits, edit), found)
            if patch is None or steps > STEPS:
                continue
            begun = state._replace(cost=state.cost + cost)
            reached = run(found, index, begun, patch) if edit.what != "end" else Run(len(found) + 1, begun)
            steps += reached.steps + 50
            if reached.index > at.index:
                heapq.heappush(queue, (_total(reached), next(order), (*edits, edit), reached))
    return sorted(furthest[1], key=lambda e: e.at)


def _ahead(run: Run, edits: tuple[Edit, ...]) -> object:
    """All that decides how a reading goes on."""
    opened, top = [], run.state.top
    while top is not None:
        opened.append((top.kind, top.at))
        top = top.rest
    return run.index, run.state.want, tuple(opened), tuple(e for e in edits if max(e.at, e.to) >= run.index)


def _total(run: Run) -> float:
    return run.state.cost + min(run.state.odd, ODD_COST)


def patched(edits: tuple[Edit, ...], found: list[Word]) -> dict[int, str] | None:
    """What the automaton reads in the place of words; None where two edits touch the same word."""
    patch: dict[int, str] = {}
    for edit in edits:
        own = found[edit.at].kind if edit.at < len(found) else ""
        puts = {edit.at: edit.kinds + own if edit.what in ("close", "open") else edit.kinds}
        if edit.what == "pair":
            puts[edit.to] = CLOSER[edit.kinds]
        if edit.what == "move":
            puts[edit.to] = "]" + (found[edit.to].kind if edit.to < len(found) else "")
        if puts.keys() & patch.keys():
            return None
        patch |= puts
    return patch


def run(found: list[Word], index: int, state: State, patch: Mapping[int, str]) -> Run:
    """Read on from a word; the result's index is the word that cannot stand there, one behind the end for none."""
    done = Run(index, state)
    for i in range(index, len(found)):
        word, kinds = found[i], patch.get(i, found[i].kind)
        added = len(kinds) - 1 if kinds.endswith(word.kind) else 0
        begun, laid = state, None
        for n, kind in enumerate(kinds):
            if n == added:
                state = laid = _laid_out(word, state, found[i - 1] if i else None)
            after = step(state, kind, i, word)
            if after is None:
                break
            state = after
        else:
            done.pass_by(i, word, begun, laid)
            continue
        done.index, done.state, done.steps = i, begun, i - index
        done.last = (*done.last[-2:], (i, begun))
        return done
    count = len(found)
    for kind in patch.get(count, ""):
        state = step(state, kind, count, found[-1]) or state
    done.last = (*done.last[-2:], (count, state))
    done.state, done.steps = state, count - index
    done.index = count if state.want != NOTHING else count + 1
    return done


def _laid_out(word: Word, state: State, previous: Word | None) -> State:
    """The state with one more contradiction where a line's indentation is not what the open brackets make expect."""
    top = state.top
    if not word.first or top is None or top.line == word.line or (previous is not None and previous.kind == ":"):
        return state
    if word.kind in ("}", "]", ")"):
        return state if word.indent == top.indent else state._replace(odd=state.odd + 1)
    if word.indent <= top.indent or (word.indent > top.child >= 0):
        return state._replace(odd=state.odd + 1)
    return state if top.child == word.indent else state._replace(top=top._replace(child=word.indent))


def step(state: State, kind: str, index: int, word: Word) -> State | None:
    """The state after a word; None where it shows that a bracket is missing, surplus or wrong."""
    if state.want == NOTHING:
        return None
    if kind in "{[":
        return _opened(state, kind, index, word)
    if kind in "}])":
        return _closed(state, kind)
    if kind == ",":
        return _comma(state)
    if kind == ":":
        return _colon(state)
    return _text(state, kind, index)


def _opened(state: State, kind: str, index: int, word: Word) -> State | None:
    want, top, cost, odd = state
    if want in (NAME, NAME_OR_END) or (want == COMMA_OR_END and top is not None and top.kind == "{"):
        return None
    passed = cost + (want in (COLON, COMMA_OR_END))
    rest = None if top is None else top._replace(begin=(index, state))
    opened = Open(kind, index, word.indent, word.line, -1, state, None, rest)
    return State(NAME_OR_END if kind == "{" else VALUE_OR_END, opened, passed, odd)


def _closed(state: State, kind: str) -> State | None:
    want, top, cost, odd = state
    if top is None or kind not in (CLOSER[top.kind], ")"):
        return None
    passed = cost + (want in (NAME, VALUE, COLON))
    return State(COMMA_OR_END if top.rest else NOTHING, top.rest, passed, odd)


def _comma(state: State) -> State | None:
    want, top, cost, odd = state
    if top is None:
        return None
    return State(NAME if top.kind == "{" else VALUE, top, cost + (want != COMMA_OR_END), odd)


def _colon(state: State) -> State | None:
    want, top, cost, odd = state
    if top is None or top.kind == "[":
        return None
    return State(VALUE, top, cost + (want != COLON), odd)


def _text(state: State, kind: str, index: int) -> State | None:
    """The state after a text, a number or a word."""
    want, top, cost, odd = state
    if top is None:
        return None if kind == "k" else State(NOTHING, None, cost, odd)
    listed = top.kind == "["
    if kind == "k" and (listed or want == VALUE):
        return None
    value = listed or want in (VALUE, COLON)
    if value and kind != "k":
        passed = cost + (want in (COLON, COMMA_OR_END))
        return State(COMMA_OR_END, top._replace(begin=(index, state)), passed, odd)
    passed = cost + (want in (COMMA_OR_END, COLON))
    return State(COMMA_OR_END, top, passed + 1, odd) if kind == "v" else State(COLON, top, passed, odd)


def candidates(found: list[Word], at: Run) -> Iterator[tuple[float, int, State, Edit]]:
    """Repairs that may help where a reading ended: what each costs, where to read on from, in which state."""
    yield from _here(found, at)
    for index, state, before in at.odd:
        yield from _at_odd_line(found, index, state, before)
    if at.closed is not None and at.closed[0] != at.index:
        index, state = at.closed
        yield _twice(found, index), index, state, Edit("drop", index)


def _here(found: list[Word], at: Run) -> Iterator[tuple[float, int, State, Edit]]:
    index, state, top = at.index, at.state, at.state.top
    kind = found[index].kind if index < len(found) else ""
    states = dict(at.last)
    if kind == "" or state.want == NOTHING:
        left = 0 if kind in ("", "{", "[") else (len(found) - index) / 40
        yield 2 + (kind != "") + left, index, state, Edit("end", index)
    if top is not None and kind:
        yield from _closings(found, index, states)
    if kind in ("{", "[", "}", "]"):
        yield _twice(found, index), index, state, Edit("drop", index)
    if top is not None and kind in ("}", "]"):
        yield 2, index, state, Edit("swap", index, CLOSER[top.kind])
    if kind == "k":
        yield 2.25, index, state, Edit("open", index, "{")
    if top is not None:
        yield from _inside(found, at, top, kind)
    if kind in ("{", "[") and index >= 2 and [w.kind for w in found[index - 2 : index]] == ["]", ","]:
        end = _behind(found, index)
        if end >= 0 and index - 2 in states:
            yield 2, index - 2, states[index - 2], Edit("move", index - 2, "", end)


def _inside(found: list[Word], at: Run, top: Open, kind: str) -> Iterator[tuple[float, int, State, Edit]]:
    """Repairs of the bracket that is open and of the value before."""
    other = OTHER[top.kind]
    yield _twice(found, top.at) + 0.25, top.at, top.before, Edit("drop", top.at)
    if not found[top.at].round:
        yield 2.25, top.at, top.before, Edit("swap", top.at, other)
        end = matching(found, top.at)
        if end >= 0:
            yield 2.5, top.at, top.before, Edit("pair", top.at, other, end)
    if top.begin is not None and top.kind == "{" and kind in ("{", "]"):
        index, state = top.begin
        yield 2.25, index, state, Edit("open", index, "[")


def _closings(found: list[Word], index: int, states: Mapping[int, State]) -> Iterator[tuple[float, int, State, Edit]]:
    """Brackets closed before a word, or before the comma in front of it."""
    comma = index > 0 and found[index - 1].kind == ","
    place = index - 1 if comma and index - 1 in states else index
    state = states.get(place)
    if state is None:
        return
    behind = "," if place == index and found[index].kind not in ",}])" else ""
    need, top = "", state.top
    while top is not None and len(need) < 3:
        need, top = need + CLOSER[top.kind], top.rest
        yield 1.75 + 0.25 * len(need) + 0.25 * len(behind), place, state, Edit("close", place, need + behind)


def _at_odd_line(
    found: list[Word], index: int, state: State, before: State
) -> Iterator[tuple[float, int, State, Edit]]:
    """Repairs where a line's indentation contradicts what is open: less is open there, or more."""
    word, top = found[index], state.top
    if top is None:
        return
    for cost, place, begun, edit in _closings(found, index, {index: state, index - 1: before}):
        yield cost + 0.25, place, begun, edit
    if word.kind in ("}", "]") and word.indent > top.indent:
        yield 2.25, index, state, Edit("drop", index)


def _twice(found: list[Word], index: int) -> float:
    """What it costs to leave a bracket out; less where the same one stands beside it."""
    word = found[index]
    beside = [found[i] for i in (index - 1, index + 1) if 0 <= i < len(found)]
    return 1 if any(w.kind == word.kind and word.start in (w.end, w.start - 1) for w in beside) else 2


def matching(found: list[Word], index: int) -> int:
    """The word that closes the bracket at a word, whatever its kind; -1 where none does soon."""
    depth = 0
    for i in range(index, min(index + 400, len(found))):
        depth += (found[i].kind in "{[") - (found[i].kind in "}])")
        if depth == 0:
            return i
    return -1


def _behind(found: list[Word], index: int) -> int:
    """The word behind the brackets that begin at a word, and behind others that follow after commas."""
    while True:
        end = matching(found, index)
        if end < 0 or end + 2 >= len(found) or found[end + 1].kind != "," or found[end + 2].kind not in "{[":
            return end + 1 if end >= 0 else -1
        index = end + 2
