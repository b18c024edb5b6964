"""The gradient check: it passes for every structure, and a wrong formula does not get past it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnlang import formulas, grad
from nnlang.expressions import Var
from nnlang.formulas import ACTIVATIONS, LOSSES, ActivationRow
from nnlang.network import Activation, ErrorFunction
from nnlang.ops import Op, Pool
from nnlang.runtime.validate import Check, gradient_check
from tests.drawn import thinned
from tests.networks import build, hidden, output, source
from tests.oracle_cases import Case, draw, structure_cases
from tests.programs import datasets


def checked(case: Case) -> list[Check]:
    return gradient_check(case.network, datasets(case))


@pytest.mark.parametrize("thin", [False, True], ids=["crowded", "thin"])
@pytest.mark.parametrize("case", [*structure_cases()], ids=lambda c: c.name)
def test_structures_pass(case: Case, thin: bool) -> None:
    checks = checked(thinned(case) if thin else case)
    assert all(c.passed for c in checks), [c for c in checks if not c.passed]
    owners = [w for w in case.network.weights if w.owner is None]
    norms = sum(layer.batch_normalization for layer in case.network.layers)
    assert len(checks) == len(owners) + len(case.network.weights) + 2 * norms
    assert all(c.tested > 0 and ("->" in c.name or "batch norm" in c.name) for c in checks)


def plain(activation: Activation = Activation.TANH) -> Case:
    rows = [source("In", 5), hidden("Hidden", 4, "In", activation=activation), output("Out", 3, "Hidden")]
    return draw("plain", build("plain", rows))


def test_a_wrong_slope_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ACTIVATIONS[Activation.TANH]
    wrong = ActivationRow(row.value, 1 - 0.98 * Var("a") * Var("a"))
    assert all(c.passed for c in checked(plain()))
    monkeypatch.setitem(formulas.ACTIVATIONS, Activation.TANH, wrong)  # type: ignore[arg-type]
    checks = {c.name: c for c in checked(plain())}
    assert not checks["weight In -> Hidden"].passed and not checks["bias In -> Hidden"].passed
    assert checks["weight Hidden -> Out"].passed


def test_a_wrong_delta_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    row = LOSSES[ErrorFunction.CROSS_ENTROPY]
    monkeypatch.setitem(formulas.LOSSES, ErrorFunction.CROSS_ENTROPY, replace(row, delta=1.01 * row.delta))  # type: ignore[arg-type]
    assert not any(c.passed for c in checked(plain()) if c.name == "weight Hidden -> Out")


def test_a_lost_adjoint_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(pool: Pool, x: Op, y: Op) -> Op:
        return x

    monkeypatch.setattr(grad, "add", first)
    rows = [source("In", 5), hidden("A", 4, "In"), hidden("B", 4, "A", skips=("A",)), output("Out", 3, "B")]
    assert not all(c.passed for c in checked(draw("skip", build("skip", rows))))


def test_what_changes_deltas_only_is_off() -> None:
    case = plain()
    boosted = replace(case.network.loss, boost_one=5.0)
    layers = tuple(replace(x, delta_norm=1e-3) if x.sources else x for x in case.network.layers)
    changed = replace(case, network=replace(case.network, loss=boosted, layers=layers))
    assert all(c.passed for c in checked(changed))
