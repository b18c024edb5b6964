"""NN1: the text itself. Reading it, its characters, its words, its commas and brackets, its size."""

from __future__ import annotations

from nnlang.diagnostics import Code

CANNOT_READ = Code(
    "NN101", "cannot-read", "cannot read `{path}`: {reason}", "", "check the path and that you may read the file"
)
NOT_UTF8 = Code(
    "NN102",
    "not-utf8",
    "the text is not UTF-8: byte {offset} is {byte}",
    "line {line}",
    "save the file as UTF-8",
)
TOO_LARGE = Code(
    "NN103",
    "file-too-large",
    "the text is longer than {limit} bytes",
    "",
    "a definition has a few kilobytes; is this the right file?",
)
BYTE_ORDER_MARK = Code(
    "NN104",
    "byte-order-mark",
    "the text begins with a byte order mark",
    "not part of JSON",
    "save the file as UTF-8 without a byte order mark",
    severity="warning",
)
EMPTY_TEXT = Code("NN105", "empty-text", "there is no definition here", "the text is empty", "write one `{{ ... }}`")

NO_DEFINITION = Code(
    "NN106",
    "no-definition",
    "`{path}` is {kind}, not a definition",
    "",
    "a definition is a text, `{{ ... }}`; check which file stands where",
)

WIDE_TEXT = Code(
    "NN107",
    "wide-text",
    "the text is UTF-16: every other character is NUL",
    "and so on",
    "save the file as UTF-8 (Notepad and PowerShell's `>` write UTF-16), or use `iconv -f utf-16 -t utf-8`",
)
STRANGE_SPACE = Code(
    "NN108",
    "strange-space",
    "outside of strings stand characters that look like spaces and are none ({count} in all)",
    "the first, {character}: {name}",
    "put spaces in their place; they come with texts that are copied from web pages and word processors",
)
HTML_SOURCE = Code(
    "NN109",
    "html-source",
    "this is the source of a web page: `{word}` is HTML ({count} such words in all)",
    "the first",
    "copy the text as the browser shows it, or put characters in the place of these words",
)

UNCLOSED_STRING = Code(
    "NN110",
    "unclosed-string",
    "a string is not closed on its line",
    "begins here",
    "end the string with a double quote",
)
WRONG_QUOTES = Code(
    "NN111", "wrong-quotes", "strings stand in double quotes", "other quotes", 'write "{text}" in double quotes'
)
BAD_ESCAPE = Code(
    "NN112",
    "bad-escape",
    "`{escape}` is not an escape of JSON",
    "in this string",
    'for a backslash write two of them; the escapes are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits',
)
CONTROL_CHARACTER = Code(
    "NN113",
    "control-character",
    "a string holds the control character {character}",
    "in this string",
    "remove it",
)
LONE_SURROGATE = Code(
    "NN114",
    "lone-surrogate",
    "a string holds half of a surrogate pair, {character}",
    "no character of its own",
    "write the character itself, or both halves",
)
STRING_TOO_LONG = Code(
    "NN115", "string-too-long", "a string has {length} characters, at most {limit} are allowed", "", "shorten it"
)

TEXT_AROUND = Code(
    "NN116",
    "text-around",
    "{word} stands {side} the definition",
    "not part of it",
    "a definition begins with `{{` and ends with `}}`; remove {what}",
)
MERGE_MARKER = Code(
    "NN117",
    "merge-marker",
    "a merge was left unfinished: `{word}`",
    "the first of two texts follows",
    "keep one of the two texts, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`",
)
LINE_NUMBERS = Code(
    "NN118",
    "line-numbers",
    "all {count} lines begin with their numbers",
    "the first",
    "remove the numbers; they belong to where the text was copied",
)
UNOPENED_STRING = Code(
    "NN119",
    "unopened-string",
    "the quote before `{word}` is missing",
    "ends here, but begins nowhere",
    'write "{word}"',
)

