"""NN1: what stands between strings, words and numbers. Commas, colons, brackets and comments, and how many of all."""

from __future__ import annotations

from nnlang.codes import syntax as codes
from nnlang.rules import repairs
from nnlang.rules.rule import Example, Rule

_SOUND = '{ "Layers": [ { "N": 8, "DataSet": "gl_input" }, { "N": 8, "DataSet": "gl_output" } ] }'
_LINT = "\nnnlang lint config.json"
_BEGUN = (
    '{\n  "Layers": [\n    { "Kind": "Input", "N": 8, "DataSet": "gl_input" },\n'
    '    { "Kind": "Output", "N": 8, "DataSet": "gl_output" }\n'
)
_PRINTED = (
    "python3 -c 'import json, pprint\n"
    '@({"Layers": [{"DataSet": "in", "N": 8}, *[{"N": 8}] * 200, {"DataSet": "out", "N": 8}]})'
    "' > config.json" + _LINT
)

_SIGNS = (
    Rule(
        codes.MISSING_COMMA,
        "Members of an object and items of a list are parted by commas; where two follow each other without one, the "
        "text is read as though it stood there, so that the rest is checked. It is forgotten most often when a line is "
        "added at the end. The fix counts as safe before a name with its colon or a bracket; two bare values may also "
        "be one that was torn apart.",
        bad=Example('"Name": "gl"\n  "Decay": 0.0001', "top"),
        good=Example('"Name": "gl",\n  "Decay": 0.0001', "top"),
        fix=repairs.comma,
    ),
    Rule(
        codes.SURPLUS_COMMA,
        "A comma parts two things, and beside this one there is only one: after the last member JSON allows none, "
        "though JavaScript and Python do. A comma before the closing bracket is safe to remove. Two in a row may mean "
        "that a value is missing between them, so that fix is an unsafe one.",
        bad=Example('"Denoising": { "p": 0.2, }', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        fix=repairs.surplus_comma,
    ),
    Rule(
        codes.MISSING_COLON,
        "Inside `{ }` each name is followed by a colon and its value. Here the value follows at once, and the colon is "
        "taken as written, so that the rest is checked. If it is not the colon but a value that is missing, the next "
        "name stands where the value should; the fix leaves that case alone.",
        bad=Example('"Decay" 0.0001', "top"),
        good=Example('"Decay": 0.0001', "top"),
        fix=repairs.colon,
    ),
    Rule(
        codes.MISSING_VALUE,
        "A name stands without a value, or a value was put inside `{ }` without a name. No default is taken for it, "
        "since somebody began to write something else. Write the value, or remove the name with its comma to have the "
        "default. A list of values is written in `[ ]`.",
        bad=Example('"Decay": ', "top"),
        good=Example('"Decay": 0.0001', "top"),
    ),
    Rule(
        codes.NAME_EXPECTED,
        "Inside `{ }` only pairs of a name in double quotes and a value may stand: a number, true, false or null is no "
        "name, and a value without a name says nothing. As a rule a name was left out or lost its quotes, or a list of "
        "values was put into `{ }` instead of `[ ]`. Write the name that the value belongs to.",
        bad=Example("1: 0.0001", "top"),
        good=Example('"Decay": 0.0001', "top"),
    ),
    Rule(
        codes.UNEXPECTED,
        "A colon binds a value to a name, and only inside `{ }` are there names: in a list `[ ]` stand values alone, "
        "each of which may be an object. Either the brackets are of the wrong kind, or braces around the pair are "
        "missing, or a comma or a quote before it is lost.",
        bad=Example('"Decay": 0.0001: 1', "top"),
        good=Example('"Decay": 0.0001', "top"),
    ),
    Rule(
        codes.WRONG_BRACKET,
        "Brackets close in the opposite order of their opening, each with its own kind: what `[` opened ends with `]`. "
        "With the other kind in this place everything else in the text matches; that is what the fix writes. Where no "
        "single bracket explains the text, this finding has no fix, tells where the one that is open begins, and no "
        "others about brackets are given after it, since they would be guesses.",
        bad=Example('"Denoising": { "p": 0.2 ]', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        fix=repairs.other_bracket,
        safe=False,
    ),
    Rule(
        codes.UNCLOSED_BRACKET,
        "The text is over and this bracket is still open, and no line before the end looks like the place where it "
        "should be closed; or it is one of two in a row of which only one is closed, and then the fix removes it. Look "
        "at the end of the file, which may have been cut off when it was copied, and at the indentation near the "
        "place.",
        bad=Example(_BEGUN.replace("[", "[[") + "  ]\n}\n"),
        good=Example(_BEGUN + "  ]\n}\n"),
        fix=repairs.remove_surplus,
        safe=False,
    ),
    Rule(
        codes.MISSING_CLOSER,
        "A bracket that was opened is not closed before something that cannot stand inside it: a name with a colon in "
        "a list, the next layer inside a layer, or a line that is indented like the one on which it was opened. The "
        "place is the one where everything else in the text matches, its indentation too; look at it before you take "
        "the fix, which writes the bracket there.",
        bad=Example(
            '{ "Kind": "Input", "N": 8, "DataSet": "gl_input",\n'
            '    { "Kind": "Output", "N": 8, "DataSet": "gl_output" }',
            "layers",
        ),
        good=Example(
            '{ "Kind": "Input", "N": 8, "DataSet": "gl_input" },\n'
            '    { "Kind": "Output", "N": 8, "DataSet": "gl_output" }',
            "layers",
        ),
        fix=repairs.close_bracket,
        safe=False,
    ),
    Rule(
        codes.MISSING_OPENER,
        "A pair of a name and a value stands where only an object may stand, or several values where there is room "
        "for one, and a bracket that would close them follows: the one that opens them is missing. The fix writes it "
        "at the place that the message shows.",
        bad=Example('"Denoising": "p": 0.2 }', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        fix=repairs.open_bracket,
        safe=False,
    ),
    Rule(
        codes.WRONG_OPENER,
        "Pairs of a name and a value stand in `{ }`, values without names in `[ ]`, and here the brackets are of the "
        "other kind than what they hold. Layers is a list of objects: `[` once around all, `{` around each. The fix "
        "writes the other kind at both ends.",
        bad=Example('"Denoising": [ "p": 0.2 ]', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        fix=repairs.other_brackets,
        safe=False,
    ),
    Rule(
        codes.EARLY_BRACKET,
        "After the end of a list one more object without a name follows, which cannot stand there: as a rule a layer "
        "was added at the end and got behind the `]` of Layers. The fix moves the bracket to the end of what follows; "
        "to give the object a name instead is the other way.",
        bad=Example(
            '{\n  "Layers": [\n    { "N": 8, "DataSet": "gl_input" }\n  ],\n'
            '    { "N": 8, "DataSet": "gl_output" },\n  "Decay": 0.0001\n}\n',
        ),
        good=Example(
            '{\n  "Layers": [\n    { "N": 8, "DataSet": "gl_input" },\n'
            '    { "N": 8, "DataSet": "gl_output" }\n  ],\n  "Decay": 0.0001\n}\n',
        ),
        fix=repairs.late_bracket,
        safe=False,
    ),
    Rule(
        codes.TEXT_ENDS,
        "This note goes with NN137 and says where the text ended, what was open there, and which brackets would close "
        "all of it. If a copy or a download was cut off, get the whole file instead: more than brackets may be "
        "missing. The fix writes the brackets at the end and is unsafe for that reason.",
        bad=Example(_BEGUN),
        good=Example(_BEGUN + "  ]\n}\n"),
        fix=repairs.close_all,
        safe=False,
    ),
    Rule(
        codes.TRAILING_TEXT,
        "A file holds one definition, and that ended before this place: reading stopped here. Either two definitions "
        "were put into one file, and each needs its own, or a bracket too many closed the first object early, so that "
        "what follows should stand inside it.",
        bad=Example(_SOUND + '\n{ "Name": "second" }\n'),
        good=Example(_SOUND + "\n"),
    ),
    Rule(
        codes.STRAY_BRACKET,
        "Everything that was opened is closed already, so this bracket belongs to nothing. As a rule one was left over "
        "when a part of the text was removed; but if one closed too early further up, what stands between belongs "
        "inside. The fix removes this one; see whether the indentation agrees.",
        bad=Example(_SOUND + " }\n"),
        good=Example(_SOUND + "\n"),
        fix=repairs.remove_unsafely,
        safe=False,
    ),
    Rule(
        codes.UNCLOSED_COMMENT,
        "A comment that begins with `/*` ends with `*/`, and this one takes in the whole rest of the text, the closing "
        "brackets too. Comments of this kind do not nest: the first `*/` ends them. Where it should end only its "
        "author can say; a comment of one line is simpler with `//`.",
        bad=Example('"Decay": 0.0001 /* per batch', "top"),
        good=Example('"Decay": 0.0001 /* per batch */', "top"),
    ),
    Rule(
        codes.HASH_COMMENT,
        "Comments begin with `//` or stand between `/*` and `*/`, in DSSTNE's reader as in ours; `#` is the sign of "
        "YAML, Python and the shell. The rest of the line is read as the comment that it was meant to be, so that "
        "nothing else is reported about it. The fix writes `//`.",
        bad=Example('# slower by and by\n  "Decay": 0.0001', "top"),
        good=Example('// slower by and by\n  "Decay": 0.0001', "top"),
        fix=repairs.slashes,
    ),
    Rule(
        codes.STRICT_COMMENT,
        "nnlang and DSSTNE read comments, plain JSON has none: jq, Python's json and most editors' JSON mode refuse "
        "the file. With --strict-json every comment is told, for definitions that such tools have to read as well. The "
        "fix removes the comment, and its line where it stands alone; what it says is lost, and the network is the "
        "same.",
        bad=Example('// slower by and by\n  "Decay": 0.0001', "top", strict=True),
        good=Example('"Decay": 0.0001', "top", strict=True),
        fix=repairs.without_comment,
        needs="strict",
    ),
)
_AMOUNTS = (
    Rule(
        codes.TOO_DEEP,
        "Brackets inside brackets cost a reader memory for each level, and a text of nothing but brackets can bring "
        "down a program that does not count them. A definition has five levels at most, as where a layer has a list of "
        "SharedWeights. What is nested deeper is no definition, or its brackets are opened again and again and never "
        "closed.",
        bad=Example("""python3 -c 'print("[" * 65 + "]" * 65)' > config.json""" + _LINT, "shell"),
        good=Example(f"echo '{_SOUND}' > config.json" + _LINT, "shell"),
    ),
    Rule(
        codes.TOO_MANY_TOKENS,
        "Each string, number, word and sign counts, and at 300,000 reading stops, so that no text can keep a machine "
        "busy; 10,000 layers with seven keys each need about as many. Numbers in such amounts are data or weights: "
        "they belong into data set files and models, which a definition calls by name.",
        bad=Example("python3 -c 'print([0] * 200_000)' > config.json" + _LINT, "shell"),
        good=Example(f"echo '{_SOUND}' > config.json" + _LINT, "shell"),
    ),
    Rule(
        codes.TOO_MANY_ERRORS,
        "After a hundred lines with mistakes the rest of the text is not read, since it would tell more of the same. "
        "So many have one cause: a program that prints its own form of objects instead of JSON, or a file that is no "
        "definition. Mend the first findings, or what they have in common, and lint again.",
        bad=Example(_PRINTED.replace("@", "pprint.pp"), "shell"),
        good=Example(_PRINTED.replace("@(", "print(json.dumps(").replace("})'", "}))'"), "shell"),
    ),
)
ROWS = _SIGNS + _AMOUNTS
