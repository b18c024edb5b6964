"""The report of a sweep: all its figures and tables in one file, from the event log and what the folder holds."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnlang.codes import reporting as codes
from nnlang.diagnostics import Diagnostic, Place, stop
from nnlang.reports.bounds import bounds, judged_trials
from nnlang.reports.columns import Column, columns, value_text
from nnlang.reports.definitions import difference, highlighted
from nnlang.reports.evidence import Evidence, gather, trial_folder
from nnlang.reports.importance import importance
from nnlang.reports.learning import learning
from nnlang.reports.page import Section, figure, page, paragraph
from nnlang.reports.parallel import parallel
from nnlang.reports.plots import Plot, figure_text
from nnlang.reports.tables import facts, table, trials
from nnlang.reports.tested import tested
from nnlang.reports.trials import cloud, history, slices
from nnlang.runtime.files import atomic_text, check_target
from nnlang.search.study import State, Study

# The figures in few words, for the contents.
_SHORT = {
    "cloud": "cloud",
    "history": "history",
    "parallel": "parallel coordinates",
    "importance": "importance",
    "bounds": "intervals",
    "learning": "learning curves",
}


@dataclass(frozen=True)
class Written:
    """The file that was written, its size in bytes, and warnings on what had to be left out."""

    path: Path
    size: int
    notices: tuple[Diagnostic, ...] = ()


def write(study: Study, output: Path) -> Written:
    """Write the report of a sweep, whole or not at all; raises `Stop` where there is no trial (NN799) or no room.

    The same folder gives the same bytes.
    """
    check_target(output)
    if not study.trials:
        raise stop(codes.NO_TRIALS, Place(str(study.folder)), path=study.folder)
    evidence = gather(study, judged_trials(study), study.best)
    atomic_text(output, sweep_page(study, evidence))
    return Written(output, os.path.getsize(output), evidence.notices)


def sweep_page(study: Study, evidence: Evidence) -> Iterator[str]:
    """The text of the report, in pieces."""
    sections, plots = _sections(study, evidence)
    return page(f"Sweep {study.name}", [_head(study, evidence)], sections, plots)


def _sections(study: Study, evidence: Evidence) -> tuple[list[Section], list[Plot]]:
    axes = columns(study, evidence.kinds)
    plots = [
        cloud(study, axes, evidence.parameters),
        history(study),
        parallel(study, axes),
        importance(study, axes),
        bounds(study, evidence.users),
        learning(study),
    ]
    sections = [Section(f"{plot.name}-section", _SHORT[plot.name], plot.title, (figure(plot),)) for plot in plots]
    sliced = slices(study, axes)
    if sliced:
        body = "".join(figure(plot, heading=True) for plot in sliced)
        words = f"{study.metric} against each setting"
        sections.insert(4, Section("slices-section", "slices", words, (f'<div class="slices">\n{body}</div>\n',)))
    if evidence.test is not None:
        parts, plot = tested(evidence.test)
        sections.insert(0, Section("test-section", "test part", plot.title, parts))
        plots.append(plot)
    sections.append(Section("trials-section", "all trials", "All trials", (trials(study, evidence.users),)))
    return [*sections, *_definitions(study, evidence, axes)], [*plots, *sliced]


def _head(study: Study, evidence: Evidence) -> str:
    best, base = study.best, study.base
    rows = [("metric", f"{study.metric}: {study.metric.measure.words}"), ("method", study.method)]
    rows.append(("trials", _counts(study)))
    if best is not None:
        name = "the base definition itself" if best.number == 0 else f"trial {best.number}"
        rows.append(("best", f"{name}: {figure_text(best.value)} on the validation part, epoch {best.best_epoch}"))
    if base is not None and base.value is not None:
        rows.append(("base definition", figure_text(base.value)))
    rows.append(("training time", duration(sum(trial.seconds for trial in study.trials)) + ", all trials together"))
    if evidence.elapsed is not None:
        rows.append(("from first to last event", duration(evidence.elapsed)))
    rows += _made_with(study, evidence)
    advice = ""
    if evidence.test is None:
        again = shlex.join(["nnlang", "sweep", "best", str(study.folder), "--test"])
        advice = paragraph(
            "All values are of the validation part, by which the best was chosen: the best of many looks better there "
            f"than it is. What it is worth on the test part says: {again}"
        )
    return facts(rows) + advice


def _made_with(study: Study, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Seed, versions, and the command that runs the same sweep again."""
    head = evidence.head
    if "seed" in head:
        yield "seed", value_text(head["seed"])
    versions = head.get("versions")
    if isinstance(versions, dict):
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    command = head.get("command")
    if not (isinstance(command, list) and all(isinstance(word, str) for word in command)):
        command = ["nnlang", "sweep", "run", "SWEEP.json", "-o", "AGAIN"]
        command += ["--method", study.method, "--trials", str(study.total), "--metric", str(study.metric)]
        command += ["--seed", value_text(head["seed"])] if "seed" in head else []
    yield "run it again", shlex.join(command)


def _counts(study: Study) -> str:
    counts = Counter(trial.state for trial in study.trials if trial.number)
    told = ", ".join(f"{counts[state]:,} {state.value}" for state in State if counts[state])
    asked = sum(counts.values())
    return f"{asked:,} of {study.total:,}: {told}" if told else f"0 of {study.total:,}"


def _definitions(study: Study, evidence: Evidence, axes: Sequence[Column]) -> Iterator[Section]:
    best = study.best
    if best is None:
        return
    text, base = evidence.definitions.get(best.number), evidence.definitions.get(0)
    name = "The best is the base definition" if best.number == 0 else f"The best definition: trial {best.number}"
    if text is None:
        missing = trial_folder(study.folder, best.number) / "definition.json"
        yield Section("best-section", "best definition", name, (paragraph(f"Its text is not there: {missing}"),))
        return
    yield Section("best-section", "best definition", name, (_settings(study), highlighted(text)))
    if best.number and base is not None:
        found = difference(base, text, ("base definition", f"trial {best.number}"))
        parts = found or paragraph("The texts are the same: the settings act outside the definition.")
        yield Section("difference-section", "difference", "What it changes in the base definition", (parts,))


def _settings(study: Study) -> str:
    best = study.best
    rows = [(name, value_text(best.params[name])) for name in study.axes if best and name in best.params]
    return table("Its settings", ("setting", "value"), rows, left=2) if rows else ""


def duration(seconds: float) -> str:
    """A length of time for people: `3 h 5 min`, `2 min 10 s`, `4.2 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"
