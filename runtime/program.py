"""A compiled network with its states: loads the emitted module, binds states and buffers, runs entry points."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlang.codegen.grid import parts
from nnlang.codegen.plan import Plan
from nnlang.compiler import Compiled, compile_network
from nnlang.lower import Ranking, StateInfo
from nnlang.lower import Slot as SlotInfo
from nnlang.network import Network, Training
from nnlang.placement import ALONE, Placement
from nnlang.runtime import memory, modules, scalars
from nnlang.runtime.container import Spans
from nnlang.runtime.dataset import DataSet
from nnlang.runtime.devicefeed import DeviceFeed
from nnlang.runtime.devices import CPU, Device
from nnlang.runtime.executor import At, CpuExecutor, DeviceExecutor, Executor, Groups
from nnlang.runtime.feed import Feed, Ids
from nnlang.runtime.initialise import initial
from nnlang.runtime.mesh import ALONE_MESH, Mesh
from nnlang.runtime.model import Model

NORM_START = {"scale": 1.0, "bias": 0.0, "mean": 0.0, "variance": 1.0}


class Program:
    """The entry points of one network, ready to run on a device.

    States are held by what they are (`StateInfo`), in the layout that the plan wants; `get` and `load` speak DSSTNE's
    layout, [in, out]. Results of a call are views that the next call of the same entry overwrites.

    With a placement it is the program of one rank of a mesh that was laid for it: states are this rank's parts, the
    batch is of the rows that it gets, and all ranks make and run their programs together.
    """

    def __init__(
        self,
        network: Network,
        entries: Sequence[str],
        batch: int,
        training: Training | None = None,
        dtype: torch.dtype = torch.float32,
        device: Device = CPU,
        ranking: Ranking | None = None,
        placement: Placement = ALONE,
        mesh: Mesh = ALONE_MESH,
    ) -> None:
        assert placement == mesh.placement, "the mesh is laid for the placement"
        if placement.exact and device.kind == "cpu":
            torch.set_num_threads(1)  # products of few rows have other bits with other numbers of threads
        self.network, self.batch, self.training, self.dtype, self.device = network, batch, training, dtype, device
        self.ranking, self.placement, self.mesh = ranking, placement, mesh
        self.compiled: Compiled = self._compiled(entries, batch)
        self._scalars = scalars.of_network(network) | (scalars.of_training(training) if training else {})
        memory.check(self._plan_for, batch, device, 1 if device.on_gpu else mesh.world.local_size)
        mesh.barrier()  # before anyone takes memory that others have counted
        self.states: dict[StateInfo, Tensor] = {}
        with self.watched():
            self.executor = self._executor()
            for low in self.compiled.lowered.values():
                for info in low.states:
                    zeros = torch.zeros(_stored_shape(info), dtype=dtype, device=device.torch)
                    self.states.setdefault(info, zeros)

    def _plan_for(self, rows: int) -> Plan:
        if rows == self.batch:
            return largest(self.compiled)
        return largest(self._compiled(list(self.compiled.plans), rows))

    def _compiled(self, entries: Sequence[str], rows: int) -> Compiled:
        options, rank = self.device.options, self.mesh.rank
        return compile_network(
            self.network, entries, rows, self.training, options, self.ranking, self.placement, rank
        )  # fmt: skip

    def _executor(self) -> Executor:
        plans, source = self.compiled.plans, self.compiled.source
        groups = Groups(self.mesh.model, self.mesh.data)
        if self.device.kind == "cpu":
            return CpuExecutor(load_source(source), plans, self.batch, self.dtype, groups)
        assert self.dtype == torch.float32, "kernels compute in float32"
        module = modules.load(source, interpreted=self.device.kind == "interpret")
        return DeviceExecutor(module, plans, self.batch, self.device, groups)

    def watched(self) -> AbstractContextManager[None]:
        """While it lasts, memory that runs out (4) and failures of the device (5) are Stop."""
        return memory.watched(self._plan_for, self.batch, self.device)

    @classmethod
    def for_predict(
        cls, network: Network, model: Model, batch: int, device: Device = CPU, ranking: Ranking | None = None
    ) -> Program:
        """The program that predicts with a model's weights; with a ranking it recommends."""
        program = cls(network, ["recommend" if ranking else "predict"], batch, device=device, ranking=ranking)
        program.load(model)
        return program

    def slots(self, entry: str) -> list[SlotInfo]:
        """What the feed of an entry point has to hand in."""
        return self.compiled.lowered[entry].slots

    def results(self, entry: str) -> list[str]:
        """The names of what an entry point returns."""
        return self.compiled.lowered[entry].results

    def states_of(self, entry: str) -> list[Tensor]:
        """The states of an entry point, by its numbers."""
        return [self.states[info] for info in self.compiled.lowered[entry].states]

    def given(self, rows: int, step: Mapping[str, float]) -> dict[str, float]:
        """The scalars of a call: those of the network, of the training, of this step."""
        return {"inv": 1.0 / max(1, rows), **self._scalars, **step}

    def parts(self, feed: Any, order: Ids | None = None, first: int = 0, most: int = 1) -> Iterator[Any]:
        """A feed's examples (in an order) as parts of at most so many batches, from batch `first` on."""
        return self.executor.parts(feed, order, first, most)

    def run(
        self,
        entry: str,
        part: Any,
        step: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        epoch: int = 0,
        steps: int = 0,
    ) -> tuple[Tensor, ...]:
        """Runs an entry point on a batch; `step` are the scalars of this step."""
        given = self.given(part.rows, step or {})
        return self.executor.run(entry, self.states_of(entry), part, given, At(seed, epoch, steps))

    def predict(self, part: Any) -> dict[str, Tensor]:
        """The activations of every output layer [rows, units] by name: views until the next call."""
        with torch.inference_mode():
            found = self.run("predict", part)
        return {layer.name: value[: part.rows] for layer, value in zip(self.network.outputs, found, strict=True)}

    def recommend(self, part: Any) -> Tensor:
        """The best units of each row [rows, 2k]: a view until the next call; recs.chosen reads it."""
        with torch.inference_mode():
            (found,) = self.run("recommend", part)
        return found[: part.rows]

    def hide(self, units: Tensor) -> None:
        """Never recommends units of the ranked layer, from now on."""
        for info, tensor in self.states.items():
            if info.owner == "shown":
                tensor[units.to(tensor.device)] = float("-inf")

    def initialise(self, seed: int) -> None:
        """Fills every state with its start: weights by their scheme, biases, batch norm; optimiser states are 0."""
        for info, tensor in self.states.items():
            if info.part and info.owner != "bn":
                tensor.zero_()
            else:
                self._put(info, self._initial(info, seed))

    def _initial(self, info: StateInfo, seed: int) -> NDArray[np.float32]:
        if info.owner == "bn":
            start = NORM_START.get(info.part, 0.0)
            return np.full(info.shape, start, np.float32)
        layer = self.network.layers[self.network.weights[info.index].target]
        if info.owner == "bias":
            return np.full(info.shape, layer.init.bias, np.float32)
        inputs, outputs = (axis.total for axis in info.axes)
        return initial(layer.init, seed, info.index, inputs, outputs, *spans_of(info))

    def _put(self, info: StateInfo, values: NDArray[np.float32]) -> None:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        self.states[info].copy_(tensor.t() if info.transposed else tensor)

    def get(self, info: StateInfo) -> NDArray[np.float32]:
        """This rank's part of a state as numpy [in, out], a copy."""
        return _untransposed(info, self.states[info].to("cpu", torch.float32, copy=True).numpy())

    def whole(self, info: StateInfo) -> NDArray[np.float32] | None:
        """A state as numpy [in, out], on the first rank; None on others. To be called by all ranks together."""
        split = next((i for i, axis in enumerate(info.axes) if axis.is_split), None)
        if split is None:
            return self.get(info) if self.mesh.is_first else None
        dealt = parts(info.axes[split].total, self.placement.model)
        assert dealt is not None
        tensor = self.states[info].to("cpu", torch.float32)
        found = self.mesh.collect(tensor, 1 - split if info.transposed else split, dealt)
        return None if found is None else _untransposed(info, found)

    def spans(self) -> Mapping[str, Spans]:
        """Which part of each array of a model this rank takes, by name: what `model.load` may leave out."""
        return {state_name(info).rstrip("."): spans_of(info) for info in self.states}

    def load(self, model: Model) -> None:
        """Takes a model's weights, and its optimiser states where this program has such; parts of whole arrays."""
        for info in self.states:
            found = _find(model, info)
            if found is not None:
                self._put(info, found if found.shape == info.shape else found[_place_in(info)])

    def store(self, model: Model) -> Model:
        """The model with the weights and optimiser states of all ranks, on the first; all ranks call it together."""
        for info in self.states:
            found = self.whole(info)
            if found is not None:
                _place(model, info, found)
        return model


