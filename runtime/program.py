"""A compiled network with its states: loads the emitted module, binds states and buffers, runs entry points."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlang.codegen.plan import Plan
from nnlang.compiler import Compiled, compile_network
from nnlang.lower import Slot as SlotInfo
from nnlang.lower import StateInfo
from nnlang.network import Network, Training
from nnlang.runtime import memory, scalars
from nnlang.runtime.block import Block
from nnlang.runtime.feed import Batch, Feed
from nnlang.runtime.initialise import initial
from nnlang.runtime.model import Model

Entry = Callable[[Sequence[Tensor], Sequence[object], Block], tuple[Tensor, ...]]
NORM_START = {"scale": 1.0, "bias": 0.0, "mean": 0.0, "variance": 1.0}


class Program:
    """The entry points of one network, ready to run on the CPU.

    States are held by what they are (`StateInfo`), in the layout that the plan wants; `weights()` and `load` speak
    DSSTNE's layout, [in, out]. Results of a call are views that the next call of the same entry overwrites.
    """

    def __init__(
        self,
        network: Network,
        entries: Sequence[str],
        batch: int,
        training: Training | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.network, self.batch, self.training, self.dtype = network, batch, training, dtype
        self.compiled: Compiled = compile_network(network, entries, batch, training)

        def plan_for(rows: int) -> Plan:
            return largest(self.compiled if rows == batch else compile_network(network, entries, rows, training))

        memory.check(plan_for, batch)
        module = load_source(self.compiled.source)
        self._entries: dict[str, Entry] = {name: getattr(module, name) for name in entries}
        self.states: dict[StateInfo, Tensor] = {}
        for low in self.compiled.lowered.values():
            for info in low.states:
                self.states.setdefault(info, torch.zeros(_stored_shape(info), dtype=dtype))
        self._arenas = {name: _arena(plan, dtype) for name, plan in self.compiled.plans.items()}
        self._tiles: dict[int, Tensor] = {}
        self._scalars = scalars.of_network(network) | (scalars.of_training(training) if training else {})

    @classmethod
    def for_predict(cls, network: Network, model: Model, batch: int) -> Program:
        """The program that predicts with a model's weights."""
        program = cls(network, ["predict"], batch)
        program.load(model)
        return program

    def slots(self, entry: str) -> list[SlotInfo]:
        """What the feed of an entry point has to hand in."""
        return self.compiled.lowered[entry].slots

    def results(self, entry: str) -> list[str]:
        """The names of what an entry point returns."""
        return self.compiled.lowered[entry].results

    def run(
        self,
        entry: str,
        batch: Batch,
        step: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        epoch: int = 0,
        steps: int = 0,
    ) -> tuple[Tensor, ...]:
        """Runs an entry point on a batch; `step` are the scalars of this step."""
        given = {"inv": 1.0 / max(1, batch.rows), **self._scalars, **(step or {})}
        block = Block(
            batch.rows,
            torch.from_numpy(batch.ids),
            given,
            seed,
            epoch,
            steps,
            self._arenas[entry],
            self._tiles,
            self.dtype,
        )
        order = self.compiled.lowered[entry].states
        return self._entries[entry]([self.states[info] for info in order], batch.slots, block)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The activations of every output layer [rows, units] by name: views until the next call."""
        with torch.inference_mode():
            found = self.run("predict", batch)
        return {layer.name: value for layer, value in zip(self.network.outputs, found, strict=True)}

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
        inputs, outputs = info.shape
        return initial(layer.init, seed, info.index, inputs, outputs)

    def _put(self, info: StateInfo, values: NDArray[np.float32]) -> None:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        self.states[info].copy_(tensor.t() if info.transposed else tensor)

    def get(self, info: StateInfo) -> NDArray[np.float32]:
        """A state as numpy [in, out], a copy."""
        tensor = self.states[info].t() if info.transposed else self.states[info]
        return tensor.to(torch.float32).contiguous().numpy().copy()

    def load(self, model: Model) -> None:
        """Takes a model's weights, and its optimiser states where this program has such."""
        for info in self.states:
            found = _find(model, info)
            if found is not None:
                self._put(info, found)

    def store(self, model: Model) -> Model:
        """The model with this program's weights and optimiser states."""
        for info in self.states:
            _place(model, info, self.get(info))
        return model


def largest(compiled: Compiled) -> Plan:
    """The plan that needs most memory among the entry points."""
    return max(compiled.plans.values(), key=lambda plan: plan.peak_memory)


def feed_for(program: Program, entry: str, datasets: Mapping[str, object], **options: object) -> Feed:
    """The feed that an entry point of a program needs."""
    by_unit = entry != "predict"
    return Feed(program.network, program.slots(entry), datasets, by_unit=by_unit, dtype=program.dtype, **options)  # type: ignore[arg-type]


def state_name(info: StateInfo) -> str:
    """The name of an optimiser state in a model file: `weight0.v`."""
    return f"{info.owner}{info.index}.{info.part}"


def _find(model: Model, info: StateInfo) -> NDArray[np.float32] | None:
    if info.owner == "bn" and info.part in NORM_START:
        return model.batch_norm[info.index][info.part]
    if info.part:
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


def _arena(plan: Plan, dtype: torch.dtype) -> list[Tensor]:
    return [torch.empty(n, dtype=dtype) for n in plan.slots]


def load_source(source: str) -> types.ModuleType:
    """The module of an emitted text. The text holds nothing but our own statements over numbered names."""
    name = f"nnlang_generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    module = types.ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module
