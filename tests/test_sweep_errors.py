"""Every diagnostic on running sweeps, whole: tests/running_errors/<code>.err is what people read.

Each case provokes its code in a folder with a sweep file and `done`, a sweep that machines of the coordinator's tests
ran; `--bless` writes the texts anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nnlang.cli.sweep_results import trial_of
from nnlang.codes import sweeping
from nnlang.diagnostics import Code, Diagnostic, Stop, render
from nnlang.search import cluster, events
from nnlang.search.begin import check_folder
from nnlang.search.coordinator import Policy
from nnlang.search.events import NAME, Log, locked, read
from nnlang.search.history import History
from nnlang.search.sampling import sampler
from nnlang.search.study import load
from nnlang.sweeps.sweepfile import load_sweep
from tests.conftest import Golden
from tests.sweeps import written
from tests.test_sweep_coordinator import Broken, Machines, go

GOLDEN = Path(__file__).parent / "running_errors"
CODES = [row for row in vars(sweeping).values() if isinstance(row, Code)]

Case = Callable[[], object]


def again(**changes: object) -> Case:
    """Goes on with a sweep whose file has changed."""
    return lambda: go(load_sweep(written(Path("files"), Trials=1, **changes)), Path("done"), Machines(1, 1), Policy())


def damaged() -> object:
    content = Path("done", NAME).read_bytes()
    Path("done", NAME).write_bytes(content.replace(b'"asked"', b'"esked"', 1))
    return read(Path("done", NAME))


def torn() -> object:
    with Path("done", NAME).open("ab") as stream:
        stream.write(b'{"n":')
    log = Log(Path("done", NAME))
    log.close()
    return log.notices


def busy() -> object:
    with locked(Path("done")), locked(Path("done")):
        pass
    return None


def full() -> object:
    log = Log(Path("done", NAME))
    log.close()
    with Path("/dev/full").open("ab", buffering=0) as log._stream:
        log.append("closed")
    return None


def told_of_a_failure() -> object:
    found: list[Diagnostic] = []
    go(load_sweep(written(Path("files"), Trials=2)), Path("failing"), Broken(1, 1), Policy(9), notice=found.append)
    return tuple(found)


def too_many() -> object:
    go(load_sweep(written(Path("files"), Trials=1)), Path("failing"), Broken(1, 1), Policy(0))
    return None


def interrupted() -> object:
    go(load_sweep(written(Path("files"), Trials=2)), Path("stopped"), Machines(1, 1), Policy(), interrupted=True)
    return None


def too_tight() -> object:
    sweep = load_sweep(written(Path("files"), Method="TPE", Constraints=[["Layers.Hidden.N", ">", 1e-9]]))
    space = type("Never", (), {"allows": lambda self, params: False, "suggest": lambda self, trial: {}})()
    return sampler("TPE", space, 1, sweep.metric, History()).ask(1)


def unreachable() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "WAIT", 0.1)
        return cluster.Cluster("tcp://127.0.0.1:9", 1)


def nothing_held_out() -> object:
    split = {"Protocol": "Holdout", "Validation": 0}
    return go(load_sweep(written(Path("files"), Split=split)), Path("new"), Machines(1, 1), Policy())


CASES: dict[str, Case] = {
    "NN780": lambda: check_folder(Path("done"), False, ["sweep", "run", "sweep.json", "-o", "done"]),
    "NN781": lambda: load(Path("files")),
    "NN782": busy,
    "NN783": damaged,
    "NN784": again(Axes={"Layers.Hidden.N": [4, 16]}),
    "NN785": again(Metric="recall@5"),
    "NN786": too_many,
    "NN787": told_of_a_failure,
    "NN788": too_tight,
    "NN789": lambda: cluster.check_address("tcp://192.0.2.1:8786", insecure=False),
    "NN790": unreachable,
    "NN791": interrupted,
    "NN792": nothing_held_out,
    "NN793": lambda: trial_of(load(Path("done")), 99),
    "NN794": torn,
    "NN795": full,
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep that is done."""
    folder = tmp_path_factory.mktemp("errors")
    go(load_sweep(written(folder / "files", Trials=1)), folder / "done", Machines(1, 1), Policy())
    return folder


def found(case: Case) -> tuple[Diagnostic, ...]:
    try:
        told = case()
    except Stop as stopped:
        return stopped.diagnostics
    assert isinstance(told, tuple)
    return told


@pytest.mark.parametrize("code", CASES)
def test_findings_read_as_blessed(
    code: str, golden: Golden, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code == "NN795" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(events.socket, "gethostname", lambda: "host")
    told = found(CASES[code])
    assert code in {d.code.code for d in told}
    assert all(d.remedy for d in told)
    shown = render(told).replace(str(tmp_path.resolve()) + os.sep, "").replace(f"process {os.getpid()}", "process 1")
    golden(GOLDEN / f"{code}.err", re.sub(r"cannot be used: .*", "cannot be used: REASON", shown) + "\n")


def test_every_code_has_a_case() -> None:
    assert {row.code for row in CODES} == set(CASES) == {path.stem for path in GOLDEN.glob("*.err")}
