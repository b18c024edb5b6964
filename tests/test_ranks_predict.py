"""Predictions by several ranks: merged lists beside sorting all scores, files beside those of one device, a death."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.cli import run_command
from nnlang.codes import ranks as codes
from nnlang.diagnostics import DEVICE, Stop, stop
from nnlang.network import Preparation, Step
from nnlang.placement import Placement
from nnlang.runtime import launch, merge
from nnlang.runtime import predict as predicting
from nnlang.runtime.dataset import sparse_set
from nnlang.runtime.devices import CPU, Device, find
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.model import Model, load, save
from nnlang.runtime.portions import agree, described, placed
from nnlang.runtime.predict import Request, predict
from nnlang.runtime.preparation import fit, recorded
from nnlang.runtime.recs import NotFinite, Top, chosen, top
from tests.predict_ranks import COMMAND, RANKS, USERS, random_model, request, wide, write_texts
from tests.ranks import meshed

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, -np.inf, 1e-40])
ODD = st.sampled_from([np.nan, np.inf])
ENDS = frozenset({0, 2})


@settings(deadline=None, max_examples=150)
@given(data=st.data(), k=st.integers(1, 12))
def test_merged_lists_are_those_of_all_scores(data: st.DataObject, k: int) -> None:
    """Ties go to the lower unit, -inf is nothing, NaN and infinity are told with the same row."""
    units, rows = data.draw(st.integers(1, 20)), data.draw(st.integers(0, 4))
    cuts = sorted(data.draw(st.sets(st.integers(1, units - 1), max_size=3))) if units > 1 else []
    number = NUMBERS | ODD if data.draw(st.booleans()) else NUMBERS
    scores = torch.tensor(
        data.draw(st.lists(st.lists(number, min_size=units, max_size=units), min_size=rows, max_size=rows))
    ).view(rows, units)
    lists = [
        merge.packed(partial(top, scores[:, a:b].clone(), k), rows, min(k, b - a), a)
        for a, b in pairwise([0, *cuts, units])
    ]
    found, wanted = (_outcome(f) for f in (lambda: chosen(merge.merged(lists, k)), lambda: top(scores, k)))
    assert found == wanted


def _outcome(found: Callable[[], Top]) -> Any:
    """Lists with their bits, zeros of one sign; or the row that is not finite."""
    try:
        best = found()
    except NotFinite as bad:
        return bad.row
    there = best.feature >= 0
    return best.feature.tolist(), np.where(there, best.score + 0.0, 0).tolist()


@given(examples=st.integers(0, 50), size=st.integers(1, 20), groups=st.integers(1, 5))
def test_every_example_has_its_turn_once(examples: int, size: int, groups: int) -> None:
    rota = merge.Rota(examples, size, groups)
    spans = [rota.span(batch) for batch in range(rota.batches)]
    assert [i for first, rows in spans for i in range(first, first + rows)] == list(range(examples))
    for group in range(groups):
        mine = [range(a, a + n) for batch, (a, n) in enumerate(spans) if rota.group(batch) == group]
        assert rota.of(group).tolist() == [i for span in mine for i in span]


PLACES: dict[str, tuple[int, str | None, Placement]] = {
    "one": (1, None, Placement()),
    "two": (2, None, Placement(2, 1, ENDS)),
    "as many as can": (8, None, Placement(8, 1, ENDS)),
    "more than can": (16, None, Placement(8, 2, ENDS)),
    "an odd number": (11, None, Placement(1, 11)),
    "rows": (4, "data", Placement(1, 4)),
    "both": (4, "data=2", Placement(2, 2, ENDS)),
    "by layer": (2, "Input=whole", Placement(2, 1, frozenset({2}))),
}


@pytest.mark.parametrize("case", PLACES)
def test_how_ranks_share_the_work(case: str) -> None:
    ranks, parallel, expected = PLACES[case]
    assert placed(wide(), ranks, parallel, False, 1024) == expected


@pytest.mark.parametrize(
    ("ranks", "parallel", "code"),
    [(2, "Nobody=split", "NN812"), (3, "data=2", "NN814"), (2, "rows", "NN811"), (1, "Output=split", "NN813")],
)
def test_what_cannot_be_shared_so_is_told(ranks: int, parallel: str, code: str) -> None:
    with pytest.raises(Stop, match=code):
        placed(wide(), ranks, parallel, False, 1024)


CASES: dict[str, dict[str, Any]] = {
    "best": {},
    "without what is known": {"filter": "signals"},
    "scaled": {"filter": "scales", "filter_mode": "scale", "header": True},
    "as JSON": {"json": True, "k": 1},
    "in one batch": {"batch": 1024, "filter": "signals"},
    "more than there is": {"k": 5000, "batch": 64},
    "all units": {"raw": True, "batch": 64},
    "a hidden layer": {"layer": "Hidden"},
}
WAYS = {
    "units": Placement(4, 1, ENDS),
    "rows": Placement(1, 4),
    "both": Placement(2, 2, ENDS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Texts, a model, and what one device with one thread recommends."""
    made, before = tmp_path_factory.mktemp("predict"), torch.get_num_threads()
    save(random_model(wide()), made / "model.nc")
    write_texts(made, 2040)
    torch.set_num_threads(1)
    (made / "alone").mkdir()
    model = load(made / "model.nc")
    for name, options in CASES.items():
        predict(model, replace(request(made, name, **options), output=made / "alone" / name))
    yield made
    torch.set_num_threads(before)


