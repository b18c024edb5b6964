"""Fixes on texts of every layout: what is left out leaves the rest, comments included, as it was."""

from __future__ import annotations

import json
from random import Random

import pytest

from nnlang.diagnostics import Report
from nnlang.linting.check import Finding, lint
from nnlang.linting.edits import edited, mended
from nnlang.linting.settings import Settings
from nnlang.rules.members import beside, item_at, member_at, object_at, without
from nnlang.rules.rule import Edit, Fix
from nnlang.source import Source, Span
from nnlang.syntax import ArrayNode, Document, Node, ObjectNode, read
from tests.meaning import meaning_of

SPACES = ("", " ", "  ", "\t", "\n", "\n  ", "\r\n\t", " \n\n  ")
COMMENTS = (
    "// note\n",
    '// "quoted", {\r\n',
    "/* short */",
    '/* "two"\n   lines, */',
    "//\n",
    "/**/",
    "// http://a\n  ",
)
_ENTRY = '"SourceInputLayer": "{}", "SourceOutputLayer": "{}", "InputLayer": "{}"'
ATOMS = ("1", "-2.5e3", "true", "null", '"text"', '"a // b"', '"/* c */"', '"say \\"no\\", {"')


def gap(random: Random, share: float) -> str:
    """White space and comments, as they may stand between any two signs."""
    parts = [random.choice(SPACES)]
    while random.random() < share:
        parts += [random.choice(COMMENTS), random.choice(SPACES)]
    return "".join(parts)


def value(random: Random, share: float, depth: int) -> str:
    """The text of a value with anything between its signs."""
    kind = random.random()
    if depth == 0 or kind < 0.6:
        return random.choice(ATOMS)
    opening, closing = "{}" if kind < 0.8 else "[]"
    parts = [part(random, share, depth - 1, opening == "{", i) for i in range(random.randint(0, 3))]
    return opening + _joined(random, share, parts) + closing


def part(random: Random, share: float, depth: int, named: bool, number: int) -> str:
    """A member of an object or an item of a list."""
    inside = value(random, share, depth)
    return f'"k{number}"{gap(random, share)}:{gap(random, share)}{inside}' if named else inside


def _joined(random: Random, share: float, parts: list[str]) -> str:
    return ",".join(gap(random, share) + part + gap(random, share) for part in parts) or gap(random, share)


def text(random: Random) -> tuple[str, int]:
    """An object or a list at the top with some parts, and how many; laid out by chance or one part a line."""
    share, count, depth = random.choice((0.0, 0.2, 0.5)), random.randint(1, 4), random.randint(0, 2)
    opening, closing = random.choice(("{}", "[]"))
    parts = [part(random, share, depth, opening == "{", i) for i in range(count)]
    if random.random() < 0.3:
        lines = [f"  {p}{',' if i < count - 1 else ''}{random.choice(('', ' // why'))}\n" for i, p in enumerate(parts)]
        return f"{opening}\n{''.join(lines)}{closing}\n", count
    return gap(random, share) + opening + _joined(random, share, parts) + closing + gap(random, share), count


def document(text: str) -> tuple[Node, Document]:
    """The tree of a text without errors."""
    report = Report()
    found = read(Source("text", text), report)
    assert found.root is not None, (text, [d.message for d in report.diagnostics])
    return found.root, found


def data(node: Node) -> object:
    """A tree without its places: numbers as they were written, keys in order."""
    match node:
        case ObjectNode(members):
            return [(m.name.value, data(m.value)) for m in members]
        case ArrayNode(items):
            return [data(item) for item in items]
    return getattr(node, "text", getattr(node, "value", None))


def parts_of(root: Node) -> list[Span]:
    """The spans of the members or items of the top."""
    assert isinstance(root, ObjectNode | ArrayNode)
    return [m.span for m in root.members] if isinstance(root, ObjectNode) else [i.span for i in root.items]


def applied(text: str, edit: Edit) -> str:
    return edited(text, [Fix("", (edit,))])


def comments(document: Document) -> list[str]:
    """The texts of the comments; a text of mixed line ends may come out with one kind."""
    return [c.text.replace("\r\n", "\n") for c in document.comments]


