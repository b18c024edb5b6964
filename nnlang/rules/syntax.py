"""NN1: the text itself. The file, its strings, its words and numbers; what stands between them is in `brackets`."""

from __future__ import annotations

from nnlang.codes import syntax as codes
from nnlang.rules import repairs
from nnlang.rules.rule import Example, Rule

_SOUND = '{ "Layers": [ { "N": 8, "DataSet": "gl_input" }, { "N": 8, "DataSet": "gl_output" } ] }'
_OPENED, _LISTED = _SOUND[:2], _SOUND[2:-2]
_WRITTEN = f"echo '{_SOUND}' > config.json\n"
_DRAWN = '"Name": "Hidden", "N": 128, '
# The "ö" of Latin-1 is no UTF-8.
_NAMED = '{ "Name": "K\\366ln", "Layers": [ { "N": 8, "DataSet": "in" }, { "N": 8, "DataSet": "out" } ] }'

_FILES = (
    Rule(
        codes.CANNOT_READ,
        "Nothing was checked: the system refused to give the text, for the reason that the message ends with. Most "
        "often the path is relative to another folder than the one in which the command was started. Devices and named "
        "pipes are not read, since they may never end; `-` reads standard input.",
        bad=Example(_WRITTEN + "nnlang lint confg.json", "shell"),
        good=Example(_WRITTEN + "nnlang lint config.json", "shell"),
    ),
    Rule(
        codes.NOT_UTF8,
        "Definitions are UTF-8, so that a layer has one and the same name in every editor, message and model file. "
        "Some editors save Latin-1 or UTF-16 instead; to guess among them would turn one name into another. Save the "
        "file as UTF-8, or convert it, as with iconv. If it is no text at all, the path names the wrong file.",
        bad=Example(f"printf '{_NAMED}' > config.json\nnnlang lint config.json", "shell"),
        good=Example(
            f"printf '{_NAMED}' | iconv -f latin1 -t utf-8 > config.json\nnnlang lint config.json",
            "shell",
        ),
    ),
    Rule(
        codes.TOO_LARGE,
        "Definitions are small: one with 10,000 layers, the most that is allowed, fits into the limit. No more than "
        "that is read of any file, so that a wrong path, to ratings or a log, costs neither memory nor minutes. Data "
        "belongs into data set files, which the definition calls by name.",
        bad=Example("seq 200000 > ratings.csv\nnnlang lint ratings.csv", "shell"),
        good=Example(_WRITTEN + "nnlang lint config.json", "shell"),
    ),
    Rule(
        codes.BYTE_ORDER_MARK,
        "Some editors put the invisible character U+FEFF before a text that they save as UTF-8. nnlang passes over it, "
        "but JSON has no place for it, and other readers, Python's json for one, refuse the file because of a "
        "character that no editor shows. The fix removes it and changes nothing else.",
        bad=Example("\ufeff" + _SOUND + "\n"),
        good=Example(_SOUND + "\n"),
        fix=repairs.remove,
    ),
    Rule(
        codes.EMPTY_TEXT,
        "The text has no character besides white space and comments: a program wrote nothing, a redirection failed, or "
        "everything was commented out. An empty network is not assumed in its place. Look at what should have written "
        "the file, or at which file is meant.",
        bad=Example("// the layers follow\n"),
        good=Example("// the layers follow\n" + _SOUND + "\n"),
    ),
    Rule(
        codes.NO_DEFINITION,
        "The first bytes say that this is another kind of file: a data set or a model (both are NetCDF), or an "
        "archive. Definitions are read as plain text only and never unpacked. A data set goes after `--data`; an "
        "archive has to be unpacked first.",
        bad=Example(_WRITTEN + "gzip config.json\nnnlang lint config.json.gz", "shell"),
        good=Example(_WRITTEN + "gzip config.json\ngunzip config.json.gz\nnnlang lint config.json", "shell"),
    ),
    Rule(
        codes.WIDE_TEXT,
        "The bytes are UTF-16 without its mark, two for each character, and read as UTF-8 every second one is NUL. "
        "Nothing else is checked in such a text. Notepad calls this encoding Unicode, and `>` of the PowerShell that "
        "comes with Windows writes it. The fix leaves out the NULs, which gives the same text in UTF-8.",
        bad=Example("\0".join(_SOUND) + "\0"),
        good=Example(_SOUND),
        fix=repairs.everywhere,
    ),
    Rule(
        codes.STRANGE_SPACE,
        "JSON's white space is the space, the tab and the ends of lines. Web pages and word processors have others, "
        "most often the no-break space, and signs without any width, which look the same in every editor. They are "
        "told once, at the first; the text is read as though spaces stood there. The fix puts spaces in the place of "
        "all of them and touches none that stands in a string or a comment.",
        bad=Example('"Decay":\u00a00.0001', "top"),
        good=Example('"Decay": 0.0001', "top"),
        fix=repairs.everywhere,
    ),
    Rule(
        codes.HTML_SOURCE,
        "In the source of a web page quotes are written as `&quot;` and lines are held by tags such as `<pre>`; the "
        "text was taken from there instead of from what the browser shows. It is told once. The fix writes the "
        "characters that are meant and leaves tags out, everywhere but in strings and comments.",
        bad=Example("&quot;Decay&quot;: 0.0001", "top"),
        good=Example('"Decay": 0.0001', "top"),
        fix=repairs.everywhere,
    ),
    Rule(
        codes.TEXT_AROUND,
        "A file holds the definition and nothing else: no name that it is assigned to, as in a program, no call around "
        "it, no fence of a Markdown page, no semicolon behind it. What stands around is passed over, so that the rest "
        "is checked. The fix removes it.",
        bad=Example("config = " + _SOUND + "\n"),
        good=Example(_SOUND + "\n"),
        fix=repairs.everywhere,
    ),
    Rule(
        codes.MERGE_MARKER,
        "Git could not decide between two versions of these lines and wrote both, with `<<<<<<<`, `=======` and "
        "`>>>>>>>` around them. Which one is right only people know, so there is no fix; the first one is read here, "
        "so that the rest is checked. It is told once, however many such places there are.",
        bad=Example(
            '"Kind": "FeedForward",\n<<<<<<< HEAD\n  "Decay": 0.1\n=======\n  "Decay": 0.2\n>>>>>>> other', "top"
        ),
        good=Example('"Kind": "FeedForward",\n  "Decay": 0.1', "top"),
    ),
    Rule(
        codes.LINE_NUMBERS,
        "Every line begins with a number, each one more than the one before: they belong to the listing from which the "
        "text was copied. It is told once, and the text is read without them. The fix removes all of them.",
        bad=Example(f"1 {_OPENED}\n2 {_LISTED}\n3 }}\n"),
        good=Example(f"{_OPENED}\n{_LISTED}\n}}\n"),
        fix=repairs.everywhere,
    ),
)
_STRINGS = (
    Rule(
        codes.UNCLOSED_STRING,
        "A string ends on the line on which it begins. Without its closing quote it is taken to end with the line, up "
        "to commas and brackets, so that the lines after it are still checked for what they are. Where one place for "
        "the quote makes sense of the whole line, the message shows it, the line is read so, and the fix writes it "
        "there; otherwise put it where the text ends.",
        bad=Example('"Name": "gl', "top"),
        good=Example('"Name": "gl"', "top"),
        fix=repairs.close_string,
        safe=False,
    ),
    Rule(
        codes.UNOPENED_STRING,
        "The line has an odd number of quotes, and one before this word makes sense of all of it: the word ends with a "
        "quote and begins with none. Everything behind it would otherwise be taken for the opposite, names for what "
        "stands between them. The line is read as though the quote stood there, which is what the fix writes.",
        bad=Example(_DRAWN + 'Activation": "Relu"', "hidden"),
        good=Example(_DRAWN + '"Activation": "Relu"', "hidden"),
        fix=repairs.quote,
        safe=False,
    ),
    Rule(
        codes.WRONG_QUOTES,
        "JSON knows double quotes only. Single ones come from Python or JavaScript, most often because a program wrote "
        "the definition with `print` or `str`: let it use its JSON library, such as `json.dumps`, which also gets "
        "`true` and escapes right. The fix changes the quotes and leaves the text inside as it is.",
        bad=Example("\"Name\": 'gl'", "top"),
        good=Example('"Name": "gl"', "top"),
        fix=repairs.double_quotes,
    ),
    Rule(
        codes.BAD_ESCAPE,
        "A backslash in a string begins an escape, and this is none of those that exist. Paths of Windows are the "
        "usual cause, and not every slip shows up here: `C:\\new` has a sound escape, a line break. Write `/`, which "
        "Windows takes as well, or two backslashes everywhere. The fix doubles this one; look at the others in the "
        "string.",
        bad=Example('{\n  "Command": "Predict",\n  "Network": "models\\gl.nc",\n  "Data": "gl_input.nc"\n}\n'),
        good=Example('{\n  "Command": "Predict",\n  "Network": "models/gl.nc",\n  "Data": "gl_input.nc"\n}\n'),
        fix=repairs.double_backslash,
        safe=False,
    ),
    Rule(
        codes.CONTROL_CHARACTER,
        "A tab or another control character stands in a string as it is, which JSON forbids, since it cannot be seen: "
        "a name with a tab looks like one with a space, and references to it fail. As escapes such characters are "
        "refused in names as well. The fix leaves the character out; put a space there if one was meant.",
        bad=Example('"Name": "gl\tinput"', "top"),
        good=Example('"Name": "gl input"', "top"),
        fix=repairs.remove_unsafely,
        safe=False,
    ),
    Rule(
        codes.LONE_SURROGATE,
        "Written as an escape, a character beyond U+FFFF, such as an emoji, has two halves in JSON, and one without "
        "the other is no character: it cannot be written as UTF-8, to no file and no terminal. As a rule a program cut "
        "a text in the middle of a pair. Write the character itself, which needs no escape, or both halves.",
        bad=Example('"Name": "gl \\ud83d"', "top"),
        good=Example('"Name": "gl \\ud83d\\uded2"', "top"),
    ),
    Rule(
        codes.STRING_TOO_LONG,
        "Names are short and paths are limited by the system, so a string beyond 4,096 characters is something else: "
        "data that was pasted into the definition, or a string whose closing quote is somewhere far behind. Names "
        "end at 128 characters (NN216); put long explanations into comments.",
        bad=Example(
            'printf \'{ "Command": "Predict", "Data": "gl.nc", "Network": "%05000d.nc" }\' 7 > predict.json\n'
            "nnlang lint predict.json",
            "shell",
        ),
        good=Example(
            'printf \'{ "Command": "Predict", "Data": "gl.nc", "Network": "%05d.nc" }\' 7 > predict.json\n'
            "nnlang lint predict.json",
            "shell",
        ),
    ),
)
_WORDS = (
    Rule(
        codes.BAD_WORD,
        "Outside of quotes JSON has numbers and the words true, false and null, in small letters. Names of keys and "
        "values such as Relu are texts and stand in double quotes; `True` and `None` are Python's; pairs are written "
        "with `:` and parted by `,`. The fix writes the word as JSON has it, and puts quotes around one that can only "
        "be a name.",
        bad=Example(_DRAWN + '"Activation": Relu', "hidden"),
        good=Example(_DRAWN + '"Activation": "Relu"', "hidden"),
        fix=repairs.word,
    ),
    Rule(
        codes.BAD_NUMBER,
        "JSON writes numbers in one way: digits on both sides of the point, no plus sign, no leading zeros, no "
        "hexadecimal, no underscores. Readers that take other forms disagree about them, 010 being 8 for some and 10 "
        "for others. The fix writes .5, 5., +5 and 1_000 as JSON does; leading zeros are left to you.",
        bad=Example(_DRAWN + '"pDropout": .5', "hidden"),
        good=Example(_DRAWN + '"pDropout": 0.5', "hidden"),
        fix=repairs.numeral,
    ),
    Rule(
        codes.NOT_FINITE,
        "No setting of a network means anything as infinity or as not-a-number: weights would be the same after the "
        "first step. Such words come from a program whose calculation failed, 0 / 0 or a logarithm of 0. Mend the "
        "calculation; to switch something off write 0, or leave the key out.",
        bad=Example('"Decay": NaN', "top"),
        good=Example('"Decay": 0', "top"),
    ),
    Rule(
        codes.NUMBER_TOO_LONG,
        "A 64-bit number has at most 17 digits that mean something, and training computes with 32 bits, which have 9. "
        "All further digits would be read and lost; thousands of them are a way to keep a reader busy. The fix "
        "writes the shortest number with the very same 64-bit value.",
        bad=Example('"Decay": 0.000100000000000000004792173602385929598314941903320595645811408758163', "top"),
        good=Example('"Decay": 0.0001', "top"),
        fix=repairs.shortest,
    ),
    Rule(
        codes.NUMBER_RANGE,
        "The number is beyond what 64 bits hold, about 5e-324 to 1.8e308, so that it would turn into infinity or into "
        "0 without a word. Training computes with 32 bits anyway, up to 3.4e38. As a rule a sign or a digit of the "
        "exponent is wrong; write 0 where nothing is meant.",
        bad=Example('"Decay": 1e-400', "top"),
        good=Example('"Decay": 1e-4', "top"),
    ),
)
ROWS = _FILES + _STRINGS + _WORDS
