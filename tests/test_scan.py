"""The quick reader takes what the careful reader takes, and makes the same of it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from nnlang.diagnostics import Report
from nnlang.parsing import read_with_care
from nnlang.scan import scan
from nnlang.source import Source
from nnlang.syntax import DEFAULTS, Document, Limits

ROOT = Path(__file__).parent
WORDS = (
    *("{", "}", "[", "]", ",", ":", '"a"', '"b c"', '"\\u00e9\\n"', '"\\ud83d\\ude00"', '"\\ud83d"', '"é"', '"x'),
    *("0", "-0", "01", "1.5", "-2e3", "1e999", "1e-999", "0.0e5", "123456789012345678901234567890", "1.", ".5", "NaN"),
    *("true", "false", "null", "trueish", "True", "// c\n", "/* d */", "/* ** */", "/*", "#e\n", " ", "\n", "\r\n"),
    *("(", "1)", "'y'", "\t", "\ufeff", "\u00a0", "\x00", "\\", "/", "=", ";"),
)  # fmt: skip


def careful(text: str, limits: Limits = DEFAULTS) -> Document | None:
    report = Report()
    document = read_with_care(Source("text", text), report, limits)
    return None if report.diagnostics or document.root is None else document


def agree(text: str, limits: Limits = DEFAULTS) -> bool:
    """Whether the quick reader took the text, and read it as the other; it may leave a few odd ones to that."""
    quick, slow = scan(text, limits), careful(text, limits)
    if quick is None:
        assert slow is None or re.search(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]|\"[^\"]*\"\s*/|[0-9]{300}", text), text
    else:
        assert quick == slow, text
    return quick is not None


@pytest.mark.parametrize("folder", ["errors", "format", "../examples"])
def test_files_of_this_project_are_read_alike(folder: str) -> None:
    taken = 0
    for path in (ROOT / folder).rglob("*.json"):
        text = path.read_bytes().decode("utf-8", "replace")
        taken += len(text) < 100_000 and agree(text)
    assert taken


LIMITED = Limits(depth=2, tokens=12, string=3, number=4)


@pytest.mark.parametrize(
    "text",
    ["[[]]", "[[[]]]", '"abc"', '"abcd"', '{"abcd": 1}', "1234", "12345", "[1,2,3,4,5]", "[1,2,3,4,5,6]",
     '{"a":1,"b":2,"c":3}', '{"a":1,"b":2}', '"\\n\\n"', "1e99", "1e-9"],
)  # fmt: skip
def test_limits_are_the_same(text: str) -> None:
    agree(text, LIMITED)


def tree(draw: random.Random, depth: int = 0) -> str:
    """A sound text with comments and white space wherever the grammar has them."""
    gap = draw.choice(["", "", " ", "\n", "// x\n", "/* y */", "\t"])
    kind = draw.randrange(6 if depth < 4 else 4)
    if kind == 4:
        return gap + "[" + ",".join(tree(draw, depth + 1) for _ in range(draw.randrange(4))) + gap + "]" + gap
    if kind == 5:
        rows = [f"{gap}{json.dumps(draw.choice('abé'))}:{tree(draw, depth + 1)}" for _ in range(draw.randrange(4))]
        return gap + "{" + ",".join(rows) + gap + "}" + gap
    return gap + draw.choice(["1", "-0.5e2", "true", "false", "null", '"a\\u00e9"', '""', "0"]) + gap


def both_agree(count: int, seed: int) -> None:
    draw = random.Random(seed)
    taken = 0
    for _ in range(count):
        text = tree(draw)
        taken += agree(text)
        for _ in range(2):
            place = draw.randrange(len(text) + 1)
            text = text[:place] + draw.choice(WORDS) + text[place + draw.randrange(3) :]
            agree(text)
        agree("".join(draw.choice(WORDS) for _ in range(draw.randrange(1, 8))))
    assert taken > count * 0.9


def test_both_readers_agree() -> None:
    both_agree(1_500, 1)


@pytest.mark.full
def test_both_readers_agree_at_length() -> None:
    both_agree(100_000, 2)
