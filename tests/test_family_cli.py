"""Ways of training on the command line: what can be asked for, and every diagnostic of theirs, whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnlang.cli.ways import Wish
from nnlang.codes import ranks as codes
from nnlang.diagnostics import Diagnostic, Stop, render
from nnlang.runtime.averaging import Averaging
from nnlang.runtime.devices import CPU
from nnlang.runtime.lbfgs import Lbfgs
from nnlang.runtime.mesh import ALONE_MESH
from nnlang.runtime.shared import Asynchronous
from nnlang.runtime.together import PLAIN
from tests.conftest import Golden
from tests.family import noisy, plain

GOLDEN = Path(__file__).parent / "family_errors"
Case = Callable[[], object]


def asked(devices: int = 4, flags: dict[str, Any] | None = None, **wish: Any) -> Any:
    """The way that options ask for."""
    asked_ = Wish(**wish)
    asked_.check(devices, flags or {})
    return asked_.way()


def told(*, converged: bool = False) -> None:
    """Raises the first note of an L-BFGS run."""
    problem = plain(epochs=60, lambda_=1.0) if converged else noisy(lambda1=0.0, epochs=1)
    raise Stop(problem.run(Lbfgs())[0].notes[0])


def not_reproducible() -> None:
    raise Stop(plain(epochs=1).run(Asynchronous(), 2)[0].notes[0])


CASES: dict[str, Case] = {
    "NN820": lambda: plain(batch=3).run(Averaging(2), 4),
    "NN821": lambda: Asynchronous().program(
        plain().network, plain().training, 8, replace(CPU, kind="cuda"), ALONE_MESH.placement, ALONE_MESH
    ),
    "NN822": lambda: (_ for _ in ()).throw(
        Stop(Diagnostic(codes.NO_SHARED_MEMORY, None, {"needed": "3.1 GiB", "folders": "/dev/shm nor /tmp"}))
    ),
    "NN823": not_reproducible,
    "NN824": told,
    "NN825": lambda: noisy(lambda1=1e-4).run(Lbfgs()),
    "NN826": lambda: told(converged=True),
    "NN827": lambda: (_ for _ in ()).throw(Stop(Diagnostic(codes.RANKS_DRIFT))),
    "NN828": lambda: asked(1, sync_every=4),
}


@pytest.mark.parametrize("code", CASES)
def test_findings_read_as_blessed(code: str, golden: Golden) -> None:
    with pytest.raises(Stop) as stopped:
        CASES[code]()
    found = render(stopped.value.diagnostics) + "\n"
    assert f"[{code}]" in found
    golden(GOLDEN / f"{code}.err", found)


def test_options_name_ways() -> None:
    assert asked() == PLAIN
    assert asked(sync_every=4) == Averaging(4)
    assert asked(asynchronous=True, parallel="data") == Asynchronous()
    assert asked(1, lbfgs=True, deterministic=True, flags={"batch": 3, "seed": 1, "alpha": None}) == Lbfgs()


@pytest.mark.parametrize(
    ("wish", "flags"),
    [
        ({"sync_every": 0}, {}),
        ({"sync_every": 4, "asynchronous": True}, {}),
        ({"lbfgs": True, "asynchronous": True}, {}),
        ({"sync_every": 4, "deterministic": True}, {}),
        ({"asynchronous": True, "deterministic": True}, {}),
        ({"sync_every": 4, "parallel": "model"}, {}),
        ({"lbfgs": True, "parallel": "Output=split"}, {}),
        ({"lbfgs": True}, {"optimizer": "Adam"}),
        ({"lbfgs": True}, {"shuffle": False}),
        ({"gpu_memory": "24 apples"}, {}),
    ],
)
def test_what_cannot_be_had_together_is_refused(wish: dict[str, Any], flags: dict[str, Any]) -> None:
    with pytest.raises(Stop) as stopped:
        asked(flags=flags, **wish)
    assert stopped.value.exit_code == 2


@pytest.mark.parametrize("wish", [{"sync_every": 4}, {"asynchronous": True}])
def test_what_takes_several_devices_is_refused_on_one(wish: dict[str, Any]) -> None:
    with pytest.raises(Stop, match="there is one device"):
        asked(1, **wish)
