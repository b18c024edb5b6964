"""Texts to nodes: what is JSON is read exactly, what is not is reported, and no text is too wild."""

from __future__ import annotations

import io
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlang.diagnostics import Report, Stop
from nnlang.source import Source
from nnlang.syntax import (
    ArrayNode,
    BoolNode,
    Limits,
    Node,
    NullNode,
    NumberNode,
    ObjectNode,
    StringNode,
    parse,
    read,
    read_source,
)


def value(node: Node) -> Any:
    """What Python's json would give for a tree."""
    match node:
        case ObjectNode(members):
            return {m.name.value: value(m.value) for m in members}
        case ArrayNode(items):
            return [value(item) for item in items]
        case StringNode(text) | BoolNode(text):
            return text
        case NumberNode(number):
            return number
    assert isinstance(node, NullNode)
    return None


def outcome(text: str, limits: Limits | None = None) -> tuple[Node | None, list[str]]:
    report = Report()
    root = parse(Source("x.json", text), report, limits or Limits())
    return root, [d.code.code for d in report.sorted()]


EXAMPLES = [p.read_text(encoding="utf-8") for p in sorted(Path("examples").glob("*/*.json"))]
TEXTS = Path(__file__).parent / "syntax"
GOOD: list[str] = json.loads((TEXTS / "good.json").read_text(encoding="utf-8"))
BAD: list[str] = json.loads((TEXTS / "bad.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", GOOD)
def test_good_texts_are_read_as_python_reads_them(text: str) -> None:
    root, codes = outcome(text)
    assert codes == []
    assert root is not None
    assert value(root) == json.loads(text)


# Like JSON's, with what LNDL adds: comments; and a byte order mark, with a warning.
LENIENT = {
    "[1] // end": [1],
    "// a\n/* b */ [1, /* c */ 2 // d\n]": [1, 2],
    '{"a" /*:*/ : /**/ 1}/***/': {"a": 1},
    "/* // */[]": [],
    '["/* no */", "// no"]': ["/* no */", "// no"],
    "[1]//": [1],
    "//\r[1]": [1],
    "\ufeff[1]": [1],
}


@pytest.mark.parametrize("text", LENIENT)
def test_comments_and_a_byte_order_mark_are_read(text: str) -> None:
    root, codes = outcome(text)
    assert codes == (["NN104"] if text.startswith("\ufeff") else [])
    assert root is not None
    assert value(root) == LENIENT[text]


@pytest.mark.parametrize("text", BAD)
def test_bad_texts_are_reported(text: str) -> None:
    root, codes = outcome(text)
    assert root is None
    assert any(code.startswith("NN1") and code != "NN104" for code in codes)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_what_is_printed_is_read_again(thing: Any, escape: bool, indent: Any) -> None:
    text = json.dumps(thing, ensure_ascii=escape, indent=indent)
    root, codes = outcome(text)
    assert codes == []
    assert root is not None
    assert value(root) == thing


@given(JSON)
def test_the_characters_of_a_span_are_the_value(thing: Any) -> None:
    text = json.dumps(thing, indent=1)
    root, _ = outcome(text)
    nodes = [root]
    for node in nodes:
        assert node is not None
        assert json.loads(text[node.span.start : node.span.end]) == value(node)
        nodes.extend(node.items if isinstance(node, ArrayNode) else ())
        nodes.extend([n for m in node.members for n in (m.name, m.value)] if isinstance(node, ObjectNode) else ())


PIECES = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    "1",
    "-",
    "true",
    "x",
    "'",
    '"',
    "\\",
    "\n",
    "//",
    "/*",
    "*/",
    "#",
    "=",
    " ",
    "\n  ",
    '"k":',
    "(",
    ")",
    "\u00a0",
    "&quot;",
    "0,5",
    "<<<<<<< a\n",
    "1 {\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_rubbish_is_read_or_reported_once_a_line(text: str) -> None:
    report = Report()
    root = parse(Source("x", text), report)
    assert (root is None) == bool(report.errors)
    lines = [
        d.place.source.position(d.place.span.start)[0]
        for d in report.errors
        if d.place and d.place.source and d.place.span
    ]
    assert len(lines) == len(report.errors)
    assert len(lines) <= 2 * (text.count("\n") + 1)


@given(st.text(max_size=60))
def test_any_text_is_read_or_reported(text: str) -> None:
    root, codes = outcome(text)
    assert (root is None) == any(code != "NN104" for code in codes)


def test_comments_are_collected_with_their_places_for_each_text_alone() -> None:
    text = '// one\n{ /* two */ "a": 1 } // three'
    for _ in range(2):
        document = read(Source("x", text), Report())
        assert [c.text for c in document.comments] == ["// one", "/* two */", "// three"]
        assert all(text[c.span.start : c.span.end] == c.text for c in document.comments)
    assert read(Source("x", "[1]"), Report()).comments == ()
    assert len(read(Source("x", "// one\n[1"), Report()).comments) == 1


def test_numbers_keep_how_they_were_written() -> None:
    root, _ = outcome("[1, 1.0, 1e2, -0]")
    assert isinstance(root, ArrayNode)
    numbers = [node for node in root.items if isinstance(node, NumberNode)]
    assert [n.text for n in numbers] == ["1", "1.0", "1e2", "-0"]
    assert [type(n.value) for n in numbers] == [int, float, float, int]


def test_several_slips_are_reported_in_one_run() -> None:
    text = '{\n"a" 1,\n"b": 01\n"c": \'x\',\n"d": [1 2],\n"e": tru,\n"f": ,\n}'
    assert outcome(text)[1] == ["NN132", "NN121", "NN111", "NN130", "NN120", "NN133"]


def _slip(rng: random.Random) -> tuple[str, int]:
    """An example with one sign too few or too many, and the line where that happened."""
    text = rng.choice(EXAMPLES)
    place = rng.choice([i for i, c in enumerate(text) if c in '{}[],:"'])
    kept = text[place + 1 :] if rng.random() < 0.7 else rng.choice('{}[],:"') + text[place:]
    return text[:place] + kept, text.count("\n", 0, place) + 1


def test_one_slip_is_one_finding_near_its_place() -> None:
    rng = random.Random(3)
    counts: list[int] = []
    near = 0
    for _ in range(300):
        text, line = _slip(rng)
        report = Report()
        parse(Source("x", text), report)
        lines = [int(str(d.place).split(":")[1]) for d in report.errors]
        if lines:  # a slip in a comment or in a string may be none
            counts.append(len(lines))
            near += min(abs(found - line) for found in lines) <= 1
    assert max(counts) <= 3
    assert counts.count(1) > 0.9 * len(counts)
    assert near > 0.95 * len(counts)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "code"),
    [
        (Limits(), "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, "NN150"),
        (Limits(), '{"a":' * 64 + "1" + "}" * 64, '{"a":' * 65 + "1" + "}" * 65, "NN150"),
        (Limits(size=10), "[1234567 ]", "[12345678 ]", "NN103"),
        (Limits(tokens=5), "[1, 2]", "[1, 2, 3]", "NN151"),
        (Limits(), '"' + "x" * 4096 + '"', '"' + "x" * 4097 + '"', "NN115"),
        (Limits(), "1" * 64, "1" * 65, "NN123"),
    ],
)
def test_limits(limits: Limits, good: str, bad: str, code: str) -> None:
    assert outcome(good, limits)[1] == []
    assert outcome(bad, limits)[1] == [code]


