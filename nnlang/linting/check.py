"""One text through every rule: what the reader finds, what the rules find, less what is ignored or suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from nnlang import schema
from nnlang.codes import shapes, syntax
from nnlang.definition import Checked, meaning
from nnlang.diagnostics import Diagnostic, Report, Stop, at
from nnlang.job import check_job
from nnlang.linting.settings import LEVELS, Settings
from nnlang.linting.suppress import suppressed
from nnlang.network import DataFacts, Footprint, Network, Training
from nnlang.rules import CHECKS, RULES
from nnlang.rules.rule import Fix, Saved, Subject
from nnlang.rules.sizes import COSTED
from nnlang.settings import settle
from nnlang.source import Source
from nnlang.sweeps.inline import WORD, has_axes
from nnlang.sweeps.sweepcheck import check_sweep
from nnlang.sweeps.sweepfile import is_sweep
from nnlang.syntax import DEFAULTS, Limits, Node, ObjectNode, read

MOST = 1_000  # findings of one text
DRAWN = 24  # combinations of a sweep that are looked at, beside one for each value
EXAMPLES, ENTRIES = 100_000, 150  # of data sets that are not at hand, and of their rows: like MovieLens 20M


@dataclass(frozen=True)
class Finding:
    """One finding, with the severity that the settings give it, and how it can be mended."""

    diagnostic: Diagnostic
    fix: Fix | None = None


def lint(
    source: Source,
    settings: Settings | None = None,
    data: Mapping[str, DataFacts] | None = None,
    saved: Saved | None = None,
    limits: Limits = DEFAULTS,
    *,
    most: int | None = MOST,
) -> list[Finding]:
    """Everything to say about a definition's or a job's text, in the order of its places; nothing is raised.

    data: facts of the data sets at hand; saved: a model that the definition should go on from; most: findings that are
    told, the gravest ones, before "and so many more".
    """
    settings, data = settings or Settings(), data or {}
    checked = _read(source, settings, data, limits)
    found = [*checked.report.diagnostics, *_ruled(checked, settings, data, saved)]
    if settings.strict:
        found += [Diagnostic(syntax.STRICT_COMMENT, at(source, comment.span)) for comment in checked.comments]
    chosen = _chosen(source.name, found, settings)
    measured = any(not facts.assumed for facts in data.values())
    facts = {"data": measured, "memory": settings.memory, "saved": saved, "strict": settings.strict}
    known = {need for need, given in facts.items() if given}
    told = suppressed(source, checked.comments, chosen, lambda prefix: _looked_for(prefix, checked, settings, known))
    left = _chosen(source.name, told, settings)
    if checked.network is None:
        left += _why_unread(source.name, found, chosen, settings)
    report = Report()
    report.diagnostics += left
    sorted_ = report.sorted()
    return [_finding(d, checked.root) for d in (sorted_ if most is None else _capped(sorted_, most))]


def _looked_for(prefix: str, checked: Checked, settings: Settings, known: Set[str]) -> bool:
    """Whether all rules whose codes begin so were applied to the text: those that are on, with the facts they need."""
    if checked.network is None:
        return False
    rules = [rule for code, rule in RULES.items() if code.startswith(prefix)]
    wanted = [rule for rule in rules if settings.takes(rule.code.code)]
    ignored = any(prefix.startswith(p) or p.startswith(prefix) for p in settings.ignored_in(checked.source.name))
    on = wanted and all(rule in wanted for rule in rules if rule.default)
    return bool(on) and not ignored and all(rule.needs in ("", *known) for rule in wanted)


def _why_unread(
    name: str, found: Iterable[Diagnostic], chosen: Iterable[Diagnostic], settings: Settings
) -> list[Diagnostic]:
    """The first error of a text without a meaning, where no error is chosen: no rule saw it, so it is not clean."""
    errors, codes = [d for d in found if d.code.severity == "error"], {d.code.code for d in chosen}
    if any(d.code.code in codes for d in errors):
        return []
    refused = (*settings.ignore, *settings.ignored_in(name))
    return [d for d in errors if not d.code.code.startswith(refused)][:1]


def _read(source: Source, settings: Settings, data: Mapping[str, DataFacts], limits: Limits) -> Checked:
    """The text as a definition; as a job or a sweep where it is one."""
    report = Report()
    document = read(source, report, limits)
    names = [m.name.value for m in document.root.members] if isinstance(document.root, ObjectNode) else []
    sweeps = is_sweep(names) or (f'"{WORD}"' in source.text and has_axes(document.root))
    if not sweeps and not is_job(names):
        return meaning(source, document, report, data, need_shapes=False, limits=limits)
    report = Report()
    if sweeps:
        _sweep(source, report, settings, data, limits)
    else:
        check_job(source, report, limits)
    return Checked(source, None, None, {}, report, document.comments, document.root)


def _sweep(source: Source, report: Report, settings: Settings, data: Mapping[str, DataFacts], limits: Limits) -> None:
    """What there is to say about a sweep, and where it is sound about its combinations."""
    from nnlang.linting.sweeps import combined

    sweep = check_sweep(source, report, limits)
    report.diagnostics = [d for d in report.diagnostics if d.place is None or d.place.file == source.name]
    if sweep is not None:
        found = combined(
            sweep, lambda one: [f.diagnostic for f in lint(one, settings, data, limits=limits)], more=DRAWN
        )
        report.diagnostics += islice(found, MOST)


def is_job(keys: Iterable[str]) -> bool:
    """Whether a text with these keys is a job file: it has some of a job that a definition has not, and no Layers."""
    names = {key.lower() for key in keys}
    return "layers" not in names and bool(names & _JOB_KEYS)


_JOB_KEYS = frozenset(
    s.lower() for key in schema.JOB.keys for s in key.spellings if schema.DEFINITION.find(key.name) is None
)


def _ruled(
    checked: Checked, settings: Settings, data: Mapping[str, DataFacts], saved: Saved | None
) -> Iterator[Diagnostic]:
    """What the rules find in a sound definition."""
    if checked.definition is None or checked.network is None:
        return
    network, batch = checked.network, settings.batch
    told = {**checked.training, **({"batch": batch} if batch else {})}

    @cache
    def footprint(batch: int | None) -> Footprint | None:
        return _footprint(network, {**told, **({"batch": batch} if batch else {})})

    definition, training = checked.definition, checked.training
    subject = Subject(definition, network, training, data, settings.memory, saved, footprint, checked.root)
    for code, rule in CHECKS.items():
        if settings.takes(code):
            yield from rule(subject)


def _footprint(network: Network, told: Mapping[str, object]) -> Footprint | None:
    """The network's footprint; None where its sizes are not known, where it is too large or cannot be compiled yet."""
    if any(layer.units == 0 for layer in network.layers) or len(network.weights) > COSTED:
        return None
    from nnlang.compiler import footprint

    training: Training = settle(told, {})[0]
    try:
        return footprint(_with_data(network), training)
    except Stop:
        return None


