"""How a training is shared by several devices: what the options of `nnlang train` ask for, checked and made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnlang.cli import options
from nnlang.codes import ranks as codes
from nnlang.codes import usage
from nnlang.diagnostics import stop
from nnlang.linting.config import UnfitError, size

if TYPE_CHECKING:
    from nnlang.network import Network, Training
    from nnlang.placement import Placement
    from nnlang.runtime.devices import Device
    from nnlang.runtime.session import Session
    from nnlang.runtime.ways import Way

WHOLE = ("auto", "data")  # what --parallel may say where every device holds the whole network
BY_STEPS = ("optimizer", "alpha", "mu", "mu1", "alpha_interval", "alpha_multiplier", "shuffle")  # of no use to L-BFGS


@dataclass(frozen=True)
class Wish:
    """What the options of a training ask for."""

    sync_every: int | None = None
    asynchronous: bool = False
    lbfgs: bool = False
    deterministic: bool = False
    parallel: str | None = None
    gpu_memory: str | None = None

    @property
    def named(self) -> list[str]:
        """The options given that name a way of training."""
        given = {
            "--sync-every": self.sync_every is not None,
            "--asynchronous": self.asynchronous,
            "--lbfgs": self.lbfgs,
        }
        return [option for option, is_given in given.items() if is_given]

    def check(self, devices: int, flags: Mapping[str, Any]) -> None:
        """Raises `Stop` for what cannot be had together on so many devices; needs no torch.

        flags: the settings given, by the field names of Training.
        """
        options.positive("--sync-every", self.sync_every, "train")
        self.memory()
        if not self.named:
            return
        option, *others = self.named
        if others:
            raise stop(usage.CANNOT_COMBINE, first=option, second=others[0])
        _check(option, self, devices, flags)

    def memory(self) -> int | None:
        """Bytes of one device, where --gpu-memory says so; raises `Stop` where it makes no sense."""
        if self.gpu_memory is None:
            return None
        try:
            return size(self.gpu_memory)
        except UnfitError as error:
            raise options.refused("--gpu-memory", self.gpu_memory, error.reason, f"give {error.expected}") from error

    def way(self) -> Way:
        """The way of training that is asked for; unless another is, the usual one, all together in every step."""
        from nnlang.runtime.averaging import Averaging
        from nnlang.runtime.lbfgs import Lbfgs
        from nnlang.runtime.shared import Asynchronous
        from nnlang.runtime.together import PLAIN

        if self.sync_every is not None:
            return Averaging(self.sync_every)
        if self.asynchronous:
            return Asynchronous()
        return Lbfgs() if self.lbfgs else PLAIN

    def choose(self, devices: int, device: Device) -> Callable[[Network, Training], Placement]:
        """What lays a network over so many devices: the planner, unless every one holds the whole network."""
        from nnlang.placement import ALONE, Placement
        from nnlang.planner import choose_for

        def chosen(network: Network, training: Training) -> Placement:
            if self.named:
                return Placement(data=devices, exact=self.deterministic)
            if devices == 1 and not (self.deterministic or self.gpu_memory):
                return ALONE
            return choose_for(
                network, training, devices, device.target, self.deterministic, self.parallel, self.memory()
            )  # fmt: skip

        return chosen


def _check(option: str, wish: Wish, devices: int, flags: Mapping[str, Any]) -> None:
    """Raises `Stop` where an option cannot be had with the others that are given."""
    if wish.parallel is not None and wish.parallel.strip().lower() not in WHOLE:
        reason = "every device holds the whole network then, and --parallel asks for parts"
        raise stop(codes.NOT_TOGETHER, option=option, reason=reason, remedy="leave --parallel out")
    if option == "--lbfgs":
        given = [options.FLAGS[name] for name in BY_STEPS if flags.get(name) is not None]
        if given:
            raise stop(usage.CANNOT_COMBINE, first=option, second=given[0])
        return
    if wish.deterministic:
        reason = "the numbers hang on how many devices there are, and --deterministic promises that they do not"
        raise stop(codes.NOT_TOGETHER, option=option, reason=reason, remedy="leave --deterministic out")
    if devices == 1:
        remedy = "give --devices 2 or more, or leave it out"
        raise stop(codes.NOT_TOGETHER, option=option, reason="there is one device, which trains alone", remedy=remedy)


def told(session: Session, way: Way) -> str:
    """How a training is shared, in words: `4: Input, Output split over 2, rows over 2`."""
    mesh, placement, count = session.mesh, session.placement, session.mesh.size
    if way.name:
        return f"{count}: {way.name}" + (", each with the whole network" if count > 1 else "")
    names = ", ".join(session.network.layers[number].name for number in sorted(placement.split))
    shares = [f"{names} split over {placement.model}"] if placement.model > 1 else []
    shares += [f"rows dealt out to {placement.data}"] if placement.data > 1 else []
    exact = ", deterministic" if placement.exact else ""
    return f"{mesh.size}: {'; '.join(shares) or 'one does it all'}{exact}"