def left_out(seed: int) -> None:
    """One drawn text without each of its parts: the other parts and all comments are there, in their order."""
    written, count = text(Random(seed))
    root, before = document(written)
    assert isinstance(root, ObjectNode | ArrayNode)
    whole = data(root)
    assert isinstance(whole, list)
    for place in range(count):
        after = applied(written, without(Source("text", written), parts_of(root), place))
        found, document_after = document(after)
        assert data(found) == whole[:place] + whole[place + 1 :], (written, after)
        assert comments(document_after) == comments(before), (written, after)


@pytest.mark.parametrize("seed", range(10))
def test_a_part_is_left_out_and_nothing_else(seed: int) -> None:
    for number in range(150):
        left_out(1_000 * seed + number)


@pytest.mark.full
def test_a_part_is_left_out_of_many_texts() -> None:
    for seed in range(10_000, 60_000):
        left_out(seed)


LEFT_OUT = (
    ('{ "a": 1 }', 0, "{ }"),
    ('{"a": 1}', 0, "{}"),
    ('{\n  "a": 1\n}', 0, "{\n}"),
    ('{ "a": 1, "b": 2 }', 0, '{ "b": 2 }'),
    ('{ "a": 1, "b": 2 }', 1, '{ "a": 1 }'),
    ('{"a":1,"b":2,"c":3}', 1, '{"a":1,"c":3}'),
    ('{ "a": 1,\n  "b": 2 }', 0, '{\n  "b": 2 }'),
    ('{ "a": 1,\n  "b": 2 }', 1, '{ "a": 1 }'),
    ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', 1, '{\n  "a": 1,\n  "c": 3\n}'),
    ('{\n  "a": 1,\n  "b": 2\n}', 1, '{\n  "a": 1\n}'),
    ('{\r\n  "a": 1,\r\n  "b": 2\r\n}', 0, '{\r\n  "b": 2\r\n}'),
    ('{\n  "a": 1, // one\n  "b": 2\n}', 0, '{\n  // one\n  "b": 2\n}'),
    ('{\n  "a": 1, // one\n  "b": 2 // two\n}', 1, '{\n  "a": 1 // one\n  // two\n}'),
    ('{\n  // one\n  "a": 1,\n  "b": 2\n}', 0, '{\n  // one\n  "b": 2\n}'),
    ('{ "a": 1, // one\n  "b": 2 }', 1, '{ "a": 1 // one\n  }'),
    ('{ "a": 1 /* one */, "b": 2 }', 0, '{ /* one */ "b": 2 }'),
    ('{\n  "a": {\n    "p": 1 // deep\n  },\n  "b": 2\n}', 0, '{\n  // deep\n  "b": 2\n}'),
    ('["a", "b", "a"]', 2, '["a", "b"]'),
)


@pytest.mark.parametrize(("before", "place", "after"), LEFT_OUT)
def test_what_is_left_out_leaves_a_tidy_text(before: str, place: int, after: str) -> None:
    root, _ = document(before)
    assert applied(before, without(Source("text", before), parts_of(root), place)) == after


def test_a_member_is_put_beside_another() -> None:
    written = '{ "a": 1, // one\n "b": { "c": [2] } }'
    root, _ = document(written)
    assert isinstance(root, ObjectNode)
    assert applied(written, beside(root.members[0], '"d": 4')) == '{ "a": 1, "d": 4, // one\n "b": { "c": [2] } }'
    after = applied(written, beside(root.members[1], '"d": 4'))
    assert data(document(after)[0]) == [("a", "1"), ("b", [("c", ["2"])]), ("d", "4")]


@pytest.mark.parametrize("seed", range(5))
def test_everything_is_found_where_it_stands(seed: int) -> None:
    for number in range(60):
        root, _ = document(text(Random(5_000 + 100 * seed + number))[0])
        stack: list[Node] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, ObjectNode):
                assert object_at(root, Span(node.span.start, node.span.start + 1)) is node
                for member in node.members:
                    assert member_at(root, member.name.span) == (node, member)
                    assert member_at(root, member.value.span) == (node, member)
                stack += [m.value for m in node.members]
            elif isinstance(node, ArrayNode):
                assert [item_at(root, item.span) for item in node.items] == [(node, i) for i in range(len(node.items))]
                stack += node.items
    assert member_at(root, Span(10**6, 10**6 + 1)) is None and item_at(None, Span(0, 1)) is None


