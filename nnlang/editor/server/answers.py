"""What the server answers to each request: the functions of nnlang.editor, asked in the terms of the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from lsprotocol import types

from nnlang.editor import actions, completion, hover, references, symbols
from nnlang.editor.documents import Document
from nnlang.editor.server.state import Server, findings
from nnlang.editor.server.wire import diagnostic, edits_of, items_of, range_of, span_of, symbol_of
from nnlang.linting.check import Finding, lint
from nnlang.rules.rule import Edit
from nnlang.source import Source, Span

FIX_ALL = types.CodeActionKind.SourceFixAll


def _at(ls: Server, params: Any) -> tuple[Document, int] | None:
    """The document and the offset of a request; None where it is not the language's."""
    document = ls.text(params.text_document.uri)
    if document is None:
        return None
    return document, document.positions.offset(params.position.line, params.position.character)


def complete(ls: Server, params: types.CompletionParams) -> types.CompletionList | None:
    """What may be written at a place."""
    here = _at(ls, params)
    offer = completion.offers(here[0].tree, here[1]) if here else None
    if here is None or offer is None:
        return None
    able = getattr(getattr(ls.client_capabilities.text_document, "completion", None), "completion_item", None)
    items = items_of(here[0], offer, snippets=bool(able and able.snippet_support))
    return types.CompletionList(is_incomplete=not offer.complete, items=list(items))


def describe(ls: Server, params: types.HoverParams) -> types.Hover | None:
    """What there is to say about a place."""
    if (here := _at(ls, params)) is None:
        return None
    document, offset = here
    found = hover.hover(document.tree, offset, lambda: document.network)
    if found is None:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, found.markdown), range_of(document, found.span))


def define(ls: Server, params: types.DefinitionParams) -> types.Location | None:
    """Where the layer that is named at a place is defined."""
    here = _at(ls, params)
    span = references.definition(here[0].tree, here[1]) if here else None
    return types.Location(params.text_document.uri, range_of(here[0], span)) if here and span else None


def refer(ls: Server, params: types.ReferenceParams) -> list[types.Location] | None:
    """Every place that names the layer that is named at a place."""
    spans = _references(ls, params, with_definition=params.context.include_declaration)
    return [types.Location(params.text_document.uri, where) for where in spans]