@pytest.mark.full
def test_limits_of_tokens() -> None:
    assert outcome("[" + "1," * 149_998 + "1, 1]")[1] == ["NN151"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 199_000,
        '"\n' * 400_000,
        "[" + "," * 900_000,
        "/* " + "* " * 400_000,
        '"' + ", " * 400_000 + "x",
        "#\n" * 300_000 + "x",
        '{"a": 1,\u00a0\n' * 90_000,
        "&quot;" * 150_000,
        "&<" * 450_000,
        "<<<<<<< a\n" * 90_000,
        "/* */ " * 150_000 + "x {",
        '{"a : 1,\n' * 100_000,
        "".join(f"{i} [\n" for i in range(100_000)),
        "a\0" * 450_000,
        "".join(random.Random(1).choices("{}[]", k=39_000)),
        "".join(random.Random(2).choices(['{"a":', "}", "[", "]", ",", "1,", '"b"', "\n", "\n  "], k=39_000)),
        '{"a": [' * 30 + '{"a": [1], "b": {"c": 1}},\n' * 2_500 + "]}" * 28,
    ],
)
def test_wild_texts_end_soon(text: str) -> None:
    start = time.process_time()  # of this process: others may run beside it
    root, codes = outcome(text)
    assert root is None
    assert codes
    assert time.process_time() - start < 2 * 2  # twice: machines differ, and others use them too


def test_a_thousand_small_files_are_read_in_three_seconds() -> None:
    text = Path("examples/movielens/config.json").read_text(encoding="utf-8")
    start = time.perf_counter()
    for _ in range(200):
        outcome(text)
    assert time.perf_counter() - start < 3 * 200 / 1_000 * 2  # twice: machines differ, and others use them too


def test_read_source(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes("[ü]\r\n".encode())
    assert read_source(path) == Source(str(path), "[ü]\r\n")
    assert read_source(path, Limits(size=6)).text == "[ü]\r\n"
    with pytest.raises(Stop, match="NN103"):
        read_source(path, Limits(size=5))


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe[\x00]\x00", b'["\xe9"]', b'["\xc0\xaf"]', b'["\xed\xa0\x80"]', b"\x80", b'["\xf0\x9d"]']
)
def test_bytes_that_are_not_utf8_are_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(raw)
    with pytest.raises(Stop, match="NN102"):
        read_source(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[1]")))
    assert read_source("-") == Source("<stdin>", "[1]")


def test_texts_read_at_the_same_time_do_not_mix() -> None:
    texts = [f"// {i}\n[{i}] // end of {i}" for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        documents = list(pool.map(lambda text: read(Source("x", text), Report()), texts))
    assert [[c.text for c in d.comments] for d in documents] == [[f"// {i}", f"// end of {i}"] for i in range(40)]


@pytest.mark.parametrize("name", ["missing.json", "", "a\0b", "x" * 5_000])
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(Stop, match="NN101"):
        read_source(f"{tmp_path}/{name}")