def in_threads(
    monkeypatch: pytest.MonkeyPatch, placement: Placement, model: Model, asked: Request, device: Device = CPU
) -> list[predicting.Prediction]:
    """What the ranks of a placement say, as threads; tensors from rank to rank go through queues."""
    in_turn = device.kind == "interpret"
    post: defaultdict[tuple[int, int], queue.Queue[torch.Tensor]] = defaultdict(queue.Queue)

    def send(mesh: Mesh, x: torch.Tensor, rank: int) -> None:
        post[mesh.rank, rank].put(x.clone())

    def receive(mesh: Mesh, x: torch.Tensor, rank: int) -> torch.Tensor:
        if not in_turn:
            return x.copy_(post[rank, mesh.rank].get(timeout=60))
        turn = mesh.__dict__["all"]._turn  # others compute while this one waits
        turn.release()
        try:
            return x.copy_(post[rank, mesh.rank].get(timeout=60))
        finally:
            turn.acquire()

    def same(mesh: Mesh, *_: object) -> Mesh:
        return mesh

    monkeypatch.setattr(merge, "send", send)
    monkeypatch.setattr(merge, "receive", receive)
    monkeypatch.setattr(predicting, "laid", same)
    return meshed(placement, lambda mesh: predict(model, asked, device=device, mesh=mesh), in_turn=in_turn)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_ranks_write_what_one_device_writes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, way: str
) -> None:
    asked = replace(request(folder, case, **CASES[case]), output=tmp_path / "recs")
    told = in_threads(monkeypatch, WAYS[way], load(folder / "model.nc"), asked)
    assert (tmp_path / "recs").read_bytes() == (folder / "alone" / case).read_bytes()
    assert len({(t.samples, t.written, t.unknown, t.nothing_known) for t in told}) == 1
    assert [bool(t.notices) for t in told] == [True, False, False, False]


def values(path: Path) -> tuple[list[list[str]], np.ndarray[Any, Any]]:
    """The features and the scores of a result without filter."""
    pairs = [[p.split(",") for p in line.split("\t")[1].split(":")[:-1]] for line in path.read_text().splitlines()]
    return [[f for f, _ in row] for row in pairs], np.array([[float(v) for _, v in row] for row in pairs])


@pytest.mark.parametrize("deterministic", [True, False], ids=["deterministic", "as it comes"])
def test_a_softmax_over_ranks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deterministic: bool
) -> None:
    model = random_model(wide(activation="SoftMax"), scale=0.3)
    asked = replace(request(folder, "softmax", deterministic=deterministic), output=tmp_path / "alone")
    predict(model, asked)
    in_threads(
        monkeypatch, replace(WAYS["units"], exact=deterministic), model, replace(asked, output=tmp_path / "recs")
    )
    (names, found), (expected_names, expected) = (values(tmp_path / name) for name in ("recs", "alone"))
    assert names == expected_names and np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)
    if deterministic:
        assert (tmp_path / "recs").read_bytes() == (tmp_path / "alone").read_bytes()