def _with_data(network: Network) -> Network:
    """The network with assumed facts of the data sets that are not at hand: wide ones and `Sparse` ones are sparse."""
    known = {facts.name for facts in network.data}
    layers = (*network.inputs, *network.outputs)
    assumed = {
        layer.dataset: DataFacts(
            layer.dataset,
            EXAMPLES,
            layer.units,
            sparse=True,
            boolean=True,
            entries=EXAMPLES * min(layer.units, ENTRIES),
            assumed=True,
        )
        for layer in layers
        if layer.dataset not in known and network.taken_sparse(layer)
    }
    return replace(network, data=(*network.data, *assumed.values()))


def _chosen(name: str, found: Iterable[Diagnostic], settings: Settings) -> list[Diagnostic]:
    """The findings that are asked for, with the severities that are asked for."""
    ignored = settings.ignored_in(name)
    kept = [
        d
        for d in found
        if settings.takes(d.code.code) and (d.code.code.startswith("NN1") or not d.code.code.startswith(ignored))
    ]
    severities = [settings.severity_of(d.code.code, d.code.severity) for d in kept]
    return [
        d if severity == d.code.severity else replace(d, code=replace(d.code, severity=severity))
        for d, severity in zip(kept, severities, strict=True)
    ]


def _capped(found: list[Diagnostic], most: int) -> list[Diagnostic]:
    if len(found) <= most:
        return found
    places = sorted(range(len(found)), key=lambda i: -LEVELS.index(found[i].code.severity))  # stable: first come
    kept = sorted(places[:most])
    more = Diagnostic(shapes.MORE_FINDINGS, found[places[most]].place, {"count": len(found) - most})
    return [*(found[i] for i in kept), more]


def _finding(d: Diagnostic, root: Node | None) -> Finding:
    rule = RULES.get(d.code.code)
    in_text = d.place is not None and d.place.source is not None and d.place.span is not None
    return Finding(d, rule.fix(d, root) if rule and rule.fix and in_text else None)
