"""Scalar expressions: folding, derivatives against differences, the printed torch statements against their meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlang.codegen.expressions import PYTHON, UNARY, Printer, Value
from nnlang.expressions import (
    FUNCTIONS,
    INFIX,
    ONE,
    ZERO,
    Call,
    Const,
    Expr,
    Var,
    call,
    calls,
    derivative,
    expr,
    occurrences,
    substitute,
    variables,
)
from nnlang.formulas import ACTIVATIONS, LOSSES, MARGINS, OPTIMIZERS, REGULARISED
from nnlang.network import Activation, ErrorFunction
from nnlang.runtime.interpreter import compute

X, Y = Var("x"), Var("y")


def number(e: Expr, values: Mapping[str, float]) -> float:
    """The value of an expression in Python numbers."""
    match e:
        case Const(value):
            return value
        case Var(name):
            return values[name]
        case Call(function, args):
            return FUNCTIONS[function](*(number(a, values) for a in args))
    raise AssertionError(e)


def test_neutral_elements_go_and_constants_fold() -> None:
    assert X + 0 == X and 0 + X == X and X - 0 == X and 0 - X == -X and call("neg", -X) == X
    assert X * 1 == X and 1 * X == X and X / 1 == X and X * 0 == ZERO and 0 * X == ZERO and 0 / X == ZERO
    assert expr(2) * 3 + 4 == Const(10.0) and call("sqrt", 4) == Const(2.0) and call("gt", 1, 0) == ONE
    assert str((X + 1) * Y) == "((x + 1.0) * y)" and str(call("max", X, 0)) == "max(x, 0.0)"


def test_substitution_simplifies() -> None:
    e = Var("p") * X + (1 - Var("p")) * Y
    assert substitute(e, {"p": ONE}) == X and substitute(e, {"p": ZERO}) == Y
    assert variables(e) == {"p", "x", "y"} and occurrences(e, "p") == 2 and calls(e) == 4


SMOOTH = ("add", "sub", "mul", "div", "neg", "sqrt", "exp")


def expressions(leaves: st.SearchStrategy[Expr], functions: tuple[str, ...]) -> st.SearchStrategy[Expr]:
    """Random expressions whose functions stay where they are defined."""

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.builds(safe, st.sampled_from(functions), inner, inner)

    return st.recursive(leaves, grow, max_leaves=8)


def safe(function: str, a: Expr, b: Expr) -> Expr:
    """The call, with an argument that the function takes."""
    if function in ("sqrt", "log"):
        return call(function, 0.5 + a * a)
    if function == "log1p":
        return call(function, a * a)
    if function in ("exp", "expm1"):
        return call(function, -(a * a))
    if function == "div":
        return a / (1 + b * b)
    return call(function, a) if function in (*UNARY, "softplus") else call(function, a, b)


NUMBERS = st.sampled_from((-1.5, -0.25, 0.5, 2.0)).map(expr)


@given(e=expressions(st.sampled_from((X, Y)) | NUMBERS, SMOOTH), x=st.floats(-1.5, 1.5), y=st.floats(-1.5, 1.5))
@settings(max_examples=200, deadline=None)
def test_derivatives_are_differences(e: Expr, x: float, y: float) -> None:
    step = 1e-5
    value = number(e, {"x": x, "y": y})
    assume(abs(value) < 1e3)
    found = number(derivative(e, "x"), {"x": x, "y": y})
    above, below = (number(e, {"x": x + d, "y": y}) for d in (step, -step))
    assume(abs(found) < 1e3)
    assert found == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-4)


POINTS = (-3.0, -0.7, -0.05, 0.05, 0.4, 2.5)
PARAMETERS = {"slope": 0.1, "elu_alpha": 1.5, "selu_lambda": 1.1}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name.lower())
def test_slopes_of_activations_are_differences(activation: Activation) -> None:
    row = ACTIVATIONS[activation]
    for z in POINTS:
        a, above, below = (number(row.value, {**PARAMETERS, "z": z + d}) for d in (0.0, 1e-6, -1e-6))
        slope = number(row.slope, {**PARAMETERS, "a": a})
        assert slope == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("function", LOSSES, ids=lambda f: f.name.lower())
def test_deltas_of_losses_are_differences(function: ErrorFunction) -> None:
    row = LOSSES[function]
    fixed = {"w": 1.3, "one_scale": 3.0, "zero_scale": 0.5, "one_target": 0.9, "zero_target": 0.1}
    margins = {name: number(e, {**fixed, "a": 0.45}) for name, e in MARGINS.items()}
    for a in (0.2, 0.45, 0.8):
        for t, p in ((1.0, 1.0), (0.0, 0.0), (0.7, 1.0)):
            values = {**fixed, **margins, "t": t, "p": p}
            above, below = (number(row.value, {**values, "a": a + d}) for d in (1e-6, -1e-6))
            by_a = (above - below) / 2e-6
            expected = by_a * a * (1 - a) if row.by_z else by_a
            assert number(row.delta, {**values, "a": a}) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_every_formula_is_made_of_known_functions() -> None:
    rows: list[Expr] = [e for a in ACTIVATIONS.values() for e in (a.value, a.slope)]
    rows += [e for x in LOSSES.values() for e in (x.value, x.delta)]
    rows += [e for o in OPTIMIZERS.values() for _, e in o.body] + [e for r in REGULARISED.values() for _, e in r]

    def known(e: Expr) -> bool:
        return not isinstance(e, Call) or (e.function in FUNCTIONS and all(map(known, e.args)))

    assert all(map(known, rows))


# A destination that is an operand too, other whole tensors, vectors that broadcast, run-time scalars.
NAMES = {
    "d": Value("d", "full"),
    "x": Value("x", "full"),
    "y": Value("y", "full"),
    "v": Value("v[:, None]", "small"),
    "r": Value("r", "small"),
    "s": Value("s", "scalar"),
    "q": Value("q", "scalar"),
}
ALL = ("add", "sub", "mul", "div", "max", "min", "gt", "lt", *UNARY, "softplus")
LEAVES = st.sampled_from([Var(n) for n in NAMES]) | NUMBERS


def _printable(e: Expr) -> bool:
    """Scalars alone are Python numbers; only a few functions are printed for those."""
    if not isinstance(e, Call):
        return True
    scalar = all(NAMES[n].shape == "scalar" for n in variables(e))
    return (not scalar or e.function in PYTHON or e.function in INFIX) and all(map(_printable, e.args))


def _run(lines: list[str], tiles: int, tensors: Mapping[str, Any]) -> torch.Tensor:
    space = {"torch": torch, "math": math, **{k: v.clone() if hasattr(v, "clone") else v for k, v in tensors.items()}}
    space |= {f"u{i}": torch.full((3, 4), math.nan, dtype=torch.float64) for i in range(tiles)}
    exec("\n".join(lines), space)
    found = space["d"]
    assert isinstance(found, torch.Tensor)
    for name in ("x", "y", "v", "r"):
        assert torch.equal(space[name], tensors[name]), f"{name} was overwritten"
    return found


@given(e=expressions(LEAVES, ALL), seed=st.integers(0, 1000))
@settings(max_examples=400, deadline=None)
def test_printed_statements_mean_the_expression(e: Expr, seed: int) -> None:
    assume(_printable(e))
    make = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=make, dtype=torch.float64)

    tensors = {
        "d": random(3, 4),
        "x": random(3, 4),
        "y": random(3, 4),
        "v": random(3),
        "r": random(4),
        "s": 0.7,
        "q": -1.3,
    }
    bound = {n: torch.as_tensor(t, dtype=torch.float64) for n, t in tensors.items()}
    expected = compute(e, {**bound, "v": tensors["v"][:, None]}).broadcast_to(3, 4)  # type: ignore[index]
    assume(bool(torch.isfinite(expected).all()) and float(expected.abs().max()) < 1e6)
    printer = Printer(NAMES)
    printer.assign("d", e)
    found = _run(printer.lines, printer.tiles, tensors)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10), "\n".join(printer.lines)


@pytest.mark.full
@given(e=expressions(LEAVES, ALL), seed=st.integers(0, 1000))
@settings(max_examples=20_000, deadline=None)
def test_printed_statements_mean_the_expression_at_length(e: Expr, seed: int) -> None:
    test_printed_statements_mean_the_expression.hypothesis.inner_test(e, seed)  # type: ignore[attr-defined]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name.lower())
def test_optimizers_are_printed_in_place(optimizer: Any) -> None:
    row = OPTIMIZERS[optimizer]
    scalars = {"alpha": 0.1, "mu": 0.9, "mu1": 0.99, "correction": 0.1, "correction1": 0.01}
    make = torch.Generator().manual_seed(1)
    start = {n: torch.rand(3, 4, generator=make, dtype=torch.float64) + 0.1 for n in ("w", "g", *row.states)}
    names = {n: Value(n, "full") for n in start} | {n: Value(n, "scalar") for n in scalars}
    space = {"torch": torch, **{n: t.clone() for n, t in start.items()}, **scalars}
    expected = {**start, **{n: torch.tensor(v, dtype=torch.float64) for n, v in scalars.items()}}
    for name, e in row.body:
        printer = Printer(names)
        printer.assign(name, e)
        tiles = {f"u{i}": torch.empty(3, 4, dtype=torch.float64) for i in range(printer.tiles)}
        exec("\n".join(printer.lines), space, tiles)
        expected[name] = compute(e, expected)
    for name in ("w", *row.states):
        assert torch.allclose(space[name], expected[name], rtol=1e-12), name  # type: ignore[arg-type]
