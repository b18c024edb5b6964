"""The JSON Schema says what lint says: drawn definitions, every key with odd values, every length of the layers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from nnlang import schema
from nnlang.cli import run_command
from nnlang.codes import keys
from nnlang.definition import check
from nnlang.diagnostics import Code, Report
from nnlang.job import check_job
from nnlang.network import Step
from nnlang.schema import JOB, PREDICTION, TABLES, Key, Table
from nnlang.schema.describe import defaults, inner
from nnlang.schema.json_schema import LANGUAGES, json_schema, text
from nnlang.schema.layer_schema import EXACT, MOST
from nnlang.schema.preparation import STEPS
from nnlang.schema.preparation import spelling as step_spelling
from nnlang.schema.value_schema import LIST, NAME, TEXT
from nnlang.source import Source
from nnlang.syntax import DEFAULTS
from tests import definitions
from tests.conftest import Golden
from tests.definitions import MISTAKES, ODD
from tests.sound import KINDS, default_kind

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "schema"
SCHEMAS = {language: json_schema(language) for language in LANGUAGES}
FAST = {language: jsonschema_rs.Draft202012Validator(made) for language, made in SCHEMAS.items()}
SLOW = {language: jsonschema.Draft202012Validator(made) for language, made in SCHEMAS.items()}


def errors(written: str, language: str = "definition") -> list[str]:
    """The codes of NN1 and NN2 errors that lint has for a text."""
    source, report = Source("x.json", written), Report()
    if language == "definition":
        report = check(source, need_shapes=False).report
    else:
        check_job(source, report)
    return [d.code.code for d in report.errors if d.code.code.startswith(("NN1", "NN2"))]


def agree(thing: Any, language: str = "definition", written: str | None = None) -> list[str]:
    """Holds lint and the schema together on one file; the codes of lint."""
    written = json.dumps(thing, ensure_ascii=False) if written is None else written
    found = errors(written, language)
    valid = FAST[language].is_valid(json.loads(written))
    told = [] if valid else [e.message for e in FAST[language].iter_errors(json.loads(written))][:3]
    assert valid == (not found), f"lint {found or 'has nothing'}, schema {told or 'has nothing'}:\n{written[:3000]}"
    return found


def drawn(seeds: range) -> Counter[str]:
    """Draws definitions and holds lint and the schema together; how many were valid, and the codes of the others."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        found = agree(None, written=definitions.text(random, definitions.definitions(random)))
        counts.update(set(found) or {"valid"})
        counts["invalid"] += bool(found)
    print(f"{seeds}: {counts['valid']} valid, {counts['invalid']} invalid under both; {dict(sorted(counts.items()))}")
    return counts


def test_drawn_definitions() -> None:
    counts = drawn(range(500))
    assert min(counts["valid"], counts["invalid"]) > 200


@pytest.mark.full
def test_10_000_drawn_definitions() -> None:
    counts = drawn(range(10_000))
    assert min(counts["valid"], counts["invalid"]) > 4_000


def test_definitions_of_the_other_tests() -> None:
    """All examples and all of tests/errors whose texts are JSON without a key written twice."""
    seen = 0
    for path in (*(ROOT / "tests" / "errors").glob("*.json"), *(ROOT / "examples").rglob("config.json")):
        written = path.read_text(encoding="utf-8", errors="replace")
        try:
            whole = json.loads(written)
        except ValueError:
            continue
        language = "job" if isinstance(whole, dict) and "Command" in whole else "definition"
        if not any(code.startswith("NN1") or code == keys.DUPLICATE_KEY.code for code in errors(written, language)):
            agree(whole, language, written)
            seen += 1
    assert seen > 100


def test_every_mistake_is_one() -> None:
    """Each kind of mistake makes something invalid, and together they meet every code of keys and values."""
    met: set[str] = set()
    for name, mistake in MISTAKES.items():
        found: set[str] = set()
        for seed in range(25):
            random = Random(seed)
            found.update(agree(mistake(random, definitions.sound(random))))
        assert found, name
        met |= found
    codes = {row.code for row in vars(keys).values() if isinstance(row, Code)}
    assert codes - met == {keys.TOO_MANY_LAYERS.code}