def idle(random: Random) -> str:
    """A definition with keys without effect among others, in any order, with comments."""
    activation = random.choice(("Relu", "LRelu", "Selu", "Linear"))
    entries = _some(random, ['"Scheme": "SELU"', '"Scale": 3', '"Bias": 0.1'])
    top = [
        '"WeightsData": "a.nc"',
        '"MaxOut": {"k": 3}',
        '"LRN": {"k": 1}',
        '"Name": "n"',
        '"Decay": 0.1',
        '"Version": "0.8"',
        '"ScaledMarginalCrossEntropy": { "oneScale": 3 }',
        '"SparsenessPenalty": { "p": 0.1, "beta": 2 }',
    ]
    hidden = [
        '"Kernel": [3, 3]',
        f'"Activation": "{activation}"',
        '"ReluSlope": 0.5',
        '"EluAlpha": 2',
        '"Name": "H"',
        '"SparsenessPenalty": true',
        f'"WeightInit": {{ {_joined(random, 0.2, entries)} }}',
    ]
    layer = _some(random, [*_some(random, hidden), '"N": 4', '"KernelStride": 1'], least=2)
    layer += [] if '"N": 4' in layer else ['"N": 4']
    name = "H" if '"Name": "H"' in layer else "Hidden1"
    entry = _ENTRY.format("Input0", name, name)
    layers = [
        '{ "DataSet": "in", "N": 8 }',
        "{" + _joined(random, 0.2, layer) + "}",
        f'{{ "DataSet": "out", "N": 8, "Kernel": 3, "SharedWeights": {{ {entry}, "Transpose": true }} }}',
    ]
    return "{" + _joined(random, 0.2, [*_some(random, top), '"Layers": [' + ", ".join(layers) + "]"]) + "}"


def _some(random: Random, parts: list[str], least: int = 0) -> list[str]:
    return random.sample(parts, random.randint(least, len(parts)))


@pytest.mark.parametrize("seed", range(8))
def test_safe_fixes_of_many_findings_at_once_keep_the_meaning_and_the_comments(seed: int) -> None:
    for number in range(12):
        written = idle(Random(100 * seed + number))
        source, done = mended(Source("config.json", written), look)
        left = [f for f in look(source) if f.fix is not None and f.fix.safe]
        assert meaning_of(written) is not None and not left, (written, source.text)
        assert meaning_of(source.text) == meaning_of(written), (written, source.text)
        assert comments(document(written)[1]) == comments(document(source.text)[1])
        assert not done or source.text != written


def look(source: Source) -> list[Finding]:
    return lint(source, Settings(extend_select=("NN",)))


LAYERS = (
    '{{ "Layers": [ {{ "Name": "Input", "DataSet": "in", "N": 64 }}, {{ {} }}, '
    '{{ "Name": "Output", "DataSet": "out", "N": 64{} }} ] }}'
)


def shared(*ends: str) -> str:
    return f', "SharedWeights": {{ {_ENTRY.format(*ends)} }}'


UNSAFE = (
    ('"Name": "H", "N": 8, "Source": ["Input", "Input"]', "", 'Source": ["Input"]'),
    ('"Name": "H", "N": 8, "Source": "Inputt"', "", '"Source": "Input"'),
    ('"Name": "H", "N": 8', shared("Input", "H", "Input")[:-2] + ', "Transposed": true }', '"InputLayer": "H"'),
    ('"Name": "H", "N": 8', shared("Input", "H", "H"), '"InputLayer": "H", "Transposed": true }'),
    ('"Name": "H", "N": 8', shared("Inputs", "H", "H")[:-2] + ', "Transposed": true }', '"SourceInputLayer": "Input"'),
    ('"Name": "H", "N": 8', shared("H", "Output", "H"), '"DataSet": "out", "N": 64 }'),
    ('"Name": "H", "N": 8', ', "pDropout": 0.5', '"DataSet": "out", "N": 64 }'),
)


