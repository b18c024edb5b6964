"""What is said of all states of a program together, whichever rank holds which part of them."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlang.codegen.grid import parts
from nnlang.lower import StateInfo
from nnlang.network import Training
from nnlang.runtime.program import Program


def not_finite(program: Program) -> StateInfo | None:
    """The first state that holds what is no finite number, on any rank; all ranks ask together."""
    infos = list(program.states)
    mine = (i for i, info in enumerate(infos) if not bool(torch.isfinite(program.states[info]).all()))
    found: list[int | None] = program.mesh.everyone(next(mine, None))
    return min((infos[i] for i in found if i is not None), key=infos.index, default=None)


def regularization_error(program: Program, settings: Training) -> float:
    """Sum over unshared matrices of lambda / 2 w^2 + lambda1 |w|, as the weights are now (dsstne.md 3.5).

    All ranks ask together; the first one adds up, and tells the others.
    """
    factors = [(f, order) for f, order in ((0.5 * settings.lambda_, 2), (settings.lambda1, 1)) if f]
    if not factors:
        return 0.0
    total = 0.0
    for info, w in program.states.items():
        if info.owner == "weight" and not info.part:
            for factor, order in factors:  # by rows, whose order of summing hangs on no number of threads
                norms = torch.linalg.vector_norm(w, order, 1, dtype=torch.float64).pow(order)
                total += factor * float(_of_all_ranks(program, info, norms).sum())
    return float(program.mesh.share(total))


def _of_all_ranks(program: Program, info: StateInfo, rows: Tensor) -> Tensor:
    """The sums over each row of a matrix as it is stored, of all ranks on the first one."""
    split = next((i for i, axis in enumerate(info.axes) if axis.is_split), None)
    if split is None:
        return rows
    count = program.placement.model
    dealt = parts(info.axes[split].total, count)
    assert dealt is not None
    if split == int(info.transposed):  # each rank has rows of its own
        found = program.mesh.collect(rows.cpu(), 0, dealt)
        return rows if found is None else torch.from_numpy(found)
    found = program.mesh.collect(rows.cpu()[None], 0, [(rank, rank + 1) for rank in range(count)])
    return rows if found is None else torch.from_numpy(found).sum(0)
