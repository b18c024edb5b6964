"""L-BFGS with distributed gradients: the error of all examples is minimised at once, an iteration an epoch.

The error and its gradient are those of validation mode (no dropout, no denoising, running statistics), with the L2
penalty of the settings. The batches of an epoch are cut into leaves, whose gradients are added up by one balanced tree;
ranks hold whole leaves. Where sums over ranks are exact, the numbers are the same on 1, 2, 4 and 8 of them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnlang.codes import ranks as codes
from nnlang.codes import training as training_codes
from nnlang.compiler import without_updates
from nnlang.diagnostics import Diagnostic, stop
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.placement import Placement
from nnlang.runtime import memory
from nnlang.runtime.brake import Brake
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.executor import At
from nnlang.runtime.feed import Ids
from nnlang.runtime.kernels import Tree
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.model import Model
from nnlang.runtime.program import Program, state_name
from nnlang.runtime.steps import Outcome, Wait
from nnlang.runtime.ways import Hurry, Note, alone_beside, start

HISTORY = 10  # pairs of steps and gradients that are remembered
EVALUATIONS = 25  # of the error in one iteration, at most
LEAVES = 8  # of the sum over batches; more where there are more ranks
COPIES = 2 * HISTORY + 12  # of the parameters that are held at most: pairs, the search's brackets, the tree
STEP, GRADIENT = "lbfgs_step", "lbfgs_gradient"  # parts of a state: the last step, the gradient before it
STEPS, CHANGES = "lbfgs_s", "lbfgs_y"  # with a number: steps, and how the gradient changed over them, oldest first


@dataclass(frozen=True)
class Lbfgs:
    """L-BFGS over all examples, on any number of ranks."""

    name, entry = "L-BFGS", "gradient"

    def program(
        self, network: Network, settings: Training, batch: int, device: Device, placement: Placement, mesh: Mesh
    ) -> Program:
        """The program that gives gradients, with what L-BFGS remembers; Stop for an L1 penalty (NN825) and memory."""
        if settings.lambda1:
            remedy = "use --lambda instead of --lambda1, or train in batches"
            raise stop(codes.LBFGS_REFUSED, what="an L1 penalty, which has no gradient where it is 0", remedy=remedy)
        examples = max((data.examples for data in network.data), default=batch)
        rows = min(batch, -(-examples // _leaves(mesh.data.size)))  # so that every leaf has a batch, where data allow
        program = FullBatch(without_updates(network), rows, settings, device, alone_beside(mesh))
        program.omitted = tuple(omitted(network))
        return program

    def batches(self, examples: int, batch: int) -> int:
        """An epoch is one iteration."""
        return 1

    def steps(self, program: Program, feed: Any, brake: Brake, mesh: Mesh, hurry: Hurry, note: Note) -> LbfgsSteps:
        """The iterations of a run, going on with what the program remembers."""
        assert isinstance(program, FullBatch)
        if program.omitted:
            note(Diagnostic(codes.NOT_IN_LBFGS, None, {"what": ", ".join(program.omitted)}))
        return LbfgsSteps(program, feed, mesh, note)


def omitted(network: Network) -> Iterator[str]:
    """What of a definition acts on steps of batches only, in words."""
    layers, loss = network.layers, network.loss
    if network.denoising and any(layer.denoising for layer in layers):
        yield "denoising"
    for what, acts in (
        ("dropout", lambda layer: layer.dropout > 0),
        ("sparseness penalty", lambda layer: layer.sparseness is not None),
        ("moving statistics of batch normalisation", lambda layer: layer.batch_normalization),
        ("DeltaNorm", lambda layer: layer.delta_norm > 0),
        ("WeightNorm", lambda layer: layer.weight_norm > 0),
    ):
        if any(acts(layer) for layer in layers):
            yield what
    if (loss.boost_one, loss.boost_zero) != (1.0, 1.0):
        yield "DeltaBoost"


class FullBatch(Program):
    """A network's gradient, with what L-BFGS remembers: flat vectors over the trained states, by part.

    `trained` are the states that have a gradient, in the order of the flat vectors; `omitted` what does not act.
    """

    omitted: tuple[str, ...] = ()

    def __init__(
        self, network: Network, batch: int, settings: Training, device: Device = CPU, mesh: Mesh = ALONE_MESH
    ) -> None:
        super().__init__(network, ["gradient"], batch, settings, device=device, mesh=mesh)
        states = self.compiled.lowered["gradient"].states
        self.trained = [states[int(name.split()[1])] for name in self.results("gradient")[1:]]
        self.remembered: dict[str, Tensor] = {}
        self._check_memory(1 if device.on_gpu else mesh.world.local_size)

    def _check_memory(self, sharing: int) -> None:
        """Raises Stop (exit 4) where one of `sharing` ranks of a machine has no room for what L-BFGS holds."""
        needed = COPIES * 4 * sum(self.states[info].numel() for info in self.trained)
        there = memory.free(self.device) // sharing
        if needed > there:
            help = f"L-BFGS holds {COPIES} copies of the weights: train in batches, or use a machine with more memory"
            raise stop(
                training_codes.OUT_OF_MEMORY,
                help=help,
                batch=self.batch,
                needed=memory.text(needed),
                free=memory.text(there),
            )

    def parts_of(self, flat: Tensor) -> list[Tensor]:
        """The trained states' views of a flat vector, in the layout of the states."""
        own = [self.states[info] for info in self.trained]
        pieces = torch.split(flat, [state.numel() for state in own])
        return [piece.view(state.shape) for piece, state in zip(pieces, own, strict=True)]

    def load(self, model: Model) -> None:
        """Takes a model's weights, and what L-BFGS remembered where it was trained so."""
        super().load(model)
        names = [STEP, GRADIENT, *(f"{kind}{i}" for i in range(HISTORY) for kind in (STEPS, CHANGES))]
        self.remembered = {part: self._flat(model, part) for part in names if self._keys(part) <= model.state.keys()}

    def store(self, model: Model) -> Model:
        """The model with this program's weights, and with what L-BFGS remembers."""
        super().store(model)
        for part, flat in self.remembered.items():
            for info, values in zip(self.trained, self.parts_of(flat), strict=True):
                own = values.t() if info.transposed else values
                model.state[_key(info, part)] = own.contiguous().cpu().numpy().copy()
        return model

    def _keys(self, part: str) -> set[str]:
        return {_key(info, part) for info in self.trained}

    def _flat(self, model: Model, part: str) -> Tensor:
        found = []
        for info in self.trained:
            values = torch.from_numpy(np.ascontiguousarray(model.state[_key(info, part)], dtype=np.float32))
            found.append((values.t() if info.transposed else values).reshape(-1))
        return torch.cat(found).to(self.device.torch)