def test_drawn_sound_ones_are_sound() -> None:
    assert [code for seed in range(150) for code in agree(definitions.sound(Random(seed)))] == []


def test_the_two_validators_agree() -> None:
    """jsonschema reads patterns as Python does, to which `$` also stands before a line's end: those are left out."""
    for seed in range(20_000, 20_150):
        thing = definitions.definitions(Random(seed))
        if "\\n" not in json.dumps(thing):
            assert FAST["definition"].is_valid(thing) == SLOW["definition"].is_valid(thing), thing


def frames() -> Iterator[tuple[str, Table, str, Any]]:
    """Every table, in every place: a language, the table, and the file with "@" where its object stands."""
    yield "definition", schema.DEFINITION, "definition", "@"
    yield "job", JOB, "job", "@"
    job = {"Network": "n", "Command": "Predict", "Data": "d"}
    for key in schema.DEFINITION.keys + schema.LAYER.keys + JOB.keys:
        table = inner(key)
        if table is None:
            continue
        if key in JOB.keys:
            yield f"job-{key.name}", table, "job", job | {key.name: "@"}
        elif key in schema.DEFINITION.keys:
            yield f"definition-{key.name}", table, "definition", {"Layers": {}, key.name: "@"}
        else:
            yield f"layer-{key.name}", table, "definition", {"Layers": [{}, {key.name: "@"}, {}]}
    for kind in (*KINDS.values(), "Pooling"):
        yield kind, schema.LAYER, "definition", {"Layers": [{}, "@", {}]}


def needed(table: Table, kind: str, key: Key) -> dict[str, Any]:
    """The other members that an object must have for a key to be the only thing that can be wrong in it."""
    if table is schema.LAYER:
        return {} if key.name == "Kind" else {"Kind": kind}
    if table is schema.PREPARATION and key.name != "Step":
        step = next((s for s, row in STEPS.items() if key.field in row.takes), Step.BINARISE)
        return {"Step": step_spelling(step)}
    sound = {"Layers": {}, "Network": "n", "Command": "Predict", "Data": "d"}
    return {k.name: sound.get(k.name, "a") for k in table.keys if k.required and k is not key}


def placed(frame: Any, thing: Any) -> Any:
    """The frame with the thing in it."""
    if frame == "@":
        return thing
    if isinstance(frame, dict):
        return {name: placed(found, thing) for name, found in frame.items()}
    return [placed(found, thing) for found in frame] if isinstance(frame, list) else frame


FRAMES = {name: row for name, *row in frames()}


@pytest.mark.parametrize("name", FRAMES)
def test_every_key_with_odd_values(name: str) -> None:
    table, language, frame = FRAMES[name]
    verdicts = set()
    for place, key in enumerate(table.keys):
        options = [s for o in getattr(key.type, "options", ()) for s in (*o.spellings, o.spelling.swapcase())]
        spellings = (*key.spellings, key.name.swapcase())
        for value in (*ODD[place % 3 :: 3], *options):
            holder = needed(table, name, key) | {spellings[len(verdicts) % len(spellings)]: value}
            verdicts.add((key.name, bool(agree(placed(frame, holder), language))))
    assert {key for key, wrong in verdicts if wrong} == {key.name for key in table.keys}


@pytest.mark.parametrize("language", ["definition", "job"])
def test_a_job_or_definition_that_lacks_something(language: str) -> None:
    job: dict[str, Any] = {"Network": "n", "Command": "Train", "Data": ["d"], "TrainingParameters": {"Epochs": 1}}
    whole: dict[str, Any] = job if language == "job" else {"Layers": [{}, {}], "Name": "n"}
    assert agree(whole, language) == []
    for name, value in whole.items():
        rest = {n: v for n, v in whole.items() if n != name}
        assert bool(agree(rest, language)) == (name != "Name")
        agree(rest | {name.upper(): value}, language)
    for command in ("train", "TRAIN", "Predict", "Nothing"):
        for settings in ({}, {"EPOCHS": 3}, {"Alpha": 1}, {"Epochs": "3"}):
            agree({**job, "Command": command, "TrainingParameters": settings}, language)


