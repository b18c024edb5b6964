"""The counter-based generator: the published vectors, uniformity, independence of how it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnlang.runtime.philox import keep_units, philox, uniform_entries, unit_interval

ONES = 0xFFFFFFFF
# Known answers of Random123 (kat_vectors, philox4x32, 10 rounds): counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES << 32) | ONES, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0x299F31D0 << 32) | 0xA4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN, ids=["zeros", "ones", "pi"])
def test_known_answers(counter: tuple[int, ...], key: int, expected: tuple[int, ...]) -> None:
    c0, c1, c2, c3 = counter
    words = philox(key, np.array([c0], np.uint64), np.array([c1], np.uint64), c2, c3)
    assert tuple(int(w[0]) for w in words) == expected


def test_numbers_lie_in_the_unit_interval() -> None:
    edges = unit_interval(np.array([0, 255, 256, ONES], np.uint64))
    assert edges[0] == edges[1] == 0 and edges[2] == np.float32(2.0**-24) and edges[3] == np.float32(1 - 2.0**-24)
    assert edges.dtype == np.float32


def test_masks_are_uniform() -> None:
    draws = keep_units(7, 1, 0, torch.arange(500), 200).double()
    assert draws.min() >= 0 and draws.max() < 1
    assert float(draws.mean()) == pytest.approx(0.5, abs=0.005) and float(draws.var()) == pytest.approx(
        1 / 12, abs=0.002
    )
    assert abs(float(torch.corrcoef(draws[:, :2].t())[0, 1])) < 0.15
    assert torch.histc(draws, 10).div(10_000).sub(1).abs().max() < 0.05


def test_a_mask_follows_from_example_and_unit_alone() -> None:
    whole = keep_units(7, 1, 3, torch.arange(20), 10)
    assert torch.equal(keep_units(7, 1, 3, torch.tensor([13, 2, 19]), 10), whole[[13, 2, 19]])
    assert torch.equal(keep_units(7, 1, 3, torch.arange(20), 7), whole[:, :7])


@pytest.mark.parametrize("other", [(8, 1, 3), (7, 2, 3), (7, 1, 4), (7 + (1 << 32), 1, 3)])
def test_seed_layer_and_step_decide(other: tuple[int, int, int]) -> None:
    one, two = (keep_units(*key, torch.arange(20), 10) for key in ((7, 1, 3), other))
    assert float((one == two).double().mean()) < 0.01


def test_entries_follow_from_example_and_feature_alone() -> None:
    examples, features = torch.tensor([0, 0, 5, 9]), torch.tensor([3, 4, 3, 100_000])
    draws = uniform_entries(7, 0, 2, examples, features)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(uniform_entries(7, 0, 2, examples[order], features[order]), draws[order])
    assert not torch.equal(uniform_entries(7, 0, 3, examples, features), draws)
    assert len(uniform_entries(7, 0, 2, examples[:0], features[:0])) == 0


def test_purposes_never_share_numbers() -> None:
    units = keep_units(7, 0, 0, torch.arange(1), 4)[0]
    entries = uniform_entries(7, 0, 0, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    assert float(entries[0]) not in units.tolist()