def _key(info: StateInfo, part: str) -> str:
    """The name of what is remembered for a state in a model file: `weight0.lbfgs_s3`."""
    return f"{state_name(info)}{part}"


@dataclass(frozen=True)
class Group:
    """All examples, once."""

    count: int = 1


class LbfgsSteps:
    """Iterations of torch's L-BFGS with a search along each direction; what it remembers stands in the program too."""

    ahead = 0

    def __init__(self, program: FullBatch, feed: Any, mesh: Mesh, note: Note) -> None:
        assert program.training is not None
        self._program, self._note, self._is_told = program, note, False
        self._error = MeanError(program, feed, program.training, mesh)
        states = [program.states[info] for info in program.trained]
        self._optimizer = torch.optim.LBFGS(
            states, max_iter=1, max_eval=EVALUATIONS, history_size=HISTORY, line_search_fn="strong_wolfe"
        )
        self._recall(self._optimizer.state[states[0]])

    def parts(self, order: Ids | None, first: int) -> Iterator[Group]:
        """One iteration an epoch."""
        yield from [Group()][first:]

    def launch(self, part: Group, at: At) -> Wait:
        """Runs an iteration; its outcome is the error at the weights that it has come to."""
        with torch.inference_mode(False):
            self._error()
            before = self._error.weights
            self._optimizer.step(self._error)  # type: ignore[no-untyped-call]
            self._error()
        self._remember()
        if torch.equal(before, self._error.weights) and not self._is_told:
            self._is_told = True
            self._note(Diagnostic(codes.LBFGS_CONVERGED, None, {"epoch": at.epoch + 1}))
        outcome = Outcome(self._error.examples, self._error.total, Brake())
        return lambda: [outcome]

    def _recall(self, state: dict[str, Any]) -> None:
        """Puts what the program remembers into the optimiser, which goes on as if it had never been left."""
        kept = self._program.remembered
        if STEP not in kept or GRADIENT not in kept:
            return
        pairs = [(kept[f"{STEPS}{i}"], kept[f"{CHANGES}{i}"]) for i in range(HISTORY) if f"{STEPS}{i}" in kept]
        products = [y.dot(s) for s, y in pairs]
        state |= {
            "n_iter": len(pairs) + 1, "func_evals": 0, "d": kept[STEP], "t": 1.0, "prev_flat_grad": kept[GRADIENT],
            "prev_loss": math.inf, "old_stps": [s for s, _ in pairs], "old_dirs": [y for _, y in pairs],
            "ro": [1.0 / product for product in products],
            "H_diag": products[-1] / pairs[-1][1].dot(pairs[-1][1]) if pairs else 1,
        }  # fmt: skip

    def _remember(self) -> None:
        """Puts what the optimiser remembers into the program, for the next checkpoint."""
        state = next(iter(self._optimizer.state.values()))
        if state.get("d") is None:
            return
        found = {STEP: state["d"].mul(state["t"]), GRADIENT: state["prev_flat_grad"]}
        for i, (s, y) in enumerate(zip(state["old_stps"], state["old_dirs"], strict=True)):
            found |= {f"{STEPS}{i}": s, f"{CHANGES}{i}": y}
        self._program.remembered = found


