"""`nnlang graph`: what it draws (tests/graph), in every form; the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnlang.cli import run_command
from nnlang.compiler import footprint
from nnlang.definition import check
from nnlang.diagnostics import USAGE
from nnlang.drawing import FORMS, draw
from nnlang.drawing.counts import size_text
from nnlang.drawing.picture import describe
from nnlang.network import DataFacts, Network, Training
from nnlang.source import Source
from tests import networks
from tests.conftest import Golden
from tests.data_fixtures import SPARSE_BOOLEAN, netcdf

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "graph"
CASES = {
    "movielens": ("examples/movielens/config.json", ("gl_input=27278", "gl_output=27278")),
    "skip": ("examples/dsstne/skip.json", ()),
    "tied_weights": ("examples/dsstne/tied_weights.json", ("input=1000",)),
    "convolution": ("tests/graph/convolution.json", ()),
}


def drawn(case: str, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line prints for a case in a form."""
    path, widths = CASES[case]
    given = [word for width in widths for word in ("--width", width)]
    assert run_command(["graph", str(ROOT / path), "-o", "-", "--format", form, *given]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_drawings_are_as_blessed(case: str, form: str, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    golden(GOLDEN / f"{case}.{form}", drawn(case, form, capsys))


def test_the_same_bytes_in_every_process() -> None:
    words = [sys.executable, "-m", "nnlang", "graph", "examples/dsstne/two_inputs.json", "-o", "-", "--format", "html"]
    found = {
        subprocess.run(
            words, cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_drawing_needs_nothing_heavy() -> None:
    code = (
        "import sys; from nnlang.cli import run_command; run_command(sys.argv[1:]);"
        "print(*{'torch', 'numpy', 'triton', 'h5py', 'netCDF4'} & set(sys.modules), file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, "graph", "examples/dsstne/skip.json", "-o", "-", "--format", "svg"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("<svg")
    assert done.stderr.strip() == ""


# Counts


@pytest.mark.parametrize("make", networks.ALL)
def test_parameters_are_those_that_are_compiled(make: object) -> None:
    network: Network = make()  # type: ignore[operator]
    assert sum(box.parameters or 0 for box in describe(network).boxes) == footprint(network, Training()).parameters


def test_a_shared_matrix_counts_where_it_is_owned() -> None:
    boxes = {box.name: box.parameters for box in describe(networks.shared_transposed(20, (8, 6))).boxes}
    assert boxes == {
        "Input": 0,
        "Hidden1": 20 * 8 + 8,
        "Hidden2": 8 * 6 + 6,
        "Hidden3": 8,
        "Output": 8 * 20 + 20,
    }


def test_sizes_of_weights_are_told_for_people() -> None:
    assert [size_text(n) for n in (0, 249, 250, 3_491_840, 10**9, 10**13)] == [
        "0 bytes",
        "996 bytes",
        "1.0 kB",
        "14.0 MB",
        "4.0 GB",
        "40.0 TB",
    ]


def test_what_a_layer_has_is_said() -> None:
    picture = describe(networks.three_hidden())
    assert picture.boxes[0].options == ("denoising 0.2",)
    assert picture.boxes[0].data == ("input", "sparse", "12.5% stored")
    assert picture.boxes[2].options == ("sparseness p 0.5, beta 2",)
    assert picture.boxes[3].options == ("dropout 0.25", "weight norm 2")
    assert "Hidden3: Hidden, 12 units, Tanh, dropout 0.25, weight norm 2, 84 parameters, from Hidden2." in (
        picture.description
    )


# The command line


def test_without_a_file_a_table_and_the_next_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert run_command(["graph", "examples/movielens/config.json"]) == 0
    out, err = capsys.readouterr()
    assert out == draw(resolved(Path("examples/movielens/config.json").read_text()), "txt")
    assert err == (
        "sizes are open: nnlang graph examples/movielens/config.json --width gl_input=N --width gl_output=N\n"
        "  or --data FILE for the data sets themselves\n"
        "next: nnlang graph examples/movielens/config.json -o config.svg\n"
    )


def resolved(text: str, data: dict[str, DataFacts] | None = None) -> Network:
    """The network of a definition's text."""
    found = check(Source("net.json", text), data or {}, need_shapes=False)
    assert found.network, [d.message for d in found.report.errors]
    return found.network


@pytest.mark.parametrize("form", FORMS)
def test_the_suffix_says_the_form(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"net.{form.upper()}"
    words = ["graph", str(ROOT / CASES["skip"][0])]
    assert run_command([*words, "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    assert path.read_text(encoding="utf-8") == drawn("skip", form, capsys)
    assert run_command([*words, "--format", form]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-o", "net.pdf"], "-o cannot be `net.pdf`: drawings end in .svg, .html, .mmd, .dot, .txt"),
        (["-o", "net"], "say what to draw with --format: svg, html, mmd, dot, txt"),
        (["-o", "-"], "-o cannot be `-`: its name does not say in which form"),
        (["--format", "svgg"], "did you mean `svg`?"),
        (["--width", "input"], "--width cannot be `input`: it takes NAME=N, such as gl_input=27278"),
        (["-o", "net.json", "--format", "svg"], "net.json"),
        (["-o", "nowhere/net.svg"], "nowhere"),
        (["--data", "no.nc"], "no.nc"),
    ],
)
def test_what_cannot_be_is_refused(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / CASES["skip"][0]).read_text()
    Path("net.json").write_text(text)
    assert run_command(["graph", "net.json", *words]) > 0
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert [p.name for p in tmp_path.iterdir()] == ["net.json"]
    assert Path("net.json").read_text() == text


def test_a_broken_definition_has_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.json"
    path.write_text((ROOT / CASES["skip"][0]).read_text().replace('"Skip": "Hidden1"', '"Skip": "Hiden1"'))
    assert run_command(["graph", str(path), "-o", str(tmp_path / "net.svg")]) == USAGE
    assert "error[NN3" in capsys.readouterr().err
    assert not (tmp_path / "net.svg").exists()


def test_data_sets_give_sizes_and_density(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = netcdf(tmp_path / "in.nc", {**SPARSE_BOOLEAN, "name": "input"}, {**SPARSE_BOOLEAN, "name": "output"})
    assert run_command(["graph", str(ROOT / CASES["skip"][0]), "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert "input, sparse, 2.34% stored" in out
    assert "66,048 parameters" in out
    words = ["--data", str(data), "--width", "output=99"]
    assert run_command(["graph", str(ROOT / CASES["skip"][0]), *words]) == 0
    assert re.search(r"\b99\b.* output, sparse +\S+$", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("count", [1_500, pytest.param(10_000, marks=pytest.mark.full)])
def test_many_layers_take_seconds(count: int) -> None:
    layers: list[dict[str, object]] = [{"Name": "i", "Kind": "Input", "DataSet": "d", "N": 10}]
    layers += [{"Name": f"h{i}", "N": 8, "Skip": [f"h{i // 2}"] * (i > 4)} for i in range(1, count - 1)]
    layers.append({"Name": "o", "Kind": "Output", "DataSet": "d", "N": 10})
    network = resolved(json.dumps({"Version": 0.8, "Name": "many", "ErrorFunction": "L2", "Layers": layers}))
    for form in FORMS:
        start = time.perf_counter()
        text = draw(network, form)
        assert time.perf_counter() - start < 10
        assert form != "svg" or "a large network: one column in propagation order" in text
