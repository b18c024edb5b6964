"""Reports: what stands on the pages, that nothing is fetched, that no name can break out, that bytes repeat."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plotly import graph_objects
from plotly.offline import get_plotlyjs

from nnlang.cli.sweep_report import report
from nnlang.codes import reporting as codes
from nnlang.diagnostics import Code, Diagnostic, Stop, render
from nnlang.reports import definitions, evidence, sweep, training
from nnlang.reports.page import escape
from nnlang.reports.plots import label
from nnlang.search import events
from nnlang.search.study import State, Study, Trial
from tests import studies
from tests.conftest import Golden
from tests.html_pages import Page

GOLDEN = Path(__file__).parent / "usage_errors"
FIGURES = {"test", "cloud", "history", "parallel", "importance", "bounds", "learning"}
HOSTILE = "\"'`><script>alert(1)</script></script><b>&amp;%{x}$\\u003c\u202e\u2066\x1b[31m<!--"
LOADING = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href"}


def written(study: Study) -> Page:
    """The report of a study."""
    target = study.folder / "report.html"
    sweep.write(study, target)
    return Page(target.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A furnished sweep of 40 trials."""
    study = studies.study(tmp_path_factory.mktemp("sweep"), 40)
    studies.furnish(study)
    return study


@pytest.fixture(scope="module")
def page(made: Study) -> Page:
    return written(made)


