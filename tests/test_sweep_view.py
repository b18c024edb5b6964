"""The view of a running sweep: a line a trial that ends, and on a terminal a picture of the rest."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nnlang.cli.sweep_view import LiveView, settings, trial_line, whole_line
from nnlang.search.study import State, Study, Trial
from tests import studies

MADE = studies.study(Path("nowhere"), 6)


class Terminal(io.StringIO):
    """A stream that says people look at it."""

    def isatty(self) -> bool:
        return True


def ended(count: int) -> Study:
    """The made sweep with the first so many trials at their ends, the others waiting."""
    waiting = [Trial(t.number, State.WAITING, t.params) for t in MADE.trials[count:]]
    return replace(MADE, trials=(*MADE.trials[:count], *waiting))


def test_every_trial_that_ends_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveView(6, studies.ndcg()) as view:
        view.update(ended(1), {})
        for _ in range(3):
            view.update(ended(4), {5: (3, 0.2)})
        view.log("a note")
        view.update(ended(7), {})
    lines = capsys.readouterr().out.splitlines()
    told = [line.split()[1] for line in lines if line.startswith("trial")]
    assert told == ["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"] and lines.count("a note") == 1
    assert sum("best so far" in line for line in lines) <= 3
    assert not any("\x1b" in line for line in lines)


def test_a_terminal_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    with LiveView(6, studies.ndcg()) as view:
        view.update(ended(2), {2: (3, 0.25), 3: (1, None)})
        view.update(ended(3), {3: (2, 0.125)})
    text = stream.getvalue()
    assert "trial 2  epoch 3  ndcg@100 0.25000" in text and "trial 2/6" in text
    assert "1/6 done, 2 running" in text and "left" in text


def test_lines_say_what_became_of_a_trial() -> None:
    metric = studies.ndcg()
    failed = Trial(7, State.MEMORY, {"a.N": 5}, 1, (), None, 0, 0, 1.0, "no room")
    assert trial_line(failed, metric, 24, False) == "trial  7/24  out of memory  0 epochs, 1.0 s  N=5"
    done = Trial(12, State.FINISHED, {"a.N": 5, "b.p": 0.123456, "c": None}, 1, ((1, 0.5),), 0.5, 1, 3, 2.25)
    line = trial_line(done, metric, 24, True)
    assert (
        line == "trial 12/24  finished  ndcg@100 0.50000 (epoch 1, best so far)  3 epochs, 2.2 s  N=5, p=0.1235, c=null"
    )
    assert trial_line(replace(done, number=0, params={}), metric, 24, False).startswith("base         finished")
    assert len(settings(Trial(1, State.RUNNING, {f"a{i}": "x" * 9 for i in range(20)}))) == 60


def test_the_whole_is_counted() -> None:
    line = whole_line(MADE, 2, 400.0)
    assert line.startswith("6/6 done, 2 running") and line.endswith("about 7 min left")
    assert "best" in line and "left" not in whole_line(MADE, 0, None)
