"""What editors ask of a text and an offset, however broken: `|` stands for the cursor in the texts here."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang import schema
from nnlang.definition import check
from nnlang.diagnostics import Report
from nnlang.editor.completion import offers
from nnlang.editor.cursor import Cursor, cursor
from nnlang.editor.hover import hover
from nnlang.editor.layers import mentions, sketches
from nnlang.editor.loose import Tree, grow
from nnlang.editor.positions import UNITS, Positions
from nnlang.editor.references import RefusedError, definition, named, references, rename
from nnlang.editor.replacing import difference
from nnlang.editor.symbols import folds, symbols
from nnlang.linting.check import lint
from nnlang.rules import RULES
from nnlang.rules.rule import Edit
from nnlang.source import Source, Span
from nnlang.syntax import ArrayNode, Node, ObjectNode, StringNode, parse
from tests import definitions

ROOT = Path(__file__).parent.parent
MOVIELENS = (ROOT / "examples" / "movielens" / "config.json").read_text(encoding="utf-8")
SMALL = """{ "Version": 0.8, "Layers": [
  { "Name": "In", "Kind": "Input", "N": 30, "DataSet": "gl_in", "Sparse": true },
  { "Name": "H", "N": 4, "Source": "In", "Activation": "Relu" },
  { "Source": ["H", "In"], "Skip": "H", "N": 4 },
  { "Name": "Out", "Source": "Hidden2", "N": 30, "DataSet": "gl_out", "SharedWeights":
    [{ "SourceInputLayer": "In", "SourceOutputLayer": "H", "InputLayer": "Hidden2", "Transposed": true }] } ] }
"""
LINES = st.text(st.sampled_from("ab\n\r😀é\u2028\x0b\x85\ud800 "), max_size=40)


def replaced(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap."""
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end), reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def at(text: str) -> tuple[Tree, int]:
    """The tree of a text and the offset of the `|` in it."""
    offset = text.index("|")
    return grow(text.replace("|", "", 1)), offset


# Positions


@given(text=LINES, encoding=st.sampled_from(sorted(UNITS)))
def test_every_offset_has_a_position_that_leads_back(text: str, encoding: str) -> None:
    lines = Positions(text, encoding)
    for offset in range(len(text) + 1):
        line, character = lines.position(offset)
        inside = text[offset - 1 : offset + 1] == "\r\n"
        assert lines.offset(line, character) == offset - inside


@given(text=LINES, line=st.integers(-1, 50), character=st.integers(-1, 99))
def test_positions_outside_of_a_text_become_the_nearest(text: str, line: int, character: int) -> None:
    offset = Positions(text).offset(line, character)
    assert 0 <= offset <= len(text)
    assert Positions(text).position(offset)[0] <= max(line, 0)


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)])
def test_units_are_those_of_the_encoding(encoding: str, character: int) -> None:
    lines = Positions('a\r\né😀"x"', encoding)
    assert lines.position(6) == (1, character)
    assert lines.offset(1, character) == 6


def test_only_three_signs_end_a_line() -> None:
    assert [Positions("a\u2028b\x0bc\x85\nd\re\r\nf").position(n)[0] for n in (5, 7, 9, 12)] == [0, 1, 2, 3]


# Trees of broken texts


def strings(node: Node) -> Iterator[StringNode]:
    """Every string of a tree."""
    if isinstance(node, StringNode):
        yield node
    for member in node.members if isinstance(node, ObjectNode) else ():
        yield member.name
        yield from strings(member.value)
    for item in node.items if isinstance(node, ArrayNode) else ():
        yield from strings(item)


@pytest.mark.parametrize("seed", range(60))
def test_the_tree_of_a_sound_text_is_the_readers(seed: int) -> None:
    draw = random.Random(seed)
    text = definitions.text(draw, definitions.definitions(draw))
    root = parse(Source("x", text), Report())
    tree = grow(text)
    found = {w.span: w.value for g in tree.groups.values() for w in _words(g)}
    if isinstance(root, ObjectNode | ArrayNode):
        wanted = {node.span: node.value for node in strings(root)}
        assert {span: value for span, value in found.items() if text[span.start] == '"'} == wanted
        assert tree.root is not None and tree.root.span == root.span and tree.open == []


