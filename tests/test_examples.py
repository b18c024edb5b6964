"""Every definition under examples/ is sound, compiles, and takes two training steps and a prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnlang.definition import check, load
from nnlang.linting.check import lint
from nnlang.network import DataFacts, Network, Training
from nnlang.runtime.dataset import DataSet, dense_set, sparse_set
from nnlang.runtime.program import Program, feed_for
from nnlang.runtime.train import train
from nnlang.search.estimate import sample
from nnlang.sweeps.sweepfile import definition_text, load_sweep, setting
from nnlang.syntax import read_source

ROOT = Path(__file__).parent.parent / "examples"
DEFINITIONS = sorted(path for path in ROOT.rglob("*.json") if '"Axes"' not in path.read_text(encoding="utf-8"))
SWEEPS = sorted(set(ROOT.rglob("*.json")) - set(DEFINITIONS))
ROWS, WIDTH = 24, 256


def data_for(network: Network) -> dict[str, DataSet]:
    """A data set for every name that the layers bind: sparse and Boolean where the layer is wide, dense otherwise."""
    random = np.random.default_rng(5)
    found = {}
    for layer in network.layers:
        if not layer.dataset or layer.dataset in found:
            continue
        units = layer.units or WIDTH
        if units >= WIDTH:
            rows = [np.sort(random.permutation(units)[: random.integers(1, 9)]) for _ in range(ROWS)]
            offsets = np.concatenate(([0], np.cumsum([len(r) for r in rows])))
            found[layer.dataset] = sparse_set(layer.dataset, offsets, np.concatenate(rows), width=units)
        else:
            found[layer.dataset] = dense_set(layer.dataset, random.random((ROWS, units)).astype(np.float32))
    return found


@pytest.mark.parametrize("path", SWEEPS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_sweep_is_clean_and_its_combinations_train(path: Path, tmp_path: Path) -> None:
    assert lint(read_source(path)) == []
    sweep = load_sweep(path)
    for number, params in enumerate(sample(sweep, 4)):
        made = tmp_path / f"{number}.json"
        made.write_text(definition_text(setting(sweep, params).definition), encoding="utf-8")
        (tmp_path / str(number)).mkdir()
        test_an_example_trains_and_predicts(made, tmp_path / str(number))


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda p: str(p.relative_to(ROOT)))
def test_an_example_trains_and_predicts(path: Path, tmp_path: Path) -> None:
    checked = check(read_source(path), need_shapes=False)
    assert checked.report.errors == []
    assert checked.network is not None
    sets = data_for(checked.network)
    facts: dict[str, DataFacts] = {name: data.facts for name, data in sets.items()}
    network = load(path, facts).network
    assert network is not None
    settings = Training(batch=16, epochs=1, alpha=1e-4)
    result = train(network, sets, settings, output=tmp_path / "model.nc")
    assert np.isfinite(result.error)
    program = Program.for_predict(network, result.model, ROWS)
    outputs = program.predict(feed_for(program, "predict", sets).consecutive(0, ROWS))
    for layer in network.outputs:
        assert outputs[layer.name].shape == (ROWS, layer.units)
        assert np.isfinite(outputs[layer.name].numpy()).all()
