"""NN3: names and topology. Which layers there are, who feeds whom, which losses go with which outputs."""

from __future__ import annotations

from nnlang.codes import names as codes
from nnlang.network import DataFacts
from nnlang.rules import fixes, weights
from nnlang.rules.rule import Example, Rule

_POOLED = '"Name": "Hidden", "Source": "Input", "Type": "Pooling"'
_BOUND = '"Name": "Output", "Kind": "Output", "Source": "Hidden", "N": 64'

_LAYERS = (
    Rule(
        codes.UNKNOWN_LAYER,
        "Source, Skip and SharedWeights refer to layers by their names, letter by letter and in the same letter case; "
        "a layer without a Name is called by its kind and its place in the list, counted from 0, such as Hidden1. "
        "DSSTNE did not look: a wrong name crashed it or sent it into an endless loop. Write the name as it is given "
        "where the layer is defined.",
        bad=Example('"Name": "Hidden", "Source": "input", "N": 128', "hidden"),
        good=Example('"Name": "Hidden", "Source": "Input", "N": 128', "hidden"),
        fix=fixes.rename,
        safe=False,
    ),
    Rule(
        codes.DUPLICATE_NAME,
        "A name stands for one layer: with two of the same name, a Source that mentions it would be ambiguous, and so "
        "would the weights in a model file. DSSTNE refuses this too. Rename one of the layers, and everything that "
        "refers to it.",
        bad=Example(
            '"Name": "Input", "N": 128',
            "hidden",
        ),
        good=Example('"Name": "Hidden", "N": 128', "hidden"),
    ),
    Rule(
        codes.NAME_COLLISION,
        "A layer without a Name is called by its kind and its place in the list, counted from 0: Input0, Hidden1, "
        "Output2. Here another layer has been given that very name, so references to it would be ambiguous; DSSTNE did "
        "not notice and took either. Give the nameless layer a Name, or the other one another.",
        bad=Example(
            '{ "Name": "Hidden1", "DataSet": "gl_input", "N": "auto" },\n'
            '    { "N": 128 },\n'
            '    { "DataSet": "gl_output", "N": "auto" }',
            "layers",
        ),
        good=Example(
            '{ "Name": "Input", "DataSet": "gl_input", "N": "auto" },\n'
            '    { "N": 128 },\n'
            '    { "DataSet": "gl_output", "N": "auto" }',
            "layers",
        ),
    ),
    Rule(
        codes.NO_INPUT,
        "Data enters a network through Input layers. The first layer of the list is one unless its Kind says "
        "otherwise, so this happens where the first layer was given another Kind. DSSTNE did not check, and crashed "
        "or trained on nothing. Give the layer that reads a data set the Kind Input.",
        bad=Example(
            '{ "Name": "Input", "Kind": "Hidden", "Source": "Output", "N": 128 },\n'
            '    { "Name": "Output", "Source": "Input", "DataSet": "gl_output", "N": "auto" }',
            "layers",
        ),
        good=Example(
            '{ "Name": "Input", "Kind": "Input", "DataSet": "gl_input", "N": "auto" },\n'
            '    { "Name": "Output", "Source": "Input", "DataSet": "gl_output", "N": "auto" }',
            "layers",
        ),
    ),
    Rule(
        codes.NO_OUTPUT,
        "Output layers compare what the network computes with a data set; without one there is no error to learn from "
        "and nothing to predict. The last layer of the list is one unless its Kind says otherwise, and a list of a "
        "single layer is an Input layer. DSSTNE did not check. Give the last layer the Kind Output and a DataSet.",
        bad=Example('"Name": "Output", "Kind": "Hidden", "Source": "Hidden", "N": 64', "output"),
        good=Example(
            '"Name": "Output", "Kind": "Output", "Source": "Hidden", "N": 64, "DataSet": "gl_output"', "output"
        ),
    ),
    Rule(
        codes.NO_SOURCE,
        "Every layer but an Input layer computes from others. Where Source is left out, the layer before it in the "
        "list is taken, whatever that is; the first of the list has none, and DSSTNE crashed there. An empty list is "
        "allowed only beside a Skip, whose units are then all that the layer sees. Name the layers to read with "
        "Source.",
        bad=Example('"Name": "Hidden", "Source": [], "N": 128', "hidden"),
        good=Example('"Name": "Hidden", "Source": "Input", "N": 128', "hidden"),
    ),
    Rule(
        codes.REPEATED_NAME,
        "A layer reads each of its sources through one matrix of weights, and adds each skip once. The same name twice "
        "in one list would ask for two matrices between the same two layers, which learn no more than one; most often "
        "another layer was meant. Name it once, or write the name that was meant.",
        bad=Example('"Name": "Hidden", "Source": ["Input", "Input"], "N": 128', "hidden"),
        good=Example('"Name": "Hidden", "Source": ["Input"], "N": 128', "hidden"),
        fix=fixes.remove_repeated,
        safe=False,
    ),
    Rule(
        codes.CYCLE,
        "Layers are computed one after the other, each from values that are there already, so no layer may depend on "
        "itself, not even through others; skips count like sources. There are no recurrent layers. DSSTNE did not "
        "notice a circle and computed in an arbitrary order. Follow the names in the message and remove the edge that "
        "leads back.",
        bad=Example(
            "{\n"
            '  "Layers": [\n'
            '    { "Name": "Input", "DataSet": "gl_input", "N": "auto" },\n'
            '    { "Name": "A", "Source": ["Input", "B"], "N": 128 },\n'
            '    { "Name": "B", "Source": "A", "N": 128 },\n'
            '    { "Name": "Output", "Source": "B", "DataSet": "gl_output", "N": "auto" }\n'
            "  ]\n"
            "}\n"
        ),
        good=Example(
            "{\n"
            '  "Layers": [\n'
            '    { "Name": "Input", "DataSet": "gl_input", "N": "auto" },\n'
            '    { "Name": "A", "Source": "Input", "N": 128 },\n'
            '    { "Name": "B", "Source": "A", "N": 128 },\n'
            '    { "Name": "Output", "Source": "B", "DataSet": "gl_output", "N": "auto" }\n'
            "  ]\n"
            "}\n"
        ),
    ),
)

