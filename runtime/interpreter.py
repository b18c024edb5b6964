"""The op DAG in plain float64 torch, one small function a kind of operation: what the passes must not change.

Sparse values are dense here, with a mask of what is stored beside them; nothing is chunked, nothing is in place. States
are written after everything has been computed from their old values, as every program does.

    before = evaluate(lowered.roots, batch, states, scalars)
    after = evaluate(optimised.roots, batch, states, scalars)      the same numbers, before and after any pass

It shares the expressions with the targets and is no oracle of what a network means: that is `reference.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nnlang import ops
from nnlang.expressions import Call, Const, Expr, Var
from nnlang.ops import Axis, Op, Stage
from nnlang.runtime.philox import keep_units, uniform_entries


@dataclass(frozen=True)
class Rows:
    """A slot of the feed as dense float64 rows: values [rows, units], 0 where a sparse set stores nothing; present, 1
    where it stores an entry (None for a dense set); weight [rows]; share [rows], 1 / stored entries."""

    values: Tensor
    present: Tensor | None = None
    weight: Tensor | None = None

    @property
    def share(self) -> Tensor:
        """1 / stored entries of each row, 0 for an empty one."""
        assert self.present is not None
        count = self.present.sum(1)
        return torch.where(count > 0, 1 / count.clamp(min=1), 0.0)


@dataclass(frozen=True)
class Batch:
    """What a step gets: global example numbers [rows], the slots in the order of `Lowered.slots`, where in the run."""

    ids: Tensor
    slots: Sequence[Rows]
    seed: int = 0
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Evaluated:
    """Results by number and the states after the writes, all float64."""

    results: dict[int, Tensor]
    states: dict[int, Tensor]


def evaluate(
    roots: Sequence[Op], batch: Batch, states: Mapping[int, Tensor], scalars: Mapping[str, float]
) -> Evaluated:
    """What an entry point returns and writes. states: [in, out] by number, never changed; scalars by name."""
    machine = _Machine(batch, {n: s.double() for n, s in states.items()}, scalars)
    results = {r.number: machine.value(r.value) for r in roots if isinstance(r, ops.Result)}
    after = dict(machine.states)
    for root in roots:
        after |= machine.writes(root)
    for clip in (r for r in roots if isinstance(r, ops.Clip)):
        after[_number(clip.state)] = _clipped(after[_number(clip.state)], machine.value(clip.limit))
    return Evaluated(results, after)


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "abs": torch.abs,
    "sign": torch.sign,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda a: torch.nn.functional.softplus(a, threshold=700),  # above torch's own threshold 2e-9 are lost
    "max": torch.maximum,
    "min": torch.minimum,
    "gt": lambda a, b: (a > b).double(),
    "lt": lambda a, b: (a < b).double(),
}


def compute(e: Expr, names: Mapping[str, Tensor]) -> Tensor:
    """The value of an expression, its variables bound to tensors that broadcast against each other."""
    match e:
        case Const(number):
            return torch.tensor(number, dtype=torch.float64)
        case Var(name):
            return names[name]
        case Call(function, args):
            return FUNCTIONS[function](*(compute(a, names) for a in args))
    raise AssertionError(e)


@dataclass
class _Machine:
    """Values of operations, each computed once. `leaves`: what the placeholders stand for, inside a walk."""

    batch: Batch
    states: dict[int, Tensor]
    scalars: Mapping[str, float]
    leaves: Mapping[str, Tensor] = field(default_factory=dict)
    known: dict[Op, Tensor] = field(default_factory=dict)
    walks: dict[Op, _Walked] = field(default_factory=dict)

    def value(self, op: Op) -> Tensor:
        """The value of an operation; of a csr one its dense values."""
        if op not in self.known:
            self.known[op] = RULES[type(op)](self, op)
        return self.known[op]

    def placed(self, op: Op, axes: tuple[Axis, ...]) -> Tensor:
        """An operand's value, broadcast by the names of its axes against a result of these axes."""
        value = self.value(op)
        shape = [value.shape[op.type.axes.index(a)] if a in op.type.axes else 1 for a in axes]
        order = [op.type.axes.index(a) for a in axes if a in op.type.axes]
        return value.permute(order).reshape(shape)

    def formula(self, e: Expr, args: Sequence[Op], axes: tuple[Axis, ...], **more: Tensor) -> Tensor:
        """An expression of x0.. = args, spread over a result of these axes."""
        names = {f"x{i}": self.placed(x, axes) for i, x in enumerate(args)}
        sizes = [self.size(a) for a in axes]
        return compute(e, {**names, **more}).broadcast_to(sizes).clone()

    def epilogue(self, stages: Sequence[Stage], value: Tensor, axes: tuple[Axis, ...]) -> Tensor:
        """A value after its stages."""
        for stage in stages:
            names = {f"x{i + 1}": self.placed(x, axes) for i, x in enumerate(stage.args)}
            value = compute(stage.expr, {"x0": value, **names}).broadcast_to(value.shape)
        return value

    def size(self, axis: Axis) -> int:
        """The size of an axis in this batch."""
        return len(self.batch.ids) if axis.size is None else axis.size

    def slot(self, op: Op) -> Rows:
        """The slot that a csr operation comes from."""
        feed = op.feed if isinstance(op, ops.Denoise) else op
        assert isinstance(feed, ops.Feed)
        return self.batch.slots[feed.slot]

    def present(self, op: Op) -> Tensor:
        """1 where a csr operation stores an entry: denoising zeroes entries, it takes none away."""
        present = self.slot(op).present
        assert present is not None
        return present

    def walked(self, op: ops.Walk) -> _Walked:
        """Everything that a walk gives."""
        if op not in self.walks:
            self.walks[op] = _walk(self, op)
        return self.walks[op]

    def writes(self, root: Op) -> dict[int, Tensor]:
        """The states that a root writes, with their new values."""
        match root:
            case ops.Update():
                return self.update(root)
            case ops.Assign(state=state, value=value):
                return {_number(state): self.value(value)}
            case ops.Walk():
                return self.walked(root).states
        return {}

    def update(self, op: ops.Update) -> dict[int, Tensor]:
        """The states of an update after its assignments."""
        names = {name: self.value(s) for name, s in op.scalars}
        names |= {name: self.value(s) for name, s in zip(op.names, op.states, strict=True)}
        names["g"] = self.value(op.gradient)
        for name, e in op.body:
            names[name] = compute(e, names)
        return {_number(s): names[name] for name, s in zip(op.names, op.states, strict=True)}