def highlight(ls: Server, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
    """The same places, to be made visible."""
    return [types.DocumentHighlight(where) for where in _references(ls, params, with_definition=True)]


def _references(ls: Server, params: Any, *, with_definition: bool) -> list[types.Range]:
    if (here := _at(ls, params)) is None:
        return []
    spans = references.references(here[0].tree, here[1], with_definition=with_definition)
    return [range_of(here[0], span) for span in spans]


def prepare_rename(ls: Server, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
    """The name at a place, if it is one of a layer."""
    here = _at(ls, params)
    named = references.named(here[0].tree, here[1]) if here else None
    if here is None or named is None or named.layer is None:
        return None
    return types.PrepareRenamePlaceholder(range_of(here[0], references.inner(here[0].tree, named.span)), named.name)


def rename(ls: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """Another name for a layer, everywhere; raises `RefusedError` for one that it cannot have."""
    here = _at(ls, params)
    edits = references.rename(here[0].tree, here[1], params.new_name) if here else None
    return _workspace_edit(ls, params.text_document.uri, here[0], edits) if here and edits else None


async def code_actions(ls: Server, params: types.CodeActionParams) -> list[types.CodeAction] | None:
    """What can be done about the findings at a place, and about all of them at once."""
    uri, only = params.text_document.uri, params.context.only
    known = await findings(ls, uri)
    if known is None:
        return None
    document, found = known
    made: list[types.CodeAction] = []
    if _asked(types.CodeActionKind.QuickFix, only):
        span = span_of(document, params.range)
        made += [_action(ls, uri, document, action) for action in _near(ls, uri, document, found, span)]
    if _asked(FIX_ALL, only) and any(f.fix is not None and f.fix.safe for f in found):
        data = {"uri": uri, "version": document.version}
        action = types.CodeAction("Mend all that is safe to mend", FIX_ALL, data=data)
        made.append(action if _resolves(ls) else await resolve(ls, action))
    return made


def _near(ls: Server, uri: str, document: Document, found: Sequence[Finding], span: Span) -> Iterable[actions.Action]:
    """The actions about findings that a span touches; comments are no remedy where they are forbidden."""
    yield from actions.fixes(found, span)
    if not ls.settings_for(uri).strict:
        yield from actions.suppressions(document.tree, found, span)


def _asked(kind: types.CodeActionKind, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether a kind of action is one that the client wants: `source` means `source.fixAll` too."""
    wanted = [str(getattr(word, "value", word)) for word in only or ()]
    return not wanted or any(word == "" or (kind.value + ".").startswith(word + ".") for word in wanted)


def _action(ls: Server, uri: str, document: Document, action: actions.Action) -> types.CodeAction:
    return types.CodeAction(
        action.title,
        types.CodeActionKind.QuickFix,
        [diagnostic(document, action.finding)],
        is_preferred=action.preferred or None,
        edit=_workspace_edit(ls, uri, document, action.edits),
    )


def _resolves(ls: Server) -> bool:
    """Whether the client asks for an action's edit only when people choose it."""
    able = getattr(getattr(ls.client_capabilities.text_document, "code_action", None), "resolve_support", None)
    return able is not None and "edit" in able.properties


async def resolve(ls: Server, action: types.CodeAction) -> types.CodeAction:
    """The action with its edit, unless the text has changed since it was offered."""
    data: Any = action.data
    uri, version = (data.get(k) if isinstance(data, dict) else getattr(data, k, None) for k in ("uri", "version"))
    document = ls.text(str(uri))
    if document is None or document.version != version:
        return action
    settings = ls.settings_for(str(uri))

    def look(source: Source) -> list[Finding]:
        return lint(source, settings)

    loop = asyncio.get_running_loop()
    edit = await loop.run_in_executor(ls.worker, actions.mend_all, document.source, look)
    action.edit = _workspace_edit(ls, str(uri), document, [edit] if edit else [])
    return action


def _workspace_edit(ls: Server, uri: str, document: Document, edits: Iterable[Edit]) -> types.WorkspaceEdit:
    """Edits of one document; bound to its version where the client can do that."""
    made = edits_of(document, edits)
    workspace = ls.client_capabilities.workspace
    able = workspace.workspace_edit if workspace else None
    if not able or not able.document_changes:
        return types.WorkspaceEdit(changes={uri: made})
    name = types.OptionalVersionedTextDocumentIdentifier(uri, document.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(name, list(made))])


def outline(ls: Server, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
    """The keys and the layers of a document."""
    document = ls.text(params.text_document.uri)
    return [symbol_of(document, symbol) for symbol in symbols.symbols(document.tree)] if document else None


def fold(ls: Server, params: types.FoldingRangeParams) -> list[types.FoldingRange] | None:
    """What can be folded: the last line of an object or a list, with its bracket, stays in sight."""
    document = ls.text(params.text_document.uri)
    if document is None:
        return None
    found = []
    for span, kind in symbols.folds(document.tree):
        first, last = document.positions.position(span.start)[0], document.positions.position(span.end)[0]
        last -= kind == "region"
        if last > first:
            found.append(types.FoldingRange(first, last, kind=types.FoldingRangeKind(kind)))
    return found


async def lay_out(ls: Server, params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
    """The edit that lays a document out as `nnlang format` does; none where it has errors of syntax."""
    document = ls.text(params.text_document.uri)
    if document is None:
        return None
    edit = await asyncio.get_running_loop().run_in_executor(ls.worker, document.laid_out)
    return edits_of(document, [edit] if edit else [])
