"""The options of `nnlang lint`: how they are written, and what they and a configuration file say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from nnlang.cli import options
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop
from nnlang.linting import config as configuration
from nnlang.linting.files import STDIN, PassedOver, real_path
from nnlang.linting.settings import Settings, over

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Files, folders of them or globs; - is stdin.", readable=False),
]
# How lint's own reports in JSON begin, and no definition: json and gitlab, jsonl, SARIF.
_REPORT = re.compile(rb'\[\s*(\]|\{"(code|description)": "NN)|\{"code": "NN|\{\s*"\$schema": "[^"]*/sarif-')
_RULES = {"metavar": "CODES"}
Select = Annotated[list[str] | None, typer.Option("--select", help="These codes alone: NN5,unused-layer.", **_RULES)]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="Leave these codes out.", **_RULES)]
ExtendSelect = Annotated[list[str] | None, typer.Option("--extend-select", help="These codes as well.", **_RULES)]
PerFile = Annotated[
    list[str] | None,
    typer.Option("--per-file-ignores", metavar="GLOB:CODES", help="Leave codes out in some files: 'old/*:NN5'."),
]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Pass over in folders: 'old/'.")]
Fix = Annotated[bool, typer.Option("--fix", help="Mend what keeps its meaning, in place.")]
Unsafe = Annotated[bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: mend what needs a look as well.")]
Diff = Annotated[bool, typer.Option("--diff", help="Print what --fix would change, write nothing.")]
Form = Annotated[
    str | None, typer.Option("--output-format", metavar="FORM", help=f"{', '.join(configuration.FORMS)} [text].")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output-file", metavar="FILE", help="Write findings here.", readable=False)
]
Statistics = Annotated[bool, typer.Option("--statistics", help="Print how often each code was found.")]
FailLevel = Annotated[
    str | None, typer.Option("--fail-level", metavar="LEVEL", help="Exit with 1 from error, warning or note [warning].")
]
Baseline = Annotated[
    Path | None, typer.Option("--baseline", metavar="FILE", help="Findings known and borne.", readable=False)
]
Update = Annotated[bool, typer.Option("--update-baseline", help="Record in the baseline what is found now.")]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FILE", help="Data set file to check sizes against.", readable=False),
]
Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="FILE", help="A model: would the definition load its weights?", readable=False),
]
Memory = Annotated[
    str | None, typer.Option("--gpu-memory", metavar="SIZE", help="Must fit into this: 24GB, 80GiB, 512MB.")
]
Strict = Annotated[bool, typer.Option("--strict-json", help="Plain JSON: no comments.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="In place of the nnlang.toml or pyproject.toml found.", readable=False
    ),
]
NoConfig = Annotated[bool, typer.Option("--no-config", help="Read no configuration file.")]
StdinName = Annotated[str | None, typer.Option("--stdin-filename", metavar="NAME", help="What to call stdin.")]


@dataclass(frozen=True)
class Flags:
    """The command line as it was given: a field for each parameter of the command."""

    paths: list[Path]
    select: list[str] | None = None
    ignore: list[str] | None = None
    extend_select: list[str] | None = None
    per_file_ignores: list[str] | None = None
    exclude: list[str] | None = None
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    output_format: str | None = None
    json: bool = False
    output_file: Path | None = None
    statistics: bool = False
    fail_level: str | None = None
    baseline: Path | None = None
    update_baseline: bool = False
    data: list[Path] | None = None
    width: list[str] | None = None
    against: Path | None = None
    gpu_memory: str | None = None
    batch: int | None = None
    strict_json: bool = False
    config: Path | None = None
    no_config: bool = False
    stdin_filename: str | None = None


@dataclass(frozen=True)
class Chosen:
    """What flags and configuration say together; flags win."""

    flags: Flags
    settings: Settings
    form: str = "text"
    baseline: str | None = None
    data: Sequence[str | Path] = ()

    @property
    def text_out(self) -> bool:
        """Whether standard output is for a definition's text or for differences."""
        return self.flags.diff or (self.flags.fix and Path(STDIN) in self.flags.paths)


def chosen(flags: Flags) -> Chosen:
    """The settings of a run; raises `Stop` (2) for wrong flags and for a configuration with mistakes."""
    if flags.output_file == Path(STDIN):
        flags = replace(flags, output_file=None)
    combine("--config", flags.config is not None, "--no-config", flags.no_config)
    options.positive("-b", flags.batch, "lint")
    given: dict[str, Any] = {
        "select": _selectors("--select", flags.select),
        "ignore": _selectors("--ignore", flags.ignore),
        "extend-select": _selectors("--extend-select", flags.extend_select),
        "per-file-ignores": _per_file(flags.per_file_ignores),
        "exclude": tuple(flags.exclude or ()) or None,
        "fail-level": _read("--fail-level", flags.fail_level, configuration.level),
        "gpu-memory": _read("--gpu-memory", flags.gpu_memory, configuration.size),
        "batch": flags.batch,
        "strict-json": flags.strict_json or None,
        "output-format": _form(flags),
        "baseline": str(flags.baseline) if flags.baseline else None,
        "data": flags.data,
    }
    path = None if flags.no_config else str(flags.config) if flags.config else configuration.find(".")
    file = configuration.load(path).values if path else {}
    given = {key: value for key, value in given.items() if value is not None}
    merged = {**file, **given}
    form, data = merged.get("output-format", "text"), merged.get("data", ())
    found = Chosen(flags, over(file, given), form, merged.get("baseline"), data)
    if found.text_out and "output-format" not in given and flags.output_file is None:
        found = replace(found, form="text")  # what the file asks for is for findings, which standard output is not for
    _check(found)
    return found