BAD_WORD = Code(
    "NN120",
    "bad-word",
    "`{word}` is neither a value nor a name in quotes",
    "",
    "write names and texts in double quotes",
)
BAD_NUMBER = Code(
    "NN121",
    "bad-number",
    "`{word}` is not a number",
    "",
    "write digits, a point between digits, an exponent: 12, -0.5, 1e-4",
)
NOT_FINITE = Code(
    "NN122", "number-not-finite", "`{word}` is not a number that a definition can use", "", "write a finite number"
)
NUMBER_TOO_LONG = Code(
    "NN123", "number-too-long", "a number has {length} characters, at most {limit} are allowed", "", "round it"
)
NUMBER_RANGE = Code(
    "NN124",
    "number-range",
    "`{word}` is too {size} to be represented",
    "not a 64-bit number",
    "numbers go to 3.4e38; look at the exponent",
)

MISSING_COMMA = Code(
    "NN130", "missing-comma", "a comma is missing", "expected `,` here", "write a comma between the two"
)
SURPLUS_COMMA = Code("NN131", "surplus-comma", "a comma with nothing {side} it", "", "remove this comma")
MISSING_COLON = Code(
    "NN132", "missing-colon", "a colon is missing after the name", "expected `:` here", "write a colon after the name"
)
MISSING_VALUE = Code(
    "NN133",
    "missing-value",
    "a value is missing",
    "expected a value here",
    "write the value behind the name and its colon, or remove the name",
)
NAME_EXPECTED = Code(
    "NN134",
    "name-expected",
    "expected a name in double quotes, found {found}",
    "",
    "inside `{{ }}` stand pairs of a name and a value; if the `{{` at {opened} should end before this, close it",
)
UNEXPECTED = Code(
    "NN135",
    "unexpected",
    "{found} has no place here",
    "",
    "a colon stands between a name and its value, inside `{{ }}`; in a list, `[ ]`, stand values alone",
)
WRONG_BRACKET = Code(
    "NN136",
    "wrong-bracket",
    "`{found}` does not close the `{opening}` at {opened}",
    "expected `{expected}`",
    "close the `{opening}` with `{expected}` first",
)
UNCLOSED_BRACKET = Code(
    "NN137", "unclosed-bracket", "this `{opening}` is never closed", "opened here", "add `{expected}` where it ends"
)
TEXT_ENDS = Code(
    "NN138",
    "text-ends",
    "the text ends before everything is closed",
    "still open here: {open}",
    "here `{need}` would close everything",
    severity="note",
)
TRAILING_TEXT = Code(
    "NN139", "trailing-text", "there is text after the end of the definition", "", "remove it; a file holds one value"
)
STRAY_BRACKET = Code("NN140", "stray-bracket", "`{found}` closes nothing", "", "remove it")
UNCLOSED_COMMENT = Code("NN141", "unclosed-comment", "a comment is not closed", "begins here", "end it with `*/`")
HASH_COMMENT = Code("NN142", "hash-comment", "`#` does not begin a comment", "", "begin comments with `//`")

MISSING_CLOSER = Code(
    "NN144",
    "missing-closer",
    "the `{opening}` at {opened} is not closed before {before}",
    "expected `{expected}` here",
    "write `{put}` where it ends, here by the look of the text",
)
MISSING_OPENER = Code(
    "NN145",
    "missing-opener",
    "`{expected}` is missing before {before}",
    "expected `{expected}` here",
    "write `{expected}` here",
)
WRONG_OPENER = Code(
    "NN146",
    "wrong-opener",
    "`{found}` opens what should be {what}",
    "expected `{expected}`",
    "write `{expected}` here and `{closer}` at its end",
)
EARLY_BRACKET = Code(
    "NN147",
    "early-bracket",
    "this `{found}` closes its list too early: {before} follows it",
    "too early",
    "move it behind that, to the end of the list",
)

TOO_DEEP = Code(
    "NN150",
    "too-deep",
    "brackets are nested deeper than {limit}",
    "here",
    "a definition has five levels at most; look for brackets that are never closed",
)
TOO_MANY_TOKENS = Code(
    "NN151",
    "too-many-tokens",
    "the text has more than {limit} words and signs",
    "the limit is reached here",
    "numbers in such amounts belong into a data set; is this the right file?",
)
TOO_MANY_ERRORS = Code(
    "NN152",
    "too-many-errors",
    "too many mistakes to go on; what follows here was not read",
    "stopped here",
    "repair the first ones and run again",
    severity="note",
)
STRICT_COMMENT = Code(
    "NN143",
    "comment",
    "plain JSON has no comments",
    "--strict-json",
    "remove it, or lint without --strict-json",
)
