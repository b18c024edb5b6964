"""Scalar expressions as data: written once for every activation, loss and optimiser, printed by each target.

An expression is a constant, a variable or a call of one of the functions in `FUNCTIONS`. Comparisons give 0 or 1, so
that a piecewise formula is a sum of products and no target needs branches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True)
class Expr:
    """A scalar expression; the operators build larger ones."""

    def __add__(self, other: Expr | Number) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Expr | Number) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return call("sub", self, other)

    def __rsub__(self, other: Expr | Number) -> Expr:
        return call("sub", other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return call("mul", self, other)

    def __rmul__(self, other: Expr | Number) -> Expr:
        return call("mul", other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return call("div", self, other)

    def __rtruediv__(self, other: Expr | Number) -> Expr:
        return call("div", other, self)

    def __neg__(self) -> Expr:
        return call("neg", self)


@dataclass(frozen=True)
class Const(Expr):
    """A finite number."""

    value: float

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class Var(Expr):
    """A value bound by whoever holds the expression."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Call(Expr):
    """A function of FUNCTIONS applied to expressions."""

    function: str
    args: tuple[Expr, ...]

    def __str__(self) -> str:
        if self.function in INFIX:
            return f"({self.args[0]} {INFIX[self.function]} {self.args[1]})"
        return f"{self.function}({', '.join(map(str, self.args))})"


INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


# Every function with its meaning on numbers; simplify folds constants with it.
FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "sqrt": math.sqrt,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "max": max,
    "min": min,
    "gt": lambda a, b: float(a > b),
    "lt": lambda a, b: float(a < b),
}


def expr(value: Expr | Number) -> Expr:
    """The value as an expression."""
    return value if isinstance(value, Expr) else Const(float(value))


def call(function: str, *args: Expr | Number) -> Expr:
    """The call, simplified: constants folded, neutral elements gone, 0 * x is 0 (values here are finite)."""
    assert function in FUNCTIONS, function
    operands = tuple(expr(a) for a in args)
    if all(isinstance(a, Const) for a in operands):
        return Const(float(FUNCTIONS[function](*(a.value for a in operands if isinstance(a, Const)))))
    return _neutral(function, operands) or Call(function, operands)


ZERO, ONE = Const(0.0), Const(1.0)


def _neutral(function: str, args: tuple[Expr, ...]) -> Expr | None:
    match function, args:
        case ("add", (a, b)) if a == ZERO:
            return b
        case ("add" | "sub", (a, b)) if b == ZERO:
            return a
        case ("sub", (a, b)) if a == ZERO:
            return call("neg", b)
        case ("mul", (a, b)) if ZERO in (a, b):
            return ZERO
        case ("div", (a, _)) if a == ZERO:
            return ZERO
        case ("mul", (a, b)) if a == ONE:
            return b
        case ("mul" | "div", (a, b)) if b == ONE:
            return a
        case ("neg", (Call("neg", (a,)),)):
            return a
    return None


def substitute(e: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with variables replaced and simplified again."""
    match e:
        case Var(name):
            return values.get(name, e)
        case Call(function, args):
            return call(function, *(substitute(a, values) for a in args))
    return e


def variables(e: Expr) -> frozenset[str]:
    """The names of the variables that occur."""
    match e:
        case Var(name):
            return frozenset((name,))
        case Call(_, args):
            return frozenset().union(*(variables(a) for a in args))
    return frozenset()


def occurrences(e: Expr, name: str) -> int:
    """How often a variable occurs."""
    match e:
        case Var(n):
            return int(n == name)
        case Call(_, args):
            return sum(occurrences(a, name) for a in args)
    return 0


def calls(e: Expr) -> int:
    """How many calls there are: the flops of one evaluation, each function counted as one."""
    return 1 + sum(calls(a) for a in e.args) if isinstance(e, Call) else 0


# d f(args) / d args[i], as expressions of the arguments.
def _slopes(function: str, a: Expr, b: Expr) -> tuple[Expr, ...]:
    table: dict[str, Callable[[], tuple[Expr, ...]]] = {
        "add": lambda: (ONE, ONE),
        "sub": lambda: (ONE, Const(-1.0)),
        "mul": lambda: (b, a),
        "div": lambda: (1 / b, -a / (b * b)),
        "neg": lambda: (Const(-1.0),),
        "sqrt": lambda: (0.5 / call("sqrt", a),),
        "exp": lambda: (call("exp", a),),
    }
    return table[function]()


def derivative(e: Expr, name: str) -> Expr:
    """The derivative by a variable, for arithmetic, sqrt and exp; activations and losses bring their own."""
    match e:
        case Var(n):
            return ONE if n == name else ZERO
        case Call(function, args) if name in variables(e):
            slopes = _slopes(function, args[0], args[-1])
            total: Expr = ZERO
            for slope, arg in zip(slopes, args, strict=True):
                total = total + slope * derivative(arg, name)
            return total
    return ZERO
