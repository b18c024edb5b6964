"""What the SARIF 2.1.0 standard asks of the objects that lint writes, as a JSON schema; nothing else is let through.

Written after the tables of the standard's section 3. The names and types are the standard's; where it leaves more open
(all regions of text, messages by number) this is narrower, since lint writes no such thing.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

INDEX: Schema = {"type": "integer", "minimum": 0}
COUNT: Schema = {"type": "integer", "minimum": 1}
TEXT: Schema = {"type": "string", "minLength": 1}
LEVEL: Schema = {"enum": ["none", "note", "warning", "error"]}


def record(required: str, optional: str = "", **properties: Schema) -> Schema:
    """An object with these properties and no others."""
    assert {*required.split(), *optional.split()} == set(properties)
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def array(items: Schema, least: int = 0) -> Schema:
    """An array of items that are all of one kind."""
    return {"type": "array", "items": items, "minItems": least}


BAG: Schema = {"type": "object", "properties": {"tags": array(TEXT) | {"uniqueItems": True}}}
# 3.11.5: a brace is a placeholder or doubled. Lint has no placeholders, so that all of them are doubled.
MESSAGE = record("text", text={"type": "string", "pattern": r"^(?:[^{}]|\{\{|\}\})+$"})
STRINGS = record("text", "markdown", text=TEXT, markdown=TEXT)
# 3.4: relative with a base, or absolute without one; characters that a URI cannot hold are percent-encoded.
RELATIVE = record(
    "uri uriBaseId",
    "index",
    uri={
        "type": "string",
        "pattern": r"^(?!/)(?![A-Za-z][A-Za-z0-9+.-]*:)(?:[A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-F]{2})+$",
    },
    uriBaseId=TEXT,
    index=INDEX,
)
ABSOLUTE = record(
    "uri",
    "index",
    uri={"type": "string", "pattern": r"^file:///(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+$"},
    index=INDEX,
)
FILE: Schema = {"oneOf": [RELATIVE, ABSOLUTE]}
# 3.30: the four numbers that GitHub asks for; bytes only in fixes.
LINES = record(
    "startLine startColumn endLine endColumn", startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT
)
BYTES = record("byteOffset byteLength", byteOffset=INDEX, byteLength=INDEX)
# 3.57.2: text goes into lines, base64 into bytes.
REPLACEMENT: Schema = {
    "oneOf": [
        record(
            "deletedRegion insertedContent",
            deletedRegion=LINES,
            insertedContent=record("text", text={"type": "string"}),
        ),
        record(
            "deletedRegion",
            "insertedContent",
            deletedRegion=BYTES,
            insertedContent=record("binary", binary={"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}),
        ),
    ]
}
CHANGE = record("artifactLocation replacements", artifactLocation=FILE, replacements=array(REPLACEMENT, 1))
FIX = record(
    "artifactChanges", "description properties", description=MESSAGE, artifactChanges=array(CHANGE, 1), properties=BAG
)
LOCATION = record(
    "physicalLocation", physicalLocation=record("artifactLocation region", artifactLocation=FILE, region=LINES)
)
RESULT = record(
    "ruleId ruleIndex level message locations partialFingerprints",
    "fixes",
    ruleId={"type": "string", "pattern": "^NN[0-9]{3}$"},
    ruleIndex=INDEX,
    level=LEVEL,
    message=MESSAGE,
    locations=array(LOCATION, 1) | {"maxItems": 1},
    partialFingerprints={"type": "object", "minProperties": 1, "additionalProperties": TEXT},
    fixes=array(FIX, 1),
)
RULE = record(
    "id name shortDescription fullDescription help defaultConfiguration properties",
    id={"type": "string", "pattern": "^NN[0-9]{3}$"},
    name=TEXT,
    shortDescription=STRINGS,
    fullDescription=STRINGS,
    help=STRINGS,
    defaultConfiguration=record("enabled level", enabled={"type": "boolean"}, level=LEVEL),
    properties=BAG,
)
NOTIFICATION = record("message level", message=MESSAGE, level=LEVEL)
RUN = record(
    "tool invocations originalUriBaseIds artifacts columnKind results",
    tool=record("driver", driver=record("name version rules", name=TEXT, version=TEXT, rules=array(RULE))),
    invocations=array(
        record(
            "executionSuccessful",
            "toolExecutionNotifications",
            executionSuccessful={"type": "boolean"},
            toolExecutionNotifications=array(NOTIFICATION, 1),
        )
    ),
    originalUriBaseIds={"type": "object", "additionalProperties": record("description", description=MESSAGE)},
    artifacts=array(record("location", location=FILE)),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=array(RESULT),
)
LOG = record(
    "$schema version runs",
    **{"$schema": {"type": "string", "pattern": "/sarif-schema-2\\.1\\.0\\.json$"}, "version": {"const": "2.1.0"}},
    runs=array(RUN, 1) | {"maxItems": 20},
)
SARIF: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **LOG}