def largest(compiled: Compiled) -> Plan:
    """The plan that needs most memory among the entry points."""
    return max(compiled.plans.values(), key=lambda plan: plan.peak_memory)


def feed_for(program: Program, entry: str, datasets: Mapping[str, DataSet], *, shuffled: bool = False) -> Any:
    """The feed that an entry point of a program needs, on its device; `shuffled`: it will be asked for other orders."""
    by_unit, slots, device = entry not in ("predict", "recommend"), program.slots(entry), program.device
    if device.kind == "cpu":
        budget = None if by_unit else 0  # who predicts comes by once: nothing is kept for a second time
        return Feed(program.network, slots, datasets, by_unit=by_unit, dtype=program.dtype, budget=budget)
    margin = program.compiled.plans[entry].scratch + memory.free(device) // 8  # lists of pieces follow from the data
    with program.watched():
        return DeviceFeed(
            program.network,
            slots,
            datasets,
            batch=program.batch,
            device=device.torch,
            by_unit=by_unit,
            shuffled=shuffled,
            margin=margin,
        )


def state_name(info: StateInfo) -> str:
    """The name of an optimiser state in a model file: `weight0.v`."""
    return f"{info.owner}{info.index}.{info.part}"


def spans_of(info: StateInfo) -> Spans:
    """Where this rank's part of a state begins and ends, by axis."""
    return tuple((axis.first, axis.first + (axis.size or 0)) for axis in info.axes)


def _place_in(info: StateInfo) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in spans_of(info))


def _untransposed(info: StateInfo, values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.T if info.transposed else values)


def _find(model: Model, info: StateInfo) -> NDArray[np.float32] | None:
    if info.owner == "bn" and info.part in NORM_START:
        return model.batch_norm[info.index][info.part]
    if info.part or info.owner == "shown":
        return model.state.get(state_name(info))
    return {"weight": model.weights, "bias": model.biases}[info.owner][info.index]


def _place(model: Model, info: StateInfo, values: NDArray[np.float32]) -> None:
    if info.owner == "bn" and info.part in NORM_START:
        model.batch_norm.setdefault(info.index, {})[info.part] = values
    elif info.part:
        model.state[state_name(info)] = values
    else:
        {"weight": model.weights, "bias": model.biases}[info.owner][info.index] = values


def _stored_shape(info: StateInfo) -> tuple[int, ...]:
    return info.shape[::-1] if info.transposed else info.shape


def load_source(source: str) -> types.ModuleType:
    """The module of an emitted text. The text holds nothing but our own statements over numbered names."""
    name = f"nnlang_generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    module = types.ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module
