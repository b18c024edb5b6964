"""From the terms of nnlang.editor to those of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lsprotocol import types

from nnlang.editor import actions, symbols
from nnlang.editor.completion import Item, Offer
from nnlang.editor.documents import Document
from nnlang.linting.check import Finding
from nnlang.rules.rule import Edit
from nnlang.source import Span

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_ITEMS = {
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "layer": types.CompletionItemKind.Reference,
    "data set": types.CompletionItemKind.File,
    "snippet": types.CompletionItemKind.Snippet,
}
_SYMBOLS = {
    "layer": types.SymbolKind.Class,
    "object": types.SymbolKind.Object,
    "list": types.SymbolKind.Array,
    "value": types.SymbolKind.Property,
}
_NEEDLESS = ("NN307", "NN530")  # besides those whose words say that something has no effect


def range_of(document: Document, span: Span) -> types.Range:
    """The lines and characters of a span."""
    start, end = document.positions.position(span.start), document.positions.position(span.end)
    return types.Range(types.Position(*start), types.Position(*end))


def span_of(document: Document, where: types.Range) -> Span:
    """The span of lines and characters."""
    start = document.positions.offset(where.start.line, where.start.character)
    return Span(start, max(start, document.positions.offset(where.end.line, where.end.character)))


def edits_of(document: Document, edits: Iterable[Edit]) -> list[types.TextEdit]:
    """Edits of a document."""
    return [types.TextEdit(range_of(document, edit.span), edit.text) for edit in edits]


def diagnostic(document: Document, finding: Finding) -> types.Diagnostic:
    """A finding: what is wrong, then how to mend it."""
    d = finding.diagnostic
    words = d.message + (f" ({d.label})" if d.label else "") + (f"\n{d.remedy}" if d.remedy else "")
    needless = "no effect" in d.code.message or d.code.code in _NEEDLESS
    return types.Diagnostic(
        range_of(document, actions.span_of(finding)),
        words,
        severity=_SEVERITIES[d.code.severity],
        code=d.code.code,
        source="nnlang",
        tags=[types.DiagnosticTag.Unnecessary] if needless else None,
        data={"name": d.code.name, "fixable": finding.fix is not None},
    )


def items_of(document: Document, offer: Offer, *, snippets: bool) -> Iterator[types.CompletionItem]:
    """What an offer holds; with places to fill in where the client takes snippets."""
    where, more = range_of(document, offer.span), edits_of(document, offer.edits) or None
    quote = document.text[offer.span.start : offer.span.start + 1] == '"'
    for place, item in enumerate(offer.items):
        yield _item_of(item, place, where, more, snippets=snippets, quote=quote)


def _item_of(
    item: Item, place: int, where: types.Range, more: list[types.TextEdit] | None, *, snippets: bool, quote: bool
) -> types.CompletionItem:
    filled = snippets and bool(item.snippet)
    return types.CompletionItem(
        item.label,
        kind=_ITEMS[item.kind],
        detail=item.detail or None,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, item.words) if item.words else None,
        sort_text=f"{place:04}",
        filter_text=f'"{item.label}"' if quote else item.label,
        insert_text_format=types.InsertTextFormat.Snippet if filled else types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(where, item.snippet if filled else item.text),
        additional_text_edits=more,
    )


def symbol_of(document: Document, symbol: symbols.Symbol) -> types.DocumentSymbol:
    """An entry of the outline."""
    return types.DocumentSymbol(
        symbol.name,
        _SYMBOLS[symbol.kind],
        range_of(document, symbol.span),
        range_of(document, symbol.head),
        symbol.detail or None,
        children=[symbol_of(document, child) for child in symbol.children] or None,
    )
