"""The axes of a sweep: what each varies, under which conditions, every value held against the language."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnlang import ast, schema
from nnlang.codes import sweeps as codes
from nnlang.decode import decode_record, takes
from nnlang.diagnostics import Report, at
from nnlang.network import Kind as LayerKind
from nnlang.schema import Key, Many, Number, expects, fold
from nnlang.source import Source, Span
from nnlang.suggest import did_you_mean
from nnlang.sweeps.layers import kind_of
from nnlang.sweeps.paths import REPEAT, Lost, Target, find
from nnlang.sweeps.space import Axis, Choice, Integer, Kind, LogUniform, Uniform, When, canonical, contains
from nnlang.syntax import ArrayNode, BoolNode, Member, Node, NullNode, NumberNode, ObjectNode, StringNode

Json = Any
_FORMS = {"choice": "Choice", "uniform": "Uniform", "log_uniform": "LogUniform", "integer": "Integer"}


@dataclass(frozen=True)
class Raw:
    """An axis as it is written: its name or path, and the list or object that says its values."""

    name: str
    span: Span
    node: Node
    source: Source


@dataclass(frozen=True)
class Found:
    """An axis that is sound, with where its paths lead and where it and its values are written."""

    axis: Axis
    targets: tuple[Target, ...]
    source: Source
    span: Span
    values: tuple[Span, ...]  # of a choice: one a value

    def place(self, value: Json) -> Span:
        """Where a value of it stands; of a range, where the axis does."""
        if isinstance(self.axis.kind, Choice):
            place = self.axis.kind.places.get(canonical(value))
            return self.span if place is None else self.values[place]
        return self.span


def plain(node: Node) -> Json:
    """The JSON value that a tree spells, without comments and places."""
    match node:
        case ObjectNode(members):
            return {member.name.value: plain(member.value) for member in members}
        case ArrayNode(items):
            return [plain(item) for item in items]
        case NullNode():
            return None
    return node.value


def read_axes(raws: Iterable[Raw], base: Mapping[str, Json], report: Report) -> list[Found]:
    """The sound ones of some axes, in order; what is wrong with the others is reported."""
    found: list[Found] = []
    raws = list(raws)
    places = {fold(raw.name): place for place, raw in enumerate(raws)}
    taken: dict[str, str] = {}
    for raw in raws:
        made = _axis(raw, base, found, places, taken, report)
        if made is not None:
            found.append(made)
            taken |= dict.fromkeys(made.axis.paths, raw.name)
    return found


def named(word: str, found: Sequence[Found]) -> Found | None:
    """The axis of a name, or of another spelling of its path."""
    exact = (one for one in found if one.axis.name == word)
    alike = (one for one in found if fold(word) in (fold(one.axis.name), *(fold(t.label) for t in one.targets)))
    return next(exact, None) or next(alike, None)


def _axis(
    raw: Raw,
    base: Mapping[str, Json],
    before: Sequence[Found],
    every: Mapping[str, int],
    taken: Mapping[str, str],
    report: Report,
) -> Found | None:
    written = _written(raw, report)
    if written is None:
        return None
    targets = _targets(raw, written, base, taken, report)
    if targets is None:
        return None
    texts = _texts(raw, written, targets, report)
    values = _values(raw, written, report)
    if texts is None or values is None:
        return None
    kind, nodes = values
    when = tuple(_conditions(raw, written, before, every, report))
    fits = [_fits(raw, target, text, kind, nodes, report) for target, text in zip(targets, texts, strict=True)]
    if not all(fits):
        return None
    paths = tuple(target.label for target in targets)
    axis = Axis(raw.name, paths, texts if any(texts) else (), kind, when)
    spans = tuple(node.span for node in nodes) if isinstance(kind, Choice) else ()
    return Found(axis, targets, raw.source, raw.span, spans)


def _written(raw: Raw, report: Report) -> ast.Axis | None:
    """The axis as an object of the language, a bare list as its Choice."""
    if isinstance(raw.node, ArrayNode):
        return ast.Axis(raw.node.span, raw.span, choice=ast.Written(raw.node, raw.node.span, raw.span))
    if not isinstance(raw.node, ObjectNode):
        report(codes.AXIS_FORM, at(raw.source, raw.node.span), axis=raw.name, reason="is neither a list nor an object")
        return None
    written: ast.Axis | None = decode_record(schema.AXIS, raw.node, raw.span, raw.source, report)
    if written is None:
        return None
    forms = [name for field, name in _FORMS.items() if getattr(written, field) is not None]
    if len(forms) != 1:
        reason = f"has {' and '.join(forms)}, one too many" if forms else "says no values"
        report(codes.AXIS_FORM, at(raw.source, raw.node.span), axis=raw.name, reason=reason)
        return None
    return written


def _targets(
    raw: Raw, written: ast.Axis, base: Mapping[str, Json], taken: Mapping[str, str], report: Report
) -> tuple[Target, ...] | None:
    """Where its paths lead, or else its name; None, reported, where one leads nowhere or where another axis does.

    taken: the axes before it by the paths that they set.
    """
    paths = [(p.value, p.span) for p in written.path] if written.path else [(raw.name, raw.span)]
    targets: list[Target] = []
    for path, span in paths:
        target = find(path, base)
        if isinstance(target, Target) and target.key is REPEAT and (reason := _unrepeatable(target, base)):
            target = Lost(reason)
        if isinstance(target, Lost):
            help = target.help
            if written.path is None and "." not in path and help is None:
                help = 'write "Path": [...] to say what it sets'
            report(codes.UNKNOWN_PATH, at(raw.source, span), path=path[:120], reason=target.reason, help=help)
            return None
        other = raw.name if target in targets else taken.get(target.label)
        if other is not None:
            report(codes.SAME_PATH, at(raw.source, span), axis=raw.name, other=other)
            return None
        targets.append(target)
    return tuple(targets)


def _unrepeatable(target: Target, base: Mapping[str, Json]) -> str:
    layers = next(v for k, v in base["definition"].items() if fold(k) == "layers")
    items = layers if isinstance(layers, list) else [layers]
    place = target.layer or 0
    kind = kind_of(items[place], place, len(items))
    return "" if kind is LayerKind.HIDDEN else "Repeat goes with Hidden layers"


def _texts(raw: Raw, written: ast.Axis, targets: Sequence[Target], report: Report) -> tuple[str, ...] | None:
    """The text for each path; empty ones where the value itself is written."""
    if written.text is None:
        return ("",) * len(targets)
    texts = tuple(text.value for text in written.text)
    if lacking := next((text for text in written.text if "{}" not in text.value), None):
        reason = f"has the Text `{lacking.value[:60]}`, in which no {{}} stands for the value"
        report(codes.AXIS_TEXT, at(raw.source, lacking.span), axis=raw.name, reason=reason)
        return None
    if len(texts) == len(targets):
        return texts
    if len(texts) != 1:
        reason = f"has {len(targets)} paths but {len(texts)} texts"
        report(codes.AXIS_TEXT, at(raw.source, raw.span), axis=raw.name, reason=reason)
        return None
    return texts * len(targets)


def _values(raw: Raw, written: ast.Axis, report: Report) -> tuple[Kind, tuple[Node, ...]] | None:
    """Its values: the nodes of a choice, the two ends of a range."""
    if written.choice is not None:
        return _choice(raw, written.choice.value, report)
    ends: Sequence[ast.Written[Any]] = written.uniform or written.log_uniform or written.integer or ()
    form = next(_FORMS[field] for field in _FORMS if getattr(written, field) is not None)
    span = raw.node.span
    reason = ""
    if len(ends) != 2:
        reason = "needs two numbers, [low, high]"
    elif ends[0].value > ends[1].value or (ends[0].value == ends[1].value and form != "Integer"):
        reason = f"is empty: {ends[0].value:g} is not below {ends[1].value:g}"
        span = ends[0].span
    elif form == "LogUniform" and ends[0].value <= 0:
        reason = "begins at or below 0, which has no logarithm"
        span = ends[0].span
    if reason:
        report(codes.EMPTY_RANGE, at(raw.source, span), axis=raw.name, reason=reason)
        return None
    low, high = (end.value for end in ends)
    ranges: dict[str, Callable[[Any, Any], Kind]] = {"Uniform": Uniform, "LogUniform": LogUniform, "Integer": Integer}
    kind = ranges[form](low, high)
    texts = raw.source.text
    nodes = tuple(NumberNode(end.value, texts[end.span.start : end.span.end], end.span) for end in ends)
    return kind, nodes


def _choice(raw: Raw, node: ArrayNode, report: Report) -> tuple[Kind, tuple[Node, ...]] | None:
    values = tuple(plain(item) for item in node.items)
    if not values:
        report(codes.CHOICES, at(raw.source, node.span), axis=raw.name, reason="has no values")
        return None
    seen: dict[str, int] = {}
    for item, value in zip(node.items, values, strict=True):
        if canonical(value) in seen:
            reason = f"has the value {shown(value)} twice"
            report(codes.CHOICES, at(raw.source, item.span), axis=raw.name, reason=reason)
            return None
        seen[canonical(value)] = 1
    return Choice(values), node.items


def shown(value: Json, most: int = 60) -> str:
    """A value as one writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 3] + "..."


