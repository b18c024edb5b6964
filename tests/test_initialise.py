"""Initial weights: ranges, means and deviations of every scheme, and what decides about them."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlang.network import Init, Optimizer, Scheme, Training
from nnlang.runtime import initialise
from nnlang.runtime.initialise import initial
from nnlang.runtime.program import Program
from tests import networks

IN, OUT = 300, 200
UNIFORM = math.sqrt(3)
# Scheme -> its lowest and highest value, mean and deviation for 300 inputs and 200 outputs with scale 0.5.
WANTED = {
    Scheme.XAVIER: (0.5 * math.sqrt(6 / 500), 0.0),
    Scheme.CAFFE_XAVIER: (0.5 * math.sqrt(3 / OUT), 0.0),
    Scheme.UNIFORM: (0.5, 0.0),
}


@pytest.mark.parametrize("scheme", WANTED, ids=lambda s: s.name.lower())
def test_symmetric_schemes(scheme: Scheme) -> None:
    limit, mean = WANTED[scheme]
    w = initial(Init(scheme, 0.5), 1, 0, IN, OUT).astype(np.float64)
    assert w.shape == (IN, OUT) and abs(w).max() <= limit * (1 + 1e-6) and abs(w).max() > 0.999 * limit
    assert w.mean() == pytest.approx(mean, abs=0.01 * limit) and w.std() == pytest.approx(limit / UNIFORM, rel=0.01)


@pytest.mark.parametrize(("scheme", "deviation"), [(Scheme.GAUSSIAN, 0.5), (Scheme.SELU, 1 / math.sqrt(IN))])
def test_normal_schemes(scheme: Scheme, deviation: float) -> None:
    w = initial(Init(scheme, 0.5), 1, 0, IN, OUT).astype(np.float64) / deviation
    assert w.mean() == pytest.approx(0, abs=0.02) and w.std() == pytest.approx(1, rel=0.01)
    assert (w**4).mean() == pytest.approx(3, rel=0.05) and 3.5 < abs(w).max() < 6.5
    assert (abs(w) < 1).mean() == pytest.approx(0.6827, abs=0.01)


def test_unit_ball_is_positive_and_constant_is_the_scale() -> None:
    w = initial(Init(Scheme.UNIT_BALL, 0.5), 1, 0, IN, OUT)
    assert w.min() > 0 and w.max() <= 0.5 and w.mean() == pytest.approx(0.25, abs=0.005)
    assert (initial(Init(Scheme.CONSTANT, 0.5), 1, 0, 3, 4) == 0.5).all()


@pytest.mark.parametrize("scheme", Scheme, ids=lambda s: s.name.lower())
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (13, 1), (33, 65)])
def test_every_scheme_gives_finite_float32_of_every_shape(scheme: Scheme, shape: tuple[int, int]) -> None:
    w = initial(Init(scheme), 3, 2, *shape)
    assert w.shape == shape and w.dtype == np.float32 and np.isfinite(w).all()


@pytest.mark.parametrize("scheme", [s for s in Scheme if s is not Scheme.CONSTANT], ids=lambda s: s.name.lower())
def test_seed_and_weight_decide(scheme: Scheme) -> None:
    one = initial(Init(scheme), 1, 0, 30, 20)
    assert np.array_equal(one, initial(Init(scheme), 1, 0, 30, 20))
    for other in (initial(Init(scheme), 2, 0, 30, 20), initial(Init(scheme), 1, 1, 30, 20)):
        assert (one == other).mean() < 0.01


@given(
    scheme=st.sampled_from(Scheme),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    spans=st.tuples(*[st.integers(0, 40)] * 4),
    block=st.sampled_from((1, 7, 64, 1 << 20)),
)
@settings(max_examples=200, deadline=None)
def test_a_part_holds_the_numbers_of_the_whole(
    scheme: Scheme, shape: tuple[int, int], spans: tuple[int, int, int, int], block: int
) -> None:
    whole = initial(Init(scheme, 0.7), 5, 1, *shape)
    (a, b), (c, d) = (
        sorted(min(n, most) for n in pair) for pair, most in zip((spans[:2], spans[2:]), shape, strict=True)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initialise, "BLOCK", block)
        part = initial(Init(scheme, 0.7), 5, 1, *shape, (a, b), (c, d))
    assert np.array_equal(part, whole[a:b, c:d])


def test_a_part_takes_the_memory_of_the_part() -> None:
    tracemalloc.start()
    part = initial(Init(Scheme.GAUSSIAN), 1, 0, 2_000_000, 256, (1_000_000, 1_020_000))  # of 2 GB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < part.nbytes + 128 * initialise.BLOCK


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = initial(Init(Scheme.GAUSSIAN), 1, 0, 100, 77)
    monkeypatch.setattr(initialise, "BLOCK", 64)
    assert np.array_equal(initial(Init(Scheme.GAUSSIAN), 1, 0, 100, 77), whole)


def test_a_program_starts_as_its_layers_say() -> None:
    net = networks.change(networks.batch_norm(), "Hidden1", init=Init(Scheme.UNIFORM, 0.25, bias=-0.5))
    program = Program(net, ["step"], 8, Training(optimizer=Optimizer.ADAM))
    program.initialise(5)
    for info in program.states:
        value = program.get(info)
        if (info.owner == "bn" and not info.part.endswith(("v", "s"))) or info.part in ("scale", "variance"):
            assert (value == (1 if info.part in ("scale", "variance") else 0)).all(), info
        elif info.part:
            assert not value.any(), info
        elif info.owner == "bias":
            assert (value == (-0.5 if info.index == 0 else 0)).all()
        else:
            layer = net.layers[net.weights[info.index].target]
            assert np.array_equal(value, initial(layer.init, 5, info.index, *info.shape))
