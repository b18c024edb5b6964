"""sparse-input: a matmul on csr rows becomes a gather-sum, its weight gradient a segmented sum over the batch's csc."""

from __future__ import annotations

from collections.abc import Mapping

from nnlang.ops import Denoise, Densify, Feed, GatherSum, Matmul, Op, Pool, SegmentSum, Type
from nnlang.rewrite import rewrite

DENSITY_LIMIT = 0.1  # above it a dense product is faster than gathering (dsstne.md 4.1)


def sparse_input(roots: tuple[Op, ...], pool: Pool, declined: list[str]) -> tuple[Op, ...]:
    """Sparse execution of every product with csr rows where it pays; the others run on the dense rows, and say so."""

    def rule(op: Op, counts: Mapping[Op, int], pool: Pool) -> Op | None:
        match op:
            case Matmul(a=a, b=w, transpose_a=False, transpose_b=False) if _csr(a) and _sparse_enough(a):
                return pool.make(GatherSum(op.type, a, w, epilogue=op.epilogue))
            case Matmul(a=a, b=delta, transpose_a=True) if _csr(a) and _sparse_enough(a):
                return pool.make(SegmentSum(op.type, a, delta))
            case Matmul(a=a, b=b) if _csr(a) or _csr(b):
                declined.append(f"sparse-input: {_reason(op)}")
                return pool.make(
                    Matmul(op.type, _dense(a, pool), _dense(b, pool), op.transpose_a, op.transpose_b, op.epilogue)
                )
        return None

    return rewrite(roots, rule, pool)


def _csr(op: Op) -> bool:
    return op.type.storage == "csr"


def _density(op: Op) -> float:
    feed = op.feed if isinstance(op, Denoise) else op
    assert isinstance(feed, Feed)
    return feed.density


def _sparse_enough(op: Op) -> bool:
    return _density(op) <= DENSITY_LIMIT


def _reason(op: Matmul) -> str:
    csr = op.a if _csr(op.a) else op.b
    if not _sparse_enough(csr):
        return f"the input runs dense, its density {_density(csr):.3g} is above {DENSITY_LIMIT}"
    return "the input runs dense, its matrix is shared transposed"


def _dense(op: Op, pool: Pool) -> Op:
    return pool.make(Densify(Type(op.type.axes), op, "value")) if _csr(op) else op