class MeanError:
    """The error that is minimised, mean over all examples, as a function of a program's weights: a torch closure.

    A call leaves the gradient in the states' `grad`. Asked twice at the same weights, it evaluates once. `total` is the
    sum of the errors without the penalty, `weights` are those of the last call.
    """

    def __init__(self, program: FullBatch, feed: Any, training: Training, mesh: Mesh) -> None:
        self._program, self._feed, self._mesh = program, feed, mesh
        self._penalty = training.lambda_
        self.examples, self.total, self.evaluations = int(feed.examples), math.nan, 0
        self._states = [program.states[info] for info in program.trained]
        self._leaves = _leaves_of(mesh.data.rank, mesh.data.size, -(-self.examples // program.batch))
        self.weights = torch.empty(0)
        self._loss = math.nan

    def __call__(self) -> float:
        """The mean error with the penalty; Stop (NN827) where the ranks' weights are not the same."""
        here = torch.cat([state.reshape(-1) for state in self._states])
        if not (len(here) == len(self.weights) and torch.equal(here, self.weights)):
            self.weights, self._loss = here, self._evaluate(here)
        return self._loss

    def _evaluate(self, weights: Tensor) -> float:
        self.evaluations += 1
        gradients, errors = Tree(), Tree()
        for first, last in self._leaves:
            gradient, error = self._leaf(first, last, torch.zeros_like(weights))
            gradients.add(gradient)
            errors.add(torch.tensor(error, dtype=torch.float64))
        total, digest = float(errors.total()), zlib.crc32(weights.cpu().numpy().data)
        told = self._mesh.everyone([total, digest])
        if any(theirs != digest for _, theirs in told):
            raise stop(codes.RANKS_DRIFT)
        self.total = _tree_of([error for error, _ in told])
        found = self._mesh.data.sum(gradients.total())
        return self.total / self.examples + self._penalised(found)

    def _leaf(self, first: int, last: int, gradient: Tensor) -> tuple[Tensor, float]:
        """The sum of gradients over batches, each divided by all examples; and of the errors."""
        error, network = 0.0, self._program.network
        trained = self._program.trained
        views = zip(trained, self._program.parts_of(gradient), strict=True)
        pieces = [(piece.t() if info.transposed else piece, _users(network, info)) for info, piece in views]
        for part in islice(self._program.parts(self._feed, None, first), last - first):
            errors, *found = self._program.run("gradient", part, {"inv": 1.0 / self.examples})
            error += float(errors[: part.rows].double().sum())
            for (piece, users), one in zip(pieces, found, strict=True):
                piece.add_(one, alpha=users)
        return gradient, error

    def _penalised(self, gradient: Tensor) -> float:
        """Adds lambda w to the gradient, which it leaves to the states; answers lambda / 2 w^2 over all weights."""
        penalty = 0.0
        for info, state, piece in zip(
            self._program.trained, self._states, self._program.parts_of(gradient), strict=True
        ):
            if info.owner == "weight" and self._penalty:
                piece.add_(state, alpha=self._penalty)
                norms = torch.linalg.vector_norm(state, 2, 1, dtype=torch.float64)
                penalty += 0.5 * self._penalty * float(norms.pow(2).sum())
            state.grad = piece
        return penalty


def _users(network: Network, info: StateInfo) -> int:
    """How many edges use a state: the gradients of the entry point are divided by it (dsstne.md 1.8)."""
    return len(network.users(network.weights[info.index])) if info.owner == "weight" else 1


def _leaves_of(rank: int, ranks: int, batches: int) -> list[tuple[int, int]]:
    """The leaves of a rank: the batches (first, last + 1) of each, none in some where batches are few."""
    leaves = _leaves(ranks)
    own = range(start(leaves, ranks, rank), start(leaves, ranks, rank + 1))
    return [(i * batches // leaves, (i + 1) * batches // leaves) for i in own]


def _leaves(ranks: int) -> int:
    return max(LEAVES, 1 << (ranks - 1).bit_length())


def _tree_of(values: Sequence[float]) -> float:
    """The sum of numbers by one balanced tree."""
    tree = Tree()
    for value in values:
        tree.add(torch.tensor(value, dtype=torch.float64))
    return float(tree.total())