@dataclass(frozen=True)
class _Walked:
    """What a walk over an output layer gives: the input delta, each row's error, the states that it writes."""

    back: Tensor
    error: Tensor | None
    states: dict[int, Tensor]


def _walk(machine: _Machine, op: ops.Walk) -> _Walked:
    h, w = machine.value(op.h), machine.value(op.w)
    axes = op.delta.type.axes
    a = machine.epilogue(op.logits, h @ w, axes)
    leaves = {"a": torch.softmax(a, 1) if op.softmax else a}

    def inside() -> _Machine:
        return _Machine(machine.batch, machine.states, machine.scalars, leaves)

    if op.mass is not None:
        leaves["mass"] = inside().value(op.mass).sum(1)
    delta = inside().value(op.delta)
    error = None if op.value is None else inside().value(op.value).sum(1)
    leaves |= {"dw": h.t() @ delta, "db": delta.sum(0)}
    states: dict[int, Tensor] = {}
    for update in op.updates:
        states |= inside().writes(update)
    back = machine.epilogue(op.epilogue, delta @ w.t(), op.type.axes) if op.type.axes else delta
    return _Walked(back, error, states)


def _number(state: Op) -> int:
    assert isinstance(state, ops.State)
    return state.number


def _clipped(w: Tensor, limit: Tensor) -> Tensor:
    return w * (limit / w.square().sum(0, keepdim=True).sqrt().clamp(min=float(limit)))


