"""The event log: what was written is read, whatever a crash or a bad disk leaves is cut, refused or told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nnlang.diagnostics import DATA, DISK, Stop
from nnlang.search.events import LINE_LIMIT, LOCK, NAME, Log, is_running, line, locked, parsed, read
from nnlang.search.history import replay
from nnlang.search.study import State, load

HEAD = {"name": "s", "total": 3, "axes": ["a"], "space": "0", "shape": {}, "method": "Random", "metric": "ndcg@5"}
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=8,
)


def log(folder: Path, events: int = 4) -> Path:
    """A log with a head and some trials."""
    writer = Log(folder / NAME)
    writer.append("sweep", **HEAD)
    for number in range(events - 1):
        writer.append("asked", number=number, params={"a": number}, seed=1)
    writer.close()
    return folder / NAME


@settings(max_examples=50)
@given(some.integers(1, 10**9), some.dictionaries(some.text(), JSON, max_size=4))
def test_lines_are_read_as_written_and_no_byte_of_them_can_change(number: int, facts: dict[str, object]) -> None:
    event = {"event": "asked", "n": number, **{k: v for k, v in facts.items() if k not in ("n", "event")}}
    text = line(number, event).encode()
    assert parsed(text) == json.loads(json.dumps(event))
    for place in range(0, len(text), max(1, len(text) // 7)):
        changed = bytearray(text)
        changed[place] ^= 1
        assert parsed(bytes(changed)) is None


def test_a_line_has_a_limit() -> None:
    with pytest.raises(ValueError, match="at most"):
        line(1, {"event": "x" * LINE_LIMIT})


def test_every_cut_leaves_the_whole_lines(tmp_path: Path) -> None:
    path = log(tmp_path)
    content = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends)
        found = read(path)
        assert len(found.items) == whole
        assert found.torn == content[([0, *ends])[whole] : cut]
    for cut in (5, ends[1] + 3, len(content) - 1):
        path.write_bytes(content[:cut])
        torn = path.with_name(NAME + ".torn")
        torn.unlink(missing_ok=True)
        writer = Log(path)
        assert [d.code.code for d in writer.notices] == ["NN794"]
        begun = len(writer.items)
        writer.append("closed")
        writer.close()
        assert len(read(path).items) == begun + 1 and torn.read_bytes()
        assert read(path).items[-1]["n"] == begun + 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_damage_in_the_middle_is_refused_with_its_line(tmp_path: Path, place: int) -> None:
    path = log(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[place] = lines[place].replace(b'"event"', b'"evont"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(Stop) as found:
        read(path)
    assert found.value.exit_code == DATA
    assert found.value.diagnostics[0].code.code == "NN783" and found.value.diagnostics[0].place.line == place + 1  # type: ignore[union-attr]


def test_lines_that_are_missing_are_refused(tmp_path: Path) -> None:
    path = log(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((lines[0], *lines[2:])))
    with pytest.raises(Stop, match="says that it is number 3"):
        read(path)


@pytest.mark.parametrize(
    "events",
    [
        [{"event": "asked", "number": 0, "params": {}}],
        [{"event": "sweep", **HEAD}, {"event": "finished", "number": 7}],
        [{"event": "sweep", **HEAD}, {"event": "unheard of"}],
        [{"event": "sweep", **HEAD}, {"event": "sweep", **HEAD}],
        [{"event": "sweep", **HEAD | {"metric": "beauty"}}],
    ],
)
def test_events_that_make_no_sense_are_refused(events: list[dict[str, object]]) -> None:
    with pytest.raises(Stop, match="NN783"):
        replay(events, Path("events.jsonl"))


def test_a_folder_without_a_log_holds_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="NN781"):
        load(tmp_path)
    (tmp_path / NAME).write_bytes(b"")
    with pytest.raises(Stop, match="NN781"):
        load(tmp_path)


def test_a_study_is_what_the_log_adds_up_to(tmp_path: Path) -> None:
    path = log(tmp_path)
    writer = Log(path)
    writer.append("segment", number=0, begin=0, until=None)
    writer.append("finished", number=0, epochs=2, seconds=1.5, values=[[1, 0.1], [2, None]])
    writer.append("segment", number=1, begin=0, until=1)
    writer.append("reported", number=1, epoch=1, epochs=1, seconds=0.5, values=[[1, 0.3]])
    writer.append("decided", number=1, epoch=1, decision="prune")
    writer.append("failed", number=2, kind="out of memory", error="too big")
    writer.close()
    study = load(tmp_path)
    assert [t.state for t in study.trials] == [State.FINISHED, State.PRUNED, State.MEMORY]
    assert study.best == study.base and study.trials[0].value == 0.1 and study.trials[0].seconds == 1.5
    assert study.trials[1].values == ((1, 0.3),) and study.trials[2].error == "too big"


def test_a_full_disk_is_told_with_its_exit_code(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    writer = Log(log(tmp_path))
    writer._stream.close()
    with Path("/dev/full").open("ab", buffering=0) as writer._stream, pytest.raises(Stop) as found:
        writer.append("closed")
    assert found.value.exit_code == DISK
    writer.close()


def test_one_coordinator_at_a_time_is_known_by_name(tmp_path: Path) -> None:
    text = (
        "import sys, time; from pathlib import Path; from nnlang.search.events import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"in\n"
        assert is_running(tmp_path)
        with pytest.raises(Stop, match=f"process {other.pid}"), locked(tmp_path):
            pass
        other.kill()
    until = time.monotonic() + 5
    while is_running(tmp_path) and time.monotonic() < until:
        time.sleep(0.01)
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / LOCK).read_text(encoding="utf-8")
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
