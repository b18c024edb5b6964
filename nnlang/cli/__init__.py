"""The command line: one file a command family, the only place that prints and exits.

Nothing heavy is imported before a command runs: `nnlang --help` and `nnlang lint` need neither torch nor numpy.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from nnlang.cli import show
from nnlang.codes import usage as codes
from nnlang.diagnostics import DEVICE, DISK, INTERRUPTED, MEMORY, USAGE, Diagnostic, Stop, printable
from nnlang.suggest import did_you_mean
from nnlang.version import __version__

BUG = 70  # EX_SOFTWARE of sysexits: a bug of ours, never a mistake of the user's
_EXTRAS = {
    **dict.fromkeys(("torch", "triton", "numpy", "netCDF4", "h5py"), "run"),
    **dict.fromkeys(("optuna", "cmaes", "dask", "distributed", "scipy"), "sweep"),
    "plotly": "report",
    "pyarrow": "data",
    **dict.fromkeys(("pygls", "lsprotocol"), "lsp"),
}
# How the parser's words for a value that is no number, in any of its versions, are told apart.
_KINDS = {
    "integer": "it takes an integer",
    "valid int": "it takes an integer",
    "number": "it takes a number",
    "float": "it takes a number",
}
_LEAST = re.compile(r"not in the range x>=(-?\d+)")
_QUOTED = re.compile(r"'(.*)' is not ")
_UsageError = typer.BadParameter.__mro__[1]  # click's, which some versions of typer carry under a name of their own

_HELP = """A compiler for LNDL, DSSTNE's network definition language: from a definition and data to recommendations.

\b
  nnlang demo                                              see the whole road on a small sample
  nnlang generate -d gl_input -i ratings -o gl_input.nc -f features_input -s samples_input -c
  nnlang generate -d gl_output -i ratings -o gl_output.nc -f features_output -s samples_input -c
  nnlang train -c config.json -i gl_input.nc -o gl_output.nc -n gl.nc -b 256 -e 10
  nnlang predict -b 256 -d gl -k 10 -n gl.nc -f ratings -s recs -r ratings
"""


def _print_version(wanted: bool) -> None:
    if wanted:
        show.say(f"nnlang {__version__}")
        raise typer.Exit


def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in nnlang an error came from.")] = False,
) -> None:
    """Options of every command; `--traceback` is taken out by `run_command` wherever it stands."""


# Each command is the function of this name in the module of this name; `data` is a family of commands.
_COMMANDS = {
    "demo": "See the whole road on a small sample.",
    "generate": "Make data sets from text or columns.",
    "train": "Train a definition on data sets.",
    "predict": "Recommend with a trained model.",
    "evaluate": "Judge recommendations on held-out entries.",
    "run": "Run a DSSTNE job file (Train, Predict, Validate).",
    "sweep": "Generate and run sweeps: many definitions from one file.",
    "lint": "Check definitions.",
    "format": "Lay definitions out in one way.",
    "explain": "Explain a key, a value or a code.",
    "schema": "Print the JSON Schema of definitions, job files or sweep files.",
    "graph": "Draw a definition.",
    "lsp": "Serve editors: findings, completion, rename.",
    "compile": "Show every stage from definition to program.",
    "tune": "Measure which tiles are fastest on a GPU.",
    "doctor": "Check versions, devices and every kind of kernel.",
    "data": "Get public collections; see what data hold; split ratings.",
    "report": "Draw the training of models as one HTML file.",
}


class _Root(TyperGroup):
    """The command line as a whole: an interruption stays one, where the parser would make an exit code of it."""

    def invoke(self, ctx: Any) -> object:
        """What the command returns; raises `typer.Abort` where it was interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort from error


def app(args: Sequence[str], prog_name: str, standalone_mode: bool) -> object:
    """The parser of the command line, called; it imports the module of the one command that `args` name."""
    parser = typer.Typer(
        name="nnlang",
        cls=_Root,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help=_HELP,
    )
    parser.callback()(_everywhere)
    named = _command(args)
    for name, words in _COMMANDS.items():
        module = import_module(f"nnlang.cli.{name}") if name == named else None
        if module is not None and hasattr(module, "app"):
            parser.add_typer(module.app, name=name)
        else:
            parser.command(name, short_help=words)(getattr(module, name, _elsewhere))
    return parser(args=args, prog_name=prog_name, standalone_mode=standalone_mode)


def _elsewhere() -> None:
    """Stands in help for a command that is not the one to run."""


