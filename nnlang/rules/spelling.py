"""NN5: how keys are spelled, and comments that speak to lint."""

from __future__ import annotations

from collections.abc import Iterator

from nnlang import schema
from nnlang.codes import advice as codes
from nnlang.diagnostics import Diagnostic
from nnlang.rules import fixes
from nnlang.rules.rule import Example, Rule, Subject
from nnlang.schema import Layers, Many, Record, Table
from nnlang.syntax import ArrayNode, Node, ObjectNode


def letter_cases(subject: Subject) -> Iterator[Diagnostic]:
    """Keys in another letter case than that of the documents."""
    for node, table in _objects(subject.root, schema.DEFINITION):
        for member in node.members:
            word = member.name.value
            key = table.find(word)
            name = next((s for s in key.spellings if s.lower() == word.lower()), word) if key else word
            if name != word:
                yield Diagnostic(codes.LETTER_CASE, subject.place(member.name.span), {"key": word, "name": name})


def _objects(node: Node | None, table: Table) -> Iterator[tuple[ObjectNode, Table]]:
    """Every object below a node, with the table of its keys."""
    if isinstance(node, ArrayNode):
        for item in node.items:
            yield from _objects(item, table)
    if not isinstance(node, ObjectNode):
        return
    yield node, table
    for member in node.members:
        key = table.find(member.name.value)
        match key.type if key else None:
            case Record(inner) | Many(Record(inner)):
                yield from _objects(member.value, inner)
            case Layers():
                yield from _objects(member.value, schema.LAYER)


ROWS = (
    Rule(
        codes.LETTER_CASE,
        "DSSTNE compares keys without regard to letter case, and so does nnlang. One spelling everywhere is easier to "
        "read and to search for. Not told unless asked for: --extend-select NN512.",
        bad=Example('"denoising": { "P": 0.2 }', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        check=letter_cases,
        fix=fixes.canonical_key,
        default=False,
    ),
    Rule(
        codes.UNUSED_IGNORE,
        "A comment suppresses a code that nothing breaks on its line (or, standing alone, on the line after it). The "
        "mistake has been mended or has moved; left where it is, the comment would hide the next one.",
        bad=Example('"Denoising": { "p": 0.4 }, // nnlang: ignore[NN522] tried, best of five', "top"),
        good=Example('"Denoising": { "p": 0.95 }, // nnlang: ignore[NN522] tried, best of five', "top"),
        fix=fixes.unsuppress,
    ),
    Rule(
        codes.BAD_IGNORE,
        "A comment speaks to nnlang and says nothing that it understands: no code in brackets, or one that does not "
        "exist. Suppressing everything at once is not possible; name the codes: "
        "`// nnlang: ignore[NN502, NN522] reason`.",
        bad=Example('"Denoising": { "p": 0.95 }, // nnlang: ignore', "top"),
        good=Example('"Denoising": { "p": 0.95 }, // nnlang: ignore[NN522] tried, best of five', "top"),
    ),
)
