"""What the user wrote: every value with its span, None where nothing was written. No defaults, nothing checked yet
but types and ranges; what it means is `nnlang.resolve`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Generic, Literal, TypeVar

from nnlang.network import Activation, ErrorFunction, Kind, LayerType, Optimizer, Scheme, Step
from nnlang.source import Source, Span
from nnlang.syntax import ArrayNode, ObjectNode, StringNode

T = TypeVar("T")


@dataclass(frozen=True)
class Written(Generic[T]):
    """A value that was written: `span` is that of the value, `key` that of its name (of the array it stands in)."""

    value: T
    span: Span
    key: Span


Names = tuple[Written[str], ...]
Numbers = tuple[Written[int], ...]


@dataclass(frozen=True)
class Sparseness:
    """A sparseness penalty, of the network or of one layer."""

    span: Span
    key: Span
    p: Written[float] | None = None
    beta: Written[float] | None = None


@dataclass(frozen=True)
class Denoising:
    """`Denoising`."""

    span: Span
    key: Span
    p: Written[float] | None = None


@dataclass(frozen=True)
class DeltaBoost:
    """`DeltaBoost`."""

    span: Span
    key: Span
    one: Written[float] | None = None
    zero: Written[float] | None = None


@dataclass(frozen=True)
class Smce:
    """`ScaledMarginalCrossEntropy`, under either of its names."""

    span: Span
    key: Span
    one_target: Written[float] | None = None
    zero_target: Written[float] | None = None
    one_scale: Written[float] | None = None
    zero_scale: Written[float] | None = None


@dataclass(frozen=True)
class Lrn:
    """`LocalResponseNormalization`."""

    span: Span
    key: Span
    k: Written[float] | None = None
    n: Written[int] | None = None
    alpha: Written[float] | None = None
    beta: Written[float] | None = None


@dataclass(frozen=True)
class MaxOut:
    """`MaxOut`."""

    span: Span
    key: Span
    k: Written[int] | None = None


@dataclass(frozen=True)
class WeightInit:
    """`WeightInit` of a layer."""

    span: Span
    key: Span
    scheme: Written[Scheme] | None = None
    scale: Written[float] | None = None
    bias: Written[float] | None = None


@dataclass(frozen=True)
class SharedWeights:
    """One entry of a layer's `SharedWeights`."""

    span: Span
    key: Span
    source_input: Written[str]
    source_output: Written[str]
    input: Written[str]
    transposed: Written[bool] | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of the list. `kind` and `type` are what was written; `n` is a tuple of sizes or "auto"."""

    span: Span
    position: int
    name: Written[str] | None = None
    kind: Written[Kind] | None = None
    type: Written[LayerType] | None = None
    sparse: Written[bool] | None = None
    n: Written[tuple[int, ...] | Literal["auto"]] | None = None
    dropout: Written[float] | None = None
    sources: Names | None = None
    kernel: Numbers | None = None
    stride: Numbers | None = None
    batch_normalization: Written[bool] | None = None
    sparseness: Sparseness | None = None
    penalty: Written[bool] | None = None  # `SparsenessPenalty` as a boolean
    function: Written[str] | None = None
    skips: Names | None = None
    activation: Written[Activation] | None = None
    slope: Written[float] | None = None
    elu_alpha: Written[float] | None = None
    selu_lambda: Written[float] | None = None
    weight_norm: Written[float] | None = None
    delta_norm: Written[float] | None = None
    init: WeightInit | None = None
    shared: tuple[SharedWeights, ...] | None = None
    dataset: Written[str] | None = None

    @property
    def head(self) -> Span:
        """Where to point at when the layer as a whole is meant: its name, its kind, or its opening bracket."""
        named = self.name or self.kind
        return named.span if named else Span(self.span.start, self.span.start + 1)


@dataclass(frozen=True)
class Training:
    """`TrainingParameters`, of a definition or of a job."""

    span: Span
    key: Span
    epochs: Written[int] | None = None
    batch: Written[int] | None = None
    alpha: Written[float] | None = None
    alpha_interval: Written[int] | None = None
    alpha_multiplier: Written[float] | None = None
    mu: Written[float] | None = None
    mu1: Written[float] | None = None
    lambda_: Written[float] | None = None
    lambda1: Written[float] | None = None
    optimizer: Written[Optimizer] | None = None
    checkpoint_interval: Written[int] | None = None
    checkpoint_name: Written[str] | None = None
    results: Written[str] | None = None
    shuffle: Written[bool] | None = None
    seed: Written[int] | None = None


@dataclass(frozen=True)
class Preparation:
    """One step of `Preparation`."""

    span: Span
    key: Span
    step: Written[Step]
    name: Written[str] | None = None
    dataset: Written[str] | None = None
    least: Written[float] | None = None
    norm: Written[int] | None = None
    n: Written[int] | None = None
    users: Written[int] | None = None
    items: Written[int] | None = None


@dataclass(frozen=True)
class Prediction:
    """`PredictionParameters` of a job."""

    span: Span
    key: Span
    batch: Written[int] | None = None
    k: Written[int] | None = None
    results: Written[str] | None = None


@dataclass(frozen=True)
class SweepData:
    """`Data` of a sweep."""

    span: Span
    key: Span
    ratings: Written[str] | None = None
    columns: Written[str] | None = None
    second: Written[str] | None = None
    least: Written[float] | None = None
    input: Names | None = None
    output: Names | None = None
    validation_input: Names | None = None
    validation_output: Names | None = None


@dataclass(frozen=True)
class SweepSplit:
    """`Split` of a sweep."""

    span: Span
    key: Span
    name: Written[str] | None = None
    fraction: Written[float] | None = None
    validation: Written[float] | None = None
    seed: Written[int] | None = None
    fold: Written[int] | None = None
    folds: Written[int] | None = None
    by: Written[str] | None = None
    users: Written[int] | None = None
    min_items: Written[int] | None = None
    windows: Written[int] | None = None
    window: Written[float] | None = None


@dataclass(frozen=True)
class Pruning:
    """`Pruning` of a sweep."""

    span: Span
    key: Span
    method: Written[str] | None = None
    first: Written[int] | None = None
    factor: Written[int] | None = None
    warmup: Written[int] | None = None
    interval: Written[int] | None = None
    percent: Written[float] | None = None


@dataclass(frozen=True)
class Axis:
    """The object of one axis: the values to try, in one of four forms, and when, where and how they are written."""

    span: Span
    key: Span
    choice: Written[ArrayNode] | None = None
    uniform: tuple[Written[float], ...] | None = None
    log_uniform: tuple[Written[float], ...] | None = None
    integer: Numbers | None = None
    when: Written[ObjectNode] | None = None
    path: Names | None = None
    text: Names | None = None


@dataclass(frozen=True)
class Sweep:
    """A whole sweep file; what stands in `axes` and `constraints` depends on the definition, nnlang/search reads it."""

    source: Source = field(repr=False, compare=False)
    span: Span
    name: Written[str]
    definition: Written[StringNode | ObjectNode]
    data: SweepData | None = None
    split: SweepSplit | None = None
    training: Training | None = None
    metric: Written[str] | None = None
    patience: Written[int] | None = None
    axes: Written[ObjectNode] | None = None
    constraints: Written[ArrayNode] | None = None
    method: Written[str] | None = None
    trials: Written[int] | None = None
    seed: Written[int] | None = None
    seeds: Written[str] | None = None
    pruning: Pruning | None = None


@dataclass(frozen=True)
class Definition:
    """A whole definition. `source` is the text that all spans of it stand in."""

    source: Source = field(repr=False, compare=False)
    span: Span
    layers: tuple[Layer, ...]
    version: Written[float] | None = None
    name: Written[str] | None = None
    kind: Written[str] | None = None
    weights_data: Written[str] | None = None
    lrn: Lrn | None = None
    maxout: MaxOut | None = None
    sparseness: Sparseness | None = None
    denoising: Denoising | None = None
    delta_boost: DeltaBoost | None = None
    smce: Smce | None = None
    shuffle: Written[bool] | None = None
    slope: Written[float] | None = None
    elu_alpha: Written[float] | None = None
    selu_lambda: Written[float] | None = None
    decay: Written[float] | None = None
    error_function: Written[ErrorFunction] | None = None
    training: Training | None = None
    preparation: tuple[Preparation, ...] | None = None

    def dump(self) -> str:
        """The golden text: one line a value with the characters it stands at, in the order of the fields."""
        return "\n".join(_lines("definition", self, 0)) + "\n"


@dataclass(frozen=True)
class Job:
    """A whole job file. `source` is the text that all spans of it stand in."""

    source: Source = field(repr=False, compare=False)
    span: Span
    network: Written[str]
    command: Written[str]
    data: Names
    version: Written[float] | None = None
    seed: Written[int] | None = None
    training: Training | None = None
    prediction: Prediction | None = None

    def dump(self) -> str:
        """The golden text, as that of a definition."""
        return "\n".join(_lines("job", self, 0)) + "\n"


def _lines(name: str, value: object, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(value, Written):
        yield f"{pad}{name} {_text(value.value)} @{value.span.start}:{value.span.end}"
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _lines(f"{name}[{index}]", item, depth)
    elif is_dataclass(value) and not isinstance(value, type | Span):
        span: Span = getattr(value, "span")  # noqa: B009 - not every dataclass has one, these have
        yield f"{pad}{name} @{span.start}:{span.end}"
        for f in fields(value):
            if f.name not in ("source", "span", "key", "position"):
                yield from _lines(f.name, getattr(value, f.name), depth + 1)


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    return ascii(value) if isinstance(value, str) else repr(value)
