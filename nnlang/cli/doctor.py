"""`nnlang doctor`: what a run here stands on, and whether every kind of kernel computes what it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from nnlang.cli import options, show
from nnlang.diagnostics import DEVICE

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.selfcheck import Check


def doctor(
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    json: options.Json = False,
) -> None:
    """Tell versions, devices, memory and the cache folder, then check every kind of kernel on the device.

    \b
    nnlang doctor
    nnlang doctor --device cuda --precision fp32
    nnlang doctor --device interpret

    Each kernel works in a small network, twice; its numbers are compared with float64, its bits with one another. Exits
    with 5 where a check fails or the device cannot be used.
    """
    from nnlang.runtime.doctor import facts
    from nnlang.runtime.selfcheck import ENTRIES, checks

    place = options.device(device, precision, tuning, "doctor")
    found = facts(place)
    if json:
        show.record({"event": "facts", **found})
    else:
        show.table("", ("", ""), list(found.items()))
    bar, results = show.Bar("checking"), []
    for result in checks(place):
        results.append(result)
        bar(len(results), len(ENTRIES))
    bar.clear()
    _report(results, place, json)
    if not all(result.passed for result in results):
        raise typer.Exit(DEVICE)


def _report(results: Sequence[Check], device: Device, as_json: bool) -> None:
    if as_json:
        for x in results:
            show.record({"event": "check", **asdict(x), "passed": x.passed})
        return
    rows = []
    for x in results:
        bits, verdict = "same" if x.repeats else "OTHER", "ok" if x.passed else "FAILED"
        rows.append((x.name, f"{x.distance:.1e}", f"{x.tolerance:.0e}", bits, verdict, ", ".join(x.kinds)))
    show.say()
    columns = ("checked", "distance", "allowed", "bits, again", "", "kernels")
    show.table(f"kernels on {device.name}, beside float64", columns, rows)
