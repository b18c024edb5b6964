"""What a definition means: layers in propagation order, weights, losses. Nothing is optional, only names are text.

Names stand here for people and files only; everything after `lower` speaks of numbers. One `Network` is the single
input of lowering, of the float64 reference, of model files and of cost facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum


class Kind(Enum):
    """Layer kinds; values as in DSSTNE's files (dsstne.md 0.3)."""

    INPUT, HIDDEN, OUTPUT, TARGET = range(4)


class LayerType(Enum):
    """Layer types; values as in DSSTNE's files (dsstne.md 0.3)."""

    FULLY_CONNECTED, CONVOLUTIONAL, POOLING = range(3)


class Activation(Enum):
    """Activation functions; values as in DSSTNE's files (dsstne.md 0.3)."""

    SIGMOID, TANH, RELU, LINEAR, PRELU, SOFTPLUS, SOFTSIGN, SOFTMAX, RELUMAX, LINEARMAX, ELU, LEAKY_RELU, SELU = range(
        13
    )


class ErrorFunction(Enum):
    """Error functions; values as in DSSTNE's files (dsstne.md 0.3)."""

    L1, L2, CROSS_ENTROPY, SMCE, DSMCE, HINGE, L2_HINGE = range(7)


class Scheme(Enum):
    """Weight initialisations; values as in DSSTNE's files (dsstne.md 0.3)."""

    XAVIER, CAFFE_XAVIER, GAUSSIAN, UNIFORM, UNIT_BALL, CONSTANT, SELU = range(7)


class Optimizer(Enum):
    """Optimisers; values as in DSSTNE's files (dsstne.md 0.3)."""

    SGD, MOMENTUM, ADAGRAD, NESTEROV, RMSPROP, ADADELTA, ADAM = range(7)


class Step(Enum):
    """Steps of feature preparation (docs/preparation.md)."""

    BINARISE, THRESHOLD, LOG, TF_IDF, ROW_NORM, Z_SCORE, MIN_MAX, TOP_FREQUENCY, TOP_INFORMATION, K_CORE = range(10)


WIDE = 10_000  # units from which nobody stores dense rows


@dataclass(frozen=True)
class DataFacts:
    """What a data set says of itself, all that resolve and lower need of it (the arrays stay in runtime/dataset.py)."""

    name: str
    examples: int
    width: int
    height: int = 1
    length: int = 1
    dimensions: int = 1
    sparse: bool = False
    boolean: bool = False
    weighted: bool = False
    ignore_zero: bool = False
    entries: int = 0  # stored entries of a sparse set, over its unique rows
    unique: int = 0  # distinct rows; 0 means `examples`
    assumed: bool = False  # of a data set that is only named: all but the sizes is a guess

    @property
    def units(self) -> int:
        return self.width * self.height * self.length

    @property
    def density(self) -> float:
        """Stored entries over cells, 1.0 for a dense set."""
        return self.entries / max(1, (self.unique or self.examples) * self.units) if self.sparse else 1.0


@dataclass(frozen=True)
class Init:
    """How a layer's incoming weights and biases start (dsstne.md 6.1, mended as docs/numerics.md says)."""

    scheme: Scheme = Scheme.XAVIER
    scale: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True)
class Sparseness:
    """The sparseness penalty on a hidden layer's batch means: target activation p, strength beta (dsstne.md 2.2)."""

    p: float
    beta: float


@dataclass(frozen=True)
class Layer:
    """One layer. `index` is its place in `Network.layers`, which stand in propagation order."""

    index: int
    position: int  # zero-based place in the definition's list: DSSTNE's construction order, the order of model files
    name: str
    kind: Kind
    type: LayerType
    dims: tuple[int, int, int, int]  # Nx, Ny, Nz, Nw
    dimensions: int  # how many of them count
    dataset: str  # "" where none is bound
    sources: tuple[int, ...]  # indices of layers, in the order written; empty for Input
    skips: tuple[int, ...]  # indices of layers added to the pre-activation
    activation: Activation = Activation.SIGMOID
    slope: float = 0.01  # leaky ReLU
    elu_alpha: float = 1.0  # ELU alpha; SELU takes 1.6732632 unless written
    selu_lambda: float = 1.050701
    dropout: float = 0.0
    sparse: bool = False  # the definition's `Sparse`
    denoising: bool = False  # Input only: entries of this layer are denoised
    sparseness: Sparseness | None = None  # Hidden only
    batch_normalization: bool = False  # Hidden only
    weight_norm: float = 0.0
    delta_norm: float = 0.0
    init: Init = field(default_factory=Init)
    function: str = ""  # pooling function, "" otherwise
    kernel: tuple[int, int, int] = (1, 1, 1)
    kernel_stride: tuple[int, int, int] = (1, 1, 1)
    kernel_dimensions: int = 0

    @property
    def units(self) -> int:
        x, y, z, w = self.dims
        return x * y * z * w


@dataclass(frozen=True)
class Weight:
    """The matrix of one edge, [source units, target units], with the bias of its own that DSSTNE gives every edge.

    A shared weight has no matrix of its own: it is that of `owner` (an index in `Network.weights`), transposed or not.
    Weights stand in construction order (layers by `position`, then sources in order), the order of model files.
    """

    index: int
    source: int  # index of a layer
    target: int  # index of a layer
    owner: int | None = None
    transposed: bool = False


@dataclass(frozen=True)
class Loss:
    """The network's one error function with its parameters, and DeltaBoost (dsstne.md 3)."""

    function: ErrorFunction = ErrorFunction.CROSS_ENTROPY
    one_target: float = 0.9
    zero_target: float = 0.1
    one_scale: float = 1.0
    zero_scale: float = 1.0
    boost_one: float = 1.0
    boost_zero: float = 1.0


