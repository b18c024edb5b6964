"""What a drawing says, whatever its form: a box a layer, an edge a source or skip, a title. All texts are printable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nnlang import schema
from nnlang.diagnostics import printable
from nnlang.drawing.counts import incoming, learned, matrix, size_text
from nnlang.legality import activation_spelling
from nnlang.network import Activation, DataFacts, Kind, Layer, LayerType, Network, Weight

_TOLD = 100  # layers that a description goes through


@dataclass(frozen=True)
class Box:
    """One layer in words. `role` is input, hidden, output, target, or pooling for a layer that has no weights."""

    name: str
    role: str
    kind: str  # "Hidden", "Hidden, convolution 5 × 5"
    shape: str  # "32 × 32 × 3", "auto" or "?"
    units: str  # the same with its word: "128 units"
    activation: str  # "" where it has none
    options: tuple[str, ...]  # "dropout 0.5", "batch norm"
    data: tuple[str, ...]  # the data set, "sparse" or "dense", how much of it is stored
    sources: tuple[str, ...]
    skips: tuple[str, ...]
    parameters: int | None  # None where a size is not known
    weighted: bool  # whether it has parameters at all

    @property
    def words(self) -> tuple[str, ...]:
        """The lines below its name where nothing limits their width."""
        data = f"data {', '.join(self.data)}" if self.data else ""
        computed = ", ".join(part for part in (self.units, self.activation) if part)
        return tuple(line for line in (self.kind, computed, ", ".join(self.options), data, self.learned) if line)

    @property
    def learned(self) -> str:
        """The number of its parameters in words; "" where it can have none."""
        return _count(self.parameters) if self.weighted else ""

    @property
    def number(self) -> str:
        """The number alone, as tables have it; `?` where it is not known."""
        return self.learned.partition(" ")[0]


@dataclass(frozen=True)
class Edge:
    """One arrow between boxes, by their numbers: weights, or units that are added (`skip`)."""

    source: int
    target: int
    skip: bool
    label: str  # the matrix: "27,278 × 128"; "" where there is none
    shared: str = ""  # whose matrix it is: "shared with A → B, transposed"


@dataclass(frozen=True)
class Picture:
    """A network as it is drawn: what stands above, boxes in propagation order, edges."""

    title: str
    facts: tuple[str, ...]  # error function, parameters, bytes
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]

    @property
    def description(self) -> str:
        """The drawing in a sentence a layer, for those who cannot see it; of many layers, the first ones."""
        more = len(self.boxes) - _TOLD
        rest = (f"{more:,} more layers.",) if more > 0 else ()
        return " ".join((f"{', '.join(self.facts)}.", *map(_sentence, self.boxes[:_TOLD]), *rest))


def describe(network: Network) -> Picture:
    """Everything that a drawing of a network says; sizes that are not known stand as `auto` or `?`."""
    into = incoming(network)
    data = {facts.name: facts for facts in network.data}
    names = [printable(layer.name) for layer in network.layers]
    boxes = tuple(_box(network, layer, names, into.get(layer.index, ()), data) for layer in network.layers)
    edges = tuple(edge for layer in network.layers for edge in _edges(network, layer, names, into))
    return Picture(printable(network.name) or "network", tuple(_totals(network, boxes)), boxes, edges)


def _totals(network: Network, boxes: tuple[Box, ...]) -> Iterator[str]:
    yield _ERRORS[network.loss.function]
    yield f"{len(boxes):,} layer" + "s" * (len(boxes) != 1)
    counts = [box.parameters for box in boxes]
    unknown = counts.count(None)
    if unknown:
        yield "parameters unknown while sizes are open"
        return
    total = sum(count or 0 for count in counts)
    yield _count(total)
    yield f"{size_text(total)} in float32"


def _count(count: int | None) -> str:
    if count is None:
        return "? parameters"
    return f"{count:,} parameter" + "s" * (count != 1)


def _box(
    network: Network, layer: Layer, names: list[str], weights: tuple[Weight, ...], data: Mapping[str, DataFacts]
) -> Box:
    pooling = layer.type is LayerType.POOLING and layer.kind is not Kind.INPUT
    weighted = layer.kind is not Kind.INPUT and not pooling
    shape = sizes_text(layer.dims[: max(1, layer.dimensions)], _unknown(layer))
    return Box(
        name=names[layer.index],
        role="pooling" if pooling and layer.kind is Kind.HIDDEN else layer.kind.name.lower(),
        kind=_kind(layer),
        shape=shape,
        units=_units(layer, shape),
        activation=_activation(layer) if weighted else "",
        options=tuple(_options(network, layer)),
        data=tuple(_data(layer, data.get(layer.dataset))),
        sources=tuple(names[i] for i in layer.sources),
        skips=tuple(names[i] for i in layer.skips),
        parameters=learned(network, layer, weights),
        weighted=weighted,
    )


def sizes_text(sizes: tuple[int, ...], unknown: str = "?") -> str:
    """Sizes as people write them, `32 × 32 × 3`, with a word for those that are not known."""
    return " × ".join(f"{size:,}" if size else unknown for size in sizes)


def _unknown(layer: Layer) -> str:
    """How a size that is not known is called: only what says `auto` itself waits for data; others follow from it."""
    derived = layer.kind is not Kind.INPUT and layer.type is not LayerType.FULLY_CONNECTED
    return "?" if derived else "auto"


def _units(layer: Layer, shape: str) -> str:
    if not layer.units:
        return f"size {shape}"
    word = "unit" if layer.units == 1 else "units"
    return f"{shape} {word}" if layer.dimensions < 2 else f"{shape} = {layer.units:,} {word}"


_KERNELS = ("max", "average")  # the pooling functions that a kernel means something to
_NAMES = {"dotproduct": "dot product", "cosine": "cosine", "lrn": "response normalisation", "maxout": "maxout"}
_ERRORS = {option.value: option.spelling for option in schema.ERROR_FUNCTION.options}


def _kind(layer: Layer) -> str:
    """Kind and type of a layer: `Hidden`, `Hidden, convolution 5 × 5, stride 2`, `Hidden, max pooling 2 × 2`."""
    word = layer.kind.name.capitalize()
    if layer.kind is Kind.INPUT or layer.type is LayerType.FULLY_CONNECTED:
        return word
    if layer.type is LayerType.CONVOLUTIONAL:
        return f"{word}, convolution {_kernel(layer)}"
    if layer.function in _KERNELS:
        return f"{word}, {layer.function} pooling {_kernel(layer)}"
    return f"{word}, {_NAMES[layer.function]}"


def _kernel(layer: Layer) -> str:
    axes = max(1, layer.kernel_dimensions)
    kernel, stride = layer.kernel[:axes], layer.kernel_stride[:axes]
    if set(stride) == {1}:
        return sizes_text(kernel)
    return f"{sizes_text(kernel)}, stride {sizes_text(stride if len(set(stride)) > 1 else stride[:1])}"


# The numbers that belong to an activation, with the layer's field.
_NUMBERS = {
    Activation.LEAKY_RELU: (("slope", "slope"),),
    Activation.ELU: (("alpha", "elu_alpha"),),
    Activation.SELU: (("alpha", "elu_alpha"), ("lambda", "selu_lambda")),
}


def _activation(layer: Layer) -> str:
    numbers = (f"{word} {getattr(layer, field):g}" for word, field in _NUMBERS.get(layer.activation, ()))
    return ", ".join((activation_spelling(layer.activation), *numbers))


def _options(network: Network, layer: Layer) -> Iterator[str]:
    if layer.dropout:
        yield f"dropout {layer.dropout:g}"
    if layer.denoising:
        yield f"denoising {network.denoising:g}"
    if layer.batch_normalization:
        yield "batch norm"
    if layer.sparseness:
        yield f"sparseness p {layer.sparseness.p:g}, beta {layer.sparseness.beta:g}"
    if layer.weight_norm:
        yield f"weight norm {layer.weight_norm:g}"
    if layer.delta_norm:
        yield f"delta norm {layer.delta_norm:g}"


def _data(layer: Layer, facts: DataFacts | None) -> Iterator[str]:
    """The data set of a layer. Without facts of it `sparse` is what the definition says of it."""
    if not layer.dataset:
        return
    yield printable(layer.dataset)
    if facts is None:
        yield from ["sparse"] * layer.sparse
        return
    yield "sparse" if facts.sparse else "dense"
    if facts.sparse and facts.entries:
        yield f"{100 * facts.density:.3g}% stored"


def _edges(network: Network, layer: Layer, names: list[str], into: Mapping[int, tuple[Weight, ...]]) -> Iterator[Edge]:
    weights = {weight.source: weight for weight in into.get(layer.index, ())}
    for source in layer.sources:
        weight = weights.get(source)
        label = _matrix(network, weight) if weight else ""
        yield Edge(source, layer.index, False, label, _shared(network, weight, names) if weight else "")
    for source in layer.skips:
        yield Edge(source, layer.index, True, "")


def _matrix(network: Network, weight: Weight) -> str:
    sizes = matrix(network, weight)
    ends = (network.layers[weight.source], network.layers[weight.target])
    words = [*("?" for _ in sizes[:-2]), *map(_unknown, ends)]
    return " × ".join(f"{size:,}" if size else word for size, word in zip(sizes, words, strict=True))


def _shared(network: Network, weight: Weight, names: list[str]) -> str:
    if weight.owner is None:
        return ""
    owner = network.weights[weight.owner]
    ends = f"shared with {names[owner.source]} → {names[owner.target]}"
    return f"{ends}, transposed" if weight.transposed else ends


def _sentence(box: Box) -> str:
    parts = [box.kind, box.units, box.activation, *box.options, *box.data, box.learned]
    if box.sources:
        parts.append(f"from {', '.join(box.sources)}")
    if box.skips:
        parts.append(f"adds {', '.join(box.skips)}")
    return f"{box.name}: {', '.join(part for part in parts if part)}."
