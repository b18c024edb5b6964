"""Model files: exact round trips, DSSTNE's files, and what is told of those that do not hold together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nnlang.codes import model as codes
from nnlang.diagnostics import Code, Stop
from nnlang.network import Activation, Kind, Network, Sparseness
from nnlang.runtime import layout, modelread, modelwrite
from nnlang.runtime.model import Model, load, save
from nnlang.version import __version__
from tests import networks
from tests.models import failure, random_model, same, told, write_dsstne

NETWORKS = {f.__name__: f for f in networks.ALL}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "gl.nc"
    save(random_model(networks.three_hidden()), path)
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_saved_loads_exactly(name: str, tmp_path: Path) -> None:
    model = random_model(NETWORKS[name](decay=0.1, slope=1 / 3))
    save(model, tmp_path / "a.nc")
    loaded = load(tmp_path / "a.nc")
    assert loaded.network == model.network
    assert same(loaded, model)


def test_awkward_names_survive(tmp_path: Path) -> None:
    network = replace(networks.one_hidden(), name="\0\ud800 é\n\0")
    network = networks.change(networks.change(network, "Output", dataset="\udcff\x1b[2J"), "Input", name="x\u202ey")
    model = random_model(network)
    save(model, tmp_path / "gl.nc")
    assert same(load(tmp_path / "gl.nc"), model)


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_models_are_equal_bytes(name: str, tmp_path: Path) -> None:
    save(random_model(NETWORKS[name]()), tmp_path / "a.nc")
    save(load(tmp_path / "a.nc"), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_a_bare_model_loads(tmp_path: Path) -> None:
    full = random_model(networks.one_hidden())
    model = Model(full.network, full.weights, full.biases)
    save(model, tmp_path / "gl.nc")
    assert same(load(tmp_path / "gl.nc"), model)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_attributes_alone_give_the_network(name: str, tmp_path: Path) -> None:
    """What DSSTNE's layout holds: all but data facts, the network's own slopes and the digits beyond float32."""
    model = random_model(NETWORKS[name]())
    root = modelwrite.root(model.network, model.weights, model.biases, model.batch_norm, 0)
    layout.write(tmp_path / "gl.nc", root, {})
    loaded = load(tmp_path / "gl.nc")
    assert loaded.network == replace(model.network, data=())
    assert all((loaded.weights[i] == w).all() for i, w in model.weights.items())
    assert loaded.labels == {}
    assert loaded.definition == ""


@settings(max_examples=15, deadline=None)
@given(
    arrays(np.float32, (5, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
def test_any_number_and_name_survives(tmp_path_factory: Any, matrix: Any, number: float, name: str) -> None:
    path = tmp_path_factory.mktemp("model") / "gl.nc"
    network = networks.change(networks.one_hidden(5, 3, 2), "Hidden1", delta_norm=number)
    network = replace(network, name=name)
    model = random_model(network)
    model.weights[0] = matrix
    save(model, path)
    assert same(load(path), model)


def test_netcdf_and_dsstne_see_what_they_expect(tmp_path: Path) -> None:
    model = random_model(networks.shared_transposed())
    save(model, tmp_path / "gl.nc")
    with netCDF4.Dataset(tmp_path / "gl.nc") as file:
        types = {n: np.asarray(file.getncattr(n)).dtype.str for n in file.ncattrs()}
        assert [types[n] for n in ("version", "kind", "LRN_n", "layer1_Nx")] == ["<f4", "<u4", "<i4", "<u4"]
        assert [types[n] for n in ("weight0_width", "layer1_pDropout", "weights")] == ["<u8", "<f4", "<u4"]
        assert file.getncattr("name") == "shared transposed"
        assert (file.getncattr("weight0_width"), file.getncattr("weight0_height")) == (8, 20)
        assert file.getncattr("weight2_sourceOutputLayer") == "Hidden2"
        assert list(file.variables)[:3] == ["weight0_bias", "weight0_weights", "weight1_bias"]
        assert file["weight0_weights"].dimensions == ("weight0_weightDim",)
        assert "weight2_weights" not in file.variables
        assert (file["weight1_weights"][:].reshape(8, 6) == model.weights[1]).all()
        assert file.groups["nnlang"].getncattr("writer") == __version__
        assert b'"definition"' in file["nnlang/metadata"][:].tobytes()


def test_layers_stand_in_construction_order(tmp_path: Path) -> None:
    save(random_model(networks.skip()), tmp_path / "gl.nc")
    with netCDF4.Dataset(tmp_path / "gl.nc") as file:
        assert [file.getncattr(f"layer{i}_name") for i in range(4)] == ["Input", "Hidden2", "Hidden1", "Output"]
        assert file.getncattr("layer1_skip0") == "Hidden1"


def test_a_file_of_dsstne_loads(tmp_path: Path) -> None:
    write_dsstne(tmp_path / "gl.nc")
    model = load(tmp_path / "gl.nc")
    source, hidden, output = model.network.layers
    assert (source.kind, source.units, source.dataset, source.denoising) == (Kind.INPUT, 128, "gl_input", True)
    assert (hidden.activation, hidden.slope, hidden.sparseness) == (Activation.LEAKY_RELU, 1.0, Sparseness(0.5, 2.0))
    assert (output.sources, output.selu_lambda, model.network.denoising) == ((1,), 1.050701, 0.2)
    assert model.weights[0].shape == (128, 8)
    assert model.network.loss.zero_target == 0.1
    assert not model.network.shuffle
    save(model, tmp_path / "again.nc")
    assert same(load(tmp_path / "again.nc"), model)


def test_dsstne_optional_attributes(tmp_path: Path) -> None:
    changes = {"layer1_poolingfunction": "Max", "layer0_RELUSlope": None, "layer1_activation": np.uint32(8)}
    write_dsstne(tmp_path / "gl.nc", **changes, checkpoint_name="x", history="touched", weight0_bLocked=np.uint32(1))
    network = load(tmp_path / "gl.nc").network
    assert network.layers[1].function == "max"
    assert network.layers[1].activation is Activation.RELUMAX


WRONG_ATTRIBUTES: dict[str, tuple[dict[str, Any], Code, str]] = {
    "no Nx": ({"layer1_Nx": None}, codes.MODEL_INCOMPLETE, "layer1_Nx"),
    "no slope where one is used": ({"layer1_RELUSlope": None}, codes.MODEL_INCOMPLETE, "RELUSlope"),
    "no layers": ({"layers": None}, codes.NOT_A_MODEL, "layers"),
    "data set": ({"layers": None, "datasets": np.uint32(1)}, codes.NOT_A_MODEL, "data set file"),
    "width": ({"layer1_Nx": np.uint32(9)}, codes.MODEL_SIZE, "`weight0_bias` has 8 values, 9 are needed"),
    "input width": ({"layer0_Nx": np.uint32(100)}, codes.MODEL_SIZE, "1024 values, 800 are needed (100 x 8)"),
    "huge": ({"layer1_Nx": np.uint32(2**31 - 1), "layer1_Ny": np.uint32(2)}, codes.MODEL_CONTENT, "units"),
    "large": ({"layer1_Nx": np.uint32(2**31 - 1)}, codes.MODEL_SIZE, "weight0_bias"),
    "zero": ({"layer1_Nx": np.uint32(0)}, codes.MODEL_CONTENT, "whole number from 1"),
    "text for a number": ({"layer1_Nx": "eight"}, codes.MODEL_CONTENT, "whole number"),
    "number for a text": ({"layer1_name": np.uint32(1)}, codes.MODEL_CONTENT, "text"),
    "NaN": ({"layer1_RELUSlope": np.float32("nan")}, codes.MODEL_CONTENT, "finite"),
    "activation": ({"layer1_activation": np.uint32(13)}, codes.MODEL_CONTENT, "from 0 to 12"),
    "kind": ({"layer1_kind": np.uint32(4)}, codes.MODEL_CONTENT, "from 0 to 3"),
    "pooling": ({"layer1_poolingfunction": "Median"}, codes.MODEL_CONTENT, "pooling function"),
    "two names": ({"layer1_name": "Input"}, codes.MODEL_CONTENT, "one name"),
    "unknown source": ({"layer1_source0": "Inptu"}, codes.MODEL_CONTENT, "no layer"),
    "circle": ({"layer1_source0": "Output"}, codes.MODEL_CONTENT, "circle"),
    "itself": ({"layer1_source0": "Hidden"}, codes.MODEL_CONTENT, "circle"),
    "no source": ({"layer1_sources": np.uint32(0)}, codes.MODEL_CONTENT, "at least one"),
    "fed input": ({"layer0_sources": np.uint32(1), "layer0_source0": "Hidden"}, codes.MODEL_CONTENT, "circle"),
    "twice": ({"layer1_sources": np.uint32(2), "layer1_source1": "Input"}, codes.MODEL_CONTENT, "stands before"),
    "skip": ({"layer1_skips": np.uint32(1), "layer1_skip0": "Input"}, codes.MODEL_CONTENT, "one size"),
    "dropout": ({"layer1_pDropout": np.float32(1)}, codes.MODEL_CONTENT, "below 1"),
    "fewer weights": ({"weights": np.uint32(1)}, codes.MODEL_CONTENT, "2 edges"),
    "other edge": ({"weight1_inputLayer": "Input"}, codes.MODEL_CONTENT, "not the edges"),
    "many layers": ({"layers": np.uint32(10_001)}, codes.MODEL_CONTENT, "10000"),
    "shared with nobody": (
        {"weight1_bShared": np.uint32(1), "weight1_bTransposed": np.uint32(1), "weight1_sourceInputLayer": "Hidden",
         "weight1_sourceOutputLayer": "Output"}, codes.MODEL_CONTENT, "no matrix"),
    "shared in another shape": (
        {"weight1_bShared": np.uint32(1), "weight1_bTransposed": np.uint32(0), "weight1_sourceInputLayer": "Input",
         "weight1_sourceOutputLayer": "Hidden"}, codes.MODEL_CONTENT, "another shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ATTRIBUTES)
def test_wrong_attributes_are_told(case: str, tmp_path: Path) -> None:
    changes, code, words = WRONG_ATTRIBUTES[case]
    write_dsstne(tmp_path / "gl.nc", **changes)
    told(failure(tmp_path / "gl.nc"), code, words)


def test_tied_weights_of_dsstne(tmp_path: Path) -> None:
    tied = {"weight1_bShared": np.uint32(1), "weight1_bTransposed": np.uint32(1)}
    write_dsstne(tmp_path / "gl.nc", **tied, weight1_sourceInputLayer="Input", weight1_sourceOutputLayer="Hidden")
    model = load(tmp_path / "gl.nc")
    assert (model.network.weights[1].owner, model.network.weights[1].transposed) == (0, True)
    assert sorted(model.weights) == [0]


def test_numbers_of_dsstne_must_be_finite(tmp_path: Path) -> None:
    write_dsstne(tmp_path / "gl.nc")
    with h5py.File(tmp_path / "gl.nc", "r+") as file:
        file["weight1_weights"][5:7] = np.nan
    told(failure(tmp_path / "gl.nc"), codes.MODEL_NOT_FINITE, "2 of the 1024 values of the weights from layer `Hidden`")


def test_saving_what_is_not_finite_keeps_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()
    model = random_model(networks.three_hidden())
    model.biases[1][0] = np.inf
    with pytest.raises(Stop, match="NN724"):
        save(model, saved)
    assert saved.read_bytes() == before


def test_arrays_must_fit(tmp_path: Path) -> None:
    model = random_model(networks.one_hidden())
    for broken in (replace(model, biases={}), replace(model, weights={0: model.weights[1], 1: model.weights[0]})):
        broken.network = networks.one_hidden(h=9) if broken.biases else broken.network
        with pytest.raises(ValueError, match=r"fit|needed"):
            save(broken, tmp_path / "gl.nc")
    assert list(tmp_path.iterdir()) == []


def test_deep_chains_are_fast() -> None:
    """Order and attributes are linear in the layers: 2,000 in a chain, listed backwards."""
    count = 2_000
    before = [[i + 1] for i in range(count)] + [[]]
    order = modelread.propagation(before)
    assert order is not None
    assert list(order) == list(range(count, -1, -1))


def test_networks_of_many_layers_load(tmp_path: Path) -> None:
    rows = [networks.source("Input", 2)]
    rows += [networks.hidden(f"H{i}", 2, rows[-1].name if i == 0 else f"H{i - 1}") for i in range(60)]
    network: Network = networks.build("deep", [*rows, networks.output("Output", 2, "H59")])
    model = random_model(network)
    save(model, tmp_path / "gl.nc")
    assert same(load(tmp_path / "gl.nc"), model)