def test_ties_over_ranks_go_to_the_lower_feature(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(wide(1100), scale=0.0)
    asked = replace(request(folder, "ties", k=1050), output=tmp_path / "recs")
    in_threads(monkeypatch, Placement(3, 1, ENDS), model, asked)
    names, _ = values(tmp_path / "recs")
    assert names == [[f"i{i}" for i in range(1050)]] * len(names)


def test_scores_that_are_not_finite_are_told_by_the_first_rank(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(wide())
    model.weights[0][0, 0] = np.nan  # of a feature that some users have
    texts: list[str] = []
    for placement in (Placement(), WAYS["units"]):
        with pytest.raises(Stop) as stopped:
            in_threads(monkeypatch, placement, model, replace(request(folder, "bad"), output=tmp_path / "recs"))
        texts.append(str(stopped.value))
    assert texts[0] == texts[1] and "NN755" in texts[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
@pytest.mark.parametrize(
    "way", [Placement(2, 1, ENDS), pytest.param(Placement(1, 2), marks=pytest.mark.full)], ids=["units", "rows"]
)
def test_devices_choose_among_their_units(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Placement
) -> None:
    model, device = random_model(wide(600, hidden=8)), find("interpret", "fp32")
    options: dict[str, Any] = {"filter": "scales", "filter_mode": "scale", "batch": 4, "k": 3}
    (tmp_path / "few").write_text("".join(f"u{u}\ti{u}:i{500 - u}\n" for u in range(6)))
    asked = replace(request(folder, "", **options), signals=tmp_path / "few", output=tmp_path / "alone")
    predict(model, asked, device=device)
    in_threads(monkeypatch, way, model, replace(asked, output=tmp_path / "recs"), device)
    (names, found), (expected_names, expected) = (values(tmp_path / name) for name in ("recs", "alone"))
    assert names == expected_names and np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


def test_what_was_prepared_is_not_prepared_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals go through the model's steps once, whoever works on them."""
    network = wide()
    steps = tuple(Preparation(step, datasets=("gl_input",)) for step in (Step.TF_IDF, Step.ROW_NORM))
    rows = np.random.default_rng(1).integers(0, 2000, size=(50, 20))
    data = sparse_set("gl_input", np.arange(0, 1001, 20), np.sort(rows, axis=1).ravel(), width=2040)
    fitted, _ = fit(replace(network, preparation=steps), {"gl_input": data})
    model = replace(random_model(network), preparation=recorded(fitted))
    asked = replace(request(folder, "prepared"), output=tmp_path / "alone")
    predict(model, asked)
    assert (tmp_path / "alone").read_bytes() != (folder / "alone" / "best").read_bytes()
    for way, placement in WAYS.items():
        in_threads(monkeypatch, placement, model, replace(asked, output=tmp_path / way))
        assert (tmp_path / way).read_bytes() == (tmp_path / "alone").read_bytes()


PROCESSES: dict[str, dict[str, Any]] = {
    **{
        f"{case}, {way}": {**CASES[case], "parallel": way}
        for case, way in zip(CASES, cycle(("auto", "data", "data=2")), strict=False)
    },
    "killed": {"batch": 5},
}


def test_processes_write_what_one_device_writes_and_nothing_where_one_dies(folder: Path, tmp_path: Path) -> None:
    for name in ("signals", "scales", "model.nc"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "cases.json").write_text(json.dumps(PROCESSES))
    with pytest.raises(Stop) as stopped:
        launch.start(RANKS, [str(tmp_path)], COMMAND)
    assert "rank 3 of 4 was killed by signal 9" in str(stopped.value) and stopped.value.exit_code == DEVICE
    for name in set(PROCESSES) - {"killed"}:
        assert (tmp_path / name).read_bytes() == (folder / "alone" / name.rpartition(", ")[0]).read_bytes(), name
    texts = {"signals", "scales", "model.nc", "cases.json"}
    told = {f"{name}.told" for name in PROCESSES}
    assert {path.name for path in tmp_path.iterdir()} == texts | (set(PROCESSES) | told) - {"killed", "killed.told"}


def test_the_command_says_what_a_lost_rank_means(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def died(*_: object) -> None:
        raise stop(codes.RANK_DIED, rank=1, ranks=2, how="was killed by signal 9 (SIGKILL)", remedy="--resume")

    monkeypatch.setattr(launch, "start", died)
    assert run_command(["predict", "-n", "m.nc", "-r", "signals", "-s", "recs", "--devices", "2"]) == DEVICE
    told = capsys.readouterr().err
    assert "error[NN800]: rank 1 of 2 was killed" in told and "nothing was written" in told and "resume" not in told


@pytest.mark.full
@pytest.mark.parametrize(
    ("ranks", "options"), [(2, ()), (3, ()), (4, ("--parallel", "data=2"))], ids=["two", "three", "four"]
)
def test_the_command_on_several_devices(folder: Path, tmp_path: Path, ranks: int, options: tuple[str, ...]) -> None:
    words = [sys.executable, "-m", "nnlang", "predict", "-n", "model.nc", "-r", "signals", "-k", "10", "-b", "20"]
    words += ["-p", "9", "--device", "cpu", "-s", str(tmp_path / "recs"), "--devices", str(ranks), *options]
    given = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=given, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    told = [line.partition("]")[0] for line in done.stderr.splitlines() if line and not line.startswith("  ")]
    assert told[:2] == ["warning[NN756", "note[NN757"] and told[2].startswith(f"{USERS} samples in "), done.stderr
    names, found = values(tmp_path / "recs")
    expected_names, expected = values(folder / "alone" / "best")
    assert names == expected_names and np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


def test_ranks_with_other_models_do_not_begin(folder: Path) -> None:
    _, digest = described(folder / "model.nc", labels=False)

    def begin(mesh: Mesh) -> None:
        agree(mesh, digest if mesh.is_first else "other", {"k": 10}, CPU)

    with pytest.raises(Stop, match="NN802: the ranks do not have the same model"):
        meshed(Placement(2, 1), begin)
    with pytest.raises(Stop, match="NN802: the ranks do not have the same command"):
        meshed(Placement(2, 1), lambda mesh: agree(mesh, digest, {"k": mesh.rank}, CPU))
