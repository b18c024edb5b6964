"""launches in order, buffers with lifetimes, slots of one arena reused as soon as their value is dead."""

from __future__ import annotations

from nnlang.codegen.cost import cost, held
from nnlang.codegen.cost import size as bytes_of
from nnlang.codegen.grid import leaf, room
from nnlang.codegen.plan import Buffer, Launch, Plan
from nnlang.codegen.select import CPU_CACHE, INLINE, Cache, chunk, kind, name
from nnlang.codegen.wire import traffic
from nnlang.ops import (
    Assign,
    Clip,
    Feed,
    Op,
    Part,
    Result,
    State,
    Top,
    Update,
    View,
    Walk,
    operands,
    topological,
)


def schedule(
    entry: str,
    roots: tuple[Op, ...],
    batch: int,
    cache: Cache = CPU_CACHE,
    declined: tuple[str, ...] = (),
    *,
    exact: bool = False,
    transposed: frozenset[int] = frozenset(),
) -> Plan:
    """The plan of an entry point: operands first, writers of states after every reader of them."""
    order = _ordered(roots)
    numbers = {op: i for i, op in enumerate(topological(roots))}
    launches = tuple(
        Launch(i, kind(op), name(op, numbers[op]), op, cost(op, batch), size, traffic(op, batch, size, transposed))
        for i, (op, size) in enumerate((op, chunk(op, batch, cache, exact)) for op in order)
    )
    buffers = _buffers(order, roots)
    slotted, slots = _slots(buffers, batch)
    every = topological(roots)
    states = sum(int(bytes_of(op, batch)) for op in every if isinstance(op, State))
    feeds = sum(int(held(op, batch)) for op in every if isinstance(op, Feed))
    return Plan(entry, batch, launches, slotted, slots, _scratch(launches, batch), states, feeds, declined)


def reads(op: Op) -> list[Op]:
    """The stored values that a launch reads: through views, parts and the formulas inside a walk or a fused update."""
    found: dict[Op, None] = {}
    stack = list(operands(op))
    while stack:
        x = stack.pop()
        if isinstance(x, Part):
            found[x.walk] = None
        elif isinstance(x, View) or _inside(op, x):
            stack.extend(operands(x))
        elif not isinstance(x, INLINE) or isinstance(x, State):
            found[x] = None
    return list(found)


def _inside(op: Op, x: Op) -> bool:
    """Whether x is a formula that this launch evaluates itself."""
    match op:
        case Walk(delta=delta, value=value, updates=updates, mass=mass):
            return x in (delta, value, mass) or x in updates
        case Update(gradient=gradient, fused=True):
            return x is gradient
        case Top(x=product, fused=True):
            return x is product
    return False


def _ordered(roots: tuple[Op, ...]) -> list[Op]:
    inner = {x for op in topological(roots) for x in operands(op) if _inside(op, x)}
    every = [op for op in topological(roots) if not isinstance(op, INLINE) and op not in inner]
    writers = {s: op for op in every for s in _written(op)}
    waits: dict[Op, set[Op]] = {op: {x for x in reads(op) if x in set(every)} for op in every}
    for op in every:
        for x in reads(op):
            if x in writers and writers[x] is not op:
                if isinstance(op, Clip):
                    waits[op].add(writers[x])
                else:
                    waits[writers[x]].add(op)
    done: dict[Op, None] = {}
    while len(done) < len(every):  # the first that is ready, in topological order: one order for one DAG
        ready = next(op for op in every if op not in done and waits[op] <= done.keys())
        done[ready] = None
    return list(done)


def _written(op: Op) -> list[Op]:
    match op:
        case Update(states=states):
            return list(states)
        case Assign(state=state):
            return [state]
        case Walk(updates=updates):
            return [s for u in updates for s in _written(u)]
    return []


def _buffers(order: list[Op], roots: tuple[Op, ...]) -> list[Buffer]:
    last: dict[Op, int] = {}
    for i, op in enumerate(order):
        for x in reads(op):
            last[x] = i
    for root in roots:
        if isinstance(root, Result):
            for x in reads(root):
                last[x] = len(order)
    found = []
    for i, op in enumerate(order):
        for suffix, shape in _values(op):
            found.append(Buffer(f"t{i}{suffix}", op, shape, i, last.get(op, i), -1))
    return found


def _values(op: Op) -> list[tuple[str, tuple[int | None, ...]]]:
    """The dense values that a launch stores, with the suffix of their names."""
    shape = tuple(a.size for a in op.type.axes)
    found = [("", shape)] if op.type.storage == "dense" else []
    return [*found, ("_error", (None,))] if isinstance(op, Walk) and op.value is not None else found


def _slots(buffers: list[Buffer], batch: int) -> tuple[tuple[Buffer, ...], tuple[int, ...]]:
    """Each buffer takes the smallest free slot that is large enough, else the largest free one, which grows."""
    slots: list[int] = []
    busy: list[int] = []  # the last launch that needs what is in the slot
    placed = []
    for b in buffers:
        need = b.elements(batch)
        free = [i for i in range(len(slots)) if busy[i] < b.first]
        fitting = [i for i in free if slots[i] >= need]
        if fitting:
            slot = min(fitting, key=lambda i: slots[i])
        elif free:
            slot = max(free, key=lambda i: slots[i])
            slots[slot] = need
        else:
            slot = len(slots)
            slots.append(need)
            busy.append(-1)
        busy[slot] = b.last
        placed.append(Buffer(b.name, b.op, b.shape, b.first, b.last, slot))
    return tuple(placed), tuple(slots)


def _scratch(launches: tuple[Launch, ...], batch: int) -> int:
    """Bytes of the largest launch's tiles; tiles are shared between launches."""
    return max((_tiles(x, batch) for x in launches), default=0)


def _tiles(launch: Launch, batch: int) -> int:
    match launch.op:
        case Walk(w=w):
            k, n = (a.size or 0 for a in w.type.axes)
            partials = 1 + min(launch.chunk, n) // leaf(w.type.axes[1].total)
            return 4 * (min(launch.chunk, n) * (2 * batch + 2 * k) + partials * batch * k)
        case Top():
            return batch * (4 * launch.chunk + (8 << room(launch.op.k)))  # scores of a chunk, lists of keys
        case Update(fused=True, states=states) if len(states[0].type.axes) == 2:
            return 4 * 2 * launch.chunk * (states[0].type.axes[1].size or 0)
        case Update(states=states):
            return int(bytes_of(states[0], batch))  # the copy of its gradient
    return 0
