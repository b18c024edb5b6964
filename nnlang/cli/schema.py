"""`nnlang schema`: the language as JSON Schema, for editors and for checkers in other languages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnlang.cli import show
from nnlang.codes import usage as codes
from nnlang.diagnostics import stop
from nnlang.suggest import did_you_mean


def schema(
    language: Annotated[str, typer.Argument(metavar="definition|job|sweep", help="Which kind of file.")] = "definition",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here.", readable=False)
    ] = None,
) -> None:
    """Print the JSON Schema (2020-12) of definitions, job files or sweep files: keys, types, ranges, defaults, words.

    \b
    nnlang schema -o lndl.schema.json
    nnlang schema job -o job.schema.json

    VS Code completes and checks definitions with this in .vscode/settings.json:

    \b
    "files.associations": { "nets/*.json": "jsonc" },
    "json.schemas": [
      { "fileMatch": ["nets/*.json"], "url": "./lndl.schema.json" }
    ]

    Any checker of JSON Schema reads it as well; comments in a definition are for `nnlang lint` alone:

    \b
    check-jsonschema --schemafile lndl.schema.json config.json
    """
    from nnlang.schema.json_schema import LANGUAGES, json_schema, text

    if language not in LANGUAGES:
        reason, help = f"it takes {' or '.join(LANGUAGES)}", did_you_mean(language, LANGUAGES)
        raise stop(codes.BAD_VALUE, option="the argument", value=language, reason=reason, command="schema", help=help)
    made = text(json_schema(language))
    if output is None or output == Path("-"):
        show.say(made.rstrip("\n"))
        return
    from nnlang.runtime.files import atomic_text

    atomic_text(output, [made])
    show.say(f"wrote {output}; `nnlang schema --help` shows how an editor takes it")
