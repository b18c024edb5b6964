"""Splits on the disk: texts that read back as the parts, a split.json that says everything, damage that is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnlang.codes import data as codes
from nnlang.codes import files as file_codes
from nnlang.diagnostics import Stop
from nnlang.runtime.interactions import Interactions, Source, read_interactions
from nnlang.runtime.metrics import Ints, Rows
from nnlang.runtime.protocols import Protocol, Split, split
from nnlang.runtime.signals import read_signals
from nnlang.runtime.splitfiles import PARTS, read_split, write_split
from nnlang.runtime.vocabulary import Vocabulary


def entries(data: Interactions, users: Ints, rows: Rows) -> list[tuple[str, str, float]]:
    """The entries of rows by name, sorted; 0 where there are no values."""
    values = np.zeros(len(rows.index)) if rows.values is None else rows.values
    found = zip(users[rows.owners].tolist(), rows.index.tolist(), values.tolist(), strict=True)
    return sorted((data.users[user], data.items[item], value) for user, item, value in found)


def written(folder: Path, text: str, protocol: Protocol, **reading: str) -> tuple[Interactions, Split]:
    """A text, split and written to the folder `parts`."""
    (folder / "ratings").write_text(text)
    data = read_interactions(folder / "ratings", **reading)  # type: ignore[arg-type]
    made = split(data, protocol)
    write_split(made, data, folder / "parts")
    return data, made


@pytest.mark.parametrize("second", ["none", "value"])
def test_texts_read_back_as_the_parts(tmp_path: Path, second: str) -> None:
    lines = (f"user {u}\t" + ":".join(f"i{(u + i) % 9},{i / 7:.7g}" for i in range(6)) + "\n" for u in range(9))
    protocol = Protocol("kfold", folds=3, validation=0.2)
    data, made = written(tmp_path, "".join(lines), protocol, second=second)
    files = read_split(tmp_path / "parts")
    assert files.validation is not None
    rows = {files.train: made.train, files.test[0]: made.test.known, files.test[1]: made.test.held}
    for path, wanted in rows.items():
        found = read_interactions(path, second=second)
        users = made.train_users if wanted is made.train else made.test.users
        assert entries(found, np.arange(len(found.users)), found.rows) == entries(data, users, wanted)
    assert ("," in files.train.read_text()) == (second == "value")


def test_odd_names_survive(tmp_path: Path) -> None:
    users = ["\ufeffmark", "a,b:c", "", " x "]
    items = ["ä", "a b", "\udcff", "\ufeff", "'"]
    rows = Rows(np.array([0, 3, 6, 6, 8]), np.array([0, 1, 2, 1, 2, 3, 3, 4]))
    data = Interactions(tuple(users), tuple(items), rows, sources=(Source("x", "0" * 64),))
    write_split(split(data, Protocol()), data, tmp_path / "deep" / "er")
    for name in ("train", "test_held"):
        found = read_signals(tmp_path / "deep" / "er" / name, Vocabulary(), add=True)
        assert set(found.samples) == {"\ufeffmark", "a,b:c", " x "}


def test_a_user_of_whom_nothing_is_known_has_a_line(tmp_path: Path) -> None:
    _, made = written(tmp_path, "u1\ta\nu2\tb\nu3\tc:d\n", Protocol("kfold", folds=2))
    known = read_signals(read_split(tmp_path / "parts").test[0], Vocabulary(), add=True)
    assert len(known.samples) == len(made.test.users)
    assert (known.rows.lengths == 0).any()


def test_what_split_json_says(tmp_path: Path) -> None:
    text = "u1\ta:b:c\nu2\ta:b\nu3\tb:c:a\nu4\ta\n"
    data, made = written(tmp_path, text, Protocol("strong", users=1, min_items=2))
    about = read_split(tmp_path / "parts").about
    assert about["protocol"] == made.protocol.record()
    assert about["sources"] == [{"name": "ratings", "sha256": data.sources[0].sha256}]
    assert (about["users"], about["items"], about["entries"]) == (4, 3, 9)
    assert about["left_out"] == {"users_with_few_items": 1, "their_entries": 1}
    assert about["counts"]["train"]["entries"] == len(made.train.index)
    assert sorted(about["sha256"]) == sorted(name for name in PARTS if "validation" not in name)


def test_an_earlier_validation_part_goes(tmp_path: Path) -> None:
    text = "".join(f"u{u}\ta:b:c:d:e\n" for u in range(5))
    written(tmp_path, text, Protocol(validation=0.3))
    assert (tmp_path / "parts" / "validation_held").exists()
    written(tmp_path, text, Protocol())
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        "split.json",
        "test_held",
        "test_known",
        "train",
    ]
    assert read_split(tmp_path / "parts").validation is None


def test_equal_splits_have_equal_bytes(tmp_path: Path) -> None:
    text = "".join(f"u{u}\ta:b:c:d:e\n" for u in range(5))
    found = []
    for _ in range(2):
        written(tmp_path, text, Protocol(validation=0.3))
        found.append({path.name: path.read_bytes() for path in (tmp_path / "parts").iterdir()})
        shutil.rmtree(tmp_path / "parts")
    assert found[0] == found[1]


DAMAGE = {
    "no folder": "there is no such folder",
    "no split.json": "there is no split.json in it",
    "no JSON": "its split.json is no JSON",
    "another form": "its split.json is not one that this version reads",
    "another thing": "its split.json is not one that this version reads",
    "a path": "its split.json does not name the texts of a split",
    "no digests": "its split.json does not name the texts of a split",
    "half of it": "its split.json does not name the texts of a split",
    "counts of another kind": "its split.json does not name the texts of a split",
    "a text missing": "`test_held` is missing",
    "a text changed": "`train` has changed since it was written",
    "far too large": "its split.json is far too large",
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_split_is_told(tmp_path: Path, case: str) -> None:
    written(tmp_path, "u1\ta:b:c\n", Protocol())
    folder = tmp_path / "parts"
    about = json.loads((folder / "split.json").read_text())
    acts = {
        "no folder": lambda: shutil.rmtree(folder),
        "no split.json": (folder / "split.json").unlink,
        "no JSON": lambda: (folder / "split.json").write_text("{"),
        "another form": lambda: (folder / "split.json").write_text(json.dumps(about | {"nnlang-split": 2})),
        "another thing": lambda: (folder / "split.json").write_text("[]"),
        "a path": lambda: (folder / "split.json").write_text(
            json.dumps(about | {"sha256": about["sha256"] | {"../../etc/passwd": "0" * 64}})
        ),
        "no digests": lambda: (folder / "split.json").write_text(json.dumps(about | {"sha256": {}})),
        "half of it": lambda: (folder / "split.json").write_text(json.dumps(about | {"sources": [{"name": "x"}]})),
        "counts of another kind": lambda: (folder / "split.json").write_text(
            json.dumps(about | {"counts": {"train": {"users": "many", "items": 1, "entries": 1}}})
        ),
        "a text missing": (folder / "test_held").unlink,
        "a text changed": lambda: (folder / "train").write_text("u1\ta:b:c\n"),
        "far too large": lambda: (folder / "split.json").write_text(" " * (1 << 20) + "{}"),
    }
    acts[case]()
    with pytest.raises(Stop) as stopped:
        read_split(folder)
    (told,) = stopped.value.diagnostics
    assert told.code is codes.BAD_SPLIT
    assert DAMAGE[case] in told.message


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("a file")
    with pytest.raises(Stop) as stopped:
        written(tmp_path, "u1\ta:b:c\n", Protocol())
    assert stopped.value.diagnostics[0].code is file_codes.NOT_WRITABLE


def test_unfit_items_that_are_left_out_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("u,i\n1,a\n1,b\n1,c\n2,a\n2,b\n3,x:y\n")
    data = read_interactions(tmp_path / "t.csv", columns=("u", "i"))
    write_split(split(data, Protocol("strong", users=1, min_items=2)), data, tmp_path / "parts")
    with pytest.raises(Stop) as stopped:
        write_split(split(data, Protocol()), data, tmp_path / "other")
    assert stopped.value.diagnostics[0].code is codes.UNFIT_LABEL
    assert not (tmp_path / "other").exists()
