"""NN4: a definition held against a model. Would it load these weights, and would they mean the same?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from nnlang.codes import shapes as codes
from nnlang.diagnostics import Diagnostic, Place
from nnlang.legality import activation_spelling
from nnlang.network import Activation, Kind, Layer, LayerType, Network
from nnlang.rules.rule import FRAMES, Example, Rule, Subject
from nnlang.schema import LAYER_TYPE
from nnlang.source import Span
from nnlang.suggest import SUGGESTIONS, closest

Edge = tuple[str, str]  # names of the source and of the target


def _edges(network: Network) -> dict[Edge, tuple[int, int]]:
    """Units on both sides of each matrix that is kept, by the names of its layers."""
    owned = (w for w in network.weights if w.owner is None)
    return {(network.layers[w.source].name, network.layers[w.target].name): network.shape(w) for w in owned}


def missing(subject: Subject) -> Iterator[Diagnostic]:
    """Weights of the definition that the model does not hold."""
    if subject.saved is None:
        return
    held, heads = _edges(subject.saved.network), _heads(subject)
    known = dict.fromkeys(name for edge in held for name in edge)
    listed = ", ".join(f"`{a}` to `{b}`" for a, b in list(held)[:6])
    hints = SUGGESTIONS
    for edge in _edges(subject.network):
        if edge not in held:
            strange = next((name for name in edge if name not in known), None)
            hints -= strange is not None
            near = closest(strange, known) if strange and hints >= 0 else None
            remedy = f"is `{near}` of the model meant by `{strange}`?" if near else f"the model has {listed}"
            facts = {"path": subject.saved.path, "source": edge[0], "target": edge[1], "remedy": remedy}
            yield Diagnostic(codes.SAVED_MISSING, subject.place(heads[edge[1]]), facts)


def _heads(subject: Subject) -> Mapping[str, Span]:
    """Where each layer is written, by its name."""
    return {layer.name: written.head for written, layer in subject.layers()}


def other_shapes(subject: Subject) -> Iterator[Diagnostic]:
    """Weights that both have, in other sizes; sizes that are not known here are not compared."""
    if subject.saved is None:
        return
    held, heads = _edges(subject.saved.network), _heads(subject)
    for edge, shape in _edges(subject.network).items():
        found = held.get(edge)
        if found and any(here and here != there for here, there in zip(shape, found, strict=True)):
            facts = {"path": subject.saved.path, "source": edge[0], "target": edge[1]}
            sizes = {"found": _by(found), "expected": _by(shape)}
            yield Diagnostic(codes.SAVED_SHAPE, subject.place(heads[edge[1]]), {**facts, **sizes})


def _by(shape: tuple[int, int]) -> str:
    return " x ".join(str(n) if n else "auto" for n in shape)


def unused(subject: Subject) -> Iterator[Diagnostic]:
    """Weights of the model that the definition has no place for."""
    if subject.saved is None:
        return
    here = _edges(subject.network)
    for source, target in _edges(subject.saved.network):
        if (source, target) not in here:
            facts = {"path": subject.saved.path, "source": source, "target": target}
            yield Diagnostic(codes.SAVED_UNUSED, Place(subject.source.name), facts)


def _with(*activations: Activation) -> Callable[[Layer], bool]:
    return lambda layer: layer.activation in activations


def _always(layer: Layer) -> bool:
    return True


# What a layer computes with: the key, the layers that it matters to, its value as a definition has it.
_COMPARED: tuple[tuple[str, Callable[[Layer], bool], Callable[[Layer, Network], object]], ...] = (
    ("Activation", _always, lambda layer, _: activation_spelling(layer.activation)),
    ("ReluSlope", _with(Activation.LEAKY_RELU), lambda layer, _: _rounded(layer.slope)),
    ("EluAlpha", _with(Activation.ELU, Activation.SELU), lambda layer, _: _rounded(layer.elu_alpha)),
    ("SeluLambda", _with(Activation.SELU), lambda layer, _: _rounded(layer.selu_lambda)),
    ("BatchNormalization", _always, lambda layer, _: layer.batch_normalization),
    ("Skip", _always, lambda layer, network: sorted(network.layers[i].name for i in layer.skips)),
    ("Type", _always, lambda layer, _: next(o.spelling for o in LAYER_TYPE.options if o.value is layer.type)),
)


def _rounded(value: float) -> float:
    """A number as far as model files keep it, which hold float32."""
    return float(f"{value:.6g}")


def differing(subject: Subject) -> Iterator[Diagnostic]:
    """Layers that both have and that compute something else here."""
    if subject.saved is None:
        return
    here, there = subject.network, subject.saved.network
    then = {layer.name: layer for layer in there.layers}
    for written, layer in subject.layers(Kind.HIDDEN, Kind.OUTPUT):
        before = then.get(layer.name)
        if before is None or LayerType.POOLING in (before.type, layer.type):
            continue
        for key, matters, of in _COMPARED:
            was, now = of(before, there), of(layer, here)
            if was != now and matters(before) and matters(layer):
                facts = {"name": layer.name, "path": subject.saved.path, "key": key}
                values = {"then": _json(was), "now": _json(now)}
                yield Diagnostic(codes.SAVED_DIFFERS, subject.place(written.head), {**facts, **values})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_INPUT = '{ "Name": "Input", "Kind": "Input", "N": 64, "DataSet": "gl_input" },\n    '
_OUTPUT = '{ "Name": "Output", "Kind": "Output", "N": 64, "DataSet": "gl_output" }'
_HIDDEN = '{ "Name": "Hidden", "N": 32, "Activation": "Sigmoid" },\n    '


def _against(hidden: str) -> Example:
    """A definition with this hidden layer, held against a model with the usual one."""
    return Example(_INPUT + hidden + _OUTPUT, "layers", saved=FRAMES["layers"].replace("@", _INPUT + _HIDDEN + _OUTPUT))


_TOO_MANY = """python3 -c 'print("{{", ",\\n".join("\\"key%d\\": 1" % i for i in range({})), "}}")' > a.json
nnlang lint a.json"""
_GOOD = _against(_HIDDEN)
ROWS = (
    Rule(
        codes.SAVED_MISSING,
        "Told with --against model.nc. Weights are found by the names of the layers that they join. A matrix that the "
        "model does not hold would begin with random numbers; nothing loads a model in part without being told to.",
        bad=_against(_HIDDEN.replace("Hidden", "Hiddem")),
        good=_GOOD,
        check=missing,
        needs="saved",
    ),
    Rule(
        codes.SAVED_SHAPE,
        "Told with --against model.nc. The matrix is there, with other sizes: the number of units of a layer has "
        "changed since the model was trained, or a data set has grown. Weights cannot be stretched.",
        bad=_against(_HIDDEN.replace("32", "48")),
        good=_GOOD,
        check=other_shapes,
        needs="saved",
    ),
    Rule(
        codes.SAVED_UNUSED,
        "Told with --against model.nc. The model holds weights between layers that the definition no longer joins; "
        "they would be left out, and a model saved afterwards would not have them.",
        bad=_against(_HIDDEN.replace("Hidden", "Hiddem")),
        good=_GOOD,
        check=unused,
        needs="saved",
    ),
    Rule(
        codes.SAVED_DIFFERS,
        "Told with --against model.nc. The weights fit, but the layer computes something else with them than it did in "
        "training: another activation, slope, normalisation or skip. Predictions would be those of another network.",
        bad=_against(_HIDDEN.replace("Sigmoid", "Tanh")),
        good=_GOOD,
        check=differing,
        needs="saved",
    ),
    Rule(
        codes.MORE_FINDINGS,
        "At most 1,000 findings are told for one text. More of them say the same again and again, and a machine that "
        "reads the report has limits of its own.",
        bad=Example(_TOO_MANY.format(2000), "shell"),
        good=Example(_TOO_MANY.format(20), "shell"),
    ),
)
