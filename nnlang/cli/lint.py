"""`nnlang lint`: everything that can be said about definitions before anything runs; needs neither torch nor data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from nnlang.cli import lint_options as flags
from nnlang.cli import options, rewrite, show
from nnlang.cli.lint_known import known_before, sifted
from nnlang.cli.lint_report import Told, stopped, tell
from nnlang.cli.patch import patch
from nnlang.codes import advice
from nnlang.diagnostics import FINDINGS, INTERRUPTED, Diagnostic, Place, Stop, printable
from nnlang.linting import check
from nnlang.linting.check import Finding
from nnlang.linting.edits import mended
from nnlang.linting.files import STDIN, definitions
from nnlang.linting.settings import Settings, at_least
from nnlang.network import DataFacts
from nnlang.rules.rule import Saved
from nnlang.runtime.facts import facts_of, saved_of
from nnlang.source import Source
from nnlang.syntax import read_source


def lint(
    paths: flags.Paths,
    select: flags.Select = None,
    ignore: flags.Ignore = None,
    extend_select: flags.ExtendSelect = None,
    per_file_ignores: flags.PerFile = None,
    exclude: flags.Exclude = None,
    fix: flags.Fix = False,
    unsafe_fixes: flags.Unsafe = False,
    diff: flags.Diff = False,
    output_format: flags.Form = None,
    json: options.Json = False,
    output_file: flags.Output = None,
    statistics: flags.Statistics = False,
    fail_level: flags.FailLevel = None,
    baseline: flags.Baseline = None,
    update_baseline: flags.Update = False,
    data: flags.Data = None,
    width: options.Widths = None,
    against: flags.Against = None,
    gpu_memory: flags.Memory = None,
    batch: options.Batch = None,
    strict_json: flags.Strict = False,
    config: flags.ConfigFile = None,
    no_config: flags.NoConfig = False,
    stdin_filename: flags.StdinName = None,
) -> None:
    """Check network definitions: syntax, keys, names, shapes, memory, and what DSSTNE would have done otherwise.

    \b
    nnlang lint config.json
    nnlang lint nets/ --fix                       mend what has one safe remedy, in place
    nnlang lint 'nets/**/*.json' --data gl_input.nc --data gl_output.nc --gpu-memory 24GB
    nnlang lint config.json --against gl.nc       would it load these weights?
    nnlang lint nets/ --output-format github      in CI; also gitlab, sarif, junit, json, jsonl
    nnlang lint nets/ --baseline known.json --update-baseline

    A code may be given by its beginning or its name: NN5 is all advice, NN501 or unused-layer one rule. What keeps a
    definition from being read (NN1) is told whatever is selected. `// nnlang: ignore[NN502] reason` in a definition
    leaves a finding out on its line.

    Settings stand in [tool.nnlang.lint] of pyproject.toml or in [lint] of nnlang.toml, the nearest one from the current
    folder upwards: select, extend-select, ignore, per-file-ignores, severity, exclude, gpu-memory, batch, strict-json,
    fail-level, output-format, baseline, data. Its paths and globs are seen from its own folder. A flag takes the place
    of its key, but --ignore and --extend-select add to theirs; --select begins anew, without ignore and extend-select
    of the file.

    Exit code 0 when nothing is wrong, 1 when there are findings from --fail-level on (a definition that cannot be read
    is one), 2 for wrong usage, 3 where --data or --against cannot be read, 7 where a file cannot be written, 130 when
    it was interrupted (Ctrl-C); files mended until then stay so.
    """
    raise typer.Exit(_run(flags.chosen(flags.Flags(**locals()))))


@dataclass(frozen=True)
class _Look:
    """What files are looked at with."""

    settings: Settings
    data: Mapping[str, DataFacts]
    saved: Saved | None

    def __call__(self, source: Source) -> list[Finding]:
        """What is found in a text."""
        return check.lint(source, self.settings, self.data, self.saved)

    @property
    def facts(self) -> dict[str, bool]:
        """Which of the facts are at hand that rules may need."""
        settings = self.settings
        given = {"data": self.data, "memory": settings.memory, "saved": self.saved, "strict": settings.strict}
        return {name: bool(fact) for name, fact in given.items()}

    def whole(self, source: Source) -> list[Finding]:
        """The same without a limit, for what is to be mended."""
        return check.lint(source, self.settings, self.data, self.saved, most=None)


@dataclass
class _Tally:
    """What became of the files: findings that are left, findings that were mended, refusals to write."""

    results: list[tuple[str, list[Finding]]] = field(default_factory=list)
    mended: dict[str, list[Finding]] = field(default_factory=dict)
    refused: list[Diagnostic] = field(default_factory=list)
    named: set[str] = field(default_factory=set)  # data sets that some text names and, as far as is known, binds


def _run(chosen: flags.Chosen) -> int:
    """Look at every file, mend, tell; the exit code."""
    given = chosen.flags
    known = known_before(chosen)
    files = list(definitions(given.paths, flags.passed_over(chosen)))
    flags.check_output(chosen, files)
    look = _Look(chosen.settings, facts_of(chosen.data) | options.widths(given.width, "lint"), saved_of(given.against))
    tally = _Tally()
    try:
        for path in files:
            _one(path, chosen, look, tally)
    except (KeyboardInterrupt, SystemExit) as end:  # the user's, or a signal to end
        stopped(Told(tally.results, tally.mended), len(files))
        if isinstance(end, KeyboardInterrupt):
            return INTERRUPTED
        raise
    results = _unused_once(tally)
    told = sifted(Told(results, tally.mended), known, chosen, look.facts)
    tell(told, chosen)
    if tally.refused:
        show.findings(tally.refused)
        return max(d.code.exit for d in tally.refused)
    found = [f.diagnostic.code.severity for _, found in told.results for f in found]
    bad = any(at_least(severity, chosen.settings.fail_level) for severity in found)
    return FINDINGS if bad or (given.diff and tally.mended) else 0


def _one(path: Path, chosen: flags.Chosen, look: _Look, tally: _Tally) -> None:
    """One file, or standard input: read, looked at, mended where that is asked for."""
    given, is_stdin = chosen.flags, str(path) == STDIN
    name = (given.stdin_filename or "<stdin>") if is_stdin else str(path)
    try:
        source = read_source(path)
        source = Source(name, source.text) if is_stdin else source
    except Stop as error:
        tally.results.append((name, [_unread(d, name) for d in error.diagnostics]))
        return
    found = look(source)
    tally.named |= {name for name in look.data if f'"{name}"' in source.text} - _unused(found)
    if not (given.fix or given.diff):
        tally.results.append((name, found))
        return
    after, done = mended(source, look.whole, unsafe=given.unsafe_fixes)
    if given.diff:
        rewrite.put("".join(patch(printable(name), source.text, after.text, mended=True)))
    elif is_stdin:
        rewrite.put(after.text)
    elif done:
        try:
            rewrite.replace(path, after.text)
        except Stop as error:
            tally.refused += error.diagnostics
            after, done = source, []
    if done:
        tally.mended[name] = done
    tally.results.append((name, look(after) if done and given.fix else found))


def _unused(found: Sequence[Finding]) -> set[str]:
    """The data sets that were given and that the text does not bind."""
    return {str(f.diagnostic.facts["dataset"]) for f in found if f.diagnostic.code.code == advice.UNUSED_DATA.code}


def _unused_once(tally: _Tally) -> list[tuple[str, list[Finding]]]:
    """The findings in which a data set that one text binds is not said to be unused by others, nor twice at all."""
    told, results = set(tally.named), []
    for name, found in tally.results:
        results.append((name, [f for f in found if not _unused([f]) & told]))
        told |= _unused(found)
    return results


def _unread(d: Diagnostic, name: str) -> Finding:
    """The finding for a file that cannot be read, under the name that people know."""
    return Finding(replace(d, place=replace(d.place or Place(name), file=name)))
