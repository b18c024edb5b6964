"""The manual: an article for every key, value and code, examples that are sound, and what people read, whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nnlang import manual, schema
from nnlang.cli import run_command
from nnlang.codes import catalogue
from nnlang.manual import EVERY_TABLE, Entry, hover_code, hover_key, hover_value, look_up, markdown, overview, words
from nnlang.rules import RULES
from nnlang.schema import Choice, Key, Table
from nnlang.schema.describe import inner
from nnlang.schema.foreign import KEYS as KEYS_OF_OTHERS
from nnlang.schema.foreign import VALUES as VALUES_OF_OTHERS
from tests.conftest import Golden
from tests.test_json_schema import FRAMES, errors, needed, placed

GOLDEN = Path(__file__).parent / "explain"
KEYS = [(table, key) for table in EVERY_TABLE for key in table.keys]
VALUES = [(key, option) for _, key in KEYS if isinstance(key.type, Choice) for option in key.type.options]
ids = lambda x: getattr(x, "what", getattr(x, "name", getattr(x, "spelling", ""))).strip("`")  # noqa: E731

WORDS = {
    "overview": [],
    "activation": ["Activation"],
    "kernel": ["kernel"],
    "maxout": ["MAXOUT"],
    "scale": ["WeightInit.Scale"],
    "penalty": ["Layers.SparsenessPenalty"],
    "version": ["Version"],
    "alpha": ["alpha"],
    "layers": ["Layers"],
    "smce": ["SMCE"],
    "nesterov": ["nesterov"],
    "prelu": ["PRelu"],
    "auto": ["auto"],
    "momentum": ["Momentum"],
    "slope": ["Slope", "Transpose"],
    "foreign": ["lr", "Dense", "MSE", "SiLU", "early_stopping"],
    "convolution": ["Convolution", "Function"],
    "data": ["NN710"],
    "family": ["NN71"],
}


@pytest.mark.parametrize("case", WORDS)
def test_what_people_read(case: str, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", *WORDS[case]]) == 0
    printed = capsys.readouterr().out
    golden(GOLDEN / f"{case}.txt", printed)
    assert max(map(len, printed.splitlines())) <= 100


def test_markdown(golden: Golden) -> None:
    articles = [*look_up("Activation"), *look_up("Transpose"), *look_up("Optimizer.Adam"), *look_up("NN710")]
    golden(GOLDEN / "hover.md", "\n\n---\n\n".join(map(markdown, articles)) + "\n")


@pytest.mark.parametrize(("table", "key"), KEYS, ids=ids)
def test_every_key_has_an_article(table: Table, key: Key) -> None:
    """Under each of its spellings, in any letter case; the example is what a definition or job may hold."""
    for spelling in key.spellings:
        for word in (spelling, spelling.upper(), spelling.lower()):
            assert manual.key_entry(table, key) in look_up(word)
    entry = manual.key_entry(table, key)
    assert dict(entry.facts)["takes"]
    assert entry.words.endswith(".")
    assert not entry.words.endswith("..")
    ((_, example),) = entry.examples
    for name, (other, language, frame) in FRAMES.items():
        if other is table and (table is not schema.LAYER or takes(key, name)):
            holder = needed(table, name, key) | json.loads(f"{{{example}}}")
            if key.type is schema.COMMAND:
                holder["TrainingParameters"] = {"Epochs": 1}
            assert errors(json.dumps(placed(frame, holder)), language) == [], example
    assert hover_key(table, key) == markdown(entry)


def takes(key: Key, kind: str) -> bool:
    """Whether a layer of a kind takes the key."""
    return kind[0] in key.kinds if key.types == "FCP" else kind == "Pooling"


@pytest.mark.parametrize("key", list(dict.fromkeys(key for _, key in KEYS if isinstance(key.type, Choice))), ids=ids)
def test_every_value_has_an_article(key: Key) -> None:
    assert isinstance(key.type, Choice)
    for option in key.type.options:
        entry = manual.value_entry(key, option)
        assert all(entry in look_up(word) for s in option.spellings for word in (s, s.swapcase(), f"{key.name}.{s}"))
        assert bool(entry.examples) == (not option.reason)
        assert entry.words[:-1].lower() in (option.words or option.reason).lower()
        assert hover_value(key, option) == markdown(entry)


@pytest.mark.parametrize("code", catalogue())
def test_every_code_has_an_article(code: str) -> None:
    row = catalogue()[code]
    (entry,) = look_up(code.lower())
    assert entry in look_up(row.name)
    assert not {"{", "}"} & set(entry.name)
    assert dict(entry.facts)["severity"] == row.severity
    if code in RULES:
        assert entry.words == RULES[code].why
        assert [text for _, text in entry.examples] == [RULES[code].bad.shown, RULES[code].good.shown]
    assert hover_code(code) == markdown(entry)


def test_placeholders_are_readable() -> None:
    assert manual.readable("{what} is `{{ {x} }}`") == "<what> is `{ <x> }`"


def test_a_key_by_where_it_stands() -> None:
    def where(word: str) -> list[str]:
        return [entry.where for entry in look_up(word) if entry.kind == "key"]

    assert where("SparsenessPenalty") == ["a key of a definition", "a key of a layer"]
    assert where("layers.sparsenesspenalty") == where("Layer.SparsenessPenalty") == ["a key of a layer"]
    assert where("definition.SparsenessPenalty") == ["a key of a definition"]
    assert where("LRN.beta") == ["a key of LocalResponseNormalization of a definition"]
    assert where("Layers.WeightInit.Scale") == ["a key of WeightInit of a layer"]
    assert where("job.RandomSeed") == ["a key of a job file"]
    assert where("WeightInit.Activation") == where("Nowhere.Activation") == []
    assert [entry.kind for entry in look_up("Layers.Activation.Relu")] == ["value"]


def test_families_and_tables() -> None:
    (family,) = look_up("NN5")
    assert [code for code, _ in family.rows] == [code for code in catalogue() if code.startswith("NN5")]
    (whole,) = look_up("nn")
    assert len(whole.rows) == len(catalogue())
    assert look_up("NN9") == look_up("NN999") == look_up("") == ()
    for word, table in (("layer", schema.LAYER), ("definition", schema.DEFINITION), ("job", schema.JOB)):
        assert manual.table_entry(table) in look_up(word)


def test_words_that_people_know_from_elsewhere() -> None:
    for table in EVERY_TABLE:
        for name, reason in table.reasons:
            assert any(entry.kind == "refused" and reason[1:] in entry.words for entry in look_up(name.upper()))


def test_foreign_words_lead_to_ours() -> None:
    """Every word of other tools has an article that names ours, whose own article is there."""
    for tables in (KEYS_OF_OTHERS, VALUES_OF_OTHERS):
        for row in (row for rows in tables.values() for row in rows):
            assert row.called or row.note
            for word in row.words.split():
                told = [entry for entry in look_up(word.upper()) if entry.kind == "foreign"]
                assert any((row.called or row.note) in entry.words for entry in told) or look_up(word), word
            assert not row.called or look_up(row.called)


def test_every_known_word_leads_somewhere() -> None:
    assert all(look_up(word) for word in words())


def test_the_overview_names_everything() -> None:
    tables = [entry for entry in overview() if entry.kind == "table"]
    assert [[name for name, _ in entry.rows] for entry in tables] == [[k.name for k in t.keys] for t in EVERY_TABLE]
    assert {inner(key) for _, key in KEYS} - {None} <= set(EVERY_TABLE)


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("Activaton", "did you mean `Activation`?"),
        ("Layers.Activaton", "did you mean `Activation`?"),
        ("nestorov", "did you mean `Nesterov`?"),
        ("unknown-layr", "did you mean `unknown-layer`?"),
        ("\x1b[2Jxyzzyxyzzy", "`nnlang explain` lists the keys"),
    ],
)
def test_an_unknown_word(word: str, help: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", "Activation", word]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error[NN770]: ")
    assert f"  = help: {help}" in told.err
    assert "\x1b" not in told.err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", "--json", "MaxOut", "NN301"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["kind"], r["name"]) for r in records[:3]] == [
        ("key", "MaxOut"),
        ("value", "MaxOut"),
        ("value", "MaxOut"),
    ]
    assert records[3]["name"] == "NN301 unknown-layer"
    assert set(records[0]) == set(Entry.__dataclass_fields__)
    assert run_command(["explain", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(EVERY_TABLE) + 1


@pytest.mark.parametrize("command", [["explain", "Activation"], ["explain", "NN301"], ["schema"]])
def test_nothing_heavy_is_imported(command: list[str]) -> None:
    code = (
        "import sys; from nnlang.cli import run_command; run_command(sys.argv[1:]);"
        "print([m for m in ('torch', 'numpy', 'h5py', 'netCDF4', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
