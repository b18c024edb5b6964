"""Scalar expressions as torch statements: in place where it is safe, multiply-add forms where torch has them.

A value is `full` (the shape of the tile being computed), `small` (broadcast against it) or `scalar` (a Python float).
Full intermediates live in numbered tiles that the caller declares; small ones are allocated, they are vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnlang.expressions import INFIX, Call, Const, Expr, Var, call, occurrences


@dataclass(frozen=True)
class Value:
    """The text of an operand and its shape: full, small or scalar."""

    text: str
    shape: str
    tile: int | None = None  # the tile that holds it, if it is an intermediate of ours


UNARY = ("neg", "abs", "sign", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid")
BINARY = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "div": "div",
    "gt": "gt",
    "lt": "lt",
    "max": "maximum",
    "min": "minimum",
}
WITH_SCALAR = {**BINARY, "max": "clamp_min", "min": "clamp_max"}
MIRROR = {"add": "add", "mul": "mul", "max": "max", "min": "min", "gt": "lt", "lt": "gt"}
PYTHON = {"neg": "-({})", "sqrt": "math.sqrt({})", "exp": "math.exp({})", "max": "max({}, {})", "min": "min({}, {})"}


@dataclass
class Printer:
    """Prints assignments of expressions to a destination. `tiles` is how many full intermediates were ever alive."""

    names: Mapping[str, Value]
    tile: str = "u"  # tiles are u0, u1, ...
    lines: list[str] = field(default_factory=list)
    tiles: int = 0
    _busy: set[int] = field(default_factory=set)
    _dest: str = ""
    _reads: int = 0  # reads of the destination's old value that are still to come
    _small: int = 0

    def assign(self, dest: str, e: Expr) -> None:
        """Prints `dest = e`, dest a full tensor whose old value the expression may read."""
        e = _expanded(e)
        self._dest, self._busy = dest, set()
        self._reads = sum(occurrences(e, n) for n, v in self.names.items() if v.text == dest)
        value = self._value(e, dest)
        if value.text != dest:
            self.lines.append(
                f"{dest}.fill_({value.text})" if value.shape == "scalar" else f"{dest}.copy_({value.text})"
            )

    def _value(self, e: Expr, dest: str | None = None) -> Value:
        match e:
            case Const(number):
                return Value(repr(number), "scalar")
            case Var(name):
                return self.names[name]
            case Call(function, args):
                if self._scalar(e):
                    return Value(python(e, self.names), "scalar")
                return self._multiply_add(function, args, dest) or self._plain(function, args, dest)
        raise AssertionError(e)

    def _scalar(self, e: Expr) -> bool:
        match e:
            case Const():
                return True
            case Var(name):
                return self.names[name].shape == "scalar"
            case Call(_, args):
                return all(self._scalar(a) for a in args)
        return False

    def _multiply_add(self, function: str, args: tuple[Expr, ...], dest: str | None) -> Value | None:
        """x + s * y, x + s * y * z and x + s * y / z in one statement."""
        if function not in ("add", "sub"):
            return None
        a, b = args
        if function == "add" and not isinstance(b, Call) and isinstance(a, Call):
            a, b = b, a  # the product stands second
        scale, factors, name = self._product(b)
        if self._scalar(a) or self._scalar(b) or name is None or (name == "add" and scale is None):
            return None
        text = python(scale, self.names) if scale is not None else "1"
        if function == "sub":
            text = text.removeprefix("-") if text.startswith("-") else f"-{text}"
        x = self._value(a)
        operands = [x, *(self._value(f) for f in factors)]
        keyword = "alpha" if name == "add" else "value"
        extra = "" if text == "1" else f", {keyword}={text}"
        return self._emit(name, operands, extra, dest)

    def _product(self, e: Expr) -> tuple[Expr | None, tuple[Expr, ...], str | None]:
        """The scalar factor, the tensor factors and the torch form of a product; form None where it is no product."""
        match e:
            case Call("mul", (s, Call("mul" | "div" as inner, (y, z)))) if self._scalar(s) and self._tensors(y, z):
                return s, (y, z), "addcmul" if inner == "mul" else "addcdiv"
            case Call("mul" | "div" as inner, (y, z)) if self._tensors(y, z):
                return None, (y, z), "addcmul" if inner == "mul" else "addcdiv"
            case Call("mul", (s, y)) if self._scalar(s):
                return s, (y,), "add"
            case Call("mul", (y, s)) if self._scalar(s):
                return s, (y,), "add"
        return None, (), None

    def _tensors(self, *es: Expr) -> bool:
        return not any(self._scalar(e) for e in es)

    def _plain(self, function: str, args: tuple[Expr, ...], dest: str | None) -> Value:
        if function in UNARY:
            return self._emit(function, [self._value(args[0])], "", dest)
        a, b = args
        if self._scalar(a):
            if function in MIRROR:
                return self._plain(MIRROR[function], (b, a), dest)
            first = self._emit("neg" if function == "sub" else "reciprocal", [self._value(b)], "", dest)
            return self._emit("add" if function == "sub" else "mul", [first, self._value(a)], "", dest)
        left, right = self._value(a), self._value(b)
        return self._emit((WITH_SCALAR if right.shape == "scalar" else BINARY)[function], [left, right], "", dest)

    def _emit(self, function: str, operands: list[Value], extra: str, dest: str | None) -> Value:
        text = f"torch.{function}({', '.join(v.text for v in operands)}{extra}"
        for v in operands:
            if v.tile is not None:
                self._busy.discard(v.tile)
            elif v.text == self._dest:
                self._reads -= 1
        if all(v.shape != "full" for v in operands):
            self._small += 1
            name = f"{self.tile}_{self._small}"
            vector = next(v.text for v in operands if v.shape == "small")
            number = f".to({vector}.dtype)" if function in ("gt", "lt") else ""  # torch compares to bool without `out=`
            self.lines.append(f"{name} = {text}){number}")
            return Value(name, "small")
        target = Value(dest, "full") if dest is not None else self._place(operands)
        self.lines.append(f"{text}, out={target.text})")
        return target

    def _place(self, operands: list[Value]) -> Value:
        """Where a full intermediate goes: the destination once nobody reads its old value, else a free tile."""
        if self._reads == 0 and -1 not in self._busy:
            self._busy.add(-1)
            return Value(self._dest, "full", -1)
        number = next(i for i in range(len(self._busy) + 1) if i not in self._busy)
        self._busy.add(number)
        self.tiles = max(self.tiles, number + 1)
        return Value(f"{self.tile}{number}", "full", number)


def python(e: Expr, names: Mapping[str, Value]) -> str:
    """The text of a scalar expression in Python."""
    match e:
        case Const(number):
            return repr(number)
        case Var(name):
            return names[name].text
        case Call(function, (a, b)) if function in INFIX:
            return f"({python(a, names)} {INFIX[function]} {python(b, names)})"
        case Call(function, args):
            return PYTHON[function].format(*(python(a, names) for a in args))
    raise AssertionError(e)


def _expanded(e: Expr) -> Expr:
    """The expression in functions that torch has with `out=`."""
    match e:
        case Call("softplus", (x,)):
            x = _expanded(x)
            return call("max", x, 0) + call("log1p", call("exp", -call("abs", x)))
        case Call(function, args):
            return Call(function, tuple(_expanded(a) for a in args))
    return e