_KINDS = (
    Rule(
        codes.SKIP_ON_POOLING,
        "A skip is added to the sum of weighted inputs that a layer puts through its activation. A pooling layer has "
        "no weights, no such sum and no activation, so there is nothing to add to. Put the Skip into the layer that "
        "reads the pooling layer.",
        bad=Example(f'{_POOLED}, "Function": "LRN", "Skip": "Input"', "hidden"),
        good=Example(f'{_POOLED}, "Function": "LRN"', "hidden"),
    ),
    Rule(
        codes.NO_FUNCTION,
        "A layer of the Type Pooling has no weights: its Function alone says what it computes, and there is no "
        "default. Max and Average take windows of one source, LRN normalises across its channels, MaxOut takes the "
        "largest of several sources unit by unit, DotProduct and Cosine compare the first source with each of the "
        "others.",
        bad=Example(_POOLED, "hidden"),
        good=Example(f'{_POOLED}, "Function": "Max"', "hidden"),
    ),
    Rule(
        codes.FEW_SOURCES,
        "DotProduct and Cosine compare their first source with each of the others and give one number for each "
        "comparison, so they need at least two sources. DSSTNE refuses fewer as well. Name the layers to compare with "
        "Source; they need the same shape.",
        bad=Example(f'{_POOLED}, "Function": "Cosine"', "hidden"),
        good=Example(
            "{\n"
            '  "Layers": [\n'
            '    { "Name": "User", "Kind": "Input", "DataSet": "users", "N": 64 },\n'
            '    { "Name": "Item", "Kind": "Input", "DataSet": "items", "N": 64 },\n'
            '    { "Name": "Hidden", "Type": "Pooling", "Function": "Cosine", "Source": ["User", "Item"] },\n'
            '    { "Name": "Output", "DataSet": "clicks", "N": 1 }\n'
            "  ]\n"
            "}\n"
        ),
    ),
    Rule(
        codes.MANY_SOURCES,
        "Max, Average and LRN look at windows or channels of one source; with several it is not said how they would be "
        "combined, and what DSSTNE made of it was an accident (it added up). Pool each source in a layer of its own, "
        "or use MaxOut, which takes the largest of its sources unit by unit.",
        bad=Example(
            "{\n"
            '  "Layers": [\n'
            '    { "Name": "Left", "Kind": "Input", "DataSet": "left", "N": 64 },\n'
            '    { "Name": "Right", "Kind": "Input", "DataSet": "right", "N": 64 },\n'
            '    { "Name": "Pool", "Type": "Pooling", "Function": "Max", "Source": ["Left", "Right"] },\n'
            '    { "Name": "Output", "DataSet": "labels", "N": 10 }\n'
            "  ]\n"
            "}\n"
        ),
        good=Example(
            "{\n"
            '  "Layers": [\n'
            '    { "Name": "Left", "Kind": "Input", "DataSet": "left", "N": 64 },\n'
            '    { "Name": "Right", "Kind": "Input", "DataSet": "right", "N": 64 },\n'
            '    { "Name": "Pool", "Type": "Pooling", "Function": "MaxOut", "Source": ["Left", "Right"] },\n'
            '    { "Name": "Output", "DataSet": "labels", "N": 10 }\n'
            "  ]\n"
            "}\n"
        ),
    ),
    Rule(
        codes.HIDDEN_SOFTMAX,
        "SoftMax turns a whole layer into shares that sum to 1, which is what a choice among classes needs at the "
        "output. In a hidden layer it lets the units compete for one unit of signal, and DSSTNE took its derivative as "
        "1 there, so training followed no gradient. nnlang refuses it. Use Relu, Tanh or Sigmoid, or make the layer an "
        "Output layer.",
        bad=Example('"Name": "Hidden", "Source": "Input", "N": 128, "Activation": "SoftMax"', "hidden"),
        good=Example('"Name": "Hidden", "Source": "Input", "N": 128, "Activation": "Relu"', "hidden"),
    ),
    Rule(
        codes.NO_DATASET,
        "An Input layer reads a data set and an Output layer learns one; DataSet says which, by the name inside the "
        "data set file (generateNetCDF -d gives it), not by the name of the file. DSSTNE accepted an Output layer "
        "without one and failed when training began. Write the name, such as gl_input.",
        bad=Example(_BOUND, "output"),
        good=Example(f'{_BOUND}, "DataSet": "gl_output"', "output"),
    ),
)