def _feed(machine: _Machine, op: ops.Feed) -> Tensor:
    slot = machine.batch.slots[op.slot]
    given = {"rows": slot.values, "weight": slot.weight}[op.part] if op.part != "share" else slot.share
    assert given is not None
    return given.double()


def _denoise(machine: _Machine, op: ops.Denoise) -> Tensor:
    batch, rate = machine.batch, machine.value(op.rate)
    values = machine.value(op.feed)
    rows, units = values.shape
    examples, features = batch.ids.repeat_interleave(units), torch.arange(units).repeat(rows)
    draws = uniform_entries(batch.seed, op.seed, batch.epoch, examples, features).view(rows, units)
    return values * (draws >= rate) / (1 - rate)


def _densify(machine: _Machine, op: ops.Densify) -> Tensor:
    return machine.value(op.feed) if op.part == "value" else machine.present(op.feed).double()


def _keep(machine: _Machine, op: ops.Keep) -> Tensor:
    batch = machine.batch
    draws = keep_units(batch.seed, op.seed, batch.step, batch.ids, machine.size(op.type.axes[1]))
    return (draws >= machine.value(op.rate)).double()


def _matmul(machine: _Machine, op: ops.Matmul) -> Tensor:
    a, b = machine.value(op.a), machine.value(op.b)
    product = (a.t() if op.transpose_a else a) @ (b.t() if op.transpose_b else b)
    return machine.epilogue(op.epilogue, product, op.type.axes)


def _gather_sum(machine: _Machine, op: ops.GatherSum) -> Tensor:
    w = machine.value(op.w)
    product = machine.value(op.feed) @ w
    return machine.epilogue(op.epilogue, product, op.type.axes)


def _stored(machine: _Machine, op: ops.Stored) -> Tensor:
    axes = op.type.axes
    stored = machine.formula(op.stored, op.args, axes, t=machine.value(op.feed))
    return torch.where(machine.present(op.feed) > 0, stored, machine.formula(op.absent, op.args, axes))


def _reduce(machine: _Machine, op: ops.Reduce) -> Tensor:
    axis = op.x.type.axes.index(op.axis)
    return REDUCTIONS[op.kind](machine.value(op.x), axis)


REDUCTIONS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "sum": lambda x, axis: x.sum(axis),
    "mean": lambda x, axis: x.mean(axis),
}


def _part(machine: _Machine, op: ops.Part) -> Tensor:
    assert isinstance(op.walk, ops.Walk) and op.name == "error"
    error = machine.walked(op.walk).error
    assert error is not None
    return error


RULES: Mapping[type[Op], Callable[[_Machine, Any], Tensor]] = {
    ops.Feed: _feed,
    ops.State: lambda machine, op: machine.states[op.number],
    ops.Scalar: lambda machine, op: torch.tensor(machine.scalars[op.name], dtype=torch.float64),
    ops.Leaf: lambda machine, op: machine.leaves[op.name],
    ops.Denoise: _denoise,
    ops.Densify: _densify,
    ops.Keep: _keep,
    ops.Matmul: _matmul,
    ops.GatherSum: _gather_sum,
    ops.SegmentSum: lambda machine, op: machine.value(op.feed).t() @ machine.value(op.delta),
    ops.Pointwise: lambda machine, op: machine.formula(op.expr, op.args, op.type.axes),
    ops.View: lambda machine, op: machine.value(op.x),
    ops.Stored: _stored,
    ops.Reduce: _reduce,
    ops.Softmax: lambda machine, op: torch.softmax(machine.value(op.x), 1),
    ops.Walk: lambda machine, op: machine.walked(op).back,
    ops.Part: _part,
}
