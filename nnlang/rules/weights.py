"""NN3: shared weights, which say that one edge uses the matrix of another."""

from __future__ import annotations

from nnlang.codes import names as codes
from nnlang.rules import fixes, mending
from nnlang.rules.rule import Example, Rule

_AUTOENCODER = '"Name": "Output", "Kind": "Output", "Source": "Hidden", "N": 64, "DataSet": "gl_output"'
_POOLED = '"Name": "Hidden", "Source": "Input", "Type": "Pooling", "Function": "LRN"'


def _shared(source: str, target: str, of: str, more: str = "") -> str:
    return f'{{ "SourceInputLayer": "{source}", "SourceOutputLayer": "{target}", "InputLayer": "{of}"{more} }}'


def _decoder(entry: str) -> Example:
    """The Output layer of an autoencoder, with SharedWeights."""
    return Example(f'{_AUTOENCODER},\n      "SharedWeights": {entry}', "output")


def _stack(*shared: str) -> Example:
    """Four layers of 64 units one upon the other; the third and fourth share."""
    names = ("A", "B", "Output")
    lines = [f',\n      "SharedWeights": {entry}' if entry else "" for entry in shared]
    layers = [
        f'    {{ "Name": "{name}", "N": 64{", " + _OUT if name == "Output" else ""}{line} }}'
        for name, line in zip(names, lines, strict=True)
    ]
    body = ",\n".join(['    { "Name": "Input", "DataSet": "gl_input", "N": 64 }', *layers])
    return Example(f'{{\n  "Layers": [\n{body}\n  ]\n}}\n')


_OUT = '"DataSet": "gl_output"'
_TURNED = ', "Transposed": true'
_SOUND = _shared("Input", "Hidden", "Hidden", _TURNED)

ROWS = (
    Rule(
        codes.NOT_A_SOURCE,
        "SharedWeights of a layer says for one of its sources, the InputLayer, that it is read through weights that "
        "stand elsewhere (those from SourceInputLayer to SourceOutputLayer). An InputLayer that is no source of this "
        "layer has no weights here to replace. DSSTNE refuses it too, without naming the layer. Write one of the "
        "layer's sources.",
        bad=_decoder(_shared("Input", "Hidden", "Input", _TURNED)),
        good=_decoder(_SOUND),
        fix=fixes.rename,
        safe=False,
    ),
    Rule(
        codes.NO_SUCH_WEIGHTS,
        "SourceInputLayer and SourceOutputLayer name two layers of which the second reads the first through weights: "
        "its Source has to name it. Input layers read nothing and pooling layers have no weights. DSSTNE stops on this "
        "when it builds the network. Name the two ends of an edge that exists.",
        bad=_decoder(_shared("Input", "Hiden", "Hidden", _TURNED)),
        good=_decoder(_SOUND),
        fix=fixes.rename,
        safe=False,
    ),
    Rule(
        codes.SHARED_TWICE,
        "Weights can be shared from an edge that has a matrix of its own, not from one that shares itself, so that "
        "there is one owner whose settings hold, such as how the matrix begins. All edges that take an owner's matrix "
        "share it among each other. DSSTNE does not find the weights in such a chain and stops. Name the owner "
        "directly.",
        bad=_stack("", _shared("Input", "A", "A"), _shared("A", "B", "B")),
        good=_stack("", _shared("Input", "A", "A"), _shared("Input", "A", "B")),
        fix=mending.owner,
        safe=False,
    ),
    Rule(
        codes.SHARES_ITSELF,
        "The entry says that an edge takes the weights of the very same edge, which says nothing: every edge has its "
        "own weights unless it shares. Most often the names of the encoder's layers were meant, and Transposed to turn "
        "its matrix round. Name the other edge, or remove the entry.",
        bad=_decoder(_shared("Hidden", "Output", "Hidden")),
        good=_decoder(_SOUND),
        fix=mending.remove_entry,
        safe=False,
    ),
    Rule(
        codes.REPEATED_SHARE,
        "A source is read through one matrix, so it can be given shared weights once. Of two entries for the same "
        "InputLayer only one could count, and it would not be clear which. Keep the one that is meant; for a second "
        "source, write its name as InputLayer.",
        bad=_stack("", "", f"[{_shared('Input', 'A', 'B')},\n        {_shared('A', 'B', 'B')}]"),
        good=_stack("", "", f"[{_shared('Input', 'A', 'B')}]"),
        fix=mending.remove_entry,
        safe=False,
    ),
    Rule(
        codes.NO_WEIGHTS,
        "A pooling layer computes its Function from its sources directly: no weights lead into it, so there are none "
        "that could be taken from elsewhere. Remove SharedWeights here, or write them into the layer that was meant.",
        bad=Example(f'{_POOLED},\n      "SharedWeights": {_shared("Hidden", "Output", "Input")}', "hidden"),
        good=Example(_POOLED, "hidden"),
        fix=fixes.remove_key_unsafely,
        safe=False,
    ),
)
