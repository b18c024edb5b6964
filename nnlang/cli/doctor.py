"""`nnlang doctor`: what a run here stands on, and whether every kind of kernel computes what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from nnlang.cli import options, ranks, show
from nnlang.diagnostics import DEVICE, bytes_text

if TYPE_CHECKING:
    from nnlang.runtime.devices import Device
    from nnlang.runtime.links import Link, Sum
    from nnlang.runtime.selfcheck import Check

_VERDICTS = {True: "ok", False: "FAILED"}


def doctor(
    device: options.Device = None,
    precision: options.Precision = None,
    tuning: options.Tuning = None,
    devices: options.Devices = None,
    json: options.Json = False,
) -> None:
    """Tell versions, devices, memory and the cache folder, then check every kind of kernel on the device.

    \b
    nnlang doctor
    nnlang doctor --device cuda --precision fp32
    nnlang doctor --device interpret
    nnlang doctor --devices 4

    Each kernel works in a small network, twice; its numbers are compared with float64, its bits with one another. Exits
    with 5 where a check fails or the device cannot be used. With --devices the links are checked instead: each pair of
    devices, and sums over all of them; under torchrun those between machines as well.
    """
    here = ranks.start(devices, "doctor")
    if here.size > 1:
        _check_links(options.device(device, precision, tuning, "doctor"), json)
        return
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


def _check_links(device: Device, as_json: bool) -> None:
    """Measure and check what joins the ranks; every rank measures, the first one tells."""
    from nnlang.runtime import links

    with ranks.together(device) as mesh:
        hosts = links.hosts(mesh, device)
        bar, pairs, count = show.Bar("links"), [], mesh.size * (mesh.size - 1) // 2
        for link in links.links(mesh, device, hosts):
            pairs.append(link)
            bar(len(pairs), count)
        bar.clear()
        sums = list(links.sums(mesh, device))
    tell = _record_links if as_json else _show_links
    tell(hosts, pairs, sums)
    if not all([link.is_right for link in pairs] + [total.is_right for total in sums]):
        raise typer.Exit(DEVICE)


def _record_links(hosts: Sequence[Mapping[str, str]], links: Sequence[Link], sums: Sequence[Sum]) -> None:
    for rank, host in enumerate(hosts):
        show.record({"event": "rank", "rank": rank, **host})
    for event, found in (("link", links), ("sum", sums)):
        for row in found:
            show.record({"event": event, **asdict(row)})


def _show_links(hosts: Sequence[Mapping[str, str]], links: Sequence[Link], sums: Sequence[Sum]) -> None:
    rows: list[Sequence[object]] = [(rank, *host.values()) for rank, host in enumerate(hosts)]
    show.table("ranks", ("rank", "machine", "device", "threads"), rows)
    show.say()
    rows = [
        (f"{x.first} - {x.second}", f"{1e6 * x.latency:.1f} us", f"{bytes_text(x.rate)}/s", _VERDICTS[x.is_right])
        for x in links
    ]
    show.table("links", ("ranks", "latency", "speed", ""), rows)
    show.say()
    rows = [
        (bytes_text(x.size), f"{1e3 * x.library:.3f} ms", f"{1e3 * x.exact:.3f} ms", _VERDICTS[x.is_right])
        for x in sums
    ]
    show.table(f"sums over {len(hosts)} ranks", ("size", "all-reduce", "--deterministic", ""), rows)