def _check(chosen: Chosen) -> None:
    """Raise `Stop` (2) for options that do not go together."""
    flags, form = chosen.flags, chosen.form
    combine("--fix", flags.fix, "--diff", flags.diff)
    combine("--diff", flags.diff, "--update-baseline", flags.update_baseline)
    combine("--statistics", flags.statistics, f"--output-format {form}", form != "text")
    if flags.unsafe_fixes and not (flags.fix or flags.diff):
        raise _usage("--unsafe-fixes says which fixes --fix or --diff may use: give one of them")
    if flags.update_baseline and chosen.baseline is None:
        raise _usage("--update-baseline needs to know the file: --baseline FILE")
    if chosen.text_out and form != "text" and flags.output_file is None:
        first = "--diff prints a patch" if flags.diff else "--fix of - prints the mended text"
        help = f"write the findings to a file, -o FILE; or leave {first.partition(' ')[0]} out"
        if form in ("json", "jsonl", "sarif"):
            help += f": {form} holds the same edits, under {'`fixes`' if form == 'sarif' else '`fix`'}"
        reason = f"{first} on standard output, where {form} would stand as well"
        raise stop(codes.BAD_USAGE, reason=reason, command="lint", help=help)


def passed_over(chosen: Chosen) -> PassedOver:
    """What is no definition to check in the folders that are walked: what `exclude` says, and files of lint's own."""
    report = chosen.flags.output_file
    own = [str(chosen.baseline)] if chosen.baseline is not None else []
    own += [str(report)] if report is not None and _is_report(report) else []
    settings = chosen.settings
    return PassedOver(settings.exclude, settings.excluded_from, frozenset(map(real_path, own)))


def _is_report(path: Path) -> bool:
    """Whether a file holds findings as we write them, so that they may be written anew."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(200)
        return not head or _REPORT.match(head) is not None
    except (OSError, ValueError):
        return False


def check_output(chosen: Chosen, files: Iterable[Path]) -> None:
    """Raise `Stop` (2) where the findings, or the baseline, would replace a definition or each other."""
    outputs = {"-o": chosen.flags.output_file, "--baseline": chosen.baseline if chosen.flags.update_baseline else None}
    taken = {real_path(str(file)): "one of the definitions to check" for file in files if str(file) != STDIN}
    for option, path in outputs.items():
        if path is None:
            continue
        real = real_path(str(path))
        if real in taken:
            raise _refused(option, str(path), f"it is {taken[real]}", "give it a name of its own")
        taken[real] = f"the file of {option}"


def _usage(reason: str) -> Exception:
    return stop(codes.BAD_USAGE, reason=reason, command="lint")


def combine(first: str, is_first: bool, second: str, is_second: bool) -> None:
    """Raise `Stop` (NN707) where both of two things are asked for that exclude each other."""
    if is_first and is_second:
        raise stop(codes.CANNOT_COMBINE, first=first, second=second)


def _form(flags: Flags) -> str | None:
    """The form that flags ask for; `--json` is `jsonl`."""
    form: str | None = _read("--output-format", flags.output_format, configuration.form)
    combine("--json", flags.json, f"--output-format {form}", form not in (None, "jsonl"))
    return "jsonl" if flags.json else form


def _selectors(option: str, texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """The codes of a comma list that may be given several times."""
    if texts is None:
        return None
    words = [word.strip() for text in texts for word in text.split(",")]
    return tuple(dict.fromkeys(_read(option, word, configuration.selector) for word in words)) or None


def _per_file(texts: Iterable[str] | None) -> dict[str, tuple[str, ...]] | None:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts or ():
        glob, colon, codes_ = text.rpartition(":")
        if not (glob and colon):
            raise _refused("--per-file-ignores", text, "it takes GLOB:CODES, such as 'old/*:NN5,NN301'")
        found[glob] = (*found.get(glob, ()), *(_selectors("--per-file-ignores", [codes_]) or ()))
    return found or None


def _read(option: str, text: str | None, reader: Any) -> Any:
    """The value of a flag, read as in a configuration; raises `Stop` (2) where it has none."""
    if text is None:
        return None
    try:
        return reader(text)
    except configuration.UnfitError as error:
        if error.code is codes.UNKNOWN_RULE:
            help = configuration.near_code(text)
            raise stop(error.code, key=option, value=text, help=help) from None
        raise _refused(option, text, error.reason, f"give {error.expected}") from None


def _refused(option: str, text: str, reason: str, help: str | None = None) -> Exception:
    return options.refused(option, text, reason, help, "lint")