def test_every_length_of_the_list() -> None:
    """Of the layers without a Kind the last alone takes DataSet, and inner ones alone take BatchNormalization."""
    for count in range(1, EXACT + 1):
        for place in {0, 1, count // 2, count - 2, count - 1} & set(range(count)):
            for key, value in (("DataSet", "d"), ("BatchNormalization", True), ("Activation", "Relu")):
                layers: list[dict[str, Any]] = [{} for _ in range(count)]
                layers[place] = {key: value}
                kinds = next(k.kinds for k in schema.LAYER.keys if k.name == key)
                assert bool(agree({"Layers": layers})) == (default_kind(place, count) not in kinds)


def test_beyond_the_known_lengths_the_schema_is_lenient() -> None:
    """It takes what inner and last layers take; with the Kind written it stays exact."""
    long: list[dict[str, Any]] = [{} for _ in range(EXACT + 6)]
    for value, known in (({"DataSet": "d"}, False), ({"DataSet": "d", "BatchNormalization": True}, True)):
        layers = [*long[:-3], value, *long[-2:]]
        assert errors(json.dumps({"Layers": layers})) != []
        assert FAST["definition"].is_valid({"Layers": layers}) == (not known)
    for kind in KINDS.values():
        agree({"Layers": [*long[:-3], {"Kind": kind, "DataSet": "d"}, *long[-2:]]})
    agree({"Layers": [*long[: EXACT - 1], {"DataSet": "d"}, *long[-2:]]})


def test_defaults_of_a_prediction_are_those_of_jobs() -> None:
    job = check_job(Source("x.json", '{ "Network": "n", "Command": "Predict", "Data": "d" }'), Report())
    assert job is not None
    assert (job.prediction_batch, job.prediction_k) == (PREDICTION.default("batch"), PREDICTION.default("k"))


def test_the_longest_list() -> None:
    for count in (MOST, MOST + 1):
        assert bool(agree({"Layers": [{"Kind": "Input"}] * count})) == (count > MOST)


def test_limits_are_those_of_the_reader() -> None:
    assert (DEFAULTS.name, DEFAULTS.string, DEFAULTS.sources, DEFAULTS.layers) == (NAME, TEXT, LIST, MOST)
    for count in (LIST, LIST + 1):
        assert bool(agree({"Layers": [{}, {"Source": ["a"] * count}, {}]})) == (count > LIST)


def test_one_key_in_two_spellings() -> None:
    for table in TABLES:
        for key in table.keys:
            for one in key.spellings:
                for other in key.spellings:
                    if one != other and table is schema.DEFINITION:
                        value: Any = 0.5 if key.name == "ReluSlope" else "w" if key.name == "WeightsData" else {}
                        assert "NN204" in agree({"Layers": {}, one: value, other.upper(): value})


@pytest.mark.parametrize("language", LANGUAGES)
def test_editors_find_what_they_show(language: str) -> None:
    """The schema is one by the metaschema; every property leads to a description, defaults are valid and all there."""
    made = SCHEMAS[language]
    jsonschema.Draft202012Validator.check_schema(made)
    jsonschema_rs.meta.validate(made)
    for where, properties in found_properties(made, "#"):
        for name, row in properties.items():
            target = resolved(made, row)
            assert len(target["description"]) > 20, f"{where} {name}"
            if "default" in target:
                alone = {**target, "$defs": made["$defs"], "properties": made["properties"]}
                assert jsonschema_rs.Draft202012Validator(alone).is_valid(target["default"]), name


def found_properties(node: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every `properties` of a schema, with the pointer to what holds it."""
    for name, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name == "properties" and isinstance(below, dict):
            yield where, below
        yield from found_properties(below, f"{where}/{name}")


def resolved(made: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """A row of `properties`, or the one that it refers to."""
    while "description" not in row:
        target: Any = made
        for part in row["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        row = target
    return row


def test_every_spelling_is_offered_or_understood() -> None:
    made = SCHEMAS["definition"]
    offered = {name: row for _, properties in found_properties(made, "#") for name, row in properties.items()}
    for table in TABLES:
        for key in table.keys:
            assert all(name in offered for name in (*key.spellings,))
            assert [offered[name].get("deprecated") for name in key.documented] == [True] * len(key.documented)


def test_every_default_of_the_tables_is_there() -> None:
    for language, made in SCHEMAS.items():
        homes = {made["title"]: (LANGUAGES[language].table, made)}
        homes |= {t.what: (t, made["$defs"][t.what.strip("`")]) for t in TABLES if t.what.strip("`") in made["$defs"]}
        for table, home in homes.values():
            given = defaults(table, language)
            for key in table.keys:
                assert home["properties"][key.name].get("default") == given.get(key.field)


@pytest.mark.parametrize("language", LANGUAGES)
def test_printed(language: str, golden: Golden, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_command(["schema", language]) == 0
    printed = capsys.readouterr().out
    golden(GOLDEN / f"{language}.schema.json", printed)
    assert json.loads(printed) == SCHEMAS[language]
    assert list(json.loads(printed)) == list(SCHEMAS[language])
    target = tmp_path / "s.json"
    assert run_command(["schema", language, "-o", str(target)]) == 0
    assert target.read_text(encoding="utf-8") == printed
    assert f"wrote {target}" in capsys.readouterr().out


def test_long_lists_are_filled_and_short_things_stand_on_one_line() -> None:
    made = text({"a": [{}] * 60, "b": {"c": [1, 2]}, "d": [{"e": "x" * 100}, 1]})
    assert json.loads(made)["a"] == [{}] * 60
    lines = made.splitlines()
    assert max(map(len, lines)) <= 120
    assert '  "b": {"c": [1, 2]},' in lines
    assert sum(line.strip(" ,{}") == "" and "{}" in line for line in lines) == 3


def test_an_unknown_kind_of_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["schema", "definitoin"]) == 2
    assert re.search(
        r"error\[NN703\].*`definitoin`.*definition or job or sweep\n.*`definition`", capsys.readouterr().err
    )


def test_what_only_documents_know_is_marked() -> None:
    """Editors warn where lint does (NN601 to NN604), and say what to write."""
    found = [m for node in nodes(SCHEMAS["definition"]) for m in [node.get("deprecationMessage")] if m]
    keys_of = [key for table in TABLES for key in table.keys]
    options = {o.spelling: o for key in keys_of for o in getattr(key.type, "accepted", ()) if o.documented}
    for word in [key.name for key in keys_of if key.documented] + list(options):
        assert any(message.endswith(f"write {word}.") for message in found), word
    assert any("Type Pooling" in message for message in found)
    assert any("without quotes" in message for message in found)
    assert any("write Sparse" in message for message in found)


def test_keys_without_a_place_are_told_why() -> None:
    """By the words that lint has for them (NN202, NN205)."""
    made = SCHEMAS["definition"]["$defs"]
    told = made["inputLayer"]["properties"]["Activation"]
    assert told["errorMessage"] == "Activation goes with Hidden and Output layers."
    assert not FAST["definition"].is_valid({"Layers": {"Activation": "Relu"}})
    for name, reason in schema.LAYER.reasons:
        row = made["hiddenLayer"]["properties"][name]
        assert row["errorMessage"].lower() == f"{reason}.".lower()
        assert row["doNotSuggest"]
        assert "NN205" in agree({"Layers": {name: 1}})


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema."""
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(below)