def _words(group):  # type: ignore[no-untyped-def]
    from nnlang.editor.cursor import words

    return words([group])


@given(st.text(st.sampled_from("{}[],:\"'a1 \n/*#\\|"), max_size=60))
def test_every_text_has_a_tree(text: str) -> None:
    tree = grow(text)
    for group in tree.groups.values():
        assert text[group.start] in "{[" and group.start < group.end <= len(text)
        if group.closed:
            assert text[group.end - 1] == ("}" if group.is_object else "]")
    for offset in range(len(text) + 1):
        offers(tree, offset)
        hover(tree, offset)
        named(tree, offset)


HOSTILE = [
    "[" * 99_999 + "}" * 99_999, '{"' * 50_000, '{"a":' * 50_000, '"' + ", " * 99_999, '"' + ", " * 99_999 + "\n",
    "/*" * 99_999, "/*" + "*" * 99_999, "/" * 99_999, '{ "' + "\\" * 99_999, '{ "' + "\\" * 99_999 + "\n }",
    "'\\" * 99_999, '"\\' * 99_999 + "\n", '"a' * 99_999 + "\n", "'" * 99_999 + "\n", "a'" * 99_999,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_take_no_time(text: str) -> None:
    begin = time.monotonic()
    tree = grow(text)
    assert cursor(tree, len(text) // 2) is None or len(tree.groups) < 65
    assert hover(tree, len(text) // 2) is None and named(tree, 9) is None
    assert len(symbols(tree)) < 2 and len(list(folds(tree))) < 2
    assert time.monotonic() - begin < 8


# Cursors

CURSORS = {
    '{ "Layers": [ { "Na|" } ] }': ("a layer", "key", "Na"),
    '{ "Layers": [ { "Na|': ("a layer", "key", "Na"),
    '{ "Layers": [ { "N": 1, |': ("a layer", "key", ""),
    '{ "Layers": [ { "N": 1, "Sou|\n "Kind": "Hidden" } ] }': ("a layer", "key", "Sou"),
    '{ "Layers": [ { "Kind": "|" } ] }': ("a layer", "value", "Kind"),
    '{ "Layers": [ { "Kind": "Hi|, "N": 3 }, { "N": 3 } ] }': ("a layer", "value", "Kind"),
    '{ "Layers": [ { "Kind":|\n "N": 3 } ] }': ("a layer", "value", "Kind"),
    '{ "Layers": [ { "Source": ["a", | ] } ] }': ("a layer", "value", "Source"),
    '{ "Layers": [ { "Source": ["a", "|"], "N": 1 } ] }': ("a layer", "value", "Source"),
    '{ "Layers": { "WeightInit": { "Sch|" } } }': ("`WeightInit`", "key", "Sch"),
    '{ "Layers": [ { "SharedWeights": [ { "InputLayer": "|': ("`SharedWeights`", "value", "InputLayer"),
    '{ "Layers": [ { "Name": "a", \n { "Na|me": "b" } ] }': ("a layer", "key", "Na"),
    '{ "Layers": [ | ] }': ("a definition", "value", "Layers"),
    '{ // {\n "Denoising": { |': ("`Denoising`", "key", ""),
    '{ "denoising": /* [ */ { |': ("`Denoising`", "key", ""),
    '{ "Network": "a", "Comm|" }': ("a job", "key", "Comm"),
    '{ "Command": "Train", "TrainingParameters": { "Optimizer": N| } }': ("`TrainingParameters`", "value", "Optimizer"),
    "{ 'Kind': |": ("a definition", "value", "Kind"),
    "{ Kind: |": ("a definition", "value", "Kind"),
    "{ Ki|": ("a definition", "key", "Ki"),
}
NOWHERE = [
    "|{ }", "{ } |", '{ "Kind" | : 1 }', '{ // "|\n }', '{ /* "| */ }', "{ # |", '"|', "|", "[[[ }|",
]  # fmt: skip


@pytest.mark.parametrize("text", CURSORS)
def test_what_stands_at_the_cursor(text: str) -> None:
    here = cursor(*at(text))
    assert here is not None and here.table is not None
    assert (here.table.what, here.role, here.key) == CURSORS[text]


@pytest.mark.parametrize("text", NOWHERE)
def test_nothing_stands_at_the_cursor(text: str) -> None:
    here = cursor(*at(text))
    assert here is None or here.table is None


def test_a_word_is_replaced_whole() -> None:
    def word(text: str) -> str:
        tree, offset = at(text)
        here = cursor(tree, offset)
        assert isinstance(here, Cursor)
        return tree.text[here.span.start : here.span.end]

    assert word('{ "Layers": [ { "Source": "a, b|: c" } ] }') == '"a, b: c"'
    assert word('{ "Ki|nd": "x" }') == '"Kind"'
    assert word('{ "Kind": "Feed|, "Name": "x" }') == '"Feed'
    assert word('{ "Kind": Fe|ed }') == "Feed"
    assert word('{ "|"Kind": "x" }') == '"'
    assert word('{ "|", "Kind": "x" }') == '""'
    assert word('{ "Kind": |}') == ""


# Hover


@pytest.mark.parametrize("table", [schema.DEFINITION, schema.LAYER, schema.JOB], ids=lambda t: t.what)
def test_every_key_is_explained(table: schema.Table) -> None:
    for key in table.keys:
        inside = f'"N": 1, "{key.name}": 1'
        text = f'{{ "Layers": [ {{ {inside} }} ] }}' if table is schema.LAYER else f"{{ {inside} }}"
        text = text.replace('"N": 1', '"Network": "x"') if table is schema.JOB else text
        found = hover(grow(text), text.rindex(f'"{key.name}"') + 1)
        assert found is not None and key.words.split(":")[0][:20] in found.markdown.replace("\\", "")


def words(text: str, offset: int) -> str:
    """What a hover shows at an offset of a text."""
    found = hover(grow(text), offset, lambda: check(Source("x", text), need_shapes=False).network)
    return found.markdown if found else ""


def test_values_and_layers_are_explained() -> None:
    assert "max(0, z)" in words(SMALL, SMALL.index("Relu"))
    shown = words(SMALL, SMALL.index('"Source": "In"') + 12)
    assert shown.startswith("**layer In**") and "units: 30" in shown and "data set: gl\\_in" in shown
    assert "taken by H, Hidden2" in shown
    shown = words(SMALL, SMALL.index("Hidden2"))
    assert "takes H, In" in shown and "adds H" in shown and f"parameters: {4 * 4 + 30 * 4 + 4 + 4}" in shown
    assert "takes H, In" in words(SMALL.replace('"N": 4 }', '"N": -4 }'), SMALL.index("Hidden2") + 1)
    assert "does not go with this layer" in words(SMALL.replace("Sparse", "Skip"), SMALL.index("Sparse"))
    text = "// nnlang: ignore[NN502] why\n" + SMALL
    assert "nothing-denoised" in words(text, 20) and words(text, 2) == ""
    assert words(SMALL, 0) == "" and words("", 0) == ""


def test_names_are_no_markdown() -> None:
    text = SMALL.replace('"H"', '"<b>[x](y)`"')
    assert r"\<b\>\[x\]\(y\)\`" in words(text, text.index("<b>"))


# References


def spans(text: str, found: Iterator[Span]) -> list[str]:
    return [text[span.start : span.end] for span in found]


def test_definitions_and_references() -> None:
    tree = grow(SMALL)
    for offset in (m.start() + 1 for m in re.finditer('"H"', SMALL)):
        span = definition(tree, offset)
        assert span is not None and span.start == SMALL.index('"H"')
        assert len(list(references(tree, offset, with_definition=False))) == 3
        assert len(list(references(tree, offset, with_definition=True))) == 4
    unnamed = definition(tree, SMALL.index("Hidden2"))
    assert unnamed is not None and SMALL[unnamed.start :].startswith('{ "Source": [')
    assert definition(tree, SMALL.index("Relu")) is None
    broken = grow(SMALL.replace("] } ] }", ""))
    assert len(list(references(broken, SMALL.index('"H"') + 1, with_definition=True))) == 4


def dump(text: str) -> str:
    network = check(Source("x", text), need_shapes=False).network
    return network.dump() if network else ""


@pytest.mark.parametrize("text", [SMALL, MOVIELENS, SMALL.replace(": [\n  {", ": [{").replace("\n", "\r\n")])
@pytest.mark.parametrize("new", ["Z", 'a "quoted" \\ 😀', "x" * 128])
def test_a_renamed_layer_is_renamed_everywhere(text: str, new: str) -> None:
    tree = grow(text)
    for layer in sketches(tree):
        mention = next((m for m in mentions(sketches(tree)) if m.name == layer.label), None)
        if mention is None:
            continue
        edits = rename(tree, mention.span.start, new)
        assert edits is not None
        after = replaced(text, edits)
        assert dump(after) and dump(after).replace(ascii(new), ascii(layer.label)) == dump(text)
        before, now = (sorted(f.diagnostic.code.code for f in lint(Source("x", t))) for t in (text, after))
        assert before == now
        back = rename(grow(after), after.index(json.dumps(new, ensure_ascii=False)), layer.label)
        assert back is not None and (layer.name is None or replaced(after, back) == text)


@pytest.mark.parametrize("new", ["", "In", "Hidden2", "x" * 129, "a\nb", "\ud800", "a\x7f"])
def test_names_that_cannot_be_are_refused(new: str) -> None:
    with pytest.raises(RefusedError):
        rename(grow(SMALL), SMALL.index('"H"'), new)


def test_unclear_names_are_refused() -> None:
    assert rename(grow(SMALL), SMALL.index("Relu"), "x") is None
    assert rename(grow(SMALL), SMALL.index('"H"'), "H") is not None
    for text in (SMALL.replace('"Out"', '"H"'), SMALL.replace('"Name": "H"', '"Name": "X"')):
        with pytest.raises(RefusedError):
            rename(grow(text), text.index('"H"'), "x")


# Outline


def test_the_outline_has_keys_and_layers() -> None:
    version, layers = symbols(grow(SMALL))
    assert (version.name, version.detail, layers.name, layers.detail) == ("Version", "0.8", "Layers", "4")
    found = [(child.name, child.detail) for child in layers.children]
    assert found == [("In", "Input 30"), ("H", "Hidden 4 Relu"), ("Hidden2", "Hidden 4"), ("Out", "Output 30")]
    assert symbols(grow("")) == () and symbols(grow("[1]")) == ()
    for text in (SMALL[:n] for n in range(len(SMALL))):
        for symbol in symbols(grow(text)):
            assert symbol.span.start <= symbol.head.start < symbol.head.end <= symbol.span.end


def test_folds_are_what_takes_lines() -> None:
    text = '{ /* a\nb */ "Layers": [\n{ },\n{\n} ] }'
    found = sorted((text[span.start], kind) for span, kind in folds(grow(text)))
    assert found == [("/", "comment"), ("[", "region"), ("{", "region"), ("{", "region")]


# Edits


@given(
    st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "d"]), max_size=8), st.lists(st.sampled_from(["a\n", "b\n", "d"]))
)
def test_the_difference_leads_from_old_to_new(old: list[str], new: list[str]) -> None:
    before, after = "".join(old), "".join(new)
    edit = difference(before, after)
    assert (edit is None) == (before == after)
    assert replaced(before, [edit] if edit else []) == after


def test_every_rule_is_known_to_the_hover_of_comments() -> None:
    for code in RULES:
        text = f"{{ }} // nnlang: ignore[{code}]"
        assert code in words(text, text.index(code) + 1)
