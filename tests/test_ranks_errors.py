"""Every diagnostic on ranks, whole: tests/ranks_errors/<code>.err is what people read; `--bless` writes them anew."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nnlang.cli import ranks as cli
from nnlang.codes import ranks as codes
from nnlang.diagnostics import Code, Stop, render, stop
from nnlang.runtime import devices, launch, links, meeting, mesh
from nnlang.runtime.collective import Group
from nnlang.runtime.mesh import Mesh
from nnlang.runtime.world import world
from tests.conftest import Golden

GOLDEN = Path(__file__).parent / "ranks_errors"
STAND_IN = "import os, sys; rank = int(os.environ['RANK']); folder = os.environ['NNLANG_RANKS']; "
LOST = STAND_IN + "open(f'{folder}/lost-{rank}', 'w').write('Connection closed by peer [10.0.0.2]:4711'); sys.exit(5)"
OURS = [row for row in vars(codes).values() if isinstance(row, Code) and row.code < "NN810"]
Case = Callable[[pytest.MonkeyPatch], object]


def ended(work: str) -> Case:
    """Ranks that end so."""
    return lambda patch: launch.start(2, (work,), (sys.executable, "-c"))


def disagree(patch: pytest.MonkeyPatch) -> object:
    """The third of three ranks has another definition."""
    told = [{"versions": "1", "definition": "7f" * 32}] * 2 + [{"versions": "1", "definition": "a0" * 32}]
    patch.setattr(Mesh, "everyone", lambda self, value: told)
    return Mesh(0, 3).agree(told[0])


def place(**given: str) -> Case:
    """The environment has these variables."""

    def case(patch: pytest.MonkeyPatch) -> object:
        for name, value in given.items():
            patch.setenv(name, value)
        return world()

    return case


def nobody_comes(patch: pytest.MonkeyPatch) -> object:
    """One rank of four."""
    place(RANK="0", WORLD_SIZE="4", NNLANG_RANKS="ranks")(patch)
    Path("ranks").mkdir()
    patch.setattr(meeting, "JOINING", 0.6)
    return mesh.join()


def other_devices(patch: pytest.MonkeyPatch) -> object:
    """--devices 2 where torchrun has started four."""
    place(RANK="0", WORLD_SIZE="4", MASTER_ADDR="here", MASTER_PORT="1")(patch)
    return cli.start(2, "train")


def too_few(patch: pytest.MonkeyPatch) -> object:
    """Four ranks, and torch sees one GPU."""
    place(RANK="0", WORLD_SIZE="4", LOCAL_WORLD_SIZE="4", NNLANG_RANKS="ranks")(patch)
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "device_count", lambda: 1)
    return devices.find()


def broken_link(patch: pytest.MonkeyPatch) -> object:
    """Ranks 0 and 1 do not hear one another."""

    def measured(*given: object) -> object:
        raise stop(codes.LOST, reason="Timed out waiting 25000ms for recv operation to complete")

    patch.setattr(links, "_measured", measured)
    patch.setattr(Mesh, "lay", lambda self, placement: Mesh(0, 2, placement, model=Group.__new__(Group)))
    return list(links.links(Mesh(0, 2), devices.CPU, [{"host": "first"}, {"host": "second"}]))


def restarted(patch: pytest.MonkeyPatch) -> object:
    """torchrun has started all anew, once."""
    place(RANK="0", WORLD_SIZE="1", TORCHELASTIC_RESTART_COUNT="1")(patch)
    return cli.is_restarted(mesh.join())


CASES: dict[str, Case] = {
    "NN800": ended(STAND_IN + "os.kill(os.getpid(), 9) if rank else sys.exit(0)"),
    "NN801": ended(LOST),
    "NN802": disagree,
    "NN803": nobody_comes,
    "NN804": place(RANK="0", WORLD_SIZE="two"),
    "NN805": other_devices,
    "NN806": too_few,
    "NN807": broken_link,
    "NN808": restarted,
}


@pytest.mark.parametrize("code", CASES)
def test_findings_read_as_blessed(
    code: str, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        CASES[code](monkeypatch)
        text = capsys.readouterr().err
    except Stop as stopped:
        text = render(stopped.diagnostics) + "\n"
    assert text.count("[NN") == 1 and f"[{code}]" in text
    golden(GOLDEN / f"{code}.err", text)


def test_every_code_has_a_case() -> None:
    assert {row.code for row in OURS} == set(CASES)


@pytest.mark.parametrize("there", [4, 8])
def test_each_rank_takes_its_own_gpu(there: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    place(RANK="6", WORLD_SIZE="8", LOCAL_RANK="2", LOCAL_WORLD_SIZE="4", NNLANG_RANKS="x")(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    devices._take_own_gpu()
    assert taken == [2]