def _conditions(
    raw: Raw, written: ast.Axis, before: Sequence[Found], every: Mapping[str, int], report: Report
) -> Iterator[When]:
    """The conditions of an axis; what is wrong with one is reported, but for those of axes that are unsound.

    every: the place of each axis by its name.
    """
    for member in written.when.value.members if written.when is not None else ():
        other = named(member.name.value, before)
        if other is None:
            word = fold(member.name.value)
            if every.get(word, len(every)) >= every[fold(raw.name)]:
                told = _unknown(raw, member, before, every)
                report(codes.CONDITION, at(raw.source, member.name.span), axis=raw.name, **told)
            continue
        items = member.value.items if isinstance(member.value, ArrayNode) else (member.value,)
        values = tuple(plain(item) for item in items)
        never = next((i for i, v in zip(items, values, strict=True) if not contains(other.axis.kind, v)), None)
        if never is not None or not values:
            reason = f"asks for {shown(plain(never))}, which `{other.axis.name}` never is" if never else "has no values"
            report(codes.CONDITION, at(raw.source, (never or member.value).span), axis=raw.name, reason=reason)
            continue
        yield When(other.axis.name, values)


def _unknown(raw: Raw, member: Member, before: Sequence[Found], every: Mapping[str, int]) -> dict[str, str | None]:
    name = member.name.value
    if fold(name) == fold(raw.name):
        return {"reason": "names the axis itself"}
    if fold(name) in every:
        return {"reason": f"names `{name[:60]}`, which stands after it", "help": "put that axis before this one"}
    near = did_you_mean(name, [one.axis.name for one in before])
    return {"reason": f"names `{name[:60]}`, and no axis before this one is called so", "help": near}