def test_every_figure_is_there_with_words(page: Page) -> None:
    named = {str(a["id"]): a for a in page.all("div") if a.get("class") == "plot"}
    slices = {f"slice-{place}" for place in range(len(studies.AXES))}
    assert set(named) == set(page.plots()) == FIGURES | slices
    assert all(len(a["aria-label"] or "") > 30 and a["role"] == "img" for a in named.values())
    assert page.text.count("One mark a trial") >= 3
    headings = [tag for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1" and headings.count("h1") == 1 and headings.count("h3") == len(slices)


def test_plotly_takes_every_figure(page: Page) -> None:
    for name, plot in page.plots().items():
        figure = graph_objects.Figure(data=plot["data"], layout=plot["layout"])  # raises for what it does not know
        assert figure.data, name
        for selector in plot["selectors"]:
            for choice in selector:
                graph_objects.Figure(data=plot["data"], layout=plot["layout"]).update_layout(choice["frame"])


def test_nothing_is_fetched_and_only_our_scripts_run(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base", "form", "video", "audio")
        loads = {k: v for k, v in attributes.items() if k in LOADING and not str(v).startswith("#")}
        assert not loads and not any(key.startswith("on") for key in attributes), (tag, attributes)
    run = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = {f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in run}
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == rules["connect-src"] == "'none'" and set(rules["script-src"].split()) == hashes
    assert "http" not in page.policy and "url(" not in sweep.page.__globals__["STYLE"]


def test_the_head_says_what_and_how(page: Page, made: Study) -> None:
    best = made.best
    assert best is not None
    for words in (
        "ndcg@100: gain by place",
        "TPE",
        "40 of 40",
        f"trial {best.number}: {best.value:.5f}",
        "12 min 34 s",
    ):
        assert words in page.text, words
    assert "--method TPE --trials 40 --metric ndcg@100 --seed 7" in page.text and "optuna 5.0.0" in page.text


def test_the_same_folder_gives_the_same_bytes(made: Study, tmp_path: Path) -> None:
    one, other = tmp_path / "a.html", tmp_path / "b.html"
    size = sweep.write(made, one).size
    sweep.write(made, other)
    assert one.read_bytes() == other.read_bytes() and size == one.stat().st_size


def test_the_table_has_every_trial_with_its_settings(page: Page, made: Study) -> None:
    rows = [a for a in page.all("tr") if "data-state" in a]
    assert [row["data-state"] for row in rows] == [trial.state.value for trial in made.trials]
    assert [row.get("class") for row in rows].count("best") == 1 and rows[0].get("class") == "base"
    options = [a.get("value") for a in page.all("option") if a.get("value") is not None]
    assert options == ["", *sorted({trial.state.value for trial in made.trials})]
    assert len(list(page.all("button"))) >= len(studies.AXES) + 5  # heads are buttons, so that keys reach them


def test_the_winner_is_shown_with_its_difference(page: Page, made: Study) -> None:
    kinds = [a.get("class") for a in page.all("span")]
    assert {"key", "text", "numeral", "plus", "minus", "place", "same"} <= set(kinds)
    best = made.best
    assert best is not None and f"The best definition: trial {best.number}" in page.text
    assert f'"N": {best.params["Layers.Hidden.N"]}' in page.text


def test_the_test_part_stands_beside_its_baselines(page: Page) -> None:
    assert "0.41200 [0.40100, 0.42300]" in page.text and "winner (trial 17) minus base definition" in page.text
    assert "strong, seed 1, fraction 0.2" in page.text
    (trace,) = page.plots()["test"]["data"]
    assert trace["x"] == [0.421, 0.352, 0.231, 0.389, 0.412]
    assert trace["error_x"]["array"] == pytest.approx([0.011] * 5)


def test_figures_tell_the_trials_numbers(page: Page, made: Study) -> None:
    drawn = {trace["name"]: trace for trace in page.plots()["history"]["data"]}
    for state, words in ((State.FINISHED, "finished"), (State.PRUNED, "pruned")):
        of = [t for t in made.trials if t.state is state and t.number]
        assert drawn[words]["x"] == [t.number for t in of]
        assert drawn[words]["y"] == pytest.approx([t.value for t in of])
    assert drawn["best so far"]["y"] == sorted(drawn["best so far"]["y"])
    assert drawn["best so far"]["y"][-1] == pytest.approx(made.best and made.best.value)
    curves = page.plots()["learning"]["data"]
    points = sum(y is not None for trace in curves for y in trace["y"])
    best, base = made.best, made.base
    assert best and base and points == sum(len(t.values) for t in made.trials)
    assert [line["x0"] for line in page.plots()["learning"]["layout"]["shapes"]] == list(studies.RUNGS)


def test_a_conditional_axis_is_told_from_its_lowest_value(page: Page, made: Study) -> None:
    without = [t.number for t in made.trials if t.params and "training.alpha" not in t.params and t.value is not None]
    assert without
    plot = page.plots()["parallel"]
    lowest = [y for trace in plot["data"] for y in trace["y"] if y is not None]
    assert min(lowest) < 0 and any(note["text"] == "not active" for note in plot["layout"]["annotations"])
    place = studies.AXES.index("training.alpha")
    choice = page.plots()["cloud"]["selectors"][0][place]
    bar = choice["frame"]["coloraxis"]["colorbar"]
    assert bar["ticktext"][0] == "not active" and choice["frame"]["coloraxis"]["cmin"] == bar["tickvals"][0]
    assert page.plots()[f"slice-{place}"]["layout"]["xaxis"]["type"] == "log"


def test_the_cloud_can_be_coloured_by_every_axis_and_laid_over_every_cost(page: Page) -> None:
    chosen = [a for a in page.all("select") if a.get("data-plot") == "cloud"]
    colour, cost = page.plots()["cloud"]["selectors"]
    assert len(chosen) == 2 and len(colour) == len(studies.AXES) and len(cost) == 3  # seconds, epochs, parameters
    marked = [trace for trace in page.plots()["cloud"]["data"] if trace.get("meta") == "chosen"]
    for choice in colour:
        assert len(choice["traces"]["marker.color"]) == len(marked)
    for choice in cost:
        assert [len(x) for x in choice["traces"]["x"]] == [len(trace["x"]) for trace in marked]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    axes = (HOSTILE, "Layers." + HOSTILE)

    def draw(source: random.Random) -> dict[str, Any]:
        return {axes[0]: source.choice([HOSTILE, "b", None, {"Step": HOSTILE}]), axes[1]: source.random()}

    study = replace(studies.study(tmp_path, 30, draw=draw), name=HOSTILE, method=HOSTILE, axes=axes)
    worse = tuple(replace(t, error=HOSTILE) for t in study.trials)
    study = replace(study, trials=worse)
    studies.furnish(study)
    best = study.best
    assert best is not None
    (evidence.trial_folder(tmp_path, best.number) / "definition.json").write_text(HOSTILE + "\n" + HOSTILE)
    judged = studies.judged()
    judged["rows"][0]["name"] = judged["protocol"]["name"] = judged["paired"]["ndcg@100"][0]["one"] = HOSTILE
    (tmp_path / "test.json").write_text(json.dumps(judged))
    found = written(study)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    run = [one for attributes, one in found.scripts if "type" not in attributes]
    assert len(run) == 3 and all("alert(1)" not in one for one in run)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)
    assert not any(key.startswith("on") for _, attributes in found.elements for key in attributes)
    assert not [tag for tag, _ in found.elements if tag == "b"]
    for name, plot in found.plots().items():
        for words in strings(plot):
            assert "<script" not in words and "<b>&" not in words, (name, words)


def strings(value: Any) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for one in value.values() for text in strings(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in strings(one))


@given(st.text(max_size=30))
@settings(max_examples=200)
def test_any_text_stays_text(text: str) -> None:
    assert not set(escape(text)) & set("<>\"'") and not set(label(text)) & set("<>")
    seen = Page(f"<p>{escape(text)}</p>")
    assert [tag for tag, _ in seen.elements] == ["p"]
    assert "<" not in definitions.highlighted(text).replace("<pre", "").replace("<span", "").replace("</", "").replace(
        "<code", ""
    )


LIBRARY = get_plotlyjs()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
TRIALS = st.lists(
    st.tuples(
        st.sampled_from(State),
        st.dictionaries(st.sampled_from(["a", "b.fold", "c"]), JSON),
        st.lists(st.floats(width=32), max_size=4),
    ),
    min_size=1,
    max_size=14,
)


@given(TRIALS)
@settings(max_examples=20, deadline=None)
def test_any_study_has_a_page(found: list[tuple[State, dict[str, Any], list[float]]]) -> None:
    trials = tuple(
        Trial(
            number,
            state,
            {} if number == 0 else params,
            1,
            tuple(enumerate(values, 1)),
            max(values) if values and not any(map(math.isnan, values)) else None,
            1,
            len(values),
            0.5 * number,
        )
        for number, (state, params, values) in enumerate(found)
    )
    study = Study(Path("nowhere"), "any", studies.ndcg(), "Random", 5, ("a", "b.fold", "c"), trials)
    text = "".join(sweep.sweep_page(study, evidence.NOTHING)).replace(LIBRARY, "")
    for name, plot in Page(text).plots().items():
        assert graph_objects.Figure(data=plot["data"], layout=plot["layout"]).data, name


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    study = studies.study(tmp_path, 5)
    found = written(study)
    assert "It takes 10 finished or stopped trials at least" in found.text
    assert "Intervals are not known" in found.text and "sweep best" in found.text
    assert "Its text is not there" in found.text and "test" not in found.plots()
    base = replace(study, trials=study.trials[:1], axes=())
    found = written(base)
    assert "It takes two settings at least" in found.text and "the base definition itself" in found.text
    waiting = replace(study, trials=(Trial(0, State.WAITING),))
    assert "No trial has been judged yet" in written(waiting).text and not written(waiting).plots()


def test_damaged_evidence_is_left_out_with_a_warning(tmp_path: Path) -> None:
    study = studies.study(tmp_path, 12)
    studies.furnish(study)
    best = study.best
    assert best is not None
    folder = evidence.trial_folder(tmp_path, best.number)
    (folder / "validation.json").write_text('{"values": ["many"]}')
    (folder / "trial.json").write_text("{")
    (tmp_path / "test.json").write_text('{"metrics": ["ndcg@100"], "rows": [{"name": "w", "values": {"ndcg@100": 1}}]}')
    (evidence.trial_folder(tmp_path, 0) / "definition.json").unlink()
    (evidence.trial_folder(tmp_path, 0) / "definition.json").mkdir()
    notices = sweep.write(study, tmp_path / "report.html").notices
    assert [notice.code for notice in notices] == [codes.NOT_IN_THE_REPORT] * 4
    reasons = [notice.facts["reason"] for notice in notices]
    assert reasons[0] == 'it has no list "values" of numbers' and reasons[1] == "it is no JSON"
    assert "row `w`" in str(reasons[-1])


@pytest.mark.parametrize("count", [2_100, pytest.param(10_000, marks=pytest.mark.full)])
def test_many_trials_still_make_a_page(tmp_path: Path, count: int) -> None:
    study = studies.study(tmp_path, count)
    target = tmp_path / "report.html"
    size = sweep.write(study, target).size
    found = Page(target.read_text(encoding="utf-8").replace(LIBRARY, ""))
    assert size < 25_000_000
    plots = found.plots()
    kinds = {name: {trace["type"] for trace in plot["data"]} for name, plot in plots.items()}
    assert "scattergl" in kinds["cloud"] and kinds["slice-0"] == kinds["parallel"] == {"scatter"}
    assert sum(len(trace["x"]) for trace in plots["slice-0"]["data"]) <= 2_000
    assert "'unsafe-eval'" in found.policy and "connect-src 'none'" in found.policy


def test_a_sweep_is_reported_from_its_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = events.Log(tmp_path / events.NAME)
    log.append("sweep", name="s", metric="ndcg@10", method="Grid", total=1, axes=["a"], seed=3)
    log.append("asked", number=0, params={}, seed=1)
    log.append("finished", number=0, epochs=2, values=[[1, 0.1], [2, 0.2]], seconds=1.0)
    log.close()
    report(tmp_path, None)
    assert capsys.readouterr().out.startswith("wrote ")
    assert "the base definition itself: 0.20000" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def no_metrics() -> object:
    return training.write([Path("gl.nc")], Path("report.html"))


def bad_metrics() -> object:
    Path("gl.nc.metrics.jsonl").write_text("epoch 1: 0.5\n")
    return no_metrics()


def left_out() -> object:
    study = studies.study(Path("runs"), 1)
    Path("runs").mkdir()
    Path("runs/test.json").write_text("{}")
    return sweep.write(study, Path("report.html")).notices


def no_trials() -> object:
    return sweep.write(Study(Path("runs"), "s", studies.ndcg(), "TPE", 5, (), ()), Path("report.html"))


CASES = {"NN796": no_metrics, "NN797": bad_metrics, "NN798": left_out, "NN799": no_trials}


@pytest.mark.parametrize("code", sorted(row.code for row in vars(codes).values() if isinstance(row, Code)))
def test_findings_read_as_blessed(code: str, tmp_path: Path, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        found = CASES[code]()
    except Stop as error:
        found = error.diagnostics
    assert isinstance(found, tuple) and all(isinstance(one, Diagnostic) for one in found)
    golden(GOLDEN / f"{code}.err", render(found) + "\n")
