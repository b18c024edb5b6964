"""`nnlang sweep`: many definitions from one file, tried out; each command's module is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# Module and words of every command; each is the function of its name there.
_COMMANDS = {
    "generate": ("nnlang.cli.sweep_generate", "Write the definitions of a sweep, numbered, with a manifest."),
    "run": ("nnlang.cli.sweep_run", "Try a sweep out: train, judge, prune, go on where it was left."),
    "status": ("nnlang.cli.sweep_run", "How far a sweep has come, also while it runs."),
    "show": ("nnlang.cli.sweep_run", "The table of trials, or one trial."),
    "best": ("nnlang.cli.sweep_run", "The winning definition."),
    "export": ("nnlang.cli.sweep_run", "All trials as CSV or JSONL."),
    "compare": ("nnlang.cli.sweep_run", "Two trials, user by user, with intervals."),
    "report": ("nnlang.cli.sweep_report", "Everything in one HTML file."),
}
_HELP = """Generate and run sweeps: many definitions from one file, tried out in parallel.

\b
  nnlang lint sweep.json                         is every value of every axis sound?
  nnlang sweep generate sweep.json --dry-run     what would be tried, how many, at what cost
  nnlang sweep generate sweep.json -o configs    numbered definitions and a manifest
  nnlang sweep run sweep.json -o tried --jobs 4  train and judge them all, or those that are worth it
  nnlang sweep report tried -o report.html
"""


class _Lazy(TyperGroup):
    """A family of commands of which only the one that is called is made."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, and what is left of them."""
        home = _COMMANDS.get(args[0]) if args else None
        if home is None:
            return super().resolve_command(ctx, args)
        made = typer.Typer(rich_markup_mode=None, add_completion=False)
        made.command(args[0])(getattr(import_module(home[0]), args[0]))
        return args[0], typer.main.get_command(made), args[1:]


app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=_HELP, cls=_Lazy)


def _elsewhere() -> None:
    """Stands in help for a command that is not the one to run."""


for _name, (_, _words) in _COMMANDS.items():
    app.command(_name, short_help=_words)(_elsewhere)
