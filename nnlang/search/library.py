"""Sweeps for programs: `nnlang.sweep` runs one as `nnlang sweep run` does, without its views and its test part."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from nnlang.search.coordinator import Policy, View
from nnlang.search.executors import Local
from nnlang.search.history import History
from nnlang.search.running import Plan, run
from nnlang.search.study import Study, load

PathLike = str | os.PathLike[str]


def sweep(
    file: PathLike,
    output: PathLike,
    *,
    jobs: int = 1,
    resume: bool = False,
    extend: bool = False,
    synchronous: bool = False,
    max_failures: int | None = None,
    changed: Callable[[Study], None] | None = None,
    **overrides: Any,
) -> Study:
    """Run the trials of a sweep file on this machine, or go on with them; the study as the event log tells it.

    overrides: trials, seed, metric, method, ratings, instead of what the file says. changed: called after every event.
    Raises Stop as the command does. Trials are forks of servers of their own, so the caller's threads do no harm.
    """
    folder = Path(output)

    def tell(history: History) -> None:
        if changed is not None:
            changed(history.study(folder))

    policy = Policy(max_failures=max_failures, synchronous=synchronous)
    plan = Plan(Path(file), folder, resume, extend, dict(overrides), policy=policy)
    run(plan, partial(Local, jobs), lambda history, folder: nullcontext(View(tell)))
    return load(folder)
