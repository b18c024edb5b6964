"""Lowering: what the entry points of a network are made of, in which order, under which names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnlang.codes import training as codes
from nnlang.compiler import without_updates
from nnlang.diagnostics import USAGE, Stop
from nnlang.dumping import dump
from nnlang.lower import ENTRIES, Lowered, StateInfo, Structure, lower, states_of
from nnlang.network import Activation, ErrorFunction, LayerType, Loss, Network, Optimizer
from nnlang.ops import Assign, Clip, Denoise, Keep, Matmul, Op, Reduce, Result, Softmax, Update, topological
from nnlang.verify import verify
from tests import networks

ADAM = Structure(Optimizer.ADAM)


def kinds(low: Lowered, kind: type[Op]) -> list[Op]:
    return [op for op in topological(low.roots) if isinstance(op, kind)]


@pytest.mark.parametrize("make", networks.ALL, ids=lambda m: m.__name__)
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_point_is_valid_and_repeats_itself(make: object, entry: str) -> None:
    low = lower(make(), entry, ADAM)  # type: ignore[operator]
    verify(low.roots)
    assert dump(low.roots) == dump(lower(make(), entry, ADAM).roots)  # type: ignore[operator]


def test_predict_returns_every_output_and_writes_nothing() -> None:
    low = lower(networks.two_inputs(), "predict")
    assert low.results == ["output 3", "output 4"] and all(isinstance(r, Result) for r in low.roots)
    assert [s.role for s in low.slots] == ["input", "input"] and not kinds(low, Update)


def test_noise_is_for_steps_only() -> None:
    for entry in ENTRIES:
        low = lower(networks.three_hidden(), entry, ADAM)
        wanted = 1 if entry == "step" else 0
        assert len(kinds(low, Keep)) == len(kinds(low, Denoise)) == wanted, entry


def test_every_parameter_is_updated_once_last_built_first() -> None:
    net = networks.two_inputs()
    low = lower(net, "step", ADAM)
    updated = [low.states[u.states[0].number] for u in kinds(low, Update)]  # type: ignore[attr-defined]
    order = [(info.owner, info.index) for info in updated]
    assert order == [(owner, w.index) for w in reversed(net.weights) for owner in ("weight", "bias")]
    assert all(len(u.states) == 3 and u.names == ("w", "v", "s") for u in kinds(low, Update))  # type: ignore[attr-defined]


def test_biases_are_not_decayed() -> None:
    low = lower(networks.one_hidden(), "step", Structure(Optimizer.SGD, l2=True, l1=True))
    for update in kinds(low, Update):
        names = {name for name, _ in update.scalars}  # type: ignore[attr-defined]
        weight = low.states[update.states[0].number].owner == "weight"  # type: ignore[attr-defined]
        assert ({"lambda", "lambda1"} <= names) == weight


def test_a_shared_matrix_is_one_state_with_a_bias_an_edge() -> None:
    low = lower(networks.shared_transposed(), "predict")
    assert [s.index for s in low.states if s.owner == "weight"] == [0, 1, 3]
    assert [s.index for s in low.states if s.owner == "bias"] == [0, 1, 2, 3]
    assert any(m.transpose_b for m in kinds(low, Matmul))  # type: ignore[attr-defined]


def transposed(net: Network) -> list[int]:
    return [s.index for s in lower(net, "step", ADAM).states if s.owner == "weight" and s.transposed and not s.part]


def test_an_output_s_matrix_is_kept_by_units_unless_sparse_rows_are_gathered_from_it() -> None:
    assert transposed(networks.one_hidden()) == [1]
    direct = networks.build("direct", [networks.source("In", 9), networks.output("Out", 4, "In")])
    assert transposed(direct) == []
    dense = networks.bind(direct, networks.facts("in", 9, sparse=False, boolean=False))
    assert transposed(dense) == [0]
    assert 2 not in transposed(networks.shared_transposed())


def test_batch_normalisation_has_four_states_and_writes_two() -> None:
    low = lower(networks.batch_norm(), "step", Structure())
    assert {s.part for s in low.states if s.owner == "bn"} == {"scale", "bias", "mean", "variance"}
    assert len(kinds(low, Assign)) == 2
    assert not kinds(lower(networks.batch_norm(), "evaluate"), Assign)


def test_weight_norm_comes_last() -> None:
    low = lower(networks.three_hidden(), "step", ADAM)
    assert isinstance(low.roots[-1], Clip) and len(kinds(low, Clip)) == 1


def test_gradients_are_returned_under_the_numbers_of_their_states() -> None:
    net = networks.one_hidden()
    low = lower(net, "gradient")
    assert low.results[0] == "error" and len(low.results) == 1 + 2 * len(net.weights)
    numbers = [int(name.split()[1]) for name in low.results[1:]]
    assert sorted(numbers) == sorted(set(numbers)) and not kinds(low, Update)


def test_states_are_told_without_compiling() -> None:
    net = networks.batch_norm()
    assert states_of(net) == lower(net, "predict").states
    assert set(states_of(net)) <= set(states_of(net, ADAM))
    assert StateInfo("weight", 0, "v", states_of(net)[0].axes) in states_of(net, ADAM)


@pytest.mark.parametrize("type", [LayerType.CONVOLUTIONAL, LayerType.POOLING])
def test_what_has_no_kernel_is_refused(type: LayerType) -> None:
    with pytest.raises(Stop) as stopped:
        lower(networks.change(networks.one_hidden(), "Hidden1", type=type), "predict")
    (told,) = stopped.value.diagnostics
    assert told.code is codes.NOT_YET_SUPPORTED and "Hidden1" in told.message and stopped.value.exit_code == USAGE


def test_softmax_with_dropout_is_refused() -> None:
    net = networks.change(networks.one_hidden(), "Output", activation=Activation.SOFTMAX, dropout=0.5)
    with pytest.raises(Stop):
        lower(net, "step", ADAM)
    assert kinds(lower(net, "predict"), Softmax)


def test_the_error_of_two_outputs_is_their_sum() -> None:
    low = lower(networks.two_inputs(), "evaluate")
    (root,) = low.roots
    sums = [r for r in kinds(low, Reduce) if r.kind == "sum"]  # type: ignore[attr-defined]
    assert isinstance(root, Result) and len(sums) == 2 and low.results == ["error"]


def test_margins_that_always_hold_are_gone() -> None:
    always = networks.one_hidden(loss=Loss(ErrorFunction.SMCE, 1.0, 0.0, 1.0, 1.0))
    sometimes = replace(always, loss=Loss(ErrorFunction.SMCE, 0.9, 0.1, 2.0, 1.0))
    one, other = (dump(lower(n, "step", ADAM).roots) for n in (always, sometimes))
    assert "one_target" not in one and "one_scale" not in one and "zero_target" not in one
    assert "one_target" in other and "zero_target" in other and "one_scale" in other and "zero_scale" not in other


def test_a_network_without_updates_has_only_its_error() -> None:
    plain = without_updates(networks.three_hidden(loss=Loss(boost_one=2.0)))
    assert plain.loss.boost_one == 1 and all(x.sparseness is None and x.delta_norm == 0 for x in plain.layers)
