"""NN4: units and axes, and the data sets that layers bind."""

from __future__ import annotations

from nnlang.codes import shapes as codes
from nnlang.network import DataFacts
from nnlang.rules import fixes, mending
from nnlang.rules.rule import Example, Rule

_HIDDEN = '"Name": "Hidden", "Source": "Input"'
_INPUT = '"Name": "Input", "Kind": "Input", "DataSet": "gl_input"'
_OUTPUT = '"Name": "Output", "Kind": "Output", "Source": "Hidden", "DataSet": "gl_output"'
_DATA = (DataFacts("gl_input", 100, 64), DataFacts("gl_output", 100, 64))
_IMAGE = '{ "Name": "Input", "DataSet": "gl_input", "N": [32, 32, 3] }'
_LABELS = '{ "Name": "Output", "DataSet": "gl_output", "N": 10 }'


def _images(text: str) -> Example:
    """A layer between an image of three channels and ten classes."""
    return Example(f"{_IMAGE},\n    {{ {text} }},\n    {_LABELS}", "layers")


def _pairs(left: int, right: int) -> Example:
    return Example(
        f'{{ "Name": "User", "DataSet": "users", "N": {left} }},\n'
        f'    {{ "Name": "Item", "Kind": "Input", "DataSet": "items", "N": {right} }},\n'
        '    { "Name": "Match", "Type": "Pooling", "Function": "Cosine", "Source": ["User", "Item"] },\n'
        '    { "Name": "Output", "DataSet": "clicks", "N": 1 }',
        "layers",
    )


def _skipping(units: int) -> Example:
    return Example(
        '{ "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        f'    {{ "Name": "Hidden", "N": {units}, "Skip": "Input" }},\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64 }',
        "layers",
    )


def _tied(more: str) -> Example:
    return Example(
        '{ "Name": "Input", "DataSet": "gl_input", "N": 64 },\n'
        '    { "Name": "Hidden", "N": 16 },\n'
        '    { "Name": "Output", "DataSet": "gl_output", "N": 64, "SharedWeights":\n'
        f'      {{ "SourceInputLayer": "Input", "SourceOutputLayer": "Hidden", "InputLayer": "Hidden"{more} }} }}',
        "layers",
    )


_UNITS = (
    Rule(
        codes.NO_SIZE,
        "N is how many units a layer has. DSSTNE took 1 where it was missing, without a word, and trained a network "
        "that could learn next to nothing; nnlang wants it written. Input and Output layers can take the size of "
        'their data set with "auto", convolutional layers name their feature maps, pooling layers need no N.',
        bad=Example(_INPUT, "input"),
        good=Example(f'{_INPUT}, "N": "auto"', "input"),
        fix=mending.auto_size,
        safe=False,
    ),
    Rule(
        codes.HIDDEN_AUTO,
        '"auto" takes the size of the data set that a layer binds. Hidden layers bind none, so their size is for you '
        "to choose: it decides what the network can hold and what training costs. DSSTNE refuses this too. Write the "
        "number of units, 128 to begin with, say; multiples of 64 waste nothing.",
        bad=Example(f'{_HIDDEN}, "N": "auto"', "hidden"),
        good=Example(f'{_HIDDEN}, "N": 128', "hidden"),
    ),
    Rule(
        codes.NO_SUCH_DATA,
        "DataSet has to be the name of a data set in one of the files that were given. The name is inside the file, "
        "where generateNetCDF put it, so renaming the file does not help. DSSTNE stops as well, if the layer's size "
        'is "auto", or when training begins. Write the name that the file holds, or give the file that was meant.',
        bad=Example('"Name": "Input", "Kind": "Input", "DataSet": "gl_inputs", "N": "auto"', "input", data=_DATA),
        good=Example(f'{_INPUT}, "N": "auto"', "input", data=_DATA),
        fix=mending.take_data,
        safe=False,
        needs="data",
    ),
    Rule(
        codes.TOO_MANY_UNITS,
        "The sizes along all axes of a layer are multiplied, and the product has to fit a 32-bit integer, which is "
        "what model files and kernels count units with. A layer of this size would take gigabytes for one example in "
        "any case. Write fewer units, or check which axis has a digit too many.",
        bad=Example(f'{_HIDDEN}, "N": [65536, 65536]', "hidden"),
        good=Example(f'{_HIDDEN}, "N": [64, 64]', "hidden"),
    ),
    Rule(
        codes.DATA_TOO_WIDE,
        "Each value of a data set needs a unit of the layer that binds it: along no axis may the layer be narrower. "
        "DSSTNE printed a message, passed the data set over and failed later. This often shows that the data was "
        'generated again with more features than the definition knew. Write "auto", which follows the data, or the '
        "right size.",
        bad=Example(f'{_INPUT}, "N": 63', "input", data=_DATA),
        good=Example(f'{_INPUT}, "N": "auto"', "input", data=_DATA),
        fix=mending.take_size,
        safe=False,
        needs="data",
    ),
    Rule(
        codes.DATA_AXES,
        "The data set and the layer that binds it count their units along different numbers of axes, though all values "
        "fit. To fully connected layers this makes no difference; convolution and pooling work along axes, and would "
        'see another picture than the data holds. DSSTNE warned too. Write "auto" to take the axes from the data set.',
        bad=Example(f'{_INPUT}, "N": [64, 2]', "input", data=_DATA),
        good=Example(f'{_INPUT}, "N": "auto"', "input", data=_DATA),
        fix=mending.take_size,
        safe=False,
        needs="data",
    ),
    Rule(
        codes.EXAMPLES_DIFFER,
        "Training takes the examples of all data sets side by side: the first of one belongs to the first of the "
        "other. With different counts they cannot belong together. DSSTNE passed the second data set over and failed "
        "later. Usually one file was generated again and the other not, or without the same index of samples: "
        "generate both from the same samples with the same sample index.",
        bad=Example(
            f'{_INPUT}, "N": "auto"', "input", data=(DataFacts("gl_input", 100, 64), DataFacts("gl_output", 99, 64))
        ),
        good=Example(f'{_INPUT}, "N": "auto"', "input", data=_DATA),
        needs="data",
    ),
)

