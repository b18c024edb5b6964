"""NN2: what a definition or a job may say, word by word; found while it is decoded."""

from __future__ import annotations

from nnlang.codes import keys as codes
from nnlang.rules import entries, fixes
from nnlang.rules.rule import Example, Rule

_GENERATED = """python3 -c 'import json; print(json.dumps({"Layers": [
  {"N": 8, "DataSet": "gl_input"}, *[{"N": 8}] * @, {"N": 8, "DataSet": "gl_output"}]}))' > config.json
nnlang lint config.json"""

_KEYS = (
    Rule(
        codes.UNKNOWN_KEY,
        "Every key must be one that the language knows where it stands; letter case makes no difference. A key that "
        "nobody reads is worse than none: the author believes in a setting that does not exist. Names that other tools "
        "give to the same thing are known, such as learning_rate for Alpha, and are told with ours. DSSTNE refuses "
        "unknown keys too, without saying where.",
        bad=Example('"Denoisng": { "p": 0.2 }', "top"),
        good=Example('"Denoising": { "p": 0.2 }', "top"),
        fix=entries.respell,
    ),
    Rule(
        codes.KEY_NOT_HERE,
        "Each kind and type of layer takes its own keys: an Input layer only hands on its data set, so it has no "
        "Source, Activation or WeightInit; a Hidden layer has no DataSet; Function is for pooling layers alone. DSSTNE "
        "refuses such a key as an unknown field. Remove it, or look at the layer's Kind and Type: a layer without Kind "
        "is Input as the first of the list, Output as the last, else Hidden.",
        bad=Example('"Name": "Input", "Kind": "Input", "N": 128, "DataSet": "gl_input", "Activation": "Relu"', "input"),
        good=Example('"Name": "Input", "Kind": "Input", "N": 128, "DataSet": "gl_input"', "input"),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
    Rule(
        codes.KEY_ELSEWHERE,
        "The key exists, but in another object than this one, and where it stands nothing reads it. Often a bracket "
        "closes one line too early or too late, so that a setting of the network slips into a layer. Move it to where "
        "the finding says; `nnlang explain` with the key's name tells what it does there.",
        bad=Example('"Epochs": 20', "top"),
        good=Example('"TrainingParameters": { "Epochs": 20 }', "top"),
    ),
    Rule(
        codes.DUPLICATE_KEY,
        "One object says the same key twice, perhaps in another letter case or by another of its names (Slope is "
        "ReluSlope). Only one can count: most JSON readers keep the last and say nothing, DSSTNE keeps the one that "
        "sorts last by its letters. Decide which is meant. Where both have the same value, the fix removes the second.",
        bad=Example('"Name": "Hidden", "N": 128, "Activation": "LRelu", "Slope": 0.1, "ReluSlope": 0.1', "hidden"),
        good=Example('"Name": "Hidden", "N": 128, "Activation": "LRelu", "ReluSlope": 0.1', "hidden"),
        fix=entries.remove_second,
    ),
    Rule(
        codes.UNSUPPORTED_KEY,
        "The key is known from DSSTNE's documents or from other tools, and no network can be built from it: DSSTNE "
        "itself refuses it as unknown, and nothing here has its meaning. It is told apart from a slip of spelling so "
        "that the help can say what to do instead. The fix removes the key; look at what is left.",
        bad=Example('"Name": "Hidden", "Source": "Input", "N": 128, "Padding": 1', "hidden"),
        good=Example('"Name": "Hidden", "Source": "Input", "N": 128', "hidden"),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
    Rule(
        codes.CONTRADICTION,
        "The Kind Pooling, which DSSTNE's documents have, is short for a Hidden layer of the Type Pooling. Here the "
        "layer has another Type as well, and which of the two counts is not for a reader to guess: a convolution has "
        "weights, pooling has none. DSSTNE refuses the Kind Pooling in any case. Write the Kind Hidden and one Type.",
        bad=Example('"Name": "Hidden", "Kind": "Pooling", "Type": "FullyConnected", "Function": "LRN"', "hidden"),
        good=Example('"Name": "Hidden", "Kind": "Hidden", "Type": "Pooling", "Function": "LRN"', "hidden"),
    ),
    Rule(
        codes.MISSING_KEY,
        "Few keys have no default, and without this one there is nothing to compute: a definition needs Layers, shared "
        "weights need the three layers that name a matrix, a job needs Network, Command and Data, and Epochs where it "
        "trains. The finding points at the object in which the key has to stand.",
        bad=Example(
            '{\n  "Network": "config.json",\n  "Command": "Train",\n  "Data": "gl.nc",\n'
            '  "TrainingParameters": { "Alpha": 0.025 }\n}\n'
        ),
        good=Example(
            '{\n  "Network": "config.json",\n  "Command": "Train",\n  "Data": "gl.nc",\n'
            '  "TrainingParameters": { "Alpha": 0.025, "Epochs": 20 }\n}\n'
        ),
    ),
    Rule(
        codes.NOT_AN_OBJECT,
        "Here stands a list, a text or a number where pairs of names and values are expected. The definition as a "
        "whole, each layer and each entry of SharedWeights is an object: a layer is written out where it stands and "
        "cannot be called by its name alone.",
        bad=Example(
            '{ "Name": "Input", "N": 128, "DataSet": "gl_input" },\n    "Hidden",\n'
            '    { "Name": "Output", "N": 128, "DataSet": "gl_output" }',
            "layers",
        ),
        good=Example(
            '{ "Name": "Input", "N": 128, "DataSet": "gl_input" },\n    { "Name": "Hidden", "N": 64 },\n'
            '    { "Name": "Output", "N": 128, "DataSet": "gl_output" }',
            "layers",
        ),
    ),
)
_VALUES = (
    Rule(
        codes.WRONG_TYPE,
        "The key is right and its value is of another kind than the key takes: a text where a number belongs, one "
        "number where an object does. Nothing is converted, because a wrong guess would train another network. In "
        "DSSTNE a number in quotes ends the program, and a fraction given for an integer is cut off. The fix takes "
        "the quotes off a number or a truth value. What null should mean is not known: leaving the key out takes the "
        "default, which other tools may not mean by it.",
        bad=Example('"Name": "Hidden", "N": 128, "pDropout": "0.5"', "hidden"),
        good=Example('"Name": "Hidden", "N": 128, "pDropout": 0.5', "hidden"),
        fix=fixes.unquote_where_told,
    ),
    Rule(
        codes.OUT_OF_RANGE,
        "The number lies outside of what the key can mean: a share of units to drop is below 1, sizes are 1 or more, "
        "and no number is beyond a 32-bit float. DSSTNE's parser looks at no range but that of Version and hands on "
        "what it reads. A common cause is a percentage: write 0.5 for 50 percent.",
        bad=Example('"Name": "Hidden", "N": 128, "pDropout": 50', "hidden"),
        good=Example('"Name": "Hidden", "N": 128, "pDropout": 0.5', "hidden"),
    ),
    Rule(
        codes.NOT_AN_INTEGER,
        "Units, kernel sizes, epochs and the like are counted, so a fraction has no meaning for them. DSSTNE cuts it "
        "off in silence; nnlang asks, since a fraction is often the result of a calculation that was meant to give "
        "something else. 256.0 is read as 256.",
        bad=Example('"Name": "Hidden", "N": 42.67', "hidden"),
        good=Example('"Name": "Hidden", "N": 43', "hidden"),
    ),
    Rule(
        codes.UNKNOWN_VALUE,
        "The key takes one word out of a few, in any letter case, and this is none of them. Another function of "
        "similar name is not put in its place. DSSTNE refuses such words too, with one exception: of a text for N "
        'other than "auto" it says nothing and gives the layer a single unit. `nnlang explain` with the key\'s name '
        "lists the words with their formulas.",
        bad=Example('"Name": "Hidden", "N": 128, "Activation": "Sigmod"', "hidden"),
        good=Example('"Name": "Hidden", "N": 128, "Activation": "Sigmoid"', "hidden"),
        fix=entries.respell_value,
    ),
    Rule(
        codes.UNSUPPORTED_VALUE,
        "DSSTNE's documents or its parser know the word, but nothing defines what it should compute: some such words "
        "the parser refuses, others, like ReluMax, it takes and then leaves the layer linear. Or it is a function of "
        "other tools that no version of DSSTNE had, such as SiLU or AdamW. The help names what is nearest, where there "
        "is such a thing; the choice changes the numbers and is yours.",
        bad=Example('"Name": "Hidden", "N": 128, "Activation": "PRelu"', "hidden"),
        good=Example('"Name": "Hidden", "N": 128, "Activation": "LRelu", "ReluSlope": 0.1', "hidden"),
    ),
    Rule(
        codes.EMPTY_TEXT,
        "A name or a path with no character in it refers to nothing, and in messages and models it could not be seen. "
        "Write the name; or leave the key out, so that its default holds: a layer without Name is called by its kind "
        "and place, one without Source reads the layer before it.",
        bad=Example('"Name": "Hidden", "Source": "", "N": 128', "hidden"),
        good=Example('"Name": "Hidden", "Source": "Input", "N": 128', "hidden"),
        fix=entries.remove_empty,
        safe=False,
    ),
    Rule(
        codes.TOO_LONG,
        "Names become variables and attributes of model files, columns of tables and parts of every message, so they "
        "end at 128 characters, counted as characters and not as bytes; paths end at 4,096. What a layer is for can "
        "be said in a comment beside it.",
        bad=Example(f'"Name": "{"gl_" * 43}"', "top"),
        good=Example('// the groceries of 43 lists\n  "Name": "gl"', "top"),
    ),
    Rule(
        codes.CONTROL_CHARACTER,
        "An escape such as \\n or \\u0000 puts a character into the name that cannot be seen: two names may look the "
        "same and differ, a terminal or a log shows something else than what is stored, and some file formats end a "
        "text at U+0000. In a Windows path it is a backslash that was meant: write / or \\\\. The fix leaves the "
        "character out.",
        bad=Example('"Name": "gl\\n"', "top"),
        good=Example('"Name": "gl"', "top"),
        fix=entries.remove_controls,
        safe=False,
    ),
    Rule(
        codes.TOO_MANY,
        "The list is longer than there are things to give values to: N has at most four axes, Kernel and KernelStride "
        "three, and a layer at most 1,024 sources. DSSTNE refuses a fifth size of N with a message and a fourth "
        "size of Kernel without one. The axis of the feature maps has no kernel: N says how many they are.",
        bad=Example('"Name": "Hidden", "N": 8, "Type": "Convolutional", "Kernel": [ 3, 3, 3, 8 ]', "hidden"),
        good=Example('"Name": "Hidden", "N": 8, "Type": "Convolutional", "Kernel": [ 3, 3, 3 ]', "hidden"),
    ),
    Rule(
        codes.NO_VALUES,
        "An empty list gives no value, and it is not the same as leaving the key out, which takes the default. "
        "Definitions written by programs tend to hold one where a list was never filled. Write the values, or leave "
        "the key out; the fix does the latter.",
        bad=Example('"Name": "Hidden", "N": 8, "Type": "Convolutional", "Kernel": []', "hidden"),
        good=Example('"Name": "Hidden", "N": 8, "Type": "Convolutional", "Kernel": [ 3, 3 ]', "hidden"),
        fix=entries.remove_empty,
        safe=False,
    ),
    Rule(
        codes.TOO_MANY_LAYERS,
        "Each layer costs memory and compilation before any number is computed, so a text from elsewhere may not ask "
        "for any number of them. 10,000 is far beyond every network that this language is meant for; a list that is "
        "longer is as a rule the work of a loop that did not end. Programs may raise the limit "
        "(`layers` of `Limits` in the library), the command line does not.",
        bad=Example(_GENERATED.replace("@", "10_000"), "shell"),
        good=Example(_GENERATED.replace("@", "10"), "shell"),
    ),
    Rule(
        codes.NO_LAYERS,
        "Layers is there and holds nothing, so there is no input, no output and nothing to train; DSSTNE's parser does "
        "not look for that. The least that can be trained is an Input layer and an Output layer, each with the data "
        "set that it is bound to.",
        bad=Example('{ "Version": 0.8, "Layers": [] }\n'),
        good=Example(
            '{ "Version": 0.8, "Layers": [\n    { "Kind": "Input", "N": 128, "DataSet": "gl_input" },\n'
            '    { "Kind": "Output", "N": 128, "DataSet": "gl_output" } ] }\n'
        ),
    ),
)
ROWS = _KEYS + _VALUES