@pytest.mark.parametrize(("hidden", "output", "after"), UNSAFE)
def test_unsafe_fixes_are_left_alone_until_asked_for(hidden: str, output: str, after: str) -> None:
    source = Source("config.json", LAYERS.format(hidden, output))
    assert mended(source, look)[0] is source
    found, done = mended(source, look, unsafe=True)
    assert after in found.text and done
    assert [f.diagnostic.message for f in look(found) if f.diagnostic.code.severity == "error"] == []


def test_circles_of_shared_weights_are_not_mended() -> None:
    layers = [
        {"Name": "Input", "DataSet": "in", "N": 8},
        {"Name": "A", "N": 8, "SharedWeights": _json("A", "B", "Input")},
        {"Name": "B", "N": 8, "SharedWeights": _json("Input", "A", "A")},
        {"Name": "Output", "DataSet": "out", "N": 8},
    ]
    found = look(Source("config.json", json.dumps({"Layers": layers})))
    errors = [f for f in found if f.diagnostic.code.severity == "error"]
    assert [f.diagnostic.code.code for f in errors] == ["NN332", "NN332"]
    assert all(f.fix is None and "circle" in f.diagnostic.remedy for f in errors)


def _json(source: str, target: str, of: str) -> dict[str, str]:
    return {"SourceInputLayer": source, "SourceOutputLayer": target, "InputLayer": of}


@pytest.mark.parametrize(
    ("layer", "after"),
    [
        ('"Kind": "Pooling", "Function": "LRN"', '"Kind": "Hidden", "Type": "Pooling", "Function": "LRN"'),
        (
            '"Type": "pooling", "Kind": "pooling", "Function": "LRN"',
            '"Type": "Pooling", "Kind": "Hidden", "Function": "LRN"',
        ),
    ],
)
def test_documented_kinds_are_written_as_the_parser_reads_them(layer: str, after: str) -> None:
    source = Source("config.json", LAYERS.format(layer, ""))
    assert mended(source, look)[0].text == LAYERS.format(after, "")


def test_an_escaped_word_is_mended_like_a_plain_one() -> None:
    written = '{ "ErrorFunction": "\\u0053MCE", ' + LAYERS.format('"N": 8', "")[2:]
    assert '"ErrorFunction": "ScaledMarginalCrossEntropy"' in mended(Source("a", written), look)[0].text


IGNORES = (
    ('"a//b", // nnlang: ignore[NN501] why', '"a//b",'),
    ('"/* a", /* so */ // nnlang: ignore[NN501]', '"/* a", /* so */'),
    ('"a", // nnlang: ignore[NN501, NN502]', '"a",'),
    ('"a", // nnlang: ignore[NN501, NN502] and // nnlang: ignore[NN503]', '"a",'),
    ('"a",\n  // nnlang: ignore[NN501]', '"a",'),
    ('"a" // nnlang: ignore[NN501]\n  ,', '"a"\n  ,'),
    ('/**/ // nnlang: ignore[NN501]\n "a",', '/**/\n "a",'),
    ('"a", /* don\'t\n// nnlang: ignore[NN501]\n */', '"a", /* don\'t\n// nnlang: ignore[NN501]\n */'),
    ('"a", /* nnlang: ignore[NN502, NN501] */', '"a", /* nnlang: ignore[NN501] */'),
)


@pytest.mark.parametrize(("name", "after"), IGNORES)
def test_comments_that_suppress_nothing_are_taken_out_whole(name: str, after: str) -> None:
    written = '{ "Name": @\n  "Layers": [{ "DataSet": "in", "N": 64 }, { "DataSet": "out", "N": 64 }] }'
    source = Source("config.json", written.replace("@", name))
    assert "NN530" in {f.diagnostic.code.code for f in look(source)}
    assert mended(source, look, unsafe=True)[0].text == written.replace("@", after)


def test_a_fix_of_one_key_of_many_costs_little() -> None:
    layers = [{"DataSet": "in", "N": 8}, *({"N": 8, "Kernel": 3} for _ in range(4_000)), {"DataSet": "out", "N": 8}]
    found = look(Source("config.json", json.dumps({"Layers": layers})))
    assert sum(f.fix is not None for f in found) >= 400
    text = edited(json.dumps({"Layers": layers}), [f.fix for f in found if f.fix is not None])
    assert document(text)