@dataclass(frozen=True)
class Preparation:
    """One step that the stored entries of input data sets go through, each number used by the steps that take it."""

    step: Step
    name: str = ""
    datasets: tuple[str, ...] = ()  # those that it acts on
    least: float = 0.0
    norm: int = 2  # 1 or 2
    n: int = 0  # features that stay
    users: int = 0  # that a feature needs
    items: int = 0  # that a row needs


@dataclass(frozen=True)
class Network:
    """A resolved network. `data` holds the facts of every data set that a layer binds, where they were given."""

    name: str
    version: float
    kind: str  # "FeedForward" or "AutoEncoder"; no difference in meaning
    layers: tuple[Layer, ...]
    weights: tuple[Weight, ...]
    loss: Loss
    denoising: float = 0.0  # p; 0 is off
    sparseness: Sparseness | None = None  # the network's default, kept for model files
    shuffle: bool = True
    decay: float = 0.0
    lrn: tuple[float, int, float, float] = (2.0, 5, 1e-4, 0.75)  # k, n, alpha, beta
    maxout_k: int = 2
    slope: float = 0.01
    elu_alpha: float = 1.0
    selu_lambda: float = 1.050701
    data: tuple[DataFacts, ...] = ()  # as they are after the preparation
    preparation: tuple[Preparation, ...] = ()

    @property
    def inputs(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.kind is Kind.INPUT)

    @property
    def outputs(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.kind is Kind.OUTPUT)

    def weights_into(self, layer: Layer) -> tuple[Weight, ...]:
        """The weights of a layer's sources, in source order."""
        into = {w.source: w for w in self.weights if w.target == layer.index}
        return tuple(into[s] for s in layer.sources) if into else ()

    def shape(self, weight: Weight) -> tuple[int, int]:
        """[source units, target units] of a weight as its edge uses it."""
        return self.layers[weight.source].units, self.layers[weight.target].units

    def users(self, owner: Weight) -> tuple[Weight, ...]:
        """The owner of a matrix and every edge that shares it; each one's gradient counts 1 / len (dsstne.md 1.8)."""
        return tuple(w for w in self.weights if w.index == owner.index or w.owner == owner.index)

    def facts(self, layer: Layer) -> DataFacts | None:
        """The facts of the data set that a layer binds, if they are known."""
        return next((d for d in self.data if d.name == layer.dataset), None)

    def taken_sparse(self, layer: Layer) -> bool:
        """Whether the rows that a layer is bound to are sparse; without facts, `Sparse` and wide ones are taken so."""
        facts = self.facts(layer)
        return facts.sparse if facts else layer.dataset != "" and (layer.sparse or layer.units >= WIDE)

    def dump(self) -> str:
        """The golden text: one line a layer and a weight, every value, in order."""
        lists = ("layers", "weights", "data", "preparation")
        head = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in lists}
        lines = ["network " + _pairs(head)]
        lines += [f"preparation {i} " + _pairs(_values(step)) for i, step in enumerate(self.preparation)]
        lines += ["data " + _pairs(_values(d, "assumed")) for d in self.data]
        lines += [f"layer {layer.index} " + _pairs(_values(layer, "index")) for layer in self.layers]
        lines += [
            f"weight {w.index} " + _pairs({**_values(w, "index"), "shape": list(self.shape(w))}) for w in self.weights
        ]
        return "\n".join(lines) + "\n"


def _values(item: object, *left_out: str) -> dict[str, object]:
    assert is_dataclass(item)
    return {f.name: getattr(item, f.name) for f in fields(item) if f.name not in left_out}


def _pairs(values: dict[str, object]) -> str:
    return " ".join(f"{k}={_text(v)}" for k, v in values.items())


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    if is_dataclass(value):
        return "(" + _pairs(_values(value)) + ")"
    if isinstance(value, tuple | list):
        return "[" + ",".join(_text(v) for v in value) + "]"
    if isinstance(value, str):
        return ascii(value)
    return repr(value)


@dataclass(frozen=True)
class Footprint:
    """What training a network takes at a batch size: numbers learned, bytes held, work of a step. Computed, not run."""

    batch: int
    parameters: int
    weights: int  # bytes of the parameters
    state: int  # bytes of the optimiser's state
    activations: int  # bytes of everything computed in a step that is stored
    feed: int  # bytes of a batch of data
    flops: float
    traffic: float  # bytes read and written

    @property
    def memory(self) -> int:
        """Bytes held at most on one device."""
        return self.weights + self.state + self.activations + self.feed

    def devices(self, memory: int) -> int | None:
        """How many devices of some memory would hold it: weights, state and data divided, activations on each.

        None where the activations alone are too large for any number.
        """
        room = memory - self.activations
        return None if room <= 0 else max(1, -(-(self.weights + self.state + self.feed) // room))


@dataclass(frozen=True)
class Training:
    """Settings of one training run, from `TrainingParameters`, a job file or flags (dsstne.md 5.4, 10.4)."""

    optimizer: Optimizer = Optimizer.SGD
    epochs: int = 40
    batch: int = 1024
    alpha: float = 0.025
    lambda_: float = 0.0001  # L2
    lambda1: float = 0.0  # L1
    mu: float = 0.5
    mu1: float = 0.999
    seed: int = 12134
    alpha_interval: int = 0  # epochs between multiplications of alpha; 0 is never
    alpha_multiplier: float = 0.5
    checkpoint_interval: int = 10  # epochs; 0 is none
    shuffle: bool | None = None  # None: as the network says
