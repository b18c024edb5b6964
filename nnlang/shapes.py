"""How large each layer is: N, "auto", derived axes of convolution and pooling, skips (dsstne.md 1.5, 1.9 to 1.11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnlang import ast
from nnlang.codes import advice
from nnlang.codes import shapes as codes
from nnlang.diagnostics import Report, at
from nnlang.network import DataFacts, Kind, LayerType
from nnlang.schema import INT_MAX
from nnlang.source import Span
from nnlang.suggest import SUGGESTIONS, distance, nearest
from nnlang.topology import Topology

Dims = tuple[int, int, int, int]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """The units of one layer along four axes, and how many of them count; all zero where they are not known yet."""

    dims: Dims
    axes: int

    @property
    def known(self) -> bool:
        return self.units > 0

    @property
    def units(self) -> int:
        x, y, z, w = self.dims
        return x * y * z * w

    def __str__(self) -> str:
        return " x ".join(str(d) for d in self.dims[: max(1, self.axes)])


_SLIPS = 2  # letters, by which a data set's name may be mistyped

UNKNOWN = Shape((0, 0, 0, 0), 0)


def measure(
    definition: ast.Definition, topology: Topology, data: Mapping[str, DataFacts], need: bool, report: Report
) -> tuple[Shape, ...]:
    """The shape of each layer by its place; unknown ones where data is needed but not given and `need` is False."""
    tape = _Tape(definition, topology, data, need, report)
    for place in topology.order:
        tape.shapes[place] = tape.shape(place)
    tape.check_skips()
    tape.check_examples()
    return tuple(tape.shapes)


def triple(written: ast.Numbers | None) -> Triple:
    """Kernel sizes or strides for three axes; 1 where nothing is written."""
    values = [n.value for n in written or ()]
    x, y, z = (*values, 1, 1, 1)[:3]
    return x, y, z


def through(size: int, kernel: int, stride: int) -> int:
    """The size of an axis behind a kernel, with the automatic padding of dsstne.md 1.11."""
    if size <= kernel:
        return 1
    return size if stride == 1 else (size - kernel) // stride + 1


class _Tape:
    def __init__(
        self, definition: ast.Definition, topology: Topology, data: Mapping[str, DataFacts], need: bool, report: Report
    ) -> None:
        self.definition, self.topology, self.data, self.need, self.report = definition, topology, data, need, report
        self.shapes = [UNKNOWN] * len(definition.layers)
        self.bound = {layer.dataset.value for layer in definition.layers if layer.dataset}
        self.suggestions = SUGGESTIONS

    def shape(self, place: int) -> Shape:
        layer = self.definition.layers[place]
        facts = self.facts(place)
        type_ = self.topology.types[place]
        derived = self.topology.kinds[place] is not Kind.INPUT and type_ is not LayerType.FULLY_CONNECTED
        shape = self.derived(place, facts) if derived else self.written(place, facts)
        if shape.units > INT_MAX:
            span = layer.n.span if layer.n else layer.head
            self.report(
                codes.TOO_MANY_UNITS, at(self.definition.source, span), name=self.name(place), units=shape.units
            )
            return UNKNOWN
        if facts is not None and shape.known:
            self.check_data(place, shape, facts)
        return shape

    def name(self, place: int) -> str:
        return self.topology.names[place]

    def facts(self, place: int) -> DataFacts | None:
        """What is known of the data set that a layer binds; its absence is reported where that matters."""
        layer = self.definition.layers[place]
        if layer.dataset is None or layer.dataset.value == "":
            return None
        name = layer.dataset.value
        facts = self.data.get(name)
        auto = layer.n is not None and layer.n.value == "auto"
        if facts is None and (self.data or auto):
            self.suggestions -= 1
            near = self.near(name) if self.suggestions >= 0 else {}
            if self.need or near:
                known = ", ".join(f"`{n}`" for n in sorted(self.data))
                remedy = f"the files given hold {known}" if known else "give the file that holds it"
                where = at(self.definition.source, layer.dataset.span)
                self.report(codes.NO_SUCH_DATA, where, dataset=name, name=self.name(place), remedy=remedy, **near)
        return facts

    def near(self, name: str) -> dict[str, Any]:
        """The data set that is meant by a name, as facts: a slip or two away, and bound by no other layer."""
        found = nearest(name, [other for other in self.data if other not in self.bound])
        return found if found and distance(name.lower(), str(found["near"]).lower()) <= _SLIPS else {}

    # Written sizes

    def written(self, place: int, facts: DataFacts | None) -> Shape:
        layer = self.definition.layers[place]
        source = self.definition.source
        hidden = self.topology.kinds[place] is Kind.HIDDEN
        if layer.n is None:
            expected = "the number of units" + ("" if hidden else ', or "auto" to take it from the data set')
            self.report(codes.NO_SIZE, at(source, layer.head), name=self.name(place), expected=expected)
            return UNKNOWN
        if layer.n.value != "auto":
            return _shape(layer.n.value)
        if hidden:
            self.report(codes.HIDDEN_AUTO, at(source, layer.n.span), name=self.name(place))
            return UNKNOWN
        return Shape((facts.width, facts.height, facts.length, 1), facts.dimensions) if facts else UNKNOWN

    def check_data(self, place: int, shape: Shape, facts: DataFacts) -> None:
        layer = self.definition.layers[place]
        found = Shape((facts.width, facts.height, facts.length, 1), facts.dimensions)
        where = at(self.definition.source, layer.n.span if layer.n else layer.head)
        names = {"dataset": facts.name, "name": self.name(place)}
        if any(have < want for have, want in zip(shape.dims, found.dims, strict=True)):
            text = f"{found} units" if found.axes < 2 else str(found)
            self.report(codes.DATA_TOO_WIDE, where, help=None, found=text, units=str(shape), **names)
        elif shape.axes != facts.dimensions:
            self.report(codes.DATA_AXES, where, help=None, found=str(found), axes=str(shape), **names)

    def check_examples(self) -> None:
        bound: dict[str, ast.Written[str]] = {}
        for layer in self.definition.layers:
            facts = self.data.get(layer.dataset.value) if layer.dataset else None
            if layer.dataset and facts and not facts.assumed:
                bound.setdefault(layer.dataset.value, layer.dataset)
        first = next(iter(bound), None)
        for name, written in bound.items():
            expected, found = self.data[first or name].examples, self.data[name].examples
            if found != expected:
                where = at(self.definition.source, written.span)
                self.report(codes.EXAMPLES_DIFFER, where, dataset=name, found=found, other=first, expected=expected)

    # Derived sizes

    def derived(self, place: int, facts: DataFacts | None) -> Shape:
        layer = self.definition.layers[place]
        sources = [self.shapes[i] for i in self.topology.sources[place]]
        convolutional = self.topology.types[place] is LayerType.CONVOLUTIONAL
        if convolutional and layer.n is None:
            where = at(self.definition.source, layer.head)
            self.report(codes.NO_SIZE, where, name=self.name(place), expected="the number of feature maps")
            return UNKNOWN
        if not self.strides_fit(place) or not sources or not all(s.known for s in sources):
            return UNKNOWN
        return self.convolved(place, facts) if convolutional else self.pooled(place)

    def strides_fit(self, place: int) -> bool:
        layer = self.definition.layers[place]
        count = len(layer.kernel or (1,))
        if layer.stride is not None and len(layer.stride) > count:
            where = at(self.definition.source, layer.stride[0].span.to(layer.stride[-1].span))
            self.report(codes.STRIDE_AXES, where, name=self.name(place), found=len(layer.stride), count=count)
            return False
        kernel, stride = triple(layer.kernel), triple(layer.stride)
        for axis, number in enumerate(layer.kernel or ()):
            if kernel[axis] % 2 == 0 and stride[axis] == 1:
                self.report(advice.EVEN_KERNEL, at(self.definition.source, number.span), name=self.name(place))
        return True

    def convolved(self, place: int, facts: DataFacts | None) -> Shape:
        layer = self.definition.layers[place]
        count = len(layer.kernel or (1,))
        reached = [self.behind_kernel(i, layer, count) for i in self.topology.sources[place]]
        wide = next((i for i in self.topology.sources[place] if self.shapes[i].axes > count + 1), None)
        if wide is not None:
            where = at(self.definition.source, _kernel_span(layer))
            words = {"name": self.name(place), "source": self.name(wide), "shape": str(self.shapes[wide])}
            self.report(codes.TOO_MANY_AXES, where, help=None, count=count, **words)
            return UNKNOWN
        if not self.alike(place, [_shape(r) for r in reached], "their maps add up"):
            return UNKNOWN
        return self.mapped(place, reached[0], facts)

    def behind_kernel(self, source: int, layer: ast.Layer, count: int) -> tuple[int, ...]:
        kernel, stride = triple(layer.kernel), triple(layer.stride)
        dims = self.shapes[source].dims
        return tuple(through(dims[a], kernel[a], stride[a]) for a in range(count))

    def mapped(self, place: int, reached: tuple[int, ...], facts: DataFacts | None) -> Shape:
        """The shape of a convolutional layer: what is left of the axes, and N feature maps."""
        layer = self.definition.layers[place]
        written = self.written(place, facts)
        if not written.known:
            return UNKNOWN
        sizes = written.dims[: written.axes]
        derived = _shape((*reached, sizes[-1]))
        if len(sizes) > 1 and sizes != derived.dims[: derived.axes]:
            where = at(self.definition.source, layer.n.span if layer.n else layer.head)
            self.report(codes.FEATURE_MAPS, where, name=self.name(place), shape=str(derived), maps=sizes[-1])
        return derived

    def pooled(self, place: int) -> Shape:
        layer = self.definition.layers[place]
        sources = self.topology.sources[place]
        first = self.shapes[sources[0]]
        function = layer.function.value if layer.function else ""
        if not self.alike(place, [self.shapes[i] for i in sources], "they are taken together unit by unit"):
            return UNKNOWN
        if function in ("dotproduct", "cosine"):
            shape = Shape((len(sources) - 1, 1, 1, 1), 1)
        elif function in ("max", "average"):
            kernel, stride = (*triple(layer.kernel), 1), (*triple(layer.stride), 1)
            # Axes that the kernel does not reach, the channels among them, stay as they are.
            count = len(layer.kernel or (1,))
            sizes = [through(d, k, s) for d, k, s in zip(first.dims, kernel, stride, strict=True)][:count]
            x, y, z, w = (*sizes, *first.dims[count:])
            shape = Shape((x, y, z, w), first.axes)
        else:
            shape = first
        return self.agreed(place, shape)

    def agreed(self, place: int, shape: Shape) -> Shape:
        """A derived shape, once it is clear that nothing else was written."""
        layer = self.definition.layers[place]
        if layer.n is not None and layer.n.value != "auto" and _shape(layer.n.value).dims != shape.dims:
            where = at(self.definition.source, layer.n.span)
            written = str(_shape(layer.n.value))
            self.report(codes.POOLED_SIZE, where, name=self.name(place), shape=str(shape), written=written)
        return shape

    def alike(self, place: int, shapes: list[Shape], reason: str) -> bool:
        sources = self.topology.sources[place]
        other = next((i for i, s in enumerate(shapes) if s.dims != shapes[0].dims), None)
        if other is None:
            return True
        layer = self.definition.layers[place]
        span = layer.sources[other].span if layer.sources else layer.head
        self.report(
            codes.SOURCES_DIFFER,
            at(self.definition.source, span),
            name=self.name(place),
            first=self.name(sources[0]),
            first_shape=str(shapes[0]),
            other=self.name(sources[other]),
            other_shape=str(shapes[other]),
            reason=f"{reason}; give them the same shape",
        )
        return False

    def check_skips(self) -> None:
        for place, layer in enumerate(self.definition.layers):
            own = self.shapes[place]
            for written, skip in zip(layer.skips or (), self.topology.skips[place], strict=True):
                found = self.shapes[skip]
                if own.known and found.known and own.units != found.units:
                    where = at(self.definition.source, written.span)
                    facts = {"name": self.name(place), "skip": self.name(skip)}
                    self.report(codes.SKIP_SHAPE, where, help=None, found=found.units, units=own.units, **facts)


def _shape(sizes: tuple[int, ...]) -> Shape:
    x, y, z, w = (*sizes, 1, 1, 1, 1)[:4]
    return Shape((x, y, z, w), len(sizes))


def _kernel_span(layer: ast.Layer) -> Span:
    return layer.kernel[0].span.to(layer.kernel[-1].span) if layer.kernel else layer.head