def _fits(raw: Raw, target: Target, text: str, kind: Kind, nodes: Sequence[Node], report: Report) -> bool:
    """Whether all values go where a path leads; those that do not are reported at their places."""
    if isinstance(kind, Uniform | LogUniform) and _whole(target.key) and not text:
        facts = {"form": type(kind).__name__, "key": target.key.name, "expected": expects(target.key.type)}
        report(codes.FRACTIONS, at(raw.source, raw.node.span), **facts)
        return False
    fits = [_takes(raw, target, text, node, report) for node in nodes]  # all are told
    return all(fits)


def _whole(key: Key) -> bool:
    kind = key.type.of if isinstance(key.type, Many) else key.type
    return isinstance(kind, Number) and kind.integer


def _takes(raw: Raw, target: Target, text: str, node: Node, report: Report) -> bool:
    """Whether one value goes where a path leads."""
    if isinstance(node, NullNode) and not target.key.required and target.key is not REPEAT and not text:
        return True
    if text and isinstance(node, ObjectNode | ArrayNode | NullNode | BoolNode):
        reason = "has a Text, which takes numbers and strings for its {}"
        report(codes.AXIS_TEXT, at(raw.source, node.span), axis=raw.name, reason=reason)
        return False
    if text:
        node = StringNode(filled(text, plain(node)), node.span)
    return takes(target.key, node, raw.source, report)


def filled(text: str, value: Json) -> str:
    """A text with a value in the place of {}."""
    return text.replace("{}", value if isinstance(value, str) else shown(value))
