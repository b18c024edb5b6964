"""The tables of a report: plain ones, and the one of all trials, which sorts, filters and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nnlang.reports.columns import value_text
from nnlang.reports.evidence import Interval
from nnlang.reports.page import escape
from nnlang.reports.plots import figure_text
from nnlang.search.study import Study, Trial

_CELL = 60  # characters of a setting in the table of all trials


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names with what they are, as a list."""
    return "<dl>\n" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>\n" for k, v in rows) + "</dl>\n"


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = (), left: int = 1
) -> str:
    """A plain table; the first `left` columns are texts, the others numbers. `kinds` are the classes of the rows."""
    marks = [""] * left + [' class="number"'] * (len(heads) - left)
    parts = [f'<div class="scroll"><table>\n<caption>{escape(caption)}</caption>\n<thead><tr>']
    parts += [f'<th scope="col"{mark}>{escape(head)}</th>' for head, mark in zip(heads, marks, strict=True)]
    parts.append("</tr></thead>\n<tbody>\n")
    for place, row in enumerate(rows):
        kind = f' class="{kinds[place]}"' if kinds and kinds[place] else ""
        cells = "".join(f"<td{mark}>{escape(cell)}</td>" for cell, mark in zip(row, marks, strict=True))
        parts.append(f"<tr{kind}>{cells}</tr>\n")
    return "".join((*parts, "</tbody>\n</table></div>\n"))


def trials(study: Study, users: Mapping[int, Interval]) -> str:
    """All trials: number, state, value, interval where it is known, cost, settings, error."""
    return "".join(_trials(study, users))


def _trials(study: Study, users: Mapping[int, Interval]) -> Iterator[str]:
    numeric = {name for name in study.axes if all(_is_number(t.params.get(name, 0)) for t in study.trials)}
    errors = any(trial.error for trial in study.trials)
    heads = [("trial", True), ("state", False), (str(study.metric), True)]
    heads += [("95% from", True), ("to", True)] if users else []
    heads += [("best epoch", True), ("epochs", True), ("seconds", True)]
    heads += [(name, name in numeric) for name in study.axes] + ([("error", False)] if errors else [])
    yield _filter(study)
    yield '<div class="scroll" role="region" aria-label="All trials" tabindex="0">\n'
    yield '<table class="sorted" id="trials">\n'
    yield "<caption>All trials; a click on a head sorts, a second one turns the order round.</caption>\n<thead><tr>"
    for head, right in heads:
        mark = ' class="number"' if right else ""
        yield f'<th scope="col"{mark}><button type="button">{escape(head)}</button></th>'
    yield "</tr></thead>\n<tbody>\n"
    best = study.best
    for trial in study.trials:
        kind = "best" if best is not None and trial.number == best.number else "base" if trial.number == 0 else ""
        cells = _cells(trial, study, users, errors)
        marked = zip(cells, heads, strict=True)
        row = "".join(f'<td class="number">{text}</td>' if right else f"<td>{text}</td>" for text, (_, right) in marked)
        yield f'<tr data-state="{trial.state.value}"' + (f' class="{kind}"' if kind else "") + f">{row}</tr>\n"
    yield "</tbody>\n</table>\n</div>\n" + _pager()


def _cells(trial: Trial, study: Study, users: Mapping[int, Interval], errors: bool) -> list[str]:
    reach = users.get(trial.number)
    ends = [figure_text(reach.low), figure_text(reach.high)] if reach else ["", ""]
    settings = [_cut(value_text(trial.params[name])) if name in trial.params else "" for name in study.axes]
    return [
        str(trial.number),
        escape(trial.state.value),
        figure_text(trial.value),
        *(ends if users else []),
        str(trial.best_epoch or ""),
        str(trial.epochs),
        f"{trial.seconds:.1f}",
        *settings,
        *([_cut(trial.error)] if errors else []),
    ]


def _cut(text: str) -> str:
    return escape(text if len(text) <= _CELL else text[: _CELL - 1] + "…")


def _filter(study: Study) -> str:
    counts = Counter(trial.state.value for trial in study.trials)
    options = "".join(f'<option value="{s}">{s} ({n:,})</option>' for s, n in sorted(counts.items()))
    return (
        '<div class="controls"><label>Show <select id="trials-filter" autocomplete="off"><option value="">all '
        f"({len(study.trials):,})</option>{options}</select></label></div>\n"
    )


def _pager() -> str:
    return (
        '<div class="controls pager" id="trials-pager" hidden><button type="button">earlier</button>'
        '<span aria-live="polite"></span><button type="button">later</button></div>\n'
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