def main() -> None:
    """The console script: runs `sys.argv` and exits with the code that design.md 6 gives the outcome."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    sys.exit(run_command(sys.argv[1:]))


def _nowhere() -> TextIO:
    """Where output goes that was closed before we began (`>&-`)."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _terminated(number: int, frame: FrameType | None) -> None:
    """A signal to end is an exception, so that half-written files are removed; a training handles it itself."""
    sys.exit(128 + number)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; findings go to standard error."""
    traced = "--traceback" in arguments
    left = [argument for argument in arguments if argument != "--traceback"]
    try:
        result = app(args=left, prog_name="nnlang", standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:
        if traced:
            import traceback

            traceback.print_exc()
        return _failed(error, left)
    except KeyboardInterrupt:
        show.tell("interrupted")
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _failed(error: Exception, arguments: Sequence[str]) -> int:
    """Tell what went wrong in the words of its kind; the exit code."""
    match error:
        case Stop():
            show.findings(error.diagnostics)
            return error.exit_code
        case typer.Abort():
            show.tell("interrupted")
            return INTERRUPTED
        case BrokenPipeError():
            show.silence()
            return 0
        case MemoryError() | RuntimeError() if _is_memory(error):
            show.tell("error: there is not enough memory; a smaller batch (-b) needs less")
            return MEMORY
        case RuntimeError() if str(error).startswith(("CUDA error", "HIP error")):
            show.tell(f"error: the device failed: {printable(str(error).partition(chr(10))[0])}")
            return DEVICE
        case ModuleNotFoundError() if (package := (error.name or "").split(".")[0]) in _EXTRAS:
            facts: dict[str, object] = {"command": _command(arguments), "package": package, "extra": _EXTRAS[package]}
            show.findings([Diagnostic(codes.MISSING_EXTRA, None, facts)])
            return codes.MISSING_EXTRA.exit
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            show.tell(f"error: cannot write the output: {error.strerror}")
            return DISK
        case _ if type(error).__name__ == "NoArgsIsHelpError":
            show.say(error.ctx.get_help())  # type: ignore[attr-defined]
            return USAGE
        case _ if isinstance(error, _UsageError):
            show.findings([usage_finding(error, arguments)])
            return USAGE
    show.tell(f"internal error: {type(error).__name__}: {printable(str(error))[:300]}")
    show.tell("This is a bug of nnlang, not of your input. Please report it with what this prints:")
    show.tell(f"  nnlang --traceback {shlex.join(arguments)}")
    return BUG


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out; torch says so in a RuntimeError."""
    return isinstance(error, MemoryError) or any(w in str(error) for w in ("allocate memory", "out of memory"))


def usage_finding(error: Exception, arguments: Sequence[str]) -> Diagnostic:
    """A mistake in the command line, as a finding: what the parser says, in our words."""
    command = _path(error) or _command(arguments)
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    message = str(getattr(error, "message", error))
    kind = type(error).__name__
    if kind == "NoSuchOption":
        word = _whole(str(option), arguments)
        help = did_you_mean(word, _options(error))
        return Diagnostic(codes.UNKNOWN_OPTION, None, {"command": command, "option": word}, help)
    if kind == "MissingParameter" and parameter is not None:
        return Diagnostic(codes.MISSING_OPTION, None, {"command": command, "option": _spelled(parameter)})
    if parameter is not None:
        reason = next((words for sign, words in _KINDS.items() if sign in message), message)
        if least := _LEAST.search(message):
            reason = f"it takes {least[1]} or more"
        facts = {"option": _spelled(parameter), "value": _given(parameter, arguments, message), "reason": reason}
        return Diagnostic(codes.BAD_VALUE, None, {**facts, "command": command})
    if message.startswith("No such command"):
        return _unknown_command(_path(error), getattr(error, "ctx", None), arguments)
    return Diagnostic(codes.BAD_USAGE, None, {"reason": message, "command": command})


def _unknown_command(family: str, context: object, arguments: Sequence[str]) -> Diagnostic:
    """That there is no such command; in a family (`nnlang data foo`) the word after it is meant."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    word = " ".join(words[: 2 if family else 1])
    known = getattr(getattr(context, "command", None), "commands", _COMMANDS) if family else _COMMANDS
    help = did_you_mean(words[1] if family and words[1:] else word, known)
    if family and not help:
        help = f"`nnlang {family} --help` lists its commands"
    return Diagnostic(codes.UNKNOWN_COMMAND, None, {"command": word}, help)


def _command(arguments: Sequence[str]) -> str:
    return next((argument for argument in arguments if not argument.startswith("-")), "")


def _path(error: Exception) -> str:
    """The command that a mistake belongs to, with its family: `data split`."""
    path = str(getattr(getattr(error, "ctx", None), "command_path", ""))
    return path.removeprefix("nnlang").strip()


def _options(error: Exception) -> list[str]:
    command = getattr(getattr(error, "ctx", None), "command", None)
    return [name for parameter in getattr(command, "params", ()) for name in parameter.opts]


def _whole(option: str, arguments: Sequence[str]) -> str:
    """The option as it was typed: of `-aplha` the parser only tells that there is no `-a`."""
    longer = (a.partition("=")[0] for a in arguments if a.startswith(option) and not option.startswith("--"))
    return next(longer, option)


def _spelled(parameter: object) -> str:
    names = [name for name in getattr(parameter, "opts", []) if name.startswith("-")]
    return " / ".join(names) if names else str(getattr(parameter, "human_readable_name", "an argument"))


def _given(parameter: object, arguments: Sequence[str], message: str) -> str:
    """The value that stands on the command line for a parameter; of an option the parser does not say."""
    for place, argument in enumerate(arguments):
        for name in getattr(parameter, "opts", []):
            if argument == name:
                return arguments[place + 1] if place + 1 < len(arguments) else ""
            if argument.startswith(name) and name.startswith("-"):
                return argument[len(name) :].removeprefix("=")
    quoted = _QUOTED.match(message)
    return quoted[1] if quoted else "?"
