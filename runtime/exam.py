"""What rankers are judged on: texts of what is known and what is held out, read into one numbering of items."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnlang.codes import data as data_codes
from nnlang.codes import usage as codes
from nnlang.diagnostics import Place, Report, stop
from nnlang.runtime.blocks import inputs
from nnlang.runtime.contender import Contender, renumbered, unit_of
from nnlang.runtime.files import file_digest, read_bytes
from nnlang.runtime.metrics import Ints, Rows
from nnlang.runtime.predict import judge_signals
from nnlang.runtime.signals import Signals, decoded, encoded, read_signals
from nnlang.runtime.vocabulary import Vocabulary

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Exam:
    """Users with something to find, and what rankers may learn from.

    Items below `items` can be recommended; `numbers` gives the number of every label, those of features that only feed
    a model and of items that only `held` names stand behind. Row i of `known` and `held` belongs to `users[i]`, row i
    of `train` (items alone) to `train_users[i]`.
    """

    numbers: Mapping[str, int]
    items: int
    users: tuple[str, ...]
    known: Rows
    held: Rows
    train_users: tuple[str, ...]
    train: Rows


def read_exam(contenders: Sequence[Contender], known: Path_, held: Path_, train: Path_ | None, report: Report) -> Exam:
    """The exam of texts `sample TAB feature:feature`; baselines learn from `train`, or from `known`.

    What can be recommended is what a contender's output has or what is learnt from, except what only inputs have.
    Items that only `held` names can only be missed, and with `train` nobody recommends those that only `known` names.
    Users without a held-out entry are left out. Raises `Stop` for texts that cannot be read, hold nothing (NN463), or
    have no held-out entry of a known user (NN464).
    """
    vocabulary, outputs = Vocabulary(), [label for one in contenders for label in one.outputs]
    _add(vocabulary, outputs)
    offered = vocabulary.size
    _add(vocabulary, (label for one in contenders for label in one.inputs))
    fed = vocabulary.size
    learnt = None if train is None else read_signals(train, vocabulary, add=True)
    named = vocabulary.size
    signals = read_signals(known, vocabulary, values=any(one.analog for one in contenders), add=True)
    if not signals.samples or not contenders:
        judge_signals(known, signals, report)
    if learnt is None:
        learnt, named = signals, vocabulary.size
    else:
        judge_signals(str(train), learnt, report)
    samples = Vocabulary([encoded(sample) for sample in signals.samples])
    found = read_signals(held, vocabulary, samples=samples, add=True).rows
    judged = np.flatnonzero(found.lengths)
    if not len(judged):
        hint = f"it must name samples that `{known}` names too"
        raise stop(data_codes.NO_ENTRIES, Place(str(held)), path=held, samples=0, hint=hint)
    order = _behind(vocabulary.size, offered, fed, named)
    items = offered + named - fed
    numbers = {decoded(label): int(order[number]) for label, number in vocabulary.items()}
    exam = Exam(
        numbers,
        items,
        tuple(signals.samples[user] for user in judged.tolist()),
        renumbered(signals.rows.take(judged), order).distinct(),
        renumbered(found.take(judged), order).distinct(),
        learnt.samples,
        _items_alone(renumbered(learnt.rows, order), items),
    )
    _notice_overlap(exam, known, held, report)
    told = replace(signals, rows=renumbered(signals.rows, order))
    for one in contenders:
        name = "the model" if len(contenders) == 1 else f"`{one.name}`"
        _notice(one, name, known, told, numbers, report)
        told = replace(told, bad=(), bad_count=0, replaced=0)  # the text's own findings are told once
    return exam


def _add(vocabulary: Vocabulary, labels: Iterable[str]) -> None:
    """Give labels that are new the next numbers, in order."""
    fresh = [encoded(label) for label in dict.fromkeys(labels) if label]
    if not fresh:
        return
    text = np.frombuffer(b"".join(fresh) + bytes(8), np.uint8)
    length = np.array([len(label) for label in fresh], np.int64)
    vocabulary.numbers(text, np.cumsum(length) - length, length, add=True)


def _behind(count: int, offered: int, fed: int, named: int) -> Ints:
    """New numbers by old ones: those of offered : fed, which only feed models, move behind what training names."""
    order = np.arange(count, dtype=np.int64)
    order[offered:fed] += named - fed
    order[fed:named] -= fed - offered
    return order


def _items_alone(rows: Rows, items: int) -> Rows:
    return Rows(rows.start, rows.index).keep(rows.index < items).distinct()


def _notice_overlap(exam: Exam, known: Path_, held: Path_, report: Report) -> None:
    """Report held-out entries that are known: a text with all entries given as the known ones makes every measure 0."""
    width = len(exam.numbers)
    both = np.intersect1d(exam.known.owners * width + exam.known.index, exam.held.owners * width + exam.held.index)
    if not len(both):
        return
    user, item = divmod(int(both[0]), width)
    label = next(label for label, number in exam.numbers.items() if number == item)
    total, sample = len(exam.held.index), exam.users[user]
    place = Place(str(held))
    report(
        codes.HELD_AND_KNOWN, place, known=known, held=held, count=len(both), total=total, example=label, sample=sample
    )


def _notice(
    one: Contender, name: str, known: Path_, signals: Signals, numbers: Mapping[str, int], report: Report
) -> None:
    """Report what is odd about the known entries in the eyes of a model, and lines of the text that were left out."""
    unit = unit_of(one.inputs, numbers)
    unknown = np.flatnonzero(unit[signals.rows.index] < 0)
    labels = {number: label for label, number in numbers.items()} if len(unknown) else {}
    seen = replace(
        signals,
        rows=renumbered(signals.rows, unit),
        unknown=len(unknown),
        example=labels[int(signals.rows.index[unknown[0]])] if len(unknown) else "",
    )
    judge_signals(known, seen, report, name)


def read_groups(path: Path_, users: Sequence[str], train_users: Sequence[str], report: Report) -> tuple[Ints, Ints]:
    """(group of each training user, group of each judged user), -1 for none, from lines `user TAB group`.

    Of several lines of a user the last counts. Reports judged users without a group (NN766); raises `Stop` (NN767)
    for a line of another form.
    """
    group_of: dict[str, str] = {}
    for line, content in enumerate(read_bytes(path).removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        fields = decoded(content).split("\t")
        if not content.strip():
            continue
        if len(fields) != 2 or not all(fields):
            reason = "it is not two fields with one TAB between" if len(fields) != 2 else "a field is empty"
            raise stop(codes.BAD_GROUP, Place(os.fspath(path), line=line), reason=reason)
        group_of[fields[0]] = fields[1]
    number = {group: place for place, group in enumerate(dict.fromkeys(group_of.values()))}
    without = [user for user in users if user not in group_of]
    if without:
        report(codes.NO_GROUP, Place(str(path)), path=path, count=len(without), total=len(users), example=without[0])

    def numbered(names: Sequence[str]) -> Ints:
        return np.array([number.get(group_of.get(user, ""), -1) for user in names], np.int64)

    return numbered(train_users), numbered(users)


def digest_of(path: Path_) -> dict[str, str]:
    """The name of a text and the SHA-256 of its content; of a folder that of its files' names and digests."""
    files = inputs(path)
    if len(files) == 1 and not Path(path).is_dir():
        return {"name": Path(path).name, "sha256": file_digest(files[0])}
    lines = "".join(f"{file_digest(file)}  {file.name}\n" for file in files)
    return {"name": Path(path).name, "sha256": hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()}
