"""A sweep file's text to a `Sweep`: every mistake told with its place, its reason and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnlang import ast, schema
from nnlang.codes import sweeps as codes
from nnlang.codes import usage
from nnlang.decode import decode_sweep
from nnlang.definition import meaning
from nnlang.diagnostics import Report, Stop, at, stop
from nnlang.measures import MEASURES, Metric, metric
from nnlang.schema import DEFINITION, PRUNING, SWEEP, TRAINING, Number, Table, expects
from nnlang.schema.sweep import METHOD
from nnlang.source import Source, Span
from nnlang.suggest import did_you_mean
from nnlang.sweeps.axes import Found, Raw, plain, read_axes
from nnlang.sweeps.conditions import check_idle, read_constraints
from nnlang.sweeps.inline import has_axes, without_axes
from nnlang.sweeps.space import Json, Space, size
from nnlang.sweeps.sweepfile import Pruning, Sweep, by_field, is_sweep
from nnlang.syntax import (
    DEFAULTS,
    Document,
    Limits,
    Node,
    ObjectNode,
    StringNode,
    parse,
    read,
    read_source,
)

MOST_OF_GRID = 1_000_000  # values of one axis


@dataclass(frozen=True)
class _Base:
    """The definition that is varied: its tree, the axes inside it, where it was read."""

    tree: dict[str, Json]
    raws: list[Raw]
    path: Path | None


def check_sweep(
    source: Source,
    report: Report,
    limits: Limits = DEFAULTS,
    overrides: Mapping[str, Json] | None = None,
) -> Sweep | None:
    """The sweep that a text spells; None with everything wrong in it reported. Overrides: see load_sweep."""
    before = len(report.errors)
    root = parse(source, report, limits)
    if root is None:
        return None
    written = _written(root, source, report, limits)
    base = _base(written, root, source, report, limits) if written is not None else None
    if written is None or base is None:
        return None
    given = dict(overrides or {})
    if written.definition.value is root:
        root = ObjectNode((), root.span)  # a definition with axes inside: nothing is said beside it
    trees = {"definition": _trained(base.tree, root, given), "data": _data(root, given), "split": _tree(root, "split")}
    found = tuple(read_axes([*base.raws, *_raws(written, source)], trees, report))
    constraints = tuple(read_constraints(written, source, found, report))
    space = Space(tuple(one.axis for one in found), constraints)
    check_idle(found, report)
    _forms(written, source, report)
    sweep = _sweep(written, source, base, trees, space, found, given, report)
    if sweep is not None and len(report.errors) == before:
        _choosing(sweep, written, report)
    return None if sweep is None or len(report.errors) > before else sweep


def _written(root: Node, source: Source, report: Report, limits: Limits) -> ast.Sweep | None:
    """The sweep as it is written; a definition, with axes inside, is one without anything else."""
    names = [m.name.value for m in root.members] if isinstance(root, ObjectNode) else []
    is_definition = not is_sweep(names) and ("layers" in map(str.lower, names) or has_axes(root))
    if isinstance(root, ObjectNode) and is_definition:
        name = ast.Written(_name(root) or Path(source.name).stem or "sweep", root.span, root.span)
        return ast.Sweep(source, root.span, name, ast.Written(root, root.span, root.span))
    return decode_sweep(root, source, report, limits)


def _name(root: ObjectNode) -> str:
    found = (m.value for m in root.members if m.name.value.lower() == "name")
    return next((node.value for node in found if isinstance(node, StringNode)), "")


# The definition


def _base(written: ast.Sweep, root: Node, source: Source, report: Report, limits: Limits) -> _Base | None:
    """The sound definition of a sweep; None with its findings and that it is the sweep's reported."""
    node, path, home = written.definition.value, None, source
    own, told = Report(), at(source, written.definition.span)
    document = Document(node, ())
    if isinstance(node, StringNode):
        path = _folder(source) / node.value
        try:
            home = read_source(path, limits)
        except Stop as error:
            report.diagnostics += [replace(d, place=told) for d in error.diagnostics]
            return None
        document = read(home, own, limits)
    bare, raws = without_axes(document.root, home) if document.root is not None else (None, [])
    if bare is not None:
        meaning(home, Document(bare, document.comments), own, need_shapes=False, limits=limits)
    if own.errors or bare is None:
        first = next(d for d in own.sorted() if d.code.severity == "error")
        if home is not source:
            facts: dict[str, Any] = {
                "where": first.place,
                "found": first.code.code,
                "message": first.message,
                "file": home.name,
            }
            report(codes.UNSOUND_BASE, told, **facts)
        report.diagnostics += own.errors
        return None
    tree: dict[str, Json] = plain(bare)
    return _Base(tree, raws, path)


