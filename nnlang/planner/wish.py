"""What `--parallel` asks for: how ranks share a batch and layers, in general and layer by layer.

auto                     the cost model decides
model | data | data=2    ranks share layers; rows of every batch; two groups share the rows
Output=split             the units of a layer are split over the model ranks
Hidden=whole             every rank has all of them
Output=columns           as split: the matrices into the layer are held by columns
Hidden=rows              the matrices into the layer are held by rows: its sources are split, it is whole itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnlang.codes import ranks as codes
from nnlang.diagnostics import stop
from nnlang.network import Network
from nnlang.suggest import did_you_mean

FORMS = ("split", "whole", "columns", "rows")
_ITEMS = "auto, model, data, data=2 or NAME=split, NAME=whole, NAME=columns, NAME=rows"


@dataclass(frozen=True)
class Wish:
    """What was asked for. data: groups that share out the rows, None where the cost model decides, 0 for every rank.

    layers: `split`, `whole`, `columns` or `rows` by the layer's name.
    """

    data: int | None = None
    layers: Mapping[str, str] = field(default_factory=dict)

    def groups(self, ranks: int) -> int | None:
        """How many groups of some ranks share out the rows; None where that is open."""
        return ranks if self.data == 0 else self.data


def parse(text: str | None) -> Wish:
    """The wish of a text, of none or `auto` one that leaves all open. Raises Stop (NN811) for another text."""
    data: int | None = None
    layers: dict[str, str] = {}
    general = ""
    for item in (part.strip() for part in (text or "auto").split(",")):
        name, equals, value = (part.strip() for part in item.rpartition("="))
        if not equals or (name == "data" and value.lower() not in FORMS):
            if general:
                raise _refused(item, f"`{general}` says how already")
            general, data = item, _groups(item, name, value)
        elif value.lower() not in FORMS or not name:
            raise _refused(item, f"it takes {_ITEMS}", did_you_mean(value, FORMS))
        elif layers.setdefault(name, value.lower()) != value.lower():
            raise _refused(item, f"layer `{name}` is to be {layers[name]} already")
    return Wish(data, layers)


def _groups(item: str, name: str, value: str) -> int | None:
    """The groups that share out the rows, as a general word says it."""
    word = {"auto": None, "model": 1, "data": 0}
    if item.lower() in word:
        return word[item.lower()]
    if name == "data" and value.isascii() and value.isdigit() and len(value) < 7 and int(value) > 0:
        return int(value)
    raise _refused(item, f"it takes {_ITEMS}", did_you_mean(item, word))


def asked(wish: Wish, network: Network) -> dict[int, bool]:
    """Which layers are to be split (True) or whole, by number. Raises Stop for names of no layer and contradictions."""
    numbers = {layer.name: layer.index for layer in network.layers}
    found: dict[int, bool] = {}
    for name, form in wish.layers.items():
        if name not in numbers:
            help = did_you_mean(name, numbers) or f"the layers are {', '.join(numbers)}"
            raise stop(codes.NO_SUCH_LAYER, name=name, help=help)
        layer = network.layers[numbers[name]]
        if form == "rows" and not layer.sources:
            help = f"the matrices out of it are held by rows where it is split: {name}=split"
            raise stop(codes.CANNOT_SPLIT, name=name, wish="rows", reason="no matrix leads into it", help=help)
        wanted = {layer.index: form in ("split", "columns")}
        wanted |= dict.fromkeys(layer.sources, True) if form == "rows" else {}
        for number, split in wanted.items():
            if found.setdefault(number, split) != split:
                other = network.layers[number].name
                raise _refused(f"{name}={form}", f"layer `{other}` cannot be both split and whole")
    return found


def _refused(item: str, reason: str, help: str | None = None) -> Exception:
    return stop(codes.BAD_WISH, item=item, reason=reason, help=help)