_LOSSES = (
    Rule(
        codes.BAD_PAIR,
        "Not every error function goes with every output activation: CrossEntropy and its scaled kin take logarithms "
        "of outputs between 0 and 1, so they want Sigmoid or SoftMax; the error function is CrossEntropy where none "
        "is written. DSSTNE accepted other pairs and then trained with whatever delta the last batch had left behind. "
        "Change the Activation, or write another ErrorFunction at the top level.",
        bad=Example(f'{_BOUND}, "DataSet": "gl_output", "Activation": "Relu"', "output"),
        good=Example(f'{_BOUND}, "DataSet": "gl_output", "Activation": "Sigmoid"', "output"),
    ),
    Rule(
        codes.BAD_TARGETS,
        "Some error functions need targets of a certain kind. Hinge wants -1 or +1 for every unit, so a dense data "
        "set; DataScaledMarginalCrossEntropy scales the error by the stored values, so a sparse data set with values. "
        "With other data DSSTNE crashed, or stopped when training began. Use another ErrorFunction, or generate the "
        "data set in that form.",
        bad=Example(
            '"ErrorFunction": "DataScaledMarginalCrossEntropy"',
            "top",
            data=(
                DataFacts("gl_input", 100, 64, sparse=True, boolean=True),
                DataFacts("gl_output", 100, 64, sparse=True, boolean=True),
            ),
        ),
        good=Example(
            '"ErrorFunction": "ScaledMarginalCrossEntropy"',
            "top",
            data=(
                DataFacts("gl_input", 100, 64, sparse=True, boolean=True),
                DataFacts("gl_output", 100, 64, sparse=True, boolean=True),
            ),
        ),
        needs="data",
    ),
)

ROWS = (*_LAYERS, *_KINDS, *weights.ROWS, *_LOSSES)