def _folder(source: Source) -> Path:
    """The folder that a sweep's paths are seen from."""
    return Path(source.name).parent if source.name != "<stdin>" else Path()


def _tree(root: Node, field: str) -> dict[str, Json]:
    """The object at a key of the sweep file."""
    if not isinstance(root, ObjectNode):
        return {}
    found = (m.value for m in root.members if (key := SWEEP.find(m.name.value)) and key.field == field)
    tree: dict[str, Json] = plain(next(found, ObjectNode((), root.span)))
    return tree


def _trained(tree: dict[str, Json], root: Node, given: Mapping[str, Json]) -> dict[str, Json]:
    """The definition with the sweep's TrainingParameters laid over its own, the given ones over both."""
    key = next(key for key in DEFINITION.keys if key.field == "training")
    name = next((name for name in tree if DEFINITION.find(name) is key), key.name)
    merged = laid_over(TRAINING, tree.get(name) or {}, _tree(root, "training"), given.get("training") or {})
    return {**tree, name: merged} if merged else tree


def laid_over(table: Table, tree: Mapping[str, Json], *others: Mapping[str, Json]) -> dict[str, Json]:
    """An object with the values of others over its own, keys in whatever spelling they have."""
    made = dict(tree)
    for name, value in (pair for other in others for pair in other.items()):
        same = next((k for k in made if table.find(k) is table.find(name) is not None), name)
        made[same] = value
    return made


def _data(root: Node, given: Mapping[str, Json]) -> dict[str, Json]:
    data = _tree(root, "data")
    if "ratings" in given:
        data = laid_over(schema.SWEEP_DATA, data, {"Ratings": str(Path(given["ratings"]).absolute())})
    return data


# Axes and constraints


def _raws(written: ast.Sweep, source: Source) -> list[Raw]:
    members = written.axes.value.members if written.axes is not None else ()
    return [Raw(m.name.value, m.name.span, m.value, source) for m in members]


# The rest


def _forms(written: ast.Sweep, source: Source, report: Report) -> None:
    """Checks that data come in one of their two forms."""
    data, split = written.data, written.split
    if data is None:
        return
    sets = next((v for v in (data.input, data.output, data.validation_input, data.validation_output) if v), None)
    extras = next((v for v in (data.columns, data.second, data.least) if v), None)
    faults = (
        (data.ratings and sets, sets and sets[0].key, "Data gives both Ratings and data sets"),
        (not data.ratings and extras, extras and extras.key, "Data says how Ratings are read, but gives none"),
        (not data.ratings and not sets, data.key, "Data gives neither Ratings nor data sets"),
        (sets and not (data.input and data.output), sets and sets[0].key, "Data needs both Input and Output"),
        (
            bool(data.validation_input) != bool(data.validation_output),
            (data.validation_input or data.validation_output or (None,))[0],
            "Data needs both ValidationInput and ValidationOutput, or neither",
        ),
        (sets and split, split and split.key, "Split divides Ratings, but Data gives data sets"),
    )
    for wrong, spot, reason in faults:
        if wrong:
            span = spot if isinstance(spot, Span) else spot.key if isinstance(spot, ast.Written) else data.key
            report(codes.DATA_FORM, at(source, span), reason=reason)
            return


