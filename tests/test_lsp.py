"""The language server as an editor knows it: a client speaks with a real process over its standard input and output."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.diagnostics import Report
from nnlang.editor.documents import Document
from nnlang.formatter import format_text
from nnlang.linting.check import lint
from nnlang.source import Source
from tests.lsp_client import Client, Refused, changed, edited, position
from tests.test_editor import MOVIELENS, SMALL

pytest.importorskip("pygls")

BROKEN = SMALL.replace('"Activation"', '"Activaton"').replace('"Source": "H', '"Source": "h')


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    (folder / "strict").mkdir()
    settings = '[lint]\nignore = ["NN520", "NN6"]\nseverity = { NN502 = "error" }\n'
    (folder / "strict" / "nnlang.toml").write_text(settings)
    return folder


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Client]:
    client = Client(root)
    yield client
    try:
        assert client.end() == 0
        assert client.logs == [] and client.stderr() == ""
    finally:
        client.kill()


@pytest.fixture
def uri(root: Path, request: pytest.FixtureRequest) -> str:
    """A document of its own for each test."""
    return (root / f"{re.sub(r'[^a-z_]', '', request.node.name)}.json").as_uri()


def test_findings_appear_and_go(server: Client, uri: str) -> None:
    server.open(uri, BROKEN)
    unknown = server.findings(uri)[0]
    assert unknown["code"] == "NN201" and unknown["source"] == "nnlang" and unknown["severity"] == 1
    assert unknown["message"].endswith("did you mean `Activation`?") and unknown["data"]["fixable"] is True
    start = BROKEN.index('"Activaton"')
    assert unknown["range"] == {"start": position(BROKEN, start), "end": position(BROKEN, start + 11)}
    where = {"start": position(BROKEN, start + 8), "end": position(BROKEN, start + 8)}
    server.change(uri, {"range": where, "text": "i"})
    assert "NN201" not in server.codes(uri)
    server.replace(uri, SMALL)
    assert {d["severity"] for d in server.findings(uri)} == {3}  # notes
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    server.wait(lambda: server.diagnostics[uri][-1]["diagnostics"] == [])


def test_only_the_newest_text_is_told_of(server: Client, uri: str) -> None:
    server.open(uri, SMALL)
    for number in range(30):
        server.replace(uri, SMALL.replace('"H"', f'"H{number}"'))
    server.findings(uri)
    assert len(server.diagnostics[uri]) < 10


def test_what_has_no_effect_is_marked(server: Client, uri: str) -> None:
    server.open(uri, SMALL.replace('"Version": 0.8', '"Denoising": { "p": 0.2 }, "MaxOut": { "k": 2 }'))
    assert [d["tags"] for d in server.findings(uri) if d["code"] == "NN606"] == [[1]]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", '{ "name": "x", "version": "1", "layers": [ { } ], "main": 1 }'),
        ("python", SMALL),
        ("json", "nonsense"),
    ],
)
def test_other_texts_are_left_alone(server: Client, uri: str, language: str, text: str) -> None:
    server.open(uri, text, language)
    assert server.ask("hover", uri, text, 3) is None and server.ask("completion", uri, text, 3) is None
    assert server.actions(uri, {"start": position(text, 0), "end": position(text, len(text))}) == []
    assert server.ask("formatting", uri, options={"tabSize": 8, "insertSpaces": False}) is None
    assert uri not in server.diagnostics
    if language == "json":  # until it becomes one of ours, and is no more
        server.replace(uri, SMALL)
        assert server.findings(uri)
        server.replace(uri, text)
        assert server.findings(uri) == []


def test_settings_of_the_folder_count(server: Client, root: Path) -> None:
    uri = (root / "strict" / "a.json").as_uri()
    text = SMALL.replace('"Version": 0.8', '"Denoising": { "p": 0.2 }').replace(', "Sparse": true }', " }")
    server.open(uri, text)
    assert [(d["code"], d["severity"]) for d in server.findings(uri)] == [("NN502", 1)]
    path = root / "strict" / "nnlang.toml"
    path.write_text("[lint]\nignore = ['NN5', 'NN6']\n")
    (wish,) = server.asked[0]["params"]["registrations"]
    assert {w["globPattern"] for w in wish["registerOptions"]["watchers"]} == {"**/nnlang.toml", "**/pyproject.toml"}
    server.notify(wish["method"], {"changes": [{"uri": path.as_uri(), "type": 2}]})
    server.wait(lambda: server.diagnostics[uri][-1]["diagnostics"] == [])


def test_hover(server: Client, uri: str) -> None:
    server.open(uri, SMALL)
    found = server.ask("hover", uri, SMALL, SMALL.index('"Relu"') + 2)
    assert found["contents"]["kind"] == "markdown" and "max(0, z)" in found["contents"]["value"]
    assert found["range"]["start"] == position(SMALL, SMALL.index('"Relu"'))
    assert "units: 4" in server.ask("hover", uri, SMALL, SMALL.index("Hidden2"))["contents"]["value"]
    assert server.ask("hover", uri, SMALL, 0) is None


@pytest.mark.parametrize(
    ("before", "after", "has", "has_not"),
    [
        ('"Activation": "Relu"', '"Act', "Activation", "Source"),
        ('"Activation": "Relu"', '"Activation": "', "Tanh", "Linear Max"),
        ('["H", "In"]', '[ "', "In", "Hidden2"),
        ('"Sparse": true', '"Sparse": ', "true", "auto"),
        ('"N": 30, "DataSet": "gl_out"', '"N": "', "auto", "true"),
        ('"DataSet": "gl_out"', '"DataSet": "', "gl_in", "gl_out"),
    ],
)
def test_completion_of_a_broken_text(server: Client, uri: str, before: str, after: str, has: str, has_not: str) -> None:
    for end in ("", SMALL[SMALL.index(before) + len(before) :]):
        text = SMALL[: SMALL.index(before)] + after
        server.open(uri, text + end)
        offered = server.ask("completion", uri, text, len(text))["items"]
        found = {item["label"]: item for item in offered}
        assert has in found and has_not not in found
        chosen = edited(text + end, [found[has]["textEdit"]])
        assert f'{has}"' in chosen or f": {has}" in chosen or f'"{has}' in chosen


def test_definition_and_references(server: Client, uri: str) -> None:
    server.open(uri, SMALL)
    place = SMALL.index('"Source": ["H"') + 12
    found = server.ask("definition", uri, SMALL, place)
    assert found["range"]["start"] == position(SMALL, SMALL.index('"H"'))
    spans = server.ask("references", uri, SMALL, place, context={"includeDeclaration": True})
    assert len(spans) == 4 == len(server.ask("documentHighlight", uri, SMALL, place))
    assert server.ask("definition", uri, SMALL, 0) is None


@pytest.mark.parametrize(("name", "new"), [("H", "Hidden 😀"), ("Hidden2", "Middle"), ("In", 'a "b"')])
def test_rename_leaves_a_sound_text(server: Client, uri: str, name: str, new: str) -> None:
    text = SMALL.replace('"gl_in"', '"😀"').replace("\n", "\r\n")
    server.open(uri, text)
    place = text.index(f'"{name}"') + 1
    prepared = server.ask("prepareRename", uri, text, place)
    assert prepared["placeholder"] == name and prepared["range"]["start"] == position(text, place)
    after = changed(text, server.ask("rename", uri, text, place, newName=new))
    codes = [[f.diagnostic.code.code for f in lint(Source("a", t))] for t in (text, after)]
    assert codes[0] == codes[1]
    assert after != text and f'"{name}"' not in after


def test_names_that_cannot_be_are_refused(server: Client, uri: str) -> None:
    server.open(uri, SMALL)
    place = SMALL.index('"H"')
    for new, why in (("In", "another layer"), ("", "empty"), ("x" * 129, "128"), ("a\tb", "U+0009")):
        with pytest.raises(Refused, match=re.escape(why)):
            server.ask("rename", uri, SMALL, place, newName=new)
    assert server.ask("prepareRename", uri, SMALL, SMALL.index("Relu")) is None
    assert server.ask("rename", uri, SMALL, SMALL.index("Relu"), newName="x") is None


def test_code_actions_mend(server: Client, uri: str) -> None:
    server.open(uri, BROKEN)
    where = next(d["range"] for d in server.findings(uri) if d["code"] == "NN201")
    first, *_ = offered = server.actions(uri, where)
    assert first["title"] == "NN201: write `Activation`" and first["isPreferred"] and first["kind"] == "quickfix"
    assert [a["kind"] for a in offered][-1] == "source.fixAll" and "NN201: ignore it on this line" in [
        a["title"] for a in offered
    ]
    text = changed(BROKEN, first["edit"])
    server.replace(uri, text)
    codes = server.codes(uri)
    assert "NN201" not in codes and "NN301" in codes
    unknown = next(d["range"] for d in server.findings(uri) if d["code"] == "NN301")
    unsafe = server.actions(uri, unknown, ["quickfix"])[0]
    assert unsafe["title"].endswith("(changes the meaning)") and "isPreferred" not in unsafe
    server.replace(uri, changed(text, unsafe["edit"]))
    assert "NN301" not in server.codes(uri)


def test_all_that_is_safe_is_mended_at_once(server: Client, uri: str) -> None:
    text = '{ "Layers": [ { "Nme": "a" "kindd": "Input", "N": "3", }, ] }'
    server.open(uri, text)
    everywhere = {"start": position(text, 0), "end": position(text, len(text))}
    (action,) = server.actions(uri, everywhere, ["source.fixAll"])
    assert "edit" not in action
    resolved = server.request("codeAction/resolve", action)
    after = changed(text, resolved["edit"])
    assert not any(f.fix and f.fix.safe for f in lint(Source("a", after)))
    server.replace(uri, text + " ")
    assert "edit" not in server.request("codeAction/resolve", action)  # it was made for another text
    assert server.actions(uri, everywhere, ["refactor"]) == []


@pytest.mark.parametrize("text", [MOVIELENS, SMALL, MOVIELENS.replace("\n", "\r\n"), "{ // 😀\n" + SMALL[1:]])
def test_formatting_is_that_of_nnlang_format(server: Client, uri: str, text: str, tmp_path: Path) -> None:
    server.open(uri, text)
    edits = server.ask("formatting", uri, options={"tabSize": 8, "insertSpaces": False})
    path = tmp_path / "a.json"
    path.write_bytes(text.encode())
    assert run_command(["format", str(path)]) == 0
    assert edited(text, edits).encode() == path.read_bytes()
    assert format_text(Source("a", text), Report()) == path.read_bytes().decode()


def test_symbols_and_folds(server: Client, uri: str) -> None:
    server.open(uri, SMALL)
    version, layers = server.ask("documentSymbol", uri)
    assert (version["name"], layers["name"]) == ("Version", "Layers")
    assert [(s["name"], s.get("detail")) for s in layers["children"]][1] == ("H", "Hidden 4 Relu")
    assert {"startLine": 0, "endLine": 4, "kind": "region"} in server.ask("foldingRange", uri)


def test_a_text_of_a_megabyte(server: Client, uri: str) -> None:
    """Too large for the language: one finding; a little smaller, and it is checked."""
    layer = '  { "Name": "layer%d", "Kind": "Hidden", "Source": "layer%d", "N": 128, "Activation": "Relu" },\n'
    head = '{ "Layers": [\n  { "Name": "layer0", "Kind": "Input", "N": 128, "DataSet": "a" },\n'
    tail = '  { "Name": "Out", "Kind": "Output", "N": 128, "DataSet": "b" } ] }\n'
    text = head + "".join(layer % (n, n - 1) for n in range(1, 9_500)) + tail
    server.open(uri, text)
    server.findings(uri)
    place = text.rindex('"layer9400"') + 4
    assert server.ask("definition", uri, text, place) is not None
    server.replace(uri, text + " " * 200_000)
    assert server.codes(uri) == ["NN103"]
    server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_random_edits(server: Client, uri: str) -> None:
    """Whatever is typed, the server answers, and its text stays the client's."""
    draw = random.Random(1)
    text = MOVIELENS
    server.open(uri, text)
    pieces = [
        '"',
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\r\n",
        "😀",
        "//",
        "/*",
        '"Layers": [',
        '{ "Name": "a" },',
        "1e999",
    ]
    asked = []
    for number in range(1_000):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 0, 1, 2, 40)))
        new = draw.choice(pieces) if draw.random() < 0.8 or len(text) > 4_000 else MOVIELENS[start:][:400]
        if "\r" in (text[start - 1 : start], text[end - 1 : end]):
            continue  # positions between CR and LF do not exist
        where = {"start": position(text, start), "end": position(text, end)}
        server.change(uri, {"range": where, "text": new})
        text = text[:start] + new + text[end:]
        if number % 10 == 0:
            text = MOVIELENS
            server.replace(uri, text)
        at = {"textDocument": {"uri": uri}, "position": position(text, start)}
        what = ("completion", "hover", "definition", "prepareRename", "documentSymbol", "foldingRange")[number % 6]
        asked.append(server.begin(f"textDocument/{what}", at))
    for number in asked:
        server.answer(number)
    document = Document("a.json", "json", 1, text)
    assert document.is_ours, "another seed: nothing is told of a text that looks like somebody else's"
    found, wanted = server.findings(uri), lint(document.source)
    assert [d["code"] for d in found] == [f.diagnostic.code.code for f in wanted]
    starts = [position(text, f.diagnostic.place.span.start) for f in wanted if f.diagnostic.place.span]  # type: ignore[union-attr]
    assert starts == [d["range"]["start"] for d in found]
    assert server.logs == []


def test_unknown_documents_and_methods(server: Client) -> None:
    nowhere = "file:///nowhere/at/all.json"
    assert server.ask("hover", nowhere) is None and server.ask("documentSymbol", nowhere) is None
    assert server.ask("rename", nowhere, newName="x") is None
    server.versions[nowhere] = 1
    server.change(nowhere, {"text": "{"})
    server.notify("textDocument/didClose", {"textDocument": {"uri": nowhere}})
    server.notify("nnlang/unheardOf", {"x": 1})
    with pytest.raises(Refused):
        server.request("nnlang/unheardOf", {})
    assert nowhere not in server.diagnostics