_AXES = (
    Rule(
        codes.FEATURE_MAPS,
        "A convolutional layer slides its kernels over its source, so its size along those axes follows from the "
        "source, the kernel and the stride; what is free is the number of feature maps. N is that number, or the "
        "whole shape with the maps last, if it agrees with what follows. Write the number of feature maps alone.",
        bad=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": [5, 5], "N": [28, 28, 16]'),
        good=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": [5, 5], "N": 16'),
        fix=mending.feature_maps,
        safe=False,
    ),
    Rule(
        codes.SOURCES_DIFFER,
        "Pooling layers with several sources combine them unit by unit, and a convolutional layer adds up the maps "
        "made from each of its sources, so all of them need the same shape. DSSTNE stopped when it built the network. "
        "Give the sources equal sizes, or lead one of them through a fully connected layer of the right size first.",
        bad=_pairs(64, 32),
        good=_pairs(64, 64),
    ),
    Rule(
        codes.TOO_MANY_AXES,
        "A convolution slides along as many axes as its Kernel has sizes, and the last axis of its source, the "
        "channels, is taken whole at every place. An image of 32 x 32 with 3 channels therefore wants two kernel "
        "sizes; a single number means one axis, which would leave one over. Write a size for every axis but the last.",
        bad=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": 5, "N": 16'),
        good=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": [5, 5], "N": 16'),
    ),
    Rule(
        codes.STRIDE_AXES,
        "KernelStride says how far the kernel moves along each of its axes, so it cannot have more entries than Kernel "
        "has sizes; a Kernel that is one number has one axis. Entries that are missing count as 1. Write a stride for "
        "each kernel size, or give the kernel the axis that is missing.",
        bad=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": [5, 5], "KernelStride": [2, 2, 1], "N": 16'),
        good=_images('"Name": "Maps", "Type": "Convolutional", "Kernel": [5, 5], "KernelStride": [2, 2], "N": 16'),
    ),
    Rule(
        codes.POOLED_SIZE,
        "The shape of a pooling layer follows from its sources, its kernel and its stride; nothing is left to choose. "
        "Along an axis of size n, a kernel k with stride s above 1 leaves (n - k) / s + 1, rounded down. An N that "
        "says otherwise shows that one of these numbers is not what you think. Remove N, or correct the kernel or "
        "stride.",
        bad=_images(
            '"Name": "Pool", "Type": "Pooling", "Function": "Max",\n'
            '      "Kernel": [2, 2], "KernelStride": [2, 2], "N": [15, 15, 3]'
        ),
        good=_images(
            '"Name": "Pool", "Type": "Pooling", "Function": "Max",\n      "Kernel": [2, 2], "KernelStride": [2, 2]'
        ),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
)

_EDGES = (
    Rule(
        codes.SKIP_SHAPE,
        "A skip adds the units of an earlier layer, one to one, to this layer's sums before the activation; there are "
        "no weights that could turn one size into another. DSSTNE stopped when it built the network. Give both layers "
        "the same N, or use Source, which goes through weights, instead of Skip.",
        bad=_skipping(32),
        good=_skipping(64),
    ),
    Rule(
        codes.SHARED_SHAPE,
        "A shared matrix has the sizes of the edge that owns it, units of its source by units of its target, and the "
        "edge that takes it needs the same, or the same the other way round with Transposed. A decoder that mirrors "
        "its encoder needs Transposed: true. For convolutions, Kernel and channels have to agree as well. DSSTNE "
        "stopped when it built the network.",
        bad=_tied(""),
        good=_tied(', "Transposed": true'),
        fix=mending.transpose,
        safe=False,
    ),
)

ROWS = (*_UNITS, *_AXES, *_EDGES)