def _sweep(
    written: ast.Sweep,
    source: Source,
    base: _Base,
    trees: Mapping[str, Json],
    space: Space,
    found: tuple[Found, ...],
    given: Mapping[str, Json],
    report: Report,
) -> Sweep | None:
    """Everything together, given values in place of those written, defaults where there are none."""
    judged = _metric(written, source, given, report)
    if judged is None:
        return None
    told = {name: _given(name, value) for name, value in given.items() if name in ("method", "trials", "seed")}
    return Sweep(
        source=source,
        name=written.name.value,
        folder=_folder(source),
        definition=base.path,
        base=trees["definition"],
        data=by_field(schema.SWEEP_DATA, trees["data"]),
        split=by_field(schema.SWEEP_SPLIT, trees["split"]),
        metric=judged,
        patience=_value(written, "patience"),
        space=space,
        found=found,
        method=told.get("method", _value(written, "method")),
        trials=told.get("trials", _value(written, "trials")),
        seed=told.get("seed", _value(written, "seed")),
        seeds=_value(written, "seeds"),
        pruning=Pruning(**{key.field: _value(written.pruning, key.field, PRUNING) for key in PRUNING.keys}),
        trees=trees,
        alone=base.tree if base.path is not None else None,
        spot=(written.training or written.definition).key,
    )


def _value(record: object, field: str, table: Table = SWEEP) -> Any:
    """What is written in a field, else its default."""
    found = getattr(record, field, None)
    return table.default(field) if found is None else found.value


def _metric(written: ast.Sweep, source: Source, given: Mapping[str, Json], report: Report) -> Metric | None:
    text = given.get("metric", _value(written, "metric"))
    found = metric(text)
    if isinstance(found, Metric):
        return found
    if "metric" in given:
        raise stop(usage.BAD_VALUE, option="--metric", value=text, reason=found, command="sweep")
    span = written.metric.span if written.metric else written.span
    name = text.partition("@")[0]
    near = None if name.lower() in MEASURES else did_you_mean(name, MEASURES)
    report(codes.UNKNOWN_METRIC, at(source, span), help=near, metric=text[:60], reason=found)
    return None


def _given(name: str, value: Json) -> Json:
    """A value that was given in place of one of the file, after the same rules."""
    key = next(key for key in SWEEP.keys if key.field == name)
    if name == "method":
        option = METHOD.find(str(value))
        if option is not None:
            return option.value
        near = did_you_mean(str(value), METHOD.spellings())
        raise stop(
            usage.BAD_VALUE,
            option="--method",
            value=value,
            reason=f"it takes {expects(METHOD)}",
            help=near,
            command="sweep",
        )
    assert isinstance(key.type, Number)
    if not key.type.holds(value):
        facts = {"option": f"--{name}", "value": value, "reason": f"it takes {expects(key.type)}"}
        raise stop(usage.BAD_VALUE, **facts, command="sweep")
    return value


def _choosing(sweep: Sweep, written: ast.Sweep, report: Report) -> None:
    """Checks that the method can choose from the space."""
    source = sweep.source
    place = at(source, (written.method or written.name).span)
    if not sweep.found:
        report(codes.NO_AXES, at(source, written.axes.key if written.axes else written.name.key))
        return
    if sweep.method != "Grid":
        if sweep.trials is None:
            report(codes.NO_TRIALS, place, method=sweep.method)
        return
    for one in sweep.found:
        count = size(one.axis.kind)
        reason = "its values are continuous" if count is None else f"it has {count:,} values"
        if count is None or count > MOST_OF_GRID:
            report(codes.GRID_RANGE, at(one.source, one.span), axis=one.axis.name, reason=reason)
    total = sweep.space.count()
    if written.trials is not None and total is not None and written.trials.value > total:
        report(codes.MORE_TRIALS, at(source, written.trials.span), trials=written.trials.value, count=total)
