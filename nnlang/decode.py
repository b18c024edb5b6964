"""JSON nodes to the abstract syntax: every key and value against the schema, every complaint with its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nnlang import ast, schema
from nnlang.ast import Written
from nnlang.codes import compat
from nnlang.codes import keys as codes
from nnlang.diagnostics import Code, Report, at
from nnlang.network import Kind, LayerType
from nnlang.preparing import check_step
from nnlang.records import RECORDS
from nnlang.schema import Choice, Flag, Key, Layers, Many, Number, Option, Record, Table, Text, Tree, expects
from nnlang.schema.describe import written
from nnlang.schema.foreign import strange_values
from nnlang.source import Source, Span
from nnlang.strange import is_quoted, strange_key, strange_value, within
from nnlang.suggest import SUGGESTIONS, nearest
from nnlang.syntax import (
    DEFAULTS,
    ArrayNode,
    BoolNode,
    Limits,
    Member,
    Node,
    NullNode,
    NumberNode,
    ObjectNode,
    StringNode,
)


def decode(node: Node, source: Source, report: Report, limits: Limits = DEFAULTS) -> ast.Definition | None:
    """The definition that a tree spells; None, with everything wrong in it reported, if it spells none."""
    definition: ast.Definition | None = _whole(node, source, report, limits, schema.DEFINITION, ast.Definition)
    return definition


def decode_job(node: Node, source: Source, report: Report, limits: Limits = DEFAULTS) -> ast.Job | None:
    """The job (dsstne.md 10.4) that a tree spells; None, with everything wrong in it reported, if it spells none."""
    job: ast.Job | None = _whole(node, source, report, limits, schema.JOB, ast.Job)
    return job


def decode_sweep(node: Node, source: Source, report: Report, limits: Limits = DEFAULTS) -> ast.Sweep | None:
    """The sweep that a tree spells, its axes unread; None, with everything wrong in it reported, if it spells none."""
    sweep: ast.Sweep | None = _whole(node, source, report, limits, schema.SWEEP, ast.Sweep)
    return sweep


def decode_record(table: Table, node: ObjectNode, name: Span, source: Source, report: Report) -> Any:
    """The record that an object with the keys of a table spells; None, with everything wrong in it reported."""
    decoder = _Decoder(source, report, DEFAULTS)
    found = decoder.record(table, node, name)
    return None if decoder.faulty else found


def takes(key: Key, node: Node, source: Source, report: Report) -> bool:
    """Whether a value is one for a key; what is wrong with it is reported at its place."""
    decoder = _Decoder(source, report, DEFAULTS)
    if isinstance(key.type, Record) and key.type.table is schema.LAYER:
        decoder.members(node, schema.LAYER)  # which keys go with its kind, its place in the list decides
    else:
        decoder.value(key, node, node.span)
    return not decoder.faulty


def _whole(node: Node, source: Source, report: Report, limits: Limits, table: Table, cls: Callable[..., Any]) -> Any:
    decoder = _Decoder(source, report, limits)
    values = decoder.members(node, table)
    return None if values is None or decoder.faulty else cls(source=source, span=node.span, **values)


_FOUND: dict[type, str] = {
    ObjectNode: "an object",
    ArrayNode: "a list",
    StringNode: "a string",
    NumberNode: "a number",
    BoolNode: "a boolean",
    NullNode: "null",
}

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

_KIND_WORDS = {"I": "Input", "H": "Hidden", "O": "Output", "T": "Target"}
_TYPE_WORDS = {"F": "FullyConnected", "C": "Convolutional", "P": "Pooling"}


class _Decoder:
    def __init__(self, source: Source, report: Report, limits: Limits) -> None:
        self.source, self.report, self.limits = source, report, limits
        self.faulty = False
        self.suggestions = SUGGESTIONS

    def nearest(self, word: str, candidates: Iterable[str], strange: Iterable[str] = ()) -> dict[str, Any]:
        """Did you mean, as facts; for the first few findings only, since each looks at every candidate."""
        self.suggestions -= 1
        return nearest(word, candidates, strange) if self.suggestions >= 0 else {}

    def fault(self, code: Code, span: Span, *, help: str | None = None, **facts: Any) -> None:
        self.faulty = self.faulty or code.severity == "error"
        self.report(code, at(self.source, span), help=help, **facts)

    def position(self, span: Span) -> str:
        return "{}:{}".format(*self.source.position(span.start))

    # Objects

    def members(
        self, node: Node, table: Table, allowed: Callable[[Key, Member], bool] | None = None
    ) -> dict[str, Any] | None:
        """The decoded values of an object by field, unwritten ones left out; None where nothing can be made of it."""
        if not isinstance(node, ObjectNode):
            self.fault(codes.NOT_AN_OBJECT, node.span, what=table.what, found=_FOUND[type(node)])
            return None
        values: dict[str, Any] = {}
        first: dict[str, Span] = {}
        for member in node.members:
            key = table.find(member.name.value)
            if key is None:
                self.unknown_key(member, table)
            elif key.field in first:
                self.fault(codes.DUPLICATE_KEY, member.name.span, key=key.name, first=self.position(first[key.field]))
            else:
                first[key.field] = member.name.span
                if allowed is None or allowed(key, member):
                    self.member(key, member, values)
        self.complete(node, table, first)
        return values if all(key.field in values for key in table.keys if key.required) else None

    def complete(self, node: ObjectNode, table: Table, first: Iterable[str]) -> None:
        missing = [key for key in table.keys if key.required and key.field not in first]
        opening = Span(node.span.start, node.span.start + 1)
        for key in missing:
            self.fault(codes.MISSING_KEY, opening, key=key.name, what=table.what, expected=expects(key.type))

    def member(self, key: Key, member: Member, values: dict[str, Any]) -> None:
        written = member.name.value
        if any(written.lower() == s.lower() for s in key.documented):
            self.fault(compat.DOCUMENTED_KEY, member.name.span, key=written, name=key.name)
        if key.spare and (read := _SPARES[key.spare](self, key, member)) is not None:
            values.update(read)
            return
        value = self.value(key, member.value, member.name.span)
        if value is not None:
            values[key.field] = value

    def unknown_key(self, member: Member, table: Table) -> None:
        name, span = member.name.value, member.name.span
        shown = name if len(name) <= 60 else name[:57] + "..."
        what = table.what
        if told := strange_key(table, name):
            self.fault(told[0], span, key=shown, what=what, **told[1])
        else:
            self.fault(codes.UNKNOWN_KEY, span, key=shown, what=what, **self.nearest(name, table.spellings()))

    # Values

    def value(self, key: Key, node: Node, name: Span) -> Any:
        """The value of one key, as its type wants it; None, reported, where it is none."""
        match key.type:
            case Text() as kind if isinstance(node, StringNode):
                return self.text(key, kind, node, name)
            case Flag() if isinstance(node, BoolNode):
                return Written(node.value, node.span, name)
            case Number() as kind if isinstance(node, NumberNode):
                return self.number(key, kind, node, name)
            case Choice() as kind if isinstance(node, StringNode):
                return self.choice(kind, node, name)
            case Many() as kind:
                return self.many(key, kind, node, name)
            case Record(table) if isinstance(node, ObjectNode):
                return self.record(table, node, name)
            case Layers() if isinstance(node, ArrayNode | ObjectNode):
                return self.layers(node)
            case Tree(forms=forms) if _FOUND[type(node)] in forms:
                return Written(node, node.span, name)
        self.wrong_type(key, node)
        return None

    def wrong_type(self, key: Key, node: Node) -> None:
        expected = expects(key.type)
        help = None
        if isinstance(node, NullNode) and not key.required:
            usual = "" if key.default is None else f", {written(key.default)}"
            help = f"leave `{key.name}` out to take its default{usual}, or write {expected}"
        if isinstance(node, StringNode) and is_quoted(key.type, node.value):
            help = f"write {node.value} without quotes"
        self.fault(codes.WRONG_TYPE, node.span, help=help, key=key.name, expected=expected, found=_FOUND[type(node)])

    def text(self, key: Key, kind: Text, node: StringNode, name: Span) -> Written[str] | None:
        text = node.value
        limit = self.limits.name if kind.name else self.limits.string
        if control := next((c for c in text if unicodedata.category(c) == "Cc"), None):
            self.fault(codes.CONTROL_CHARACTER, node.span, key=key.name, character=f"U+{ord(control):04X}")
        elif len(text) > limit:
            self.fault(codes.TOO_LONG, node.span, key=key.name, length=len(text), limit=limit)
        elif not text and not kind.empty:
            self.fault(codes.EMPTY_TEXT, node.span, key=key.name, expected=kind.what)
        else:
            return Written(text, node.span, name)
        return None

    def number(self, key: Key, kind: Number, node: NumberNode, name: Span) -> Written[Any] | None:
        value = node.value
        if kind.integer and value != int(value):
            self.fault(codes.NOT_AN_INTEGER, node.span, key=key.name, value=node.text, expected=expects(kind))
        elif not kind.holds(value):
            self.fault(
                codes.OUT_OF_RANGE,
                node.span,
                help=within(kind, value),
                key=key.name,
                value=node.text,
                expected=expects(kind),
            )
        else:
            return Written(int(value) if kind.integer else float(value), node.span, name)
        return None

    def choice(self, kind: Choice, node: StringNode, name: Span) -> Written[Any] | None:
        option = kind.find(node.value)
        if option is None:
            self.unknown_value(kind, node)
            return None
        if option.reason:
            self.fault(codes.UNSUPPORTED_VALUE, node.span, value=node.value, what=kind.what, reason=option.reason)
            return None
        self.documented(option, node)
        return Written(option.value, node.span, name)

    def unknown_value(self, kind: Choice, node: StringNode) -> None:
        word = node.value if len(node.value) <= 60 else node.value[:57] + "..."
        code, facts = strange_value(kind, node.value) or (codes.UNKNOWN_VALUE, None)
        if facts is None:
            facts = self.nearest(node.value, kind.spellings(), strange_values(kind))
        options = ", ".join(o.spelling for o in kind.accepted)
        self.fault(code, node.span, value=word, what=kind.what, options=options, **facts)

    def documented(self, option: Option, node: StringNode) -> None:
        if option.value == "Pooling" and option.status is schema.Status.DOCUMENTED:
            self.fault(compat.DOCUMENTED_VALUE, node.span, value=node.value, name='Hidden with "Type": "Pooling"')
        elif any(node.value.lower() == s.lower() for s in option.documented):
            self.fault(compat.DOCUMENTED_VALUE, node.span, value=node.value, name=f"`{option.spelling}`")

    def many(self, key: Key, kind: Many, node: Node, name: Span) -> Any:
        if kind.word and isinstance(node, StringNode) and node.value.lower() == kind.word:
            return Written(kind.word, node.span, name)
        nodes = node.items if isinstance(node, ArrayNode) else (node,)
        most = self.limits.sources if kind.most is None else kind.most
        if len(nodes) > most:
            self.fault(codes.TOO_MANY, node.span, key=key.name, count=len(nodes), limit=most)
            return None
        if not nodes and not kind.empty:
            self.fault(codes.NO_VALUES, node.span, key=key.name, expected=expects(kind.of))
            return None
        values = [self.element(key, kind, n, name) for n in nodes]
        if any(v is None for v in values):
            return None
        return Written(tuple(v.value for v in values), node.span, name) if kind.word else tuple(values)

    def element(self, key: Key, kind: Many, node: Node, name: Span) -> Any:
        match kind.of:
            case Text() as of if isinstance(node, StringNode):
                return self.text(key, of, node, name)
            case Number() as of if isinstance(node, NumberNode):
                return self.number(key, of, node, name)
            case Record(table) if isinstance(node, ObjectNode):
                return self.record(table, node, name)
        if kind.word and isinstance(node, StringNode):
            near = {"help": f"write {expects(kind)}"} | self.nearest(node.value, [kind.word])
            if is_quoted(kind, node.value):
                near = {"help": f"write {node.value} without quotes"}
            what = f"value of `{key.name}`"
            self.fault(codes.UNKNOWN_VALUE, node.span, value=node.value[:60], what=what, options="", **near)
        else:
            self.wrong_type(key, node)
        return None

    def record(self, table: Table, node: ObjectNode, name: Span) -> Any:
        values = self.members(node, table)
        if values is not None and table is schema.PREPARATION:
            check_step(values, node, self.fault)
        return None if values is None else RECORDS[table.what](span=node.span, key=name, **values)

    # Layers

    def layers(self, node: ArrayNode | ObjectNode) -> tuple[ast.Layer, ...] | None:
        nodes = node.items if isinstance(node, ArrayNode) else (node,)
        if not nodes:
            self.fault(codes.NO_LAYERS, node.span)
            return None
        if len(nodes) > self.limits.layers:
            opening = Span(node.span.start, node.span.start + 1)
            self.fault(codes.TOO_MANY_LAYERS, opening, count=len(nodes), limit=self.limits.layers)
            return None
        layers = [self.layer(n, place, len(nodes)) for place, n in enumerate(nodes)]
        return tuple(layer for layer in layers if layer is not None)

    def layer(self, node: Node, place: int, count: int) -> ast.Layer | None:
        members = node.members if isinstance(node, ObjectNode) else ()
        texts = {m.name.value.lower(): m.value.value for m in members if isinstance(m.value, StringNode)}
        kind, type_ = nature(texts, place, count)

        def allowed(key: Key, member: Member) -> bool:
            if (kind is None or kind in key.kinds) and (type_ is None or type_ in key.types):
                return True
            wrong_kind = kind is not None and kind not in key.kinds
            words, takers = (_KIND_WORDS, key.kinds) if wrong_kind else (_TYPE_WORDS, key.types)
            self.fault(
                codes.KEY_NOT_HERE,
                member.name.span,
                key=key.name,
                kind=words[(kind if wrong_kind else type_) or ""],
                kinds=" and ".join(words[k] for k in takers if k != "T"),
            )
            return False

        values = self.members(node, schema.LAYER, allowed)
        if values is None:
            return None
        written = values.get("kind")
        if written is not None and written.value == "Pooling":
            if (typed := values.get("type")) and typed.value is not LayerType.POOLING:
                spelling = next(o.spelling for o in schema.LAYER_TYPE.options if o.value is typed.value)
                self.fault(codes.CONTRADICTION, typed.span, kind="Pooling", type=spelling)
            values["type"] = Written(LayerType.POOLING, written.span, written.key)
            values["kind"] = Written(Kind.HIDDEN, written.span, written.key)
        return ast.Layer(span=node.span, position=place, **values)


def default_kind(place: int, count: int) -> Kind:
    """The kind of a layer that gives none: by its zero-based place in the list (dsstne.md 1.3)."""
    if place == 0:
        return Kind.INPUT
    return Kind.OUTPUT if place == count - 1 else Kind.HIDDEN


def nature(written: Mapping[str, str], place: int, count: int) -> tuple[str | None, str | None]:
    """The first letters of a layer's kind and type, from the texts that it has by their keys in small letters.

    None where what is written is not understood.
    """
    kind: str | None = default_kind(place, count).name[0]
    type_: str | None = "F"
    if "kind" in written:
        option = schema.LAYER_KIND.find(written["kind"])
        if option is not None and option.value == "Pooling":
            return "H", "P"
        kind = option.value.name[0] if option is not None and isinstance(option.value, Kind) else None
    if "type" in written:
        option = schema.LAYER_TYPE.find(written["type"])
        type_ = option.value.name[0] if option is not None and isinstance(option.value, LayerType) else None
    return kind, type_


def _version(decoder: _Decoder, key: Key, member: Member) -> dict[str, Any] | None:
    node = member.value
    if not isinstance(node, StringNode) or not _DECIMAL.fullmatch(node.value):
        return None
    if not re.fullmatch(key.pattern, node.value):
        decoder.fault(codes.OUT_OF_RANGE, node.span, key=key.name, value=node.value, expected=expects(key.type))
        return {}
    value = float(node.value)
    decoder.fault(compat.VERSION_STRING, node.span, value=f"{value:g}")
    return {key.field: Written(value, node.span, member.name.span)}


def _boolean_penalty(decoder: _Decoder, key: Key, member: Member) -> dict[str, Any] | None:
    node = member.value
    if not isinstance(node, BoolNode):
        return None
    decoder.fault(compat.BOOLEAN_PENALTY, node.span, value=str(node.value).lower())
    return {"penalty": Written(node.value, node.span, member.name.span)}


def _drawn_bias(decoder: _Decoder, key: Key, member: Member) -> dict[str, Any] | None:
    node = member.value
    if not isinstance(node, StringNode):
        return None
    reason = "DSSTNE's documents name biases that are drawn, no version drew them; write a number"
    decoder.fault(codes.UNSUPPORTED_VALUE, node.span, what="Bias", value=node.value[:60], reason=reason)
    return {}


# Values of another type that DSSTNE's documents allow; None means "not such a value, read it as usual".
_SPARES: dict[str, Callable[[_Decoder, Key, Member], dict[str, Any] | None]] = {
    "string": _version,
    "bool": _boolean_penalty,
    "refused": _drawn_bias,
}
